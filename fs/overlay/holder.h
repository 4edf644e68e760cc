/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who has an overlay in use, as written in its lock file; for people. */
#ifndef FS_OVERLAY_HOLDER_H
#define FS_OVERLAY_HOLDER_H

#include "src/compiler.h"

#define HOLDER_VALUE_MAX 4096

struct overlay_holder {
    bool in_use;  /* somebody has the lock */
    bool unclean; /* nobody has, and the last one did not end in good order */
    char pid[32], host[256], started[64];
    char mountpoint[HOLDER_VALUE_MAX];
};

/* Looks at the lock in the overlay directory DIRFD, without taking it. 0 or a negative errno; no
 * lock file: nobody. */
int overlay_holder(int dirfd, struct overlay_holder *out) must_check;

#endif
