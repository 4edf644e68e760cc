/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checked cursor: what it reads, and that it never leaves its input. */
#include "config.h"

#include "src/cursor.h"

#include "tests/unit.h"

static const uint8_t bytes[15] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
                                   0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff };

static void cursor_reads_little_endian(void)
{
    struct cursor c = cursor_over(bytes, sizeof bytes);

    CU_ASSERT_EQUAL(cursor_u8(&c), 0x01);
    CU_ASSERT_EQUAL(cursor_u16(&c), 0x0302);
    CU_ASSERT_EQUAL(cursor_u32(&c), 0x07060504);
    CU_ASSERT_EQUAL(cursor_u64(&c), UINT64_C(0xfffefdfcfbfaf908));
    CU_ASSERT(!c.failed);
    CU_ASSERT_EQUAL(cursor_left(&c), 0);
}

static void cursor_knows_where_it_is(void)
{
    struct cursor c = cursor_over(bytes, sizeof bytes);

    CU_ASSERT_EQUAL(cursor_offset(&c), 0);
    (void)cursor_u32(&c);
    CU_ASSERT_EQUAL(cursor_offset(&c), 4);
    CU_ASSERT_EQUAL(cursor_left(&c), sizeof bytes - 4);
}

static void cursor_lends_its_input(void)
{
    struct cursor c = cursor_over(bytes, sizeof bytes);

    CU_ASSERT_PTR_EQUAL(cursor_bytes(&c, 3), bytes);
    CU_ASSERT_PTR_EQUAL(cursor_bytes(&c, 12), bytes + 3);
    CU_ASSERT_PTR_NOT_NULL(cursor_bytes(&c, 0));
    CU_ASSERT(!c.failed);
}

static void cursor_refuses_reads_past_the_end(void)
{
    struct cursor c = cursor_over(bytes, 3);

    CU_ASSERT_EQUAL(cursor_u32(&c), 0);
    CU_ASSERT(c.failed);
    CU_ASSERT_EQUAL(cursor_offset(&c), 0);
}

static void cursor_reads_zero_after_a_failure(void)
{
    struct cursor c = cursor_over(bytes, 3);

    (void)cursor_u64(&c);
    CU_ASSERT_EQUAL(cursor_u8(&c), 0);
    CU_ASSERT_PTR_NULL(cursor_bytes(&c, 1));
    CU_ASSERT_PTR_NULL(cursor_bytes(&c, 0));
    CU_ASSERT(c.failed);
}

static void cursor_refuses_huge_lengths(void)
{
    struct cursor c = cursor_over(bytes, sizeof bytes);

    (void)cursor_u8(&c);
    CU_ASSERT_PTR_NULL(cursor_bytes(&c, UINT64_MAX));
    CU_ASSERT(c.failed);
}

static void cursor_over_nothing_has_nothing(void)
{
    struct cursor c = cursor_over(bytes, 0);

    CU_ASSERT_EQUAL(cursor_left(&c), 0);
    CU_ASSERT_EQUAL(cursor_u8(&c), 0);
    CU_ASSERT(c.failed);
}

UNIT_MAIN("cursor", TEST(cursor_reads_little_endian), TEST(cursor_knows_where_it_is),
          TEST(cursor_lends_its_input), TEST(cursor_refuses_reads_past_the_end),
          TEST(cursor_reads_zero_after_a_failure), TEST(cursor_refuses_huge_lengths),
          TEST(cursor_over_nothing_has_nothing))
