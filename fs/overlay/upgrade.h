/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Another version of the package under an overlay (a newer or an older one). What the user changed
 * stays; what was not changed is the other version's:
 *
 *   partial file, content untouched    follows the package file: its new size and content
 *   partial file, some bytes written   the same content in both versions: stays as it is. Otherwise
 *                                      the missing bytes are brought in from the version it was made
 *                                      from, and it is a plain file from then on. The same for an
 *                                      untouched file that the other version does not have
 *   file that the package overrides    put aside, in DIR/aside/, so that the package's shows
 *   all else                           stays
 *
 * Before anything is changed it is found out what that takes and whether it can be had. Each file's
 * step is atomic and can be repeated: an upgrade that a crash ended is gone through again by the
 * next mount, whichever version that has, because DIR/upgrading says so.
 *
 * To be called by the one who holds the overlay's lock, before overlay_open(). One thread.
 */
#ifndef FS_OVERLAY_UPGRADE_H
#define FS_OVERLAY_UPGRADE_H

#include "fs/overlay/data.h"
#include "fs/overlay/store.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

/* On a file that is being made to follow the package: "SECONDS.NANOSECONDS", its time of
 * modification. */
#define MARKER_FOLLOW "user.sftfs.follow"

struct upgrade_options {
    const char *source;  /* where the package is, without credentials; recorded */
    bool case_sensitive; /* as overlay_open() will be told */
    /* Opens the version that the overlay was last used with: called at most once, and only when
     * bytes of it are missing. The package is borrowed until overlay_upgrade() returns. */
    int (*open_old)(void *arg, const struct package **old, struct err *e);
    /* Reads bytes of a file of that version. */
    overlay_lower_fn read_old;
    /* Reads bytes of a file of the package that is being mounted. */
    overlay_lower_fn read_new;
    void *arg;
};

/* Paths below files/, the first few of COUNT. */
#define UPGRADE_PATHS 20u
struct upgrade_paths {
    uint64_t count;
    char *paths[UPGRADE_PATHS]; /* owned; NULL where there was no memory */
};

struct upgrade_report {
    uint32_t from, to;  /* numbers of the versions */
    uint64_t kept;      /* partial files with the same content in both versions */
    uint64_t followed;  /* untouched files that are now the package's new ones */
    uint64_t completed; /* files that need the package no more */
    uint64_t completed_bytes;
    uint64_t damaged;   /* partial files that could not be read before either, left as they are */
    uint64_t lost_dirs; /* renamed package directories that the package has no more */
    struct upgrade_paths aside; /* put aside */
    struct upgrade_paths stuck; /* cannot be carried over: filled with ERR_OLD_VERSION */
    char *aside_dir; /* where they are put, an absolute path; owned, NULL when there are none */
};

void upgrade_report_clear(struct upgrade_report *r);

/* Whether S was last used with another version of PACKAGE, or was left in the middle of an upgrade.
 */
bool overlay_upgrade_is_needed(const struct overlay_store *s, const struct package *package);

/*
 * Carries S over to PACKAGE and records the version. May fetch and copy much data. *REPORT is
 * always to be cleared.
 *
 * ERR_OLD_VERSION when files cannot be carried over because the version they were made from cannot
 * be had (report->stuck); ERR_DENIED when something is to be done and S is not open for writing;
 * nothing has been changed then. After any other error what shows is what showed before, or a later
 * call goes on.
 */
int overlay_upgrade(struct overlay_store *s, const struct package *package,
                    const struct upgrade_options *o, struct upgrade_report *report,
                    struct err *e) must_check;

#endif
