/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of the block engine (fetch/engine.h) over a scripted source. */
#include "config.h"

#include "fetch/engine.h"
#include "tests/engine_fixture.h"

/* --- reading --------------------------------------------------------------------------------- */

static void engine_reads_pieces_of_several_blocks(void)
{
    struct rig r;
    struct result a;

    rig_up(&r, pack_new(8, 4096, CODEC_ZSTD, 0), FAKE_IMMEDIATE, NULL);
    result_init(&a, &r.pack);
    a.pieces[0] = (struct piece){ 5, 100, 1000 };
    a.pieces[1] = (struct piece){ 0, 4095, 1 };
    a.pieces[2] = (struct piece){ 7, 0, 2048 };
    a.pieces[3] = (struct piece){ 5, 0, 4096 }; /* the same block once more */
    a.count = 4;
    engine_read(r.engine, a.pieces, a.count, result_done, &a, NULL);
    expect_bytes(&a);
    expect_idle(r.engine);
    rig_down(&r);
}

static void engine_answers_from_memory_when_read_again(void)
{
    struct rig r;
    struct result a;
    struct engine_read *handle;
    struct engine_pin pin;
    struct engine_stats s;

    rig_up(&r, pack_new(8, 4096, CODEC_ZLIB, 0), FAKE_IMMEDIATE, NULL);
    CU_ASSERT_FALSE(engine_pin(r.engine, 3, &pin));
    CU_ASSERT_FALSE(engine_pin(r.engine, 8, &pin)); /* there is none */
    start(&r, &a, 2, 3, NULL);
    expect_bytes(&a);
    unsigned reads = r.source.started;
    start(&r, &a, 2, 3, NULL);
    expect_bytes(&a);
    start(&r, &a, 3, 1, &handle);
    CU_ASSERT_PTR_NULL(handle);
    expect_bytes(&a);
    CU_ASSERT_EQUAL(r.source.started, reads);
    CU_ASSERT_FATAL(engine_pin(r.engine, 3, &pin));
    CU_ASSERT_EQUAL(pin.len, 4096);
    CU_ASSERT(!memcmp(pin.data, r.pack.plain + 3 * 4096, 4096));
    engine_unpin(r.engine, &pin);
    engine_get_stats(r.engine, &s);
    CU_ASSERT_EQUAL(s.misses, 3);
    CU_ASSERT_EQUAL(s.hits, 5);
    CU_ASSERT_EQUAL(s.decoded_blocks, 3);
    CU_ASSERT_EQUAL(s.cached_bytes, 3 * 4096);
    CU_ASSERT_EQUAL(s.buffer_bytes, 0);
    rig_down(&r);
}

static void engine_refuses_pieces_outside_the_package(void)
{
    static const struct piece bad[] = { { 8, 0, 1 }, { 0, 4096, 1 }, { 0, 1, 4096 }, { 0, 0, 0 },
                                        { 7, 0, 2049 }, { 0, UINT32_MAX, 2 } };
    struct rig r;
    struct result a;

    rig_up(&r, pack_new(8, 4096, CODEC_NONE, 0), FAKE_IMMEDIATE, NULL);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        result_init(&a, &r.pack);
        engine_read(r.engine, &bad[i], 1, result_done, &a, NULL);
        expect_error(&a, ERR_INVALID);
    }
    result_init(&a, &r.pack);
    engine_read(r.engine, bad, 0, result_done, &a, NULL);
    expect_bytes(&a);
    CU_ASSERT_EQUAL(r.source.started, 0);
    rig_down(&r);
}

static void engine_reads_files_to_their_end(void)
{
    static uint8_t buf[5000000];
    struct rig r;
    struct err e;
    size_t size = 70 * 65536 - 32768;

    rig_up(&r, pack_new(70, 65536, CODEC_ZSTD, 0), FAKE_THREAD, NULL);
    CU_ASSERT_EQUAL(engine_read_file(r.engine, 1, 0, buf, sizeof buf, &e), (long)size);
    CU_ASSERT(!memcmp(buf, r.pack.plain, size));
    CU_ASSERT_EQUAL(engine_read_file(r.engine, 1, 100000, buf, 10, &e), 10);
    CU_ASSERT(!memcmp(buf, r.pack.plain + 100000, 10));
    CU_ASSERT_EQUAL(engine_read_file(r.engine, 1, size, buf, 10, &e), 0);
    expect_idle(r.engine);
    rig_down(&r);
}

static void engine_refuses_a_ceiling_too_low_to_work(void)
{
    struct pack pack = pack_new(2, 4096, CODEC_NONE, 0);
    struct fake source;
    struct engine *en = NULL;
    struct err e;

    fake_init(&source, &pack, FAKE_IMMEDIATE);
    CU_ASSERT_EQUAL(engine_new(pack.package, &source.base,
                               &(struct engine_options){ .memory = 1000000 }, &en, &e),
                    -EINVAL);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    engine_free(NULL);
    fake_destroy(&source);
    pack_free(&pack);
}

/* --- one fetch for all ----------------------------------------------------------------------- */

static void engine_fetches_once_for_a_hundred_readers(void)
{
    struct rig r;
    static struct result results[100];
    struct engine_stats s;

    rig_up(&r, pack_new(8, 4096, CODEC_ZSTD, 0), FAKE_MANUAL, NULL);
    for (int i = 0; i < 100; i++)
        start(&r, &results[i], 4, 1, NULL);
    CU_ASSERT_EQUAL(r.source.started, 1);
    engine_get_stats(r.engine, &s);
    CU_ASSERT_EQUAL(s.inflight_blocks, 1);
    CU_ASSERT_EQUAL(s.waiting_requests, 100);
    CU_ASSERT_EQUAL(s.joined, 99);
    fake_complete(&r.source, 0, ERR_NONE);
    for (int i = 0; i < 100; i++)
        expect_bytes(&results[i]);
    CU_ASSERT_EQUAL(r.source.started, 1);
    expect_idle(r.engine);
    rig_down(&r);
}

static void engine_tells_every_waiter_of_an_error_and_tries_again_later(void)
{
    struct rig r;
    struct result results[10];

    rig_up(&r, pack_new(8, 4096, CODEC_ZSTD, 0), FAKE_MANUAL, NULL);
    for (uint32_t i = 0; i < 10; i++)
        start(&r, &results[i], i % 3, 2, NULL);
    while (fake_pending(&r.source))
        fake_complete(&r.source, -EIO, ERR_NETWORK);
    for (int i = 0; i < 10; i++)
        expect_error(&results[i], ERR_NETWORK);
    expect_idle(r.engine);
    start(&r, &results[0], 0, 4, NULL);
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&results[0]);
    rig_down(&r);
}

static void engine_fails_a_damaged_block_alone(void)
{
    struct rig r;
    struct result good, bad;
    struct engine_stats s;

    rig_up(&r, pack_new(8, 4096, CODEC_ZSTD, 0), FAKE_MANUAL,
           &(struct engine_options){ .max_reads = 1 });
    r.pack.image[stored_at(&r, 3) + 5] ^= 1;
    start(&r, &good, 0, 1, NULL);
    start(&r, &bad, 2, 2, NULL);
    struct result other;
    start(&r, &other, 4, 2, NULL);
    fake_complete(&r.source, 0, ERR_NONE);
    fake_wait_pending(&r.source, 1); /* blocks 2 to 5 in one */
    CU_ASSERT_EQUAL(r.source.log[1].offset, stored_at(&r, 2));
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&good);
    expect_bytes(&other);
    fake_wait_pending(&r.source, 1); /* it is asked for once more, alone */
    CU_ASSERT_EQUAL(r.source.log[2].offset, stored_at(&r, 3));
    CU_ASSERT_EQUAL(r.source.log[2].flags, SOURCE_READ_FRESH);
    fake_complete(&r.source, 0, ERR_NONE);
    expect_error(&bad, ERR_BLOCK_HASH);
    engine_get_stats(r.engine, &s);
    CU_ASSERT_EQUAL(s.errors, 1);
    CU_ASSERT_EQUAL(s.bad_blocks, 2);
    r.pack.image[stored_at(&r, 3) + 5] ^= 1;
    start(&r, &good, 3, 1, NULL);
    fake_wait_pending(&r.source, 1);
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&good);
    rig_down(&r);
}

static void engine_takes_reads_that_complete_while_they_are_started(void)
{
    struct rig r;
    struct result results[8];

    rig_up(&r, pack_new(200, 65536, CODEC_ZSTD, 0), FAKE_SYNC,
           &(struct engine_options){ .max_reads = 1, .max_request = 131072 });
    for (uint32_t i = 0; i < 8; i++)
        start(&r, &results[i], 20 * i, 20, NULL);
    for (uint32_t i = 0; i < 8; i++)
        expect_bytes(&results[i]);
    r.source.fail_every = 1;
    start(&r, &results[0], 190, 2, NULL);
    expect_error(&results[0], ERR_NETWORK);
    expect_idle(r.engine);
    rig_down(&r);
}

/* --- merging and order ----------------------------------------------------------------------- */

static void engine_merges_adjacent_blocks_into_one_request(void)
{
    struct rig r;
    struct result a;

    rig_up(&r, pack_new(16, 4096, CODEC_NONE, 0), FAKE_MANUAL, NULL);
    start(&r, &a, 3, 6, NULL);
    CU_ASSERT_EQUAL(r.source.started, 1);
    CU_ASSERT_EQUAL(r.source.log[0].offset, stored_at(&r, 3));
    CU_ASSERT_EQUAL(r.source.log[0].len, 6 * 4096);
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&a);
    rig_down(&r);
}

static void engine_merges_what_several_readers_want(void)
{
    struct rig r;
    struct result first, results[6];
    /* Around the oldest of the waiting ones (8), in both directions, past the gap at 10. */
    static const uint32_t blocks[] = { 8, 6, 7, 9, 11, 2 };

    rig_up(&r, pack_new(16, 4096, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .max_reads = 1, .merge_gap = 4096 });
    start(&r, &first, 15, 1, NULL);
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
        start(&r, &results[i], blocks[i], 1, NULL);
    CU_ASSERT_EQUAL(r.source.started, 1);
    fake_complete(&r.source, 0, ERR_NONE);
    fake_wait_pending(&r.source, 1);
    CU_ASSERT_EQUAL(r.source.log[1].offset, stored_at(&r, 6));
    CU_ASSERT_EQUAL(r.source.log[1].len, 6 * 4096);
    fake_complete(&r.source, 0, ERR_NONE);
    fake_wait_pending(&r.source, 1);
    CU_ASSERT_EQUAL(r.source.log[2].offset, stored_at(&r, 2));
    CU_ASSERT_EQUAL(r.source.log[2].len, 4096);
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&first);
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
        expect_bytes(&results[i]);
    CU_ASSERT_EQUAL(r.source.started, 3);
    rig_down(&r);
}

static void engine_reads_apart_what_is_too_far_apart(void)
{
    struct rig r;
    struct result a;

    rig_up(&r, pack_new(8, 4096, CODEC_NONE, 1000), FAKE_MANUAL,
           &(struct engine_options){ .merge_gap = 999 });
    start(&r, &a, 0, 3, NULL);
    CU_ASSERT_EQUAL(r.source.started, 3);
    while (fake_pending(&r.source))
        fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&a);
    rig_down(&r);

    rig_up(&r, pack_new(8, 4096, CODEC_NONE, 1000), FAKE_MANUAL,
           &(struct engine_options){ .merge_gap = 1000 });
    start(&r, &a, 0, 3, NULL);
    CU_ASSERT_EQUAL(r.source.started, 1);
    CU_ASSERT_EQUAL(r.source.log[0].len, 3 * 4096 + 2 * 1000);
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&a);
    rig_down(&r);
}

static void engine_keeps_requests_below_their_limits(void)
{
    struct rig r;
    struct result a;

    rig_up(&r, pack_new(40, 65536, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .max_request = 256 * 1024, .max_reads = 3 });
    start(&r, &a, 0, 20, NULL);
    CU_ASSERT_EQUAL(r.source.started, 3);
    for (unsigned done = 0; done < 5; done++) {
        fake_wait_pending(&r.source, 1);
        fake_complete(&r.source, 0, ERR_NONE);
    }
    expect_bytes(&a);
    CU_ASSERT_EQUAL(r.source.started, 5);
    CU_ASSERT_EQUAL(r.source.most_pending, 3);
    for (unsigned i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(r.source.log[i].len, 256 * 1024);
    rig_down(&r);
}

static void engine_serves_demand_before_what_is_fetched_ahead(void)
{
    static const uint32_t order[] = { 0, 70, 60, 50, 30, 20 };
    struct rig r;
    struct result first, demand, raised;

    rig_up(&r, pack_new(80, 4096, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .max_reads = 1, .merge_gap = 1 });
    start(&r, &first, 0, 1, NULL);
    engine_prefetch(r.engine, 20, 1, ENGINE_BACKGROUND);
    engine_prefetch(r.engine, 30, 1, ENGINE_LAUNCH);
    engine_prefetch(r.engine, 50, 1, ENGINE_READAHEAD);
    engine_prefetch(r.engine, 60, 1, ENGINE_BACKGROUND);
    start(&r, &demand, 70, 1, NULL);
    start(&r, &raised, 60, 1, NULL); /* somebody wants it now */
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        fake_wait_pending(&r.source, 1);
        CU_ASSERT_EQUAL(r.source.log[i].offset, stored_at(&r, order[i]));
        fake_complete(&r.source, 0, ERR_NONE);
    }
    expect_bytes(&first);
    expect_bytes(&demand);
    expect_bytes(&raised);
    rig_down(&r);
}

static void engine_keeps_places_free_for_demand(void)
{
    struct rig r;
    struct result a;

    rig_up(&r, pack_new(80, 4096, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .max_reads = 4, .merge_gap = 1 });
    for (uint32_t i = 0; i < 8; i++)
        engine_prefetch(r.engine, 10 * i, 1, ENGINE_LAUNCH);
    CU_ASSERT_EQUAL(r.source.started, 2);
    start(&r, &a, 5, 1, NULL);
    CU_ASSERT_EQUAL(r.source.started, 3);
    CU_ASSERT_EQUAL(r.source.log[2].offset, stored_at(&r, 5));
    for (unsigned done = 0; done < 9; done++) {
        fake_wait_pending(&r.source, 1);
        fake_complete(&r.source, 0, ERR_NONE);
    }
    expect_bytes(&a);
    rig_down(&r);
}

/* --- memory ---------------------------------------------------------------------------------- */

static void engine_stays_below_its_ceiling_when_blocks_do_not_fit(void)
{
    struct rig r;
    struct result a;
    struct engine_stats s;
    uint32_t state = 99;

    rig_up(&r, pack_new(300, 65536, CODEC_ZSTD, 0), FAKE_IMMEDIATE,
           &(struct engine_options){ .memory = 8 << 20 });
    for (uint32_t i = 0; i + 8 <= 300; i += 8) {
        start(&r, &a, i, 8, NULL);
        expect_bytes(&a);
    }
    for (int i = 0; i < 200; i++) {
        start(&r, &a, next_random(&state) % 297, 3, NULL);
        expect_bytes(&a);
    }
    engine_get_stats(r.engine, &s);
    CU_ASSERT(s.evicted > 200);
    CU_ASSERT(s.memory_peak <= 8 << 20);
    CU_ASSERT(s.memory_peak >= s.memory);
    CU_ASSERT_EQUAL(s.buffer_bytes, 0);
    rig_down(&r);
}

/* Pins blocks until no more stay in memory; returns how many are pinned. */
static uint32_t pin_everything(struct rig *r, struct engine_pin *pins, uint32_t max)
{
    struct result a;
    uint32_t pinned = 0;

    for (uint32_t block = 0; block < max; block++) {
        start(r, &a, block, 1, NULL);
        expect_bytes(&a);
        if (engine_pin(r->engine, block, &pins[pinned]))
            pinned++;
    }
    return pinned;
}

static void engine_serves_past_the_cache_when_all_frames_are_pinned(void)
{
    static struct engine_pin pins[200];
    struct rig r;
    struct result a, b;

    rig_up(&r, pack_new(200, 65536, CODEC_ZSTD, 0), FAKE_IMMEDIATE,
           &(struct engine_options){ .memory = 8 << 20 });
    uint32_t pinned = pin_everything(&r, pins, 200);
    CU_ASSERT(pinned > 10 && pinned < 190);
    start(&r, &a, 150, 10, NULL);
    expect_bytes(&a);
    unsigned reads = fake_started(&r.source);
    engine_prefetch(r.engine, 160, 4, ENGINE_READAHEAD); /* finds no place: dropped */
    start(&r, &b, 150, 1, NULL);
    expect_bytes(&b);
    CU_ASSERT(fake_started(&r.source) > reads);
    for (uint32_t i = 0; i < pinned; i++) {
        CU_ASSERT(!memcmp(pins[i].data, r.pack.plain + (size_t)i * 65536, 65536));
        engine_unpin(r.engine, &pins[i]);
    }
    start(&r, &a, 150, 1, NULL);
    expect_bytes(&a);
    CU_ASSERT(engine_pin(r.engine, 150, &pins[0]));
    engine_unpin(r.engine, &pins[0]);
    rig_down(&r);
}

static void engine_lets_large_reads_in_one_after_the_other(void)
{
    struct rig r;
    static struct result results[12];
    struct engine_stats s;

    rig_up(&r, pack_new(400, 65536, CODEC_ZSTD, 0), FAKE_THREAD,
           &(struct engine_options){ .memory = 8 << 20 });
    for (uint32_t i = 0; i < 12; i++)
        start(&r, &results[i], 32 * i, 32, NULL); /* 2 MiB each */
    for (int i = 0; i < 12; i++)
        expect_bytes(&results[i]);
    engine_get_stats(r.engine, &s);
    CU_ASSERT(s.memory_peak <= 8 << 20);
    expect_idle(r.engine);
    rig_down(&r);
}

static void engine_cancels_a_read_that_was_not_let_in(void)
{
    struct rig r;
    struct result first, second, third;
    struct engine_read *handle;

    rig_up(&r, pack_new(100, 65536, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .memory = 8 << 20 });
    start(&r, &first, 0, 32, NULL);
    start(&r, &second, 32, 32, &handle);
    start(&r, &third, 64, 32, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(handle);
    engine_cancel(r.engine, handle);
    expect_error(&second, ERR_CANCELLED);
    engine_cancel(r.engine, handle);
    engine_read_release(r.engine, handle);
    while (!result_calls(&third)) {
        while (fake_pending(&r.source))
            fake_complete(&r.source, 0, ERR_NONE);
        sched_yield(); /* the decoders are at it, or the third is being let in */
    }
    expect_bytes(&first);
    expect_bytes(&third);
    rig_down(&r);
}

/* --- ahead of need --------------------------------------------------------------------------- */

static void engine_prefetches_into_memory(void)
{
    static const enum fake_mode modes[] = { FAKE_IMMEDIATE, FAKE_THREAD };
    struct rig r;
    struct engine_stats s;

    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        rig_up(&r, pack_new(32, 65536, CODEC_ZSTD, 0), modes[m], NULL);
        engine_prefetch(r.engine, 4, 1000, ENGINE_LAUNCH);
        do {
            sched_yield();
            engine_get_stats(r.engine, &s);
        } while (s.inflight_blocks);
        CU_ASSERT_EQUAL(s.decoded_blocks, 28);
        for (uint32_t i = 4; i < 32; i++) {
            struct engine_pin pin;
            CU_ASSERT_FATAL(engine_pin(r.engine, i, &pin));
            CU_ASSERT(!memcmp(pin.data, r.pack.plain + (size_t)i * 65536, pin.len));
            engine_unpin(r.engine, &pin);
        }
        rig_down(&r);
    }
}

/* Asks for all blocks ahead of need; returns how many have been decoded altogether. */
static uint64_t prefetch_all(struct rig *r)
{
    struct engine_stats s;

    engine_prefetch(r->engine, 0, r->pack.blocks, ENGINE_LAUNCH);
    do {
        sched_yield();
        engine_get_stats(r->engine, &s);
    } while (s.inflight_blocks);
    return s.decoded_blocks;
}

static void engine_fetches_nothing_ahead_for_which_others_would_go(void)
{
    struct rig r;
    struct engine_stats s;

    rig_up(&r, pack_new(300, 65536, CODEC_NONE, 0), FAKE_THREAD,
           &(struct engine_options){ .memory = 8 << 20 });
    uint64_t first = prefetch_all(&r);
    CU_ASSERT(first > 20 && first < 200);
    CU_ASSERT_EQUAL(prefetch_all(&r), first);
    engine_get_stats(r.engine, &s);
    CU_ASSERT_EQUAL(s.evicted, 0);
    CU_ASSERT_EQUAL(s.cached_bytes, first * 65536);
    rig_down(&r);
}

static void engine_limits_what_it_fetches_ahead_when_memory_is_full(void)
{
    struct rig r;
    struct result a;
    struct engine_pin pin;

    rig_up(&r, pack_new(300, 65536, CODEC_NONE, 0), FAKE_THREAD,
           &(struct engine_options){ .memory = 8 << 20 });
    for (uint32_t i = 100; i < 300; i += 20) {
        start(&r, &a, i, 20, NULL);
        expect_bytes(&a);
    }
    uint64_t ahead = prefetch_all(&r) - 200;
    CU_ASSERT(ahead > 4 && ahead < 30);
    CU_ASSERT_EQUAL(prefetch_all(&r), 200 + ahead);
    CU_ASSERT_FATAL(engine_pin(r.engine, 0, &pin)); /* one used: room for one more */
    engine_unpin(r.engine, &pin);
    CU_ASSERT_EQUAL(prefetch_all(&r), 200 + ahead + 1);
    rig_down(&r);
}

/* --- cancellation and end -------------------------------------------------------------------- */

static void engine_does_not_fetch_what_was_cancelled_in_the_queue(void)
{
    struct rig r;
    struct result first, second;
    struct engine_read *handle;

    rig_up(&r, pack_new(16, 4096, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .max_reads = 1 });
    start(&r, &first, 0, 1, NULL);
    start(&r, &second, 9, 3, &handle);
    engine_cancel(r.engine, handle);
    expect_error(&second, ERR_CANCELLED);
    engine_read_release(r.engine, handle);
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&first);
    expect_idle(r.engine);
    CU_ASSERT_EQUAL(r.source.started, 1);
    rig_down(&r);
}

static void engine_cancels_the_source_read_nobody_waits_for(void)
{
    struct rig r;
    struct result a, b;
    struct engine_read *first, *second;
    struct engine_stats s;

    for (int answered = 0; answered < 2; answered++) {
        rig_up(&r, pack_new(16, 4096, CODEC_NONE, 0), FAKE_MANUAL, NULL);
        r.source.answer_cancel = answered;
        start(&r, &a, 4, 2, &first);
        start(&r, &b, 5, 1, &second);
        engine_cancel(r.engine, first);
        expect_error(&a, ERR_CANCELLED);
        CU_ASSERT_EQUAL(r.source.cancels, 0); /* the other one still waits */
        engine_cancel(r.engine, second);
        expect_error(&b, ERR_CANCELLED);
        CU_ASSERT_EQUAL(r.source.cancels, 1);
        if (!answered)
            fake_complete(&r.source, -EINTR, ERR_CANCELLED);
        engine_read_release(r.engine, first);
        engine_read_release(r.engine, second);
        engine_get_stats(r.engine, &s);
        CU_ASSERT_EQUAL(s.cancelled, 2);
        CU_ASSERT_EQUAL(s.buffer_bytes, 0);
        expect_idle(r.engine);
        rig_down(&r);
    }
}

static void engine_fetches_again_for_who_came_after_the_cancel(void)
{
    struct rig r;
    struct result a, b;
    struct engine_read *handle;

    rig_up(&r, pack_new(16, 4096, CODEC_ZSTD, 0), FAKE_MANUAL, NULL);
    start(&r, &a, 4, 3, &handle);
    engine_cancel(r.engine, handle);
    engine_read_release(r.engine, handle);
    expect_error(&a, ERR_CANCELLED);
    start(&r, &b, 5, 1, NULL); /* joins the read that is being cancelled */
    CU_ASSERT_EQUAL(r.source.started, 1);
    fake_complete(&r.source, -EINTR, ERR_CANCELLED);
    CU_ASSERT_EQUAL(result_calls(&b), 0);
    CU_ASSERT_EQUAL(r.source.started, 2);
    CU_ASSERT_EQUAL(r.source.log[1].offset, stored_at(&r, 5));
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&b);
    rig_down(&r);
}

static void engine_ignores_a_cancel_after_the_end(void)
{
    struct rig r;
    struct result a;
    struct engine_read *handle;

    rig_up(&r, pack_new(16, 4096, CODEC_ZSTD, 0), FAKE_MANUAL, NULL);
    start(&r, &a, 4, 3, &handle);
    fake_complete(&r.source, 0, ERR_NONE);
    result_wait(&a);
    engine_cancel(r.engine, handle);
    engine_read_release(r.engine, handle);
    engine_cancel(r.engine, NULL);
    engine_read_release(r.engine, NULL);
    expect_bytes(&a);
    rig_down(&r);
}

static void engine_fails_what_waited_longer_than_a_read_that_timed_out(void)
{
    struct rig r;
    struct result first, second, third;

    rig_up(&r, pack_new(64, 4096, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .max_reads = 2, .merge_gap = 1 });
    start(&r, &first, 0, 1, NULL);
    start(&r, &second, 10, 1, NULL);
    start(&r, &third, 20, 1, NULL);
    fake_complete(&r.source, 0, ERR_NONE); /* the third begins */
    expect_bytes(&first);
    fake_wait_pending(&r.source, 2);
    start(&r, &first, 30, 1, NULL); /* queued after both began */
    fake_complete(&r.source, -ETIMEDOUT, ERR_TIMEOUT);
    expect_error(&second, ERR_TIMEOUT);
    CU_ASSERT_EQUAL(result_calls(&first), 0);
    fake_wait_pending(&r.source, 2);
    struct result queued;
    start(&r, &queued, 40, 1, NULL);
    fake_complete(&r.source, 0, ERR_NONE); /* the third ends, 40 begins after 30 */
    expect_bytes(&third);
    fake_wait_pending(&r.source, 2);
    fake_complete(&r.source, 0, ERR_NONE);
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&first);
    expect_bytes(&queued);
    rig_down(&r);
}

static void engine_ends_everything_when_freed(void)
{
    for (int answered = 0; answered < 2; answered++) {
        struct rig r;
        static struct result results[30];

        /* Without an answer to the cancel, the results come late and from a thread. */
        rig_up(&r, pack_new(64, 65536, CODEC_ZSTD, 0), answered ? FAKE_MANUAL : FAKE_THREAD,
               &(struct engine_options){ .memory = 8 << 20, .max_reads = 2 });
        r.source.answer_cancel = true;
        for (uint32_t i = 0; i < 30; i++)
            start(&r, &results[i], i, 1 + i % 20, NULL);
        engine_prefetch(r.engine, 40, 20, ENGINE_LAUNCH);
        engine_free(r.engine);
        r.engine = NULL;
        for (int i = 0; i < 30; i++) {
            CU_ASSERT_EQUAL(result_calls(&results[i]), 1);
            CU_ASSERT(results[i].status == 0 || results[i].kind == ERR_CANCELLED);
            CU_ASSERT(results[i].same);
            result_destroy(&results[i]);
        }
        rig_down(&r);
    }
}

UNIT_MAIN("engine",
          TEST(engine_reads_pieces_of_several_blocks),
          TEST(engine_answers_from_memory_when_read_again),
          TEST(engine_refuses_pieces_outside_the_package),
          TEST(engine_reads_files_to_their_end),
          TEST(engine_refuses_a_ceiling_too_low_to_work),
          TEST(engine_fetches_once_for_a_hundred_readers),
          TEST(engine_tells_every_waiter_of_an_error_and_tries_again_later),
          TEST(engine_fails_a_damaged_block_alone),
          TEST(engine_takes_reads_that_complete_while_they_are_started),
          TEST(engine_merges_adjacent_blocks_into_one_request),
          TEST(engine_merges_what_several_readers_want),
          TEST(engine_reads_apart_what_is_too_far_apart),
          TEST(engine_keeps_requests_below_their_limits),
          TEST(engine_serves_demand_before_what_is_fetched_ahead),
          TEST(engine_keeps_places_free_for_demand),
          TEST(engine_stays_below_its_ceiling_when_blocks_do_not_fit),
          TEST(engine_serves_past_the_cache_when_all_frames_are_pinned),
          TEST(engine_lets_large_reads_in_one_after_the_other),
          TEST(engine_cancels_a_read_that_was_not_let_in),
          TEST(engine_prefetches_into_memory),
          TEST(engine_fetches_nothing_ahead_for_which_others_would_go),
          TEST(engine_limits_what_it_fetches_ahead_when_memory_is_full),
          TEST(engine_does_not_fetch_what_was_cancelled_in_the_queue),
          TEST(engine_cancels_the_source_read_nobody_waits_for),
          TEST(engine_fetches_again_for_who_came_after_the_cancel),
          TEST(engine_ignores_a_cancel_after_the_end),
          TEST(engine_fails_what_waited_longer_than_a_read_that_timed_out),
          TEST(engine_ends_everything_when_freed))
