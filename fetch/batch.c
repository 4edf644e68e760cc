/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From stored bytes to published blocks. See batch.h. */
#include "config.h"

#include "fetch/batch.h"

#include "fetch/scheduler.h"

static void run_job(struct job *job, struct workspace *ws)
{
    batch_work((struct batch *)job, ws);
}

static void free_job(struct job *job)
{
    struct batch *b = (struct batch *)job;
    struct engine *en = b->engine;
    bool had_buffer = b->io.buf != NULL;

    buffers_give(&en->transit, b->io.buf, b->io.len);
    (void)pthread_mutex_destroy(&b->cancel_lock);
    free(b);
    if (had_buffer)
        scheduler_dispatch(en);
}

struct batch *batch_new(struct engine *en, uint32_t capacity)
{
    pthread_mutexattr_t attr;
    struct batch *b = calloc(1, sizeof *b + capacity * sizeof *b->entries);
    if (!b)
        return NULL;
    if (pthread_mutexattr_init(&attr))
        goto free_batch;
    int rc = pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    if (!rc)
        rc = pthread_mutex_init(&b->cancel_lock, &attr);
    (void)pthread_mutexattr_destroy(&attr);
    if (rc)
        goto free_batch;
    job_init(&b->job, run_job, free_job);
    b->engine = en;
    b->group_max = UINT32_MAX;
    return b;

free_batch:
    free(b);
    return NULL;
}

void batch_put(struct batch *b)
{
    job_put(&b->job);
}

/* Tells whoever waits for the record. */
static void fail_flight(struct engine *en, struct flight *f, int status, const struct err *e)
{
    if (status != -EINTR)
        count_up(&en->errors, 1);
    if (!flight_finish(en, f, status, NULL, e))
        count_up(&en->ahead_errors, 1);
}

/* A block that does not decode: what came from a server is asked for again, once past the caches
 * that may hold something else, then from another place if there is one. */
static void load_failed(struct batch *b, const struct batch_entry *entry, int status, struct err *e)
{
    struct engine *en = b->engine;

    if (e->kind == ERR_BLOCK_HASH && b->io.buf) {
        count_up(&en->bad_blocks, 1);
        if (scheduler_retry(en, entry->flight, b->io.place))
            return;
        err_wrap(e, "%s", source_name(en->source));
    }
    fail_flight(en, entry->flight, status, e);
}

/* Verifies and decodes one block and answers everybody who waits for it. */
static void load(struct batch *b, struct workspace *ws, const struct batch_entry *entry,
                 const uint8_t *stored)
{
    struct engine *en = b->engine;
    struct err e;
    uint32_t frame;
    bool framed = frames_claim(en->frames, &frame);

    /* All frames are being read from. A hint is dropped; a reader is served past the cache. */
    if (!framed && inflight_drop_unwanted(en, entry->flight))
        return;
    uint8_t *out = framed ? frames_data(en->frames, frame) : ws->spare;
    int rc = package_decode_block(en->package, entry->block, stored, ws->codec, out, &e);
    if (rc < 0) {
        if (framed)
            frames_abandon(en->frames, frame);
        load_failed(b, entry, rc, &e);
        return;
    }
    count_up(&en->decoded_blocks, 1);
    count_up(&en->decoded_bytes, package_block(en->package, entry->block)->len);
    if (framed)
        frames_publish(en->frames, frame, entry->block);
    uint32_t answered = flight_finish(en, entry->flight, 0, out, NULL);
    if (framed) {
        if (!answered)
            frames_mark_ahead(en->frames, frame);
        frames_unpin(en->frames, frame);
    }
}

static void fail_entries(struct batch *b, uint32_t from, uint32_t to, int status,
                         const struct err *e)
{
    for (uint32_t i = from; i < to; i++)
        fail_flight(b->engine, b->entries[i].flight, status, e);
}

void batch_fail(struct batch *b, uint32_t from, int status, const struct err *e)
{
    fail_entries(b, from, b->count, status, e);
}

size_t batch_entry_end(const struct batch *b, uint32_t i)
{
    const struct block *block = package_block(b->engine->package, b->entries[i].block);

    return (size_t)(block->offset + block->stored_len - b->io.offset);
}

/* End of the group of neighbours that begins with entry FROM: what one read into a staging buffer
 * brings, which is one block at least (STORED_LEN_MAX). Looks at immutable data only, because
 * another worker may be taking the same entries. */
static uint32_t group_end(const struct batch *b, uint32_t from)
{
    const struct engine *en = b->engine;
    const struct block *first = package_block(en->package, b->entries[from].block);
    uint64_t end = first->offset + first->stored_len;
    uint32_t to = from + 1;

    while (to < b->count && to - from < b->group_max) {
        const struct block *next = package_block(en->package, b->entries[to].block);
        if (next->offset < end || next->offset - end > en->o.merge_gap ||
            next->offset + next->stored_len - first->offset >
                decoders_staging_bytes(en->decoders))
            break;
        end = next->offset + next->stored_len;
        to++;
    }
    return to;
}

struct immediate_result {
    int status;
    struct err err;
};

static void immediate_done(struct source_read *read, int status, const struct err *e)
{
    struct immediate_result *result = read->arg;
    result->status = status;
    if (status && e)
        result->err = *e;
}

static void read_and_load(struct batch *b, struct workspace *ws, uint32_t from, uint32_t to)
{
    struct engine *en = b->engine;
    const struct block *first = package_block(en->package, b->entries[from].block);
    const struct block *last = package_block(en->package, b->entries[to - 1].block);
    uint64_t len = last->offset + last->stored_len - first->offset;
    struct immediate_result result = { .status = 0 };

    struct source_read io = { .offset = first->offset, .len = (size_t)len, .buf = ws->staging,
                              .done = immediate_done, .arg = &result };

    source_start(en->source, &io);
    if (result.status) {
        fail_entries(b, from, to, result.status, &result.err);
        return;
    }
    for (uint32_t i = from; i < to; i++) {
        const struct block *block = package_block(en->package, b->entries[i].block);
        load(b, ws, &b->entries[i], ws->staging + (block->offset - first->offset));
    }
}

void batch_work(struct batch *b, struct workspace *ws)
{
    struct engine *en = b->engine;
    uint32_t from = atomic_load_explicit(&b->taken, memory_order_relaxed);

    while (from < atomic_load_explicit(&b->ready, memory_order_acquire)) {
        uint32_t to = b->io.buf ? from + 1 : group_end(b, from);
        if (!atomic_compare_exchange_weak_explicit(&b->taken, &from, to, memory_order_relaxed,
                                                   memory_order_relaxed))
            continue;
        if (!ws) {
            struct err e;
            fail_entries(b, from, to, err_nomem(&e), &e);
        } else if (b->io.buf) {
            const struct block *block = package_block(en->package, b->entries[from].block);
            load(b, ws, &b->entries[from], b->io.buf + (block->offset - b->io.offset));
        } else {
            read_and_load(b, ws, from, to);
        }
        from = atomic_load_explicit(&b->taken, memory_order_relaxed);
    }
}
