/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One place of an origin: opening it, comparing its object, its health. See origin_impl.h. */
#include "config.h"

#include "fetch/origin_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fetch/holdoff.h"
#include "src/clock.h"

/* --- choosing -------------------------------------------------------------------------------- */

/* Whether A, which comes behind B in the order, is the better choice all the same. */
static bool is_better(const struct site *a, const struct site *b)
{
    if (site_is_good(a) != site_is_good(b))
        return site_is_good(a);
    if (site_is_good(a))
        return a->channel && !b->channel;
    return a->failed < b->failed;
}

struct site *site_choose(struct origin *o, unsigned without)
{
    struct site *best = NULL;

    for (size_t i = 0; i < o->settings->count; i++) {
        struct site *t = &o->sites[i];
        if (!(without & 1u << i) && !t->refused && (!best || is_better(t, best)))
            best = t;
    }
    return best;
}

bool site_any_good(const struct origin *o, unsigned without)
{
    for (size_t i = 0; i < o->settings->count; i++)
        if (!(without & 1u << i) && site_is_good(&o->sites[i]))
            return true;
    return false;
}

/* --- health ---------------------------------------------------------------------------------- */

/* The log tells of the way back what it told of the way there, however many lines there were. */
static bool may_say(struct origin *o)
{
    unsigned more;

    return log_limit_allows(&o->lines, &more);
}

/* One line when nothing works any more, one when something does again. */
static void look_at_connection(struct origin *o, const struct site *t)
{
    bool connected = site_any_good(o, 0);

    if (connected == atomic_load(&o->connected))
        return;
    atomic_store(&o->connected, connected);
    if (!connected) {
        o->lost_ms = monotonic_ms();
        o->said_lost = !o->start.wanted && may_say(o);
        if (o->said_lost)
            log_warning("origin",
                        "disconnected, going on with what is cached source=%s kind=%s error=\"%s\"",
                        o->base.name, err_kind_name(t->error.kind), t->error.text);
        return;
    }
    site_retry_now(o); /* what was in the way may have been in the way of all */
    if (o->said_lost)
        log_info("origin", "connected again place=%s after_s=%" PRIu64, site_name(o, t),
                 (monotonic_ms() - o->lost_ms) / 1000);
}

void site_retry_now(struct origin *o)
{
    uint64_t now = monotonic_ms();

    for (size_t i = 0; i < o->settings->count; i++) {
        struct site *t = &o->sites[i];
        uint64_t most = o->settings->holdoff_first_ms;
        uint64_t soon = now + most * origin_chance(o) / UINT32_MAX;
        if (t->failed && !t->refused && t->until_ms > soon)
            t->until_ms = soon;
    }
}

void site_worked(struct origin *o, struct site *t, uint64_t begun_ms)
{
    t->answered_ms = monotonic_ms();
    if (!t->failed || begun_ms < t->failed_ms)
        return;
    t->failed = 0;
    t->refused = false;
    if (t->said_failed)
        log_info("origin", "place is back place=%s", site_name(o, t));
    t->said_failed = false;
    look_at_connection(o, t);
    o->look_again = true;
    o->rebalance = true;
}

static void hold_off(struct origin *o, struct site *t, uint32_t first_ms, uint32_t most_ms)
{
    t->failed++;
    t->failed_ms = monotonic_ms();
    uint32_t wait = holdoff_ms(t->failed, first_ms, most_ms, origin_chance(o));
    t->until_ms = t->failed_ms + wait;
    o->look_again = true;
    o->rebalance = true;
    if (t->failed == 1 && !t->refused && o->settings->count > 1 && may_say(o)) {
        t->said_failed = true;
        log_warning("origin",
                    "place fails, others are asked place=%s kind=%s holdoff_ms=%" PRIu32
                    " error=\"%s\"",
                    site_name(o, t), err_kind_name(t->error.kind), wait, t->error.text);
    }
    look_at_connection(o, t);
}

/* Whether the place may work again only when it is opened anew. */
static bool needs_opening(const struct site *t, enum err_kind kind)
{
    return kind == ERR_OBJECT_CHANGED || kind == ERR_NOT_FOUND || kind == ERR_TRUNCATED ||
           (t->channel && source_is_immediate(t->channel->source));
}

/*
 * Failures that are known of at the same time count once: those during a hold-off do not make it
 * longer. A timeout says nothing against a place that has answered others meanwhile.
 */
void site_failed(struct origin *o, struct site *t, uint64_t begun_ms, bool fair,
                 const struct err *e)
{
    uint64_t now = monotonic_ms();

    t->failures++;
    t->error = *e;
    if (e->kind == ERR_TIMEOUT && (!fair || t->answered_ms > begun_ms))
        return;
    if (needs_opening(t, e->kind))
        site_leave_channel(o, t);
    if (t->failed && (now < t->until_ms || begun_ms < t->failed_ms))
        return;
    if (e->kind == ERR_UNSUPPORTED) /* a scheme, say, that will not be supported any sooner */
        hold_off(o, t, o->settings->holdoff_refused_ms, o->settings->holdoff_refused_ms);
    else
        hold_off(o, t, o->settings->holdoff_first_ms, o->settings->holdoff_most_ms);
}

/* --- opening --------------------------------------------------------------------------------- */

void site_leave_channel(struct origin *o, struct site *t)
{
    struct channel *c = t->channel;
    struct source_stats s;

    if (!c)
        return;
    source_get_stats(c->source, &s);
    pthread_mutex_lock(&o->lock);
    origin_add_stats(&t->past, &s);
    t->channel = NULL;
    pthread_mutex_unlock(&o->lock);
    channel_put(c);
}

bool site_is_stuck(struct origin *o, struct site *t)
{
    struct err e;

    if (!atomic_load(&o->settings->busy[site_index(o, t)].stuck))
        return false;
    (void)err_set(&e, ERR_TIMEOUT, "%s: has not answered what it was asked before",
                  site_name(o, t));
    site_failed(o, t, monotonic_ms(), true, &e);
    return true;
}

bool site_open(struct origin *o, struct site *t)
{
    struct source_options options = o->settings->connection;
    uint64_t rest = options.io_timeout_ms, now = monotonic_ms();
    bool others = site_any_good(o, 1u << site_index(o, t));
    struct err e;

    if (t->opening)
        return true;
    if (site_is_stuck(o, t))
        return false;
    if (o->start.wanted) {
        rest = o->start.deadline_ms > now ? o->start.deadline_ms - now : 1;
        others = o->start.tried != (1u << o->settings->count) - 1;
    }
    options.once = others || (o->start.wanted && o->settings->impatient);
    options.io_timeout_ms = (unsigned)max_u64(others ? rest / 2 : rest, 1);
    size_t head = o->known ? ORIGIN_HEAD_BYTES : max_u64(o->head_bytes, ORIGIN_HEAD_BYTES);
    if (opening_start(o, site_index(o, t), &options, head, &t->opening, &e)) {
        site_failed(o, t, now, true, &e);
        return false;
    }
    o->openings++;
    return true;
}

static void learn_object(struct origin *o, const struct opening *op)
{
    o->base.size = op->size;
    o->head_len = op->head_len;
    memcpy(o->head, op->head, op->head_len);
    o->known = true;
}

/* 0, or ERR_OBJECT_CHANGED in E. */
static int compare_object(const struct origin *o, const struct site *t, const struct opening *op,
                          struct err *e)
{
    char what[80] = "its first bytes differ";

    if (op->size != o->base.size)
        (void)snprintf(what, sizeof what, "it has %" PRIu64 " bytes, not %" PRIu64, op->size,
                       o->base.size);
    else if (!memcmp(op->head, o->head, min_u64(op->head_len, o->head_len)))
        return 0;
    return err_set(e, ERR_OBJECT_CHANGED,
                   "%s: this is not the package that was opened (%s); unmount and mount again to "
                   "use it, or put the other one back",
                   site_name(o, t), what);
}

/* Whether every other place is refused, too. */
static bool is_last_resort(const struct origin *o, const struct site *t)
{
    for (size_t i = 0; i < o->settings->count; i++)
        if (&o->sites[i] != t && !o->sites[i].refused)
            return false;
    return true;
}

/* With nowhere else to go, the place is looked at as soon as one that fails otherwise: the old object
 * may have been put back. */
static void refuse(struct origin *o, struct site *t, const struct err *e)
{
    const struct origin_settings *s = o->settings;

    t->failures++;
    t->error = *e;
    t->refused = true;
    if (is_last_resort(o, t))
        hold_off(o, t, s->holdoff_first_ms, s->holdoff_most_ms);
    else
        hold_off(o, t, s->holdoff_refused_ms, s->holdoff_refused_ms);
    if (may_say(o)) {
        t->said_failed = true;
        log_warning("origin", "place has another object and is not used place=%s error=\"%s\"",
                    site_name(o, t), e->text);
    }
}

/* The preferred place's own name for itself: a file may have been found under another spelling.
 * Before origin_open() returns, nobody else looks at it. */
static void take_name(struct origin *o, const struct site *t)
{
    char *name = o->start.wanted && t == o->sites ? strdup(source_name(t->channel->source)) : NULL;

    if (name) {
        free(o->base.name);
        o->base.name = name;
    }
}

/* The place is open and has the object. */
static void take_channel(struct origin *o, struct site *t, struct opening *op, bool first)
{
    pthread_mutex_lock(&o->lock);
    t->channel = steal_ptr(&op->channel);
    pthread_mutex_unlock(&o->lock);
    if (!first || !o->head_bytes || o->head_dropped)
        source_drop_head(t->channel->source);
    take_name(o, t);
    site_worked(o, t, op->begun_ms);
}

static void opening_over(struct origin *o, struct site *t)
{
    t->opening = NULL;
    o->openings--;
    o->look_again = true;
}

/* A source's own deadline comes first; what is still not open then blocks in the kernel. */
static void give_opening_up(struct origin *o, struct site *t)
{
    struct opening *op = t->opening;
    uint64_t begun_ms = op->begun_ms;
    struct err e;

    op->ended = true;
    source_opening_cancel(&op->gate);
    if (!opening_abandon(op))
        return; /* just done: its outcome is in the inbox */
    opening_over(o, t);
    int status = err_set(&e, ERR_TIMEOUT, "%s: cannot be opened in time", site_name(o, t));
    site_failed(o, t, begun_ms, true, &e);
    read_site_failed(o, site_index(o, t), &e);
    if (o->start.wanted)
        origin_start_next(o, status, &e);
}

void site_opened(struct origin *o, struct opening *op)
{
    struct site *t = &o->sites[op->site];
    struct err e = op->err;
    int status = op->status;

    errand_join(op->errand);
    opening_over(o, t);
    bool first = !status && !o->known;
    if (first)
        learn_object(o, op);
    if (!status) {
        status = compare_object(o, t, op, &e);
        if (!status)
            take_channel(o, t, op, first);
        else
            refuse(o, t, &e);
    } else if (!op->ended) {
        site_failed(o, t, op->begun_ms, true, &e);
    }
    if (status)
        read_site_failed(o, op->site, &e);
    opening_free(op);
    if (o->start.wanted)
        origin_start_next(o, status, &e);
}

/* --- by and by ------------------------------------------------------------------------------- */

uint64_t site_next_ms(const struct origin *o, const struct site *t)
{
    bool rests = o->stopping || o->is_offline || o->start.wanted;

    if (t->opening)
        return t->opening->ended ? UINT64_MAX : t->opening->limit_ms;
    return t->failed && !t->probing && !rests ? t->until_ms : UINT64_MAX;
}

/* The hold-off is over: finds out how the place is now. */
void site_timer(struct origin *o, struct site *t, uint64_t now)
{
    if (now < site_next_ms(o, t))
        return;
    if (t->opening) {
        give_opening_up(o, t);
        return;
    }
    t->refused = false;
    if (t->channel && o->base.size)
        read_probe(o, site_index(o, t));
    else
        (void)site_open(o, t); /* a failure is noted */
}
