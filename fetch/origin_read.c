/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One read on its way through the places of an origin, and the probes, which are reads that nobody
 * waits for. The origin's thread, but for the two callbacks of sources. See origin_impl.h.
 *
 * Every read that begins leaves through finish(), exactly once. What an attempt has brought when it
 * fails is kept, if the source has said so by its progress, and the next place is asked for the
 * rest. Not so when the caller wants the bytes afresh or from elsewhere because their hash was
 * wrong: then they all come from one place, which can be named.
 */
#include "config.h"

#include "fetch/origin_impl.h"

#include <stdio.h>
#include <string.h>

#include "src/clock.h"

/* --- the end --------------------------------------------------------------------------------- */

static void append(struct origin *o, struct origin_read *r)
{
    r->next = NULL;
    r->prev = o->reads_tail;
    if (o->reads_tail)
        o->reads_tail->next = r;
    else
        o->reads = r;
    o->reads_tail = r;
}

static void unlink_read(struct origin *o, struct origin_read *r)
{
    if (r->prev)
        r->prev->next = r->next;
    else
        o->reads = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        o->reads_tail = r->prev;
}

static void note_oldest(struct origin *o)
{
    const struct origin_read *r = o->reads;

    while (r && !r->read)
        r = r->next;
    atomic_store(&o->oldest_ms, r ? r->begun_ms : 0);
}

/* How long it took says something if somebody was asked and waited for. */
static void count(struct origin *o, const struct origin_read *r, int status, const struct err *e)
{
    uint64_t took = monotonic_ms() - r->begun_ms;

    atomic_fetch_sub(&o->in_flight, 1);
    if (status && e->kind == ERR_CANCELLED)
        return;
    if (status)
        atomic_fetch_add(&o->errors, 1);
    if (!status || e->kind != ERR_OFFLINE)
        atomic_fetch_add(&o->latency[source_latency_bucket(took)], 1);
}

/* The only way out. E may be NULL when STATUS is 0. */
static void finish(struct origin *o, struct origin_read *r, int status, const struct err *e)
{
    unlink_read(o, r);
    note_oldest(o);
    if (r->read) {
        count(o, r, status, e);
        r->read->done(r->read, status, e);
    } else {
        o->sites[r->site].probing = false;
    }
    free(r);
}

static void finish_stopped(struct origin *o, struct origin_read *r, enum read_end why)
{
    struct err e;
    int status;

    if (why == READ_OFFLINE)
        status = err_set(&e, ERR_OFFLINE, "%s: not cached, and the mount is offline", o->base.name);
    else
        status = err_set(&e, ERR_CANCELLED, "%s: cancelled", o->base.name);
    finish(o, r, status, &e);
}

/* What the reader is told when no place is left. */
static void finish_failed(struct origin *o, struct origin_read *r)
{
    struct err e = r->failure;

    for (size_t i = 0; !e.kind && i < o->settings->count; i++)
        if (o->sites[i].refused && !(r->not_from & 1u << i))
            e = o->sites[i].error;
    if (!e.kind)
        (void)err_set(&e, ERR_NOT_FOUND, "%s: there is no other place to read from", o->base.name);
    if (r->failures > 1) {
        size_t n = strlen(e.text);
        (void)snprintf(e.text + n, sizeof e.text - n, " (and %u more places failed)",
                       r->failures - 1);
    }
    finish(o, r, -err_kind_errno(e.kind), &e);
}

static void finish_late(struct origin *o, struct origin_read *r)
{
    struct err e;

    if (r->failure.kind) {
        finish_failed(o, r);
        return;
    }
    int status = err_set(&e, ERR_TIMEOUT, "%s: no complete answer within %u s", o->base.name,
                         (unsigned)((r->deadline_ms - r->begun_ms + 999) / 1000));
    finish(o, r, status, &e);
}

/* --- one attempt ----------------------------------------------------------------------------- */

static void on_done(struct source_read *io, int status, const struct err *e)
{
    struct origin_read *r = io->arg;
    struct origin *o = r->origin;

    pthread_mutex_lock(&o->lock);
    r->over = true;
    r->status = status;
    if (status && e)
        r->err = *e;
    r->ended_next = o->inbox.ended;
    o->inbox.ended = r;
    o->inbox.any = true;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

/* Never two at a time, since there is one attempt at a time and sources keep that rule. */
static void on_progress(struct source_read *io, size_t got)
{
    struct origin_read *r = io->arg;
    size_t all = r->have + got;

    atomic_store(&r->got, got);
    if (r->whole || all <= r->told)
        return;
    r->told = all;
    if (r->read->progress)
        r->read->progress(r->read, all);
}

/* How long the site may take, and whether it is one of several. */
static bool set_limits(struct origin *o, struct origin_read *r)
{
    uint64_t rest = r->deadline_ms - r->asked_ms;
    bool others = site_any_good(o, r->tried | r->not_from | 1u << r->site);
    uint64_t allowed = others && r->read ? max_u64(rest / 2, 1) : rest;

    r->limit_ms = r->asked_ms + allowed;
    r->fair = allowed >= o->settings->connection.io_timeout_ms / 4;
    return others;
}

/* Whether R has to wait until T, a file, has fewer readers. */
static bool is_crowded(const struct origin *o, const struct site *t)
{
    return source_is_immediate(t->channel->source) &&
           atomic_load(&o->settings->busy[site_index(o, t)].reading) >= ORIGIN_BLOCKING_MAX;
}

/* Asks T for what is missing. R may be gone when it returns. */
static void ask(struct origin *o, struct origin_read *r, struct site *t)
{
    bool immediate = source_is_immediate(t->channel->source);
    struct err e;

    r->asked_ms = monotonic_ms();
    bool others = set_limits(o, r);
    r->state = READ_ASKED;
    r->end = READ_GOES_ON;
    r->over = false;
    r->err = (struct err){ .kind = ERR_NONE };
    atomic_store(&r->got, 0);
    r->io.flags = r->flags | (others ? SOURCE_READ_ONCE : 0);
    r->io.timeout_ms = (uint32_t)min_u64(r->limit_ms - r->asked_ms, UINT32_MAX);
    r->io.done = on_done;
    r->io.arg = r;
    r->io.impl = NULL;
    if (r->read) {
        r->io.offset = r->read->offset + r->have;
        r->io.len = r->read->len - r->have;
        r->io.buf = r->read->buf + r->have;
        r->io.progress = on_progress;
        r->read->place = r->site;
        t->reads++;
        if (r->tried)
            atomic_fetch_add(&o->failovers, 1);
    }
    r->channel = channel_get(t->channel);
    if (!immediate) {
        source_start(r->channel->source, &r->io);
        return;
    }
    int rc = blocking_start(r, r->channel, &r->blocking, &e);
    if (rc)
        on_done(&r->io, rc, &e);
}

/* Takes the bytes that a thread has read for R; an attempt of the other kind has none. */
static void take_blocking(struct origin_read *r)
{
    struct blocking *b = r->blocking;

    if (!b)
        return;
    errand_join(b->errand);
    if (!r->status)
        memcpy(r->io.buf, b->bytes, r->io.len);
    blocking_free(b);
    r->blocking = NULL;
}

/* Whether no other place could do better. */
static bool is_final(enum err_kind kind)
{
    return kind == ERR_CANCELLED || kind == ERR_NO_MEMORY || kind == ERR_INVALID ||
           kind == ERR_OFFLINE;
}

static void note_failure(struct origin_read *r, const struct err *e)
{
    r->failures++;
    if (!r->failure.kind || (e->kind == ERR_OBJECT_CHANGED && r->failure.kind != e->kind))
        r->failure = *e;
}

/* The place's own word, or what the origin made of it. */
static void explain_end(struct origin *o, struct origin_read *r)
{
    if (r->err.kind == ERR_CANCELLED && (r->end == READ_TOO_SLOW || r->end == READ_TOO_LATE))
        r->status = err_set(&r->err, ERR_TIMEOUT, "%s: no complete answer within %u ms",
                            o->settings->names[r->site], (unsigned)(r->limit_ms - r->asked_ms));
}

/* Whether the source alone knows when its time is over: that of a LOW read stands still while it
 * stands back. */
static bool keeps_own_time(const struct origin_read *r)
{
    return (r->flags & SOURCE_READ_LOW) && !r->blocking;
}

/* What a LOW read took beyond its time it has stood back. */
static void make_up_time(struct origin_read *r)
{
    uint64_t now = monotonic_ms();

    if (keeps_own_time(r) && now > r->limit_ms)
        r->deadline_ms += now - r->limit_ms;
}

static void probe_over(struct origin *o, struct origin_read *r)
{
    struct site *t = &o->sites[r->site];
    bool stopped = r->end == READ_CANCELLED || r->end == READ_OFFLINE;

    if (!r->status)
        site_worked(o, t, r->asked_ms);
    else if (!stopped)
        site_failed(o, t, r->asked_ms, true, &r->err);
    finish(o, r, r->status, &r->err);
}

/* Another place's turn. */
static void go_elsewhere(struct origin *o, struct origin_read *r)
{
    r->tried |= 1u << r->site;
    if (!r->whole)
        r->have += min_u64(atomic_load(&r->got), r->io.len);
    if (r->have == r->read->len)
        finish(o, r, 0, NULL);
    else
        read_go(o, r);
}

void read_attempt_over(struct origin *o, struct origin_read *r)
{
    struct site *t = &o->sites[r->site];

    make_up_time(r);
    take_blocking(r);
    channel_put(r->channel);
    r->channel = NULL;
    r->state = READ_NEW;
    explain_end(o, r);
    if (!r->read) {
        probe_over(o, r);
    } else if (!r->status) {
        site_worked(o, t, r->asked_ms);
        finish(o, r, 0, NULL);
    } else if (r->end == READ_CANCELLED || r->end == READ_OFFLINE) {
        finish_stopped(o, r, r->end);
    } else if (r->end == READ_MOVED && r->err.kind == ERR_CANCELLED) {
        go_elsewhere(o, r);
    } else if (is_final(r->err.kind)) {
        finish(o, r, r->status, &r->err);
    } else {
        site_failed(o, t, r->asked_ms, r->fair, &r->err);
        note_failure(r, &r->err);
        go_elsewhere(o, r);
    }
}

/* --- the way --------------------------------------------------------------------------------- */

void read_begin(struct origin *o, struct origin_read *r)
{
    append(o, r);
    note_oldest(o);
}

static bool ends_now(struct origin *o, struct origin_read *r)
{
    if (atomic_load(&r->cancelled) || o->stopping)
        finish_stopped(o, r, READ_CANCELLED);
    else if (o->is_offline)
        finish_stopped(o, r, READ_OFFLINE);
    else if (monotonic_ms() >= r->deadline_ms)
        finish_late(o, r);
    else
        return false;
    return true;
}

static bool is_inside(const struct origin *o, const struct source_read *read)
{
    return read->offset <= o->base.size && read->len <= o->base.size - read->offset;
}

static void finish_outside(struct origin *o, struct origin_read *r)
{
    struct err e;
    int status = err_set(&e, ERR_TRUNCATED,
                         "%s: %zu bytes at %llu were asked for, the package has %llu", o->base.name,
                         r->read->len, (unsigned long long)r->read->offset,
                         (unsigned long long)o->base.size);

    finish(o, r, status, &e);
}

void read_go(struct origin *o, struct origin_read *r)
{
    if (!is_inside(o, r->read)) {
        finish_outside(o, r);
        return;
    }
    while (!ends_now(o, r)) {
        struct site *t = site_choose(o, r->tried | r->not_from);
        if (!t) {
            finish_failed(o, r);
            return;
        }
        r->site = site_index(o, t);
        if (t->channel && !is_crowded(o, t)) {
            ask(o, r, t);
            return;
        }
        if (t->channel ? !site_is_stuck(o, t) : site_open(o, t)) {
            r->state = READ_WAITING;
            return;
        }
        r->tried |= 1u << r->site;
        note_failure(r, &t->error);
    }
}

void read_stop(struct origin *o, struct origin_read *r, enum read_end why)
{
    if (r->state != READ_ASKED) {
        if (why == READ_TOO_LATE)
            finish_late(o, r);
        else
            finish_stopped(o, r, why);
        return;
    }
    r->end = why;
    if (!r->blocking) {
        pthread_mutex_lock(&o->lock);
        if (!r->over)
            source_cancel(r->channel->source, &r->io);
        pthread_mutex_unlock(&o->lock);
    } else if (blocking_abandon(r->blocking)) {
        r->blocking = NULL;
        r->status = err_set(&r->err, ERR_CANCELLED, "%s: cancelled", o->base.name);
        read_attempt_over(o, r);
    }
}

void read_promote(struct origin *o, struct origin_read *r)
{
    if (!(r->flags & SOURCE_READ_LOW))
        return;
    r->flags &= ~(unsigned)(SOURCE_READ_LOW | SOURCE_READ_AHEAD);
    if (r->state != READ_ASKED || r->blocking)
        return;
    r->limit_ms += monotonic_ms() - r->asked_ms; /* its time may begin to run only now */
    r->deadline_ms = max_u64(r->deadline_ms, r->limit_ms);
    pthread_mutex_lock(&o->lock);
    if (!r->over)
        source_promote(r->channel->source, &r->io);
    pthread_mutex_unlock(&o->lock);
}

void read_site_failed(struct origin *o, unsigned site, const struct err *e)
{
    for (struct origin_read *r = o->reads; r; r = r->next)
        if (r->state == READ_WAITING && r->site == site) {
            r->tried |= 1u << site;
            note_failure(r, e);
        }
}

void read_rebalance(struct origin *o)
{
    for (struct origin_read *r = o->reads, *next; r; r = next) {
        const struct site *t = &o->sites[r->site];
        next = r->next;
        if (r->read && r->state == READ_ASKED && r->end == READ_GOES_ON && !site_is_good(t) &&
            !atomic_load(&r->got) && site_any_good(o, r->tried | r->not_from | 1u << r->site))
            read_stop(o, r, READ_MOVED);
    }
}

/* --- probes ---------------------------------------------------------------------------------- */

void read_probe(struct origin *o, unsigned site)
{
    struct origin_read *r = calloc(1, sizeof *r);
    struct site *t = &o->sites[site];
    uint64_t now = monotonic_ms();

    if (!r) {
        t->until_ms = now + o->settings->holdoff_first_ms;
        return;
    }
    r->origin = o;
    r->site = site;
    r->begun_ms = now;
    r->deadline_ms = now + min_u64(o->settings->connection.io_timeout_ms, ORIGIN_PROBE_MS);
    r->flags = SOURCE_READ_ONCE;
    r->io.offset = o->base.size - 1;
    r->io.len = 1;
    r->io.buf = &r->probe_byte;
    t->probing = true;
    source_drop_head(t->channel->source); /* memory says nothing about the place */
    append(o, r);
    ask(o, r, t);
}

/* --- by and by ------------------------------------------------------------------------------- */

/* A source of its own accord ends by its deadline; it is ended when it does not. What waits for a
 * thread looks again now and then, since threads that were given up come back silently. */
uint64_t read_next_ms(const struct origin_read *r)
{
    if (r->state != READ_ASKED)
        return min_u64(r->deadline_ms, r->origin->sites[r->site].channel
                                           ? monotonic_ms() + ORIGIN_SLACK_MS
                                           : UINT64_MAX);
    if (r->end != READ_GOES_ON || keeps_own_time(r))
        return UINT64_MAX;
    return r->limit_ms + (r->blocking ? 0 : ORIGIN_SLACK_MS);
}

void read_timer(struct origin *o, struct origin_read *r, uint64_t now)
{
    if (r->state != READ_ASKED) {
        if (now >= r->deadline_ms)
            read_stop(o, r, READ_TOO_LATE);
        else if (o->sites[r->site].channel)
            o->look_again = true;
        return;
    }
    if (now >= read_next_ms(r))
        read_stop(o, r, now >= r->deadline_ms ? READ_TOO_LATE : READ_TOO_SLOW);
}
