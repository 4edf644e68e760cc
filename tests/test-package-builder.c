/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the builder refuses. Each case starts from the same sound package, changes one thing and
 * expects the kind of error that package_builder.h promises.
 */
#include "config.h"

#include "src/package_builder.h"

#include <stdio.h>

#include "tests/package_spec.h"
#include "tests/unit.h"

/* The kind of error that building S gives, ERR_NONE if it works. */
static enum err_kind refusal_announcing(const struct spec *s, const struct package_counts *counts)
{
    struct package *p;
    struct err e;
    int rc = build_announcing(s, counts, &p, &e);

    package_free(p);
    if (!rc)
        return ERR_NONE;
    CU_ASSERT_EQUAL(rc, -err_kind_errno(e.kind));
    CU_ASSERT(e.text[0] != '\0');
    return e.kind;
}

static enum err_kind refusal(const struct spec *s)
{
    return refusal_announcing(s, &s->counts);
}

#define REFUSED(spec, want) CU_ASSERT_EQUAL(refusal(spec), want)

/* Replaces the name of the node at INDEX; LEN bytes. */
static void rename_node(struct spec *s, uint32_t index, const char *name, size_t len)
{
    struct item *it = &s->items[index];

    s->counts.name_bytes -= names_of(it);
    it->name = name;
    it->name_len = len;
    s->counts.name_bytes += names_of(it);
}

static void set_short_name(struct spec *s, uint32_t index, const char *name)
{
    s->counts.name_bytes -= names_of(&s->items[index]);
    s->items[index].short_name = name;
    s->counts.name_bytes += names_of(&s->items[index]);
}

/* --- counts ------------------------------------------------------------------------------------
 */

static void fewer_items_than_announced_are_refused(void)
{
    struct spec s = sound_spec();
    const struct {
        size_t field;
        enum err_kind want;
    } rows[] = {
        { offsetof(struct package_counts, nodes), ERR_BAD_TREE },
        { offsetof(struct package_counts, extents), ERR_CORRUPT },
        { offsetof(struct package_counts, blocks), ERR_CORRUPT },
        { offsetof(struct package_counts, launch_runs), ERR_CORRUPT },
        { offsetof(struct package_counts, versions), ERR_CORRUPT },
        { offsetof(struct package_counts, sds), ERR_CORRUPT },
        { offsetof(struct package_counts, file_ids), ERR_CORRUPT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct package_counts counts = s.counts;
        (*(uint32_t *)(void *)((char *)&counts + rows[i].field))++;
        CU_ASSERT_EQUAL(refusal_announcing(&s, &counts), rows[i].want);
    }
}

static void more_items_than_announced_are_refused(void)
{
    struct spec s = sound_spec();
    const struct {
        size_t field;
        enum err_kind want;
    } rows[] = {
        { offsetof(struct package_counts, nodes), ERR_BAD_TREE }, /* children first */
        { offsetof(struct package_counts, extents), ERR_CORRUPT },
        { offsetof(struct package_counts, blocks), ERR_CORRUPT },
        { offsetof(struct package_counts, launch_runs), ERR_CORRUPT },
        { offsetof(struct package_counts, versions), ERR_CORRUPT },
        { offsetof(struct package_counts, sds), ERR_CORRUPT },
        { offsetof(struct package_counts, file_ids), ERR_CORRUPT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct package_counts counts = s.counts;
        (*(uint32_t *)(void *)((char *)&counts + rows[i].field))--;
        CU_ASSERT_EQUAL(refusal_announcing(&s, &counts), rows[i].want);
    }
    struct package_counts counts = s.counts;
    counts.name_bytes--;
    CU_ASSERT_EQUAL(refusal_announcing(&s, &counts), ERR_CORRUPT);
}

static void counts_that_cannot_be_are_refused(void)
{
    struct spec s = sound_spec();
    struct package_counts c = s.counts;

    c.nodes = 0;
    CU_ASSERT_EQUAL(refusal_announcing(&s, &c), ERR_BAD_TREE);
    c.nodes = (1u << 31) + 1;
    CU_ASSERT_EQUAL(refusal_announcing(&s, &c), ERR_LIMIT);
    c = s.counts;
    c.name_bytes = SIZE_MAX;
    CU_ASSERT_EQUAL(refusal_announcing(&s, &c), ERR_LIMIT);
    c.name_bytes = UINT32_MAX;
    CU_ASSERT_EQUAL(refusal_announcing(&s, &c), ERR_LIMIT);
    c = s.counts;
    c.blocks = UINT32_MAX;
    CU_ASSERT_EQUAL(refusal_announcing(&s, &c), ERR_LIMIT);
    c = s.counts;
    c.extents = UINT32_MAX;
    CU_ASSERT_EQUAL(refusal_announcing(&s, &c), ERR_LIMIT);
    c = s.counts;
    c.file_ids = c.nodes + 1;
    CU_ASSERT_EQUAL(refusal_announcing(&s, &c), ERR_CORRUPT);
    c = s.counts;
    c.launch_runs = c.blocks + 1;
    CU_ASSERT_EQUAL(refusal_announcing(&s, &c), ERR_CORRUPT);
}

static void calls_out_of_order_are_refused(void)
{
    struct spec s = sound_spec();
    struct package_builder *b;
    struct package *p;
    struct err e = { 0 };

    CU_ASSERT_EQUAL_FATAL(package_builder_new(&s.counts, &b, &e), 0);
    CU_ASSERT_EQUAL(package_builder_add_block(b, &s.blocks[0], &e), -EINVAL);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    CU_ASSERT_EQUAL(package_builder_finish(b, &p, &e), -EINVAL);
    CU_ASSERT_EQUAL(package_builder_set_info(b, &s.info, &e), 0);
    CU_ASSERT_EQUAL(package_builder_set_info(b, &s.info, &e), -EINVAL);
    CU_ASSERT_EQUAL(add_all(b, &s, &(struct package_counts){ .nodes = 1 }, &e), -EINVAL);
    package_builder_free(b);
    package_builder_free(NULL);
    package_free(NULL);
}

static void builder_is_empty_after_finish(void)
{
    struct package_counts counts = { .nodes = 1 };
    struct spec s = empty_spec();
    struct node root = { .flags = NODE_DIR };
    struct package_builder *b;
    struct package *p, *again;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(package_builder_new(&counts, &b, &e), 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_set_info(b, &s.info, &e), 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_add_node(b, &root, NULL, 0, NULL, 0, NULL, &e), 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_finish(b, &p, &e), 0);
    CU_ASSERT_EQUAL(package_builder_finish(b, &again, &e), -EINVAL);
    package_builder_free(b);
    CU_ASSERT_EQUAL(package_info(p)->node_count, 1);
    CU_ASSERT_EQUAL(package_lookup(p, NODE_ROOT, "x", 1, false), NODE_NONE);
    package_free(p);
}

/* --- information -------------------------------------------------------------------------------
 */

static void unknown_block_sizes_are_refused(void)
{
    static const uint32_t bad[] = { 0, 1, 4095, 8192, 65537, 131072, UINT32_MAX };
    static const uint32_t good[] = { 4096, 16384, 32768, 65536 };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct spec s = empty_spec();
        add_item(&s, dir("", 0));
        s.info.block_size = bad[i];
        REFUSED(&s, ERR_CORRUPT);
    }
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct spec s = empty_spec();
        add_item(&s, dir("", 0));
        s.info.block_size = good[i];
        REFUSED(&s, ERR_NONE);
    }
}

static void unknown_codec_is_refused(void)
{
    struct spec s = sound_spec();

    s.info.codec = CODEC_COUNT;
    REFUSED(&s, ERR_UNSUPPORTED);
    s = sound_spec();
    s.blocks[1].codec = CODEC_COUNT;
    REFUSED(&s, ERR_UNSUPPORTED);
    s.blocks[1].codec = 255;
    REFUSED(&s, ERR_UNSUPPORTED);
}

static void package_and_root_names_are_checked(void)
{
    static const char *const bad_names[] = { "a\nb", "\x7f", "\xff", "\xc3", "\xc2\x85" };
    static const char *const bad_roots[] = { "a\nb", "\xff", ".", "..", "a/b", "..\\x" };
    char text[257];

    for (size_t i = 0; i < ARRAY_LEN(bad_names); i++) {
        struct spec s = sound_spec();
        s.info.name = bad_names[i];
        REFUSED(&s, ERR_BAD_NAME);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad_roots); i++) {
        struct spec s = sound_spec();
        s.info.root_name = bad_roots[i];
        REFUSED(&s, ERR_BAD_NAME);
    }
    struct spec s = sound_spec();
    memset(text, 'x', 256);
    text[256] = '\0';
    s.info.name = text;
    REFUSED(&s, ERR_BAD_NAME);
    text[255] = '\0';
    REFUSED(&s, ERR_NONE);
    s.info.name = "Office / \"2009\" \\ \xc3\xa9";
    s.info.root_name = "";
    REFUSED(&s, ERR_NONE);
    s.info.name = s.info.root_name = s.info.format = NULL;
    REFUSED(&s, ERR_NONE);
}

static void layout_that_contradicts_itself_is_refused(void)
{
    struct spec s = sound_spec();

    s.info.metadata_bytes = s.info.container_bytes + 1;
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.info.container_bytes = (uint64_t)INT64_MAX + 1;
    REFUSED(&s, ERR_LIMIT);
}

/* --- names -------------------------------------------------------------------------------------
 */

static void names_linux_cannot_hold_are_refused_with_their_directory(void)
{
    static const struct {
        const char *name;
        size_t len;
    } bad[] = {
        { ".", 1 },  { "..", 2 },   { "a/b", 3 },          { "a\\b", 3 },     { "a\0b", 3 },
        { "\n", 1 }, { "\xff", 1 }, { "\xed\xa0\x80", 3 }, { "\xc0\xae", 2 },
    };
    struct package *p;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct spec s = sound_spec();
        rename_node(&s, DEEP, bad[i].name, bad[i].len);
        REFUSED(&s, ERR_BAD_NAME);
        CU_ASSERT(build_announcing(&s, &s.counts, &p, &e) < 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "Bin/Sub"));
    }
}

static void empty_and_too_long_names_are_refused(void)
{
    struct spec s = sound_spec();
    char name[257];

    rename_node(&s, DEEP, "", 0);
    REFUSED(&s, ERR_BAD_NAME);
    memset(name, 'x', 256);
    name[256] = '\0';
    rename_node(&s, DEEP, name, 256);
    REFUSED(&s, ERR_BAD_NAME);
    rename_node(&s, DEEP, name, 255);
    REFUSED(&s, ERR_NONE);
}

static void invalid_8_3_names_are_refused(void)
{
    static const char *const bad[] = { "lower", "TOOLONGNAME", "A.LONG", ".", "..", "A/B", "A." };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct spec s = sound_spec();
        set_short_name(&s, APP, bad[i]);
        REFUSED(&s, ERR_BAD_NAME);
    }
}

static void names_equal_under_folding_are_refused_with_their_path(void)
{
    struct spec s = sound_spec();
    struct package *p;
    struct err e;

    rename_node(&s, LIB, "aPP.EXE", 7);
    CU_ASSERT(build_announcing(&s, &s.counts, &p, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_DUPLICATE_NAME);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "Bin/aPP.EXE"));
    s = sound_spec();
    rename_node(&s, APP,
                "LIB GR\xc3\x96\xc3\x9f"
                "E.DLL",
                15);
    REFUSED(&s, ERR_DUPLICATE_NAME);
    s = sound_spec();
    rename_node(&s, APP,
                "lib gr\xc3\x96"
                "SSE.DLL",
                15);
    REFUSED(&s, ERR_NONE);
}

static void same_name_in_two_directories_is_fine(void)
{
    struct spec s = sound_spec();

    rename_node(&s, DEEP, "App.exe", 7);
    rename_node(&s, README, "App.exe", 7);
    REFUSED(&s, ERR_NONE);
}

static void case_sensitive_package_refuses_the_same_bytes_only(void)
{
    struct spec s = sound_spec();

    s.info.case_sensitive = true;
    rename_node(&s, LIB, "aPP.EXE", 7);
    REFUSED(&s, ERR_NONE);
    rename_node(&s, LIB, "App.exe", 7);
    REFUSED(&s, ERR_DUPLICATE_NAME);
}

static void too_many_names_that_differ_in_case_only_are_refused(void)
{
    char names[70][8];

    for (unsigned count = 64; count <= 65; count++) {
        struct spec s = empty_spec();
        s.info.case_sensitive = true;
        add_item(&s, dir("", count));
        for (unsigned i = 0; i < count; i++) {
            for (unsigned k = 0; k < 7; k++)
                names[i][k] = i >> k & 1 ? 'A' : 'a';
            names[i][7] = '\0';
            add_item(&s, file(names[i], 0, 0));
        }
        REFUSED(&s, count == 64 ? ERR_NONE : ERR_LIMIT);
    }
}

static void same_8_3_name_twice_is_refused(void)
{
    struct spec s = sound_spec();

    set_short_name(&s, APP, "LONGNA~1.DAT");
    REFUSED(&s, ERR_DUPLICATE_NAME);
    s = sound_spec();
    set_short_name(&s, DEEP, "LONGNA~1.DAT"); /* another directory */
    REFUSED(&s, ERR_NONE);
}

static void short_name_equal_to_the_name_is_dropped(void)
{
    struct spec s = sound_spec();
    struct package *p;
    struct err e;

    rename_node(&s, APP, "APP.EXE", 7);
    set_short_name(&s, APP, "APP.EXE");
    CU_ASSERT_EQUAL_FATAL(build_announcing(&s, &s.counts, &p, &e), 0);
    CU_ASSERT_STRING_EQUAL(package_short_name(p, APP), "");
    CU_ASSERT_EQUAL(package_node(p, APP)->short_len, 0);
    package_free(p);
}

static void paths_longer_than_linux_takes_are_refused(void)
{
    char name[256];

    memset(name, 'x', 255);
    name[255] = '\0';
    for (unsigned depth = 15; depth <= 16; depth++) {
        struct spec s = empty_spec();
        add_item(&s, dir("", 1));
        for (unsigned i = 0; i < depth; i++)
            add_item(&s, dir(name, 1));
        add_item(&s, file(depth == 15 ? name : "x", 0, 0)); /* 16 * 255 + 15, or 2 more */
        REFUSED(&s, depth == 15 ? ERR_NONE : ERR_LIMIT);
    }
}

/* --- tree --------------------------------------------------------------------------------------
 */

static void root_must_be_a_directory_without_name(void)
{
    struct spec s = empty_spec();

    add_item(&s, file("", 0, 0));
    REFUSED(&s, ERR_BAD_TREE);
    s = empty_spec();
    add_item(&s, dir("x", 0));
    REFUSED(&s, ERR_BAD_TREE);
    s = empty_spec();
    add_item(&s, dir("", 0));
    set_short_name(&s, ROOT, "X");
    REFUSED(&s, ERR_BAD_TREE);
}

static void child_counts_must_sum_up(void)
{
    static const uint32_t wrong[] = { 0, 1, 3, 5, 9, 10, UINT32_MAX };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct spec s = sound_spec();
        s.items[BIN].node.child_count = wrong[i];
        REFUSED(&s, ERR_BAD_TREE);
        s = sound_spec();
        s.items[ROOT].node.child_count = wrong[i];
        REFUSED(&s, ERR_BAD_TREE);
    }
}

static void sub_tree_that_holds_itself_is_refused(void)
{
    struct spec s = empty_spec();

    /* The sum is right, but the directory would have to be its own child. */
    add_item(&s, dir("", 0));
    add_item(&s, dir("a", 1));
    REFUSED(&s, ERR_BAD_TREE);
    s = empty_spec();
    add_item(&s, dir("", 1));
    add_item(&s, dir("a", 0));
    add_item(&s, dir("b", 1));
    REFUSED(&s, ERR_BAD_TREE);
}

static void node_fields_that_make_no_sense_are_refused(void)
{
    struct spec s = sound_spec();

    s.items[BIN].node.size = 1;
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.items[APP].node.flags = 1u << 8;
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.items[APP].node.sd = 3;
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.items[APP].node.sd = UINT32_MAX;
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.items[APP].node.flags = NODE_FILE_ID; /* and no id */
    REFUSED(&s, ERR_INVALID);
    s = sound_spec();
    s.items[LONG].node.flags = 0; /* and an id */
    REFUSED(&s, ERR_INVALID);
}

static void any_time_is_taken(void)
{
    struct spec s = sound_spec();

    s.items[APP].node.modified = INT64_MIN;
    s.items[APP].node.created = INT64_MAX;
    s.info.created = INT64_MIN;
    REFUSED(&s, ERR_NONE);
}

/* --- blocks ------------------------------------------------------------------------------------
 */

static void block_lengths_are_checked(void)
{
    static const struct {
        uint32_t len, stored_len;
        uint8_t codec;
        enum err_kind want;
    } rows[] = {
        { 0, 100, CODEC_ZLIB, ERR_CORRUPT },
        { BLOCK + 1, 100, CODEC_ZLIB, ERR_CORRUPT },
        { UINT32_MAX, 100, CODEC_ZLIB, ERR_CORRUPT },
        { 100, 0, CODEC_ZLIB, ERR_CORRUPT },
        { 100, STORED_LEN_MAX + 1, CODEC_ZLIB, ERR_LIMIT },
        { 100, UINT32_MAX, CODEC_ZLIB, ERR_LIMIT },
        { 100, 99, CODEC_NONE, ERR_CORRUPT },
        { 100, 101, CODEC_NONE, ERR_CORRUPT },
        { 100, 101, CODEC_ZLIB, ERR_NONE },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct spec s = sound_spec();
        s.info.container_bytes += 2 * STORED_LEN_MAX;
        add_block(&s, 100);
        struct block *b = &s.blocks[s.counts.blocks - 1];
        b->len = rows[i].len;
        b->stored_len = rows[i].stored_len;
        b->codec = rows[i].codec;
        s.info.container_bytes += 2 * STORED_LEN_MAX;
        REFUSED(&s, rows[i].want);
    }
}

static void blocks_outside_the_container_are_refused(void)
{
    struct spec s = sound_spec();

    s.info.container_bytes--;
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.info.metadata_bytes++;
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.blocks[4].offset = UINT64_MAX - 10;
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.blocks[0].offset = 0;
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.info.container_bytes += 1000; /* something may follow */
    REFUSED(&s, ERR_NONE);
}

static void overlapping_blocks_are_refused(void)
{
    struct spec s = sound_spec();

    s.blocks[1].offset--;
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.blocks[1].offset = s.blocks[0].offset;
    REFUSED(&s, ERR_CORRUPT);
}

static void blocks_may_lie_in_any_order(void)
{
    struct spec s = sound_spec();
    uint64_t first = s.blocks[0].offset;

    s.blocks[0].offset = s.blocks[1].offset; /* both of one length */
    s.blocks[1].offset = first;
    REFUSED(&s, ERR_NONE);
    s.blocks[1].offset++;
    REFUSED(&s, ERR_CORRUPT);
}

/* --- extents -----------------------------------------------------------------------------------
 */

static void extents_outside_the_blocks_are_refused(void)
{
    static const struct {
        uint32_t block, from;
        uint64_t length;
    } bad[] = {
        { 3, 100, 0 },                                   /* empty */
        { 5, 0, 200 },           { UINT32_MAX, 0, 200 }, /* no such block */
        { 3, BLOCK, 200 },       { 3, UINT32_MAX, 200 },       { 3, 900, 200 },
        { 3, 801, 200 },         /* beyond the bytes of the block */
        { 4, BLOCK - 100, 200 }, /* beyond the last block */
        { 2, 50, 200 },          /* over the end of a short block */
        { 3, 100, UINT64_MAX },  { 3, 100, UINT64_MAX - 100 }, { 3, 100, (uint64_t)1 << 40 },
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct spec s = sound_spec();
        s.extents[0] =
            (struct extent){ .block = bad[i].block, .from = bad[i].from, .length = bad[i].length };
        REFUSED(&s, ERR_BAD_EXTENT);
    }
}

static void extent_that_crosses_a_short_block_is_refused(void)
{
    struct spec s = sound_spec();

    s.blocks[1].len = BLOCK - 1;
    s.blocks[1].stored_len = BLOCK - 1;
    REFUSED(&s, ERR_BAD_EXTENT);
    s = sound_spec();
    s.extents[1].block = 1; /* App.exe over blocks 1, 2 (short) and 3 */
    REFUSED(&s, ERR_BAD_EXTENT);
}

static void extents_must_be_as_long_as_their_file(void)
{
    static const uint32_t files[] = { README, APP, LONG };

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct spec s = sound_spec();
        s.items[files[i]].node.size++;
        REFUSED(&s, ERR_BAD_EXTENT);
        s.items[files[i]].node.size -= 2;
        REFUSED(&s, ERR_BAD_EXTENT);
        s.items[files[i]].node.size = INT64_MAX;
        REFUSED(&s, ERR_BAD_EXTENT);
    }
}

static void file_sizes_beyond_2_63_are_refused(void)
{
    struct spec s = sound_spec();

    s.items[APP].node.size = (uint64_t)INT64_MAX + 1;
    REFUSED(&s, ERR_LIMIT);
    s.items[APP].node.size = UINT64_MAX;
    REFUSED(&s, ERR_LIMIT);
}

static void empty_files_and_only_those_have_no_extents(void)
{
    struct spec s = sound_spec();

    s.items[EMPTY_FILE].node.size = 1;
    REFUSED(&s, ERR_BAD_EXTENT);
    s = sound_spec();
    s.items[EMPTY_FILE].node.extent_count = 1;
    REFUSED(&s, ERR_BAD_EXTENT);
    s = sound_spec();
    s.items[README].node.size = 0;
    REFUSED(&s, ERR_BAD_EXTENT);
}

static void every_extent_belongs_to_exactly_one_file(void)
{
    struct spec s = sound_spec();

    add_extent(&s, 3, 600, 10); /* one nobody uses */
    REFUSED(&s, ERR_BAD_EXTENT);
    s = sound_spec();
    s.items[LONG].node.extent_count = 4;
    REFUSED(&s, ERR_BAD_EXTENT);
    s.items[LONG].node.extent_count = UINT32_MAX;
    REFUSED(&s, ERR_BAD_EXTENT);
    s.items[LONG].node.extent_count = 2;
    REFUSED(&s, ERR_BAD_EXTENT);
}

static void small_extents_that_overlap_are_refused(void)
{
    static const struct {
        uint32_t from;
        uint64_t length;
        enum err_kind want;
    } rows[] = {
        /* Lib beside Readme.txt and deep, both [100, 300) of block 3; [0, 50) of Long Name */
        { 299, 300, ERR_BAD_EXTENT }, { 50, 51, ERR_BAD_EXTENT },   { 100, 199, ERR_BAD_EXTENT },
        { 100, 201, ERR_BAD_EXTENT }, { 101, 199, ERR_BAD_EXTENT }, { 150, 10, ERR_BAD_EXTENT },
        { 40, 400, ERR_BAD_EXTENT },  { 100, 200, ERR_NONE },       { 50, 50, ERR_NONE },
        { 300, 700, ERR_NONE },       { 0, 1000, ERR_NONE }, /* all of the block */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct spec s = sound_spec();
        s.extents[2].from = rows[i].from;
        s.extents[2].length = s.items[LIB].node.size = rows[i].length;
        REFUSED(&s, rows[i].want);
    }
}

static void runs_of_blocks_may_be_shared(void)
{
    struct spec s = sound_spec();

    s.extents[3].block = 1; /* Long Name: blocks 1, 0, then the same as App.exe but in pieces */
    REFUSED(&s, ERR_NONE);
    s.extents[4].block = 1; /* the same block twice in one file */
    REFUSED(&s, ERR_NONE);
}

/* --- launch runs, versions, security descriptors -----------------------------------------------
 */

static void launch_runs_are_checked(void)
{
    static const struct {
        struct block_run run;
        enum err_kind want;
    } rows[] = {
        { { 3, 0 }, ERR_CORRUPT },
        { { 5, 1 }, ERR_CORRUPT },
        { { 4, 2 }, ERR_CORRUPT },
        { { 4, UINT32_MAX }, ERR_CORRUPT },
        { { UINT32_MAX, 1 }, ERR_CORRUPT },
        { { 0, 1 }, ERR_CORRUPT },
        { { 2, 1 }, ERR_CORRUPT },
        { { 0, 5 }, ERR_CORRUPT },
        { { 3, 2 }, ERR_NONE },
        { { 4, 1 }, ERR_NONE },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct spec s = sound_spec();
        s.runs[0] = rows[i].run;
        REFUSED(&s, rows[i].want);
    }
}

static void version_history_is_checked(void)
{
    struct spec s = sound_spec();

    s.versions[0].number = 3; /* not ascending */
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.versions[0].first_new_block = 3; /* descending */
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.versions[1].first_new_block = 6; /* of five blocks */
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.versions[1].first_new_block = 5; /* an upgrade that brought no block */
    REFUSED(&s, ERR_NONE);
    s = sound_spec();
    s.versions[1].number = 4; /* not this package */
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.versions[1].guid.b[3] = 1;
    REFUSED(&s, ERR_CORRUPT);
    s = sound_spec();
    s.counts.versions = 0;
    REFUSED(&s, ERR_NONE);
}

static void security_descriptors_have_sane_lengths(void)
{
    struct spec s = sound_spec();
    struct package_counts counts = { .nodes = 1, .sds = 2 };
    struct package_builder *b;
    struct err e;

    s.sds[1] = "";
    REFUSED(&s, ERR_CORRUPT);

    size_t len = (1u << 20) + 1;
    uint8_t *big = calloc(len, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(big);
    CU_ASSERT_EQUAL_FATAL(package_builder_new(&counts, &b, &e), 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_set_info(b, &s.info, &e), 0);
    CU_ASSERT_EQUAL(package_builder_add_sd(b, big, len - 1, &e), 0);
    CU_ASSERT_EQUAL(package_builder_add_sd(b, big, len, &e), -err_kind_errno(ERR_LIMIT));
    package_builder_free(b);
    free(big);
}

static void errors_need_no_struct_err(void)
{
    struct spec s = sound_spec();
    struct package_builder *b;
    struct package *p = NULL;

    rename_node(&s, LIB, "APP.EXE", 7);
    CU_ASSERT_EQUAL_FATAL(package_builder_new(&s.counts, &b, NULL), 0);
    CU_ASSERT_EQUAL(add_all(b, &s, &s.counts, NULL), 0);
    CU_ASSERT_EQUAL(package_builder_finish(b, &p, NULL), -err_kind_errno(ERR_DUPLICATE_NAME));
    CU_ASSERT_PTR_NULL(p);
    package_builder_free(b);
}

static void long_paths_are_shortened_in_messages(void)
{
    static char names[3][256];
    struct spec s = empty_spec();
    struct package *p;
    struct err e;

    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k + 3 < sizeof names[i]; k += 3)
            memcpy(names[i] + k, "\xe6\xbc\xa2", 3);
    add_item(&s, dir("", 1));
    for (size_t i = 0; i < 3; i++)
        add_item(&s, dir(names[i], 1));
    add_item(&s, file("a/b", 0, 0));
    CU_ASSERT(build_announcing(&s, &s.counts, &p, &e) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "...\xe6\xbc\xa2"));
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "separator"));
}

/* An object may claim any size, and its streams to decode to a thousand times that. */
static void streams_end_below_2_63(void)
{
    struct package_counts counts = { .nodes = 1 };
    struct package_info info = { .format = "test", .block_size = 4096, .container_bytes = UINT64_C(1) << 60 };
    struct package_builder *b;
    uint64_t begin;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(package_builder_new(&counts, &b, &e), 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_set_info(b, &info, &e), 0);
    CU_ASSERT_EQUAL(package_builder_add_stream(b, 0, UINT64_C(1) << 60,
                                               INT64_MAX - PACKAGE_STREAM_BASE, &begin, &e), 0);
    CU_ASSERT(package_builder_add_stream(b, 0, 100, 100, &begin, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
    package_builder_free(b);
}

UNIT_MAIN(
    "package builder", TEST(fewer_items_than_announced_are_refused),
    TEST(more_items_than_announced_are_refused), TEST(counts_that_cannot_be_are_refused),
    TEST(calls_out_of_order_are_refused), TEST(builder_is_empty_after_finish),
    TEST(unknown_block_sizes_are_refused), TEST(unknown_codec_is_refused),
    TEST(package_and_root_names_are_checked), TEST(layout_that_contradicts_itself_is_refused),
    TEST(names_linux_cannot_hold_are_refused_with_their_directory),
    TEST(empty_and_too_long_names_are_refused), TEST(invalid_8_3_names_are_refused),
    TEST(names_equal_under_folding_are_refused_with_their_path),
    TEST(same_name_in_two_directories_is_fine),
    TEST(case_sensitive_package_refuses_the_same_bytes_only),
    TEST(too_many_names_that_differ_in_case_only_are_refused), TEST(same_8_3_name_twice_is_refused),
    TEST(short_name_equal_to_the_name_is_dropped), TEST(paths_longer_than_linux_takes_are_refused),
    TEST(root_must_be_a_directory_without_name), TEST(child_counts_must_sum_up),
    TEST(sub_tree_that_holds_itself_is_refused), TEST(node_fields_that_make_no_sense_are_refused),
    TEST(any_time_is_taken), TEST(block_lengths_are_checked),
    TEST(blocks_outside_the_container_are_refused), TEST(overlapping_blocks_are_refused),
    TEST(blocks_may_lie_in_any_order), TEST(extents_outside_the_blocks_are_refused),
    TEST(extent_that_crosses_a_short_block_is_refused), TEST(extents_must_be_as_long_as_their_file),
    TEST(file_sizes_beyond_2_63_are_refused), TEST(empty_files_and_only_those_have_no_extents),
    TEST(every_extent_belongs_to_exactly_one_file), TEST(small_extents_that_overlap_are_refused),
    TEST(runs_of_blocks_may_be_shared), TEST(launch_runs_are_checked),
    TEST(version_history_is_checked), TEST(security_descriptors_have_sane_lengths),
    TEST(streams_end_below_2_63), TEST(errors_need_no_struct_err), TEST(long_paths_are_shortened_in_messages))
