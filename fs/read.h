/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * READ of the immutable layer: node, extents, blocks, bytes. When all blocks are in memory the
 * reply goes out from this thread straight from the frames; otherwise the request is parked in the
 * engine and answered by the thread that brings the last block, or with EINTR when the reader is
 * killed first.
 */
#ifndef FS_READ_H
#define FS_READ_H

#include "fs/vfs.h"

/* The most bytes the kernel is let ask for at once; where pages are large it would want more than
 * the engine serves in one read. */
#define READ_MAX (1024u * 1024u)

int read_pending_new(struct pending_list **out);

/* Cancels what waits now. Any thread; reads may go on arriving. */
void read_pending_cancel(struct vfs *v);

/* For the end of the session, when none arrives any more: cancels what still waits and returns when
 * every request has been answered. */
void read_pending_drain(struct vfs *v);
void read_pending_free(struct pending_list *list);

void read_file(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);

#endif
