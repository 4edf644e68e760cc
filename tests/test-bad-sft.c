/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bad input for the SFT reader: the table of tests/bad-sft.c, and random damage. */
#include "config.h"

#include <stdio.h>

#include "src/container.h"
#include "src/sft_hash.h"
#include "tests/bad-sft.h"
#include "tests/unit.h"
#include "tests/walk-package.h"

#define RANDOM_ROUNDS 20000

static enum err_kind decode_all(const struct package *p, const struct bad_sft *row, struct err *e)
{
    static uint8_t out[BLOCK_SIZE_MAX];
    struct codec_context *ctx;
    enum err_kind kind = ERR_NONE;

    CU_ASSERT_EQUAL_FATAL(codec_context_new(&ctx), 0);
    for (uint32_t i = 0; i < package_info(p)->block_count && kind == ERR_NONE; i++)
        if (package_decode_block(p, i, row->data + package_block(p, i)->offset, ctx, out, e))
            kind = e->kind;
    codec_context_free(ctx);
    return kind;
}

static void check_row(void *arg, const struct bad_sft *row)
{
    struct err e = { .kind = ERR_NONE, .text = "" };
    struct package *p = NULL;
    unsigned *count = arg;
    int rc = container_read_memory(row->data, row->len, &p, &e);
    enum err_kind kind = rc ? e.kind : ERR_NONE;

    CU_ASSERT_EQUAL(!rc, p != NULL);
    if (row->in_block) {
        CU_ASSERT_EQUAL(rc, 0);
        if (p)
            kind = decode_all(p, row, &e);
    } else if (p) {
        const char *bad = walk_package(p, row->data, row->len);
        if (bad)
            fprintf(stderr, "\n%s: does not hold: %s\n", row->name, bad);
        CU_ASSERT_PTR_NULL(bad);
    }
    if (kind != row->expected)
        fprintf(stderr, "\n%s: %s instead of %s: [%s %llu] %s\n", row->name, err_kind_name(kind),
                err_kind_name(row->expected), e.section, (unsigned long long)e.offset, e.text);
    CU_ASSERT_EQUAL(kind, row->expected);
    CU_ASSERT(kind == ERR_NONE || e.text[0]);
    package_free(p);
    ++*count;
}

static void sft_refuses_every_row_of_the_table(void)
{
    unsigned count = 0;
    CU_ASSERT(bad_sft_each(check_row, &count));
    CU_ASSERT(count > 200);
}

static void names_section_of(const char *row_name, const char *section, void (*change)(uint8_t *))
{
    struct made_sft made;
    struct err e = { .section = "" };
    struct package *p = NULL;
    CU_ASSERT_FATAL(bad_sft_base(false, &made));
    change(made.data);
    CU_ASSERT(container_read_memory(made.data, made.len, &p, &e) < 0);
    CU_ASSERT_STRING_EQUAL(e.section, section);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, row_name));
    free(made.data);
}

static void change_first_payload(uint8_t *data)
{
    data[192 + 64] ^= 1; /* the section behind SMFF */
}

static void sft_names_the_section_of_the_fault(void)
{
    names_section_of("PROP", "PROP", change_first_payload);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005 + 1442695040888963407;
    return *state >> 33;
}

/* Changes one to eight places: a byte, a bit, a run copied from elsewhere, or a number's edge. */
static void damage(uint8_t *data, size_t len, uint64_t *state)
{
    static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xff };
    for (uint64_t n = 1 + next_random(state) % 8; n; n--) {
        size_t at = next_random(state) % len, from = next_random(state) % len;
        size_t run = 1 + next_random(state) % 16;
        switch (next_random(state) % 4) {
        case 0:
            data[at] = (uint8_t)next_random(state);
            break;
        case 1:
            data[at] ^= (uint8_t)(1u << next_random(state) % 8);
            break;
        case 2:
            if (at + run <= len && from + run <= len)
                memmove(data + at, data + from, run);
            break;
        default:
            for (size_t i = at; i < at + run && i < len; i++)
                data[i] = edges[next_random(state) % sizeof edges];
        }
    }
}

static void sft_survives_random_damage(void)
{
    struct made_sft base[2];
    struct codec_context *ctx;
    uint64_t state = 20090301;
    unsigned opened = 0;

    CU_ASSERT_FATAL(bad_sft_base(false, &base[0]) && bad_sft_base(true, &base[1]));
    CU_ASSERT_EQUAL_FATAL(codec_context_new(&ctx), 0);
    uint8_t *data = malloc(base[0].len + base[1].len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    for (unsigned i = 0; i < RANDOM_ROUNDS; i++) {
        const struct made_sft *b = &base[i % 4 != 0]; /* in raw sections damage hits more */
        struct package *p = NULL;
        struct err e = { .kind = ERR_NONE };
        memcpy(data, b->data, b->len);
        damage(data, b->metadata_len, &state);
        if (i % 8 && sft_seal(ctx, data, b->metadata_len))
            CU_FAIL("no memory");
        int rc = container_read_memory(data, b->len, &p, &e);
        if ((rc == 0) != (e.kind == ERR_NONE) || (p && walk_package(p, data, b->len)))
            CU_FAIL("result and package disagree");
        opened += p != NULL;
        package_free(p);
    }
    CU_ASSERT(opened > 0 && opened < RANDOM_ROUNDS); /* otherwise it tests nothing */
    free(data);
    codec_context_free(ctx);
    free(base[0].data);
    free(base[1].data);
}

UNIT_MAIN("bad-sft", TEST(sft_refuses_every_row_of_the_table),
          TEST(sft_names_the_section_of_the_fault), TEST(sft_survives_random_damage))
