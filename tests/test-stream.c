/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fs/stream.c: what counts as reading a directory in its order. */
#include "config.h"

#include "fs/stream.h"

#include <stdio.h>

#include "src/package_builder.h"
#include "tests/unit.h"

enum { FILES = 200, SIZE = 4096 };

/* A root with two directories (nodes 1 and 2) of FILES files each: 3 .. 202 and 203 .. 402. */
static struct package *make(void)
{
    struct package_counts counts = { .nodes = 3 + 2 * FILES, .extents = 2 * FILES, .blocks = 1,
                                     .versions = 1, .name_bytes = 2 + 2 * FILES * 4 };
    struct package_info info = { .format = "test", .name = "t", .root_name = "",
                                 .version_number = 1, .block_size = SIZE,
                                 .metadata_bytes = 100, .container_bytes = 100 + SIZE };
    struct block block = { .offset = 100, .stored_len = SIZE, .len = SIZE, .codec = CODEC_NONE };
    struct extent extent = { .length = SIZE };
    struct node root = { .flags = NODE_DIR, .child_count = 2 };
    struct node dir = { .flags = NODE_DIR, .child_count = FILES };
    struct node file = { .size = SIZE, .extent_count = 1 };
    struct package_version version = { .number = 1 };
    struct package_builder *b;
    struct package *p = NULL;
    struct err e = { 0 };
    char name[8];

    CU_ASSERT_EQUAL_FATAL(package_builder_new(&counts, &b, &e), 0);
    int rc = package_builder_set_info(b, &info, &e) | package_builder_add_block(b, &block, &e);
    for (int i = 0; i < 2 * FILES; i++)
        rc |= package_builder_add_extent(b, &extent, &e);
    rc |= package_builder_add_node(b, &root, "", 0, "", 0, NULL, &e);
    rc |= package_builder_add_node(b, &dir, "A", 1, "", 0, NULL, &e);
    rc |= package_builder_add_node(b, &dir, "B", 1, "", 0, NULL, &e);
    for (int i = 0; i < 2 * FILES; i++) {
        (void)snprintf(name, sizeof name, "F%03d", i % FILES);
        rc |= package_builder_add_node(b, &file, name, 4, "", 0, NULL, &e);
    }
    rc |= package_builder_add_version(b, &version, &e);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    if (package_builder_finish(b, &p, &e))
        printf("%s\n", e.text);
    package_builder_free(b);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    return p;
}

static void stream_says_nothing_after_one_file(void)
{
    struct package *p = make();
    struct stream_table t;
    struct node_range r;
    stream_table_init(&t);
    CU_ASSERT_FALSE(stream_note_read(&t, p, 3, &r));
    package_free(p);
}

static void stream_pushes_a_window_after_two_files_in_order(void)
{
    struct package *p = make();
    struct stream_table t;
    struct node_range r = { 0 };
    stream_table_init(&t);
    (void)stream_note_read(&t, p, 3, &r);
    CU_ASSERT_TRUE(stream_note_read(&t, p, 4, &r));
    CU_ASSERT_EQUAL(r.first, 5);
    CU_ASSERT_EQUAL(r.end, 5 + STREAM_WINDOW_MIN / SIZE);
    package_free(p);
}

static void stream_grows_its_window_and_stops_at_the_directory(void)
{
    struct package *p = make();
    struct stream_table t;
    struct node_range r = { 0 };
    stream_table_init(&t);
    (void)stream_note_read(&t, p, 3, &r);
    CU_ASSERT_TRUE(stream_note_read(&t, p, 4, &r));
    uint32_t next = r.end;
    CU_ASSERT_TRUE(stream_note_read(&t, p, next, &r));
    CU_ASSERT_EQUAL(r.first, next + 1);
    CU_ASSERT_EQUAL(r.end - r.first, 2 * STREAM_WINDOW_MIN / SIZE);
    CU_ASSERT_TRUE(stream_note_read(&t, p, r.end, &r));
    CU_ASSERT_EQUAL(r.end, 3 + FILES);
    package_free(p);
}

static void stream_is_silent_while_the_last_window_is_in_use(void)
{
    struct package *p = make();
    struct stream_table t;
    struct node_range r = { 0 };
    stream_table_init(&t);
    (void)stream_note_read(&t, p, 3, &r);
    CU_ASSERT_TRUE(stream_note_read(&t, p, 4, &r));
    CU_ASSERT_FALSE(stream_note_read(&t, p, 5, &r));
    CU_ASSERT_FALSE(stream_note_read(&t, p, 6, &r));
    package_free(p);
}

static void stream_ignores_a_random_reader(void)
{
    struct package *p = make();
    struct stream_table t;
    struct node_range r;
    stream_table_init(&t);
    static const uint32_t files[] = { 100, 40, 170, 20, 190, 60, 130, 3, 80 };
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        CU_ASSERT_FALSE(stream_note_read(&t, p, files[i], &r));
    package_free(p);
}

static void stream_keeps_readers_of_one_directory_apart(void)
{
    struct package *p = make();
    struct stream_table t;
    struct node_range r = { 0 };
    stream_table_init(&t);
    (void)stream_note_read(&t, p, 3, &r);
    (void)stream_note_read(&t, p, 103, &r);
    CU_ASSERT_TRUE(stream_note_read(&t, p, 4, &r));
    CU_ASSERT_EQUAL(r.first, 5);
    CU_ASSERT_TRUE(stream_note_read(&t, p, 104, &r));
    CU_ASSERT_EQUAL(r.first, 105);
    package_free(p);
}

static void stream_pushes_a_listing_only_after_reading_in_order(void)
{
    struct package *p = make();
    struct stream_table t;
    struct node_range r = { 0 };
    stream_table_init(&t);
    CU_ASSERT_FALSE(stream_note_listing(&t, p, 203, 100, &r));
    (void)stream_note_read(&t, p, 3, &r);
    (void)stream_note_read(&t, p, 4, &r);
    CU_ASSERT_TRUE(stream_note_listing(&t, p, 203, 100, &r));
    CU_ASSERT_EQUAL(r.first, 203);
    package_free(p);
}

static void stream_listings_run_out_of_credit(void)
{
    struct package *p = make();
    struct stream_table t;
    struct node_range r;
    unsigned pushed = 0;
    stream_table_init(&t);
    (void)stream_note_read(&t, p, 3, &r);
    (void)stream_note_read(&t, p, 4, &r);
    for (int i = 0; i < 100; i++)
        pushed += stream_note_listing(&t, p, 203, 100, &r);
    CU_ASSERT(pushed > 0 && pushed < 10);
    package_free(p);
}

UNIT_MAIN("stream",
          TEST(stream_says_nothing_after_one_file),
          TEST(stream_pushes_a_window_after_two_files_in_order),
          TEST(stream_grows_its_window_and_stops_at_the_directory),
          TEST(stream_is_silent_while_the_last_window_is_in_use),
          TEST(stream_ignores_a_random_reader),
          TEST(stream_keeps_readers_of_one_directory_apart),
          TEST(stream_pushes_a_listing_only_after_reading_in_order),
          TEST(stream_listings_run_out_of_credit))
