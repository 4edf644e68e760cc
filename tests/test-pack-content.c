/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which contents are equal, from sizes and hashes. */
#include "config.h"

#include "tools/pack_content.h"

#include "tests/unit.h"

static void only_files_of_a_shared_size_are_hashed(void)
{
    struct pack_content f[] = { { .size = 5 }, { .size = 7 }, { .size = 5 }, { .size = 9 } };
    CU_ASSERT_EQUAL(pack_content_find_candidates(f, 4, NULL), 2);
    CU_ASSERT_TRUE(f[0].hash_it && f[2].hash_it);
    CU_ASSERT_FALSE(f[1].hash_it || f[3].hash_it);
}

static void empty_files_are_not_hashed_and_equal_nothing(void)
{
    struct pack_content f[] = { { .size = 0 }, { .size = 0 } };
    CU_ASSERT_EQUAL(pack_content_find_candidates(f, 2, NULL), 0);
    CU_ASSERT_EQUAL(pack_content_match(f, 2, NULL), 0);
    CU_ASSERT_EQUAL(f[0].same_as, 0);
    CU_ASSERT_EQUAL(f[1].same_as, 1);
}

static void equal_contents_point_at_the_lowest_index(void)
{
    struct pack_content f[5] = { { .size = 8 }, { .size = 3 }, { .size = 3 }, { .size = 3 },
                                 { .size = 8 } };
    CU_ASSERT_EQUAL(pack_content_find_candidates(f, 5, NULL), 5);
    memset(f[1].sha256, 1, 32);
    memset(f[2].sha256, 2, 32);
    memset(f[3].sha256, 1, 32);
    CU_ASSERT_EQUAL(pack_content_match(f, 5, NULL), 0);
    CU_ASSERT_EQUAL(f[0].same_as, 0);
    CU_ASSERT_EQUAL(f[1].same_as, 1);
    CU_ASSERT_EQUAL(f[2].same_as, 2);
    CU_ASSERT_EQUAL(f[3].same_as, 1);
    CU_ASSERT_EQUAL(f[4].same_as, 0);
}

static void same_hash_of_another_size_is_not_equal(void)
{
    struct pack_content f[4] = { { .size = 8 }, { .size = 8 }, { .size = 3 }, { .size = 3 } };
    CU_ASSERT_EQUAL(pack_content_find_candidates(f, 4, NULL), 4);
    CU_ASSERT_EQUAL(pack_content_match(f, 4, NULL), 0);
    CU_ASSERT_EQUAL(f[1].same_as, 0);
    CU_ASSERT_EQUAL(f[2].same_as, 2);
    CU_ASSERT_EQUAL(f[3].same_as, 2);
}

UNIT_MAIN("pack_content",
          TEST(only_files_of_a_shared_size_are_hashed),
          TEST(empty_files_are_not_hashed_and_equal_nothing),
          TEST(equal_contents_point_at_the_lowest_index),
          TEST(same_hash_of_another_size_is_not_equal))
