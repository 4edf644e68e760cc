/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sftfs and sftmount share: the options behind -o, and the way from a location to a served
 * mount.
 */
#ifndef TOOLS_MOUNT_COMMON_H
#define TOOLS_MOUNT_COMMON_H

#include "fetch/engine.h"
#include "fetch/origin.h"
#include "fetch/source.h"
#include "fs/mount.h"
#include "src/package.h"
#include "tools/cli.h"
#include "tools/connection.h"
#include "tools/daemon.h"
#include "tools/delivery_setup.h"
#include "tools/report.h"

extern const struct cli_option mount_suboptions[];
extern const struct cli_option mount_system_suboptions[];

/* The groups of options behind -o, for a command's table. */
#define MOUNT_GROUPS                                                                        \
    { "Mount options (after -o, separated by commas)", CLI_STYLE_SUB, mount_suboptions },   \
    { "Disk cache and loading ahead (after -o)", CLI_STYLE_SUB, delivery_suboptions },      \
    { "Package and connection options (after -o)", CLI_STYLE_SUB, connection_suboptions },              \
    { "Options of mount(8) and fstab (after -o)", CLI_STYLE_SUB, mount_system_suboptions }

/* Where the user's changes go. */
enum overlay_choice {
    OVERLAY_CHOICE_NONE,      /* nowhere: read-only */
    OVERLAY_CHOICE_DEFAULT,   /* the place that goes with the package GUID */
    OVERLAY_CHOICE_DIR,
    OVERLAY_CHOICE_TEMPORARY, /* a place that is removed at the end */
};

struct mount_setup {
    struct report report;
    struct source_options connection;
    struct mount_options mount;
    struct engine_options engine;
    struct delivery_setup delivery;
    const struct guid *package_guid; /* known from a document, or NULL */
    enum overlay_choice overlay;
    char *overlay_dir;       /* absolute, with OVERLAY_CHOICE_DIR; owned */
    const char *old_version; /* where the version is that the overlay was last used with, or NULL */
    char *record;       /* absolute; owned, as MOUNT borrows it */
    char *launch_list;  /* absolute path of a launch list, or NULL; owned */
    const char *mirrors[ORIGIN_PLACES_MAX]; /* further places of the package, as given */
    size_t mirror_count;
    const char *locations[ORIGIN_PLACES_MAX]; /* all places: mount_setup_locations() */
    size_t location_count;
    bool offline;       /* no server is to be asked */
    bool read_write;    /* rw was asked for */
    bool sloppy;        /* unknown options are passed over (mount -s) */
    char *announcement; /* whole lines for standard output, when it is mounted; or NULL; owned */
    char *fuse_options; /* owned */
    char **copies;      /* owned texts of -o, which the structures above borrow from */
    size_t copy_count;
};

/* Defaults: owner is the caller, umask 022. */
void mount_setup_init(struct mount_setup *s, const char *program);
void mount_setup_free(struct mount_setup *s);

/* Takes one argument of -o. ERR_INVALID names the option that is wrong. */
int mount_setup_options(struct mount_setup *s, const char *text, struct err *e) must_check;

/* The argument of overlay: a directory, "none", "temporary", or NULL for the default place. A
 * relative directory is one below the present working directory. */
int mount_setup_overlay(struct mount_setup *s, const char *value, struct err *e) must_check;

/*
 * Where the package is, in order of preference: the COUNT places of FIRST (borrowed), then the
 * mirrors. A place of a kind that is not supported is left out when there are others. ERR_UNRESOLVED
 * when there is none.
 */
int mount_setup_locations(struct mount_setup *s, const char *const *first, size_t count,
                          struct err *e) must_check;

/*
 * Called when the package is open: may refuse it (ERR_GUID_MISMATCH), and gives the mount point
 * when none was named on the command line (*mountpoint is NULL then; the caller frees it).
 */
typedef int (*mount_check_fn)(void *arg, const struct package *p, char **mountpoint, struct err *e);

/*
 * Opens LOCATION, mounts it at MOUNTPOINT (NULL: CHECK says where) and serves it until unmounted.
 * Tells D when it is usable. Messages have been given when it returns. To be run inside
 * daemon_run().
 */
enum exitcode mount_serve(struct mount_setup *s, struct daemon *d, const char *location,
                          const char *mountpoint, mount_check_fn check, void *arg);

/* Absolute form of a mount point, without asking what is mounted there, which may be dead. Caller
 * frees. ERR_NOT_FOUND when the directory above it does not exist. */
int mount_point_path(const char *path, char **out, struct err *e) must_check;

#endif
