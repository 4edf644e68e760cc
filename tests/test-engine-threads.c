/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The block engine under many threads: every byte is compared, every read ends exactly once, and
 * afterwards all counters are back where they were. Meant for ThreadSanitizer too.
 */
#include "config.h"

#include "fetch/engine.h"
#include "tests/engine_fixture.h"

#define THREADS 32
#define ROUNDS  150

struct crowd {
    struct pack pack;
    struct fake source;
    struct engine *engine;
    bool cancels, prefetches;
    _Atomic unsigned failed, cancelled, wrong;
};

struct member {
    struct crowd *crowd;
    pthread_t thread;
    uint32_t state;
};

static void random_pieces(struct result *r, uint32_t *state)
{
    uint32_t block = next_random(state) % r->pack->blocks;
    uint32_t count = 1 + next_random(state) % 6;

    for (uint32_t i = 0; i < count && block < r->pack->blocks; i++) {
        uint32_t len = package_block(r->pack->package, block)->len;
        uint32_t from = next_random(state) % len;
        r->pieces[r->count++] =
            (struct piece){ block, from, 1 + next_random(state) % (len - from) };
        block += next_random(state) % 3; /* again, next, or the one after */
    }
}

static void one_read(struct crowd *c, uint32_t *state)
{
    struct result r;
    struct engine_read *handle = NULL;
    bool cancel = c->cancels && next_random(state) % 4 == 0;

    result_init(&r, &c->pack);
    random_pieces(&r, state);
    engine_read(c->engine, r.pieces, r.count, result_done, &r, cancel ? &handle : NULL);
    if (cancel && next_random(state) % 2)
        sched_yield();
    if (cancel)
        engine_cancel(c->engine, handle);
    result_wait(&r);
    engine_read_release(c->engine, handle);
    if (r.calls != 1 || !r.same)
        c->wrong++;
    if (r.kind == ERR_CANCELLED)
        c->cancelled++;
    else if (r.status)
        c->failed++;
    result_destroy(&r);
}

static void one_pin(struct crowd *c, uint32_t *state)
{
    struct engine_pin pin;
    uint32_t block = next_random(state) % c->pack.blocks;

    if (!engine_pin(c->engine, block, &pin))
        return;
    if (memcmp(pin.data, c->pack.plain + (size_t)block * c->pack.block_size, pin.len))
        c->wrong++;
    engine_unpin(c->engine, &pin);
}

static void *member_main(void *arg)
{
    struct member *m = arg;

    for (int i = 0; i < ROUNDS; i++) {
        one_read(m->crowd, &m->state);
        one_pin(m->crowd, &m->state);
        if (m->crowd->prefetches && next_random(&m->state) % 8 == 0)
            engine_prefetch(m->crowd->engine, next_random(&m->state) % m->crowd->pack.blocks, 6,
                            ENGINE_READAHEAD);
    }
    return NULL;
}

static void run_crowd(struct crowd *c, enum fake_mode mode, uint32_t fail_every)
{
    static struct member members[THREADS];
    struct engine_stats s;
    struct err e;
    uint64_t memory = 8 << 20;

    c->pack = pack_new(250, 65536, CODEC_ZSTD, 0);
    fake_init(&c->source, &c->pack, mode);
    c->source.fail_every = fail_every;
    CU_ASSERT_EQUAL_FATAL(engine_new(c->pack.package, &c->source.base,
                                     &(struct engine_options){ .memory = memory, .decoders = 3 },
                                     &c->engine, &e),
                          0);
    for (uint32_t i = 0; i < THREADS; i++) {
        members[i] = (struct member){ .crowd = c, .state = 77 * i + 1 };
        CU_ASSERT_FATAL(!pthread_create(&members[i].thread, NULL, member_main, &members[i]));
    }
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(members[i].thread, NULL);
    do { /* what was prefetched may still be under way */
        sched_yield();
        engine_get_stats(c->engine, &s);
    } while (s.inflight_blocks || s.buffer_bytes);
    CU_ASSERT_EQUAL(s.waiting_requests, 0);
    CU_ASSERT(s.memory_peak <= memory);
    CU_ASSERT(s.evicted > 0);
    CU_ASSERT_EQUAL(c->wrong, 0);
    CU_ASSERT_EQUAL(c->failed > 0, fail_every > 0);
    engine_free(c->engine);
    fake_destroy(&c->source);
    pack_free(&c->pack);
}

static void engine_serves_a_crowd_from_a_local_file(void)
{
    struct crowd c = { .prefetches = true };
    run_crowd(&c, FAKE_IMMEDIATE, 0);
}

static void engine_serves_a_crowd_from_a_server(void)
{
    struct crowd c = { .prefetches = true };
    run_crowd(&c, FAKE_THREAD, 0);
}

static void engine_survives_errors_and_cancellations_in_a_crowd(void)
{
    struct crowd c = { .prefetches = true, .cancels = true };
    run_crowd(&c, FAKE_THREAD, 9);
    struct crowd d = { .prefetches = true, .cancels = true };
    run_crowd(&d, FAKE_IMMEDIATE, 9);
    struct crowd f = { .prefetches = true, .cancels = true };
    run_crowd(&f, FAKE_SYNC, 9);
}

UNIT_MAIN("engine-threads",
          TEST(engine_serves_a_crowd_from_a_local_file),
          TEST(engine_serves_a_crowd_from_a_server),
          TEST(engine_survives_errors_and_cancellations_in_a_crowd))
