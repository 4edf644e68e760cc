/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * READ and LSEEK with an overlay. See overlay_read.h.
 *
 * A file is unpinned before the answer goes out: from then on the kernel may forget the node.
 *
 * The upper parts of a mixed range are read first, then those of the package are waited for. What
 * is written in the meantime may be missing from the reply, as from that of any read that was under
 * way before; the kernel keeps the pages of a cached read locked, so that its cache cannot get
 * them.
 */
#include "config.h"

#include "fs/overlay_read.h"

#include <stdlib.h>
#include <string.h>

#include "fetch/file_io.h"
#include "fs/overlay/data.h"
#include "fs/overlay_ops.h"
#include "fs/parked.h"
#include "fs/read.h"
#include "fs/record.h"

/* Of the largest READ, with every second unit in the upper file. */
#define RUNS_MAX (READ_MAX / PARTIAL_UNIT + 2)

struct mixed {
    uint32_t lower; /* the package file */
    struct partial_run runs[RUNS_MAX];
    size_t count;
    uint64_t off, len; /* what is answered */
    char buf[];
};

/* Answers from the descriptor of D alone. Gives D back. */
static void reply_plain(fuse_req_t req, uint64_t id, struct overlay_data *d, uint64_t off,
                        size_t len)
{
    auto_free char *buf = malloc(len);
    ssize_t n = buf ? file_read(d->fd, buf, len, off) : -ENOMEM;

    overlay_data_unpin(vfs_of(req)->overlay, d);
    if (n < 0)
        overlay_reply_error(req, id, "read of", (int)n);
    else
        fuse_reply_buf(req, buf, (size_t)n);
}

/* Puts the package's bytes, which come in a row, where they belong. */
static void on_lower(struct vfs *v, fuse_req_t req, void *arg, int status, const uint8_t *buf,
                     size_t len, const struct err *e)
{
    struct mixed *m = arg;

    if (status >= 0)
        counter_add(&v->counters.read_bytes, len);
    if (status < 0) {
        read_reply_failure(v, req, m->lower, "read", e);
        free(m);
        return;
    }
    for (size_t i = 0; i < m->count; i++) {
        const struct partial_run *r = &m->runs[i];
        if (!r->lower)
            continue;
        size_t n = r->len < len ? (size_t)r->len : len;
        memcpy(m->buf + (r->off - m->off), buf, n);
        buf += n;
        len -= n;
    }
    fuse_reply_buf(req, m->buf, (size_t)m->len);
    free(m);
}

/* Reads the upper runs; what a file cut off in the meantime does not have is zeros. */
static int read_upper_runs(struct mixed *m, int fd)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct partial_run *r = &m->runs[i];
        if (r->lower)
            continue;
        char *to = m->buf + (r->off - m->off);
        ssize_t n = file_read(fd, to, (size_t)r->len, r->off);
        if (n < 0)
            return (int)n;
        memset(to + n, 0, (size_t)r->len - (size_t)n);
    }
    return 0;
}

/* Answers with a mixture. Takes M over. */
static void reply_mixed(struct vfs *v, fuse_req_t req, uint64_t id, struct mixed *m)
{
    struct piece usual[READ_PIECES_USUAL], *pieces;
    struct read_span spans[RUNS_MAX];
    struct err e = { 0 };
    size_t count = 0, piece_count;

    for (size_t i = 0; i < m->count; i++)
        if (m->runs[i].lower)
            spans[count++] = (struct read_span){ m->runs[i].off, m->runs[i].len };
    if (!count) {
        fuse_reply_buf(req, m->buf, (size_t)m->len);
        free(m);
        return;
    }
    if (m->lower == NODE_NONE) {
        overlay_reply_error(req, id, "read of", -EIO); /* not in this version of the package */
        free(m);
        return;
    }
    if (read_map(v->package, m->lower, spans, count, usual, &pieces, &piece_count, &e)) {
        read_reply_failure(v, req, m->lower, "read", &e);
        free(m);
        return;
    }
    record_use(v->recorder, m->lower, spans, count, pieces, piece_count);
    park(v, req, pieces, piece_count, on_lower, m);
    if (pieces != usual)
        free(pieces);
}

/* Answers with package bytes alone. Gives D back. */
static void reply_lower(fuse_req_t req, uint64_t id, struct overlay_data *d, uint64_t off,
                        size_t len)
{
    struct vfs *v = vfs_of(req);
    const struct read_span all = { off, len };
    uint32_t lower = d->lower;

    overlay_data_unpin(v->overlay, d);
    if (lower == NODE_NONE)
        overlay_reply_error(req, id, "read of", -EIO); /* not in this version of the package */
    else
        read_span(v, req, lower, &all);
}

/* Gives D back. */
static void reply_partial(fuse_req_t req, uint64_t id, struct overlay_data *d, uint64_t off,
                          size_t len)
{
    struct vfs *v = vfs_of(req);
    struct partial_run runs[RUNS_MAX];
    size_t count = partial_runs(d->partial, off, len, runs, RUNS_MAX);

    if (count == 1 && runs[0].len >= len) {
        if (runs[0].lower)
            reply_lower(req, id, d, off, len);
        else
            reply_plain(req, id, d, off, len);
        return;
    }
    struct mixed *m = malloc(sizeof *m + len);
    int rc = -ENOMEM;
    if (m) {
        memcpy(m->runs, runs, count * sizeof runs[0]);
        m->count = count;
        m->lower = d->lower;
        m->off = off;
        m->len = len;
        rc = read_upper_runs(m, d->fd);
    }
    overlay_data_unpin(v->overlay, d);
    if (!rc) {
        reply_mixed(v, req, id, m);
        return;
    }
    free(m);
    overlay_reply_error(req, id, "read of", rc);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    struct vfs *v = vfs_of(req);
    uint64_t id = vfs_id(ino), end;
    struct overlay_node *node;
    struct overlay_data d;

    if (!overlay_find(v->overlay, id, &node)) {
        fuse_reply_err(req, ESTALE);
        return;
    }
    int rc = node ? overlay_data_pin(v->overlay, id, false, &d) : 0;
    if (rc) {
        overlay_reply_error(req, id, "read of", rc);
        return;
    }
    if (!node || !d.node) {
        read_file(req, id, size, off, fi);
        return;
    }
    rc = overlay_data_size(v->overlay, &d, &end);
    if (!rc && off >= 0 && (uint64_t)off < end && size) {
        /* The kernel never asks for more than READ_MAX. */
        size_t len = (size_t)min_u64(size < READ_MAX ? size : READ_MAX, end - (uint64_t)off);
        if (d.partial)
            reply_partial(req, id, &d, (uint64_t)off, len);
        else
            reply_plain(req, id, &d, (uint64_t)off, len);
        return;
    }
    overlay_data_unpin(v->overlay, &d);
    if (rc)
        overlay_reply_error(req, id, "read of", rc);
    else
        fuse_reply_buf(req, NULL, 0);
}

/* A file of the package is all data. */
static off_t seek_lower(struct vfs *v, uint64_t id, off_t off, int whence)
{
    const struct node *n = package_node(v->package, vfs_index(id));

    if (off < 0 || (uint64_t)off >= n->size)
        return -ENXIO;
    return whence == SEEK_DATA ? off : (off_t)n->size;
}

static void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
                     struct fuse_file_info *fi)
{
    struct vfs *v = vfs_of(req);
    uint64_t id = vfs_id(ino);
    struct overlay_data d;
    off_t found;

    (void)fi;
    if (whence != SEEK_DATA && whence != SEEK_HOLE) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    int rc = overlay_data_pin(v->overlay, id, false, &d);
    if (rc) {
        overlay_reply_error(req, id, "seek of", rc);
        return;
    }
    if (!d.node) {
        found = seek_lower(v, id, off, whence);
    } else {
        if (d.partial)
            found = partial_seek(d.partial, d.fd, off, whence);
        else if ((found = lseek(d.fd, off, whence)) < 0)
            found = -errno;
        overlay_data_unpin(v->overlay, &d);
    }
    if (found < 0)
        overlay_reply_error(req, id, "seek of", (int)found);
    else
        fuse_reply_lseek(req, found);
}

void overlay_read_fill(struct fuse_lowlevel_ops *ops)
{
    ops->read = op_read;
    ops->lseek = op_lseek;
}
