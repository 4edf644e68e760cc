/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Planning of blocks: every byte is placed exactly once, and where the layout promises. */
#include "config.h"

#include "src/pack_plan.h"

#include "tests/unit.h"

#define KIB 1024u
#define BS  (64 * KIB)

static struct pack_file file(uint32_t index, const char *name, uint64_t size, uint32_t dir)
{
    return (struct pack_file){ .name = name, .size = size, .dir = dir, .launch = PACK_NO_RANK,
                               .same_as = index };
}

static struct extent extent_of(const struct pack_plan *p, uint32_t f, uint32_t i)
{
    return p->extents[p->files[f].first + i];
}

static uint64_t length_of(const struct pack_plan *p, uint32_t f)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < p->files[f].count; i++)
        sum += extent_of(p, f, i).length;
    return sum;
}

static void plan_of_no_files_is_empty(void)
{
    struct pack_plan p;
    CU_ASSERT_EQUAL(pack_plan_make(NULL, 0, BS, &p, NULL), 0);
    CU_ASSERT_EQUAL(p.block_count, 0);
    pack_plan_clear(&p);
}

static void small_files_share_a_block_in_the_order_of_folded_names(void)
{
    const struct pack_file f[] = { file(0, "b.txt", 100, 1), file(1, "c.dll", 200, 1),
                                   file(2, "A.TXT", 300, 1) };
    struct pack_plan p;
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, 3, BS, &p, NULL), 0);
    CU_ASSERT_EQUAL(p.block_count, 1);
    CU_ASSERT_EQUAL(p.blocks[0].len, 600);
    CU_ASSERT_EQUAL(extent_of(&p, 2, 0).from, 0);
    CU_ASSERT_EQUAL(extent_of(&p, 0, 0).from, 300);
    CU_ASSERT_EQUAL(extent_of(&p, 1, 0).from, 400);
    pack_plan_clear(&p);
}

static void large_file_starts_on_a_block_boundary_and_is_consecutive(void)
{
    const struct pack_file f[] = { file(0, "a", 10, 1), file(1, "b", 3 * BS + 5, 1) };
    struct pack_plan p;
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, 2, BS, &p, NULL), 0);
    struct extent x = extent_of(&p, 1, 0);
    CU_ASSERT_EQUAL(x.from, 0);
    CU_ASSERT_EQUAL(x.length, 3 * BS + 5);
    CU_ASSERT_EQUAL(p.files[1].count, 1);
    CU_ASSERT_EQUAL(p.blocks[x.block + 3].len, 5);
    pack_plan_clear(&p);
}

static void directories_follow_each_other_in_the_order_of_their_ranks(void)
{
    const struct pack_file f[] = { file(0, "a", BS, 3), file(1, "b", BS, 1), file(2, "c", BS, 2) };
    struct pack_plan p;
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, 3, BS, &p, NULL), 0);
    CU_ASSERT_EQUAL(extent_of(&p, 1, 0).block, 0);
    CU_ASSERT_EQUAL(extent_of(&p, 2, 0).block, 1);
    CU_ASSERT_EQUAL(extent_of(&p, 0, 0).block, 2);
    pack_plan_clear(&p);
}

static void file_of_exactly_one_block_fills_it(void)
{
    const struct pack_file f[] = { file(0, "a", BS, 1), file(1, "b", 1, 1) };
    struct pack_plan p;
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, 2, BS, &p, NULL), 0);
    CU_ASSERT_EQUAL(p.block_count, 2);
    CU_ASSERT_EQUAL(p.files[0].count, 1);
    CU_ASSERT_NOT_EQUAL(extent_of(&p, 0, 0).block, extent_of(&p, 1, 0).block);
    pack_plan_clear(&p);
}

static void empty_file_has_no_extent(void)
{
    const struct pack_file f[] = { file(0, "a", 0, 1), file(1, "b", 0, 1) };
    struct pack_plan p;
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, 2, BS, &p, NULL), 0);
    CU_ASSERT_EQUAL(p.files[0].count + p.files[1].count, 0);
    CU_ASSERT_EQUAL(p.block_count, 0);
    pack_plan_clear(&p);
}

static void small_file_never_crosses_a_boundary(void)
{
    struct pack_file f[200];
    for (uint32_t i = 0; i < ARRAY_LEN(f); i++)
        f[i] = file(i, "x", 1 + i * 7919 % (BS - 1), i / 20);
    struct pack_plan p;
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, ARRAY_LEN(f), BS, &p, NULL), 0);
    for (uint32_t i = 0; i < ARRAY_LEN(f); i++) {
        CU_ASSERT_EQUAL(p.files[i].count, 1);
        CU_ASSERT_TRUE(extent_of(&p, i, 0).from + f[i].size <= BS);
    }
    pack_plan_clear(&p);
}

static void parts_of_every_block_are_gapless_and_cover_every_file(void)
{
    struct pack_file f[300];
    uint64_t total = 0, placed = 0;
    for (uint32_t i = 0; i < ARRAY_LEN(f); i++) {
        f[i] = file(i, "x", (uint64_t)i * i * 131 % (5 * BS), i / 7);
        total += f[i].size;
    }
    struct pack_plan p;
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, ARRAY_LEN(f), BS, &p, NULL), 0);
    for (uint32_t b = 0; b < p.block_count; b++) {
        uint32_t at = 0;
        for (uint32_t i = 0; i < p.blocks[b].part_count; i++) {
            const struct pack_part *part = &p.parts[p.blocks[b].first_part + i];
            CU_ASSERT_EQUAL(part->block, b);
            CU_ASSERT_EQUAL(part->from, at);
            at += part->len;
        }
        CU_ASSERT_EQUAL(at, p.blocks[b].len);
        CU_ASSERT_TRUE(at > 0 && at <= BS);
        placed += at;
    }
    CU_ASSERT_EQUAL(placed, total);
    CU_ASSERT_EQUAL(p.unique_bytes, total);
    for (uint32_t i = 0; i < ARRAY_LEN(f); i++)
        CU_ASSERT_EQUAL(length_of(&p, i), f[i].size);
    pack_plan_clear(&p);
}

static void launch_set_comes_first_in_its_order_and_alone(void)
{
    struct pack_file f[] = { file(0, "a", 100, 1), file(1, "b", BS + 1, 2), file(2, "c", 50, 3),
                             file(3, "d", 60, 3) };
    f[3].launch = 0;
    f[1].launch = 1;
    struct pack_plan p;
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, 4, BS, &p, NULL), 0);
    CU_ASSERT_EQUAL(p.launch_blocks, 3);
    CU_ASSERT_EQUAL(extent_of(&p, 3, 0).block, 0);
    CU_ASSERT_TRUE(extent_of(&p, 1, 0).block < 3);
    CU_ASSERT_TRUE(extent_of(&p, 0, 0).block >= 3);
    CU_ASSERT_TRUE(extent_of(&p, 2, 0).block >= 3);
    pack_plan_clear(&p);
}

static const struct pack_range two_places[] = { { BS + 1, 10 }, { 3 * BS - 1, BS + 2 } };

/* Blocks 1, 2, 3 and 4 of six are wanted. */
static void launch_file_of_which_parts_are_wanted_is_divided(void)
{
    struct pack_file f[] = { file(0, "a", 100, 1), file(1, "b", 5 * BS + 7, 2),
                             file(2, "c", 50, 3) };
    f[1].launch = 1;
    f[1].ranges = two_places;
    f[1].range_count = 2;
    f[2].launch = 0;
    struct pack_plan p;
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, 3, BS, &p, NULL), 0);
    CU_ASSERT_EQUAL(p.block_count, 8);
    CU_ASSERT_EQUAL(p.launch_blocks, 5); /* c, and four of b */
    CU_ASSERT_EQUAL(extent_of(&p, 2, 0).block, 0);
    CU_ASSERT_EQUAL_FATAL(p.files[1].count, 3);
    CU_ASSERT_EQUAL(extent_of(&p, 1, 0).length, BS);
    CU_ASSERT(extent_of(&p, 1, 0).block >= 5);
    CU_ASSERT_EQUAL(extent_of(&p, 1, 1).block, 1);
    CU_ASSERT_EQUAL(extent_of(&p, 1, 1).length, 4 * BS);
    CU_ASSERT_EQUAL(extent_of(&p, 1, 2).block, extent_of(&p, 1, 0).block + 1);
    CU_ASSERT_EQUAL(extent_of(&p, 1, 2).length, 7);
    CU_ASSERT_EQUAL(length_of(&p, 1), f[1].size);
    CU_ASSERT_EQUAL(p.unique_bytes, f[0].size + f[1].size + f[2].size);
    for (uint32_t b = 0; b < p.block_count; b++)
        for (uint32_t i = 0; i < p.blocks[b].part_count; i++) {
            const struct pack_part *part = &p.parts[p.blocks[b].first_part + i];
            CU_ASSERT_EQUAL(part->block, b);
            CU_ASSERT(part->file != 1 || part->offset % BS == 0);
        }
    pack_plan_clear(&p);
}

static void launch_file_that_is_wanted_whole_or_not_at_all_is_not_divided(void)
{
    static const struct pack_range all[] = { { 0, 1 }, { BS, 1 }, { 2 * BS, 1 } };
    static const struct pack_range beyond[] = { { 10 * BS, 5 }, { 0, 0 } };
    struct pack_file f[] = { file(0, "a", 3 * BS, 1), file(1, "b", 3 * BS, 1),
                             file(2, "c", BS, 1) };
    f[0].launch = 0;
    f[0].ranges = all;
    f[0].range_count = 3;
    f[1].launch = 1;
    f[1].ranges = beyond;
    f[1].range_count = 2;
    f[2].launch = 2;
    f[2].ranges = all;
    f[2].range_count = 1;
    struct pack_plan p;
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, 3, BS, &p, NULL), 0);
    CU_ASSERT_EQUAL(p.files[0].count + p.files[1].count + p.files[2].count, 3);
    CU_ASSERT_EQUAL(p.launch_blocks, 4);
    CU_ASSERT_EQUAL(extent_of(&p, 0, 0).block, 0);
    CU_ASSERT_EQUAL(extent_of(&p, 1, 0).block, 4);
    pack_plan_clear(&p);
}

static void same_content_is_divided_for_all_that_is_wanted_of_it(void)
{
    static const struct pack_range begin[] = { { 0, 1 } }, end[] = { { 3 * BS, UINT64_MAX } };
    struct pack_file f[] = { file(0, "a", 4 * BS, 1), file(1, "b", 4 * BS, 2),
                             file(2, "c", 4 * BS, 3) };
    f[1].same_as = f[2].same_as = 0;
    f[1].launch = 0;
    f[1].ranges = begin;
    f[1].range_count = 1;
    f[2].launch = 1;
    f[2].ranges = end;
    f[2].range_count = 1;
    struct pack_plan p;
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, 3, BS, &p, NULL), 0);
    CU_ASSERT_EQUAL(p.launch_blocks, 2);
    CU_ASSERT_EQUAL(p.files[0].count, 3);
    CU_ASSERT_EQUAL(p.files[0].first, p.files[2].first);
    pack_plan_clear(&p);
    f[0].launch = 3; /* and a whole */
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, 3, BS, &p, NULL), 0);
    CU_ASSERT_EQUAL(p.launch_blocks, 4);
    CU_ASSERT_EQUAL(p.files[0].count, 1);
    pack_plan_clear(&p);
}

static void same_content_has_the_same_extents_and_the_best_rank(void)
{
    struct pack_file f[] = { file(0, "a", 100, 1), file(1, "b", 200, 1), file(2, "c", 200, 2) };
    f[2].same_as = 1;
    f[2].launch = 5;
    struct pack_plan p;
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, 3, BS, &p, NULL), 0);
    CU_ASSERT_EQUAL(p.unique_bytes, 300);
    CU_ASSERT_EQUAL(p.files[1].first, p.files[2].first);
    CU_ASSERT_EQUAL(extent_of(&p, 1, 0).block, 0);
    CU_ASSERT_EQUAL(p.launch_blocks, 1);
    pack_plan_clear(&p);
}

static void placed_file_takes_no_room(void)
{
    struct pack_file f[] = { file(0, "a", 100, 1), file(1, "b", 3 * BS, 1) };
    f[1].placed = true;
    struct pack_plan p;
    CU_ASSERT_EQUAL_FATAL(pack_plan_make(f, 2, BS, &p, NULL), 0);
    CU_ASSERT_EQUAL(p.block_count, 1);
    CU_ASSERT_EQUAL(p.files[1].count, 0);
    pack_plan_clear(&p);
}

static void chain_of_same_contents_is_refused(void)
{
    struct pack_file f[] = { file(0, "a", 9, 1), file(1, "b", 9, 1), file(2, "c", 9, 1) };
    f[2].same_as = 1;
    f[1].same_as = 0;
    struct pack_plan p;
    struct err e = { 0 };
    CU_ASSERT_EQUAL(pack_plan_make(f, 3, BS, &p, &e), -EINVAL);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
}

static void more_content_than_blocks_can_be_numbered_is_refused(void)
{
    const struct pack_file f[] = { file(0, "a", UINT64_MAX, 1) };
    struct pack_plan p;
    struct err e = { 0 };
    CU_ASSERT_TRUE(pack_plan_make(f, 1, 4 * KIB, &p, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
}

UNIT_MAIN("pack_plan",
          TEST(plan_of_no_files_is_empty),
          TEST(small_files_share_a_block_in_the_order_of_folded_names),
          TEST(large_file_starts_on_a_block_boundary_and_is_consecutive),
          TEST(directories_follow_each_other_in_the_order_of_their_ranks),
          TEST(file_of_exactly_one_block_fills_it),
          TEST(empty_file_has_no_extent),
          TEST(small_file_never_crosses_a_boundary),
          TEST(parts_of_every_block_are_gapless_and_cover_every_file),
          TEST(launch_set_comes_first_in_its_order_and_alone),
          TEST(launch_file_of_which_parts_are_wanted_is_divided),
          TEST(launch_file_that_is_wanted_whole_or_not_at_all_is_not_divided),
          TEST(same_content_is_divided_for_all_that_is_wanted_of_it),
          TEST(same_content_has_the_same_extents_and_the_best_rank),
          TEST(placed_file_takes_no_room),
          TEST(chain_of_same_contents_is_refused),
          TEST(more_content_than_blocks_can_be_numbered_is_refused))
