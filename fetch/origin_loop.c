/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The thread of an origin: takes what others have to tell it, and keeps the time. */
#include "config.h"

#include "fetch/origin_impl.h"

#include <time.h>

#include "src/clock.h"
#include "src/log.h"

/* xorshift: only to keep clients apart. */
uint32_t origin_chance(struct origin *o)
{
    uint32_t x = o->chance;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return o->chance = x;
}

/* --- opening the origin ---------------------------------------------------------------------- */

static void report_start(struct origin *o, int status, const struct err *e)
{
    o->start.wanted = false;
    pthread_mutex_lock(&o->lock);
    o->start.status = status;
    if (status)
        o->start.err = *e;
    o->start.done = true;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

void origin_start_next(struct origin *o, int status, const struct err *e)
{
    const unsigned all = (1u << o->settings->count) - 1;

    if (e && !status) {
        report_start(o, 0, NULL);
        return;
    }
    if (status && !o->start.first_status) {
        o->start.first_status = status;
        o->start.first = *e;
    }
    while (o->start.tried != all && (!e || monotonic_ms() < o->start.deadline_ms)) {
        unsigned i = (unsigned)__builtin_ctz(~o->start.tried);
        o->start.tried |= 1u << i;
        if (site_open(o, &o->sites[i]))
            return;
        e = &o->sites[i].error;
        if (!o->start.first_status) {
            o->start.first_status = -err_kind_errno(e->kind);
            o->start.first = *e;
        }
    }
    report_start(o, o->start.first_status, &o->start.first);
}

static void end_openings(struct origin *o)
{
    for (size_t i = 0; i < o->settings->count; i++)
        if (o->sites[i].opening) {
            o->sites[i].opening->ended = true;
            source_opening_cancel(&o->sites[i].opening->gate);
        }
}

static void cancel_start(struct origin *o)
{
    struct err e;
    int status = err_set(&e, ERR_CANCELLED, "%s: cancelled", o->base.name);

    end_openings(o);
    report_start(o, status, &e);
}

/* --- what others have to tell ---------------------------------------------------------------- */

static void do_ended(struct origin *o, struct origin_read *r)
{
    while (r) {
        struct origin_read *next = r->ended_next;
        read_attempt_over(o, r);
        r = next;
    }
}

static void do_opened(struct origin *o, struct opening *op)
{
    while (op) {
        struct opening *next = op->next;
        site_opened(o, op);
        op = next;
    }
}

static void do_started(struct origin *o, struct origin_read *r)
{
    while (r) {
        struct origin_read *next = r->next;
        read_begin(o, r);
        read_go(o, r);
        r = next;
    }
}

static void stop_reads(struct origin *o, enum read_end why)
{
    for (struct origin_read *r = o->reads, *next; r; r = next) {
        next = r->next;
        read_stop(o, r, why);
    }
}

static void do_cancels(struct origin *o)
{
    for (struct origin_read *r = o->reads, *next; r; r = next) {
        next = r->next;
        if (atomic_load(&r->cancelled))
            read_stop(o, r, READ_CANCELLED);
    }
}

static void do_promotes(struct origin *o)
{
    for (struct origin_read *r = o->reads; r; r = r->next)
        if (atomic_load(&r->promoted))
            read_promote(o, r);
}

static void open_preferred(struct origin *o)
{
    if (!o->sites[0].channel && !o->sites[0].failed)
        (void)site_open(o, &o->sites[0]); /* a failure is noted */
}

static void do_offline(struct origin *o)
{
    bool offline = atomic_load(&o->offline);

    if (offline == o->is_offline)
        return;
    o->is_offline = offline;
    log_info("origin", "%s source=%s",
             offline ? "offline: nobody is asked any more" : "online again", o->base.name);
    if (offline) {
        stop_reads(o, READ_OFFLINE);
        end_openings(o);
    } else {
        site_retry_now(o);
        open_preferred(o);
    }
}

static void do_drop_head(struct origin *o)
{
    o->head_dropped = true;
    for (size_t i = 0; i < o->settings->count; i++)
        if (o->sites[i].channel)
            source_drop_head(o->sites[i].channel->source);
}

static void do_stop(struct origin *o)
{
    o->stopping = true;
    stop_reads(o, READ_CANCELLED);
    end_openings(o);
}

static void do_timers(struct origin *o)
{
    uint64_t now = monotonic_ms();

    for (struct origin_read *r = o->reads, *next; r; r = next) {
        next = r->next;
        read_timer(o, r, now);
    }
    for (size_t i = 0; i < o->settings->count; i++)
        site_timer(o, &o->sites[i], now);
}

/* Ends: a read tries each place once at the most. */
static void do_look_again(struct origin *o)
{
    while (o->look_again || o->rebalance) {
        bool rebalance = o->rebalance;
        o->look_again = o->rebalance = false;
        if (rebalance)
            read_rebalance(o);
        for (struct origin_read *r = o->reads, *next; r; r = next) {
            next = r->next;
            if (r->state == READ_WAITING)
                read_go(o, r);
        }
    }
}

/* --- what others may see --------------------------------------------------------------------- */

static enum origin_place_state state_of(const struct site *t)
{
    return t->refused   ? ORIGIN_PLACE_REFUSED
           : t->failed  ? ORIGIN_PLACE_HELD_OFF
           : t->channel ? ORIGIN_PLACE_READY
           : t->opening ? ORIGIN_PLACE_OPENING
                        : ORIGIN_PLACE_UNOPENED;
}

void origin_show(struct origin *o)
{
    const struct site *chosen = o->is_offline ? NULL : site_choose(o, 0);

    pthread_mutex_lock(&o->lock);
    for (size_t i = 0; i < o->settings->count; i++) {
        const struct site *t = &o->sites[i];
        o->shown[i] = (struct origin_place){
            .name = o->settings->names[i],
            .state = state_of(t),
            .in_use = t == chosen,
            .reads = t->reads,
            .failures = t->failures,
            .error = t->error.kind,
            .wait_ms = t->failed ? t->until_ms : 0,
        };
    }
    pthread_mutex_unlock(&o->lock);
}

/* --- the loop -------------------------------------------------------------------------------- */

static uint64_t next_ms(const struct origin *o)
{
    uint64_t at = UINT64_MAX;

    for (const struct origin_read *r = o->reads; r; r = r->next)
        at = min_u64(at, read_next_ms(r));
    for (size_t i = 0; i < o->settings->count; i++)
        at = min_u64(at, site_next_ms(o, &o->sites[i]));
    return at;
}

/* Waits for something to be told, until AT_MS at the latest, and takes it. */
static struct inbox wait_for_inbox(struct origin *o, uint64_t at_ms)
{
    struct timespec t = { .tv_sec = (time_t)(at_ms / 1000),
                          .tv_nsec = (long)(at_ms % 1000) * 1000000 };

    pthread_mutex_lock(&o->lock);
    while (!o->inbox.any) {
        if (at_ms == UINT64_MAX)
            pthread_cond_wait(&o->changed, &o->lock);
        else if (pthread_cond_timedwait(&o->changed, &o->lock, &t))
            break;
    }
    struct inbox in = o->inbox;
    o->inbox = (struct inbox){ .any = false };
    pthread_mutex_unlock(&o->lock);
    return in;
}

static void handle(struct origin *o, const struct inbox *in)
{
    if (in->drop_head)
        do_drop_head(o);
    do_opened(o, in->opened);
    do_ended(o, in->ended);
    if (in->stop)
        do_stop(o);
    if (in->offline_changed)
        do_offline(o);
    do_started(o, in->started);
    if (in->cancel)
        do_cancels(o);
    if (in->promote)
        do_promotes(o);
    do_timers(o);
    do_look_again(o);
}

static void begin(struct origin *o)
{
    if (o->start.wanted)
        origin_start_next(o, 0, NULL);
    else if (!o->is_offline)
        open_preferred(o);
    origin_show(o);
}

/* done() of a read that is cancelled may have started another. */
static bool has_started_reads(struct origin *o)
{
    pthread_mutex_lock(&o->lock);
    bool has = o->inbox.started != NULL;
    pthread_mutex_unlock(&o->lock);
    return has;
}

/* Openings that do not end although they were told to are left behind. */
static void abandon_openings(struct origin *o)
{
    for (size_t i = 0; i < o->settings->count; i++) {
        struct opening *op = o->sites[i].opening;
        if (op && !opening_abandon(op)) {
            errand_join(op->errand);
            opening_free(op);
        }
    }
}

void *origin_loop(void *arg)
{
    struct origin *o = arg;
    uint64_t grace_ms = UINT64_MAX;

    begin(o);
    while (!o->stopping || o->reads || has_started_reads(o) ||
           (o->openings && monotonic_ms() < grace_ms)) {
        struct inbox in = wait_for_inbox(o, min_u64(next_ms(o), grace_ms));
        handle(o, &in);
        if (o->start.wanted && o->stopping)
            cancel_start(o);
        origin_show(o);
        if (o->stopping && grace_ms == UINT64_MAX)
            grace_ms = monotonic_ms() + ORIGIN_GRACE_MS;
    }
    abandon_openings(o);
    return NULL;
}
