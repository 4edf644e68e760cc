/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Doing what upgrade_plan.h found out: one file at a time. Only for upgrade*.c. */
#ifndef FS_OVERLAY_UPGRADE_STEP_H
#define FS_OVERLAY_UPGRADE_STEP_H

#include "fs/overlay/upgrade_plan.h"

struct upgrade_work {
    struct overlay_store *store;
    const struct package *package;
    const struct upgrade_options *o;
    const struct package *old; /* NULL: not wanted, or not to be had */
    struct upgrade_report *report;
    int aside_fd; /* -1 until something is put aside */
};

/* Whether the file of ITEM can get its missing bytes; *old is its file in the old version,
 * *from_new in the package itself (either NODE_NONE). Negative only for errors of the system. */
int upgrade_find_bytes(struct upgrade_work *w, const struct upgrade_item *item, uint32_t *old,
                       uint32_t *from_new, struct err *e) must_check;

/* Each does nothing for a file that was brought over already. */
int upgrade_step_complete(struct upgrade_work *w, const struct upgrade_item *item,
                          struct err *e) must_check;
int upgrade_step_follow(struct upgrade_work *w, const struct upgrade_item *item,
                        struct err *e) must_check;
int upgrade_step_rename(struct upgrade_work *w, const struct upgrade_item *item,
                        struct err *e) must_check;
int upgrade_step_aside(struct upgrade_work *w, const struct upgrade_item *item,
                       struct err *e) must_check;
int upgrade_step_reveal(struct upgrade_work *w, const struct upgrade_item *item,
                        struct err *e) must_check;

#endif
