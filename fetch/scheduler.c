/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Queue by priority, merging, source reads. See scheduler.h. */
#include "config.h"

#include "fetch/scheduler.h"

#include "fetch/batch.h"
#include "fetch/request.h"
#include "fetch/source.h"

#define BATCH_BLOCKS_MAX 1024u

/* --- queue ----------------------------------------------------------------------------------- */

void scheduler_push(struct engine *en, struct flight *f, enum engine_priority prio)
{
    struct flight_queue *q = &en->queues[prio];

    f->state = FLIGHT_QUEUED;
    f->prio = prio;
    f->stamp = en->clock++;
    f->next = NULL;
    f->prev = q->last;
    if (q->last)
        q->last->next = f;
    else
        q->head = f;
    q->last = f;
    q->count++;
}

void scheduler_unqueue(struct engine *en, struct flight *f)
{
    struct flight_queue *q = &en->queues[f->prio];

    if (f->prev)
        f->prev->next = f->next;
    else
        q->head = f->next;
    if (f->next)
        f->next->prev = f->prev;
    else
        q->last = f->prev;
    q->count--;
    f->prev = f->next = NULL;
    f->state = FLIGHT_TAKEN;
}

void scheduler_fail_queued(struct engine *en, uint64_t stamp, int status, const struct err *e)
{
    struct flight *list = NULL, *next;

    pthread_mutex_lock(&en->lock);
    for (unsigned prio = 0; prio < ENGINE_PRIORITIES; prio++) {
        for (struct flight *f = en->queues[prio].head; f; f = next) {
            next = f->next;
            if (f->stamp >= stamp)
                continue;
            scheduler_unqueue(en, f);
            f->next = list;
            list = f;
        }
    }
    pthread_mutex_unlock(&en->lock);
    for (; list; list = next) {
        next = list->next;
        (void)flight_finish(en, list, status, NULL, e); /* whoever waits is told */
    }
}

/* --- merging --------------------------------------------------------------------------------- */

/* What one source read is to bring: blocks in order of their stored bytes. */
struct selection {
    uint64_t begin, end; /* stored bytes */
    uint32_t before, after;
    struct flight *lower[BATCH_BLOCKS_MAX / 2]; /* before the chosen one, nearest first */
    struct flight *upper[BATCH_BLOCKS_MAX / 2]; /* the chosen one and after it */
};

static enum read_rank rank_of(enum engine_priority prio)
{
    if (prio == ENGINE_DEMAND)
        return READ_DEMAND;
    return prio == ENGINE_READAHEAD ? READ_AHEAD : READ_LOW;
}

/* The record to serve next, or NULL. Needs en->lock. */
static struct flight *choose(const struct engine *en)
{
    if (en->queues[ENGINE_DEMAND].head)
        return en->queues[ENGINE_DEMAND].head;
    for (unsigned prio = ENGINE_DEMAND + 1; prio < ENGINE_PRIORITIES; prio++)
        if (en->queues[prio].head &&
            (en->immediate || en->ranks[rank_of(prio)] < en->o.max_low_reads))
            return en->queues[prio].head;
    return NULL;
}

/* Whether F may ride with CHOSEN in a read of SPAN bytes: what is less urgent must not make what is
 * more urgent wait long. */
static bool may_join(const struct flight *f, const struct flight *chosen, uint64_t span,
                     uint64_t span_max)
{
    return span <= (f->prio > chosen->prio ? span_max / 4 : span_max);
}

/* How many bytes may be read between blocks A and B for nothing. What the container has between two that are
 * next to each other is no block that somebody else might fetch: the headers of a ZIP archive. */
static uint64_t gap_max(const struct engine *en, const struct flight *chosen, uint32_t a, uint32_t b)
{
    bool wasteful = chosen->prio != ENGINE_DEMAND && !en->immediate;

    return wasteful && b - a > 1 ? 0 : en->o.merge_gap;
}

/* Collects CHOSEN and its queued neighbours, BLOCKS_MAX at most. Needs en->lock. */
static void select_neighbours(const struct engine *en, struct flight *chosen, uint64_t span_max,
                              uint32_t blocks_max, struct selection *s)
{
    const struct block *block = package_block(en->package, chosen->block);
    uint32_t side_max = (uint32_t)min_u64(blocks_max, ARRAY_LEN(s->upper));
    uint64_t slice = block->offset / ENGINE_SLICE;
    uint32_t last = chosen->block;
    struct flight *f;

    *s = (struct selection){ .begin = block->offset, .end = block->offset + block->stored_len };
    s->upper[s->after++] = chosen;
    for (uint32_t i = chosen->block + 1; i < en->info->block_count; i++) {
        block = package_block(en->package, i);
        if (s->after == side_max || block->offset < s->end ||
            block->offset - s->end > gap_max(en, chosen, last, i) || block->offset / ENGINE_SLICE != slice)
            break;
        f = inflight_find(&en->inflight, i);
        if (!f || f->state != FLIGHT_QUEUED || f->tries)
            continue;
        uint64_t end = block->offset + block->stored_len;
        if (!may_join(f, chosen, end - s->begin, span_max))
            break;
        s->upper[s->after++] = f;
        s->end = end;
        last = i;
    }
    last = chosen->block;
    for (uint32_t i = chosen->block; i-- > 0;) {
        block = package_block(en->package, i);
        uint64_t end = block->offset + block->stored_len;
        if (s->before == ARRAY_LEN(s->lower) || s->before + s->after >= blocks_max ||
            end > s->begin || s->begin - end > gap_max(en, chosen, i, last) ||
            block->offset / ENGINE_SLICE != slice)
            break;
        f = inflight_find(&en->inflight, i);
        if (!f || f->state != FLIGHT_QUEUED || f->tries)
            continue;
        if (!may_join(f, chosen, s->end - block->offset, span_max))
            break;
        s->lower[s->before++] = f;
        s->begin = block->offset;
        last = i;
    }
}

/* Moves what was selected from the queues into B. Needs en->lock. */
static void take_selected(struct engine *en, const struct selection *s, struct batch *b)
{
    for (uint32_t i = s->before; i-- > 0;) {
        scheduler_unqueue(en, s->lower[i]);
        batch_add(b, s->lower[i]);
    }
    for (uint32_t i = 0; i < s->after; i++) {
        scheduler_unqueue(en, s->upper[i]);
        batch_add(b, s->upper[i]);
    }
}

/* --- source reads ---------------------------------------------------------------------------- */

static void read_done(struct source_read *io, int status, const struct err *e);
static void read_progress(struct source_read *io, size_t got);
static void read_over(struct batch *b, int status, const struct err *e);

static unsigned read_flags(const struct batch *b, const struct flight *chosen)
{
    static const unsigned flags[READ_RANKS] = { [READ_AHEAD] = SOURCE_READ_LOW | SOURCE_READ_AHEAD,
                                                [READ_LOW] = SOURCE_READ_LOW };

    return flags[b->rank] | (chosen->tries ? SOURCE_READ_FRESH : 0) |
           (chosen->tries > 1 ? SOURCE_READ_ELSEWHERE : 0);
}

/* CHOSEN has come to the disk cache since it was queued: a batch of it alone. NULL and *VICTIM as
 * below. Needs en->lock. */
static struct batch *take_cached(struct engine *en, struct flight *chosen, struct flight **victim)
{
    struct batch *b = batch_new(en, 1);

    if (b) {
        scheduler_unqueue(en, chosen);
        batch_add(b, chosen);
        batch_open(b);
    } else if (!en->reads) {
        scheduler_unqueue(en, chosen);
        *victim = chosen;
    }
    return b;
}

/*
 * The next source read to start, registered as under way, or NULL: nothing queued, or no place, or
 * no memory at present. Or what is to be read from the disk cache after all: has no io.buf. When there
 * is no memory at all and nothing that would give any back, *VICTIM is a record for the caller to fail.
 * Needs en->lock.
 */
static struct batch *next_read(struct engine *en, struct flight **victim)
{
    struct selection s;
    uint8_t *buf;
    struct flight *chosen = en->stopping || en->reads >= en->o.max_reads ? NULL : choose(en);

    if (!chosen)
        return NULL;
    if (en->o.cache && !chosen->tries && cache_has(en->o.cache, chosen->block))
        return take_cached(en, chosen, victim);
    select_neighbours(en, chosen, chosen->tries ? 0 : en->o.max_request,
                      chosen->tries ? 1 : BATCH_BLOCKS_MAX, &s);
    int rc = buffers_take(&en->transit, (size_t)(s.end - s.begin), &buf);
    if (rc == -EAGAIN && s.before + s.after > 1 && (chosen->prio == ENGINE_DEMAND || !en->reads)) {
        select_neighbours(en, chosen, 0, 1, &s); /* alone, then */
        rc = buffers_take(&en->transit, (size_t)(s.end - s.begin), &buf);
    }
    if (rc == -EAGAIN)
        return NULL; /* some buffer is out; its return dispatches again */
    struct batch *b = rc ? NULL : batch_new(en, s.before + s.after);
    if (!b) {
        if (!rc)
            buffers_give(&en->transit, buf, (size_t)(s.end - s.begin));
        if (!en->reads) {
            scheduler_unqueue(en, chosen);
            *victim = chosen;
        }
        return NULL;
    }
    b->rank = rank_of(chosen->prio);
    b->stamp = en->clock++;
    b->io = (struct source_read){ .offset = s.begin, .len = (size_t)(s.end - s.begin), .buf = buf,
                                  .flags = read_flags(b, chosen), .place = chosen->place,
                                  .done = read_done, .progress = read_progress, .arg = b };
    take_selected(en, &s, b);
    for (uint32_t i = 0; i < b->count; i++)
        b->entries[i].flight->batch = b;
    b->next = en->reading;
    if (b->next)
        b->next->prev = b;
    en->reading = b;
    en->reads++;
    en->ranks[b->rank]++;
    en->callbacks++;
    return b;
}

/* Has the decoders work on what is ready of B. */
static void work_in_pool(struct engine *en, struct batch *b)
{
    uint32_t taken = atomic_load(&b->taken), ready = atomic_load(&b->ready);

    if (taken >= ready)
        return;
    unsigned shares = (ready - taken + en->group - 1) / en->group;
    if (shares > en->o.decoders)
        shares = en->o.decoders;
    if (!decoders_submit(en->decoders, &b->job, shares)) {
        struct workspace *ws = decoders_borrow(en->decoders);
        batch_work(b, ws);
        decoders_return(en->decoders, ws);
    }
}

/* Leaves a call of the source; what the source completed from within is dealt with now, without the
 * lock. Needs b->cancel_lock and gives it up. */
static void leave_source(struct batch *b)
{
    b->inside = false;
    bool deferred = b->deferred;
    b->deferred = false;
    pthread_mutex_unlock(&b->cancel_lock);
    if (deferred)
        read_over(b, b->status, &b->err);
}

static void start_read(struct engine *en, struct batch *b)
{
    job_get(&b->job); /* the read may be over before source_start() returns */
    pthread_mutex_lock(&b->cancel_lock);
    b->inside = true;
    b->started = true;
    if (b->cancel_early) {
        struct err e;
        read_done(&b->io, err_set(&e, ERR_CANCELLED, "cancelled before it was sent"), &e);
    } else {
        source_start(en->source, &b->io);
    }
    leave_source(b);
    batch_put(b);
}

static void work_on_cached(struct engine *en, struct batch *b)
{
    work_in_pool(en, b);
    batch_put(b);
}

void scheduler_dispatch(struct engine *en)
{
    struct err e;

    if (en->immediate)
        return;
    pthread_mutex_lock(&en->lock);
    /* One dispatcher at a time, so that a source that completes at once does not make this recurse.
     * What others queue meanwhile, it sees: it looks once more before it leaves. */
    if (!en->dispatching) {
        en->dispatching = true;
        for (;;) {
            struct flight *victim = NULL;
            struct batch *b = next_read(en, &victim);
            if (!b && !victim)
                break;
            pthread_mutex_unlock(&en->lock);
            if (b && b->io.buf)
                start_read(en, b);
            else if (b)
                work_on_cached(en, b);
            else
                (void)flight_finish(en, victim, err_nomem(&e), NULL, &e); /* waiters are told */
            pthread_mutex_lock(&en->lock);
        }
        en->dispatching = false;
    }
    pthread_mutex_unlock(&en->lock);
}

/* Queues a record again if somebody wants it, or forgets it. Needs en->lock. */
static void put_back(struct engine *en, struct flight *f)
{
    if (flight_is_wanted(f))
        scheduler_push(en, f, f->first ? ENGINE_DEMAND : f->prio);
    else
        inflight_drop(&en->inflight, f);
}

/* Puts back what somebody has come to want since the read was cancelled. Needs en->lock. */
static void requeue(struct engine *en, struct batch *b)
{
    uint32_t ready = atomic_load(&b->ready);

    for (uint32_t i = ready; i < b->count; i++)
        put_back(en, b->entries[i].flight);
    b->count = ready;
}

void scheduler_requeue(struct engine *en, struct flight *f)
{
    struct err e;

    pthread_mutex_lock(&en->lock);
    bool stopping = en->stopping;
    if (!stopping)
        put_back(en, f);
    pthread_mutex_unlock(&en->lock);
    if (stopping)
        (void)flight_finish(en, f, err_set(&e, ERR_CANCELLED, "the package is being closed"), NULL,
                            &e); /* whoever waits is told */
    else
        scheduler_dispatch(en);
}

bool scheduler_retry(struct engine *en, struct flight *f, unsigned place)
{
    unsigned tries_max = source_places(en->source) > 1 ? 2 : 1;

    pthread_mutex_lock(&en->lock);
    bool again = f->tries < tries_max && !en->stopping;
    if (again) {
        f->tries++;
        f->place = place;
        scheduler_push(en, f, f->first ? ENGINE_DEMAND : f->prio);
    }
    pthread_mutex_unlock(&en->lock);
    if (again)
        scheduler_dispatch(en);
    return again;
}

/* Whether somebody waits for one of B's records [from, to). Needs en->lock. */
static bool is_awaited(const struct batch *b, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (b->entries[i].flight->first)
            return true;
    return false;
}

/* Lets workers take B's entries before TO: their bytes have arrived. Needs en->lock. */
static void release_entries(struct batch *b, uint32_t to)
{
    for (uint32_t i = atomic_load(&b->ready); i < to; i++)
        b->entries[i].flight->batch = NULL;
    atomic_store_explicit(&b->ready, to, memory_order_release);
}

/* What has arrived is decoded while the rest is on its way: at once if somebody waits for it, else a
 * group at a time. */
static void read_progress(struct source_read *io, size_t got)
{
    struct batch *b = io->arg;
    struct engine *en = b->engine;
    uint32_t from = atomic_load(&b->ready), to = from; /* nobody else writes it meanwhile */

    while (to < b->count && batch_entry_end(b, to) <= got)
        to++;
    if (to == from)
        return;
    pthread_mutex_lock(&en->lock);
    bool go = to - from >= en->group || is_awaited(b, from, to);
    if (go)
        release_entries(b, to);
    pthread_mutex_unlock(&en->lock);
    if (go && !decoders_submit(en->decoders, &b->job, 1))
        return; /* no thread to do it: they are decoded when the read is over */
}

/* Completion of a source read, in any thread. */
static void read_done(struct source_read *io, int status, const struct err *e)
{
    struct batch *b = io->arg;
    struct err copy;

    if (!status || !e)
        (void)err_set(&copy, ERR_SYSTEM, "read failed");
    else
        copy = *e;
    pthread_mutex_lock(&b->cancel_lock);
    bool inside = b->inside; /* only ever seen by the thread that is inside */
    b->returned = true;
    if (inside) {
        b->deferred = true;
        b->status = status;
        b->err = copy;
    }
    pthread_mutex_unlock(&b->cancel_lock);
    if (!inside)
        read_over(b, status, &copy);
}

/* What follows a completion. No lock may be held. */
static void read_over(struct batch *b, int status, const struct err *e)
{
    struct engine *en = b->engine;

    pthread_mutex_lock(&en->lock);
    if (b->prev)
        b->prev->next = b->next;
    else
        en->reading = b->next;
    if (b->next)
        b->next->prev = b->prev;
    en->reads--;
    en->ranks[b->rank]--;
    bool awaited = b->rank == READ_DEMAND;
    uint32_t arrived = atomic_load(&b->ready);
    for (uint32_t i = arrived; i < b->count; i++)
        b->entries[i].flight->batch = NULL;
    if (status && b->cancelled && !en->stopping)
        requeue(en, b);
    if (!status)
        release_entries(b, b->count);
    pthread_mutex_unlock(&en->lock);

    work_in_pool(en, b);
    if (status) {
        batch_fail(b, arrived, status, e);
        /* A read that was over its deadline had been waited for less long than what was queued
         * before it began: nobody waits for two deadlines. */
        if (e->kind == ERR_TIMEOUT && awaited) {
            scheduler_fail_queued(en, b->stamp, status, e);
            request_fail_unadmitted(en, b->stamp, status, e);
        }
    }
    batch_put(b);
    scheduler_dispatch(en);

    pthread_mutex_lock(&en->lock);
    en->callbacks--;
    if (en->stopping && !en->callbacks)
        pthread_cond_broadcast(&en->ended);
    pthread_mutex_unlock(&en->lock);
}

/* --- cancellation ---------------------------------------------------------------------------- */

/* Puts B on the list of those to be cancelled, unless it is on one already. Needs en->lock. */
static void list_for_cancel(struct batch *b, struct batch **cancel)
{
    if (b->cancelled)
        return;
    b->cancelled = true;
    job_get(&b->job);
    b->cancel_next = *cancel;
    *cancel = b;
}

void scheduler_collect_reads(struct engine *en, struct batch **cancel)
{
    for (struct batch *b = en->reading; b; b = b->next)
        list_for_cancel(b, cancel);
}

void scheduler_abandon(struct engine *en, struct flight *f, struct batch **cancel)
{
    struct batch *b = f->batch;

    if (flight_is_wanted(f))
        return;
    if (f->state == FLIGHT_QUEUED) {
        scheduler_unqueue(en, f);
        inflight_drop(&en->inflight, f);
        return;
    }
    if (!b)
        return; /* being decoded */
    for (uint32_t i = atomic_load(&b->ready); i < b->count; i++)
        if (flight_is_wanted(b->entries[i].flight))
            return;
    list_for_cancel(b, cancel);
}

void scheduler_promote(struct engine *en, struct flight *f, struct batch **promote)
{
    struct batch *b = f->batch;

    if (!b || b->rank == READ_DEMAND)
        return;
    en->ranks[b->rank]--;
    b->rank = READ_DEMAND;
    en->ranks[b->rank]++;
    job_get(&b->job);
    b->promote_next = *promote;
    *promote = b;
}

void scheduler_promote_reads(struct engine *en, struct batch *promote)
{
    bool any = promote != NULL;

    while (promote) {
        struct batch *b = promote;
        promote = b->promote_next;
        pthread_mutex_lock(&b->cancel_lock);
        b->inside = true;
        if (!b->started)
            b->io.flags &= ~(unsigned)(SOURCE_READ_LOW | SOURCE_READ_AHEAD);
        else if (!b->returned)
            source_promote(en->source, &b->io);
        leave_source(b);
        batch_put(b);
    }
    if (any)
        scheduler_dispatch(en); /* there is a place for another that stands back */
}

void scheduler_cancel_reads(struct engine *en, struct batch *cancel)
{
    while (cancel) {
        struct batch *b = cancel;
        cancel = b->cancel_next;
        pthread_mutex_lock(&b->cancel_lock);
        b->inside = true;
        if (!b->started)
            b->cancel_early = true;
        else if (!b->returned)
            source_cancel(en->source, &b->io);
        leave_source(b);
        batch_put(b);
    }
}

/* --- immediate sources ----------------------------------------------------------------------- */

static struct batch *next_prefetch(struct engine *en)
{
    struct selection s;
    struct batch *b = NULL;

    pthread_mutex_lock(&en->lock);
    struct flight *chosen = choose(en);
    if (chosen) {
        /* Little at a time: what is not begun, a reader that catches up can do itself. */
        select_neighbours(en, chosen, decoders_staging_bytes(en->decoders), en->group, &s);
        b = batch_new(en, s.before + s.after);
        if (b)
            take_selected(en, &s, b);
    }
    pthread_mutex_unlock(&en->lock);
    return b;
}

void scheduler_pump(struct job *job, struct workspace *ws)
{
    struct engine *en = (struct engine *)((char *)job - offsetof(struct engine, pump));
    struct batch *b;

    while ((b = next_prefetch(en))) {
        batch_open(b);
        batch_work(b, ws);
        batch_put(b);
        if (decoders_busy(en->decoders)) {
            scheduler_start_pump(en); /* later, then */
            return;
        }
    }
}

void scheduler_start_pump(struct engine *en)
{
    uint32_t queued = 0;
    struct err e;

    pthread_mutex_lock(&en->lock);
    for (unsigned prio = 0; prio < ENGINE_PRIORITIES; prio++)
        queued += en->queues[prio].count;
    pthread_mutex_unlock(&en->lock);
    unsigned shares = (unsigned)min_u64(queued / (2 * en->group) + 1, en->o.decoders);
    if (queued && !decoders_submit(en->decoders, &en->pump, shares))
        scheduler_fail_queued(en, UINT64_MAX, err_nomem(&e), &e); /* hints: nobody waits */
}
