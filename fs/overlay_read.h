/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * READ and LSEEK of a mount with an overlay. A file nobody changed is read from the package as
 * without an overlay; a plain upper file from its descriptor; a partial one from both: all it needs
 * of the package in one read of the engine, parked when it is not in memory, the rest from the
 * descriptor.
 */
#ifndef FS_OVERLAY_READ_H
#define FS_OVERLAY_READ_H

#include "fs/vfs.h"

void overlay_read_fill(struct fuse_lowlevel_ops *ops);

#endif
