/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads, from the caller's pieces to DONE. See request.h. */
#include "config.h"

#include "fetch/request.h"

#include <string.h>

#include "fetch/batch.h"
#include "fetch/engine_impl.h"
#include "fetch/scheduler.h"

struct engine_read {
    struct job job; /* first member: counted reference; runs in the pool when admitted late */
    struct engine *engine;
    engine_done_fn done;
    void *arg;
    uint8_t *buf;          /* the reply; NULL for a read of one piece */
    const uint8_t *direct; /* where the only piece is */
    size_t len;
    bool owns_buf;
    bool cancelled;        /* engine.lock */
    bool queued;           /* engine.admission_lock */
    uint64_t stamp;        /* engine.clock when it was queued */
    struct engine_read *prev, *next; /* engine.admission_lock */
    _Atomic uint32_t left; /* pieces not settled */
    atomic_flag failed;    /* STATUS and ERR are taken */
    int status;            /* before the last piece is settled: who set FAILED */
    struct err err;
    uint32_t count;
    struct waiter waiters[];
};

static void run(struct engine_read *r, struct workspace *ws);
static void admit(struct engine *en);

/* --- life ------------------------------------------------------------------------------------ */

static void run_job(struct job *job, struct workspace *ws)
{
    run((struct engine_read *)job, ws);
}

static void free_job(struct job *job)
{
    free(job);
}

static struct engine_read *request_new(struct engine *en, const struct piece *pieces,
                                       uint32_t count, size_t len)
{
    struct engine_read *r = malloc(sizeof *r + count * sizeof *r->waiters);
    if (!r)
        return NULL;
    job_init(&r->job, run_job, free_job);
    r->engine = en;
    r->buf = NULL;
    r->direct = NULL;
    r->len = len;
    r->owns_buf = r->cancelled = r->queued = false;
    r->prev = r->next = NULL;
    r->status = 0;
    r->err.kind = ERR_NONE;
    r->count = count;
    atomic_init(&r->left, count);
    atomic_flag_clear(&r->failed);
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        r->waiters[i] = (struct waiter){ .read = r, .block = pieces[i].block,
                                         .from = pieces[i].from, .len = pieces[i].len, .at = at };
        at += pieces[i].len;
    }
    return r;
}

void engine_read_release(struct engine *en, struct engine_read *handle)
{
    (void)en;
    if (handle)
        job_put(&handle->job);
}

/* --- settling pieces ------------------------------------------------------------------------- */

/* The first failure is the one that is told. To be called before the piece is settled. */
static void fail(struct engine_read *r, int status, const struct err *e)
{
    if (atomic_flag_test_and_set(&r->failed))
        return;
    r->status = status;
    if (e)
        r->err = *e;
}

static void finish(struct engine_read *r)
{
    struct engine *en = r->engine;
    const uint8_t *buf = r->buf ? r->buf : r->direct;
    bool ok = !r->status;

    if (r->status == -EINTR)
        count_up(&en->cancelled, 1);
    (void)atomic_fetch_sub(&en->waiting, 1);
    r->done(r->arg, r->status, ok ? buf : NULL, ok ? r->len : 0, ok ? NULL : &r->err);
    if (r->owns_buf) {
        buffers_give(&en->replies, r->buf, r->len);
        if (atomic_load(&en->admission_count))
            admit(en);
    }
    job_put(&r->job);
}

static void settle(struct engine_read *r, uint32_t pieces)
{
    if (pieces && atomic_fetch_sub_explicit(&r->left, pieces, memory_order_acq_rel) == pieces)
        finish(r);
}

static void place(const struct waiter *w, const uint8_t *block)
{
    struct engine_read *r = w->read;
    if (r->buf)
        memcpy(r->buf + w->at, block + w->from, w->len);
    else
        r->direct = block + w->from;
}

void request_answer(struct waiter *w, int status, const uint8_t *block, const struct err *e)
{
    struct engine_read *r = w->read;
    if (status)
        fail(r, status, e);
    else
        place(w, block);
    settle(r, 1);
}

/* --- running --------------------------------------------------------------------------------- */

/* What a read found in memory and on the disk. */
struct found {
    uint32_t settled; /* pieces copied from memory */
    bool first_hit;   /* some of these had been fetched ahead */
    bool local;       /* some of the others can be read without the network */
};

/* Copies what is in memory; returns the rest as a list. */
static struct waiter *copy_hits(struct engine_read *r, struct found *found)
{
    struct frames *frames = r->engine->frames;
    struct waiter *missing = NULL, **tail = &missing;

    for (uint32_t i = 0; i < r->count; i++) {
        struct waiter *w = &r->waiters[i];
        enum frames_hit hit = r->buf ? frames_pin(frames, w->block, &w->frame) : FRAMES_MISS;
        if (hit) {
            found->first_hit |= hit == FRAMES_FIRST_HIT;
            place(w, frames_data(frames, w->frame));
            frames_unpin(frames, w->frame);
            found->settled++;
        } else {
            w->local = engine_is_local(r->engine, w->block);
            found->local |= w->local;
            *tail = w;
            tail = &w->next;
        }
    }
    *tail = NULL;
    return missing;
}

/* The blocks of a read, as far as they are in a row. */
static void note_use(struct engine *en, uint32_t first, uint32_t last, uint32_t count)
{
    engine_note_use(en, first, last >= first && last - first < count ? last - first + 1 : 1);
}

/* What becomes of the missing pieces of a read that is being started. */
struct sorted {
    struct waiter *late;   /* came into memory meanwhile; pinned */
    struct waiter *failed; /* no memory for a record */
    uint32_t failed_count;
    struct batch *promote; /* source reads that were for nobody so far */
};

/* Parks one missing piece on its block's record. MINE collects the records that the calling thread
 * is to work on (those of local blocks). Needs en->lock. */
static void park(struct engine *en, struct waiter *w, struct batch *mine, struct sorted *sorted)
{
    struct flight *f = inflight_find(&en->inflight, w->block);

    if (f) {
        count_up(&en->joined, 1);
        if (f->state == FLIGHT_QUEUED && w->local) {
            scheduler_unqueue(en, f); /* prefetched, not begun: do it now */
            batch_add(mine, f);
        } else if (f->state == FLIGHT_QUEUED && f->prio != ENGINE_DEMAND) {
            scheduler_unqueue(en, f);
            scheduler_push(en, f, ENGINE_DEMAND);
        } else {
            scheduler_promote(en, f, &sorted->promote);
        }
    } else if (frames_pin(en->frames, w->block, &w->frame)) {
        w->next = sorted->late;
        sorted->late = w;
        return;
    } else {
        f = inflight_add(&en->inflight, w->block, false);
        if (!f) {
            w->next = sorted->failed;
            sorted->failed = w;
            sorted->failed_count++;
            return;
        }
        if (w->local)
            batch_add(mine, f);
        else
            scheduler_push(en, f, ENGINE_DEMAND);
    }
    count_up(&en->misses, 1);
    flight_attach(&en->inflight, f, w);
}

/* Parks all missing pieces, unless the read has been cancelled. */
static bool park_all(struct engine_read *r, struct waiter *missing, struct batch *mine,
                     struct sorted *sorted)
{
    struct engine *en = r->engine;

    pthread_mutex_lock(&en->lock);
    bool go = !en->stopping && !r->cancelled;
    for (struct waiter *w = missing, *next; go && w; w = next) {
        next = w->next;
        park(en, w, mine, sorted);
    }
    pthread_mutex_unlock(&en->lock);
    return go;
}

/* Reads and decodes the records of local blocks that this thread has taken upon itself. */
static void work(struct engine *en, struct batch *mine, struct workspace *ws)
{
    bool borrowed = !ws, shared = false;

    batch_open(mine);
    unsigned readers = atomic_fetch_add_explicit(&en->readers, 1, memory_order_relaxed) + 1;

    /* By the time a helper has woken up, this thread has decoded the first group. */
    if (mine->count >= 2 * en->group && readers < en->o.decoders) {
        unsigned spare = decoders_spare(en->decoders), shares = mine->count / en->group - 1;
        if (shares > spare)
            shares = spare;
        if (shares) {
            mine->group_max = en->group;
            shared = decoders_submit(en->decoders, &mine->job, shares);
        }
    }
    if (borrowed)
        ws = decoders_borrow(en->decoders);
    batch_work(mine, ws);
    if (borrowed)
        decoders_return(en->decoders, ws);
    if (shared)
        decoders_withdraw(en->decoders, &mine->job);
    (void)atomic_fetch_sub_explicit(&en->readers, 1, memory_order_relaxed);
}

/* Fails N pieces that are not parked. */
static void fail_pieces(struct engine_read *r, uint32_t n, int status, const struct err *e)
{
    fail(r, status, e);
    settle(r, n);
}

/* Serves an admitted read as far as this thread can. WS may be NULL. */
static void run(struct engine_read *r, struct workspace *ws)
{
    struct engine *en = r->engine;
    struct sorted sorted = { .late = NULL };
    struct batch *mine = NULL;
    struct err e;
    struct found found = { .settled = 0 };
    uint32_t missing_count, count = r->count;
    uint32_t first_block = r->waiters[0].block, last_block = r->waiters[count - 1].block;

    struct waiter *missing = copy_hits(r, &found);
    if (!missing) {
        settle(r, found.settled);
        if (found.first_hit)
            note_use(en, first_block, last_block, count);
        return;
    }
    missing_count = r->count - found.settled;
    job_get(&r->job); /* once pieces are parked, others may finish the read */
    settle(r, found.settled);
    if (found.local)
        mine = batch_new(en, missing_count);
    if (found.local && !mine) {
        fail_pieces(r, missing_count, err_nomem(&e), &e);
    } else if (!park_all(r, missing, mine, &sorted)) {
        fail_pieces(r, missing_count, err_set(&e, ERR_CANCELLED, "read was cancelled"), &e);
    } else {
        while (sorted.late) {
            struct waiter *w = sorted.late;
            uint32_t frame = w->frame;
            sorted.late = w->next;
            request_answer(w, 0, frames_data(en->frames, frame), NULL);
            frames_unpin(en->frames, frame);
        }
        if (sorted.failed_count)
            fail_pieces(r, sorted.failed_count, err_nomem(&e), &e);
        scheduler_promote_reads(en, sorted.promote);
        scheduler_dispatch(en); /* first: a server takes its time */
        note_use(en, first_block, last_block, count);
        if (mine && mine->count)
            work(en, mine, ws);
    }
    if (mine)
        batch_put(mine);
    job_put(&r->job);
}

/* --- admission ------------------------------------------------------------------------------- */

/* Needs en->admission_lock. */
static void admission_unlink(struct engine *en, struct engine_read *r)
{
    if (r->prev)
        r->prev->next = r->next;
    else
        en->admission_head = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        en->admission_last = r->prev;
    r->prev = r->next = NULL;
    r->queued = false;
    (void)atomic_fetch_sub(&en->admission_count, 1);
}

static void admission_enqueue(struct engine *en, struct engine_read *r)
{
    pthread_mutex_lock(&en->lock);
    r->stamp = en->clock++;
    pthread_mutex_unlock(&en->lock);

    pthread_mutex_lock(&en->admission_lock);
    r->queued = true;
    r->prev = en->admission_last;
    if (r->prev)
        r->prev->next = r;
    else
        en->admission_head = r;
    en->admission_last = r;
    (void)atomic_fetch_add(&en->admission_count, 1);
    pthread_mutex_unlock(&en->admission_lock);
}

/*
 * Lets in what fits now, in order. Reads that may find their blocks on the disk then go to the pool:
 * one thread would end up decoding for all, and one that is decoding already would wait for a second
 * workspace, with the first one in its hands. One thread at a time does this, so that a read that is
 * served at once and gives its buffer back does not make it recurse.
 */
static void admit(struct engine *en)
{
    bool may_decode = en->immediate || en->o.cache;
    struct engine_read *r;
    struct err e;

    pthread_mutex_lock(&en->admission_lock);
    if (en->admitting) {
        pthread_mutex_unlock(&en->admission_lock);
        return;
    }
    en->admitting = true;
    while ((r = en->admission_head)) {
        int rc = buffers_take(&en->replies, r->len, &r->buf);
        if (rc == -EAGAIN)
            break;
        admission_unlink(en, r);
        r->owns_buf = !rc;
        pthread_mutex_unlock(&en->admission_lock);
        if (rc)
            fail_pieces(r, r->count, err_nomem(&e), &e);
        else if (!may_decode || !decoders_submit(en->decoders, &r->job, 1))
            run(r, NULL);
        pthread_mutex_lock(&en->admission_lock);
    }
    en->admitting = false;
    pthread_mutex_unlock(&en->admission_lock);
}

void request_fail_unadmitted(struct engine *en, uint64_t stamp, int status, const struct err *e)
{
    for (;;) {
        pthread_mutex_lock(&en->admission_lock);
        struct engine_read *r = en->admission_head;
        bool old = r && r->stamp < stamp;
        if (old)
            admission_unlink(en, r);
        pthread_mutex_unlock(&en->admission_lock);
        if (!old)
            return;
        fail_pieces(r, r->count, status, e);
    }
}

/* --- interface ------------------------------------------------------------------------------- */

static int check_pieces(const struct engine *en, const struct piece *pieces, size_t count,
                        size_t *total, struct err *e)
{
    uint64_t len = 0;

    if (count > ENGINE_PIECES_MAX)
        return err_set(e, ERR_LIMIT, "a read of %zu pieces", count);
    for (size_t i = 0; i < count; i++) {
        const struct piece *p = &pieces[i];
        if (p->block >= en->info->block_count || !p->len)
            return err_set(e, ERR_INVALID, "piece %zu is of no block", i);
        uint32_t block_len = package_block(en->package, p->block)->len;
        if (p->from > block_len || p->len > block_len - p->from)
            return err_set(e, ERR_INVALID, "piece %zu is outside its block %u", i,
                           (unsigned)p->block);
        len += p->len;
    }
    if (len > ENGINE_READ_MAX)
        return err_set(e, ERR_LIMIT, "a read of %llu bytes", (unsigned long long)len);
    *total = (size_t)len;
    return 0;
}

/* The shortest way: one piece, in memory. */
static bool serve_pinned(struct engine *en, const struct piece *piece, engine_done_fn done,
                         void *arg)
{
    uint32_t frame;
    enum frames_hit hit = frames_pin(en->frames, piece->block, &frame);
    if (!hit)
        return false;
    done(arg, 0, frames_data(en->frames, frame) + piece->from, piece->len, NULL);
    frames_unpin(en->frames, frame);
    if (hit == FRAMES_FIRST_HIT)
        engine_note_use(en, piece->block, 1);
    return true;
}

void request_start(struct engine *en, const struct piece *pieces, size_t count, uint8_t *dest,
                   engine_done_fn done, void *arg, struct engine_read **handle)
{
    static const uint8_t nothing[1];
    struct engine_read *r = NULL;
    struct err e;
    size_t len = 0;

    if (handle)
        *handle = NULL;
    int rc = check_pieces(en, pieces, count, &len, &e);
    if (!rc && !count) {
        done(arg, 0, nothing, 0, NULL);
        return;
    }
    if (!rc && count == 1 && serve_pinned(en, pieces, done, arg))
        return;
    if (!rc) {
        r = request_new(en, pieces, (uint32_t)count, len);
        if (!r)
            rc = err_nomem(&e);
    }
    if (rc) {
        done(arg, rc, NULL, 0, &e);
        return;
    }
    r->done = done;
    r->arg = arg;
    r->buf = dest;
    if (handle) {
        job_get(&r->job);
        *handle = r;
    }
    (void)atomic_fetch_add(&en->waiting, 1);
    if (dest || count == 1) {
        run(r, NULL);
        return;
    }
    /* First come, first served: nobody overtakes those who wait. */
    rc = atomic_load(&en->admission_count) ? -EAGAIN : buffers_take(&en->replies, len, &r->buf);
    r->owns_buf = !rc;
    if (!rc) {
        run(r, NULL);
    } else if (rc == -EAGAIN) {
        admission_enqueue(en, r);
        admit(en); /* a buffer may have come back before anybody could see us wait */
    } else {
        fail_pieces(r, r->count, err_nomem(&e), &e);
    }
}

void engine_read(struct engine *en, const struct piece *pieces, size_t count, engine_done_fn done,
                 void *arg, struct engine_read **handle)
{
    request_start(en, pieces, count, NULL, done, arg, handle);
}

void engine_cancel(struct engine *en, struct engine_read *handle)
{
    struct engine_read *r = handle;
    struct batch *cancel = NULL;
    struct err e;
    uint32_t detached = 0;

    if (!r)
        return;
    pthread_mutex_lock(&en->admission_lock);
    if (r->queued) {
        admission_unlink(en, r);
        detached = r->count;
    }
    pthread_mutex_unlock(&en->admission_lock);

    pthread_mutex_lock(&en->lock);
    r->cancelled = true;
    for (uint32_t i = 0; i < r->count; i++) {
        struct flight *f = r->waiters[i].flight;
        if (!f)
            continue;
        waiter_detach(&r->waiters[i]);
        detached++;
        scheduler_abandon(en, f, &cancel);
    }
    pthread_mutex_unlock(&en->lock);
    scheduler_cancel_reads(en, cancel);
    if (detached)
        fail_pieces(r, detached, err_set(&e, ERR_CANCELLED, "read was cancelled"), &e);
}
