/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/sft_write.c and src/sft_read.c: what is written comes back. */
#include "config.h"

#include "src/container.h"
#include "src/sft_write.h"
#include "src/sftlayout.h"
#include "tests/make-sft.h"
#include "tests/unit.h"

static struct made_sft made_with(const struct make_options *o)
{
    struct made_sft made = { .data = NULL };
    struct err e = { .text = "" };
    int rc = make_sft(make_sft_tree, make_sft_tree_count, o, &made, &e);
    if (rc)
        fprintf(stderr, "make_sft: %s\n", e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return made;
}

static struct package *opened(const struct made_sft *made)
{
    struct package *p = NULL;
    struct err e = { .text = "" };
    int rc = container_read_memory(made->data, made->len, &p, &e);
    if (rc)
        fprintf(stderr, "container_read_memory: %s\n", e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return p;
}

/* All bytes of a file, by way of its blocks. */
static void read_file(const struct package *p, const struct made_sft *made, uint32_t node,
                      uint8_t *out)
{
    struct codec_context *ctx;
    static uint8_t block[BLOCK_SIZE_MAX];
    uint64_t off = 0, size = package_node(p, node)->size;

    CU_ASSERT_EQUAL_FATAL(codec_context_new(&ctx), 0);
    while (off < size) {
        struct piece piece;
        CU_ASSERT_EQUAL_FATAL(package_map(p, node, off, size - off, &piece, 1), 1);
        const struct block *b = package_block(p, piece.block);
        CU_ASSERT_FATAL(b->offset + b->stored_len <= made->len);
        CU_ASSERT_EQUAL_FATAL(
            package_decode_block(p, piece.block, made->data + b->offset, ctx, block, NULL), 0);
        memcpy(out + off, block + piece.from, piece.len);
        off += piece.len;
    }
    codec_context_free(ctx);
}

static void check_entry(const struct package *p, const struct made_sft *made,
                        const struct make_entry *en)
{
    uint32_t i = package_resolve(p, en->path, true);
    CU_ASSERT_NOT_EQUAL_FATAL(i, NODE_NONE);
    const struct node *n = package_node(p, i);
    struct guid id;

    CU_ASSERT_EQUAL(n->flags, en->flags);
    CU_ASSERT_EQUAL(n->sd, en->sd);
    CU_ASSERT_STRING_EQUAL(package_short_name(p, i), en->short_name ? en->short_name : "");
    if (en->flags & NODE_FILE_ID) {
        CU_ASSERT_EQUAL(package_file_id(p, i, &id), 0);
        CU_ASSERT(guid_equal(&id, &en->file_id));
    }
    if (en->flags & NODE_DIR)
        return;
    CU_ASSERT_EQUAL_FATAL(n->size, en->len);
    uint8_t *is = malloc(en->len + 1), *should = malloc(en->len + 1);
    CU_ASSERT_FATAL(is && should);
    if (en->data)
        memcpy(should, en->data, en->len);
    else
        make_sft_fill(en->path, 0, should, en->len);
    read_file(p, made, i, is);
    CU_ASSERT(!memcmp(is, should, en->len));
    free(is);
    free(should);
}

static void round_trip(const struct make_options *o)
{
    struct made_sft made = made_with(o);
    struct package *p = opened(&made);
    const struct package_info *info = package_info(p);

    CU_ASSERT_EQUAL(info->codec, o->codec);
    CU_ASSERT_EQUAL(info->block_size, o->block_size);
    CU_ASSERT_EQUAL(info->metadata_bytes, made.metadata_len);
    CU_ASSERT_EQUAL(info->container_bytes, made.len);
    for (size_t i = 0; i < make_sft_tree_count; i++)
        check_entry(p, &made, &make_sft_tree[i]);
    package_free(p);
    free(made.data);
}

static void sft_round_trips_with_every_codec_and_block_size(void)
{
    static const uint32_t sizes[] = { 4096, 16384, 32768, 65536 };
    for (unsigned codec = 0; codec <= CODEC_SFT_LAST; codec++)
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
            round_trip(
                &(struct make_options){ .codec = (enum codec)codec, .block_size = sizes[i] });
}

static void sft_round_trips_with_a_dictionary(void)
{
    static uint8_t dictionary[4096];
    make_sft_fill("big.cab", 0, dictionary, sizeof dictionary);
    const struct make_options with = { .block_size = 4096, .codec = CODEC_ZSTD,
                                       .dictionary = dictionary,
                                       .dictionary_len = sizeof dictionary };
    const struct make_options without = { .codec = CODEC_ZSTD, .level = 3 };
    struct made_sft small = made_with(&with), large = made_with(&without);
    struct package *p = opened(&small);
    size_t len;

    round_trip(&with);
    const uint8_t *kept = package_dictionary(p, &len);
    CU_ASSERT_EQUAL_FATAL(len, sizeof dictionary);
    CU_ASSERT(!memcmp(kept, dictionary, len));
    /* It begins like one of the files, whose first block therefore shrinks to almost nothing. */
    CU_ASSERT(small.len - small.metadata_len < large.len - large.metadata_len);
    package_free(p);
    free(small.data);
    free(large.data);
}

static void sft_keeps_identity_properties_and_history(void)
{
    struct made_sft made = made_with(&(struct make_options){
        .name = "N\xc3\xa4me", .version_number = 3, .sd_count = 2, .case_sensitive = true });
    struct package *p = opened(&made);
    const struct package_info *info = package_info(p);
    size_t len = 0;

    CU_ASSERT_STRING_EQUAL(info->format, "sft");
    CU_ASSERT_STRING_EQUAL(info->name, "N\xc3\xa4me");
    CU_ASSERT_STRING_EQUAL(info->root_name, "example.001");
    CU_ASSERT_EQUAL(info->version_number, 3);
    CU_ASSERT_EQUAL_FATAL(info->version_count, 3);
    CU_ASSERT_EQUAL(info->versions[0].number, 1);
    CU_ASSERT(guid_equal(&info->versions[2].guid, &info->version_guid));
    CU_ASSERT_FALSE(guid_is_zero(&info->package_guid));
    CU_ASSERT(info->case_sensitive);
    CU_ASSERT_NOT_EQUAL(info->created, 0);
    CU_ASSERT_EQUAL(info->sd_count, 2);
    CU_ASSERT_PTR_NOT_NULL(package_security_descriptor(p, 2, &len));
    CU_ASSERT_EQUAL(len, 21);
    package_free(p);
    free(made.data);
}

static void sft_puts_the_launch_set_first(void)
{
    struct made_sft made = made_with(NULL);
    struct package *p = opened(&made);
    const struct package_info *info = package_info(p);
    struct piece piece;

    CU_ASSERT_EQUAL_FATAL(info->launch_run_count, 1);
    CU_ASSERT_EQUAL(info->launch_runs[0].first, 0);
    CU_ASSERT_EQUAL(info->launch_runs[0].count, 5); /* 10,000 and 5,000 bytes in 4 KiB blocks */
    uint32_t app = package_resolve(p, "App.exe", true);
    CU_ASSERT_EQUAL_FATAL(package_map(p, app, 0, 1, &piece, 1), 1);
    CU_ASSERT_EQUAL(piece.block, 0);
    package_free(p);
    free(made.data);
}

static void sft_is_the_same_when_written_twice(void)
{
    struct make_options o = { .codec = CODEC_ZSTD };
    struct made_sft a = made_with(&o), b = made_with(&o);

    CU_ASSERT_EQUAL_FATAL(a.len, b.len);
    CU_ASSERT(!memcmp(a.data, b.data, a.len));
    free(a.data);
    free(b.data);
}

static void sft_of_an_empty_tree_is_a_root(void)
{
    struct made_sft made;
    CU_ASSERT_EQUAL_FATAL(make_sft(NULL, 0, NULL, &made, NULL), 0);
    CU_ASSERT_EQUAL(made.len, made.metadata_len);
    struct package *p = opened(&made);
    CU_ASSERT_EQUAL(package_info(p)->node_count, 1);
    CU_ASSERT_EQUAL(package_info(p)->block_count, 0);
    CU_ASSERT_EQUAL(package_lookup(p, NODE_ROOT, "x", 1, false), NODE_NONE);
    package_free(p);
    free(made.data);
}

static void sft_root_hash_changes_with_any_block(void)
{
    struct make_entry entry = { .path = "x", .data = "abc", .len = 3 };
    struct made_sft a, b;
    CU_ASSERT_EQUAL_FATAL(make_sft(&entry, 1, NULL, &a, NULL), 0);
    entry.data = "abd";
    CU_ASSERT_EQUAL_FATAL(make_sft(&entry, 1, NULL, &b, NULL), 0);
    struct package *p = opened(&a), *q = opened(&b);
    CU_ASSERT(memcmp(package_info(p)->root_hash, package_info(q)->root_hash, 32) != 0);
    package_free(p);
    package_free(q);
    free(a.data);
    free(b.data);
}

static void writer_fails(const struct make_entry *entries, size_t count, enum err_kind kind)
{
    struct made_sft made;
    struct err e = { .text = "" };
    CU_ASSERT(make_sft(entries, count, NULL, &made, &e) < 0);
    CU_ASSERT_STRING_EQUAL(err_kind_name(e.kind), err_kind_name(kind));
    free(made.data);
}

static void sft_writer_refuses_what_the_reader_refuses(void)
{
    static const struct make_entry back_slash = { .path = "a\\b" };
    static const struct make_entry twice[] = { { .path = "name" }, { .path = "NAME" } };
    static const struct make_entry no_sd = { .path = "x", .sd = 1 };
    static const struct make_entry bad_8_3 = { .path = "x", .short_name = "much too long.x" };

    writer_fails(&back_slash, 1, ERR_BAD_NAME);
    writer_fails(twice, 2, ERR_DUPLICATE_NAME);
    writer_fails(&no_sd, 1, ERR_CORRUPT);
    writer_fails(&bad_8_3, 1, ERR_BAD_NAME);
}

static void sft_writer_refuses_blocks_with_gaps(void)
{
    static const struct block block = { .offset = 1, .stored_len = 1, .len = 1 };
    static const struct sft_image_node root = { .node = { .flags = NODE_DIR }, .name = "" };
    struct sft_image image = {
        .block_size = 4096,
        .nodes = &root,
        .node_count = 1,
        .blocks = &block,
        .block_count = 1,
    };
    struct err e;
    uint8_t *out;
    size_t len;
    CU_ASSERT(sft_write_metadata(&image, &out, &len, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
}

static void sft_writer_refuses_other_block_sizes(void)
{
    static const struct sft_image_node root = { .node = { .flags = NODE_DIR }, .name = "" };
    static const uint32_t sizes[] = { 0, 1, 4095, 8192, 65537 };
    uint8_t *out;
    size_t len;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct sft_image image = { .block_size = sizes[i], .nodes = &root, .node_count = 1 };
        struct err e;
        CU_ASSERT(sft_write_metadata(&image, &out, &len, &e) < 0);
        CU_ASSERT_EQUAL(e.kind, ERR_CORRUPT);
    }
}

static void layout_bounds_what_a_section_may_decode_to(void)
{
    CU_ASSERT_EQUAL(sft_decoded_max(0), SFT_DECODE_SLACK);
    CU_ASSERT_EQUAL(sft_decoded_max(10), 10 * SFT_DECODE_RATIO + SFT_DECODE_SLACK);
    CU_ASSERT_EQUAL(sft_decoded_max(UINT64_MAX), SFT_METADATA_MAX);
}

static void layout_places_an_extent_behind_the_one_before(void)
{
    const uint32_t lens[] = { 4096, 4096, 100, 4096 };
    struct sft_place at;

    sft_place_after(&at, &(struct extent){ .length = 10, .block = 0, .from = 5 }, 4096, lens, 4);
    CU_ASSERT(at.block == 0 && at.from == 15);
    sft_place_after(&at, &(struct extent){ .length = 4096, .block = 1 }, 4096, lens, 4);
    CU_ASSERT(at.block == 2 && at.from == 0);
    sft_place_after(&at, &(struct extent){ .length = 4196, .block = 1 }, 4096, lens, 4);
    CU_ASSERT(at.block == 3 && at.from == 0);
    sft_place_after(&at, &(struct extent){ .length = 4096 * 9, .block = 1, .from = 1 }, 4096, lens,
                    4);
    CU_ASSERT(at.block == 10 && at.from == 1);
}

static void layout_structures_have_their_sizes(void)
{
    struct sft_buf b = { .data = NULL };
    sft_put_section(&b, &(struct sft_section){ .tag = "SMFF" });
    CU_ASSERT_EQUAL(b.len, SFT_SECTION_SIZE);
    sft_put_smff(&b, &(struct sft_smff){ .section_count = 1 });
    CU_ASSERT_EQUAL(b.len, SFT_FIXED_SIZE);
    b.len = 0;
    sft_put_version(&b, &(struct package_version){ .number = 1 });
    CU_ASSERT_EQUAL(b.len, SFT_VERSION_SIZE);
    b.len = 0;
    sft_put_dmap_head(&b, &(struct sft_dmap_head){ .nodes = 1 });
    CU_ASSERT_EQUAL(b.len, SFT_DMAP_HEAD_SIZE);
    b.len = 0;
    sft_put_part(&b, &(struct sft_part){ .tag = "DMAP" });
    CU_ASSERT_EQUAL(b.len, SFT_PART_HEAD_SIZE);
    CU_ASSERT_EQUAL(strlen(SFT_MARK), SFT_MARK_LEN);
    free(b.data);
}

UNIT_MAIN("sft", TEST(sft_round_trips_with_every_codec_and_block_size),
          TEST(sft_round_trips_with_a_dictionary),
          TEST(sft_keeps_identity_properties_and_history), TEST(sft_puts_the_launch_set_first),
          TEST(sft_is_the_same_when_written_twice), TEST(sft_of_an_empty_tree_is_a_root),
          TEST(sft_root_hash_changes_with_any_block),
          TEST(sft_writer_refuses_what_the_reader_refuses),
          TEST(sft_writer_refuses_blocks_with_gaps), TEST(sft_writer_refuses_other_block_sizes),
          TEST(layout_bounds_what_a_section_may_decode_to),
          TEST(layout_places_an_extent_behind_the_one_before),
          TEST(layout_structures_have_their_sizes))
