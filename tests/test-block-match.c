/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Equal blocks of two packages. */
#include "config.h"

#include "src/block_match.h"
#include "src/container.h"
#include "tests/make-sft.h"
#include "tests/unit.h"

static const struct make_entry before[] = {
    { .path = "a", .len = 10000 },
    { .path = "b", .len = 4096 },
    { .path = "c", .len = 9000 },
};
static const struct make_entry after[] = {
    { .path = "b", .len = 4096 },
    { .path = "c", .len = 9000 },
    { .path = "d", .len = 5000 },
};

static struct package *package_of(const struct make_entry *entries, size_t count)
{
    struct made_sft made;
    struct package *p = NULL;

    CU_ASSERT_EQUAL_FATAL(make_sft(entries, count, NULL, &made, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(container_read_memory(made.data, made.len, &p, NULL), 0);
    free(made.data);
    return p;
}

/* The block that holds the first byte of a file. */
static uint32_t first_block(const struct package *p, const char *path)
{
    struct piece piece;

    CU_ASSERT_EQUAL_FATAL(package_map(p, package_resolve(p, path, true), 0, 1, &piece, 1), 1);
    return piece.block;
}

static void block_match_finds_equal_blocks_under_other_numbers(void)
{
    struct package *old = package_of(before, ARRAY_LEN(before));
    struct package *new = package_of(after, ARRAY_LEN(after));
    struct block_match *m;

    CU_ASSERT_EQUAL_FATAL(block_match_new(old, &m), 0);
    CU_ASSERT_NOT_EQUAL(first_block(old, "b"), first_block(new, "b"));
    CU_ASSERT_EQUAL(block_match_find(m, package_block(new, first_block(new, "b"))),
                    first_block(old, "b"));
    for (uint32_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(block_match_find(m, package_block(new, first_block(new, "c") + i)),
                        first_block(old, "c") + i);
    CU_ASSERT_EQUAL(block_match_find(m, package_block(new, first_block(new, "d"))),
                    BLOCK_MATCH_NONE);
    block_match_free(m);
    package_free(old);
    package_free(new);
}

static void block_match_compares_more_than_the_hash(void)
{
    struct package *p = package_of(before, ARRAY_LEN(before));
    struct block_match *m;

    CU_ASSERT_EQUAL_FATAL(block_match_new(p, &m), 0);
    struct block b = *package_block(p, 1);
    CU_ASSERT_EQUAL(block_match_find(m, &b), 1);
    b.stored_len++;
    CU_ASSERT_EQUAL(block_match_find(m, &b), BLOCK_MATCH_NONE);
    b = *package_block(p, 1);
    b.len--;
    CU_ASSERT_EQUAL(block_match_find(m, &b), BLOCK_MATCH_NONE);
    b = *package_block(p, 1);
    b.codec ^= 1;
    CU_ASSERT_EQUAL(block_match_find(m, &b), BLOCK_MATCH_NONE);
    block_match_free(m);
    package_free(p);
}

static void block_match_of_a_package_without_blocks_finds_nothing(void)
{
    static const struct make_entry none[] = { { .path = "empty" } };
    struct package *empty = package_of(none, 1), *p = package_of(before, ARRAY_LEN(before));
    struct block_match *m;

    CU_ASSERT_EQUAL_FATAL(block_match_new(empty, &m), 0);
    CU_ASSERT_EQUAL(block_match_find(m, package_block(p, 0)), BLOCK_MATCH_NONE);
    block_match_free(m);
    block_match_free(NULL);
    package_free(empty);
    package_free(p);
}

UNIT_MAIN("block-match", TEST(block_match_finds_equal_blocks_under_other_numbers),
          TEST(block_match_compares_more_than_the_hash),
          TEST(block_match_of_a_package_without_blocks_finds_nothing))
