/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams of a package as a part of its container. See source_streams.h. */
#include "config.h"

#include "fetch/source_streams.h"

#include <pthread.h>
#include <string.h>

#include "fetch/inflater.h"
#include "fetch/thread.h"

enum { LOW_FLAGS = SOURCE_READ_LOW | SOURCE_READ_AHEAD };

/* A read of a stream; its source_read's impl. Freed after DONE. */
struct task {
    struct task *next;
    struct source_read *read;
    unsigned more;  /* the thread's; FRESH and ELSEWHERE, for all pieces */
    unsigned avoid; /* the thread's; the place that SOURCE_READ_ELSEWHERE means, for all pieces */
    bool cancelled; /* lock */
};

struct streams_source {
    struct source source;
    struct source *below;
    struct inflater *inflater; /* the thread's */
    pthread_mutex_t lock;      /* recursive: a source may complete a read from within source_cancel() */
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread;      /* lock */
    bool stopping;        /* lock */
    struct task *queue;   /* lock; in order of arrival */
    struct task *current; /* lock; what the thread works on */
    unsigned place;        /* the thread's; where the last piece came from */
    struct source_read io; /* of the thread, a piece of the container */
    bool io_pending;      /* lock; begun and not done */
    int io_status;        /* lock */
    struct err io_err;    /* lock */
};

static struct streams_source *impl(struct source *s)
{
    return (struct streams_source *)s; /* the first member */
}

static bool is_below(const struct source_read *read)
{
    return read->offset < PACKAGE_STREAM_BASE;
}

/* Ends TASK; without the lock. */
static void finish(struct task *task, int status, const struct err *e)
{
    task->read->done(task->read, status, status ? e : NULL);
    free(task);
}

static void finish_cancelled(struct task *task)
{
    struct err e;
    int rc = err_set(&e, ERR_CANCELLED, "cancelled");

    finish(task, rc, &e);
}

/* --- what is below ------------------------------------------------------------------------------ */

static void io_done(struct source_read *io, int status, const struct err *e)
{
    struct streams_source *s = io->arg;

    pthread_mutex_lock(&s->lock);
    s->io_status = status;
    if (status && e)
        s->io_err = *e;
    else if (status)
        (void)err_set(&s->io_err, ERR_SYSTEM, "read failed");
    s->io_pending = false;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Stored bytes for the decoder. In the thread, without the lock. */
static int input(void *arg, uint64_t offset, uint8_t *buf, size_t len, struct err *e)
{
    struct streams_source *s = arg;
    struct source_read *read = s->current->read; /* only this thread changes it */

    pthread_mutex_lock(&s->lock);
    if (s->current->cancelled) {
        pthread_mutex_unlock(&s->lock);
        return err_set(e, ERR_CANCELLED, "cancelled");
    }
    if (source_is_immediate(s->below)) { /* nothing to cancel, and a share may hang */
        pthread_mutex_unlock(&s->lock);
        return source_read_sync(s->below, offset, buf, len, e);
    }
    s->io = (struct source_read){ .offset = offset, .len = len, .buf = buf,
                                  .flags = read->flags | s->current->more, .place = s->current->avoid,
                                  .timeout_ms = read->timeout_ms, .done = io_done, .arg = s };
    s->io_pending = true;
    source_start(s->below, &s->io); /* with the lock: cancelling finds it begun */
    while (s->io_pending)
        pthread_cond_wait(&s->changed, &s->lock);
    int rc = s->io_status;
    if (rc && e)
        *e = s->io_err;
    s->place = s->io.place;
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* --- the thread --------------------------------------------------------------------------------- */

/* Takes what somebody waits for, or else the oldest. Needs the lock. */
static struct task *take(struct streams_source *s)
{
    struct task **link = &s->queue;

    while (*link && (*link)->read->flags & LOW_FLAGS)
        link = &(*link)->next;
    if (!*link)
        link = &s->queue;
    struct task *task = *link;
    if (task)
        *link = task->next;
    return task;
}

/*
 * How TASK is to read the stream from now on: MORE, and not from AVOID if that is ELSEWHERE. It stays so for the
 * stream: wrong bytes make all blocks behind them wrong, and none of these shall have to find out. False when it
 * is read so already, or will not be begun again.
 */
static bool change_way(struct streams_source *s, struct task *task, unsigned more, unsigned avoid)
{
    uint64_t *way = inflater_note(s->inflater, task->read->offset);
    uint64_t old = way ? *way : 0, elsewhere = SOURCE_READ_ELSEWHERE;
    uint64_t wanted = more & elsewhere ? (uint64_t)avoid << 32 | (old & UINT32_MAX) | more : old | more;
    bool changed = way && wanted != old && inflater_forget(s->inflater, task->read->offset);

    if (changed)
        *way = wanted;
    task->more = way ? (unsigned)(*way & UINT32_MAX) : 0;
    task->avoid = way ? (unsigned)(*way >> 32) : 0;
    return changed;
}

/* The other places fail, and TASK does not insist: better what may be wrong, and is verified, than nothing. */
static bool give_way(struct streams_source *s, struct task *task, const struct err *e)
{
    const unsigned elsewhere = SOURCE_READ_ELSEWHERE;
    uint64_t *way = inflater_note(s->inflater, task->read->offset);

    if (!(task->more & elsewhere) || task->read->flags & elsewhere || e->kind == ERR_CORRUPT ||
        e->kind == ERR_CANCELLED || !way)
        return false;
    *way = task->more &= ~elsewhere;
    return true;
}

/* Decodes what TASK wants. Bytes that are no deflate stream may be those of a proxy, or of one place of several,
 * as blocks that have not their hash may be. */
static int decode(struct streams_source *s, struct task *task, struct err *e)
{
    struct source_read *read = task->read;
    unsigned more = SOURCE_READ_FRESH | (source_places(s->below) > 1 ? SOURCE_READ_ELSEWHERE : 0);

    (void)change_way(s, task, task->more, task->avoid);
    int rc = inflater_read(s->inflater, read->offset, read->buf, read->len, e);
    if (rc && ((e->kind == ERR_CORRUPT && change_way(s, task, more, s->place)) || give_way(s, task, e)))
        rc = inflater_read(s->inflater, read->offset, read->buf, read->len, e);
    return rc;
}

static void serve(struct streams_source *s, struct task *task)
{
    struct err e = { .kind = ERR_NONE };
    int rc = decode(s, task, &e);

    task->read->place = s->place;
    pthread_mutex_lock(&s->lock);
    s->current = NULL;
    pthread_mutex_unlock(&s->lock);
    finish(task, rc, &e);
}

static void *work(void *arg)
{
    struct streams_source *s = arg;

    for (;;) {
        pthread_mutex_lock(&s->lock);
        while (!s->queue && !s->stopping)
            pthread_cond_wait(&s->changed, &s->lock);
        struct task *task = s->current = take(s);
        pthread_mutex_unlock(&s->lock);
        if (!task)
            return NULL;
        serve(s, task);
    }
}

/* --- the source --------------------------------------------------------------------------------- */

/* Puts TASK at the end of the queue, for the thread. */
static int enqueue(struct streams_source *s, struct task *task, struct err *e)
{
    int rc = 0;

    pthread_mutex_lock(&s->lock);
    if (!s->has_thread) {
        s->has_thread = !thread_start(&s->thread, "sftfs-inflate", work, s);
        if (!s->has_thread)
            rc = err_set(e, ERR_SYSTEM, "no thread to decode the package with");
    }
    struct task **end = &s->queue;
    while (*end)
        end = &(*end)->next;
    if (!rc)
        *end = task;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static void streams_start(struct source *source, struct source_read *read)
{
    struct streams_source *s = impl(source);
    struct err e;

    if (is_below(read)) {
        source_start(s->below, read);
        return;
    }
    struct task *task = calloc(1, sizeof *task);
    int rc = task ? 0 : err_nomem(&e);
    if (!rc) {
        task->read = read;
        read->impl = task;
        task->more = read->flags & (SOURCE_READ_ELSEWHERE | SOURCE_READ_FRESH);
        task->avoid = read->place;
        rc = enqueue(s, task, &e);
    }
    if (rc) {
        free(task);
        read->done(read, rc, &e);
    }
}

/* Whether TASK was waiting in the queue, and is not any more. Needs the lock. */
static bool unqueue(struct streams_source *s, const struct task *task)
{
    for (struct task **link = &s->queue; *link; link = &(*link)->next)
        if (*link == task) {
            *link = task->next;
            return true;
        }
    return false;
}

static void streams_cancel(struct source *source, struct source_read *read)
{
    struct streams_source *s = impl(source);
    struct task *task = read->impl;

    if (is_below(read)) {
        source_cancel(s->below, read);
        return;
    }
    pthread_mutex_lock(&s->lock);
    bool waiting = unqueue(s, task);
    if (!waiting)
        task->cancelled = true;
    if (s->current == task && s->io_pending)
        source_cancel(s->below, &s->io);
    pthread_mutex_unlock(&s->lock);
    if (waiting)
        finish_cancelled(task);
}

static void streams_promote(struct source *source, struct source_read *read)
{
    struct streams_source *s = impl(source);
    struct task *task = read->impl;

    if (is_below(read)) {
        source_promote(s->below, read);
        return;
    }
    pthread_mutex_lock(&s->lock);
    read->flags &= ~(unsigned)LOW_FLAGS;
    if (s->current == task && s->io_pending)
        source_promote(s->below, &s->io);
    pthread_mutex_unlock(&s->lock);
}

static void streams_drop_head(struct source *source)
{
    source_drop_head(impl(source)->below);
}

static void streams_get_stats(struct source *source, struct source_stats *out)
{
    source_get_stats(impl(source)->below, out);
}

/* Lets the thread end, and what waits for it. */
static void stop(struct streams_source *s)
{
    pthread_mutex_lock(&s->lock);
    struct task *left = steal_ptr(&s->queue);
    s->stopping = true;
    if (s->current)
        s->current->cancelled = true;
    if (s->io_pending)
        source_cancel(s->below, &s->io);
    bool join = s->has_thread;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    while (left) {
        struct task *next = left->next;
        finish_cancelled(left);
        left = next;
    }
    if (join)
        pthread_join(s->thread, NULL);
}

static void streams_close(struct source *source)
{
    struct streams_source *s = impl(source);

    stop(s);
    source_close(s->below);
    inflater_free(s->inflater);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* It is made over another source, never by a location. */
static const struct source_ops source_streams_ops = {
    .name = "streams",
    .start = streams_start,
    .cancel = streams_cancel,
    .promote = streams_promote,
    .drop_head = streams_drop_head,
    .get_stats = streams_get_stats,
    .close = streams_close,
};

static int init_lock(struct streams_source *s)
{
    pthread_mutexattr_t attr;

    if (pthread_mutexattr_init(&attr))
        return -ENOMEM;
    (void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&s->lock, &attr);
    (void)pthread_mutexattr_destroy(&attr);
    pthread_cond_init(&s->changed, NULL);
    return 0;
}

int source_streams_add(const struct package *p, struct source **source, struct err *e)
{
    size_t count;
    const struct package_stream *streams = package_streams(p, &count);

    if (!count)
        return 0;
    struct streams_source *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    s->below = *source;
    s->source = (struct source){ .ops = &source_streams_ops, .size = source_size(*source),
                                 .name = strdup(source_name(*source)),
                                 .places = source_places(*source) };
    if (!s->source.name || inflater_new(streams, count, input, s, &s->inflater) || init_lock(s)) {
        inflater_free(s->inflater);
        free(s->source.name);
        free(s);
        return err_nomem(e);
    }
    *source = &s->source;
    return 0;
}

struct source *source_streams_below(struct source *s)
{
    return s && s->ops == &source_streams_ops ? impl(s)->below : s;
}
