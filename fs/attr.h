/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attributes of package nodes as stat(2) shows them. Pure arithmetic: no I/O, no lock. */
#ifndef FS_ATTR_H
#define FS_ATTR_H

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "fs/vfs.h"

/* Sets the modes that attr_fill() gives, from the mount's umask. */
void attr_init(struct vfs *v);

/* Every directory has link count 1, which tools read as "unknown": counting sub-directories would
 * be work proportional to the directory. */
void attr_fill(const struct vfs *v, uint32_t index, struct stat *st);

void attr_statfs(const struct vfs *v, struct statvfs *st);

/* Fills a directory entry with node id, attributes and endless timeouts. */
void attr_entry(const struct vfs *v, uint32_t index, struct fuse_entry_param *entry);

#endif
