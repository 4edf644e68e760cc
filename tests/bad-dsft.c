/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Differential SFTs, good and bad. See bad-dsft.h. */
#include "config.h"

#include "tests/bad-dsft.h"

#include <stdio.h>
#include <string.h>

#include "src/container.h"
#include "src/dsft.h"
#include "src/sft_hash.h"

enum { KEPT = 3 };

/* Nine blocks; small, so that a fuzzer is quick about it. */
static const struct make_entry tree[] = {
    { .path = "App.exe", .len = 10000, .launch = true },
    { .path = "Data/a", .len = 100 },
    { .path = "Data/b", .len = 200, .sd = 1 },
    { .path = "big", .len = 17000 },
    { .path = "empty" },
};

bool dsft_base(uint32_t kept, struct made_sft *out)
{
    const struct make_options o = { .version_number = 3, .kept_blocks = kept, .sd_count = 1 };

    return !make_sft(tree, ARRAY_LEN(tree), &o, out, NULL);
}

bool make_dsft(const struct made_sft *sft, uint32_t base, struct made_sft *out)
{
    uint8_t head[DSFT_HEAD_BYTES];
    struct package *p = NULL;
    struct sft_dsft h;
    bool ok = !container_read_memory(sft->data, sft->len, &p, NULL) &&
              !dsft_make_header(p, base, &h, head, NULL);

    *out = (struct made_sft){ .data = NULL };
    if (ok) {
        out->metadata_len = DSFT_HEAD_BYTES + sft->metadata_len;
        out->len = (size_t)h.file_bytes;
        out->data = malloc(out->len);
        ok = out->data != NULL;
    }
    if (ok) {
        size_t blocks = out->len - out->metadata_len;
        memcpy(out->data, head, DSFT_HEAD_BYTES);
        memcpy(out->data + DSFT_HEAD_BYTES, sft->data, sft->metadata_len);
        memcpy(out->data + out->metadata_len, sft->data + sft->len - blocks, blocks);
    }
    package_free(p);
    return ok;
}

bool dsft_seal(uint8_t *data, size_t len)
{
    return len >= DSFT_HEAD_BYTES && !codec_sha256(NULL, data + SFT_SECTION_SIZE, SFT_DSFT_SIZE,
                                                   data + SFT_SECTION_HASH_AT);
}

/* --- the table -------------------------------------------------------------------------------- */

/* A number of the header set to another value, the checksum put right. */
static const struct field {
    const char *name;
    unsigned at, width; /* in the payload */
    uint64_t value;
    enum err_kind expected;
} fields[] = {
    { "mark-newer", 13, 1, '2', ERR_UNSUPPORTED },
    { "mark-foreign", 0, 1, 0, ERR_FOREIGN_LAYOUT },
    { "file-bytes-0", 16, 8, 0, ERR_CORRUPT },
    { "file-bytes-max", 16, 8, UINT64_MAX, ERR_LIMIT },
    { "file-bytes-huge", 16, 8, INT64_MAX, ERR_TRUNCATED },
    { "metadata-bytes-0", 24, 8, 0, ERR_CORRUPT },
    { "metadata-bytes-191", 24, 8, 191, ERR_CORRUPT },
    { "metadata-bytes-192", 24, 8, 192, ERR_CORRUPT },
    { "metadata-bytes-max", 24, 8, UINT64_MAX, ERR_CORRUPT },
    { "metadata-bytes-all", 24, 8, 1 << 16, ERR_CORRUPT },
    { "target-bytes-0", 32, 8, 0, ERR_CORRUPT },
    { "target-bytes-max", 32, 8, UINT64_MAX, ERR_LIMIT },
    { "target-bytes-huge", 32, 8, INT64_MAX, ERR_CORRUPT },
    { "package-guid", 40, 1, 0, ERR_CORRUPT },
    { "base-guid", 56, 1, 0, ERR_CORRUPT },
    { "target-guid", 72, 1, 0, ERR_CORRUPT },
    { "base-number-0", 88, 4, 0, ERR_CORRUPT },
    { "base-number-of-target", 88, 4, 3, ERR_CORRUPT },
    { "base-number-max", 88, 4, UINT32_MAX, ERR_CORRUPT },
    { "target-number", 92, 4, 4, ERR_CORRUPT },
    { "first-block-0", 96, 4, 0, ERR_CORRUPT },
    { "first-block-next", 96, 4, KEPT + 1, ERR_CORRUPT },
    { "first-block-max", 96, 4, UINT32_MAX, ERR_CORRUPT },
    { "block-count-0", 100, 4, 0, ERR_CORRUPT },
    { "block-count-1", 100, 4, 1, ERR_CORRUPT },
    { "block-count-max", 100, 4, UINT32_MAX, ERR_CORRUPT },
    { "features", 104, 4, 1, ERR_UNSUPPORTED },
    { "root-hash", 128, 1, 0, ERR_CHECKSUM },
};

struct table {
    bad_sft_fn fn;
    void *arg;
    struct made_sft base;
    bool failed;
};

static void row(struct table *t, const char *name, const uint8_t *data, size_t len, bool in_block,
                enum err_kind expected)
{
    struct bad_sft bad = { .data = data, .len = len, .expected = expected, .in_block = in_block };

    (void)snprintf(bad.name, sizeof bad.name, "%s", name);
    t->fn(t->arg, &bad);
}

static void field_rows(struct table *t, uint8_t *copy)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct field *f = &fields[i];
        uint8_t *to = copy + SFT_SECTION_SIZE + f->at;
        memcpy(copy, t->base.data, t->base.len);
        if (f->width == 1)
            *to = f->value ? (uint8_t)f->value : (uint8_t)(*to ^ 0x55);
        else
            for (unsigned k = 0; k < f->width; k++)
                to[k] = (uint8_t)(f->value >> 8 * k);
        t->failed |= !dsft_seal(copy, t->base.len);
        row(t, f->name, copy, t->base.len, false, f->expected);
    }
}

static void flipped(struct table *t, uint8_t *copy, const char *name, size_t at, bool in_block,
                    enum err_kind expected)
{
    memcpy(copy, t->base.data, t->base.len);
    copy[at] ^= 1;
    row(t, name, copy, t->base.len, in_block, expected);
}

/* Every length that ends at or beside an edge of a structure. */
static void cut_rows(struct table *t)
{
    const size_t edges[] = { 4, SFT_SECTION_SIZE, SFT_SECTION_SIZE + SFT_MARK_LEN, DSFT_HEAD_BYTES,
                             t->base.metadata_len, t->base.len };

    row(t, "empty", t->base.data, 0, false, ERR_NOT_A_PACKAGE);
    row(t, "one-byte", t->base.data, 1, false, ERR_NOT_A_PACKAGE);
    for (size_t i = 0; i < ARRAY_LEN(edges); i++)
        for (size_t less = edges[i] == t->base.len; less < 2; less++) {
            char name[40];
            size_t len = edges[i] - less;
            (void)snprintf(name, sizeof name, "cut-%zu-%zu", i, less);
            row(t, name, t->base.data, len, false, len < 4 ? ERR_NOT_A_PACKAGE : ERR_TRUNCATED);
        }
}

bool bad_dsft_each(bad_sft_fn fn, void *arg)
{
    struct table t = { .fn = fn, .arg = arg };
    struct made_sft sft;
    uint8_t *copy = NULL;

    if (!dsft_base(KEPT, &sft))
        return false;
    bool ok = make_dsft(&sft, 1, &t.base) && (copy = malloc(t.base.len + 1)) != NULL;
    if (ok) {
        size_t head = SFT_SECTION_SIZE;
        field_rows(&t, copy);
        cut_rows(&t);
        flipped(&t, copy, "tag", 0, false, ERR_NOT_A_PACKAGE);
        flipped(&t, copy, "stored-len", 8, false, ERR_CORRUPT);
        flipped(&t, copy, "decoded-len", 16, false, ERR_CORRUPT);
        flipped(&t, copy, "codec", 24, false, ERR_CORRUPT);
        flipped(&t, copy, "hash", SFT_SECTION_HASH_AT, false, ERR_CHECKSUM);
        flipped(&t, copy, "payload", head + 100, false, ERR_CHECKSUM);
        flipped(&t, copy, "metadata-tag", DSFT_HEAD_BYTES, false, ERR_CORRUPT);
        flipped(&t, copy, "metadata", DSFT_HEAD_BYTES + head + 50, false, ERR_CHECKSUM);
        flipped(&t, copy, "metadata-end", t.base.metadata_len - 1, false, ERR_CHECKSUM);
        flipped(&t, copy, "first-block", t.base.metadata_len, true, ERR_BLOCK_HASH);
        flipped(&t, copy, "last-block", t.base.len - 1, true, ERR_BLOCK_HASH);
        memcpy(copy, t.base.data, t.base.len);
        copy[t.base.len] = 0;
        row(&t, "longer", copy, t.base.len + 1, false, ERR_CORRUPT);
        row(&t, "whole-package", sft.data, sft.len, false, ERR_NOT_A_PACKAGE);
    }
    free(copy);
    free(t.base.data);
    free(sft.data);
    return ok && !t.failed;
}
