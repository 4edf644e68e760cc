/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LOOKUP, READDIR and READDIRPLUS. A directory position is the index of the next child plus two
 * (for "." and ".."), so there is no open-directory state and any position stays valid for ever.
 */
#ifndef FS_DIRECTORY_H
#define FS_DIRECTORY_H

#include "fs/vfs.h"

/* Fills a directory entry with node id, attributes and endless timeouts. */
void directory_entry(const struct vfs *v, uint32_t index, struct fuse_entry_param *entry);

void directory_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void directory_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi);
void directory_read_plus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                         struct fuse_file_info *fi);

#endif
