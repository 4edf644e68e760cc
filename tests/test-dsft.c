/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Differential SFT: what is cut from a package leads to it again, and the bad-input table. */
#include "config.h"

#include <stdio.h>

#include "src/codec.h"
#include "src/container.h"
#include "src/dsft.h"
#include "tests/bad-dsft.h"
#include "tests/unit.h"

struct both {
    struct made_sft sft, dsft;
    struct package *whole, *target;
    struct sft_dsft h;
};

static struct both make(uint32_t kept, uint32_t base)
{
    struct both b;
    struct err e = { .text = "" };

    CU_ASSERT_FATAL(dsft_base(kept, &b.sft));
    CU_ASSERT_EQUAL_FATAL(container_read_memory(b.sft.data, b.sft.len, &b.whole, &e), 0);
    CU_ASSERT_FATAL(make_dsft(&b.sft, base, &b.dsft));
    CU_ASSERT_EQUAL(dsft_read_memory(b.dsft.data, b.dsft.len, &b.h, &b.target, &e), 0);
    if (e.text[0])
        fprintf(stderr, "\n%s\n", e.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b.target);
    return b;
}

static void drop(struct both *b)
{
    package_free(b->whole);
    package_free(b->target);
    free(b->sft.data);
    free(b->dsft.data);
}

static void check_blocks(const struct both *b)
{
    for (uint32_t i = b->h.first_block; i < b->h.first_block + b->h.block_count; i++) {
        const struct block *block = package_block(b->whole, i);
        uint64_t at = dsft_block_offset(&b->h, b->target, i);
        CU_ASSERT_FATAL(at + block->stored_len <= b->dsft.len);
        CU_ASSERT(!memcmp(b->dsft.data + at, b->sft.data + block->offset, block->stored_len));
    }
}

static void dsft_leads_to_the_new_version(void)
{
    struct both b = make(5, 1);
    const struct package_info *whole = package_info(b.whole), *target = package_info(b.target);

    CU_ASSERT(!memcmp(whole->root_hash, target->root_hash, 32));
    CU_ASSERT_EQUAL(target->version_number, 3);
    CU_ASSERT_EQUAL(target->container_bytes, b.sft.len);
    CU_ASSERT_EQUAL(b.h.base_number, 2);
    CU_ASSERT(guid_equal(&b.h.base_guid, &whole->versions[1].guid));
    CU_ASSERT_EQUAL(b.h.target_number, 3);
    CU_ASSERT_EQUAL(b.h.first_block, 5);
    CU_ASSERT_EQUAL(b.h.block_count, whole->block_count - 5);
    CU_ASSERT(b.dsft.len < b.sft.len);
    check_blocks(&b);
    drop(&b);
}

static void dsft_without_kept_blocks_holds_them_all(void)
{
    struct both b = make(0, 1);

    CU_ASSERT_EQUAL(b.h.block_count, package_info(b.whole)->block_count);
    CU_ASSERT_EQUAL(b.dsft.len, b.sft.len + DSFT_HEAD_BYTES);
    check_blocks(&b);
    drop(&b);
}

static void dsft_without_new_blocks_is_metadata_alone(void)
{
    struct made_sft sft;
    struct package *p = NULL;

    CU_ASSERT_FATAL(dsft_base(0, &sft));
    CU_ASSERT_EQUAL_FATAL(container_read_memory(sft.data, sft.len, &p, NULL), 0);
    struct both b = make(package_info(p)->block_count, 1);
    CU_ASSERT_EQUAL(b.h.block_count, 0);
    CU_ASSERT_EQUAL(b.dsft.len, DSFT_HEAD_BYTES + b.sft.metadata_len);
    drop(&b);
    package_free(p);
    free(sft.data);
}

static void dsft_against_an_older_version_names_it(void)
{
    struct both b = make(5, 0);

    CU_ASSERT_EQUAL(b.h.base_number, 1);
    CU_ASSERT_EQUAL(b.h.first_block, 0); /* what came with version 2 is new against version 1 */
    check_blocks(&b);
    drop(&b);
}

static enum err_kind first_bad_block(const struct bad_sft *row, const struct sft_dsft *h,
                                     const struct package *p, struct err *e)
{
    static uint8_t out[BLOCK_SIZE_MAX];
    struct codec_context *ctx;
    enum err_kind kind = ERR_NONE;

    CU_ASSERT_EQUAL_FATAL(codec_context_new(&ctx), 0);
    for (uint32_t i = 0; i < h->block_count && kind == ERR_NONE; i++) {
        uint32_t block = h->first_block + i;
        if (package_decode_block(p, block, row->data + dsft_block_offset(h, p, block), ctx, out, e))
            kind = e->kind;
    }
    codec_context_free(ctx);
    return kind;
}

static void check_row(void *arg, const struct bad_sft *row)
{
    struct err e = { .kind = ERR_NONE, .text = "" };
    struct package *p = NULL;
    struct sft_dsft h;
    /* Of its own length, so that a checker of memory sees any step beyond. */
    uint8_t *exact = malloc(row->len ? row->len : 1);
    unsigned *count = arg;

    CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
    memcpy(exact, row->data, row->len);
    int rc = dsft_read_memory(exact, row->len, &h, &p, &e);
    enum err_kind kind = rc ? e.kind : ERR_NONE;
    CU_ASSERT_EQUAL(!rc, p != NULL);
    CU_ASSERT_EQUAL(!rc, row->in_block);
    if (p)
        kind = first_bad_block(row, &h, p, &e);
    if (kind != row->expected)
        fprintf(stderr, "\n%s: %s instead of %s: %s\n", row->name, err_kind_name(kind),
                err_kind_name(row->expected), e.text);
    CU_ASSERT_EQUAL(kind, row->expected);
    CU_ASSERT(e.text[0]);
    package_free(p);
    free(exact);
    ++*count;
}

static void dsft_refuses_every_row_of_the_table(void)
{
    unsigned count = 0;

    CU_ASSERT(bad_dsft_each(check_row, &count));
    CU_ASSERT(count > 40);
}

static void dsft_is_no_package_and_the_error_says_what_to_do(void)
{
    struct both b = make(5, 1);
    struct err e = { .text = "" };
    struct package *p = NULL;

    CU_ASSERT(container_read_memory(b.dsft.data, b.dsft.len, &p, &e) < 0);
    CU_ASSERT_PTR_NULL(p);
    CU_ASSERT_EQUAL(e.kind, ERR_UNSUPPORTED);
    CU_ASSERT_STRING_EQUAL(e.section, "DSFT");
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "sft patch"));
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "sft cache import"));
    drop(&b);
}

static void note_line(void *arg, const char *text)
{
    unsigned *found = arg;

    *found |= strstr(text, "made against version: 2,") ? 1u : 0;
    *found |= strstr(text, "gives version: 3,") ? 2u : 0;
    *found |= strstr(text, "section INDX: ") ? 4u : 0;
    *found |= strstr(text, "damaged: ") ? 8u : 0;
}

static void dsft_describes_itself_also_when_damaged(void)
{
    struct both b = make(5, 1);
    unsigned found = 0;

    container_describe(b.dsft.data, b.dsft.len, b.dsft.len, note_line, &found);
    CU_ASSERT_EQUAL(found, 7);
    found = 0;
    b.dsft.data[SFT_SECTION_HASH_AT] ^= 1;
    container_describe(b.dsft.data, b.dsft.len, b.dsft.len, note_line, &found);
    CU_ASSERT_EQUAL(found, 15);
    found = 0;
    container_describe(b.dsft.data, DSFT_HEAD_BYTES, b.dsft.len, note_line, &found);
    CU_ASSERT_EQUAL(found, 11);
    drop(&b);
}

UNIT_MAIN("dsft", TEST(dsft_leads_to_the_new_version),
          TEST(dsft_without_kept_blocks_holds_them_all),
          TEST(dsft_without_new_blocks_is_metadata_alone),
          TEST(dsft_against_an_older_version_names_it), TEST(dsft_refuses_every_row_of_the_table),
          TEST(dsft_is_no_package_and_the_error_says_what_to_do),
          TEST(dsft_describes_itself_also_when_damaged))
