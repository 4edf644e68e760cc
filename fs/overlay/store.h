/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The directory an overlay is kept in:
 *
 *   DIR/files/     the upper layer: what the user made or changed, as plain files and directories
 *   DIR/work/      things in the making; everything is done here and then renamed into files/
 *   DIR/maps/      one small file for each partial file: which of its bytes are in files/
 *   DIR/aside/     what an upgrade took out of files/ for a newer package file (made when needed)
 *   DIR/overlay    text: which package it is of, which version it was last used with, from where
 *   DIR/lock       locked while in use; says who holds it
 *
 * An overlay belongs to a package GUID, not to a version. One process may write it at a time.
 * All of it is on one file system (renames are atomic), which must have user extended attributes.
 */
#ifndef FS_OVERLAY_STORE_H
#define FS_OVERLAY_STORE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/guid.h"

enum overlay_access {
    OVERLAY_WRITE,     /* exclusive lock; creates what is missing; clears leftovers */
    OVERLAY_READ,      /* no lock, nothing is changed: for looking, also while it is mounted */
};

struct overlay_store {
    char *path;           /* absolute */
    int dir_fd;
    int files_fd;         /* these may be used with the *at() calls by any thread */
    int work_fd;          /* -1 with OVERLAY_READ, as maps_fd when there are none */
    int maps_fd;
    int lock_fd;
    dev_t dev;
    enum overlay_access access;
    bool read_only;       /* file system or permissions do not let us write; then access is READ */
    bool temporary;       /* removed by overlay_store_close() */
    bool unclean;         /* whoever had it last did not end in good order. overlay_open() clears it
                             when it has looked after that; while it is set, closing leaves it so */
    bool has_exchange;    /* renameat2(RENAME_EXCHANGE) works here */
    struct guid package_guid;
    struct guid version_guid;  /* last used with; all zero when new */
    uint32_t version_number;
    char *package_name;   /* owned; for people */
    char *source;         /* owned; where that version came from, no credentials; "" if unknown */
    _Atomic uint64_t next_work, next_map;
    _Atomic unsigned open_maps; /* map files kept open (map_file.c) */
    const uint8_t *boot_id;     /* 16 bytes, for tests; NULL: that of the running kernel */
};

/* Default place for a package: $XDG_DATA_HOME/sftfs/overlays/GUID or ~/.local/share/... Caller
 * frees. */
int overlay_default_path(const struct guid *package, char **out, struct err *e) must_check;

/*
 * Opens the overlay at PATH for the package PACKAGE (NULL with OVERLAY_READ: whichever it is of).
 * With OVERLAY_WRITE it is created when PATH does not exist or is an empty directory. MOUNTPOINT
 * goes into the lock for others to read (may be NULL).
 *
 * Errors: ERR_BUSY with who holds it (process, host, mount point, since when); ERR_GUID_MISMATCH
 * when it is of another package; ERR_INVALID when PATH is something else than an overlay;
 * ERR_UNSUPPORTED when the file system lacks extended attributes or the layout is of a newer
 * program; ERR_DENIED. An overlay that can be read but not written is opened with read_only set,
 * without error. Leftovers in work/ are finished (intents, see below) or removed.
 */
int overlay_store_open(const char *path, enum overlay_access access, const struct guid *package,
                       const char *mountpoint, struct overlay_store **out,
                       struct err *e) must_check;

/* A new overlay that is removed at close, in $TMPDIR, /var/tmp or /tmp, whichever has extended
 * attributes. Removes those of processes that are gone. */
int overlay_store_temporary(const struct guid *package, const char *mountpoint,
                            struct overlay_store **out, struct err *e) must_check;

/* Gives the lock back in good order. NULL is fine. */
void overlay_store_close(struct overlay_store *s);

/* Records the version and the place it is now used with, atomically. */
int overlay_store_set_version(struct overlay_store *s, const struct guid *version, uint32_t number,
                              const char *package_name, const char *source,
                              struct err *e) must_check;

/* An unused name in work/ (unique in this process and among leftovers). */
#define WORK_NAME_MAX 40
void overlay_work_name(struct overlay_store *s, char name[WORK_NAME_MAX]);

/* Removes NAME in directory FD with everything below it; absent is fine. Does not follow links nor
 * leave the file system. */
int overlay_remove_tree(int fd, const char *name) must_check;

/* Places a whiteout named NAME in DIRFD, where nothing is; atomic. Links one prepared file as often
 * as the file system lets it. -EEXIST when something is there. */
int overlay_whiteout_create(struct overlay_store *s, int dirfd, const char *name) must_check;

/* The same in work/ under a new name, to be renamed over something: in a directory for which
 * overlay_whiteout_mark_dir() was called before. */
int overlay_whiteout_prepare(struct overlay_store *s, char name[WORK_NAME_MAX]) must_check;

/* Notes on directory DIRFD that there may be whiteouts in it, unless that is noted already (cheap
 * then). overlay_whiteout_create() does so itself. */
int overlay_whiteout_mark_dir(int dirfd) must_check;

/*
 * Renaming what must leave a whiteout behind onto something that exists takes three steps, which a
 * crash must not part. FROM and TO are paths below files/ ("a/b"). The caller has made sure that
 * FROM is in the upper layer with all markers its new place needs. Afterwards: TO is what FROM was,
 * FROM is a whiteout, what TO was is gone. What a crash left half done is completed by
 * overlay_store_open().
 */
int overlay_move_with_whiteout(struct overlay_store *s, const char *from,
                               const char *to) must_check;

#endif
