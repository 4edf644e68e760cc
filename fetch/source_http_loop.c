/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The I/O thread of an HTTP source. Every request that enters the queue leaves through finish(),
 * exactly once, whatever happens: reply, fault, deadline, cancelling or the end of the source.
 *
 * The deadline is the same span for each request and is taken under the queue's lock, so that the
 * active list is in the order of deadlines and only its front has to be looked at.
 *
 * Requests beyond what the connections can take wait here, at the end of the active list, and not
 * in curl: its own list of pending transfers (CURLMOPT_MAX_HOST_CONNECTIONS, CURLOPT_PIPEWAIT) now
 * and then forgets one, which then sits there until its deadline.
 */
#include "config.h"

#include "fetch/source_http.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { IDLE_WAIT_MS = 3600 * 1000 };

static uint64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void http_loop_wake(struct http_source *s)
{
    (void)libcurl.multi_wakeup(s->multi); /* fails only when a wake-up is pending already */
}

void http_loop_submit(struct http_source *s, struct source_read *read, bool opening)
{
    struct http_request *q = calloc(1, sizeof *q);

    if (!q) {
        struct err e;
        int status = err_nomem(&e);
        read->done(read, status, &e);
        return;
    }
    q->read = read;
    q->source = s;
    q->opening = opening;
    read->impl = q;
    pthread_mutex_lock(&s->lock);
    q->deadline_ms = now_ms() + s->settings.io_timeout_ms;
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

/* --- the active list ------------------------------------------------------------------------ */

static void append(struct http_source *s, struct http_request *q)
{
    q->next = NULL;
    q->prev = s->active_tail;
    if (s->active_tail)
        s->active_tail->next = q;
    else
        s->active = q;
    s->active_tail = q;
}

static void unlink_request(struct http_source *s, struct http_request *q)
{
    if (s->waiting == q)
        s->waiting = q->next;
    if (q->prev)
        q->prev->next = q->next;
    else
        s->active = q->next;
    if (q->next)
        q->next->prev = q->prev;
    else
        s->active_tail = q->prev;
}

/* The only way out: gives the handle back, counts, answers, frees. */
static void finish(struct http_request *q, int status, const struct err *e)
{
    struct http_source *s = q->source;

    unlink_request(s, q);
    http_transfer_end(q);
    if (status == 0)
        atomic_fetch_add(&s->bytes, q->got);
    else if (e->kind != ERR_CANCELLED)
        atomic_fetch_add(&s->errors, 1);
    q->read->done(q->read, status, e);
    free(q);
}

static void finish_cancelled(struct http_request *q)
{
    struct err e;
    int status = err_set(&e, ERR_CANCELLED, "%s: cancelled", q->source->base.name);

    finish(q, status, &e);
}

/* --- what happens to a request ------------------------------------------------------------- */

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
    if (!answer_from_head(q) && !q->source->waiting)
        q->source->waiting = q;
}

/* One request a connection; many once HTTP/2 is known to be there. That is forgotten when curl
 * falls idle, since the connection may be gone by the next time and all would open one of their
 * own. */
static void start_waiting(struct http_source *s)
{
    while (s->waiting &&
           s->in_flight < (s->multiplexed ? max_u64(HTTP_STREAMS_MAX, s->settings.max_connections)
                                          : s->settings.max_connections)) {
        struct http_request *q = s->waiting;
        struct err e;

        s->waiting = q->next;
        int status = http_transfer_start(q, &e);
        if (status)
            finish(q, status, &e);
    }
}

static void do_drop_head(struct http_source *s)
{
    if (!atomic_exchange(&s->drop_head, false))
        return;
    free(s->head);
    s->head = NULL;
    s->head_len = 0;
}

/* Moves what is queued to the active list and begins it. Returns whether to stop. */
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
        append(s, q);
        if (stop)
            finish_cancelled(q);
        else
            begin(q);
        q = next;
    }
    return stop;
}

static void do_cancels(struct http_source *s)
{
    if (!atomic_exchange(&s->cancel_wanted, false))
        return;
    struct http_request *q = s->active;
    while (q) {
        struct http_request *next = q->next;
        if (atomic_load(&q->cancelled))
            finish_cancelled(q);
        q = next;
    }
}

static void do_deadlines(struct http_source *s)
{
    uint64_t now = now_ms();

    while (s->active && s->active->deadline_ms <= now) {
        struct err e;
        int status = err_set(&e, ERR_TIMEOUT, "%s: no complete answer within %u s", s->base.name,
                             (s->settings.io_timeout_ms + 999) / 1000);
        finish(s->active, status, &e);
    }
}

/* Collects what curl has completed. An attempt that failed is final today; the retry policy (which
 * errors, how long to wait, within the request's deadline) belongs here, where the outcome is known
 * and the request is still on the active list: end the transfer, and start it again later. */
static void do_completions(struct http_source *s)
{
    CURLMsg *m;
    int left;

    while ((m = libcurl.multi_info_read(s->multi, &left))) {
        struct http_request *q = NULL;
        struct err e;

        if (m->msg != CURLMSG_DONE ||
            libcurl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &q) != CURLE_OK || !q)
            continue;
        int status = http_transfer_result(q, m->data.result, &e);
        finish(q, status, &e);
    }
}

static void cancel_all(struct http_source *s)
{
    while (s->active)
        finish_cancelled(s->active);
}

/* Curl itself is in trouble (memory, file descriptors): nothing under way can be relied on. */
static void fail_all(struct http_source *s, CURLMcode code)
{
    const struct timespec moment = { .tv_nsec = 10 * 1000 * 1000 };
    struct err e;

    (void)nanosleep(&moment, NULL); /* if it stays so, do not keep a processor busy with it */
    while (s->active) {
        int status = err_set(&e, code == CURLM_OUT_OF_MEMORY ? ERR_NO_MEMORY : ERR_NETWORK,
                             "%s: %s", s->base.name, libcurl.multi_strerror(code));
        finish(s->active, status, &e);
    }
}

static int wait_ms(const struct http_source *s)
{
    if (!s->active)
        return IDLE_WAIT_MS;
    uint64_t now = now_ms(), deadline = s->active->deadline_ms;
    return deadline <= now ? 0 : (int)min_u64(deadline - now, IDLE_WAIT_MS);
}

static void *run(void *arg)
{
    struct http_source *s = arg;

    while (!take_queue(s)) {
        int running;

        do_cancels(s);
        start_waiting(s);
        CURLMcode code = libcurl.multi_perform(s->multi, &running);
        do_completions(s);
        do_deadlines(s);
        start_waiting(s);
        if (code == CURLM_OK)
            code = libcurl.multi_poll(s->multi, NULL, 0, wait_ms(s), NULL);
        if (code != CURLM_OK)
            fail_all(s, code);
    }
    do { /* done() of one that is cancelled may have started another */
        cancel_all(s);
        (void)take_queue(s);
    } while (s->active);
    return NULL;
}

/* Signals are for the program's own threads. SIGPIPE above all: OpenSSL writes to sockets without
 * MSG_NOSIGNAL. */
static int create_thread(struct http_source *s)
{
    sigset_t all, old;

    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGSEGV); /* faults of our own must stay visible */
    (void)sigdelset(&all, SIGBUS);
    (void)sigdelset(&all, SIGFPE);
    (void)sigdelset(&all, SIGILL);
    (void)sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&s->thread, NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

int http_loop_start(struct http_source *s, struct err *e)
{
    s->multi = libcurl.multi_init();
    s->idle = calloc(HTTP_IDLE_MAX, sizeof(CURL *));
    if (!s->multi || !s->idle)
        return err_nomem(e); /* http_loop_stop() is not due; the caller frees */
    long connections = (long)s->settings.max_connections;
    (void)libcurl.multi_setopt(s->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    (void)libcurl.multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, 2 * connections); /* a redirect's too */
    int r = create_thread(s);
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
