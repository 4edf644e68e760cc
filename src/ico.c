/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Icon files from pictures. Each picture is turned into what stands in the file (a PNG, or a bitmap
 * with its transparency mask), then all are put behind one directory. See ico.h; ico_from_pe() is
 * in icope.c.
 */
#include "config.h"

#include "src/ico.h"

#include <string.h>

#include "src/cursor.h"

#define IMAGES_MAX   64u
#define SIDE_MAX     256u
#define BITMAP_BYTES 40u /* BITMAPINFOHEADER */

struct entry {
    uint32_t width, height;
    uint16_t bits;
    const uint8_t *data;
    size_t len;
    uint8_t *owned; /* what DATA points to, or NULL when it is the caller's */
};

struct bitmap { /* what the writer needs of a bitmap header */
    uint32_t header, width, height, compression, colours;
    uint16_t bits;
};

static void put_le(uint8_t *to, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static size_t row_bytes(uint32_t width, uint32_t bits)
{
    return ((size_t)width * bits + 31) / 32 * 4;
}

static bool is_side(uint32_t n)
{
    return n >= 1 && n <= SIDE_MAX;
}

static void put_bitmap_header(uint8_t *to, const struct entry *x, uint32_t colours, size_t pixels)
{
    put_le(to, BITMAP_BYTES, 4);
    put_le(to + 4, x->width, 4);
    put_le(to + 8, 2 * x->height, 4); /* picture and mask */
    put_le(to + 12, 1, 2);
    put_le(to + 14, x->bits, 2);
    put_le(to + 20, (uint32_t)pixels, 4);
    put_le(to + 32, colours, 4);
}

static int take_rgba(const struct ico_image *image, struct entry *x, struct err *e)
{
    const uint8_t *rgba = image->data;

    if (!is_side(image->width) || !is_side(image->height) ||
        image->len != (size_t)image->width * image->height * 4)
        return err_set(e, ERR_INVALID, "RGBA picture of %zu bytes is not %u x %u pixels",
                       image->len, image->width, image->height);
    size_t pixels = image->len, mask = row_bytes(image->width, 1);
    *x = (struct entry){ .width = image->width, .height = image->height, .bits = 32 };
    x->len = BITMAP_BYTES + pixels + mask * x->height;
    x->owned = calloc(1, x->len);
    if (!x->owned)
        return err_nomem(e);
    x->data = x->owned;
    put_bitmap_header(x->owned, x, 0, pixels + mask * x->height);
    for (uint32_t row = 0; row < x->height; row++) {
        const uint8_t *from = rgba + (size_t)(x->height - 1 - row) * x->width * 4;
        uint8_t *to = x->owned + BITMAP_BYTES + (size_t)row * x->width * 4;
        uint8_t *bit = x->owned + BITMAP_BYTES + pixels + row * mask;
        for (uint32_t i = 0; i < x->width; i++, from += 4, to += 4) {
            to[0] = from[2];
            to[1] = from[1];
            to[2] = from[0];
            to[3] = from[3];
            if (!from[3])
                bit[i / 8] |= (uint8_t)(0x80 >> i % 8);
        }
    }
    return 0;
}

static int take_png(const struct ico_image *image, struct entry *x, struct err *e)
{
    const uint8_t *p = image->data;

    if (image->len < 33 || memcmp(p, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16) != 0)
        return err_set(e, ERR_INVALID, "picture is not a PNG file");
    *x = (struct entry){ .width = (uint32_t)p[16] << 24 | p[17] << 16 | p[18] << 8 | p[19],
                         .height = (uint32_t)p[20] << 24 | p[21] << 16 | p[22] << 8 | p[23],
                         .bits = 32,
                         .data = p,
                         .len = image->len };
    if (!is_side(x->width) || !is_side(x->height))
        return err_set(e, ERR_INVALID, "icons are 1 to %u pixels wide and high", SIDE_MAX);
    return 0;
}

static bool read_bitmap_header(struct cursor *c, struct bitmap *b)
{
    b->header = cursor_u32(c);
    b->width = cursor_u32(c);
    b->height = cursor_u32(c);
    (void)cursor_u16(c);
    b->bits = cursor_u16(c);
    b->compression = cursor_u32(c);
    (void)cursor_bytes(c, 12);
    b->colours = cursor_u32(c);
    if (!b->colours && b->bits <= 8)
        b->colours = 1u << b->bits;
    return !c->failed && b->header >= BITMAP_BYTES && b->header <= 256 && !b->compression &&
           (b->bits == 1 || b->bits == 4 || b->bits == 8 || b->bits == 24 || b->bits == 32) &&
           b->colours <= 256;
}

static int take_dib(const struct ico_image *image, struct entry *x, struct err *e)
{
    struct cursor c = cursor_over(image->data, image->len);
    struct bitmap b;

    if (!read_bitmap_header(&c, &b) || b.height % 2 || !is_side(b.width) ||
        !is_side(b.height / 2))
        return err_set(e, ERR_INVALID, "picture is not a bitmap as icons hold it");
    *x = (struct entry){ .width = b.width,
                         .height = b.height / 2,
                         .bits = b.bits,
                         .data = image->data,
                         .len = image->len };
    size_t want = b.header + 4 * (size_t)b.colours + row_bytes(b.width, b.bits) * x->height;
    return image->len >= want ? 0 : err_set(e, ERR_INVALID, "bitmap is cut short");
}

static int take_bmp(const struct ico_image *image, struct entry *x, struct err *e)
{
    struct cursor c = cursor_over(image->data, image->len);
    const uint8_t *magic = cursor_bytes(&c, 2);
    struct bitmap b;

    (void)cursor_bytes(&c, 8);
    uint32_t pixel_offset = cursor_u32(&c);
    if (!magic || memcmp(magic, "BM", 2) != 0 || !read_bitmap_header(&c, &b) ||
        !is_side(b.width) || !is_side(b.height))
        return err_set(e, ERR_INVALID,
                       "picture is not an uncompressed BMP file of at most %u x %u pixels",
                       SIDE_MAX, SIDE_MAX);
    size_t palette = 4 * (size_t)(b.bits <= 8 ? b.colours : 0);
    size_t pixels = row_bytes(b.width, b.bits) * b.height;
    size_t mask = row_bytes(b.width, 1) * b.height;
    struct cursor colours = cursor_over(image->data, image->len);
    struct cursor rows = colours;
    (void)cursor_bytes(&colours, 14 + b.header);
    const uint8_t *palette_at = cursor_bytes(&colours, palette);
    (void)cursor_bytes(&rows, pixel_offset);
    const uint8_t *pixels_at = cursor_bytes(&rows, pixels);
    if (!palette_at || !pixels_at)
        return err_set(e, ERR_INVALID, "BMP file is cut short");

    *x = (struct entry){ .width = b.width, .height = b.height, .bits = b.bits };
    x->len = BITMAP_BYTES + palette + pixels + mask;
    x->owned = calloc(1, x->len);
    if (!x->owned)
        return err_nomem(e);
    x->data = x->owned;
    put_bitmap_header(x->owned, x, (uint32_t)(palette / 4), pixels + mask);
    memcpy(x->owned + BITMAP_BYTES, palette_at, palette);
    memcpy(x->owned + BITMAP_BYTES + palette, pixels_at, pixels);
    return 0;
}

static int take(const struct ico_image *image, struct entry *x, struct err *e)
{
    switch (image->kind) {
    case ICO_RGBA:
        return take_rgba(image, x, e);
    case ICO_PNG:
        return take_png(image, x, e);
    case ICO_DIB:
        return take_dib(image, x, e);
    case ICO_BMP:
        return take_bmp(image, x, e);
    }
    return err_set(e, ERR_INVALID, "unknown kind of picture");
}

static int assemble(const struct entry *all, size_t count, uint8_t **out, size_t *len,
                    struct err *e)
{
    size_t total = 6 + 16 * count, at = total;

    for (size_t i = 0; i < count; i++)
        if (add_overflows(total, all[i].len, &total) || total > UINT32_MAX)
            return err_set(e, ERR_LIMIT, "icon is too large");
    uint8_t *file = calloc(1, total);
    if (!file)
        return err_nomem(e);
    put_le(file + 2, 1, 2);
    put_le(file + 4, (uint32_t)count, 2);
    for (size_t i = 0; i < count; i++) {
        const struct entry *x = &all[i];
        uint8_t *dir = file + 6 + 16 * i;
        dir[0] = (uint8_t)x->width; /* 256 is written as 0 */
        dir[1] = (uint8_t)x->height;
        dir[2] = x->bits < 8 ? (uint8_t)(1u << x->bits) : 0;
        put_le(dir + 4, 1, 2);
        put_le(dir + 6, x->bits, 2);
        put_le(dir + 8, (uint32_t)x->len, 4);
        put_le(dir + 12, (uint32_t)at, 4);
        memcpy(file + at, x->data, x->len);
        at += x->len;
    }
    *out = file;
    *len = total;
    return 0;
}

int ico_write(const struct ico_image *images, size_t count, uint8_t **out, size_t *len,
              struct err *e)
{
    struct entry all[IMAGES_MAX] = { { .len = 0 } };
    int rc = 0;

    if (!count || count > IMAGES_MAX)
        return err_set(e, ERR_INVALID, "an icon holds 1 to %u pictures, not %zu", IMAGES_MAX,
                       count);
    for (size_t i = 0; i < count && !rc; i++)
        rc = take(&images[i], &all[i], e);
    if (!rc)
        rc = assemble(all, count, out, len, e);
    for (size_t i = 0; i < count; i++)
        free(all[i].owned);
    return rc;
}

/* --- the default icon ---------------------------------------------------------------------- */

/* A window with a title bar on a transparent ground. */
static void draw(uint8_t *rgba, uint32_t side)
{
    static const uint8_t frame[4] = { 0x2e, 0x4a, 0x6b, 0xff };
    static const uint8_t title[4] = { 0x4a, 0x7e, 0xbb, 0xff };
    static const uint8_t inside[4] = { 0xf4, 0xf6, 0xf8, 0xff };
    uint32_t edge = side / 16, top = 2 * edge, bar = top + side / 5;

    for (uint32_t y = 0; y < side; y++) {
        for (uint32_t x = 0; x < side; x++) {
            uint8_t *to = rgba + 4 * ((size_t)y * side + x);
            if (x < edge || x >= side - edge || y < top || y >= side - top)
                continue;
            bool is_frame = x < 2 * edge || x >= side - 2 * edge || y < top + edge ||
                            y >= side - top - edge;
            memcpy(to, is_frame ? frame : y < bar ? title : inside, 4);
        }
    }
}

int ico_default(uint8_t **out, size_t *len, struct err *e)
{
    static const uint32_t sides[] = { 16, 32, 48 };
    struct ico_image images[ARRAY_LEN(sides)];
    uint8_t *pixels[ARRAY_LEN(sides)] = { NULL };
    int rc = 0;

    for (size_t i = 0; i < ARRAY_LEN(sides) && !rc; i++) {
        size_t bytes = (size_t)sides[i] * sides[i] * 4;
        pixels[i] = calloc(1, bytes);
        if (!pixels[i])
            rc = err_nomem(e);
        else
            draw(pixels[i], sides[i]);
        images[i] = (struct ico_image){ .kind = ICO_RGBA,
                                        .width = sides[i],
                                        .height = sides[i],
                                        .data = pixels[i],
                                        .len = bytes };
    }
    if (!rc)
        rc = ico_write(images, ARRAY_LEN(sides), out, len, e);
    for (size_t i = 0; i < ARRAY_LEN(sides); i++)
        free(pixels[i]);
    return rc;
}
