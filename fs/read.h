/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * READ of the immutable layer: node, extents, blocks, bytes. When all blocks are in memory the
 * reply goes out from this thread straight from the frames; otherwise the request is parked (see
 * parked.h).
 */
#ifndef FS_READ_H
#define FS_READ_H

#include "fs/vfs.h"

/* The most bytes the kernel is let ask for at once; where pages are large it would want more than
 * the engine serves in one read. */
#define READ_MAX (1024u * 1024u)

void read_file(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);

/* A range of one package file. */
struct read_span {
    uint64_t off, len;
};

/* Answers REQ with bytes SPAN of package file INDEX, all of which exist. */
void read_span(struct vfs *v, fuse_req_t req, uint32_t index, const struct read_span *span);

/*
 * Where the bytes of COUNT spans of package file INDEX are, in a row. USUAL (of READ_PIECES_USUAL)
 * is filled when that suffices; otherwise, *pieces is another array, for the caller to free.
 * ERR_LIMIT when they are in more pieces than the engine takes in one read.
 */
#define READ_PIECES_USUAL (READ_MAX / 4096 + 2) /* of the largest READ in the smallest blocks */
int read_map(const struct package *package, uint32_t index, const struct read_span *spans,
             size_t count, struct piece usual[READ_PIECES_USUAL], struct piece **pieces,
             size_t *piece_count, struct err *e) must_check;

/* One line for what a program sees as EIO: the layer that turns it into an errno says why. */
void read_log_failure(const struct vfs *v, uint32_t index, const char *what, const struct err *e);

/* Answers REQ with what E is to a program, and logs what it sees as EIO. */
void read_reply_failure(struct vfs *v, fuse_req_t req, uint32_t index, const char *what,
                        const struct err *e);

#endif
