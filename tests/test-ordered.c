/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pieces of work on several threads, taken in order; errors of every function end it. */
#include "config.h"

#include <stdatomic.h>

#include "tests/unit.h"
#include "tools/ordered.h"

struct sum {
    uint32_t taken;
    atomic_uint begun, ended;
    bool in_order;
    uint32_t fail_work, fail_take; /* piece; UINT32_MAX for none */
    bool fail_begin;
};

static int begin(void *arg, void **thread, struct err *e)
{
    struct sum *s = arg;
    if (s->fail_begin)
        return err_set(e, ERR_INVALID, "begin");
    atomic_fetch_add(&s->begun, 1);
    *thread = s;
    return 0;
}

static void end(void *arg, void *thread)
{
    struct sum *s = arg;
    CU_ASSERT_PTR_EQUAL(thread, s);
    atomic_fetch_add(&s->ended, 1);
}

static int work(void *arg, void *thread, uint32_t index, void *slot, struct err *e)
{
    const struct sum *s = arg;
    (void)thread;
    if (index == s->fail_work)
        return err_set(e, ERR_INVALID, "work");
    *(uint64_t *)slot = (uint64_t)index * index;
    return 0;
}

static int take(void *arg, uint32_t index, void *slot, struct err *e)
{
    struct sum *s = arg;
    if (index == s->fail_take)
        return err_set(e, ERR_INVALID, "take");
    s->in_order &= index == s->taken && *(uint64_t *)slot == (uint64_t)index * index;
    s->taken++;
    return 0;
}

static int run(struct sum *s, uint32_t count, unsigned jobs, struct err *e)
{
    const struct ordered o = { .count = count, .jobs = jobs, .slot_bytes = sizeof(uint64_t),
                               .begin = begin, .end = end, .work = work, .take = take, .arg = s };
    s->in_order = true;
    return ordered_run(&o, e);
}

static void results_come_in_order_whatever_the_threads(void)
{
    for (unsigned jobs = 0; jobs < 9; jobs++)
        for (uint32_t count = 0; count < 3000; count = 3 * count + 1) {
            struct sum s = { .fail_work = UINT32_MAX, .fail_take = UINT32_MAX };
            CU_ASSERT_EQUAL(run(&s, count, jobs, NULL), 0);
            CU_ASSERT_EQUAL(s.taken, count);
            CU_ASSERT_TRUE(s.in_order);
            CU_ASSERT_EQUAL(s.begun, s.ended);
        }
}

static void an_error_ends_it_and_is_told(void)
{
    static const char *const where[] = { "begin", "work", "take" };
    for (unsigned k = 0; k < 3; k++)
        for (unsigned jobs = 1; jobs < 5; jobs++) {
            struct sum s = { .fail_work = k == 1 ? 200 : UINT32_MAX,
                             .fail_take = k == 2 ? 200 : UINT32_MAX, .fail_begin = k == 0 };
            struct err e = { .kind = ERR_NONE };
            CU_ASSERT(run(&s, 1000, jobs, &e) < 0);
            CU_ASSERT_STRING_EQUAL(e.text, where[k]);
            CU_ASSERT(s.taken <= 200);
            CU_ASSERT_EQUAL(s.begun, s.ended);
        }
}

UNIT_MAIN("ordered", TEST(results_come_in_order_whatever_the_threads),
          TEST(an_error_ends_it_and_is_told))
