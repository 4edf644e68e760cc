/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timers come out in the order of their times, whatever was set, moved and cleared in between. */
#include "config.h"

#include "fetch/timers.h"

#include "tests/unit.h"

enum { COUNT = 300, STEPS = 20000 };

static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)seed * below >> 32);
}

static uint64_t smallest(const struct timer *t, size_t count)
{
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < count; i++)
        if (t[i].set)
            least = min_u64(least, t[i].at_ms);
    return least;
}

static void timers_none_set_has_no_first(void)
{
    struct timers all = { NULL };
    struct timer t = { .at_ms = 5 };

    CU_ASSERT_PTR_NULL(timers_first(&all));
    timers_clear(&all, &t);
    CU_ASSERT_PTR_NULL(timers_first(&all));
    timers_set(&all, &t, 7);
    CU_ASSERT_PTR_EQUAL(timers_first(&all), &t);
    timers_clear(&all, &t);
    CU_ASSERT_PTR_NULL(timers_first(&all));
    CU_ASSERT_FALSE(t.set);
}

static void timers_come_out_in_order_of_time(void)
{
    static struct timer t[COUNT];
    struct timers all = { NULL };
    uint64_t last = 0;

    for (size_t i = 0; i < COUNT; i++)
        timers_set(&all, &t[i], any(100)); /* many at the same time */
    for (size_t i = 0; i < COUNT; i++) {
        struct timer *first = timers_first(&all);
        CU_ASSERT_PTR_NOT_NULL_FATAL(first);
        CU_ASSERT(first->at_ms >= last);
        last = first->at_ms;
        timers_clear(&all, first);
    }
    CU_ASSERT_PTR_NULL(timers_first(&all));
}

static void timers_first_is_right_after_any_steps(void)
{
    static struct timer t[COUNT];
    struct timers all = { NULL };
    unsigned wrong = 0;

    for (unsigned i = 0; i < STEPS; i++) {
        struct timer *one = &t[any(COUNT)];
        if (any(3))
            timers_set(&all, one, any(1000)); /* may be set already: it moves */
        else if (any(4) || !timers_first(&all))
            timers_clear(&all, one);
        else
            timers_clear(&all, timers_first(&all));
        const struct timer *first = timers_first(&all);
        wrong += (first ? first->at_ms : UINT64_MAX) != smallest(t, COUNT);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

UNIT_MAIN("timers", TEST(timers_none_set_has_no_first), TEST(timers_come_out_in_order_of_time),
          TEST(timers_first_is_right_after_any_steps))
