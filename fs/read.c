/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * READ of the immutable layer. See read.h.
 *
 * A parked read has two owners: the thread that started it and the completion. Either may end
 * first, so struct parked carries a reference for each; the engine's handle is kept until the last
 * one is given back.
 *
 * libfuse calls the interrupt function with the request's own lock held, and cancelling may
 * complete other reads from within; so no completion may wait for such a lock, or two interrupts
 * could wait for each other. The interrupt function is therefore never withdrawn: it finds the
 * parked read by its request, on the pending list, where the completion takes the request away
 * before it replies. A request cannot be mixed up with a later one at the same address: libfuse
 * keeps it during the call.
 */
#include "config.h"

#include "fs/read.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "fs/push.h"
#include "src/log.h"

/* Pieces of the largest READ in the smallest blocks, and one for each end. */
#define PIECES_USUAL (READ_MAX / 4096 + 2)

/* What is read of a file. */
struct span {
    uint32_t index;
    uint64_t off, len;
    bool reaches_end; /* of the file, of which the pusher wants to know */
};

struct parked {
    struct vfs *vfs;               /* valid while on the pending list */
    struct engine *engine;
    fuse_req_t req;                /* pending_list.lock; NULL when the reply is under way */
    struct span span;
    bool one_block;                /* the read lies in one block, which was not in memory */
    bool given_up;                 /* pending_list.lock; cancelled because the session ends */
    _Atomic unsigned references;
    _Atomic bool interrupted;
    struct engine_read *_Atomic handle;
    struct parked *next, *previous; /* pending_list.lock */
};

struct pending_list {
    pthread_mutex_t lock;
    pthread_cond_t changed;        /* one was removed */
    struct parked *first;          /* lock */
};

int read_pending_new(struct pending_list **out)
{
    struct pending_list *list = calloc(1, sizeof *list);

    if (!list)
        return -ENOMEM;
    pthread_mutex_init(&list->lock, NULL);
    pthread_cond_init(&list->changed, NULL);
    *out = list;
    return 0;
}

void read_pending_free(struct pending_list *list)
{
    if (!list)
        return;
    pthread_cond_destroy(&list->changed);
    pthread_mutex_destroy(&list->lock);
    free(list);
}

static void pending_add(struct pending_list *list, struct parked *p)
{
    pthread_mutex_lock(&list->lock);
    p->next = list->first;
    if (p->next)
        p->next->previous = p;
    list->first = p;
    pthread_mutex_unlock(&list->lock);
}

static void pending_remove(struct pending_list *list, struct parked *p)
{
    pthread_mutex_lock(&list->lock);
    if (p->next)
        p->next->previous = p->previous;
    if (p->previous)
        p->previous->next = p->next;
    else
        list->first = p->next;
    pthread_cond_broadcast(&list->changed);
    pthread_mutex_unlock(&list->lock);
}

/* The request, to be answered by the caller; from now on no interrupt finds it. */
static fuse_req_t pending_claim(struct pending_list *list, struct parked *p)
{
    pthread_mutex_lock(&list->lock);
    fuse_req_t req = p->req;
    p->req = NULL;
    pthread_mutex_unlock(&list->lock);
    return req;
}

/* The read of REQ with a reference for the caller, or NULL when it is being answered. */
static struct parked *pending_find(struct pending_list *list, fuse_req_t req)
{
    pthread_mutex_lock(&list->lock);
    struct parked *p = list->first;
    while (p && p->req != req)
        p = p->next;
    if (p)
        atomic_fetch_add(&p->references, 1);
    pthread_mutex_unlock(&list->lock);
    return p;
}

static void parked_put(struct parked *p)
{
    if (atomic_fetch_sub(&p->references, 1) != 1)
        return;
    struct engine_read *handle = atomic_load(&p->handle);
    if (handle)
        engine_read_release(p->engine, handle);
    free(p);
}

/* One line for what the reader sees as EIO: the layer that turns it into an errno says why. */
static void log_failure(const struct vfs *v, uint32_t index, const struct err *e)
{
    static struct log_limit limit;
    unsigned suppressed;

    if (!log_limit_allows(&limit, &suppressed))
        return;
    char *path = package_path(v->package, index);
    log_error(FS_LOG, "read of \"%s\" failed: %s; error=%s suppressed=%u", path ? path : "?",
              e ? e->text : "unknown", e ? err_kind_name(e->kind) : "unknown", suppressed);
    free(path);
}

static void reply_failure(struct vfs *v, fuse_req_t req, uint32_t index, const struct err *e)
{
    /* Wine knows EIO as "device not ready" and takes anything unusual for a bug in itself. */
    bool cancelled = e && e->kind == ERR_CANCELLED;
    if (!cancelled)
        log_failure(v, index, e);
    fuse_reply_err(req, cancelled ? EINTR : EIO);
}

static void on_done(void *arg, int status, const uint8_t *buf, size_t len, const struct err *e)
{
    struct parked *p = arg;
    struct vfs *v = p->vfs;
    fuse_req_t req = pending_claim(v->pending, p);

    if (status < 0)
        reply_failure(v, req, p->span.index, e);
    else
        fuse_reply_buf(req, (const char *)buf, len);
    if (status >= 0 && p->one_block)
        push_after_miss(v->pusher, p->span.index, p->span.off, p->span.len);
    if (status >= 0 && p->span.reaches_end)
        push_after_read(v->pusher, p->span.index);
    pending_remove(v->pending, p); /* when the list is empty, the session may end and V with it */
    parked_put(p);
}

static void cancel(struct parked *p)
{
    atomic_store(&p->interrupted, true);
    engine_cancel(p->engine, atomic_load(&p->handle));
}

/* Called by libfuse with the request's lock held. */
static void on_interrupt(fuse_req_t req, void *arg)
{
    struct vfs *v = arg;
    struct parked *p = pending_find(v->pending, req);

    if (!p)
        return;
    cancel(p);
    parked_put(p);
}

static void park(struct vfs *v, fuse_req_t req, const struct span *span,
                 const struct piece *pieces, size_t count)
{
    struct parked *p = calloc(1, sizeof *p);

    if (!p) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    p->vfs = v;
    p->engine = v->engine;
    p->req = req;
    p->span = *span;
    p->one_block = count == 1;
    atomic_store(&p->references, 2);
    pending_add(v->pending, p);
    if (!v->source_immediate)
        fuse_req_interrupt_func(req, on_interrupt, v);
    struct engine_read *handle = NULL;
    engine_read(v->engine, pieces, count, on_done, p, &handle);
    atomic_store(&p->handle, handle);
    if (atomic_load(&p->interrupted))
        engine_cancel(v->engine, handle); /* the interrupt came before there was a handle */
    parked_put(p);
}

/* True when every block was in memory and the reply is out. */
static bool reply_from_memory(struct vfs *v, fuse_req_t req, const struct piece *pieces,
                              size_t count)
{
    struct engine_pin pins[PIECES_USUAL];
    struct iovec iov[PIECES_USUAL];
    size_t n = 0;

    if (count > PIECES_USUAL)
        return false;
    for (; n < count; n++) {
        if (!engine_pin(v->engine, pieces[n].block, &pins[n]))
            break;
        union {
            const uint8_t *in;
            void *out;
        } data = { .in = pins[n].data + pieces[n].from };
        iov[n] = (struct iovec){ .iov_base = data.out, .iov_len = pieces[n].len };
    }
    if (n == count)
        fuse_reply_iov(req, iov, (int)count);
    for (size_t i = 0; i < n; i++)
        engine_unpin(v->engine, &pins[i]);
    return n == count;
}

static uint64_t total(const struct piece *pieces, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += pieces[i].len;
    return sum;
}

/* Maps a range that is cut into more pieces than any ordinary package has, as far as the engine
 * takes them in one read. */
static struct piece *map_long(const struct package *package, uint32_t index, uint64_t off,
                              uint64_t len, size_t *count, struct err *e)
{
    struct piece *pieces = calloc(ENGINE_PIECES_MAX, sizeof *pieces);

    if (!pieces) {
        (void)err_nomem(e);
        return NULL;
    }
    *count = package_map(package, index, off, len, pieces, ENGINE_PIECES_MAX);
    if (total(pieces, *count) == len)
        return pieces;
    (void)err_set(e, ERR_LIMIT, "%llu bytes at %llu are in more than %u pieces",
                  (unsigned long long)len, (unsigned long long)off, ENGINE_PIECES_MAX);
    free(pieces);
    return NULL;
}

void read_file(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    struct vfs *v = vfs_of(req);
    struct piece usual[PIECES_USUAL], *pieces = usual;

    (void)fi;
    if (!vfs_has(v, ino)) {
        fuse_reply_err(req, ESTALE);
        return;
    }
    uint32_t index = vfs_index(ino);
    const struct node *n = package_node(v->package, index);
    if (n->flags & NODE_DIR) {
        fuse_reply_err(req, EISDIR);
        return;
    }
    if (off < 0 || (uint64_t)off >= n->size || !size) {
        fuse_reply_buf(req, NULL, 0);
        return;
    }
    uint64_t len = min_u64(size, n->size - (uint64_t)off);
    size_t count = package_map(v->package, index, (uint64_t)off, len, usual, ARRAY_LEN(usual));
    if (total(usual, count) != len) {
        /* A short reply would be read as the end of the file. */
        struct err e = { 0 };
        pieces = map_long(v->package, index, (uint64_t)off, len, &count, &e);
        if (!pieces) {
            reply_failure(v, req, index, &e);
            return;
        }
    }
    const struct span span = { index, (uint64_t)off, len, (uint64_t)off + len == n->size };
    if (!reply_from_memory(v, req, pieces, count))
        park(v, req, &span, pieces, count);
    else if (span.reaches_end)
        push_after_read(v->pusher, index);
    if (pieces != usual)
        free(pieces);
}

/* Cancels what waits; each read once. Needs list->lock, which it gives up meanwhile. */
static void cancel_all(struct pending_list *list)
{
    struct parked *p = list->first;

    while (p) {
        if (p->given_up) {
            p = p->next;
            continue;
        }
        p->given_up = true;
        atomic_fetch_add(&p->references, 1);
        pthread_mutex_unlock(&list->lock);
        cancel(p);
        parked_put(p);
        pthread_mutex_lock(&list->lock);
        p = list->first; /* any of them may be gone */
    }
}

void read_pending_cancel(struct vfs *v)
{
    pthread_mutex_lock(&v->pending->lock);
    cancel_all(v->pending);
    pthread_mutex_unlock(&v->pending->lock);
}

void read_pending_drain(struct vfs *v)
{
    struct pending_list *list = v->pending;

    pthread_mutex_lock(&list->lock);
    cancel_all(list);
    /* What was just being completed ends without our doing. */
    while (list->first)
        pthread_cond_wait(&list->changed, &list->lock);
    pthread_mutex_unlock(&list->lock);
}
