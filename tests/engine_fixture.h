/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What tests of the block engine stand on: a package of blocks in memory whose decoded bytes are
 * known, and a source that serves it and does as the test says: at once, when told to, or from a
 * thread of its own in random order; with errors; with cancellation that is answered or ignored.
 */
#ifndef TESTS_ENGINE_FIXTURE_H
#define TESTS_ENGINE_FIXTURE_H

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "fetch/engine.h"
#include "fetch/source.h"
#include "src/codec.h"
#include "src/package.h"
#include "src/package_builder.h"
#include "tests/unit.h"

#define FIXTURE_START 512u /* stored bytes before the first block */

/* --- package --------------------------------------------------------------------------------- */

struct pack {
    struct package *package;
    uint8_t *image; /* the container object */
    uint64_t size;
    uint8_t *plain; /* decoded bytes of all blocks in a row */
    uint32_t blocks, block_size;
};

static inline uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* BLOCKS blocks, the last one short; GAP stored bytes that belong to nothing before every one. */
static inline struct pack pack_new(uint32_t blocks, uint32_t block_size, enum codec codec,
                                   uint32_t gap)
{
    struct pack p = { .blocks = blocks, .block_size = block_size };
    uint64_t plain_size = (uint64_t)blocks * block_size - block_size / 2;
    struct package_info info = { .format = "test", .name = "", .root_name = "",
                                 .block_size = block_size, .metadata_bytes = FIXTURE_START };
    struct package_counts counts = { .nodes = 2, .extents = 1, .blocks = blocks, .name_bytes = 4,
                                     .versions = 1 };
    struct block *table = calloc(blocks, sizeof *table);
    struct codec_context *ctx = NULL;
    struct package_builder *b = NULL;
    struct err e = { .kind = ERR_NONE };
    uint8_t hash[32];

    p.plain = calloc(blocks, block_size);
    p.image = calloc(1, FIXTURE_START + (size_t)blocks * (block_size + gap));
    CU_ASSERT_FATAL(table && p.plain && p.image && !codec_context_new(&ctx));
    p.size = FIXTURE_START;
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t len = i + 1 < blocks ? block_size : block_size - block_size / 2;
        uint32_t state = i * 2654435761u + 1;
        uint8_t *plain = p.plain + (size_t)i * block_size;
        for (uint32_t k = 0; k < len; k++)
            plain[k] = (uint8_t)(next_random(&state) & 15);
        p.size += gap;
        long stored = codec == CODEC_NONE ? 0
                                          : codec_encode(ctx, codec, 3, plain, len,
                                                         p.image + p.size, &e);
        CU_ASSERT_FATAL(stored >= 0);
        table[i] = (struct block){ .offset = p.size, .stored_len = stored ? (uint32_t)stored : len,
                                   .len = len, .codec = stored ? codec : CODEC_NONE };
        if (!stored)
            memcpy(p.image + p.size, plain, len);
        CU_ASSERT_FATAL(!codec_sha256(ctx, p.image + p.size, table[i].stored_len, hash));
        memcpy(table[i].hash, hash, BLOCK_HASH_SIZE);
        p.size += table[i].stored_len;
    }
    info.container_bytes = p.size;
    struct node root = { .flags = NODE_DIR, .child_count = 1 };
    struct node file = { .size = plain_size, .extent_count = 1 };
    struct extent extent = { .length = plain_size };
    struct package_version version = { .number = 0 };
    int rc = package_builder_new(&counts, &b, &e);
    if (!rc)
        rc = package_builder_set_info(b, &info, &e);
    for (uint32_t i = 0; !rc && i < blocks; i++)
        rc = package_builder_add_block(b, &table[i], &e);
    if (!rc)
        rc = package_builder_add_extent(b, &extent, &e);
    if (!rc)
        rc = package_builder_add_node(b, &root, "", 0, "", 0, NULL, &e);
    if (!rc)
        rc = package_builder_add_node(b, &file, "file", 4, "", 0, NULL, &e);
    if (!rc)
        rc = package_builder_add_version(b, &version, &e);
    if (!rc)
        rc = package_builder_finish(b, &p.package, &e);
    if (rc)
        fprintf(stderr, "not built: %s\n", e.text);
    CU_ASSERT_FATAL(!rc);
    package_builder_free(b);
    codec_context_free(ctx);
    free(table);
    return p;
}

static inline void pack_free(struct pack *p)
{
    package_free(p->package);
    free(p->image);
    free(p->plain);
}

/* --- source ---------------------------------------------------------------------------------- */

enum fake_mode {
    FAKE_IMMEDIATE,
    FAKE_SYNC,   /* not immediate, but completes from within source_start() all the same */
    FAKE_MANUAL, /* reads stay pending until the test completes them */
    FAKE_THREAD, /* a thread completes them, in random order */
};

#define FAKE_PENDING_MAX 256
#define FAKE_LOG_MAX     1024

struct fake {
    struct source base; /* first */
    const struct pack *pack;
    enum fake_mode mode;
    bool answer_cancel;  /* manual: a cancel completes the read, from within source_cancel() */
    uint32_t fail_every; /* thread and immediate: every so many reads fail; 0 = none */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct source_read *pending[FAKE_PENDING_MAX]; /* lock, as all below */
    bool cancelled[FAKE_PENDING_MAX];
    unsigned pending_count;
    struct { uint64_t offset, len; unsigned flags, place; } log[FAKE_LOG_MAX]; /* the first ones */
    uint64_t bytes; /* that were asked for in all */
    unsigned started, cancels, promotes, most_pending;
    bool stop;
    pthread_t thread;
};

static inline void fake_finish(struct fake *f, struct source_read *read, int status,
                               enum err_kind kind)
{
    struct err e = { .kind = kind, .text = "as scripted" };

    size_t arrived = (size_t)(uintptr_t)read->impl; /* these may be being decoded */
    if (!status)
        memcpy(read->buf + arrived, f->pack->image + read->offset + arrived, read->len - arrived);
    read->done(read, status, status ? &e : NULL);
}

/* Takes pending read I out of the list. Needs f->lock. */
static inline struct source_read *fake_take(struct fake *f, unsigned i, bool *cancelled)
{
    struct source_read *read = f->pending[i];

    *cancelled = f->cancelled[i];
    f->pending_count--;
    for (; i < f->pending_count; i++) {
        f->pending[i] = f->pending[i + 1];
        f->cancelled[i] = f->cancelled[i + 1];
    }
    return read;
}

static inline void fake_start(struct source *s, struct source_read *read)
{
    struct fake *f = (struct fake *)s;

    read->impl = NULL;
    pthread_mutex_lock(&f->lock);
    unsigned number = f->started++;
    f->bytes += read->len;
    if (number < FAKE_LOG_MAX) {
        f->log[number].offset = read->offset;
        f->log[number].len = read->len;
        f->log[number].flags = read->flags;
        f->log[number].place = read->place;
    }
    if (f->mode > FAKE_SYNC && f->pending_count < FAKE_PENDING_MAX) {
        f->cancelled[f->pending_count] = false;
        f->pending[f->pending_count++] = read;
        if (f->pending_count > f->most_pending)
            f->most_pending = f->pending_count;
        pthread_cond_broadcast(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
    if (f->mode <= FAKE_SYNC) {
        bool bad = f->fail_every && number % f->fail_every == f->fail_every - 1;
        fake_finish(f, read, bad ? -EIO : 0, bad ? ERR_NETWORK : ERR_NONE);
    }
}

static inline void fake_cancel(struct source *s, struct source_read *read)
{
    struct fake *f = (struct fake *)s;
    bool answer = false, ignored;

    pthread_mutex_lock(&f->lock);
    f->cancels++;
    for (unsigned i = 0; i < f->pending_count; i++) {
        if (f->pending[i] != read)
            continue;
        f->cancelled[i] = true;
        answer = f->answer_cancel;
        if (answer)
            (void)fake_take(f, i, &ignored);
        break;
    }
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    if (answer)
        fake_finish(f, read, -EINTR, ERR_CANCELLED);
}

static inline void fake_promote(struct source *s, struct source_read *read)
{
    struct fake *f = (struct fake *)s;

    pthread_mutex_lock(&f->lock);
    read->flags &= ~(unsigned)SOURCE_READ_LOW;
    f->promotes++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* The first LEN bytes of the oldest pending read arrive. */
static inline void fake_arrive(struct fake *f, size_t len)
{
    pthread_mutex_lock(&f->lock);
    CU_ASSERT_FATAL(f->pending_count > 0 && len <= f->pending[0]->len);
    struct source_read *read = f->pending[0];
    pthread_mutex_unlock(&f->lock);
    size_t arrived = (size_t)(uintptr_t)read->impl;
    memcpy(read->buf + arrived, f->pack->image + read->offset + arrived, len - arrived);
    read->impl = (void *)(uintptr_t)len;
    read->progress(read, len);
}

/* Completes the oldest pending read. */
static inline void fake_complete(struct fake *f, int status, enum err_kind kind)
{
    bool ignored;

    pthread_mutex_lock(&f->lock);
    CU_ASSERT_FATAL(f->pending_count > 0);
    struct source_read *read = fake_take(f, 0, &ignored);
    pthread_mutex_unlock(&f->lock);
    fake_finish(f, read, status, kind);
}

static inline unsigned fake_pending(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    unsigned n = f->pending_count;
    pthread_mutex_unlock(&f->lock);
    return n;
}

/* Reads started so far; threads of the engine may be starting more. */
static inline unsigned fake_started(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    unsigned n = f->started;
    pthread_mutex_unlock(&f->lock);
    return n;
}

/* Bytes asked for so far, in all reads. */
static inline uint64_t fake_bytes(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    uint64_t bytes = f->bytes;
    pthread_mutex_unlock(&f->lock);
    return bytes;
}

/* Waits until N reads are pending (the scheduler may have to be told so by another thread). */
static inline void fake_wait_pending(struct fake *f, unsigned n)
{
    pthread_mutex_lock(&f->lock);
    while (f->pending_count < n)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

static inline void *fake_main(void *arg)
{
    struct fake *f = arg;
    uint32_t state = 12345;
    unsigned number = 0;

    pthread_mutex_lock(&f->lock);
    for (;;) {
        while (!f->pending_count && !f->stop)
            pthread_cond_wait(&f->changed, &f->lock);
        if (!f->pending_count)
            break;
        bool cancelled;
        struct source_read *read = fake_take(f, next_random(&state) % f->pending_count,
                                             &cancelled);
        pthread_mutex_unlock(&f->lock);
        number++;
        if (cancelled)
            fake_finish(f, read, -EINTR, ERR_CANCELLED);
        else if (f->fail_every && number % f->fail_every == 0)
            fake_finish(f, read, -EIO, ERR_NETWORK);
        else
            fake_finish(f, read, 0, ERR_NONE);
        pthread_mutex_lock(&f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static const struct source_ops fake_immediate_ops = {
    .name = "fake", .start = fake_start, .cancel = fake_cancel, .immediate = true
};
static const struct source_ops fake_remote_ops = {
    .name = "fake", .start = fake_start, .cancel = fake_cancel, .promote = fake_promote
};

static inline void fake_init(struct fake *f, const struct pack *pack, enum fake_mode mode)
{
    *f = (struct fake){ .pack = pack, .mode = mode };
    f->base.ops = mode == FAKE_IMMEDIATE ? &fake_immediate_ops : &fake_remote_ops;
    f->base.size = pack->size;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    if (mode == FAKE_THREAD)
        CU_ASSERT_FATAL(!pthread_create(&f->thread, NULL, fake_main, f));
}

static inline void fake_destroy(struct fake *f)
{
    if (f->mode == FAKE_THREAD) {
        pthread_mutex_lock(&f->lock);
        f->stop = true;
        pthread_cond_broadcast(&f->changed);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->thread, NULL);
    }
    CU_ASSERT_EQUAL(f->pending_count, 0);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
}

/* --- results --------------------------------------------------------------------------------- */

/* One read's outcome; bytes are compared inside DONE, where they are valid. */
struct result {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const struct pack *pack;
    struct piece pieces[64];
    uint32_t count;
    unsigned calls; /* lock, as all below */
    int status;
    enum err_kind kind;
    bool same;
};

static inline void result_done(void *arg, int status, const uint8_t *buf, size_t len,
                               const struct err *e)
{
    struct result *r = arg;
    bool same = true;
    size_t at = 0;

    if (!status) {
        for (uint32_t i = 0; i < r->count; i++) {
            const struct piece *p = &r->pieces[i];
            const uint8_t *want = r->pack->plain + (size_t)p->block * r->pack->block_size;
            if (at + p->len > len || memcmp(buf + at, want + p->from, p->len))
                same = false;
            at += p->len;
        }
        same = same && at == len;
    }
    pthread_mutex_lock(&r->lock);
    r->calls++;
    r->status = status;
    r->kind = status && e ? e->kind : ERR_NONE;
    r->same = same;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static inline void result_init(struct result *r, const struct pack *pack)
{
    *r = (struct result){ .pack = pack };
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
}

/* Adds blocks [first, first + count), whole. */
static inline void result_want(struct result *r, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++)
        r->pieces[r->count++] =
            (struct piece){ .block = i, .len = package_block(r->pack->package, i)->len };
}

static inline void result_wait(struct result *r)
{
    pthread_mutex_lock(&r->lock);
    while (!r->calls)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static inline unsigned result_calls(struct result *r)
{
    pthread_mutex_lock(&r->lock);
    unsigned calls = r->calls;
    pthread_mutex_unlock(&r->lock);
    return calls;
}

static inline void result_destroy(struct result *r)
{
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
}

/* --- all together ----------------------------------------------------------------------------- */

/* Package, source and engine of one test. */
struct rig {
    struct pack pack;
    struct fake source;
    struct engine *engine;
};

static inline void rig_up(struct rig *r, struct pack pack, enum fake_mode mode,
                   const struct engine_options *o)
{
    struct err e;

    r->pack = pack;
    fake_init(&r->source, &r->pack, mode);
    CU_ASSERT_EQUAL_FATAL(engine_new(r->pack.package, &r->source.base, o, &r->engine, &e), 0);
}

static inline void rig_down(struct rig *r)
{
    engine_free(r->engine);
    fake_destroy(&r->source);
    pack_free(&r->pack);
}

static inline void start(struct rig *r, struct result *result, uint32_t first, uint32_t count,
                  struct engine_read **handle)
{
    result_init(result, &r->pack);
    result_want(result, first, count);
    engine_read(r->engine, result->pieces, result->count, result_done, result, handle);
}

static inline void expect_bytes(struct result *result)
{
    result_wait(result);
    CU_ASSERT_EQUAL(result->calls, 1);
    CU_ASSERT_EQUAL(result->status, 0);
    CU_ASSERT(result->same);
    result_destroy(result);
}

static inline void expect_error(struct result *result, enum err_kind kind)
{
    result_wait(result);
    CU_ASSERT_EQUAL(result->calls, 1);
    CU_ASSERT_EQUAL(result->kind, kind);
    CU_ASSERT(result->status < 0);
    result_destroy(result);
}

static inline void expect_idle(struct engine *en)
{
    struct engine_stats s;

    engine_get_stats(en, &s);
    CU_ASSERT_EQUAL(s.inflight_blocks, 0);
    CU_ASSERT_EQUAL(s.waiting_requests, 0);
}

static inline uint64_t stored_at(const struct rig *r, uint32_t block)
{
    return package_block(r->pack.package, block)->offset;
}

#endif
