/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of names: CREATE, MKNOD, MKDIR, SYMLINK, LINK, UNLINK, RMDIR, RENAME. The kernel keeps
 * its own entries for the spellings in the request; here it is made to ask again when it may know
 * the name by others.
 */
#ifndef FS_OVERLAY_NAMES_H
#define FS_OVERLAY_NAMES_H

#include "fs/vfs.h"

void overlay_names_fill(struct fuse_lowlevel_ops *ops);

#endif
