/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/ico.c and icope.c. */
#include "config.h"

#include "src/cursor.h"
#include "src/ico.h"
#include "tests/unit.h"

static const uint8_t png[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13,
                               'I',  'H', 'D', 'R', 0,    0,    1,    0,    0, 0, 0, 64,
                               8,    6,   0,   0,   0,    1,    2,    3,    4, 5, 6, 7 };

static void put(uint8_t *to, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get(const uint8_t *from, unsigned bytes)
{
    struct cursor c = cursor_over(from, bytes);
    return (uint32_t)cursor_le(&c, bytes);
}

static void check_not_written(const struct ico_image *images, size_t count)
{
    struct err e;
    uint8_t *out = NULL;
    size_t len;
    CU_ASSERT(ico_write(images, count, &out, &len, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void ico_holds_rgba_bottom_up_with_a_mask(void)
{
    /* red, transparent / green, blue */
    static const uint8_t rgba[] = { 255, 0, 0, 255, 0, 0, 0, 0, 0, 255, 0, 255, 0, 0, 255, 128 };
    static const uint8_t rows[] = { 0, 255, 0, 255, 255, 0, 0, 128, 0, 0, 255, 255, 0, 0, 0, 0 };
    static const uint8_t mask[] = { 0, 0, 0, 0, 0x40, 0, 0, 0 };
    struct ico_image image = { ICO_RGBA, 2, 2, rgba, sizeof rgba };
    struct err e;
    uint8_t *out = NULL;
    size_t len;
    CU_ASSERT_EQUAL_FATAL(ico_write(&image, 1, &out, &len, &e), 0);
    CU_ASSERT_EQUAL_FATAL(len, 6 + 16 + 40 + 16 + 8);
    CU_ASSERT_EQUAL(memcmp(out, "\0\0\1\0\1\0\2\2\0\0\1\0\40\0", 14), 0);
    CU_ASSERT_EQUAL(get(out + 14, 4), 64);
    CU_ASSERT_EQUAL(get(out + 18, 4), 22);
    CU_ASSERT_EQUAL(get(out + 22, 4), 40);
    CU_ASSERT_EQUAL(get(out + 30, 4), 4); /* twice the height */
    CU_ASSERT_EQUAL(memcmp(out + 62, rows, sizeof rows), 0);
    CU_ASSERT_EQUAL(memcmp(out + 78, mask, sizeof mask), 0);
    free(out);
}

static void ico_takes_size_and_bytes_of_a_png(void)
{
    struct ico_image image = { ICO_PNG, 0, 0, png, sizeof png };
    struct err e;
    uint8_t *out = NULL;
    size_t len;
    CU_ASSERT_EQUAL_FATAL(ico_write(&image, 1, &out, &len, &e), 0);
    CU_ASSERT_EQUAL_FATAL(len, 22 + sizeof png);
    CU_ASSERT_EQUAL(out[6], 0); /* 256 */
    CU_ASSERT_EQUAL(out[7], 64);
    CU_ASSERT_EQUAL(memcmp(out + 22, png, sizeof png), 0);
    free(out);
}

static void ico_gives_a_bmp_a_mask(void)
{
    uint8_t bmp[14 + 40 + 8 + 2 * 4] = "BM"; /* 1 bit, 3 x 2, two colours */
    put(bmp + 10, 14 + 40 + 8, 4);
    put(bmp + 14, 40, 4);
    put(bmp + 18, 3, 4);
    put(bmp + 22, 2, 4);
    put(bmp + 26, 1, 2);
    put(bmp + 28, 1, 2);
    put(bmp + 58, 0xffffff, 4);
    bmp[62] = 0xa0;
    struct ico_image image = { ICO_BMP, 0, 0, bmp, sizeof bmp };
    struct err e;
    uint8_t *out = NULL;
    size_t len;
    CU_ASSERT_EQUAL_FATAL(ico_write(&image, 1, &out, &len, &e), 0);
    CU_ASSERT_EQUAL_FATAL(len, 22 + 40 + 8 + 8 + 8);
    CU_ASSERT_EQUAL(out[8], 2); /* colours */
    CU_ASSERT_EQUAL(get(out + 30, 4), 4);
    CU_ASSERT_EQUAL(out[70], 0xa0);
    struct ico_image dib = { ICO_DIB, 0, 0, out + 22, len - 22 };
    uint8_t *again = NULL;
    size_t again_len;
    CU_ASSERT_EQUAL_FATAL(ico_write(&dib, 1, &again, &again_len, &e), 0);
    CU_ASSERT_EQUAL_FATAL(again_len, len);
    CU_ASSERT_EQUAL(memcmp(again, out, len), 0);
    free(out);
    free(again);
    for (size_t n = 0; n < sizeof bmp; n++) {
        image.len = n;
        check_not_written(&image, 1);
    }
}

static void ico_refuses_what_is_no_picture(void)
{
    static const uint8_t rgba[16];
    struct ico_image many[65];
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = (struct ico_image){ ICO_PNG, 0, 0, png, sizeof png };
    check_not_written(many, 0);
    check_not_written(many, 65);
    check_not_written(&(struct ico_image){ ICO_RGBA, 2, 3, rgba, sizeof rgba }, 1);
    check_not_written(&(struct ico_image){ ICO_RGBA, 0, 0, rgba, 0 }, 1);
    check_not_written(&(struct ico_image){ ICO_RGBA, 257, 1, rgba, 257 * 4 }, 1);
    check_not_written(&(struct ico_image){ ICO_PNG, 0, 0, rgba, sizeof rgba }, 1);
    check_not_written(&(struct ico_image){ ICO_DIB, 0, 0, png, sizeof png }, 1);
    check_not_written(&(struct ico_image){ ICO_BMP, 0, 0, png, sizeof png }, 1);
}

static void ico_default_has_three_sizes(void)
{
    struct err e;
    uint8_t *out = NULL;
    size_t len;
    CU_ASSERT_EQUAL_FATAL(ico_default(&out, &len, &e), 0);
    CU_ASSERT_EQUAL(get(out + 4, 2), 3);
    CU_ASSERT(len > 16 * 16 * 4 + 32 * 32 * 4 + 48 * 48 * 4);
    free(out);
}

/* --- programs --------------------------------------------------------------------------------- */

/*
 * A program of one section with the resources group 1 (pictures 5 and 6) and pictures 5 (a DIB of
 * 1 x 1) and 6 (the PNG). Offsets below are into the resources, which lie at file offset 0x200 and
 * at address 0x1000.
 */
#define RESOURCES 0x200u
#define ADDRESS   0x1000u
#define PE_BYTES  (RESOURCES + 0x200u)

static size_t put_dir(uint8_t *at, size_t ids, const uint32_t (*entries)[2])
{
    put(at + 14, (uint32_t)ids, 2);
    for (size_t i = 0; i < ids; i++) {
        put(at + 16 + 8 * i, entries[i][0], 4);
        put(at + 20 + 8 * i, entries[i][1], 4);
    }
    return 16 + 8 * ids;
}

static void make_program(uint8_t *pe, bool is_64)
{
    uint8_t *r = pe + RESOURCES, *opt = pe + 0x40 + 24, *section = opt + 0xf0;
    uint32_t tables = is_64 ? 108 : 92;

    memset(pe, 0, PE_BYTES);
    memcpy(pe, "MZ", 2);
    put(pe + 0x3c, 0x40, 4);
    memcpy(pe + 0x40, "PE\0", 4);
    put(pe + 0x46, 1, 2);
    put(pe + 0x54, 0xf0, 2);
    put(opt, is_64 ? 0x20b : 0x10b, 2);
    put(opt + tables, 16, 4);
    put(opt + tables + 4 + 2 * 8, ADDRESS, 4);
    put(section + 12, ADDRESS, 4);
    put(section + 16, 0x200, 4);
    put(section + 20, RESOURCES, 4);

    put_dir(r, 2, (const uint32_t[][2]){ { 3, 0x80000020 }, { 14, 0x80000080 } });
    put_dir(r + 0x20, 2, (const uint32_t[][2]){ { 5, 0x80000040 }, { 6, 0x80000060 } });
    put_dir(r + 0x40, 1, (const uint32_t[][2]){ { 1033, 0xc0 } });
    put_dir(r + 0x60, 1, (const uint32_t[][2]){ { 1033, 0xd0 } });
    put_dir(r + 0x80, 1, (const uint32_t[][2]){ { 1, 0x800000a0 } });
    put_dir(r + 0xa0, 1, (const uint32_t[][2]){ { 1033, 0xe0 } });
    put(r + 0xc0, ADDRESS + 0x100, 4);
    put(r + 0xc4, 48, 4);
    put(r + 0xd0, ADDRESS + 0x140, 4);
    put(r + 0xd4, sizeof png, 4);
    put(r + 0xe0, ADDRESS + 0x180, 4);
    put(r + 0xe4, 6 + 2 * 14, 4);
    put(r + 0x100, 40, 4);
    put(r + 0x104, 1, 4);
    put(r + 0x108, 2, 4);
    put(r + 0x10c, 1, 2);
    put(r + 0x10e, 32, 2);
    memcpy(r + 0x140, png, sizeof png);
    put(r + 0x182, 1, 2);
    put(r + 0x184, 2, 2);
    put(r + 0x186 + 12, 5, 2);
    put(r + 0x186 + 14 + 12, 6, 2);
}

static int extract(const uint8_t *pe, size_t len, struct err *e, uint8_t **out, size_t *out_len)
{
    uint8_t *exact = malloc(len ? len : 1); /* so that a checker sees a read past the end */
    CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
    memcpy(exact, pe, len);
    *out = NULL;
    int rc = ico_from_pe(exact, len, out, out_len, e);
    free(exact);
    return rc;
}

static void ico_is_taken_out_of_programs_of_either_size(void)
{
    for (int is_64 = 0; is_64 < 2; is_64++) {
        uint8_t pe[PE_BYTES], *out;
        struct err e;
        size_t len;
        make_program(pe, is_64);
        CU_ASSERT_EQUAL_FATAL(extract(pe, sizeof pe, &e, &out, &len), 0);
        CU_ASSERT_EQUAL_FATAL(len, 6 + 2 * 16 + 48 + sizeof png);
        CU_ASSERT_EQUAL(get(out + 4, 2), 2);
        CU_ASSERT_EQUAL(out[6], 1);
        CU_ASSERT_EQUAL(memcmp(out + 6 + 32 + 48, png, sizeof png), 0);
        free(out);
    }
}

static void ico_is_not_found_in_a_program_without_one(void)
{
    uint8_t pe[PE_BYTES], *out;
    struct err e;
    size_t len;
    make_program(pe, true);
    put(pe + RESOURCES + 24, 16, 4); /* another type instead of the group */
    CU_ASSERT(extract(pe, sizeof pe, &e, &out, &len) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_NOT_FOUND);
    make_program(pe, true);
    put(pe + 0x40 + 24 + 108 + 20, 0, 4); /* no resources */
    CU_ASSERT(extract(pe, sizeof pe, &e, &out, &len) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_NOT_FOUND);
}

static void ico_refuses_what_is_no_program(void)
{
    struct err e;
    uint8_t *out;
    size_t len;
    CU_ASSERT(extract((const uint8_t *)"\x7f" "ELF", 4, &e, &out, &len) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_UNSUPPORTED);
    CU_ASSERT(extract((const uint8_t *)"MZ", 2, &e, &out, &len) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_UNSUPPORTED);
}

static void ico_survives_a_program_cut_anywhere(void)
{
    uint8_t pe[PE_BYTES];
    make_program(pe, true);
    for (size_t n = 0; n < RESOURCES + 0x186 + 28; n++) {
        struct err e;
        uint8_t *out;
        size_t len;
        CU_ASSERT(extract(pe, n, &e, &out, &len) < 0);
        free(out);
    }
}

/* Every 32-bit field set to what is just wrong and to what is far off. */
static void ico_survives_every_field_being_wrong(void)
{
    static const uint32_t wrong[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff, RESOURCES,
                                      0x80000000 | RESOURCES };
    uint8_t pe[PE_BYTES];
    for (size_t at = 0; at + 4 <= PE_BYTES; at += 2) {
        for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
            struct err e = { .kind = ERR_NONE };
            uint8_t *out;
            size_t len;
            make_program(pe, true);
            put(pe + at, wrong[i], 4);
            int rc = extract(pe, sizeof pe, &e, &out, &len);
            if (rc)
                CU_ASSERT(e.kind == ERR_CORRUPT || e.kind == ERR_NOT_FOUND ||
                          e.kind == ERR_UNSUPPORTED || e.kind == ERR_LIMIT);
            free(out);
        }
    }
}

UNIT_MAIN("ico",
          TEST(ico_holds_rgba_bottom_up_with_a_mask),
          TEST(ico_takes_size_and_bytes_of_a_png),
          TEST(ico_gives_a_bmp_a_mask),
          TEST(ico_refuses_what_is_no_picture),
          TEST(ico_default_has_three_sizes),
          TEST(ico_is_taken_out_of_programs_of_either_size),
          TEST(ico_is_not_found_in_a_program_without_one),
          TEST(ico_refuses_what_is_no_program),
          TEST(ico_survives_a_program_cut_anywhere),
          TEST(ico_survives_every_field_being_wrong))
