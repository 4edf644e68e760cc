/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests of the kernel that wait for blocks of the package: the request is parked in the engine
 * and answered by the thread that brings the last block, or when the caller is interrupted.
 *
 * Any thread may park and cancel. What is parked is answered exactly once.
 */
#ifndef FS_PARKED_H
#define FS_PARKED_H

#include "fs/vfs.h"

struct parked_list;

int parked_list_new(struct parked_list **out);
void parked_list_free(struct parked_list *list); /* nothing may wait any more */

/*
 * Has the bytes of the pieces, or the error (ERR_CANCELLED after an interrupt), and answers REQ or
 * takes it over. BUF is valid during the call. Called without any lock; may be called from within
 * park(); must not park.
 */
typedef void (*parked_done_fn)(struct vfs *v, fuse_req_t req, void *arg, int status,
                               const uint8_t *buf, size_t len, const struct err *e);

/* Reads PIECES (copied) for REQ and calls DONE exactly once. */
void park(struct vfs *v, fuse_req_t req, const struct piece *pieces, size_t count,
          parked_done_fn done, void *arg);

/* Cancels what waits now; more may go on arriving. */
void parked_cancel(struct vfs *v);

/* For the end of the session, when none arrives any more: cancels what still waits and returns when
 * DONE has been called for everything. */
void parked_drain(struct vfs *v);

#endif
