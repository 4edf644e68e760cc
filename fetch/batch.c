/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From stored bytes to published blocks. See batch.h. */
#include "config.h"

#include "fetch/batch.h"

#include "fetch/scheduler.h"
#include "src/log.h"

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

static bool is_from_cache(const struct batch *b)
{
    return !b->io.buf && !b->engine->immediate;
}

/* A block of the disk cache is not what it should be: fetched as if it had never been there. */
static void drop_cached(struct engine *en, const struct batch_entry *entry, const struct err *e)
{
    static struct log_limit limit;
    unsigned suppressed;

    count_up(&en->disk_bad_blocks, 1);
    cache_drop(en->o.cache, entry->block);
    if (log_limit_allows(&limit, &suppressed))
        log_warning("cache", "a cached block is damaged and is fetched again: %s; suppressed=%u",
                    e->text, suppressed);
    scheduler_requeue(en, entry->flight);
}

/* A block that does not decode: what came from a server is asked for again, once past the caches
 * that may hold something else, then from another place if there is one. */
static void load_failed(struct batch *b, const struct batch_entry *entry, int status, struct err *e)
{
    struct engine *en = b->engine;

    if (e->kind != ERR_NO_MEMORY && is_from_cache(b)) {
        drop_cached(en, entry, e);
        return;
    }
    if (e->kind == ERR_BLOCK_HASH && b->io.buf) {
        count_up(&en->bad_blocks, 1);
        if (scheduler_retry(en, entry->flight, b->io.place))
            return;
        err_wrap(e, "%s", source_name(en->source));
    }
    fail_flight(en, entry->flight, status, e);
}

/* Whether a block that was fetched ahead should go to the disk cache and not to memory. */
static bool is_for_disk(const struct batch *b, const struct batch_entry *entry)
{
    struct engine *en = b->engine;

    if (!en->o.cache || !b->io.buf || flight_is_awaited(en, entry->flight))
        return false;
    return entry->flight->prio == ENGINE_BACKGROUND ||
           (frames_ahead(en->frames) >= en->ahead_max && !frames_vacant(en->frames));
}

/* Puts a block into the disk cache and forgets it. False when somebody has come to wait for it, or when
 * the disk takes nothing and memory may be worth it: then it is loaded like any other. */
static bool load_to_disk(struct batch *b, struct workspace *ws, const struct batch_entry *entry,
                         const uint8_t *stored)
{
    struct engine *en = b->engine;

    if (package_check_block(en->package, entry->block, stored, ws->codec, NULL))
        return false; /* load() says why */
    cache_store(en->o.cache, entry->block, stored);
    bool kept = cache_holds(en->o.cache, entry->block);
    if (!kept && entry->flight->prio != ENGINE_BACKGROUND)
        return false;
    if (!inflight_drop_unwanted(en, entry->flight))
        return false;
    count_up(&en->stored_ahead, kept);
    return true;
}

/* What was verified goes to the disk cache: from the server, or from another version's part of it. */
static void keep_on_disk(struct batch *b, uint32_t block, const uint8_t *stored)
{
    struct cache *cache = b->engine->o.cache;

    if (cache && !cache_holds(cache, block))
        cache_store(cache, block, stored);
}

/* Verifies and decodes one block and answers everybody who waits for it. */
static void load(struct batch *b, struct workspace *ws, const struct batch_entry *entry,
                 const uint8_t *stored)
{
    struct engine *en = b->engine;
    struct err e;
    uint32_t frame;

    if (is_for_disk(b, entry) && load_to_disk(b, ws, entry, stored))
        return;
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
    keep_on_disk(b, entry->block, stored);
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

/* End of the group of neighbours that one read of the disk cache brings; as group_end(). */
static uint32_t cached_group_end(const struct batch *b, uint32_t from)
{
    const struct engine *en = b->engine;
    uint32_t first = b->entries[from].block, run = 1;

    while (from + run < b->count && run < b->group_max &&
           b->entries[from + run].block == first + run)
        run++;
    run = cache_run(en->o.cache, first, run, decoders_staging_bytes(en->decoders));
    return from + (run ? run : 1); /* dropped meanwhile: reading it will say so */
}

/* End of the group of neighbours that begins with entry FROM: what one read into a staging buffer
 * brings, which is one block at least (STORED_LEN_MAX). Looks at immutable data only, because
 * another worker may be taking the same entries. */
static uint32_t group_end(const struct batch *b, uint32_t from)
{
    const struct engine *en = b->engine;

    if (is_from_cache(b))
        return cached_group_end(b, from);
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

/* Reads the stored bytes of entries [from, to) from an immediate source. */
static int read_source(struct batch *b, uint8_t *buf, uint32_t from, uint32_t to, struct err *e)
{
    struct engine *en = b->engine;
    const struct block *first = package_block(en->package, b->entries[from].block);
    const struct block *last = package_block(en->package, b->entries[to - 1].block);
    uint64_t len = last->offset + last->stored_len - first->offset;
    struct immediate_result result = { .status = 0 };

    struct source_read io = { .offset = first->offset, .len = (size_t)len, .buf = buf,
                              .done = immediate_done, .arg = &result };

    source_start(en->source, &io);
    *e = result.err;
    return result.status;
}

/* What cannot be read from the disk cache is fetched. */
static void fetch_instead(struct batch *b, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        scheduler_requeue(b->engine, b->entries[i].flight);
}

static void read_and_load(struct batch *b, struct workspace *ws, uint32_t from, uint32_t to)
{
    struct engine *en = b->engine;
    const struct block *first = package_block(en->package, b->entries[from].block);
    struct err e;

    if (is_from_cache(b)) {
        if (cache_read(en->o.cache, b->entries[from].block, to - from, ws->staging, &e)) {
            fetch_instead(b, from, to);
            return;
        }
        count_up(&en->disk_blocks, to - from);
    } else {
        int rc = read_source(b, ws->staging, from, to, &e);
        if (rc) {
            fail_entries(b, from, to, rc, &e);
            return;
        }
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
