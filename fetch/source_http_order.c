/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose turn it is. Requests beyond what the connections can take wait here and not in curl: its
 * own list of pending transfers (CURLMOPT_MAX_HOST_CONNECTIONS, CURLOPT_PIPEWAIT) now and then
 * forgets one, which then sits there until its deadline.
 *
 * Reads for demand go in the order they came; one that is tried again goes first. Those of the other
 * ranks have half of the connections each at most, and leave one free for the reader that comes next.
 * AHEAD reads begin when nobody waits for a turn, and then share the line with demand. LOW ones begin
 * only when there is nothing else, and from then on stand back: they take no more bytes, which fills
 * the window of their connection and so stops the server, and go on where they were when the last
 * read of the other ranks is done or rests. For one that was LOW itself and has been promoted nobody
 * stands back: a reader has caught up with what is fetched for it, and wants the rest next.
 *
 * Where the server speaks HTTP/2, LOW reads have connections of their own (source_http_lane.c). Where
 * only one connection is allowed, all but demand gives it up instead of pausing, keeps what it has
 * and asks for the rest later.
 *
 * Without demand, the span of a read runs only while it is at work, not while it waits or is paused:
 * how long others keep it waiting says nothing about the server. Once promoted it is a read like any
 * other.
 *
 * I/O thread only.
 */
#include "config.h"

#include "fetch/source_http.h"

#include "src/clock.h"

/* --- lists ---------------------------------------------------------------------------------- */

static void leave_list(struct http_request *q)
{
    struct http_list *l = q->list;

    if (!l)
        return;
    if (q->prev)
        q->prev->next = q->next;
    else
        l->first = q->next;
    if (q->next)
        q->next->prev = q->prev;
    else
        l->last = q->prev;
    l->count--;
    q->next = q->prev = NULL;
    q->list = NULL;
}

static void enter_list(struct http_request *q, struct http_list *l, bool in_front)
{
    leave_list(q);
    q->list = l;
    l->count++;
    q->prev = in_front ? NULL : l->last;
    q->next = in_front ? l->first : NULL;
    if (q->prev)
        q->prev->next = q;
    else
        l->first = q;
    if (q->next)
        q->next->prev = q;
    else
        l->last = q;
}

/* --- time ----------------------------------------------------------------------------------- */

/* To be called whenever something has changed that decides whether the span runs. */
static void update_clock(struct http_request *q)
{
    bool runs = q->rank == HTTP_DEMAND || q->state == HTTP_RESTING || (q->state == HTTP_RUNNING && !q->paused);

    if (runs != q->ticking) {
        uint64_t now = monotonic_ms();
        if (runs)
            q->deadline_ms = now + q->left_ms;
        else
            q->left_ms = q->deadline_ms > now ? (uint32_t)(q->deadline_ms - now) : 0;
        q->ticking = runs;
    }
    if (!runs)
        timers_clear(&q->source->timers, &q->timer);
    else
        timers_set(&q->source->timers, &q->timer,
                   q->state == HTTP_RESTING ? min_u64(q->rest_until_ms, q->deadline_ms)
                                            : q->deadline_ms);
}

/* --- states --------------------------------------------------------------------------------- */

void http_order_wait(struct http_request *q, bool in_front)
{
    q->state = HTTP_WAITING;
    enter_list(q, &q->source->waiting[q->rank], in_front);
    update_clock(q);
}

void http_order_rest(struct http_request *q, uint64_t at_ms)
{
    leave_list(q);
    q->state = HTTP_RESTING;
    q->rest_until_ms = at_ms;
    update_clock(q);
}

void http_order_remove(struct http_request *q)
{
    leave_list(q);
    timers_clear(&q->source->timers, &q->timer);
}

static void start(struct http_request *q)
{
    struct http_outcome o;

    q->state = HTTP_RUNNING;
    enter_list(q, &q->source->running[q->rank], false);
    update_clock(q);
    if (http_transfer_start(q, &o) != 0)
        http_loop_attempt_ended(q, &o);
}

/* Gives up the connection; what has come stays. */
static void take_back(struct http_request *q)
{
    http_transfer_end(q);
    q->attempts--;
    http_order_wait(q, true);
}

void http_order_paused(struct http_request *q)
{
    q->paused = true;
    update_clock(q);
}

static void resume(struct http_request *q)
{
    q->paused = false;
    update_clock(q);
    /* Brings what had come before, in a callback, whose refusal curl would forget. */
    CURLcode code = libcurl.easy_pause(q->easy, CURLPAUSE_CONT);
    if (code != CURLE_OK) {
        struct http_outcome o;
        http_transfer_result(q, code, &o);
        http_loop_attempt_ended(q, &o);
    }
}

void http_order_promote(struct http_request *q)
{
    struct http_source *s = q->source;

    if (q->rank == HTTP_DEMAND)
        return;
    q->rank = HTTP_DEMAND;
    if (q->state == HTTP_WAITING)
        enter_list(q, &s->waiting[HTTP_DEMAND], false);
    if (q->state == HTTP_RUNNING)
        enter_list(q, &s->running[HTTP_DEMAND], false);
    if (q->paused)
        resume(q); /* the last use of Q: it may be over */
    else
        update_clock(q);
}

/* --- turns ---------------------------------------------------------------------------------- */

static unsigned busy_connections(const struct http_source *s)
{
    unsigned busy = s->running[HTTP_LOW].count;

    /* Many requests share one once HTTP/2 is known to be there. That is forgotten when curl falls
     * idle, since the connection may be gone by the next time and all would open one of their own. */
    if (!s->multiplexed)
        busy += s->running[HTTP_DEMAND].count + s->running[HTTP_AHEAD].count;
    return busy;
}

static bool has_room(const struct http_source *s)
{
    unsigned most = s->settings.max_connections;

    if (s->multiplexed)
        return s->running[HTTP_DEMAND].count + s->running[HTTP_AHEAD].count <
               max_u64(HTTP_STREAMS_MAX, most);
    return busy_connections(s) < most;
}

/* Whether one more read of RANK, for which nobody waits, leaves a connection free. */
static bool has_spare_room(const struct http_source *s, enum http_rank rank)
{
    unsigned most = s->settings.max_connections, busy = busy_connections(s);

    return s->running[rank].count < max_u64(most / 2, 1) && (!busy || busy + 1 < most);
}

/* Whether somebody waits for what nobody had foreseen. */
static bool has_surprise(const struct http_list *l)
{
    for (const struct http_request *q = l->first; q; q = q->next)
        if (!q->foreseen)
            return true;
    return false;
}

static void run_demand(struct http_source *s)
{
    if (s->waiting[HTTP_DEMAND].first && s->settings.max_connections == 1)
        for (unsigned rank = HTTP_AHEAD; rank < HTTP_RANKS; rank++)
            while (s->running[rank].first)
                take_back(s->running[rank].first);
    while (s->waiting[HTTP_DEMAND].first && has_room(s))
        start(s->waiting[HTTP_DEMAND].first);
}

static void run_ahead(struct http_source *s)
{
    while (!s->waiting[HTTP_DEMAND].first && s->waiting[HTTP_AHEAD].first &&
           has_spare_room(s, HTTP_AHEAD))
        start(s->waiting[HTTP_AHEAD].first);
}

static void run_low(struct http_source *s)
{
    struct http_request *next;

    for (struct http_request *q = s->running[HTTP_LOW].first; q; q = next) {
        next = q->next;
        if (q->paused)
            resume(q);
    }
    while (s->waiting[HTTP_LOW].first && has_spare_room(s, HTTP_LOW))
        start(s->waiting[HTTP_LOW].first);
}

void http_order_run(struct http_source *s)
{
    if (!s->running[HTTP_DEMAND].first && !s->running[HTTP_AHEAD].first)
        s->multiplexed = false;
    run_demand(s);
    run_ahead(s);
    s->low_stands_back = has_surprise(&s->waiting[HTTP_DEMAND]) ||
                         has_surprise(&s->running[HTTP_DEMAND]) || s->running[HTTP_AHEAD].first;
    if (!s->low_stands_back)
        run_low(s);
}
