/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A registry hive's structure. See hive_check.h. Offsets in a hive count from the end of its
 * header. */
#include "config.h"

#include "src/hive_check.h"

#include <string.h>

#include "src/cursor.h"

#define SECTION       "hive"
#define HEADER_BYTES  0x1000u
#define HEADER_SUM_AT 0x1fcu
#define BIN_BYTES     0x20u
#define CELL_MIN      8u
/* With the length in front. */
#define KEY_BYTES   0x50u
#define VALUE_BYTES 0x18u
#define INLINE_DATA 0x80000000u
#define INLINE_MAX  4u

struct hive {
    const uint8_t *data;
    size_t end;                    /* of the last bin */
    uint8_t *cells;                /* a bit for every four bytes: a cell in use begins here */
    size_t keys_left, values_left; /* that there is room for */
    uint64_t data_left;
    struct err *e;
};

static uint32_t u32_at(const struct hive *h, size_t at)
{
    struct cursor c = cursor_over(h->data + at, 4);

    return cursor_u32(&c);
}

static uint16_t u16_at(const struct hive *h, size_t at)
{
    struct cursor c = cursor_over(h->data + at, 2);

    return cursor_u16(&c);
}

static int corrupt(const struct hive *h, size_t at, const char *what)
{
    return err_at(h->e, ERR_CORRUPT, SECTION, at, "registry hive: %s", what);
}

static int check_header(struct hive *h, size_t len)
{
    uint32_t sum = 0;

    if (len < HEADER_BYTES || memcmp(h->data, "regf", 4) != 0)
        return err_at(h->e, ERR_UNSUPPORTED, SECTION, 0, "not a registry hive");
    if (len > HIVE_BYTES_MAX)
        return err_at(h->e, ERR_LIMIT, SECTION, 0, "registry hive: larger than %u bytes",
                      HIVE_BYTES_MAX);
    if (u32_at(h, 0x14) != 1)
        return err_at(h->e, ERR_UNSUPPORTED, SECTION, 0x14, "registry hive: unknown version");
    for (size_t i = 0; i < HEADER_SUM_AT; i += 4)
        sum ^= u32_at(h, i);
    if (sum != u32_at(h, HEADER_SUM_AT))
        return err_at(h->e, ERR_CHECKSUM, SECTION, HEADER_SUM_AT,
                      "registry hive: wrong checksum of the header");
    size_t bins = u32_at(h, 0x28);
    if (bins > len - HEADER_BYTES)
        return err_at(h->e, ERR_TRUNCATED, SECTION, len, "registry hive: ends early");
    h->end = HEADER_BYTES + bins;
    return 0;
}

/* Notes the cells of the bin at AT. */
static int check_bin(const struct hive *h, size_t at, size_t size)
{
    for (size_t cell = at + BIN_BYTES; cell < at + size;) {
        uint32_t len = u32_at(h, cell);
        bool used = len & 0x80000000u;

        if (used)
            len = 0u - len;
        if (len < CELL_MIN || len % 4 || len > at + size - cell)
            return corrupt(h, cell, "a cell does not fit where it is");
        if (used)
            h->cells[cell / 32] |= (uint8_t)(1u << (cell / 4 % 8));
        cell += len;
    }
    return 0;
}

static int check_bins(const struct hive *h)
{
    for (size_t at = HEADER_BYTES; at < h->end;) {
        if (h->end - at < HEADER_BYTES || memcmp(h->data + at, "hbin", 4) != 0)
            return corrupt(h, at, "no bin where one should begin");
        size_t size = u32_at(h, at + 8);
        if (!size || size % HEADER_BYTES || size > h->end - at ||
            u32_at(h, at + 4) != at - HEADER_BYTES)
            return corrupt(h, at, "a bin does not fit where it is");
        int rc = check_bin(h, at, size);
        if (rc)
            return rc;
        at += size;
    }
    return 0;
}

/* The cell that is named at AT, in *cell, with at least MIN bytes; *len may be NULL. */
static int cell_at(const struct hive *h, size_t at, size_t min, size_t *cell, size_t *len)
{
    size_t offset = u32_at(h, at), c = HEADER_BYTES + offset;

    if (offset % 4 || offset >= h->end - HEADER_BYTES || !(h->cells[c / 32] & 1u << (c / 4 % 8)))
        return corrupt(h, at, "there is no cell where one is said to be");
    uint32_t n = 0u - u32_at(h, c); /* negative: in use */
    if (n < min)
        return corrupt(h, c, "a cell is too short for what it should hold");
    *cell = c;
    if (len)
        *len = n;
    return 0;
}

static bool is_kind(const struct hive *h, size_t cell, const char *kind)
{
    return !memcmp(h->data + cell + 4, kind, 2);
}

/* SIZE bytes of data in several parts: a list of cells. */
static int check_parts(const struct hive *h, size_t cell, size_t size)
{
    size_t parts = u16_at(h, cell + 6), list, part;

    /* Parts without data would let a list that many values share take time without end. */
    if (parts > size / CELL_MIN + 1)
        return corrupt(h, cell, "more parts of a value than it has data");
    int rc = cell_at(h, cell + 8, 4 + 4 * parts, &list, NULL);
    for (size_t i = 0; !rc && i < parts; i++)
        rc = cell_at(h, list + 4 + 4 * i, CELL_MIN, &part, NULL);
    return rc;
}

static int check_value(struct hive *h, size_t at)
{
    size_t cell, len, data, data_len;
    int rc = cell_at(h, at, VALUE_BYTES, &cell, &len);

    if (rc)
        return rc;
    if (!is_kind(h, cell, "vk") || u16_at(h, cell + 6) > len - VALUE_BYTES)
        return corrupt(h, cell, "not a value");
    uint32_t size = u32_at(h, cell + 8);
    if (size & INLINE_DATA)
        return (size & ~INLINE_DATA) <= INLINE_MAX ? 0
                                                   : corrupt(h, cell, "data longer than its place");
    if (!size)
        return 0;
    if (size > h->data_left)
        return corrupt(h, cell, "more data than there is room for");
    h->data_left -= size;
    rc = cell_at(h, cell + 12, CELL_MIN, &data, &data_len);
    if (rc || size <= data_len - 4)
        return rc;
    if (!is_kind(h, data, "db") || data_len < 12)
        return corrupt(h, data, "data longer than its place");
    return check_parts(h, data, size);
}

static int check_values(struct hive *h, size_t key)
{
    size_t count = u32_at(h, key + 0x28), list;

    if (!count)
        return 0;
    if (count > h->values_left)
        return corrupt(h, key, "more values than there is room for");
    h->values_left -= count;
    int rc = cell_at(h, key + 0x2c, 4 + 4 * count, &list, NULL);
    for (size_t i = 0; !rc && i < count; i++)
        rc = check_value(h, list + 4 + 4 * i);
    return rc;
}

static int check_key(struct hive *h, size_t at, unsigned depth);

/* The list of keys that is named at AT; INNER: by a list of lists, of which Windows has one level.
 */
static int check_list(struct hive *h, size_t at, bool inner, unsigned depth)
{
    size_t cell, len;
    int rc = cell_at(h, at, CELL_MIN, &cell, &len);

    if (rc)
        return rc;
    bool lists = is_kind(h, cell, "ri"), hashed = is_kind(h, cell, "lf") || is_kind(h, cell, "lh");
    if ((lists && inner) || (!lists && !hashed && !is_kind(h, cell, "li")))
        return corrupt(h, cell, "not a list of keys");
    size_t step = hashed ? 8 : 4, count = u16_at(h, cell + 6);
    if (!count || count * step > len - 8) /* an empty one would not count against keys_left */
        return corrupt(h, cell, "a list of keys is not as long as it says");
    for (size_t i = 0; !rc && i < count; i++)
        rc = lists ? check_list(h, cell + 8 + step * i, true, depth)
                   : check_key(h, cell + 8 + step * i, depth);
    return rc;
}

/* Recursion ends at HIVE_DEPTH_MAX. */
static int check_key(struct hive *h, size_t at, unsigned depth)
{
    size_t cell, len;
    int rc = cell_at(h, at, KEY_BYTES, &cell, &len);

    if (rc)
        return rc;
    if (!is_kind(h, cell, "nk") || u16_at(h, cell + 0x4c) > len - KEY_BYTES)
        return corrupt(h, cell, "not a key");
    if (depth > HIVE_DEPTH_MAX)
        return err_at(h->e, ERR_LIMIT, SECTION, cell, "registry hive: keys more than %u deep",
                      HIVE_DEPTH_MAX);
    if (!h->keys_left--)
        return corrupt(h, cell, "more keys than there is room for");
    rc = check_values(h, cell);
    return rc || !u32_at(h, cell + 0x18) ? rc : check_list(h, cell + 0x20, false, depth + 1);
}

int hive_check(const void *data, size_t len, struct err *e)
{
    struct hive h = { .data = data, .e = e };
    int rc = check_header(&h, len);

    if (rc)
        return rc;
    auto_free uint8_t *cells = calloc(1 + h.end / 32, 1);
    if (!cells)
        return err_nomem(e);
    h.cells = cells;
    h.keys_left = len / KEY_BYTES;
    h.values_left = len / VALUE_BYTES;
    h.data_left = len;
    rc = check_bins(&h);
    return rc ? rc : check_key(&h, 0x24, 0);
}
