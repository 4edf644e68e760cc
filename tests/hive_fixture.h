/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registry hives in memory, cell by cell, also such as Windows would not write. Offsets are those
 * in a hive. Values and lists are made before the keys that have them:
 *
 *     struct hive_image h = { 0 };
 *     hive_begin(&h);
 *     uint32_t v = hive_value(&h, "Size", REG_DWORD, "\1\0\0\0", 4);
 *     uint32_t root = hive_key(&h, "root", NULL, 0, &v, 1);
 *     hive_end(&h, root);
 *     … h.data, h.len …
 *     hive_image_free(&h);
 */
#ifndef TESTS_HIVE_FIXTURE_H
#define TESTS_HIVE_FIXTURE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/utf16.h"

enum { HIVE_HEADER = 0x1000, HIVE_INLINE = 4, HIVE_PART = 16344, HIVE_ROOM = 1 << 20 };

struct hive_image {
    uint8_t *data;
    size_t len;
    uint32_t security;
};

static inline void hive_put(struct hive_image *h, size_t at, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        h->data[at + i] = (uint8_t)(v >> 8 * i);
}

static inline void hive_image_free(struct hive_image *h)
{
    free(h->data);
    *h = (struct hive_image){ 0 };
}

/* Where the cell AT is in the image. */
static inline size_t hive_at(uint32_t at)
{
    return HIVE_HEADER + (size_t)at;
}

/* A cell in use for LEN bytes. */
static inline uint32_t hive_cell(struct hive_image *h, size_t len)
{
    size_t at = h->len, size = (len + 4 + 7) / 8 * 8;

    if (at + size + 2 * HIVE_HEADER > HIVE_ROOM)
        abort();
    hive_put(h, at, 0u - (uint32_t)size, 4);
    h->len += size;
    return (uint32_t)(at - HIVE_HEADER);
}

/* With an empty security descriptor, which all keys share. */
static inline void hive_begin(struct hive_image *h)
{
    *h = (struct hive_image){ .data = calloc(1, HIVE_ROOM), .len = HIVE_HEADER + 0x20 };
    if (!h->data)
        abort();
    h->security = hive_cell(h, 0x14 + 20);
    memcpy(h->data + hive_at(h->security) + 4, "sk", 2);
    hive_put(h, hive_at(h->security) + 8, h->security, 4);
    hive_put(h, hive_at(h->security) + 12, h->security, 4);
    hive_put(h, hive_at(h->security) + 16, 1, 4);
    hive_put(h, hive_at(h->security) + 20, 20, 4);
    hive_put(h, hive_at(h->security) + 24, 0x80000001,
             4); /* revision 1, self-relative, nothing else */
}

/* NAME as a hive has it: a byte for each character, or if some need more, in UTF-16. */
static inline size_t hive_name(const char *name, uint8_t **out, int *narrow)
{
    uint8_t *wide;
    size_t len;

    if (utf16_from_utf8(name, strlen(name), &wide, &len))
        abort();
    *narrow = 1;
    for (size_t i = 1; i < len; i += 2)
        if (wide[i])
            *narrow = 0;
    if (*narrow) {
        len /= 2;
        for (size_t i = 0; i < len; i++)
            wide[i] = wide[2 * i];
    }
    *out = wide;
    return len;
}

/* More than a cell of Windows holds: in parts. */
static inline uint32_t hive_parts(struct hive_image *h, const uint8_t *data, size_t len)
{
    size_t count = (len + HIVE_PART - 1) / HIVE_PART;
    uint32_t db = hive_cell(h, 8), list = hive_cell(h, 4 * count);

    memcpy(h->data + hive_at(db) + 4, "db", 2);
    hive_put(h, hive_at(db) + 6, count, 2);
    hive_put(h, hive_at(db) + 8, list, 4);
    for (size_t i = 0; i < count; i++) {
        size_t n = len - i * HIVE_PART < HIVE_PART ? len - i * HIVE_PART : HIVE_PART;
        uint32_t part = hive_cell(h, n + 4);
        memcpy(h->data + hive_at(part) + 4, data + i * HIVE_PART, n);
        hive_put(h, hive_at(list) + 4 + 4 * i, part, 4);
    }
    return db;
}

static inline uint32_t hive_value(struct hive_image *h, const char *name, uint32_t type,
                                  const void *data, size_t len)
{
    uint8_t *bytes;
    int narrow;
    size_t n = hive_name(name, &bytes, &narrow);
    uint32_t cell = hive_cell(h, 20 + n), at = 0;

    memcpy(h->data + hive_at(cell) + 4, "vk", 2);
    hive_put(h, hive_at(cell) + 6, n, 2);
    hive_put(h, hive_at(cell) + 16, type, 4);
    hive_put(h, hive_at(cell) + 20, narrow ? 1 : 0, 2);
    memcpy(h->data + hive_at(cell) + 24, bytes, n);
    free(bytes);
    if (len <= HIVE_INLINE) {
        hive_put(h, hive_at(cell) + 8, 0x80000000u | len, 4);
        memcpy(h->data + hive_at(cell) + 12, data, len);
        return cell;
    }
    if (len > HIVE_PART) {
        at = hive_parts(h, data, len);
    } else {
        at = hive_cell(h, len);
        memcpy(h->data + hive_at(at) + 4, data, len);
    }
    hive_put(h, hive_at(cell) + 8, len, 4);
    hive_put(h, hive_at(cell) + 12, at, 4);
    return cell;
}

/* TEXT with a NUL behind it; with MORE bytes, those of it that follow, too. */
static inline uint32_t hive_text(struct hive_image *h, const char *name, uint32_t type,
                                 const char *text, size_t len)
{
    uint8_t *wide;
    size_t n;

    if (utf16_from_utf8(text, len + 1, &wide, &n))
        abort();
    uint32_t cell = hive_value(h, name, type, wide, n);
    free(wide);
    return cell;
}

/* A list of KIND: "lf", "lh", "li", or of such lists "ri". */
static inline uint32_t hive_list(struct hive_image *h, const char *kind, const uint32_t *items,
                                 size_t count)
{
    size_t step = kind[1] == 'f' || kind[1] == 'h' ? 8 : 4;
    uint32_t list = hive_cell(h, 4 + step * count);

    memcpy(h->data + hive_at(list) + 4, kind, 2);
    hive_put(h, hive_at(list) + 6, count, 2);
    for (size_t i = 0; i < count; i++)
        hive_put(h, hive_at(list) + 8 + step * i, items[i], 4);
    return list;
}

/* A key over LIST, which has COUNT keys in all. */
static inline uint32_t hive_key_over(struct hive_image *h, const char *name, uint32_t list,
                                     size_t count, const uint32_t *values, size_t value_count)
{
    uint8_t *bytes;
    int narrow;
    size_t n = hive_name(name, &bytes, &narrow);
    uint32_t cell = hive_cell(h, 0x4c + n), value_list = 0;

    memcpy(h->data + hive_at(cell) + 4, "nk", 2);
    hive_put(h, hive_at(cell) + 6, narrow ? 0x20 : 0, 2);
    hive_put(h, hive_at(cell) + 0x18, count, 4);
    hive_put(h, hive_at(cell) + 0x20, list, 4);
    hive_put(h, hive_at(cell) + 0x28, value_count, 4);
    hive_put(h, hive_at(cell) + 0x30, h->security, 4);
    hive_put(h, hive_at(cell) + 0x34, UINT32_MAX, 4); /* no class */
    hive_put(h, hive_at(cell) + 0x4c, n, 2);
    memcpy(h->data + hive_at(cell) + 0x50, bytes, n);
    free(bytes);
    if (value_count) {
        value_list = hive_cell(h, 4 * value_count);
        for (size_t i = 0; i < value_count; i++)
            hive_put(h, hive_at(value_list) + 4 + 4 * i, values[i], 4);
    }
    hive_put(h, hive_at(cell) + 0x2c, value_list, 4);
    return cell;
}

static inline uint32_t hive_key(struct hive_image *h, const char *name, const uint32_t *keys,
                                size_t key_count, const uint32_t *values, size_t value_count)
{
    uint32_t list = key_count ? hive_list(h, "lh", keys, key_count) : 0;

    return hive_key_over(h, name, list, key_count, values, value_count);
}

static inline void hive_sum(struct hive_image *h)
{
    uint8_t sum[4] = { 0 };

    for (size_t i = 0; i < 0x1fc; i++)
        sum[i % 4] ^= h->data[i];
    memcpy(h->data + 0x1fc, sum, 4);
}

/* One bin with all cells, the rest of it free. */
static inline void hive_end(struct hive_image *h, uint32_t root)
{
    size_t end = (h->len + 8 + 0xfff) / 0x1000 * 0x1000;

    hive_put(h, h->len, end - h->len, 4);
    h->len = end;
    memcpy(h->data + HIVE_HEADER, "hbin", 4);
    hive_put(h, HIVE_HEADER + 8, end - HIVE_HEADER, 4);
    memcpy(h->data, "regf", 4);
    hive_put(h, 4, 1, 4);
    hive_put(h, 8, 1, 4);
    hive_put(h, 0x14, 1, 4);
    hive_put(h, 0x18, 3, 4);
    hive_put(h, 0x20, 1, 4);
    hive_put(h, 0x24, root, 4);
    hive_put(h, 0x28, end - HIVE_HEADER, 4);
    hive_put(h, 0x2c, 1, 4);
    hive_sum(h);
}

#endif
