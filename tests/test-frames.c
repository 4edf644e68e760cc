/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of the frames (fetch/frames.h) and of the memory budget (fetch/budget.h). */
#include "config.h"

#include "fetch/budget.h"
#include "fetch/frames.h"
#include "tests/unit.h"

#define SIZE 4096u

static void put_ahead(struct frames *f, uint32_t block, bool ahead)
{
    uint32_t frame;

    CU_ASSERT_FATAL(frames_claim(f, &frame));
    memset(frames_data(f, frame), (int)block, SIZE);
    frames_publish(f, frame, block);
    if (ahead)
        frames_mark_ahead(f, frame);
    frames_unpin(f, frame);
}

static void put(struct frames *f, uint32_t block)
{
    put_ahead(f, block, false);
}

static bool has(struct frames *f, uint32_t block)
{
    uint32_t frame;

    if (!frames_pin(f, block, &frame))
        return false;
    CU_ASSERT_EQUAL(*frames_data(f, frame), (uint8_t)block);
    frames_unpin(f, frame);
    return true;
}

static struct frames *frames_of(uint32_t count, struct budget *budget)
{
    struct frames *f = NULL;

    *budget = (struct budget){ 0 };
    CU_ASSERT_EQUAL_FATAL(frames_new(100, SIZE, count, budget, &f), 0);
    return f;
}

static void frames_count_memory_from_first_use(void)
{
    struct budget budget;
    struct frames *f = frames_of(4, &budget);

    CU_ASSERT_EQUAL(budget.used, 0);
    CU_ASSERT_EQUAL(frames_vacant(f), 4);
    put(f, 1);
    CU_ASSERT_EQUAL(budget.used, SIZE);
    CU_ASSERT_EQUAL(frames_vacant(f), 3);
    for (uint32_t i = 2; i < 20; i++)
        put(f, i);
    CU_ASSERT_EQUAL(budget.used, 4 * SIZE);
    frames_free(f);
    CU_ASSERT_EQUAL(budget.used, 0);
    CU_ASSERT_EQUAL(budget.peak, 4 * SIZE);
}

static void frames_keep_what_is_used_again(void)
{
    struct budget budget;
    struct frames *f = frames_of(4, &budget);

    for (uint32_t i = 0; i < 4; i++)
        put(f, i);
    CU_ASSERT(has(f, 3));
    for (uint32_t i = 10; i < 30; i++) {
        put(f, i);
        CU_ASSERT(has(f, 3));
    }
    CU_ASSERT_FALSE(has(f, 10));
    frames_free(f);
}

static void frames_do_not_take_what_is_pinned(void)
{
    struct budget budget;
    struct frames *f = frames_of(3, &budget);
    uint32_t pins[3], frame;

    for (uint32_t i = 0; i < 3; i++) {
        put(f, i);
        CU_ASSERT_FATAL(frames_pin(f, i, &pins[i]));
    }
    CU_ASSERT_FALSE(frames_claim(f, &frame));
    frames_unpin(f, pins[1]);
    CU_ASSERT_FATAL(frames_claim(f, &frame));
    CU_ASSERT_EQUAL(frame, pins[1]);
    CU_ASSERT_FALSE(has(f, 1));
    frames_abandon(f, frame);
    CU_ASSERT_EQUAL(frames_vacant(f), 1);
    put(f, 5);
    CU_ASSERT(has(f, 0) && has(f, 2) && has(f, 5));
    frames_unpin(f, pins[0]);
    frames_unpin(f, pins[2]);
    frames_free(f);
}

static void frames_count_what_nobody_asked_for(void)
{
    struct budget budget;
    struct frames *f = frames_of(3, &budget);

    put(f, 0);
    put_ahead(f, 1, true);
    put_ahead(f, 2, true);
    CU_ASSERT_EQUAL(frames_ahead(f), 2);
    CU_ASSERT(has(f, 1) && has(f, 1));
    CU_ASSERT_EQUAL(frames_ahead(f), 1);
    put(f, 7);
    put(f, 8);
    CU_ASSERT_EQUAL(frames_ahead(f), 0);
    CU_ASSERT_FALSE(frames_has(f, 2));
    CU_ASSERT(frames_has(f, 1) && frames_has(f, 7) && frames_has(f, 8));
    frames_free(f);
}

static void budget_remembers_its_peak(void)
{
    struct budget b = { 0 };

    budget_take(&b, 100);
    budget_take(&b, 50);
    budget_give(&b, 120);
    budget_take(&b, 10);
    CU_ASSERT_EQUAL(b.used, 40);
    CU_ASSERT_EQUAL(b.peak, 150);
}

static void buffers_stay_within_their_share(void)
{
    struct budget b = { 0 };
    struct buffers p;
    uint8_t *one, *two, *three;

    CU_ASSERT_EQUAL_FATAL(buffers_init(&p, &b, 2 << 20), 0);
    CU_ASSERT_EQUAL(buffers_largest(&p, 1), 2u << 20);
    CU_ASSERT_EQUAL(buffers_largest(&p, 3), 512u << 10);
    CU_ASSERT_EQUAL(buffers_take(&p, (2u << 20) + 1, &one), -EFBIG);
    CU_ASSERT_EQUAL_FATAL(buffers_take(&p, 1000000, &one), 0);
    CU_ASSERT_EQUAL_FATAL(buffers_take(&p, 1000000, &two), 0);
    CU_ASSERT_EQUAL(buffers_take(&p, 1, &three), -EAGAIN);
    memset(one, 1, 1000000);
    buffers_give(&p, one, 1000000);
    CU_ASSERT_EQUAL_FATAL(buffers_take(&p, 1, &three), 0);
    CU_ASSERT_EQUAL(buffers_used(&p), (1u << 20) + (16u << 10));
    /* The spare megabyte had to go: kept buffers count, too. */
    CU_ASSERT(b.used <= 2u << 20);
    CU_ASSERT(b.peak <= 2u << 20);
    buffers_give(&p, three, 1);
    buffers_give(&p, two, 1000000);
    buffers_give(&p, NULL, 5);
    CU_ASSERT_EQUAL(buffers_used(&p), 0);
    uint64_t kept = b.used;
    CU_ASSERT_EQUAL_FATAL(buffers_take(&p, 1000000, &one), 0);
    CU_ASSERT_EQUAL(b.used, kept); /* the spare one was used again */
    buffers_give(&p, one, 1000000);
    CU_ASSERT(b.peak <= 2u << 20);
    buffers_destroy(&p);
    CU_ASSERT_EQUAL(b.used, 0);
}

UNIT_MAIN("frames",
          TEST(frames_count_memory_from_first_use),
          TEST(frames_keep_what_is_used_again),
          TEST(frames_do_not_take_what_is_pinned),
          TEST(frames_count_what_nobody_asked_for),
          TEST(budget_remembers_its_peak),
          TEST(buffers_stay_within_their_share))
