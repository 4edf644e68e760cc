/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layout of an SFT: reading and writing of each fixed structure. See sftlayout.h, sft-format.md. */
#include "config.h"

#include "src/sftlayout.h"

#include <string.h>

const struct sft_column sft_indx_columns[SFT_INDX_COLUMNS] = {
    [SFT_INDX_STORED_LEN] = { "stored_len", 4, SFT_PER_COUNT },
    [SFT_INDX_LEN] = { "len", 4, SFT_PER_COUNT },
    [SFT_INDX_CODEC] = { "codec", 1, SFT_PER_COUNT },
    [SFT_INDX_HASH] = { "hash", BLOCK_HASH_SIZE, SFT_PER_COUNT },
};

const struct sft_column sft_dmap_columns[SFT_DMAP_COLUMNS] = {
    [SFT_DMAP_FLAGS] = { "flags", 2, SFT_PER_NODE },
    [SFT_DMAP_NAME_LEN] = { "name_len", 1, SFT_PER_NODE },
    [SFT_DMAP_SHORT_LEN] = { "short_len", 1, SFT_PER_NODE },
    [SFT_DMAP_MODIFIED] = { "modified", 8, SFT_PER_NODE },
    [SFT_DMAP_CREATED] = { "created", 8, SFT_PER_NODE },
    [SFT_DMAP_SD] = { "sd", 4, SFT_PER_NODE },
    [SFT_DMAP_CHILD_COUNT] = { "child_count", 4, SFT_PER_DIR },
    [SFT_DMAP_SIZE] = { "size", 8, SFT_PER_FILE },
    [SFT_DMAP_EXTENT_COUNT] = { "extent_count", 4, SFT_PER_FILE },
    [SFT_DMAP_EXTENT_BLOCK] = { "extent_block", 4, SFT_PER_EXTENT },
    [SFT_DMAP_EXTENT_FROM] = { "extent_from", 4, SFT_PER_EXTENT },
    [SFT_DMAP_EXTENT_LENGTH] = { "extent_length", 8, SFT_PER_EXTENT },
    [SFT_DMAP_NAMES] = { "names", 1, SFT_PER_NAME_BYTE },
    [SFT_DMAP_SHORT_NAMES] = { "short_names", 1, SFT_PER_SHORT_BYTE },
    [SFT_DMAP_FILE_IDS] = { "file_ids", 16, SFT_PER_FILE_ID },
};

uint64_t sft_decoded_max(uint64_t stored_len)
{
    uint64_t max;
    if (mul_overflows(stored_len, (uint64_t)SFT_DECODE_RATIO, &max) ||
        add_overflows(max, (uint64_t)SFT_DECODE_SLACK, &max))
        return SFT_METADATA_MAX;
    return min_u64(max, SFT_METADATA_MAX);
}

/* --- buffer ----------------------------------------------------------------------------------- */

static bool reserve(struct sft_buf *b, size_t more)
{
    size_t need;
    if (b->failed || add_overflows(b->len, more, &need)) {
        b->failed = true;
        return false;
    }
    if (need <= b->cap)
        return true;
    size_t cap = b->cap < 4096 ? 4096 : b->cap;
    while (cap < need)
        if (mul_overflows(cap, (size_t)2, &cap))
            cap = need;
    uint8_t *grown = realloc(b->data, cap);
    if (!grown) {
        b->failed = true;
        return false;
    }
    b->data = grown;
    b->cap = cap;
    return true;
}

void sft_put_bytes(struct sft_buf *b, const void *data, size_t len)
{
    if (!len || !reserve(b, len))
        return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void sft_put_le(struct sft_buf *b, uint64_t value, unsigned bytes)
{
    if (!reserve(b, bytes))
        return;
    for (unsigned i = 0; i < bytes; i++)
        b->data[b->len++] = (uint8_t)(value >> 8 * i);
}

static void put_zeros(struct sft_buf *b, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        sft_put_le(b, 0, 1);
}

static void put_tag(struct sft_buf *b, const char *tag)
{
    sft_put_bytes(b, tag, SFT_TAG_LEN);
}

static void copy_bytes(struct cursor *c, void *out, size_t len)
{
    const uint8_t *at = cursor_bytes(c, len);
    if (at)
        memcpy(out, at, len);
}

/* --- sections --------------------------------------------------------------------------------- */

bool sft_is_tag(const uint8_t *tag)
{
    for (unsigned i = 0; i < SFT_TAG_LEN; i++)
        if (!(tag[i] >= 'A' && tag[i] <= 'Z') && !(tag[i] >= '0' && tag[i] <= '9'))
            return false;
    return true;
}

bool sft_read_section(struct cursor *c, struct sft_section *out)
{
    *out = (struct sft_section){ .flags = 0 };
    copy_bytes(c, out->tag, SFT_TAG_LEN);
    out->flags = cursor_u32(c);
    out->stored_len = cursor_u64(c);
    out->decoded_len = cursor_u64(c);
    out->codec = cursor_u8(c);
    (void)cursor_bytes(c, 7); /* reserved; a failure shows in C */
    copy_bytes(c, out->sha256, sizeof out->sha256);
    return !c->failed;
}

void sft_put_section(struct sft_buf *b, const struct sft_section *s)
{
    put_tag(b, s->tag);
    sft_put_le(b, s->flags, 4);
    sft_put_le(b, s->stored_len, 8);
    sft_put_le(b, s->decoded_len, 8);
    sft_put_le(b, s->codec, 1);
    put_zeros(b, 7);
    sft_put_bytes(b, s->sha256, sizeof s->sha256);
}

static enum sft_mark check_mark(const uint8_t *mark, const char *ours, const char *family)
{
    if (!memcmp(mark, ours, SFT_MARK_LEN))
        return SFT_MARK_OURS;
    return memcmp(mark, family, strlen(family)) ? SFT_MARK_FOREIGN : SFT_MARK_NEWER;
}

enum sft_mark sft_check_mark(const uint8_t *mark)
{
    return check_mark(mark, SFT_MARK, SFT_MARK_FAMILY);
}

enum sft_mark sft_check_dsft_mark(const uint8_t *mark)
{
    return check_mark(mark, SFT_DSFT_MARK, SFT_DSFT_MARK_FAMILY);
}

bool sft_read_smff(struct cursor *c, struct sft_smff *out)
{
    *out = (struct sft_smff){ .features = 0 };
    (void)cursor_bytes(c, SFT_MARK_LEN); /* judged by sft_check_mark(); a failure shows in C */
    out->metadata_bytes = cursor_u64(c);
    out->container_bytes = cursor_u64(c);
    copy_bytes(c, out->package_guid.b, sizeof out->package_guid.b);
    copy_bytes(c, out->version_guid.b, sizeof out->version_guid.b);
    out->version_number = cursor_u32(c);
    out->section_count = cursor_u32(c);
    out->features = cursor_u32(c);
    (void)cursor_bytes(c, 20); /* reserved */
    copy_bytes(c, out->root_hash, sizeof out->root_hash);
    return !c->failed;
}

void sft_put_smff(struct sft_buf *b, const struct sft_smff *s)
{
    sft_put_bytes(b, SFT_MARK, SFT_MARK_LEN);
    sft_put_le(b, s->metadata_bytes, 8);
    sft_put_le(b, s->container_bytes, 8);
    sft_put_bytes(b, s->package_guid.b, sizeof s->package_guid.b);
    sft_put_bytes(b, s->version_guid.b, sizeof s->version_guid.b);
    sft_put_le(b, s->version_number, 4);
    sft_put_le(b, s->section_count, 4);
    sft_put_le(b, s->features, 4);
    put_zeros(b, 20);
    sft_put_bytes(b, s->root_hash, sizeof s->root_hash);
}

bool sft_read_dsft(struct cursor *c, struct sft_dsft *out)
{
    *out = (struct sft_dsft){ .features = 0 };
    (void)cursor_bytes(c, SFT_MARK_LEN); /* judged by sft_check_dsft_mark() */
    out->file_bytes = cursor_u64(c);
    out->metadata_bytes = cursor_u64(c);
    out->target_bytes = cursor_u64(c);
    copy_bytes(c, out->package_guid.b, sizeof out->package_guid.b);
    copy_bytes(c, out->base_guid.b, sizeof out->base_guid.b);
    copy_bytes(c, out->target_guid.b, sizeof out->target_guid.b);
    out->base_number = cursor_u32(c);
    out->target_number = cursor_u32(c);
    out->first_block = cursor_u32(c);
    out->block_count = cursor_u32(c);
    out->features = cursor_u32(c);
    (void)cursor_bytes(c, 20); /* reserved */
    copy_bytes(c, out->root_hash, sizeof out->root_hash);
    return !c->failed;
}

void sft_put_dsft(struct sft_buf *b, const struct sft_dsft *d)
{
    sft_put_bytes(b, SFT_DSFT_MARK, SFT_MARK_LEN);
    sft_put_le(b, d->file_bytes, 8);
    sft_put_le(b, d->metadata_bytes, 8);
    sft_put_le(b, d->target_bytes, 8);
    sft_put_bytes(b, d->package_guid.b, sizeof d->package_guid.b);
    sft_put_bytes(b, d->base_guid.b, sizeof d->base_guid.b);
    sft_put_bytes(b, d->target_guid.b, sizeof d->target_guid.b);
    sft_put_le(b, d->base_number, 4);
    sft_put_le(b, d->target_number, 4);
    sft_put_le(b, d->first_block, 4);
    sft_put_le(b, d->block_count, 4);
    sft_put_le(b, d->features, 4);
    put_zeros(b, 20);
    sft_put_bytes(b, d->root_hash, sizeof d->root_hash);
}

bool sft_is_block_size(uint32_t size)
{
    return size == 4096 || size == 16384 || size == 32768 || size == 65536;
}

bool sft_read_prop(struct cursor *c, struct sft_prop *out)
{
    *out = (struct sft_prop){ .block_size = cursor_u32(c) };
    out->codec = cursor_u8(c);
    (void)cursor_bytes(c, 1); /* reserved */
    out->flags = cursor_u16(c);
    out->created = (int64_t)cursor_u64(c);
    out->name_len = cursor_u16(c);
    out->name = (const char *)cursor_bytes(c, out->name_len);
    out->root_name_len = cursor_u16(c);
    out->root_name = (const char *)cursor_bytes(c, out->root_name_len);
    return !c->failed;
}

void sft_put_prop(struct sft_buf *b, const struct sft_prop *p)
{
    sft_put_le(b, p->block_size, 4);
    sft_put_le(b, p->codec, 1);
    put_zeros(b, 1);
    sft_put_le(b, p->flags, 2);
    sft_put_le(b, (uint64_t)p->created, 8);
    sft_put_le(b, p->name_len, 2);
    sft_put_bytes(b, p->name, p->name_len);
    sft_put_le(b, p->root_name_len, 2);
    sft_put_bytes(b, p->root_name, p->root_name_len);
}

/* --- tables ----------------------------------------------------------------------------------- */

bool sft_read_table_head(struct cursor *c, uint32_t *count)
{
    *count = cursor_u32(c);
    (void)cursor_bytes(c, 4); /* reserved */
    return !c->failed;
}

void sft_put_table_head(struct sft_buf *b, uint32_t count)
{
    sft_put_le(b, count, 4);
    put_zeros(b, 4);
}

bool sft_read_version(struct cursor *c, struct package_version *out)
{
    *out = (struct package_version){ .number = 0 };
    copy_bytes(c, out->guid.b, sizeof out->guid.b);
    out->number = cursor_u32(c);
    out->first_new_block = cursor_u32(c);
    out->created = (int64_t)cursor_u64(c);
    return !c->failed;
}

void sft_put_version(struct sft_buf *b, const struct package_version *v)
{
    sft_put_bytes(b, v->guid.b, sizeof v->guid.b);
    sft_put_le(b, v->number, 4);
    sft_put_le(b, v->first_new_block, 4);
    sft_put_le(b, (uint64_t)v->created, 8);
}

bool sft_read_run(struct cursor *c, struct block_run *out)
{
    out->first = cursor_u32(c);
    out->count = cursor_u32(c);
    return !c->failed;
}

void sft_put_run(struct sft_buf *b, const struct block_run *r)
{
    sft_put_le(b, r->first, 4);
    sft_put_le(b, r->count, 4);
}

/* --- columns ---------------------------------------------------------------------------------- */

/* The next column of ENTRIES entries; false when it does not fit. */
static bool take_column(struct cursor *c, uint64_t entries, unsigned width, struct cursor *out)
{
    uint64_t bytes;
    if (mul_overflows(entries, (uint64_t)width, &bytes))
        return false;
    const uint8_t *at = cursor_bytes(c, bytes);
    if (!at)
        return false;
    *out = cursor_over(at, (size_t)bytes);
    return true;
}

bool sft_open_indx(struct cursor *c, uint32_t count, struct cursor columns[SFT_INDX_COLUMNS])
{
    for (unsigned i = 0; i < SFT_INDX_COLUMNS; i++)
        if (!take_column(c, count, sft_indx_columns[i].width, &columns[i]))
            return false;
    return cursor_left(c) == 0;
}

bool sft_read_dmap_head(struct cursor *c, struct sft_dmap_head *out)
{
    out->nodes = cursor_u32(c);
    out->dirs = cursor_u32(c);
    out->extents = cursor_u32(c);
    out->file_ids = cursor_u32(c);
    out->name_bytes = cursor_u64(c);
    out->short_bytes = cursor_u64(c);
    return !c->failed;
}

void sft_put_dmap_head(struct sft_buf *b, const struct sft_dmap_head *h)
{
    sft_put_le(b, h->nodes, 4);
    sft_put_le(b, h->dirs, 4);
    sft_put_le(b, h->extents, 4);
    sft_put_le(b, h->file_ids, 4);
    sft_put_le(b, h->name_bytes, 8);
    sft_put_le(b, h->short_bytes, 8);
}

bool sft_open_dmap(struct cursor *c, const struct sft_dmap_head *h,
                   struct cursor columns[SFT_DMAP_COLUMNS])
{
    if (h->dirs > h->nodes)
        return false;
    const uint64_t entries[SFT_PER_COUNT] = {
        [SFT_PER_NODE] = h->nodes,           [SFT_PER_DIR] = h->dirs,
        [SFT_PER_FILE] = h->nodes - h->dirs, [SFT_PER_EXTENT] = h->extents,
        [SFT_PER_NAME_BYTE] = h->name_bytes, [SFT_PER_SHORT_BYTE] = h->short_bytes,
        [SFT_PER_FILE_ID] = h->file_ids,
    };
    for (unsigned i = 0; i < SFT_DMAP_COLUMNS; i++) {
        const struct sft_column *col = &sft_dmap_columns[i];
        if (!take_column(c, entries[col->per], col->width, &columns[i]))
            return false;
    }
    return cursor_left(c) == 0;
}

/* --- parts and places ------------------------------------------------------------------------- */

bool sft_read_part(struct cursor *c, struct sft_part *out)
{
    *out = (struct sft_part){ .flags = 0 };
    copy_bytes(c, out->tag, SFT_TAG_LEN);
    out->flags = cursor_u32(c);
    out->len = cursor_u64(c);
    return !c->failed;
}

void sft_put_part(struct sft_buf *b, const struct sft_part *p)
{
    put_tag(b, p->tag);
    sft_put_le(b, p->flags, 4);
    sft_put_le(b, p->len, 8);
}

void sft_place_after(struct sft_place *at, const struct extent *x, uint32_t block_size,
                     const uint32_t *block_lens, uint32_t block_count)
{
    uint64_t end = x->length + x->from; /* wraps for nonsense only, which the builder refuses */
    at->block = x->block + (uint32_t)(end / block_size);
    at->from = (uint32_t)(end % block_size);
    if (at->from && at->block < block_count && at->from >= block_lens[at->block]) {
        at->block++;
        at->from = 0;
    }
}
