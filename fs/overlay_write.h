/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * WRITE, FALLOCATE and COPY_FILE_RANGE of a mount with an overlay.
 *
 * A write to a partial file may need the rest of its first and last unit from the package. When
 * these are not at hand, data and request are kept until they come, and a thread of its own writes
 * them then: the engine's threads are not for waiting on a disk. An interrupted write has written
 * nothing. How many wait is bounded by the kernel, which has one write of a file under way at a
 * time.
 */
#ifndef FS_OVERLAY_WRITE_H
#define FS_OVERLAY_WRITE_H

#include "fs/vfs.h"

void overlay_write_fill(struct fuse_lowlevel_ops *ops);

struct writer;

/* 0 or a negative errno. The thread starts with the first write that waits. */
int writer_new(struct vfs *v, struct writer **out) must_check;

/* For the end of the session, before what is parked is drained: nothing is waited for again. */
void writer_stop(struct writer *w);

/* Ends what has come. After it, and the draining, every write has been answered. NULL is fine. */
void writer_free(struct writer *w);

#endif
