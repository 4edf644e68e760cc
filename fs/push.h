/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pushing: when one of the small files that share a block has been read, the others lie decoded in
 * memory already, and a thread of its own stores them in the kernel's page cache before anybody
 * asks. A sequential reader of many small files waits for a round trip per file otherwise.
 *
 * Done only while small files are read block after block, so that a random reader is not flooded;
 * only for files whose inode the kernel has (it was looked up or listed) and that were not pushed
 * before; never from within a request handler, where the kernel may hold a page lock that the
 * store would wait for. All functions accept a NULL pusher and any thread.
 */
#ifndef FS_PUSH_H
#define FS_PUSH_H

#include "fs/vfs.h"

/* 0 or a negative errno. The thread starts with the first push. */
int push_new(const struct vfs *v, struct pusher **out);

/*
 * Ending: push_stop() asks the thread to end, push_has_stopped() tells when it has. In between the
 * session must go on serving, because the thread may be waiting for a page that a READ still in
 * the kernel's queue has locked. push_free() joins it.
 */
void push_stop(struct pusher *p);
bool push_has_stopped(const struct pusher *p);
void push_free(struct pusher *p);

/* The kernel has been told of node INDEX. */
void push_note_known(struct pusher *p, uint32_t index);

/* A READ of file INDEX, which lies wholly in BLOCK with others, was answered. */
void push_after_read(struct pusher *p, uint32_t index, uint32_t block);

/* READDIRPLUS has listed COUNT nodes from FIRST on: in the middle of a sequential reading, their
 * contents are asked for next. */
void push_after_listing(struct pusher *p, uint32_t first, uint32_t count);

#endif
