/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pushing: while somebody reads the files of a directory one after another to their ends, a thread
 * of its own stores the next ones in the kernel's page cache before they are asked for. Without it
 * a reader of many small files waits for a round trip to this process for each of them, which costs
 * several times what decoding costs.
 *
 * It is read-ahead over files instead of over one file's bytes, with the same caution: it starts
 * after two files in a row, its window doubles while the reader keeps up, and a directory that was
 * just listed gets a first window only while recent reads have earned it. Pushed are only files
 * whose inode the kernel has (it was looked up or listed), and none twice while the kernel keeps
 * it.
 *
 * The second thing that is pushed is the rest of a block of which a reader wanted a part: it is
 * decoded anyway, and a reader that jumps about in a file comes back to the same blocks.
 *
 * Never from within a request handler, where the kernel may hold a page lock that the store
 * would wait for. All functions accept a NULL pusher and any thread.
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

/* A READ of file INDEX that reached its end was answered. */
void push_after_read(struct pusher *p, uint32_t index);

/* Bytes [off, off + len) of file INDEX were answered from a block that had to be decoded for them. */
void push_after_miss(struct pusher *p, uint32_t index, uint64_t off, uint64_t len);

/* READDIRPLUS has listed the first COUNT children of a directory, from node FIRST on. */
void push_after_listing(struct pusher *p, uint32_t first, uint32_t count);

#endif
