/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's read-ahead for a mount. It starts at 128 KiB; a larger one saves a sequential reader
 * round trips, but only root may raise it, in sysfs.
 */
#ifndef FS_READAHEAD_H
#define FS_READAHEAD_H

#include "fs/mount.h"

/* What to ask for in the answer to INIT. */
unsigned readahead_bytes(const struct mount_options *o);

/* Raises the limit of the mount at o->mountpoint; call between mount(2) and the answer to INIT,
 * because the kernel takes the smaller of the two. Not being permitted is no error. */
void readahead_raise(const struct mount_options *o);

#endif
