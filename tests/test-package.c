/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The package model: what a finished package answers. What is refused: test-package-builder.c. */
#include "config.h"

#include "src/package.h"

#include <stdio.h>

#include "src/codec.h"
#include "src/fold.h"
#include "src/package_builder.h"
#include "tests/package_spec.h"
#include "tests/unit.h"

static uint32_t find(const struct package *p, uint32_t in, const char *name)
{
    return package_lookup(p, in, name, strlen(name), false);
}

static void sound_package_is_built(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);
    const struct package_info *i = package_info(p);

    CU_ASSERT_STRING_EQUAL(i->format, "test");
    CU_ASSERT_STRING_EQUAL(i->name, "Name");
    CU_ASSERT_STRING_EQUAL(i->root_name, "ROOT.V1");
    CU_ASSERT_EQUAL(i->node_count, 10);
    CU_ASSERT_EQUAL(i->dir_count, 4);
    CU_ASSERT_EQUAL(i->file_count, 6);
    CU_ASSERT_EQUAL(i->block_count, 5);
    CU_ASSERT_EQUAL(i->launch_run_count, 2);
    CU_ASSERT_EQUAL(i->launch_runs[1].count, 3);
    CU_ASSERT_EQUAL(i->version_count, 2);
    CU_ASSERT_EQUAL(i->versions[1].first_new_block, 2);
    CU_ASSERT_EQUAL(i->sd_count, 2);
    CU_ASSERT_EQUAL(i->file_bytes, 200 + 2 * BLOCK + 100 + 300 + 2 * BLOCK + 50 + 200);
    CU_ASSERT_EQUAL(i->stored_bytes, 3 * BLOCK + 1100);
    CU_ASSERT(i->has_dos_attributes);
    package_free(p);
}

static void nodes_know_parent_children_and_names(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);

    CU_ASSERT_EQUAL(package_node(p, ROOT)->first_child, BIN);
    CU_ASSERT_EQUAL(package_node(p, BIN)->first_child, APP);
    CU_ASSERT_EQUAL(package_node(p, BIN)->child_count, 4);
    CU_ASSERT_EQUAL(package_node(p, APP)->parent, BIN);
    CU_ASSERT_EQUAL(package_node(p, README)->parent, ROOT);
    CU_ASSERT_EQUAL(package_node(p, DEEP)->parent, SUB);
    CU_ASSERT_STRING_EQUAL(package_name(p, ROOT), "");
    CU_ASSERT_STRING_EQUAL(package_name(p, LONG), "Long Name.data");
    CU_ASSERT_STRING_EQUAL(package_short_name(p, LONG), "LONGNA~1.DAT");
    CU_ASSERT_STRING_EQUAL(package_short_name(p, APP), "");
    package_free(p);
}

static void lookup_finds_names_in_any_case(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);

    CU_ASSERT_EQUAL(find(p, ROOT, "Bin"), BIN);
    CU_ASSERT_EQUAL(find(p, ROOT, "BIN"), BIN);
    CU_ASSERT_EQUAL(find(p, BIN,
                         "lib gr\xc3\x96\xc3\x9f"
                         "E.DLL"),
                    LIB);
    CU_ASSERT_EQUAL(find(p, BIN, "lib GROSSE.DLL"), NODE_NONE);
    CU_ASSERT_EQUAL(find(p, SUB, "DEEP"), DEEP);
    package_free(p);
}

static void lookup_finds_8_3_names(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);

    CU_ASSERT_EQUAL(find(p, BIN, "LONGNA~1.DAT"), LONG);
    CU_ASSERT_EQUAL(find(p, BIN, "longna~1.dat"), LONG);
    CU_ASSERT_EQUAL(find(p, ROOT, "LONGNA~1.DAT"), NODE_NONE);
    package_free(p);
}

static void lookup_finds_nothing_where_nothing_is(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);
    char big[1000];

    memset(big, 'a', sizeof big);
    CU_ASSERT_EQUAL(find(p, ROOT, "App.exe"), NODE_NONE);
    CU_ASSERT_EQUAL(find(p, README, "x"), NODE_NONE);
    CU_ASSERT_EQUAL(find(p, ROOT, ""), NODE_NONE);
    CU_ASSERT_EQUAL(find(p, ROOT, "\xff"), NODE_NONE);
    CU_ASSERT_EQUAL(package_lookup(p, ROOT, "Bin\0x", 5, false), NODE_NONE);
    CU_ASSERT_EQUAL(package_lookup(p, ROOT, big, sizeof big, false), NODE_NONE);
    package_free(p);
}

static void lookup_takes_only_the_exact_name_when_asked(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);

    CU_ASSERT_EQUAL(package_lookup(p, ROOT, "Bin", 3, true), BIN);
    CU_ASSERT_EQUAL(package_lookup(p, ROOT, "bin", 3, true), NODE_NONE);
    CU_ASSERT_EQUAL(package_lookup(p, BIN, "LONGNA~1.DAT", 12, true), NODE_NONE);
    package_free(p);
}

static struct spec case_sensitive_spec(void)
{
    struct spec s = empty_spec();

    s.info.case_sensitive = true;
    add_item(&s, dir("", 3));
    add_item(&s, file("readme", 0, 0));
    add_item(&s, file("README", 0, 0));
    add_item(&s, file("Readme", 0, 0));
    return s;
}

static void lookup_prefers_exact_then_first_in_case_sensitive_package(void)
{
    struct spec s = case_sensitive_spec();
    struct package *p = build(&s);

    CU_ASSERT_EQUAL(find(p, ROOT, "readme"), 1);
    CU_ASSERT_EQUAL(find(p, ROOT, "README"), 2);
    CU_ASSERT_EQUAL(find(p, ROOT, "Readme"), 3);
    CU_ASSERT_EQUAL(find(p, ROOT, "ReadMe"), 1);
    CU_ASSERT_EQUAL(package_lookup(p, ROOT, "ReadMe", 6, true), NODE_NONE);
    package_free(p);
}

static void lookup_prefers_long_names_to_8_3_names(void)
{
    struct spec s = empty_spec();
    add_item(&s, dir("", 2));
    struct item other = file("program files", 0, 0);
    other.short_name = "PROGRA~1";
    add_item(&s, other);
    add_item(&s, file("progra~1", 0, 0));
    struct package *p = build(&s);

    CU_ASSERT_EQUAL(find(p, ROOT, "PROGRA~1"), 2);
    CU_ASSERT_EQUAL(find(p, ROOT, "Program Files"), 1);
    package_free(p);
}

static void lookup_finds_each_of_many_children(void)
{
    enum { COUNT = 20000 };
    struct package_counts counts = { .nodes = COUNT + 1, .name_bytes = COUNT * 10 };
    struct spec s = empty_spec();
    struct package_builder *b;
    struct package *p;
    char name[16];

    CU_ASSERT_EQUAL_FATAL(package_builder_new(&counts, &b, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_set_info(b, &s.info, NULL), 0);
    struct node root = { .flags = NODE_DIR, .child_count = COUNT }, child = { 0 };
    CU_ASSERT_EQUAL_FATAL(package_builder_add_node(b, &root, "", 0, "", 0, NULL, NULL), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "File%u", i);
        if (package_builder_add_node(b, &child, name, strlen(name), "", 0, NULL, NULL))
            CU_FAIL_FATAL("not added");
    }
    CU_ASSERT_EQUAL_FATAL(package_builder_finish(b, &p, NULL), 0);
    package_builder_free(b);

    unsigned wrong = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "fILE%u", i);
        wrong += find(p, ROOT, name) != i + 1;
        (void)snprintf(name, sizeof name, "File%u", i + COUNT);
        wrong += find(p, ROOT, name) != NODE_NONE;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(package_memory(p) < 100 * COUNT);
    package_free(p);
}

static void lookup_finds_each_of_many_8_3_names(void)
{
    enum { COUNT = 5000 };
    struct package_counts counts = { .nodes = COUNT + 1, .name_bytes = COUNT * 32 };
    struct spec s = empty_spec();
    struct package_builder *b;
    struct package *p;
    char name[32], short_name[16];

    CU_ASSERT_EQUAL_FATAL(package_builder_new(&counts, &b, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_set_info(b, &s.info, NULL), 0);
    struct node root = { .flags = NODE_DIR, .child_count = COUNT }, child = { 0 };
    CU_ASSERT_EQUAL_FATAL(package_builder_add_node(b, &root, "", 0, "", 0, NULL, NULL), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "long name %u", i);
        (void)snprintf(short_name, sizeof short_name, "LO%04X~1", i);
        if (package_builder_add_node(b, &child, name, strlen(name), short_name, strlen(short_name),
                                     NULL, NULL))
            CU_FAIL_FATAL("not added");
    }
    CU_ASSERT_EQUAL_FATAL(package_builder_finish(b, &p, NULL), 0);
    package_builder_free(b);

    unsigned wrong = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "LONG name %u", i);
        (void)snprintf(short_name, sizeof short_name, "Lo%04x~1", i);
        wrong += find(p, ROOT, name) != i + 1;
        wrong += find(p, ROOT, short_name) != i + 1;
        wrong += strlen(package_short_name(p, i + 1)) != 8;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    package_free(p);
}

/* Name I of all with one to three letters out of a few that fold in pairs; their number in all. */
static unsigned small_name(unsigned i, char out[8])
{
    static const char *const letters[] = { "a", "A", "b", "B", "\xc3\xa4", "\xc3\x84" };

    out[0] = '\0';
    for (unsigned rest = i + 1; rest; rest = (rest - 1) / 6)
        strcat(out, letters[(rest - 1) % 6]);
    return 6 + 36 + 216;
}

/* What lookup has to find, found the long way round. */
static uint32_t scan(const struct package *p, const char *name, bool exact)
{
    uint32_t folded = NODE_NONE;

    for (uint32_t i = 1; i < package_info(p)->node_count; i++) {
        const char *its = package_name(p, i);
        if (!strcmp(its, name))
            return i;
        if (!exact && folded == NODE_NONE && fold_equal(its, strlen(its), name, strlen(name)))
            folded = i;
    }
    return folded;
}

static void lookup_agrees_with_a_scan_of_the_directory(void)
{
    char names[80][8], name[8];
    unsigned wrong = 0;

    for (unsigned round = 0; round < 20; round++) {
        struct spec s = empty_spec();
        unsigned count = small_name(0, name), step = 5 + 2 * round;
        s.info.case_sensitive = true;
        add_item(&s, dir("", 0));
        for (unsigned i = 0; i < 79 && i * step < count; i++) {
            (void)small_name(i * step, names[i]);
            add_item(&s, file(names[i], 0, 0));
            s.items[ROOT].node.child_count++;
        }
        struct package *p = build(&s);
        for (unsigned i = 0; i < count; i++) {
            (void)small_name(i, name);
            wrong += find(p, ROOT, name) != scan(p, name, false);
            wrong += package_lookup(p, ROOT, name, strlen(name), true) != scan(p, name, true);
        }
        package_free(p);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void resolve_follows_both_separators(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);

    CU_ASSERT_EQUAL(package_resolve(p, "", false), ROOT);
    CU_ASSERT_EQUAL(package_resolve(p, "/", false), ROOT);
    CU_ASSERT_EQUAL(package_resolve(p, ".", false), ROOT);
    CU_ASSERT_EQUAL(package_resolve(p, "bin\\SUB/deep", false), DEEP);
    CU_ASSERT_EQUAL(package_resolve(p, "//Bin/./Sub//deep", true), DEEP);
    CU_ASSERT_EQUAL(package_resolve(p, "bin/Sub/deep", true), NODE_NONE);
    CU_ASSERT_EQUAL(package_resolve(p, "Bin/", false), BIN);
    package_free(p);
}

static void resolve_refuses_parents_and_what_is_below_files(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);

    CU_ASSERT_EQUAL(package_resolve(p, "..", false), NODE_NONE);
    CU_ASSERT_EQUAL(package_resolve(p, "Bin/../Bin", false), NODE_NONE);
    CU_ASSERT_EQUAL(package_resolve(p, "Readme.txt/x", false), NODE_NONE);
    CU_ASSERT_EQUAL(package_resolve(p, "Readme.txt/.", false), NODE_NONE);
    CU_ASSERT_EQUAL(package_resolve(p, "none/x", false), NODE_NONE);
    package_free(p);
}

static void path_joins_names_from_the_root(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);
    char *root = package_path(p, ROOT), *bin = package_path(p, BIN), *deep = package_path(p, DEEP);

    CU_ASSERT_STRING_EQUAL(root, "");
    CU_ASSERT_STRING_EQUAL(bin, "Bin");
    CU_ASSERT_STRING_EQUAL(deep, "Bin/Sub/deep");
    free(root);
    free(bin);
    free(deep);
    package_free(p);
}

static bool piece_is(const struct piece *x, uint32_t block, uint32_t from, uint32_t len)
{
    return x->block == block && x->from == from && x->len == len;
}

static void map_splits_one_extent_at_blocks(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);
    struct piece x[8];

    CU_ASSERT_EQUAL_FATAL(package_map(p, APP, 0, UINT64_MAX, x, 8), 3);
    CU_ASSERT(piece_is(&x[0], 0, 0, BLOCK));
    CU_ASSERT(piece_is(&x[1], 1, 0, BLOCK));
    CU_ASSERT(piece_is(&x[2], 2, 0, 100));
    CU_ASSERT_EQUAL_FATAL(package_map(p, APP, BLOCK - 1, 2, x, 8), 2);
    CU_ASSERT(piece_is(&x[0], 0, BLOCK - 1, 1));
    CU_ASSERT(piece_is(&x[1], 1, 0, 1));
    CU_ASSERT_EQUAL_FATAL(package_map(p, LIB, 10, 20, x, 8), 1);
    CU_ASSERT(piece_is(&x[0], 3, 310, 20));
    package_free(p);
}

static void map_crosses_extents(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);
    struct piece x[8];

    CU_ASSERT_EQUAL_FATAL(package_map(p, LONG, 0, 3 * BLOCK, x, 8), 3);
    CU_ASSERT(piece_is(&x[0], 4, 0, BLOCK));
    CU_ASSERT(piece_is(&x[1], 0, 0, BLOCK));
    CU_ASSERT(piece_is(&x[2], 3, 0, 50));
    CU_ASSERT_EQUAL_FATAL(package_map(p, LONG, BLOCK, 1, x, 8), 1);
    CU_ASSERT(piece_is(&x[0], 0, 0, 1));
    CU_ASSERT_EQUAL_FATAL(package_map(p, LONG, 2 * BLOCK - 1, 3, x, 8), 2);
    CU_ASSERT(piece_is(&x[0], 0, BLOCK - 1, 1));
    CU_ASSERT(piece_is(&x[1], 3, 0, 2));
    CU_ASSERT_EQUAL_FATAL(package_map(p, LONG, 2 * BLOCK + 49, 100, x, 8), 1);
    CU_ASSERT(piece_is(&x[0], 3, 49, 1));
    package_free(p);
}

static void block_part_is_what_one_block_holds_of_a_file(void)
{
    static const struct {
        uint32_t file;
        uint64_t off, start, len;
    } rows[] = {
        { APP, 0, 0, BLOCK },
        { APP, BLOCK - 1, 0, BLOCK },
        { APP, BLOCK, BLOCK, BLOCK },
        { APP, 2 * BLOCK + 99, 2 * BLOCK, 100 },
        { LIB, 5, 0, 300 }, /* among others in its block */
        { LONG, BLOCK - 1, 0, BLOCK },
        { LONG, BLOCK, BLOCK, BLOCK },
        { LONG, 2 * BLOCK + 7, 2 * BLOCK, 50 },
    };
    struct spec s = sound_spec();
    struct package *p = build(&s);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t start, len;
        package_block_part(p, rows[i].file, rows[i].off, &start, &len);
        CU_ASSERT_EQUAL(start, rows[i].start);
        CU_ASSERT_EQUAL(len, rows[i].len);
    }
    package_free(p);
}

static void map_gives_no_more_than_asked_and_nothing_past_the_end(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);
    struct piece x[8];

    CU_ASSERT_EQUAL(package_map(p, LONG, 0, UINT64_MAX, x, 2), 2);
    CU_ASSERT_EQUAL(package_map(p, LONG, 0, UINT64_MAX, x, 0), 0);
    CU_ASSERT_EQUAL(package_map(p, LONG, 0, 0, x, 8), 0);
    CU_ASSERT_EQUAL(package_map(p, LONG, 2 * BLOCK + 50, 1, x, 8), 0);
    CU_ASSERT_EQUAL(package_map(p, LONG, UINT64_MAX, UINT64_MAX, x, 8), 0);
    CU_ASSERT_EQUAL(package_map(p, EMPTY_FILE, 0, 1, x, 8), 0);
    CU_ASSERT_EQUAL(package_map(p, BIN, 0, 1, x, 8), 0);
    package_free(p);
}

static void block_files_are_those_of_one_extent_in_byte_order(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);
    const uint32_t *files;

    CU_ASSERT_EQUAL(package_block_files(p, 0, &files), 0);
    CU_ASSERT_EQUAL(package_block_files(p, 4, &files), 0);
    CU_ASSERT_EQUAL_FATAL(package_block_files(p, 3, &files), 3);
    CU_ASSERT_EQUAL(files[0], README);
    CU_ASSERT_EQUAL(files[1], DEEP);
    CU_ASSERT_EQUAL(files[2], LIB);
    package_free(p);
}

static void security_descriptors_are_kept_by_id(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);
    size_t len;

    CU_ASSERT_EQUAL(package_node(p, LONG)->sd, 1);
    CU_ASSERT_PTR_NULL(package_security_descriptor(p, 0, &len));
    CU_ASSERT_PTR_NULL(package_security_descriptor(p, 3, &len));
    const uint8_t *sd = package_security_descriptor(p, 2, &len);
    CU_ASSERT_EQUAL_FATAL(len, 10);
    CU_ASSERT_EQUAL(memcmp(sd, "second one", 10), 0);
    sd = package_security_descriptor(p, 1, &len);
    CU_ASSERT_EQUAL_FATAL(len, 5);
    CU_ASSERT_EQUAL(memcmp(sd, "first", 5), 0);
    package_free(p);
}

static void file_id_is_the_stored_one(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);
    struct guid id;

    CU_ASSERT_EQUAL_FATAL(package_file_id(p, LONG, &id), 0);
    CU_ASSERT(guid_equal(&id, &some_id));
    package_free(p);
}

static void file_ids_of_many_nodes_are_not_mixed_up(void)
{
    enum { COUNT = 79 }; /* past the 64 that one rank entry covers */
    struct spec s = empty_spec();
    struct guid ids[COUNT], id;
    char names[COUNT][8];

    add_item(&s, dir("", COUNT));
    for (unsigned i = 0; i < COUNT; i++) {
        ids[i] = (struct guid){ { (uint8_t)i, 7 } };
        (void)snprintf(names[i], sizeof names[i], "n%u", i);
        struct item it = file(names[i], 0, 0);
        if (i % 3) {
            it.node.flags = NODE_FILE_ID;
            it.id = &ids[i];
        }
        add_item(&s, it);
    }
    struct package *p = build(&s);
    for (unsigned i = 0; i < COUNT; i++) {
        CU_ASSERT_EQUAL_FATAL(package_file_id(p, i + 1, &id), 0);
        CU_ASSERT_EQUAL(guid_equal(&id, &ids[i]), i % 3 != 0);
    }
    package_free(p);
}

static void file_id_is_derived_from_package_and_path_otherwise(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);
    struct guid root, app, deep, again;
    char text[GUID_TEXT_SIZE];

    CU_ASSERT_EQUAL_FATAL(package_file_id(p, ROOT, &root), 0);
    CU_ASSERT_EQUAL_FATAL(package_file_id(p, APP, &app), 0);
    CU_ASSERT_EQUAL_FATAL(package_file_id(p, DEEP, &deep), 0);
    CU_ASSERT_EQUAL_FATAL(package_file_id(p, APP, &again), 0);
    CU_ASSERT(!guid_equal(&root, &app));
    CU_ASSERT(!guid_equal(&app, &deep));
    CU_ASSERT(guid_equal(&app, &again));
    /* printf '%016d' 0 | tr 0 '\0' | cat - <(printf Bin/Sub/deep) | sha256sum, version 8 */
    guid_format(&deep, text);
    CU_ASSERT_STRING_EQUAL(text, "1AE70F11-7C4A-8019-8E05-189917E3D360");
    package_free(p);

    s.info.package_guid.b[0] = 1;
    p = build(&s);
    CU_ASSERT_EQUAL_FATAL(package_file_id(p, APP, &again), 0);
    CU_ASSERT(!guid_equal(&app, &again));
    package_free(p);
}

/* A package of one file in one zstd block, for the decoding tests. Returns the stored bytes. */
static struct package *one_block(struct codec_context *ctx, uint8_t stored[BLOCK], bool right_hash)
{
    struct spec s = empty_spec();
    uint8_t text[BLOCK], hash[32];
    struct package *p;

    memset(text, 'x', sizeof text);
    long len = codec_encode(ctx, CODEC_ZSTD, 3, text, sizeof text, stored, NULL);
    CU_ASSERT_FATAL(len > 0);
    CU_ASSERT_EQUAL_FATAL(codec_sha256(ctx, stored, (size_t)len, hash), 0);
    add_block(&s, BLOCK);
    s.blocks[0].stored_len = (uint32_t)len;
    s.blocks[0].codec = CODEC_ZSTD;
    memcpy(s.blocks[0].hash, hash, BLOCK_HASH_SIZE);
    s.blocks[0].hash[0] ^= right_hash ? 0 : 1;
    add_item(&s, dir("", 1));
    add_item(&s, file("x", BLOCK, 1));
    add_extent(&s, 0, 0, BLOCK);
    p = build(&s);
    return p;
}

static void block_is_decoded_when_its_hash_is_right(void)
{
    struct codec_context *ctx;
    uint8_t stored[BLOCK], out[BLOCK];

    CU_ASSERT_EQUAL_FATAL(codec_context_new(&ctx), 0);
    struct package *p = one_block(ctx, stored, true);
    CU_ASSERT_EQUAL(package_decode_block(p, 0, stored, ctx, out, NULL), 0);
    CU_ASSERT_EQUAL(out[0], 'x');
    CU_ASSERT_EQUAL(out[BLOCK - 1], 'x');
    package_free(p);
    codec_context_free(ctx);
}

static void block_is_refused_when_its_hash_is_wrong(void)
{
    struct codec_context *ctx;
    uint8_t stored[BLOCK], out[BLOCK];
    struct err e;

    CU_ASSERT_EQUAL_FATAL(codec_context_new(&ctx), 0);
    struct package *p = one_block(ctx, stored, false);
    CU_ASSERT_EQUAL(package_decode_block(p, 0, stored, ctx, out, &e), -EIO);
    CU_ASSERT_EQUAL(e.kind, ERR_BLOCK_HASH);
    CU_ASSERT_EQUAL(e.offset, DATA_START);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "block 0"));
    package_free(p);
    codec_context_free(ctx);
}

/* As in packages that are ZIP archives: the hash is of what the block decodes to. */
static void block_hash_may_cover_the_decoded_bytes(void)
{
    static const uint8_t stored[] = "\x00\x03\x00\xfc\xffxyz"; /* deflate: three raw bytes */
    uint8_t out[BLOCK], hash[DIGEST_MAX], other[sizeof stored - 1], garbage[] = "not deflate";
    struct codec_context *ctx;

    CU_ASSERT_EQUAL_FATAL(codec_context_new(&ctx), 0);
    for (unsigned digest = 0; digest < DIGEST_COUNT; digest++) {
        struct spec s = empty_spec();
        struct err e;

        CU_ASSERT_EQUAL_FATAL(codec_digest(ctx, (enum digest)digest, "xyz", 3, hash), 0);
        s.info.block_hash = BLOCK_HASH_DECODED;
        s.info.digest = (uint8_t)digest;
        add_block(&s, 3);
        s.blocks[0].stored_len = sizeof stored - 1;
        s.info.container_bytes = s.blocks[0].offset + s.blocks[0].stored_len;
        s.blocks[0].codec = CODEC_DEFLATE;
        memcpy(s.blocks[0].hash, hash, BLOCK_HASH_SIZE);
        add_item(&s, dir("", 0));
        struct package *p = build(&s);
        CU_ASSERT_EQUAL(package_decode_block(p, 0, stored, ctx, out, &e), 0);
        CU_ASSERT_EQUAL(memcmp(out, "xyz", 3), 0);
        CU_ASSERT_EQUAL(package_check_block(p, 0, stored, ctx, &e), 0);
        memcpy(other, stored, sizeof other);
        other[5] = 'X';
        CU_ASSERT_EQUAL(package_decode_block(p, 0, other, ctx, out, &e), -EIO);
        CU_ASSERT_EQUAL(e.kind, ERR_BLOCK_HASH);
        CU_ASSERT_EQUAL(package_check_block(p, 0, other, ctx, &e), -EIO);
        CU_ASSERT_EQUAL(e.kind, ERR_BLOCK_HASH);
        /* Wrong bytes seldom decode, and are wrong bytes all the same. */
        CU_ASSERT_EQUAL(package_check_block(p, 0, garbage, ctx, &e), -EIO);
        CU_ASSERT_EQUAL(e.kind, ERR_BLOCK_HASH);
        package_free(p);
    }
    codec_context_free(ctx);
}

static void block_of_right_hash_and_wrong_content_is_refused(void)
{
    struct spec s = empty_spec();
    struct codec_context *ctx;
    uint8_t stored[] = "not zlib at all", out[BLOCK], hash[32];
    struct err e;

    CU_ASSERT_EQUAL_FATAL(codec_context_new(&ctx), 0);
    CU_ASSERT_EQUAL_FATAL(codec_sha256(ctx, stored, sizeof stored, hash), 0);
    add_block(&s, 100);
    s.blocks[0].stored_len = sizeof stored;
    s.blocks[0].codec = CODEC_ZLIB;
    memcpy(s.blocks[0].hash, hash, BLOCK_HASH_SIZE);
    add_item(&s, dir("", 0));
    struct package *p = build(&s);
    CU_ASSERT_EQUAL(package_decode_block(p, 0, stored, ctx, out, &e), -EIO);
    CU_ASSERT_EQUAL(e.kind, ERR_BLOCK_DECODE);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "block 0"));
    package_free(p);
    codec_context_free(ctx);
}

static void memory_is_about_what_the_tables_need(void)
{
    struct spec s = sound_spec();
    struct package *p = build(&s);
    size_t tables = 10 * sizeof(struct node) + 5 * sizeof(struct block);

    CU_ASSERT(package_memory(p) > tables);
    CU_ASSERT(package_memory(p) < tables + 2000);
    package_free(p);
}

static void filetime_converts_known_times(void)
{
    struct timespec t = filetime_to_timespec(INT64_C(116444736000000000));
    CU_ASSERT(t.tv_sec == 0 && t.tv_nsec == 0);
    t = filetime_to_timespec(INT64_C(128930364000000001)); /* 2009-07-25 23:00:00.0000001 UTC */
    CU_ASSERT(t.tv_sec == 1248562800 && t.tv_nsec == 100);
    t = filetime_to_timespec(0);
    CU_ASSERT(t.tv_sec == -INT64_C(11644473600) && t.tv_nsec == 0);
    t = filetime_to_timespec(-1);
    CU_ASSERT(t.tv_sec == -INT64_C(11644473601) && t.tv_nsec == 999999900);
}

static void filetime_survives_the_way_there_and_back(void)
{
    static const int64_t ticks[] = {
        INT64_MIN, INT64_MIN + 1, -10000001, -1, 0, 1, 10000000, INT64_C(128930364000000001),
        INT64_MAX
    };
    for (size_t i = 0; i < ARRAY_LEN(ticks); i++)
        CU_ASSERT_EQUAL(filetime_from_timespec(filetime_to_timespec(ticks[i])), ticks[i]);
}

static void filetime_is_clamped_when_it_does_not_fit(void)
{
    struct timespec late = { .tv_sec = INT64_MAX, .tv_nsec = 999999999 };
    struct timespec early = { .tv_sec = INT64_MIN };
    struct timespec beyond = { .tv_sec = INT64_MAX / 10000000 };

    CU_ASSERT_EQUAL(filetime_from_timespec(late), INT64_MAX);
    CU_ASSERT_EQUAL(filetime_from_timespec(early), INT64_MIN);
    CU_ASSERT_EQUAL(filetime_from_timespec(beyond), INT64_MAX);
}

UNIT_MAIN(
    "package", TEST(sound_package_is_built), TEST(nodes_know_parent_children_and_names),
    TEST(lookup_finds_names_in_any_case), TEST(lookup_finds_8_3_names),
    TEST(lookup_finds_nothing_where_nothing_is), TEST(lookup_takes_only_the_exact_name_when_asked),
    TEST(lookup_prefers_exact_then_first_in_case_sensitive_package),
    TEST(lookup_prefers_long_names_to_8_3_names), TEST(lookup_finds_each_of_many_children),
    TEST(lookup_finds_each_of_many_8_3_names), TEST(lookup_agrees_with_a_scan_of_the_directory),
    TEST(resolve_follows_both_separators), TEST(resolve_refuses_parents_and_what_is_below_files),
    TEST(path_joins_names_from_the_root), TEST(map_splits_one_extent_at_blocks),
    TEST(map_crosses_extents), TEST(block_part_is_what_one_block_holds_of_a_file),
    TEST(map_gives_no_more_than_asked_and_nothing_past_the_end),
    TEST(block_files_are_those_of_one_extent_in_byte_order),
    TEST(security_descriptors_are_kept_by_id), TEST(file_id_is_the_stored_one),
    TEST(file_ids_of_many_nodes_are_not_mixed_up),
    TEST(file_id_is_derived_from_package_and_path_otherwise),
    TEST(block_is_decoded_when_its_hash_is_right), TEST(block_is_refused_when_its_hash_is_wrong),
    TEST(block_hash_may_cover_the_decoded_bytes),
    TEST(block_of_right_hash_and_wrong_content_is_refused),
    TEST(memory_is_about_what_the_tables_need), TEST(filetime_converts_known_times),
    TEST(filetime_survives_the_way_there_and_back), TEST(filetime_is_clamped_when_it_does_not_fit))
