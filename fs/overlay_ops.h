/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel sees of a mount with an overlay: the table of operations, and the short ones
 * (attributes, extended attributes, sizes).
 *
 * As without an overlay there are no open files: OPEN is refused for good, reads and writes come
 * with nothing but the node. Names and attributes are cached without end, for only this process
 * changes anything; the kernel changes its own entries along with the requests it sends. What it
 * cannot know of, other spellings of a name, is overlay_names.c's business.
 *
 * The kernel's cache is written through: an error such as ENOSPC reaches the write(2) it belongs
 * to, and a write that was answered survives the death of this process.
 */
#ifndef FS_OVERLAY_OPS_H
#define FS_OVERLAY_OPS_H

#include "fs/overlay/data.h"
#include "fs/vfs.h"

/* Changes OPS, those of a mount without overlay, where it makes a difference. */
void overlay_ops_fill(struct fuse_lowlevel_ops *ops);

/* Before the session, and after its end when nothing waits any more. overlay_ops_start() frees
 * nothing when it fails; overlay_ops_free() does. */
int overlay_ops_start(struct vfs *v) must_check;
void overlay_ops_free(struct vfs *v);

/* At INIT. */
void overlay_ops_init(struct vfs *v, struct fuse_conn_info *conn);

/* Answers REQ with the errno of RC (negative), about node ID. What a program sees as EIO is logged
 * with WHAT. */
void overlay_reply_error(fuse_req_t req, uint64_t id, const char *what, int rc);

/* Before the caller changes the bytes of a file: takes set-user-ID and set-group-ID bits from it
 * unless it is root. 0 or a negative errno. */
int overlay_drop_privileges(fuse_req_t req, uint64_t id, const struct overlay_data *d) must_check;

/* True when nothing may be changed here; REQ is answered then. The kernel refuses by itself, unless
 * root has mounted the file system again as writable. */
bool overlay_refuses_change(fuse_req_t req);

#endif
