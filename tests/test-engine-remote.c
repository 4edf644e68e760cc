/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of what the block engine does about a source that takes its time (fetch/engine.h): early
 * decoding, standing back, slices, wrong bytes, reading ahead. */
#include "config.h"

#include "fetch/engine.h"
#include "tests/engine_fixture.h"

static void engine_decodes_what_has_arrived_before_the_rest(void)
{
    struct rig r;
    struct result early, late;

    rig_up(&r, pack_new(16, 65536, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .max_reads = 1 });
    struct result first;
    start(&r, &first, 15, 1, NULL);
    start(&r, &early, 2, 1, NULL);
    start(&r, &late, 3, 4, NULL);
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&first);
    fake_wait_pending(&r.source, 1);
    CU_ASSERT_EQUAL(r.source.log[1].len, 5 * 65536);
    fake_arrive(&r.source, 65535);
    CU_ASSERT_EQUAL(result_calls(&early), 0);
    fake_arrive(&r.source, 65536);
    expect_bytes(&early);
    CU_ASSERT_EQUAL(result_calls(&late), 0);
    fake_arrive(&r.source, 4 * 65536 + 1);
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&late);
    CU_ASSERT_EQUAL(r.source.started, 2);
    expect_idle(r.engine);
    rig_down(&r);
}

static void engine_keeps_what_had_arrived_when_the_rest_fails(void)
{
    struct rig r;
    struct result early, late;

    rig_up(&r, pack_new(16, 65536, CODEC_NONE, 0), FAKE_MANUAL, NULL);
    engine_prefetch(r.engine, 0, 8, ENGINE_LAUNCH);
    start(&r, &early, 1, 1, NULL);
    start(&r, &late, 5, 1, NULL);
    fake_arrive(&r.source, 3 * 65536);
    expect_bytes(&early);
    fake_complete(&r.source, -EIO, ERR_NETWORK);
    expect_error(&late, ERR_NETWORK);
    start(&r, &early, 2, 1, NULL); /* arrived, although nobody had asked for it */
    expect_bytes(&early);
    CU_ASSERT_EQUAL(r.source.started, 1);
    start(&r, &late, 5, 1, NULL);
    fake_wait_pending(&r.source, 1);
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&late);
    expect_idle(r.engine);
    rig_down(&r);
}

static void engine_cancels_a_read_of_which_a_part_has_arrived(void)
{
    struct rig r;
    struct result early, late;
    struct engine_read *handle;

    rig_up(&r, pack_new(16, 65536, CODEC_NONE, 0), FAKE_MANUAL, NULL);
    r.source.answer_cancel = true;
    start(&r, &early, 0, 1, NULL);
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&early);
    start(&r, &late, 1, 4, &handle);
    fake_arrive(&r.source, 2 * 65536);
    engine_cancel(r.engine, handle);
    engine_read_release(r.engine, handle);
    expect_error(&late, ERR_CANCELLED);
    CU_ASSERT_EQUAL(r.source.cancels, 1);
    rig_down(&r); /* what had arrived may still be decoded; this waits for it */
}

static void engine_has_its_reads_ahead_stand_back_until_they_are_wanted(void)
{
    struct rig r;
    struct result a, b, c;

    rig_up(&r, pack_new(200, 65536, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .max_request = 4 * 65536 });
    engine_prefetch(r.engine, 0, 4, ENGINE_LAUNCH);
    CU_ASSERT_EQUAL(r.source.log[0].flags, SOURCE_READ_LOW);
    start(&r, &a, 100, 1, NULL);
    CU_ASSERT_EQUAL(r.source.log[1].flags, 0);
    CU_ASSERT_EQUAL(r.source.promotes, 0);
    start(&r, &b, 2, 1, NULL);
    CU_ASSERT_EQUAL(r.source.promotes, 1);
    start(&r, &c, 3, 1, NULL); /* that one does already */
    CU_ASSERT_EQUAL(r.source.promotes, 1);
    while (fake_pending(&r.source))
        fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&a);
    expect_bytes(&b);
    expect_bytes(&c);
    rig_down(&r);
}

static void engine_fetches_ahead_of_a_reader_beside_the_launch_set(void)
{
    struct rig r;

    rig_up(&r, pack_new(400, 65536, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .max_request = 4 * 65536, .max_low_reads = 1 });
    engine_prefetch(r.engine, 0, 40, ENGINE_LAUNCH);
    CU_ASSERT_EQUAL(fake_pending(&r.source), 1);
    engine_prefetch(r.engine, 200, 40, ENGINE_READAHEAD);
    CU_ASSERT_EQUAL(fake_pending(&r.source), 2); /* each has its own places */
    CU_ASSERT_EQUAL(r.source.log[1].flags, SOURCE_READ_LOW | SOURCE_READ_AHEAD);
    while (fake_pending(&r.source))
        fake_complete(&r.source, 0, ERR_NONE);
    rig_down(&r);
}

static void engine_takes_another_read_ahead_for_one_that_was_promoted(void)
{
    struct rig r;
    struct result a;

    rig_up(&r, pack_new(200, 65536, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .max_request = 65536, .max_low_reads = 1 });
    engine_prefetch(r.engine, 0, 3, ENGINE_LAUNCH);
    CU_ASSERT_EQUAL(fake_pending(&r.source), 1);
    start(&r, &a, 0, 1, NULL);
    CU_ASSERT_EQUAL(fake_pending(&r.source), 2);
    while (fake_pending(&r.source))
        fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&a);
    rig_down(&r);
}

/* Where the requests begin and end does not depend on who asks for what. */
static void engine_merges_within_slices(void)
{
    struct rig r;

    rig_up(&r, pack_new(100, 65536, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .memory = 64 << 20 });
    engine_prefetch(r.engine, 0, 100, ENGINE_LAUNCH);
    for (unsigned done = 0; done < 4; done++) {
        fake_wait_pending(&r.source, 1);
        fake_complete(&r.source, 0, ERR_NONE);
    }
    for (unsigned i = 0; i < r.source.started; i++) {
        uint64_t begin = r.source.log[i].offset, last = begin + r.source.log[i].len - 65536;
        CU_ASSERT_EQUAL(begin / ENGINE_SLICE, last / ENGINE_SLICE);
    }
    CU_ASSERT_EQUAL(r.source.started, 4); /* 6.4 MB: three slices and a part of the fourth */
    rig_down(&r);
}

static void engine_reads_no_byte_between_for_reads_ahead(void)
{
    struct rig r;

    rig_up(&r, pack_new(40, 4096, CODEC_NONE, 0), FAKE_MANUAL, NULL);
    engine_prefetch(r.engine, 4, 1, ENGINE_BACKGROUND);
    engine_prefetch(r.engine, 6, 1, ENGINE_BACKGROUND);
    CU_ASSERT_EQUAL(r.source.started, 2);
    CU_ASSERT_EQUAL(r.source.log[0].len, 4096);
    while (fake_pending(&r.source))
        fake_complete(&r.source, 0, ERR_NONE);
    rig_down(&r);
}

/* A ZIP archive has a header between two files: no block, and no reason for another request. */
static void engine_reads_what_lies_between_neighbours(void)
{
    struct rig r;

    rig_up(&r, pack_new(40, 4096, CODEC_NONE, 100), FAKE_MANUAL, NULL);
    engine_prefetch(r.engine, 0, 40, ENGINE_BACKGROUND);
    while (fake_pending(&r.source))
        fake_complete(&r.source, 0, ERR_NONE);
    CU_ASSERT_EQUAL(r.source.started, 1);
    engine_prefetch(r.engine, 0, 40, ENGINE_BACKGROUND);
    CU_ASSERT_EQUAL(r.source.started, 1);
    rig_down(&r);
}

static void engine_heals_a_block_that_came_wrong_once(void)
{
    struct rig r;
    struct result a;
    struct engine_stats s;

    rig_up(&r, pack_new(8, 4096, CODEC_ZSTD, 0), FAKE_MANUAL, NULL);
    r.pack.image[stored_at(&r, 3) + 5] ^= 1;
    start(&r, &a, 2, 3, NULL);
    fake_complete(&r.source, 0, ERR_NONE);
    fake_wait_pending(&r.source, 1);
    CU_ASSERT_EQUAL(r.source.log[1].offset, stored_at(&r, 3));
    CU_ASSERT_EQUAL(r.source.log[1].len, stored_at(&r, 4) - stored_at(&r, 3));
    CU_ASSERT_EQUAL(r.source.log[1].flags, SOURCE_READ_FRESH);
    r.pack.image[stored_at(&r, 3) + 5] ^= 1;
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&a);
    engine_get_stats(r.engine, &s);
    CU_ASSERT_EQUAL(s.bad_blocks, 1);
    CU_ASSERT_EQUAL(s.errors, 0);
    expect_idle(r.engine);
    rig_down(&r);
}

static void engine_asks_another_place_for_a_block_that_stays_wrong(void)
{
    struct rig r;
    struct result a;

    rig_up(&r, pack_new(8, 4096, CODEC_ZSTD, 0), FAKE_MANUAL, NULL);
    r.source.base.places = 2;
    r.pack.image[stored_at(&r, 3) + 5] ^= 1;
    start(&r, &a, 3, 1, NULL);
    for (unsigned tries = 0; tries < 3; tries++) {
        fake_wait_pending(&r.source, 1);
        r.source.pending[0]->place = 1;
        fake_complete(&r.source, 0, ERR_NONE);
    }
    expect_error(&a, ERR_BLOCK_HASH);
    CU_ASSERT_EQUAL(r.source.log[1].flags, SOURCE_READ_FRESH);
    CU_ASSERT_EQUAL(r.source.log[2].flags, SOURCE_READ_FRESH | SOURCE_READ_ELSEWHERE);
    CU_ASSERT_EQUAL(r.source.log[2].place, 1);
    expect_idle(r.engine);
    rig_down(&r);
}

static void engine_counts_what_failed_with_nobody_waiting(void)
{
    struct rig r;
    struct engine_stats s;

    rig_up(&r, pack_new(8, 4096, CODEC_NONE, 0), FAKE_MANUAL, NULL);
    engine_prefetch(r.engine, 0, 3, ENGINE_BACKGROUND);
    fake_complete(&r.source, -ETIMEDOUT, ERR_TIMEOUT);
    engine_get_stats(r.engine, &s);
    CU_ASSERT_EQUAL(s.ahead_errors, 3);
    rig_down(&r);
}

static void engine_reads_ahead_of_who_reads_in_order(void)
{
    struct rig r;
    struct result a;
    uint64_t end = FIXTURE_START;

    rig_up(&r, pack_new(400, 65536, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .readahead = 4 << 20 });
    for (uint32_t i = 0; i < 100; i++) {
        start(&r, &a, i, 1, NULL);
        while (fake_pending(&r.source))
            fake_complete(&r.source, 0, ERR_NONE);
        expect_bytes(&a);
    }
    /* Each byte once, in few requests that grow. */
    for (unsigned i = 0; i < r.source.started; i++) {
        CU_ASSERT_EQUAL(r.source.log[i].offset, end);
        end = r.source.log[i].offset + r.source.log[i].len;
    }
    CU_ASSERT(r.source.started <= 12);
    rig_down(&r);
}

static void engine_reads_nothing_ahead_of_who_jumps_about(void)
{
    struct rig r;
    struct result a;

    rig_up(&r, pack_new(400, 4096, CODEC_NONE, 0), FAKE_MANUAL,
           &(struct engine_options){ .readahead = 1 << 20 });
    for (uint32_t i = 0; i < 20; i++) {
        start(&r, &a, (i * 7 % 20) * 20, 1, NULL);
        fake_complete(&r.source, 0, ERR_NONE);
        expect_bytes(&a);
    }
    CU_ASSERT_EQUAL(r.source.started, 20);
    rig_down(&r);
}

UNIT_MAIN("engine-remote", TEST(engine_decodes_what_has_arrived_before_the_rest),
          TEST(engine_keeps_what_had_arrived_when_the_rest_fails),
          TEST(engine_cancels_a_read_of_which_a_part_has_arrived),
          TEST(engine_has_its_reads_ahead_stand_back_until_they_are_wanted),
          TEST(engine_fetches_ahead_of_a_reader_beside_the_launch_set),
          TEST(engine_takes_another_read_ahead_for_one_that_was_promoted),
          TEST(engine_merges_within_slices), TEST(engine_reads_no_byte_between_for_reads_ahead),
          TEST(engine_reads_what_lies_between_neighbours),
          TEST(engine_heals_a_block_that_came_wrong_once),
          TEST(engine_asks_another_place_for_a_block_that_stays_wrong),
          TEST(engine_counts_what_failed_with_nobody_waiting),
          TEST(engine_reads_ahead_of_who_reads_in_order),
          TEST(engine_reads_nothing_ahead_of_who_jumps_about))
