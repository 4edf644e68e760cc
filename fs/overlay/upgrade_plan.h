/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an upgrade has to do with each file, found out by walking the upper layer without changing
 * anything. Only for upgrade*.c.
 */
#ifndef FS_OVERLAY_UPGRADE_PLAN_H
#define FS_OVERLAY_UPGRADE_PLAN_H

#include <sys/stat.h>

#include "fs/overlay/marker.h"
#include "fs/overlay/upgrade.h"

enum upgrade_step {
    STEP_COMPLETE, /* bring in the missing bytes; the order here is the order they are done in */
    STEP_FOLLOW,   /* become the package's new file */
    STEP_RENAME,   /* only the package file's spelling has changed */
    STEP_ASIDE,
    STEP_REVEAL, /* remove the whiteout: the renamed file that left it is put aside */
    STEP_COUNT
};

struct upgrade_item {
    enum upgrade_step step;
    char *path;    /* below files/; owned */
    uint32_t node; /* file of the package it is about, or NODE_NONE */
    uint64_t need; /* bytes that must come from a package */
    bool from_new; /* they are the same in the package being mounted */
};

struct upgrade_plan {
    struct upgrade_item *items;
    size_t count, room;
};

/* Fills *plan and what the report says without any doing (kept, damaged, lost_dirs). *plan is
 * always to be freed. ERR_LIMIT when directories are nested too deep. */
int upgrade_plan_make(struct overlay_store *s, const struct package *package, bool case_sensitive,
                      struct upgrade_plan *plan, struct upgrade_report *r,
                      struct err *e) must_check;
void upgrade_plan_free(struct upgrade_plan *plan);

/* What a partial file is in respect of a version of the package. */
struct upgrade_state {
    uint32_t node;  /* the file of that name, or NODE_NONE */
    bool same;      /* it has the very content that the partial file was made from */
    bool untouched; /* nobody wrote to the file or changed its size */
};
int upgrade_state_of(const struct package *package, const struct partial_mark *mark, uint64_t size,
                     bool following, struct upgrade_state *out) must_check; /* memory only */

/* Adds PATH (copied) to those the report names. */
void upgrade_paths_add(struct upgrade_paths *p, const char *path);

#endif
