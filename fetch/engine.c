/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine's life and the small ends of its interface: limits from options, pinning, prefetch,
 * blocking reads, statistics. The reads themselves are in request.c.
 */
#include "config.h"

#include "fetch/engine.h"

#include <limits.h>
#include <string.h>

#include "fetch/engine_impl.h"
#include "fetch/request.h"
#include "fetch/scheduler.h"
#include "fetch/source.h"

#define MEMORY_DEFAULT (48u * 1024u * 1024u)
#define MEMORY_MIN     (8u * 1024u * 1024u)
#define REQUEST_MAX    (ENGINE_SLICE + STORED_LEN_MAX)
#define REPLIES_MIN    (2u * 1024u * 1024u)  /* one reply of the largest size */
#define TRANSIT_MIN    (2u * 1024u * 1024u)
#define DECODERS_MAX   8u
#define READERS        4u            /* threads that read from the disk cache at a time */
#define STAGING_MAX    (256u * 1024u)
#define GROUP_BYTES    (128u * 1024u) /* decoding them takes as long as waking a thread */
#define LOCAL_STAGING  (128u * 1024u) /* for blocks of the disk cache; STORED_LEN_MAX at least */
#define AHEAD_QUEUE    (32u * 1024u * 1024u)
#define AHEAD_MIN      (256u * 1024u) /* first window of a reader in order */

/* --- life ------------------------------------------------------------------------------------ */

static int fill_options(struct engine *en, const struct engine_options *o, struct err *e)
{
    if (o)
        en->o = *o;
    if (!en->o.memory)
        en->o.memory = MEMORY_DEFAULT;
    if (en->o.memory < MEMORY_MIN)
        return err_set(e, ERR_INVALID, "memory of %llu bytes is less than %u",
                       (unsigned long long)en->o.memory, MEMORY_MIN);
    if (!en->o.decoders) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        en->o.decoders = n > 1 ? (unsigned)min_u64((uint64_t)n, DECODERS_MAX) : 1;
    }
    if (en->o.decoders > DECODERS_MAX)
        en->o.decoders = DECODERS_MAX;
    if (!en->o.max_request || en->o.max_request > REQUEST_MAX)
        en->o.max_request = REQUEST_MAX;
    if (!en->o.merge_gap)
        en->o.merge_gap = 16 * 1024;
    if (!en->o.max_reads)
        en->o.max_reads = 8;
    if (!en->o.max_low_reads)
        en->o.max_low_reads = 2;
    en->o.max_low_reads = (unsigned)min_u64(en->o.max_low_reads,
                                            max_u64(en->o.max_reads / 2, 1));
    return 0;
}

/* Divides the memory; makes what lives in the shares. On failure the caller frees what there is. */
static int make_shares(struct engine *en)
{
    uint32_t block_size = en->info->block_size;
    uint64_t replies = max_u64(en->o.memory / 8, REPLIES_MIN);
    uint64_t transit = max_u64(en->o.memory / (en->immediate ? 8 : 4), TRANSIT_MIN);
    uint64_t frame_count = min_u64((en->o.memory - replies - transit) / block_size,
                                   max_u64(en->info->block_count, 1));
    struct decoders_options d = { .block_size = block_size };
    uint64_t buffers = transit;

    if (en->immediate) {
        /* All of it is workspaces: each reads, decodes and has done with it. */
        d.staging_bytes = (uint32_t)max_u64(min_u64(transit / 16, STAGING_MAX), STORED_LEN_MAX);
        d.workspaces = (unsigned)min_u64(transit / workspace_bytes(block_size, d.staging_bytes),
                                         1024);
        en->o.decoders = (unsigned)min_u64(en->o.decoders, d.workspaces / 2);
        buffers = 0;
    } else {
        /* Workspaces for the pool, and for threads that read from the disk cache or must do without
         * the pool. */
        d.staging_bytes = en->o.cache ? LOCAL_STAGING : 0;
        uint64_t one = workspace_bytes(block_size, d.staging_bytes);
        uint64_t most = transit / (en->o.cache ? 3 : 2) / one;
        en->o.decoders = (unsigned)max_u64(min_u64(en->o.decoders, most > 1 ? most - 1 : 1), 1);
        d.workspaces = (unsigned)max_u64(
            min_u64(en->o.decoders + (en->o.cache ? READERS : 1), most), en->o.decoders + 1);
        buffers -= d.workspaces * one;
    }
    d.threads = en->o.decoders;
    int rc = buffers_init(&en->replies, &en->budget, replies);
    if (!rc)
        rc = buffers_init(&en->transit, &en->budget, buffers);
    if (!rc)
        rc = frames_new(en->info->block_count, block_size, (uint32_t)frame_count, &en->budget,
                        &en->frames);
    if (!rc)
        rc = decoders_new(&d, &en->budget, &en->decoders);
    if (rc)
        return rc;
    /* A read for demand must be able to go on beside those that are not. */
    en->o.max_request = (uint32_t)max_u64(
        min_u64(en->o.max_request, buffers_largest(&en->transit, en->o.max_low_reads + 1)),
        STORED_LEN_MAX);
    en->group = GROUP_BYTES / block_size;
    en->ahead_max = (uint32_t)max_u64(frame_count / 4, 1);
    en->ahead_queue = AHEAD_QUEUE / block_size;
    uint32_t window = (uint32_t)min_u64(en->o.readahead / block_size,
                                        en->o.cache ? en->ahead_queue / 2 : en->ahead_max);
    ahead_init(&en->ahead, (uint32_t)max_u64(min_u64(AHEAD_MIN / block_size, window), 1),
               (uint32_t)max_u64(window, 1));
    return 0;
}

static void pump_free(struct job *job)
{
    (void)job; /* part of the engine */
}

int engine_new(const struct package *package, struct source *source,
               const struct engine_options *o, struct engine **out, struct err *e)
{
    struct engine *en = calloc(1, sizeof *en);
    if (!en)
        return err_nomem(e);
    en->package = package;
    en->info = package_info(package);
    en->source = source;
    en->immediate = source_is_immediate(source);
    int rc = fill_options(en, o, e);
    if (en->immediate)
        en->o.cache = NULL;
    if (rc)
        goto free_engine;
    if (pthread_mutex_init(&en->lock, NULL) || pthread_mutex_init(&en->admission_lock, NULL) ||
        pthread_mutex_init(&en->ahead_lock, NULL) ||
        pthread_cond_init(&en->ended, NULL)) {
        rc = err_nomem(e); /* none of them holds anything that would have to be given back */
        goto free_engine;
    }
    if (make_shares(en)) {
        rc = err_nomem(e);
        goto free_shares;
    }
    job_init(&en->pump, scheduler_pump, pump_free);
    *out = en;
    return 0;

free_shares:
    decoders_free(en->decoders);
    frames_free(en->frames);
    (void)pthread_cond_destroy(&en->ended);
    (void)pthread_mutex_destroy(&en->ahead_lock);
    (void)pthread_mutex_destroy(&en->admission_lock);
    (void)pthread_mutex_destroy(&en->lock);
free_engine:
    free(en);
    return rc;
}

static void cancel_everything(struct engine *en)
{
    struct batch *cancel = NULL;
    struct err e;
    int status = err_set(&e, ERR_CANCELLED, "the package is being closed");

    pthread_mutex_lock(&en->lock);
    en->stopping = true;
    scheduler_collect_reads(en, &cancel);
    pthread_mutex_unlock(&en->lock);
    request_fail_unadmitted(en, UINT64_MAX, status, &e);
    scheduler_fail_queued(en, UINT64_MAX, status, &e);
    scheduler_cancel_reads(en, cancel);
}

void engine_free(struct engine *en)
{
    if (!en)
        return;
    cancel_everything(en);
    pthread_mutex_lock(&en->lock);
    while (en->callbacks || en->inflight.count)
        pthread_cond_wait(&en->ended, &en->lock);
    pthread_mutex_unlock(&en->lock);
    decoders_free(en->decoders);
    frames_free(en->frames);
    buffers_destroy(&en->transit);
    buffers_destroy(&en->replies);
    (void)pthread_cond_destroy(&en->ended);
    (void)pthread_mutex_destroy(&en->ahead_lock);
    (void)pthread_mutex_destroy(&en->admission_lock);
    (void)pthread_mutex_destroy(&en->lock);
    free(en);
}

bool engine_is_immediate(const struct engine *en)
{
    return en->immediate;
}

/* --- blocks ---------------------------------------------------------------------------------- */

bool engine_pin(struct engine *en, uint32_t block, struct engine_pin *pin)
{
    if (block >= en->info->block_count)
        return false;
    enum frames_hit hit = frames_pin(en->frames, block, &pin->frame);
    if (hit == FRAMES_MISS)
        return false;
    if (hit == FRAMES_FIRST_HIT)
        engine_note_use(en, block, 1);
    pin->data = frames_data(en->frames, pin->frame);
    pin->len = package_block(en->package, block)->len;
    return true;
}

void engine_unpin(struct engine *en, struct engine_pin *pin)
{
    frames_unpin(en->frames, pin->frame);
    pin->data = NULL;
}

bool engine_is_local(const struct engine *en, uint32_t block)
{
    return en->immediate || (en->o.cache && cache_has(en->o.cache, block));
}

/* Whether one more block may be fetched ahead of need. To memory: sequential readers ask for little
 * and use it soon; the rest gets vacant frames, and a share of the occupied ones. Needs en->lock. */
static bool may_prefetch(const struct engine *en, uint32_t vacant, enum engine_priority prio)
{
    uint32_t ahead = en->inflight.ahead;

    if (en->o.cache)
        return ahead < en->ahead_queue;
    if (en->inflight.count < vacant)
        return true;
    return ahead + (prio == ENGINE_READAHEAD ? 0 : frames_ahead(en->frames)) < en->ahead_max;
}

/* Which of blocks [first, first + count), at most 64, are not at hand: a bit each. */
static uint64_t missing_blocks(const struct engine *en, uint32_t first, uint32_t count)
{
    uint64_t missing = 0;

    for (uint32_t i = 0; i < count; i++)
        if (!frames_has(en->frames, first + i) &&
            (!en->o.cache || !cache_has(en->o.cache, first + i)))
            missing |= UINT64_C(1) << i;
    return missing;
}

/* Queues BLOCK, or raises it if it is queued. False when there is no place. Needs en->lock. */
static bool queue_ahead(struct engine *en, uint32_t block, uint32_t vacant,
                        enum engine_priority prio, bool *queued)
{
    struct flight *f = inflight_find(&en->inflight, block);

    if (f) {
        if (f->state == FLIGHT_QUEUED && f->prio > prio) {
            scheduler_unqueue(en, f);
            scheduler_push(en, f, prio);
        }
        return true;
    }
    if (!may_prefetch(en, vacant, prio))
        return false;
    f = inflight_add(&en->inflight, block, true);
    if (!f)
        return false;
    scheduler_push(en, f, prio);
    *queued = true;
    return true;
}

uint32_t engine_prefetch(struct engine *en, uint32_t first, uint32_t count,
                         enum engine_priority prio)
{
    uint32_t end = (uint32_t)min_u64((uint64_t)first + count, en->info->block_count);
    uint32_t vacant = frames_vacant(en->frames), block = first;
    bool queued = false, go = true;

    if (prio <= ENGINE_DEMAND || prio > ENGINE_BACKGROUND)
        prio = ENGINE_READAHEAD;
    while (go && block < end) {
        uint32_t part = (uint32_t)min_u64(end - block, 64);
        uint64_t missing = missing_blocks(en, block, part);

        if (!missing) {
            block += part;
            continue;
        }
        pthread_mutex_lock(&en->lock);
        for (uint32_t i = 0; go && i < part; i++) {
            if (missing >> i & 1)
                go = !en->stopping && queue_ahead(en, block, vacant, prio, &queued);
            block += go;
        }
        pthread_mutex_unlock(&en->lock);
    }
    if (queued && en->immediate)
        scheduler_start_pump(en);
    else if (queued)
        scheduler_dispatch(en);
    return block > first ? block - first : 0;
}

/* The end of blocks [first, first + count), or, when they reach into another slice, that of the slice in
 * which they end: what is to be fetched is not cut where no request would be. */
static uint32_t slice_end(const struct engine *en, uint32_t first, uint32_t count)
{
    uint32_t blocks = en->info->block_count;
    uint32_t end = (uint32_t)min_u64((uint64_t)first + count, blocks);

    if (end <= first)
        return end;
    uint64_t slice = package_block(en->package, end - 1)->offset / ENGINE_SLICE;
    if (slice == package_block(en->package, first)->offset / ENGINE_SLICE)
        return end;
    while (end < blocks && package_block(en->package, end)->offset / ENGINE_SLICE == slice)
        end++;
    return end;
}

void engine_note_use(struct engine *en, uint32_t first, uint32_t count)
{
    struct block_run run;

    if (!en->o.readahead || en->immediate || pthread_mutex_trylock(&en->ahead_lock))
        return;
    bool more = ahead_note(&en->ahead, first, count, &run);
    pthread_mutex_unlock(&en->ahead_lock);
    if (!more)
        return;
    uint32_t end = slice_end(en, run.first, run.count);
    uint32_t done = engine_prefetch(en, run.first, end - run.first, ENGINE_READAHEAD);
    if (run.first + done == run.first + run.count)
        return;
    pthread_mutex_lock(&en->ahead_lock);
    ahead_correct(&en->ahead, &run, run.first + done);
    pthread_mutex_unlock(&en->ahead_lock);
}

/* --- blocking reads -------------------------------------------------------------------------- */

struct sync_read {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool done;   /* lock */
    int status;  /* lock */
    uint8_t *dest;
    struct err *e;
};

static void sync_done(void *arg, int status, const uint8_t *buf, size_t len, const struct err *e)
{
    struct sync_read *s = arg;

    if (!status && buf != s->dest)
        memcpy(s->dest, buf, len);
    if (status && s->e && e)
        *s->e = *e;
    pthread_mutex_lock(&s->lock);
    s->done = true;
    s->status = status;
    pthread_cond_signal(&s->over);
    pthread_mutex_unlock(&s->lock);
}

static int read_pieces(struct engine *en, const struct piece *pieces, size_t count, uint8_t *dest,
                       struct err *e)
{
    struct sync_read s = { .lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER,
                           .dest = dest, .e = e };

    request_start(en, pieces, count, dest, sync_done, &s, NULL);
    pthread_mutex_lock(&s.lock);
    while (!s.done)
        pthread_cond_wait(&s.over, &s.lock);
    pthread_mutex_unlock(&s.lock);
    (void)pthread_cond_destroy(&s.over);
    (void)pthread_mutex_destroy(&s.lock);
    return s.status;
}

long engine_read_file(struct engine *en, uint32_t file, uint64_t off, void *buf, size_t len,
                      struct err *e)
{
    struct piece pieces[128];
    uint8_t *dest = buf;
    size_t total = 0;

    if (len > LONG_MAX)
        len = LONG_MAX;
    while (total < len) {
        size_t want = (size_t)min_u64(len - total, ENGINE_READ_MAX), got = 0;
        size_t count = package_map(en->package, file, off + total, want, pieces,
                                   ARRAY_LEN(pieces));
        if (!count)
            break;
        for (size_t i = 0; i < count; i++)
            got += pieces[i].len;
        int rc = read_pieces(en, pieces, count, dest + total, e);
        if (rc)
            return rc;
        total += got;
    }
    return (long)total;
}

/* --- statistics ------------------------------------------------------------------------------ */

static uint64_t read_counter(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void engine_get_stats(struct engine *en, struct engine_stats *out)
{
    struct frames_stats frames;

    frames_get_stats(en->frames, &frames);
    pthread_mutex_lock(&en->lock);
    uint32_t inflight = en->inflight.count, ahead = en->inflight.ahead;
    pthread_mutex_unlock(&en->lock);
    *out = (struct engine_stats){
        .hits = frames.hits,
        .misses = read_counter(&en->misses),
        .joined = read_counter(&en->joined),
        .decoded_blocks = read_counter(&en->decoded_blocks),
        .decoded_bytes = read_counter(&en->decoded_bytes),
        .evicted = frames.evicted,
        .errors = read_counter(&en->errors),
        .cancelled = read_counter(&en->cancelled),
        .bad_blocks = read_counter(&en->bad_blocks),
        .ahead_errors = read_counter(&en->ahead_errors),
        .disk_blocks = read_counter(&en->disk_blocks),
        .disk_bad_blocks = read_counter(&en->disk_bad_blocks),
        .stored_ahead = read_counter(&en->stored_ahead),
        .inflight_blocks = inflight,
        .ahead_blocks = ahead,
        .waiting_requests = read_counter(&en->waiting),
        .memory = read_counter(&en->budget.used),
        .memory_peak = read_counter(&en->budget.peak),
        .cached_bytes = (uint64_t)frames.cached * en->info->block_size,
        .buffer_bytes = buffers_used(&en->replies) + buffers_used(&en->transit),
    };
}
