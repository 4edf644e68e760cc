/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/holdoff.c. */
#include "config.h"

#include "fetch/holdoff.h"

#include "tests/unit.h"

static void holdoff_doubles_up_to_the_longest(void)
{
    static const uint32_t middle[] = { 1000, 2000, 4000, 8000, 10000, 10000 };
    uint32_t half = UINT32_MAX / 2;

    for (unsigned i = 0; i < sizeof middle / sizeof *middle; i++)
        CU_ASSERT(holdoff_ms(i + 1, 1000, 10000, half) - middle[i] + 1 <= 2);
    CU_ASSERT(holdoff_ms(UINT32_MAX, 1000, 10000, half) - 10000 + 1 <= 2);
}

static void holdoff_differs_by_a_quarter_at_the_most(void)
{
    CU_ASSERT_EQUAL(holdoff_ms(1, 1000, 10000, 0), 750);
    CU_ASSERT_EQUAL(holdoff_ms(1, 1000, 10000, UINT32_MAX), 1250);
    CU_ASSERT_EQUAL(holdoff_ms(1, 1, 1, 0), 1);
    CU_ASSERT_EQUAL(holdoff_ms(1, 1, 1, UINT32_MAX), 1);
    CU_ASSERT_EQUAL(holdoff_ms(9, UINT32_MAX / 2, UINT32_MAX / 2, UINT32_MAX),
                    UINT32_MAX / 2 - UINT32_MAX / 8 + UINT32_MAX / 4);
}

UNIT_MAIN("holdoff", TEST(holdoff_doubles_up_to_the_longest),
          TEST(holdoff_differs_by_a_quarter_at_the_most))
