/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Throwing changes away, of everything or of single paths, so that what the package has shows
 * again. It is planned first, from the upper layer in memory, and works without the package.
 *
 * What was renamed is reset at its new place and goes back to its own. A path whose package file
 * or directory is elsewhere now cannot be reset without that.
 */
#ifndef FS_OVERLAY_RESET_H
#define FS_OVERLAY_RESET_H

#include "fs/overlay/diff.h"

struct reset_plan {
    bool *remove; /* one for each entry of the upper layer, whiteouts too */
    bool *unhide; /* whiteouts outside what was asked for, where something goes back to */
    uint32_t count;
};

/*
 * PATHS as in the mount, any case, '/' or '\'. ERR_NOT_FOUND when nothing is changed at one of
 * them, ERR_INVALID with the other place when something is elsewhere now.
 */
int reset_plan(const struct upper *u, const struct diff *d, char *const *paths, size_t path_count,
               struct reset_plan *out, struct err *e) must_check;
void reset_plan_clear(struct reset_plan *p);

/* Carries it out on S, open for writing. After a failure what is left is a valid overlay. */
int reset_paths(struct overlay_store *s, const struct upper *u, const struct reset_plan *p,
                struct err *e) must_check;

/* Empties the overlay, what an upgrade took aside included. */
int reset_all(struct overlay_store *s, struct err *e) must_check;

#endif
