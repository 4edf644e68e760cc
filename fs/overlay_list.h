/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LOOKUP, READDIR, READDIRPLUS and FORGET of a mount with an overlay, and IOCTL of directories. */
#ifndef FS_OVERLAY_LIST_H
#define FS_OVERLAY_LIST_H

#include "fs/overlay/overlay.h"
#include "fs/vfs.h"

void overlay_list_fill(struct fuse_lowlevel_ops *ops);

/* What the kernel is told of a node: REF with attributes ST, its name to be remembered for TIMEOUT
 * seconds. Node ids are never used again while the kernel knows them, so one generation does. */
void overlay_entry(const struct overlay_ref *ref, const struct stat *st, double timeout,
                   struct fuse_entry_param *entry);

#endif
