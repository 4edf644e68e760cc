/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an unclean end may have left behind beyond what opening the store takes care of. */
#ifndef FS_OVERLAY_RECOVER_H
#define FS_OVERLAY_RECOVER_H

#include "fs/overlay/store.h"

/* Removes maps that no partial file refers to, unless some part of the overlay could not be
 * read; logs what it does. STORE is open for writing and nothing else uses it yet. */
void recover_maps(struct overlay_store *store);

#endif
