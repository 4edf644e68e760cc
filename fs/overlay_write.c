/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * WRITE, FALLOCATE and COPY_FILE_RANGE with an overlay. See overlay_write.h.
 *
 * A write that needs bytes of the package is a struct waiting. The handler starts the read; when it
 * is done before the handler looks again, the handler goes on with it, else the writer's thread.
 * `state` decides between the two.
 */
#include "config.h"

#include "fs/overlay_write.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/file_io.h"
#include "fs/overlay/data.h"
#include "fs/overlay_ops.h"
#include "fs/parked.h"
#include "fs/read.h"
#include "fs/record.h"

enum {
    NEEDS_MAX = 2,               /* first and last unit */
    COPY_MAX = 64 * 1024 * 1024, /* bytes of one COPY_FILE_RANGE; the caller asks on */
};

/* What is to be done to a file once the needs are there. */
struct work {
    uint64_t off, len;
    const char *data; /* WRITE; NULL: fallocate(2) with MODE */
    int mode;
};

struct waiting {
    struct waiting *next; /* writer.lock */
    struct vfs *vfs;
    fuse_req_t req;
    uint64_t id;
    struct overlay_data file; /* pinned */
    struct work work;
    struct read_span needs[NEEDS_MAX];
    size_t need_count;
    int status; /* of the read, 0 or a negative errno (-EIO has been logged) */
    _Atomic enum { READING, READ, LEFT } state; /* LEFT: by the handler, to the writer's thread */
    uint8_t lower[NEEDS_MAX * PARTIAL_UNIT];
    char data[];
};

struct writer {
    struct vfs *vfs;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct waiting *first, **last; /* lock */
    pthread_t thread;
    bool started, ending; /* lock */
    _Atomic bool stopping;
};

static ssize_t write_some(int fd, const char *data, size_t len, uint64_t off)
{
    size_t done;
    int rc = file_write(fd, data, len, off, &done);

    return done ? (ssize_t)done : rc;
}

/* Does the work to a file that has what it needs: bytes written, or a negative errno. */
static ssize_t perform(const struct overlay_data *d, const struct work *w)
{
    if (w->data)
        return d->partial ? partial_write(d->partial, d->fd, w->data, w->len, w->off)
                          : write_some(d->fd, w->data, w->len, w->off);
    if (d->partial)
        return partial_fallocate(d->partial, d->fd, w->mode, w->off, w->len);
    return fallocate(d->fd, w->mode, (off_t)w->off, (off_t)w->len) < 0 ? -errno : 0;
}

static void reply(fuse_req_t req, uint64_t id, const struct work *w, ssize_t n)
{
    if (n < 0)
        overlay_reply_error(req, id, w->data ? "write to" : "fallocate of", (int)n);
    else if (w->data)
        fuse_reply_write(req, (size_t)n);
    else
        fuse_reply_err(req, 0);
}

static size_t find_needs(const struct overlay_data *d, const struct work *w,
                         struct read_span needs[NEEDS_MAX])
{
    struct span64 found[NEEDS_MAX];

    if (!d->partial || (!w->data && !(w->mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))))
        return 0;
    unsigned count = partial_write_needs(d->partial, w->off, w->len, found);
    for (unsigned i = 0; i < count; i++)
        needs[i] = (struct read_span){ found[i].off, found[i].len };
    return count;
}

/* ---- writes that wait ---- */

static void end(struct waiting *p, ssize_t result)
{
    /* First: with the answer out, the kernel may forget the node. */
    overlay_data_unpin(p->vfs->overlay, &p->file);
    reply(p->req, p->id, &p->work, result);
    free(p);
}

static int fill(struct waiting *p)
{
    const uint8_t *from = p->lower;
    int rc = 0;

    for (size_t i = 0; i < p->need_count && !rc; i++) {
        rc = partial_fill(p->file.partial, p->file.fd, p->needs[i].off, from, p->needs[i].len);
        from += p->needs[i].len;
    }
    return rc;
}

static void queue(struct writer *w, struct waiting *p);

/* Keeps what was read; BUF is gone when this returns. */
static void on_lower(struct vfs *v, fuse_req_t req, void *arg, int status, const uint8_t *buf,
                     size_t len, const struct err *e)
{
    struct waiting *p = arg;

    p->req = req;
    p->status = status;
    if (status >= 0)
        memcpy(p->lower, buf, len);
    else if (e && e->kind == ERR_CANCELLED)
        p->status = -EINTR;
    else if (e && e->kind == ERR_NO_MEMORY)
        p->status = -ENOMEM;
    else
        read_log_failure(v, p->file.lower, "write", e);
    if (atomic_exchange(&p->state, READ) == LEFT)
        queue(v->writer, p);
}

/* Starts reading the needs. True when they are there already, and the caller goes on. */
static bool start(struct waiting *p)
{
    struct piece usual[READ_PIECES_USUAL], *pieces;
    struct err e = { 0 };
    size_t count;

    atomic_store(&p->state, READING);
    if (p->file.lower == NODE_NONE) {
        p->status = -EIO; /* not in this version of the package */
        return true;
    }
    p->status = read_map(p->vfs->package, p->file.lower, p->needs, p->need_count, usual, &pieces,
                         &count, &e);
    if (p->status) {
        read_log_failure(p->vfs, p->file.lower, "write", &e);
        return true;
    }
    record_use(p->vfs->recorder, p->file.lower, p->needs, p->need_count, pieces, count);
    park(p->vfs, p->req, pieces, count, on_lower, p);
    if (pieces != usual)
        free(pieces);
    return atomic_exchange(&p->state, LEFT) == READ;
}

/* Goes on with P, the needs of which are there; until it is answered or waits again. */
static void go_on(struct waiting *p)
{
    do {
        ssize_t n = p->status;
        if (!n)
            n = fill(p);
        if (!n)
            n = perform(&p->file, &p->work);
        if (n == -EAGAIN && atomic_load(&p->vfs->writer->stopping))
            n = -EINTR;
        if (n != -EAGAIN) {
            end(p, n);
            return;
        }
        p->need_count = find_needs(&p->file, &p->work, p->needs);
    } while (start(p));
}

/* Takes over the pin of D. */
static void wait_for_needs(struct vfs *v, fuse_req_t req, uint64_t id, struct overlay_data *d,
                           const struct work *w, const struct read_span *needs, size_t count)
{
    struct waiting *p = malloc(sizeof *p + (w->data ? w->len : 0));

    if (!p) {
        overlay_data_unpin(v->overlay, d);
        fuse_reply_err(req, ENOMEM);
        return;
    }
    *p = (struct waiting){ .vfs = v, .req = req, .id = id, .file = *d, .work = *w };
    if (w->data)
        p->work.data = memcpy(p->data, w->data, w->len);
    memcpy(p->needs, needs, count * sizeof *needs);
    p->need_count = count;
    if (start(p))
        go_on(p);
}

/* ---- the writer's thread ---- */

static struct waiting *next(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->ending)
        pthread_cond_wait(&w->changed, &w->lock);
    struct waiting *p = w->first;
    if (p && !(w->first = p->next))
        w->last = &w->first;
    pthread_mutex_unlock(&w->lock);
    return p;
}

static void *run(void *arg)
{
    struct waiting *p;

    while ((p = next(arg)))
        go_on(p);
    return NULL;
}

static void queue(struct writer *w, struct waiting *p)
{
    pthread_mutex_lock(&w->lock);
    if (!w->started)
        w->started = !pthread_create(&w->thread, NULL, run, w);
    bool queued = w->started;
    if (queued) {
        p->next = NULL;
        *w->last = p;
        w->last = &p->next;
        pthread_cond_signal(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    if (!queued)
        end(p, -ENOMEM);
}

int writer_new(struct vfs *v, struct writer **out)
{
    struct writer *w = calloc(1, sizeof *w);

    if (!w)
        return -ENOMEM;
    w->vfs = v;
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    *out = w;
    return 0;
}

void writer_stop(struct writer *w)
{
    if (w)
        atomic_store(&w->stopping, true);
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    if (w->started)
        pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* ---- operations ---- */

/* BY_USER: a program asks, not the kernel on behalf of a mapping. */
static void change(fuse_req_t req, uint64_t id, const struct work *w, bool by_user)
{
    struct vfs *v = vfs_of(req);
    struct read_span needs[NEEDS_MAX];
    struct overlay_data d;
    int rc = overlay_data_pin(v->overlay, id, true, &d);

    if (rc) {
        reply(req, id, w, rc);
        return;
    }
    if (by_user)
        rc = overlay_drop_privileges(req, id, &d);
    size_t count = rc ? 0 : find_needs(&d, w, needs);
    ssize_t n = rc;
    if (!rc && !count) {
        n = perform(&d, w);
        if (n == -EAGAIN) /* needs that came up since */
            count = find_needs(&d, w, needs);
    }
    if (count) {
        wait_for_needs(v, req, id, &d, w, needs, count);
        return;
    }
    overlay_data_unpin(v->overlay, &d);
    reply(req, id, w, n);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    if (overlay_refuses_change(req))
        return;
    if (off < 0) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    const struct work w = { .off = (uint64_t)off, .len = size, .data = buf };
    change(req, vfs_id(ino), &w, !fi->writepage);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
                         struct fuse_file_info *fi)
{
    (void)fi;
    if (overlay_refuses_change(req))
        return;
    if (off < 0 || len <= 0) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    const struct work w = { .off = (uint64_t)off, .len = (uint64_t)len, .mode = mode };
    change(req, vfs_id(ino), &w, true);
}

static ssize_t copy(int from, off_t from_off, int to, off_t to_off, size_t len)
{
    ssize_t n = copy_file_range(from, &from_off, to, &to_off, len < COPY_MAX ? len : COPY_MAX, 0);

    return n < 0 ? -errno : n;
}

/* Between plain files only; the kernel copies the rest itself when it is told so. */
static ssize_t copy_plain(fuse_req_t req, uint64_t from, off_t from_off, uint64_t to, off_t to_off,
                          size_t len)
{
    struct overlay *o = vfs_of(req)->overlay;
    struct overlay_data in, out;
    ssize_t n = overlay_data_pin(o, from, false, &in);

    if (n || !in.node)
        return n ? n : -EOPNOTSUPP;
    n = in.partial ? -EOPNOTSUPP : overlay_data_pin(o, to, true, &out);
    if (n)
        goto out_in;
    if (out.partial) {
        n = -EOPNOTSUPP;
    } else {
        n = overlay_drop_privileges(req, to, &out);
        if (!n)
            n = copy(in.fd, from_off, out.fd, to_off, len);
    }
    overlay_data_unpin(o, &out);
out_in:
    overlay_data_unpin(o, &in);
    return n;
}

static void op_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_off,
                               struct fuse_file_info *from_fi, fuse_ino_t to, off_t to_off,
                               struct fuse_file_info *to_fi, size_t len, int flags)
{
    (void)from_fi, (void)to_fi;
    if (overlay_refuses_change(req))
        return;
    ssize_t n = flags ? -EINVAL : copy_plain(req, vfs_id(from), from_off, vfs_id(to), to_off, len);
    if (n < 0)
        overlay_reply_error(req, vfs_id(to), "copy of", (int)n);
    else
        fuse_reply_write(req, (size_t)n);
}

void overlay_write_fill(struct fuse_lowlevel_ops *ops)
{
    ops->write = op_write;
    ops->fallocate = op_fallocate;
    ops->copy_file_range = op_copy_file_range;
}
