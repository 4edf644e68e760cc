/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes of files in the upper layer. Lower bytes are fetched by the caller: asynchronously by
 * the mount, with a simple blocking read by the tools.
 */
#ifndef FS_OVERLAY_DATA_H
#define FS_OVERLAY_DATA_H

#include "fs/overlay/overlay.h"
#include "fs/overlay/partial.h"

/* An upper file in use. */
struct overlay_data {
    struct overlay_node *node;
    int fd;
    struct partial *partial; /* NULL: plain */
    uint32_t lower; /* the package file with the rest; NODE_NONE: there is none (any more) */
};

/*
 * Pins the upper file of node ID for reading (WRITE false: 0 and out->node NULL when the node is
 * unchanged, to be read from the package) or for writing (copies up first). May take ns; fetches
 * nothing. -EISDIR, -EINVAL for what is no regular file, -ESTALE, -EACCES when we may not write to
 * it, -EIO (logged) when its map is damaged or the package has other contents by now.
 */
int overlay_data_pin(struct overlay *o, uint64_t id, bool write,
                     struct overlay_data *out) must_check;
void overlay_data_unpin(struct overlay *o, struct overlay_data *d);

/* Size of the file. */
int overlay_data_size(struct overlay *o, const struct overlay_data *d, uint64_t *size) must_check;

/* Clears set-user-ID and set-group-ID bits as a write by an unprivileged user does; cheap when there
 * are none. 1 when there were. */
int overlay_data_drop_privileges(struct overlay *o, const struct overlay_data *d) must_check;

int overlay_data_truncate(struct overlay *o, const struct overlay_data *d,
                          uint64_t size) must_check;

/* fsync(2) or fdatasync(2), of map and name too. Makes a complete file plain. */
int overlay_data_sync(struct overlay *o, const struct overlay_data *d, bool datasync) must_check;

/*
 * Makes NODE plain if it is a complete file, and with SYNC brings a partial one that was changed to
 * the disk: at the end. Does nothing for what is no regular file with an upper part or was never
 * looked into. Failures are logged. ns must not be held, and nobody may remove the node.
 */
void overlay_data_settle(struct overlay *o, struct overlay_node *node, bool sync);

/* Reads LEN bytes of package file FILE at OFF, all of which are there, and waits for them. Returns
 * LEN or a negative errno. */
typedef long (*overlay_lower_fn)(void *arg, uint32_t file, uint64_t off, void *buf, size_t len,
                                 struct err *e);

/* For tools: reads what the file shows. Returns bytes, fewer than LEN only at its end. */
long overlay_data_read(struct overlay *o, const struct overlay_data *d, uint64_t off, void *buf,
                       size_t len, overlay_lower_fn read_lower, void *arg,
                       struct err *e) must_check;

/* Brings all missing bytes into the upper file and makes it plain. */
int overlay_data_complete(struct overlay *o, const struct overlay_data *d,
                          overlay_lower_fn read_lower, void *arg, struct err *e) must_check;

#endif
