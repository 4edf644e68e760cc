/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The second half of overlay_move_with_whiteout(): completing at the next open what a crash left
 * half done. Only for fs/overlay/.
 */
#ifndef FS_OVERLAY_MOVE_H
#define FS_OVERLAY_MOVE_H

#include "fs/overlay/store.h"

/* Completes the move that the intent work/NAME tells of, and removes the intent. An intent that
 * makes no sense is removed with a warning. Needs the store open for writing and nobody else at it.
 * */
int move_complete(struct overlay_store *s, const char *name) must_check;

#endif
