/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of what is fetched ahead of readers (fetch/ahead.h). */
#include "config.h"

#include "fetch/ahead.h"

#include "tests/unit.h"

static void ahead_is_silent_at_the_first_step(void)
{
    struct ahead a;
    struct block_run run;

    ahead_init(&a, 2, 64);
    CU_ASSERT(!ahead_note(&a, 10, 1, &run));
    CU_ASSERT(!ahead_note(&a, 500, 2, &run));
}

static void ahead_begins_small_and_doubles_while_it_is_used(void)
{
    struct ahead a;
    struct block_run run;
    uint32_t end = 11, largest = 0;

    ahead_init(&a, 2, 64);
    CU_ASSERT(!ahead_note(&a, 10, 1, &run));
    CU_ASSERT(ahead_note(&a, 11, 1, &run));
    CU_ASSERT_EQUAL(run.first, 12);
    CU_ASSERT_EQUAL(run.count, 2);
    end = run.first + run.count;
    for (uint32_t i = 12; i < 1000; i++) {
        if (!ahead_note(&a, i, 1, &run))
            continue;
        CU_ASSERT_EQUAL(run.first, end); /* nothing left out, nothing twice */
        end = run.first + run.count;
        if (end - (i + 1) > largest)
            largest = end - (i + 1);
    }
    CU_ASSERT_EQUAL(largest, 64);
    CU_ASSERT(end >= 1000);
}

static void ahead_believes_a_long_step_at_once(void)
{
    struct ahead a;
    struct block_run run;

    ahead_init(&a, 2, 64);
    CU_ASSERT(ahead_note(&a, 100, 8, &run));
    CU_ASSERT_EQUAL(run.first, 108);
    CU_ASSERT_EQUAL(run.count, 2);
}

static void ahead_forgives_small_jumps(void)
{
    struct ahead a;
    struct block_run run;

    ahead_init(&a, 4, 64);
    (void)ahead_note(&a, 10, 1, &run);
    CU_ASSERT(ahead_note(&a, 12, 1, &run)); /* one left out */
    CU_ASSERT_EQUAL(run.first, 13);
    CU_ASSERT(!ahead_note(&a, 11, 1, &run)); /* back */
    CU_ASSERT(ahead_note(&a, 15, 1, &run));
    CU_ASSERT_EQUAL(run.first, 17);
}

static void ahead_lets_jumps_alone(void)
{
    struct ahead a;
    struct block_run run;

    ahead_init(&a, 2, 64);
    for (uint32_t i = 0; i < 1000; i++)
        CU_ASSERT(!ahead_note(&a, (i * 617 % 1000) * 1000, 1, &run));
}

static void ahead_follows_several_readers(void)
{
    struct ahead a;
    struct block_run run;

    ahead_init(&a, 2, 8);
    for (uint32_t i = 0; i < 20; i++)
        for (uint32_t reader = 0; reader < AHEAD_STREAMS; reader++) {
            bool found = ahead_note(&a, reader * 10000 + i, 1, &run);
            if (i == 1)
                CU_ASSERT(found);
            if (found)
                CU_ASSERT_EQUAL(run.first / 10000, reader);
        }
}

static void ahead_believes_beginnings_after_long_reading(void)
{
    struct ahead a;
    struct block_run run;
    unsigned believed = 0;

    ahead_init(&a, 2, 64);
    for (uint32_t i = 0; i < 40; i++)
        (void)ahead_note(&a, i, 1, &run);
    for (uint32_t i = 0; i < 100; i++)
        believed += ahead_note(&a, 100000 + 1000 * i, 1, &run);
    CU_ASSERT(believed > 0 && believed < 20); /* not for ever */
}

static void ahead_stops_at_the_largest_number(void)
{
    struct ahead a;
    struct block_run run;

    ahead_init(&a, 8, 64);
    (void)ahead_note(&a, UINT32_MAX - 6, 1, &run);
    CU_ASSERT(ahead_note(&a, UINT32_MAX - 5, 1, &run));
    CU_ASSERT_EQUAL(run.first, UINT32_MAX - 4);
    CU_ASSERT_EQUAL(run.count, 4);
    CU_ASSERT(!ahead_note(&a, UINT32_MAX - 1, 4, &run));
}

static void ahead_goes_on_from_where_the_caller_stopped(void)
{
    struct ahead a;
    struct block_run run;

    ahead_init(&a, 8, 64);
    (void)ahead_note(&a, 0, 1, &run);
    CU_ASSERT_FATAL(ahead_note(&a, 1, 1, &run));
    ahead_correct(&a, &run, run.first + 3); /* less than was wanted */
    CU_ASSERT_FATAL(ahead_note(&a, 2, 2, &run) || ahead_note(&a, 4, 1, &run));
    CU_ASSERT_EQUAL(run.first, 5);
    ahead_correct(&a, &run, run.first + run.count + 30); /* more */
    uint32_t end = run.first + run.count + 30;
    while (!ahead_note(&a, run.first, 1, &run))
        run.first++;
    CU_ASSERT_EQUAL(run.first, end);
    ahead_correct(&a, &(struct block_run){ 10000, 5 }, 10000); /* a stream that is gone */
}

UNIT_MAIN("ahead", TEST(ahead_is_silent_at_the_first_step),
          TEST(ahead_begins_small_and_doubles_while_it_is_used),
          TEST(ahead_believes_a_long_step_at_once), TEST(ahead_forgives_small_jumps),
          TEST(ahead_lets_jumps_alone), TEST(ahead_follows_several_readers),
          TEST(ahead_believes_beginnings_after_long_reading),
          TEST(ahead_stops_at_the_largest_number),
          TEST(ahead_goes_on_from_where_the_caller_stopped))
