/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The I/O thread of an HTTP source. Every request that enters the queue leaves through finish(),
 * exactly once, whatever happens: reply, fault, deadline, cancelling or the end of the source.
 *
 * A read may take several attempts, all within its one deadline; the next one asks for what the
 * ones before have not brought. What is tried again, and when, is in fetch/retry.h.
 */
#include "config.h"

#include "fetch/source_http.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fetch/thread.h"
#include "src/clock.h"

enum {
    IDLE_WAIT_MS = 3600 * 1000,
    OPENING_TRIES = 3, /* to reach a server at all, before opening fails */
};

void http_loop_wake(struct http_source *s)
{
    (void)libcurl.multi_wakeup(s->multi); /* fails only when a wake-up is pending already */
}

/* --- from other threads ---------------------------------------------------------------------- */

static struct http_request *new_request(struct http_source *s, struct source_read *read,
                                        bool opening)
{
    struct http_request *q = calloc(1, sizeof *q);

    if (!q)
        return NULL;
    q->read = read;
    q->source = s;
    q->opening = opening;
    if (read->flags & SOURCE_READ_LOW)
        q->rank = read->flags & SOURCE_READ_AHEAD ? HTTP_AHEAD : HTTP_LOW;
    q->foreseen = q->rank == HTTP_LOW;
    q->fresh = (read->flags & SOURCE_READ_FRESH) != 0;
    q->once = (read->flags & SOURCE_READ_ONCE) != 0;
    q->len = read->len;
    q->span_ms = read->timeout_ms ? read->timeout_ms : s->settings.io_timeout_ms;
    q->left_ms = q->span_ms;
    q->ticking = q->rank == HTTP_DEMAND;
    return q;
}

void http_loop_submit(struct http_source *s, struct source_read *read, bool opening)
{
    struct http_request *q = new_request(s, read, opening);

    if (!q) {
        struct err e;
        int status = err_nomem(&e);
        read->done(read, status, &e);
        return;
    }
    read->impl = q;
    read->place = 0;
    atomic_fetch_add(&s->in_flight, 1);
    pthread_mutex_lock(&s->lock);
    q->started_ms = monotonic_ms();
    q->deadline_ms = q->started_ms + q->span_ms;
    bool first = !s->queue;
    if (first)
        s->queue = q;
    else
        s->queue_tail->next = q;
    s->queue_tail = q;
    pthread_mutex_unlock(&s->lock);
    if (first)
        http_loop_wake(s);
}

/* --- beginning and end ----------------------------------------------------------------------- */

static void arrive(struct http_source *s, struct http_request *q)
{
    q->next = NULL;
    q->older = s->youngest;
    if (s->youngest)
        s->youngest->younger = q;
    else
        s->oldest = q;
    s->youngest = q;
    if (s->oldest == q)
        atomic_store_explicit(&s->oldest_ms, q->started_ms, memory_order_relaxed);
}

static void leave(struct http_source *s, struct http_request *q)
{
    http_order_remove(q);
    if (q->younger)
        q->younger->older = q->older;
    else
        s->youngest = q->older;
    if (q->older) {
        q->older->younger = q->younger;
        return;
    }
    s->oldest = q->younger;
    atomic_store_explicit(&s->oldest_ms, s->oldest ? s->oldest->started_ms : 0,
                          memory_order_relaxed);
}

/* What came from the server, or should have; not what the head had, or what nobody waited for. */
static void count(struct http_request *q, int status, const struct err *e)
{
    struct http_source *s = q->source;

    if (status && e->kind == ERR_CANCELLED)
        return;
    if (status)
        atomic_fetch_add(&s->errors, 1);
    if (status || q->attempts)
        atomic_fetch_add_explicit(
            &s->latency[source_latency_bucket(monotonic_ms() - q->started_ms)], 1,
            memory_order_relaxed);
}

/* The only way out: gives the handle back, counts, answers, frees. */
static void finish(struct http_request *q, int status, const struct err *e)
{
    struct http_source *s = q->source;

    http_transfer_end(q);
    leave(s, q);
    count(q, status, e);
    atomic_fetch_sub(&s->in_flight, 1);
    q->read->done(q->read, status, e);
    free(q);
}

static void finish_cancelled(struct http_request *q)
{
    struct err e;
    int status = err_set(&e, ERR_CANCELLED, "%s: cancelled", q->source->base.name);

    finish(q, status, &e);
}

/* Says how much was tried, when it was more than once. */
static void finish_failed(struct http_request *q, int status, struct err *e)
{
    size_t n = strlen(e->text);
    uint64_t tenths = (monotonic_ms() - q->started_ms + 50) / 100;

    if (q->attempts > 1)
        (void)snprintf(e->text + n, sizeof e->text - n, ", %u attempts in %" PRIu64 ".%u s",
                       q->attempts, tenths / 10, (unsigned)(tenths % 10));
    finish(q, status, e);
}

static void finish_late(struct http_request *q)
{
    struct err e;
    const char *before = q->last.text, *name = q->source->base.name;
    size_t n = strlen(name);

    /* The name of the object is in there once more, in front. */
    if (strncmp(before, name, n) == 0 && strncmp(before + n, ": ", 2) == 0)
        before += n + 2;
    int status = err_set(&e, ERR_TIMEOUT, "%s: no complete answer within %u s%s%.300s", name,
                         (q->span_ms + 999) / 1000, *before ? "; the attempt before: " : "",
                         before);
    finish_failed(q, status, &e);
}

/* --- attempts ------------------------------------------------------------------------------- */

/* xorshift; nobody has to be surprised by it */
static uint32_t next_chance(struct http_source *s)
{
    uint32_t x = s->chance;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return s->chance = x;
}

static void try_again(struct http_request *q, const struct err *why, uint64_t at_ms)
{
    q->last = *why;
    http_transfer_end(q);
    atomic_fetch_add_explicit(&q->source->retries, 1, memory_order_relaxed);
    if (at_ms)
        http_order_rest(q, at_ms);
    else
        http_order_wait(q, true);
}

void http_loop_attempt_ended(struct http_request *q, const struct http_outcome *o)
{
    struct http_source *s = q->source;
    struct err e = o->err;

    if (o->status == 0) {
        finish(q, 0, NULL);
        return;
    }
    if (o->stale && !q->renewed) {
        q->renewed = true;
        try_again(q, &e, 0);
        return;
    }
    q->failed = q->got > q->begun_at ? 1 : q->failed + 1;
    struct retry_state r = { .failed = q->failed,
                             .now_ms = monotonic_ms(),
                             .deadline_ms = q->deadline_ms,
                             .after_s = o->after_s,
                             .chance = next_chance(s) };
    uint64_t at_ms;
    /* Who has just named a server wants to hear soon that there is none. */
    bool enough = q->once || (q->opening && o->unreached && q->failed >= OPENING_TRIES);
    if (o->verdict != RETRY_HERE || enough) {
        finish_failed(q, o->status, &e);
    } else if (retry_plan(&r, &at_ms)) {
        try_again(q, &e, at_ms);
    } else {
        size_t n = strlen(e.text);
        if (o->after_s > 0)
            (void)snprintf(e.text + n, sizeof e.text - n, ", later than the deadline of %u s",
                           (q->span_ms + 999) / 1000);
        finish_failed(q, o->status, &e);
    }
}

/* Answers from the head if it holds all of the range. */
static bool answer_from_head(struct http_request *q)
{
    const struct http_source *s = q->source;
    const struct source_read *read = q->read;

    if (q->opening || read->offset > s->head_len || read->len > s->head_len - read->offset)
        return false;
    memcpy(read->buf, s->head + read->offset, read->len);
    finish(q, 0, NULL);
    return true;
}

/* What needs no request is answered here; the others wait, if only for a moment. */
static void begin(struct http_request *q)
{
    const struct source *base = &q->source->base;
    const struct source_read *read = q->read;
    struct err e;
    int status;

    if (atomic_load(&q->cancelled)) {
        finish_cancelled(q);
        return;
    }
    if (!q->opening && (read->offset > base->size || read->len > base->size - read->offset)) {
        status = err_set(&e, ERR_TRUNCATED,
                         "%s: %zu bytes at %" PRIu64 " were asked for, the file has %" PRIu64,
                         base->name, read->len, read->offset, base->size);
        finish(q, status, &e);
        return;
    }
    if (answer_from_head(q))
        return;
    http_order_wait(q, false);
    if (atomic_load(&q->promoted)) /* while it was queued */
        http_order_promote(q);
}

/* --- rounds of the thread --------------------------------------------------------------------- */

static void do_drop_head(struct http_source *s)
{
    if (!atomic_exchange(&s->drop_head, false))
        return;
    free(s->head);
    s->head = NULL;
    s->head_len = 0;
}

/* Begins what is queued. Returns whether to stop. */
static bool take_queue(struct http_source *s)
{
    pthread_mutex_lock(&s->lock);
    struct http_request *q = s->queue;
    s->queue = s->queue_tail = NULL;
    bool stop = s->stop;
    pthread_mutex_unlock(&s->lock);

    do_drop_head(s); /* first: reads queued after it was dropped must not be answered from it */
    while (q) {
        struct http_request *next = q->next;
        arrive(s, q);
        if (stop)
            finish_cancelled(q);
        else
            begin(q);
        q = next;
    }
    return stop;
}

static void do_flags(struct http_source *s)
{
    if (!atomic_exchange(&s->flags_set, false))
        return;
    struct http_request *q = s->oldest;
    while (q) {
        struct http_request *next = q->younger;
        if (atomic_load(&q->cancelled))
            finish_cancelled(q);
        else if (atomic_load(&q->promoted))
            http_order_promote(q);
        q = next;
    }
}

static void do_timers(struct http_source *s)
{
    uint64_t now = monotonic_ms();
    struct timer *t;

    while ((t = timers_first(&s->timers)) && t->at_ms <= now) {
        struct http_request *q =
            (struct http_request *)((char *)t - offsetof(struct http_request, timer));
        if (q->deadline_ms <= now)
            finish_late(q);
        else
            http_order_wait(q, true); /* has rested */
    }
}

static void tell_progress(const struct http_list *l)
{
    for (struct http_request *q = l->first; q; q = q->next)
        if (q->got > q->told && q->got < q->len) {
            q->told = q->got;
            if (q->read->progress)
                q->read->progress(q->read, q->got);
        }
}

/* Tells of bytes that have come. Once a round, which is often enough: curl brings them in small
 * pieces, and the end of a read is told by done(). Those of LOW reads may be of the round
 * before. */
static void do_progress(struct http_source *s)
{
    for (unsigned rank = 0; rank < HTTP_RANKS; rank++)
        tell_progress(&s->running[rank]);
}

static void do_completions(CURLM *multi)
{
    CURLMsg *m;
    int left;

    while ((m = libcurl.multi_info_read(multi, &left))) {
        struct http_request *q = NULL;
        struct http_outcome o;

        if (m->msg != CURLMSG_DONE ||
            libcurl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &q) != CURLE_OK || !q)
            continue;
        http_transfer_result(q, m->data.result, &o);
        http_loop_attempt_ended(q, &o);
    }
}

static void cancel_all(struct http_source *s)
{
    while (s->oldest)
        finish_cancelled(s->oldest);
}

/* Curl itself is in trouble (memory, file descriptors): nothing under way can be relied on. */
static void fail_all(struct http_source *s, CURLMcode code)
{
    const struct timespec moment = { .tv_nsec = 10 * 1000 * 1000 };
    struct err e;

    (void)nanosleep(&moment, NULL); /* if it stays so, do not keep a processor busy with it */
    while (s->oldest) {
        int status = err_set(&e, code == CURLM_OUT_OF_MEMORY ? ERR_NO_MEMORY : ERR_NETWORK,
                             "%s: %s", s->base.name, libcurl.multi_strerror(code));
        finish(s->oldest, status, &e);
    }
}

static int wait_ms(const struct http_source *s)
{
    const struct timer *t = timers_first(&s->timers);

    if (!t)
        return IDLE_WAIT_MS;
    uint64_t now = monotonic_ms();
    return t->at_ms <= now ? 0 : (int)min_u64(t->at_ms - now, IDLE_WAIT_MS);
}

static void *run(void *arg)
{
    struct http_source *s = arg;

    while (!take_queue(s)) {
        int running;

        do_flags(s);
        http_order_run(s);
        CURLMcode code = libcurl.multi_perform(s->multi, &running);
        if (code == CURLM_OK)
            code = http_lane_perform(s);
        do_progress(s);
        do_completions(s->multi);
        if (s->lane.multi)
            do_completions(s->lane.multi);
        do_timers(s);
        http_order_run(s);
        if (code == CURLM_OK)
            code = libcurl.multi_poll(s->multi, s->lane.fds, (unsigned)s->lane.count,
                                      http_lane_wait_ms(s, wait_ms(s)), NULL);
        if (code != CURLM_OK)
            fail_all(s, code);
    }
    do { /* done() of one that is cancelled may have started another */
        cancel_all(s);
        (void)take_queue(s);
    } while (s->oldest);
    return NULL;
}

int http_loop_start(struct http_source *s, struct err *e)
{
    s->multi = libcurl.multi_init();
    s->idle = calloc(HTTP_IDLE_MAX, sizeof(CURL *));
    if (!s->multi || !s->idle)
        return err_nomem(e); /* http_loop_stop() is not due; the caller frees */
    s->chance = (uint32_t)(monotonic_ms() ^ ((uintptr_t)s >> 4) ^ (uint32_t)getpid() << 16) | 1;
    long connections = (long)s->settings.max_connections;
    (void)libcurl.multi_setopt(s->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    (void)libcurl.multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, 2 * connections); /* a redirect's too */
    int r = thread_start(&s->thread, NULL, run, s);
    if (r) {
        errno = r;
        return err_sys(e, "cannot start a thread");
    }
    return 0;
}

void http_loop_stop(struct http_source *s)
{
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_mutex_unlock(&s->lock);
    http_loop_wake(s);
    pthread_join(s->thread, NULL);
}
