/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the metadata of an SFT as src/sft-format.md lays it out. Order of trust: the layout mark, the
 * checksum of the header, its sizes against the object's, the chain of section headers, the root
 * hash over them, the hash of each payload, and only then what the payloads say. What every package
 * must hold whatever its format is checked by package_builder.c.
 */
#include "config.h"

#include "src/sft_read.h"

#include <inttypes.h>
#include <string.h>

#include "src/package_builder.h"
#include "src/sft_hash.h"
#include "src/sftlayout.h"

/* A section's payload, decoded. */
struct payload {
    const char *tag;
    const uint8_t *data;
    size_t len;
    uint8_t *owned; /* NULL when DATA is the input's */
};

struct parse {
    const uint8_t *data; /* all metadata */
    struct sft_smff smff;
    struct sft_section sections[SFT_SECTIONS_MAX];
    uint64_t payload_at[SFT_SECTIONS_MAX]; /* offset in the file */
    unsigned section_count;
    struct codec_context *ctx;
    struct package_builder *builder;

    struct payload prop, indx, cidx, hist, lnch; /* data NULL: not there */
    struct cursor secd, dmap;                    /* parts of CIDX; start NULL: not there */

    struct sft_prop props;
    struct package_counts counts;
    struct sft_dmap_head head;
    struct cursor indx_columns[SFT_INDX_COLUMNS];
    struct cursor dmap_columns[SFT_DMAP_COLUMNS];
    struct cursor sd_lens;
};

/* --- the fixed header ------------------------------------------------------------------------- */

static bool sft_probe(const struct container_input *in)
{
    const uint8_t *tag = container_input_at(in, 0, SFT_TAG_LEN);
    return tag && (!memcmp(tag, SFT_TAG_SMFF, SFT_TAG_LEN) || !memcmp(tag, SFT_TAG_DSFT, SFT_TAG_LEN));
}

static int check_mark(const struct container_input *in, struct err *e)
{
    const uint8_t *tag = container_input_at(in, 0, SFT_TAG_LEN);
    if (tag && !memcmp(tag, SFT_TAG_DSFT, SFT_TAG_LEN))
        return err_at(e, ERR_UNSUPPORTED, SFT_TAG_DSFT, 0,
                      "a differential SFT (it begins with a DSFT section); only whole packages can "
                      "be read by this version");
    const uint8_t *mark = container_input_at(in, SFT_SECTION_SIZE, SFT_MARK_LEN);
    if (!mark)
        return err_at(e, ERR_TRUNCATED, SFT_TAG_SMFF, in->size,
                      "the file ends inside its header, after %" PRIu64 " bytes", in->size);
    switch (sft_check_mark(mark)) {
    case SFT_MARK_OURS:
        return 0;
    case SFT_MARK_NEWER:
        return err_at(e, ERR_UNSUPPORTED, SFT_TAG_SMFF, 0,
                      "layout \"%.14s\" is not the one this version reads (\"%.14s\")",
                      (const char *)mark, SFT_MARK);
    default:
        return err_at(e, ERR_FOREIGN_LAYOUT, SFT_TAG_SMFF, 0,
                      "a file of %" PRIu64 " bytes that begins with the SFT tag SMFF, but whose "
                      "fields are laid out in a way this program does not know (no layout mark); "
                      "`sft info --sections` prints what a report to the project needs",
                      in->size);
    }
}

/* Which structure the end of a truncated object falls into, for the message. */
static int truncated(const struct container_input *in, const struct sft_smff *smff, struct err *e)
{
    uint64_t run = container_input_run(in, 0);
    const uint8_t *data = container_input_at(in, 0, run);
    struct cursor c = cursor_over(data, (size_t)run);
    char tag[SFT_TAG_LEN + 1] = "";
    uint64_t at = 0;

    while (in->size < smff->metadata_bytes && cursor_left(&c) >= SFT_SECTION_SIZE) {
        struct sft_section s;
        at = cursor_offset(&c);
        if (!sft_read_section(&c, &s) || !sft_is_tag((const uint8_t *)s.tag))
            break;
        memcpy(tag, s.tag, sizeof tag);
        if (!cursor_bytes(&c, s.stored_len))
            break;
    }
    if (in->size >= smff->metadata_bytes)
        return err_at(e, ERR_TRUNCATED, NULL, in->size,
                      "the file ends among its blocks, at %" PRIu64 " of %" PRIu64 " bytes",
                      in->size, smff->container_bytes);
    return err_at(e, ERR_TRUNCATED, tag, in->size - at,
                  "the file ends in or behind section %s, at %" PRIu64 " of %" PRIu64 " bytes", tag,
                  in->size, smff->container_bytes);
}

static int check_sizes(const struct container_input *in, const struct sft_smff *smff,
                       struct err *e)
{
    const char *tag = SFT_TAG_SMFF;
    if (smff->features)
        return err_at(e, ERR_UNSUPPORTED, tag, 0, "needs features 0x%" PRIx32
                      " that this version does not know", smff->features);
    if (smff->metadata_bytes < SFT_FIXED_SIZE)
        return err_at(e, ERR_CORRUPT, tag, 0, "metadata of %" PRIu64 " bytes is too short",
                      smff->metadata_bytes);
    if (smff->metadata_bytes > smff->container_bytes)
        return err_at(e, ERR_CORRUPT, tag, 0, "metadata is longer than the whole file");
    if (smff->container_bytes > INT64_MAX)
        return err_at(e, ERR_LIMIT, tag, 0, "a file of more than 2^63 - 1 bytes");
    if (smff->metadata_bytes > SFT_METADATA_MAX || (size_t)smff->metadata_bytes != smff->metadata_bytes)
        return err_at(e, ERR_LIMIT, tag, 0, "metadata of %" PRIu64 " bytes is too large",
                      smff->metadata_bytes);
    if (in->size < smff->container_bytes)
        return truncated(in, smff, e);
    if (in->size > smff->container_bytes)
        return err_at(e, ERR_CORRUPT, tag, 0,
                      "the file has %" PRIu64 " bytes, its header says %" PRIu64, in->size,
                      smff->container_bytes);
    return 0;
}

static int read_fixed(const struct container_input *in, struct codec_context *ctx,
                      struct sft_smff *smff, struct err *e)
{
    const char *tag = SFT_TAG_SMFF;
    struct sft_section s;
    uint8_t hash[32];
    int rc = check_mark(in, e);
    if (rc)
        return rc;

    const uint8_t *fixed = container_input_at(in, 0, SFT_FIXED_SIZE);
    if (!fixed)
        return err_at(e, ERR_TRUNCATED, tag, in->size,
                      "the file ends inside its header, after %" PRIu64 " bytes", in->size);
    struct cursor c = cursor_over(fixed, SFT_FIXED_SIZE);
    if (!sft_read_section(&c, &s))
        return err_at(e, ERR_TRUNCATED, tag, 0, "no section header");
    if (s.stored_len != SFT_SMFF_SIZE || s.decoded_len != SFT_SMFF_SIZE || s.codec != CODEC_NONE)
        return err_at(e, ERR_CORRUPT, tag, 0, "must be %u bytes, not encoded", SFT_SMFF_SIZE);
    if ((rc = sft_hash_smff(ctx, fixed + SFT_SECTION_SIZE, hash)))
        return err_nomem(e);
    if (memcmp(hash, s.sha256, sizeof hash))
        return err_at(e, ERR_CHECKSUM, tag, 0, "the header does not match its checksum");
    if (!sft_read_smff(&c, smff))
        return err_at(e, ERR_TRUNCATED, tag, 0, "no header");
    return check_sizes(in, smff, e);
}

static int sft_need(const struct container_input *in, struct byte_range *want, struct err *e)
{
    struct codec_context *ctx = NULL;
    struct sft_smff smff;
    int rc;

    if (codec_context_new(&ctx))
        return err_nomem(e);
    rc = read_fixed(in, ctx, &smff, e);
    codec_context_free(ctx);
    if (rc)
        return rc;
    uint64_t have = container_input_run(in, 0);
    if (have >= smff.metadata_bytes)
        return 0;
    *want = (struct byte_range){ have, smff.metadata_bytes - have };
    return 1;
}

/* --- sections --------------------------------------------------------------------------------- */

static int walk_sections(struct parse *s, struct err *e)
{
    struct cursor c = cursor_over(s->data, (size_t)s->smff.metadata_bytes);

    while (cursor_left(&c)) {
        struct sft_section *sec = &s->sections[s->section_count];
        uint64_t at = cursor_offset(&c);
        if (s->section_count == SFT_SECTIONS_MAX)
            return err_at(e, ERR_LIMIT, NULL, at, "more than %u sections", SFT_SECTIONS_MAX);
        if (!sft_read_section(&c, sec))
            return err_at(e, ERR_CORRUPT, NULL, at,
                          "section header at %" PRIu64 " reaches beyond the metadata", at);
        if (!sft_is_tag((const uint8_t *)sec->tag))
            return err_at(e, ERR_CORRUPT, NULL, at, "no section begins at %" PRIu64, at);
        s->payload_at[s->section_count++] = cursor_offset(&c);
        if (!cursor_bytes(&c, sec->stored_len))
            return err_at(e, ERR_CORRUPT, sec->tag, 0,
                          "%" PRIu64 " bytes at %" PRIu64 " reach beyond the metadata",
                          sec->stored_len, at + SFT_SECTION_SIZE);
    }
    if (s->section_count != s->smff.section_count)
        return err_at(e, ERR_CORRUPT, SFT_TAG_SMFF, 0, "%u sections instead of %" PRIu32,
                      s->section_count, s->smff.section_count);
    return 0;
}

static int check_hashes(struct parse *s, struct err *e)
{
    uint8_t hash[32];
    struct sft_buf headers = { .data = NULL };

    for (unsigned i = 1; i < s->section_count; i++)
        sft_put_bytes(&headers, s->data + s->payload_at[i] - SFT_SECTION_SIZE, SFT_SECTION_SIZE);
    int rc = headers.failed ? -ENOMEM
                            : sft_hash_root(s->ctx, s->data, headers.data, headers.len, hash);
    free(headers.data);
    if (rc)
        return err_nomem(e);
    if (memcmp(hash, s->smff.root_hash, sizeof hash))
        return err_at(e, ERR_CHECKSUM, SFT_TAG_SMFF, 0,
                      "the section headers do not match the root hash");
    for (unsigned i = 1; i < s->section_count; i++) {
        const struct sft_section *sec = &s->sections[i];
        if (codec_sha256(s->ctx, s->data + s->payload_at[i], (size_t)sec->stored_len, hash))
            return err_nomem(e);
        if (memcmp(hash, sec->sha256, sizeof hash))
            return err_at(e, ERR_CHECKSUM, sec->tag, 0, "section %s does not match its checksum",
                          sec->tag);
    }
    return 0;
}

static int load(struct parse *s, unsigned index, struct payload *out, struct err *e)
{
    const struct sft_section *sec = &s->sections[index];
    const uint8_t *stored = s->data + s->payload_at[index];
    struct err why;

    if (out->data)
        return err_at(e, ERR_CORRUPT, sec->tag, 0, "section %s occurs twice", sec->tag);
    if (sec->codec >= CODEC_COUNT)
        return err_at(e, ERR_UNSUPPORTED, sec->tag, 0, "section %s is in unknown codec %u",
                      sec->tag, sec->codec);
    if (sec->codec == CODEC_NONE) {
        if (sec->decoded_len != sec->stored_len)
            return err_at(e, ERR_CORRUPT, sec->tag, 0, "two lengths for the same bytes");
        *out = (struct payload){ .tag = sec->tag, .data = stored, .len = (size_t)sec->stored_len };
        return 0;
    }
    if (sec->decoded_len > sft_decoded_max(sec->stored_len) ||
        (size_t)sec->decoded_len != sec->decoded_len)
        return err_at(e, ERR_LIMIT, sec->tag, 0,
                      "%" PRIu64 " stored bytes claim to be %" PRIu64 " decoded ones",
                      sec->stored_len, sec->decoded_len);
    if (!sec->decoded_len)
        return err_at(e, ERR_CORRUPT, sec->tag, 0, "an encoded section without content");
    auto_free uint8_t *decoded = malloc((size_t)sec->decoded_len);
    if (!decoded)
        return err_nomem(e);
    int rc = codec_decode(s->ctx, sec->codec, stored, (size_t)sec->stored_len, decoded,
                          (size_t)sec->decoded_len, &why);
    if (rc == -ENOMEM)
        return err_nomem(e);
    if (rc)
        return err_at(e, ERR_CORRUPT, sec->tag, 0, "section %s does not decode: %.300s", sec->tag,
                      why.text);
    *out = (struct payload){ .tag = sec->tag, .data = decoded, .len = (size_t)sec->decoded_len };
    out->owned = steal_ptr(&decoded);
    return 0;
}

static int load_all(struct parse *s, struct err *e)
{
    const struct {
        const char *tag;
        struct payload *to;
        bool required;
    } known[] = {
        { SFT_TAG_PROP, &s->prop, true },  { SFT_TAG_INDX, &s->indx, true },
        { SFT_TAG_CIDX, &s->cidx, true },  { SFT_TAG_HIST, &s->hist, false },
        { SFT_TAG_LNCH, &s->lnch, false },
    };
    for (unsigned i = 1; i < s->section_count; i++) {
        const struct sft_section *sec = &s->sections[i];
        struct payload *to = NULL;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            if (!strcmp(sec->tag, known[k].tag))
                to = known[k].to;
        if (!strcmp(sec->tag, SFT_TAG_SMFF))
            return err_at(e, ERR_CORRUPT, sec->tag, 0, "section SMFF occurs twice");
        if (!strcmp(sec->tag, SFT_TAG_DSFT))
            return err_at(e, ERR_UNSUPPORTED, sec->tag, 0, "differential SFTs cannot be read by this version");
        if (!to && (sec->flags & SFT_SECTION_CRITICAL))
            return err_at(e, ERR_UNSUPPORTED, sec->tag, 0,
                          "section %s is unknown to this version and marked critical", sec->tag);
        int rc = to ? load(s, i, to, e) : 0;
        if (rc)
            return rc;
    }
    for (size_t k = 0; k < ARRAY_LEN(known); k++)
        if (known[k].required && !known[k].to->data)
            return err_at(e, ERR_CORRUPT, known[k].tag, 0, "section %s is missing", known[k].tag);
    return 0;
}

/* --- payloads: heads and counts ----------------------------------------------------------------- */

static int read_prop(struct parse *s, struct err *e)
{
    const char *tag = SFT_TAG_PROP;
    struct cursor c = cursor_over(s->prop.data, s->prop.len);
    struct sft_prop *p = &s->props;

    if (!sft_read_prop(&c, p) || cursor_left(&c))
        return err_at(e, ERR_CORRUPT, tag, cursor_offset(&c), "%s", cursor_left(&c) && !c.failed
                      ? "bytes behind the last field" : "ends before its last field");
    if (p->block_size != 4096 && p->block_size != 16384 && p->block_size != 32768 &&
        p->block_size != 65536)
        return err_at(e, ERR_CORRUPT, tag, 0, "block size %" PRIu32
                      " is none of 4096, 16384, 32768 and 65536", p->block_size);
    if (p->codec >= CODEC_COUNT)
        return err_at(e, ERR_UNSUPPORTED, tag, 4, "unknown codec %u", p->codec);
    if (p->flags & ~SFT_PROP_CASE_SENSITIVE)
        return err_at(e, ERR_UNSUPPORTED, tag, 6, "unknown property flags 0x%x", p->flags);
    return 0;
}

/* The entries of a table whose length must be exactly what its count says. */
static int read_table(const struct payload *p, size_t entry, struct cursor *c, uint32_t *count,
                      struct err *e)
{
    *c = (struct cursor){ .failed = false };
    *count = 0;
    if (!p->data)
        return 0;
    *c = cursor_over(p->data, p->len);
    if (!sft_read_table_head(c, count) || cursor_left(c) / entry != *count ||
        cursor_left(c) % entry)
        return err_at(e, ERR_CORRUPT, p->tag, 0, "%" PRIu32 " entries do not make up %zu bytes",
                      *count, p->len);
    return 0;
}

static int read_indx_head(struct parse *s, struct err *e)
{
    struct cursor c = cursor_over(s->indx.data, s->indx.len);
    if (!sft_read_table_head(&c, &s->counts.blocks) ||
        !sft_open_indx(&c, s->counts.blocks, s->indx_columns))
        return err_at(e, ERR_CORRUPT, SFT_TAG_INDX, 0,
                      "%" PRIu32 " blocks do not make up %zu bytes", s->counts.blocks, s->indx.len);
    return 0;
}

static int split_cidx(struct parse *s, struct err *e)
{
    const char *tag = SFT_TAG_CIDX;
    struct cursor c = cursor_over(s->cidx.data, s->cidx.len);

    while (cursor_left(&c)) {
        struct sft_part part;
        uint64_t at = cursor_offset(&c);
        if (!sft_read_part(&c, &part) || !sft_is_tag((const uint8_t *)part.tag))
            return err_at(e, ERR_CORRUPT, tag, at, "no part begins here");
        const uint8_t *data = cursor_bytes(&c, part.len);
        if (!data)
            return err_at(e, ERR_CORRUPT, tag, at, "part %s of %" PRIu64 " bytes reaches beyond "
                          "the section", part.tag, part.len);
        struct cursor *to = !strcmp(part.tag, SFT_TAG_SECD)   ? &s->secd
                            : !strcmp(part.tag, SFT_TAG_DMAP) ? &s->dmap
                                                              : NULL;
        if (!to && (part.flags & SFT_SECTION_CRITICAL))
            return err_at(e, ERR_UNSUPPORTED, tag, at,
                          "part %s is unknown to this version and marked critical", part.tag);
        if (to && to->start)
            return err_at(e, ERR_CORRUPT, tag, at, "part %s occurs twice", part.tag);
        if (to)
            *to = cursor_over(data, (size_t)part.len);
    }
    if (!s->dmap.start)
        return err_at(e, ERR_CORRUPT, tag, 0, "part DMAP is missing");
    return 0;
}

static int read_cidx_heads(struct parse *s, struct err *e)
{
    int rc = split_cidx(s, e);
    if (rc)
        return rc;
    if (s->secd.start) {
        uint64_t bytes;
        if (!sft_read_table_head(&s->secd, &s->counts.sds) ||
            mul_overflows((uint64_t)s->counts.sds, UINT64_C(4), &bytes) ||
            bytes > cursor_left(&s->secd))
            return err_at(e, ERR_CORRUPT, SFT_TAG_SECD, 0,
                          "%" PRIu32 " descriptors do not fit into the part", s->counts.sds);
        s->sd_lens = cursor_over(cursor_bytes(&s->secd, bytes), (size_t)bytes);
    }
    if (!sft_read_dmap_head(&s->dmap, &s->head) ||
        !sft_open_dmap(&s->dmap, &s->head, s->dmap_columns))
        return err_at(e, ERR_CORRUPT, SFT_TAG_DMAP, 0,
                      "the counts of the directory map do not make up its length");
    s->counts.nodes = s->head.nodes;
    s->counts.extents = s->head.extents;
    s->counts.file_ids = s->head.file_ids;
    if (add_overflows(s->head.name_bytes, s->head.short_bytes, &s->counts.name_bytes))
        return err_at(e, ERR_LIMIT, SFT_TAG_DMAP, 0, "too many bytes of names");
    return 0;
}

/* --- payloads: entries ---------------------------------------------------------------------------- */

/* Names the place of an error that the builder found. */
static int placed(int rc, struct err *e, const char *section, uint64_t index)
{
    if (rc && e && !e->section[0]) {
        memcpy(e->section, section, SFT_TAG_LEN + 1);
        e->offset = index;
    }
    return rc;
}

static int add_blocks(struct parse *s, struct err *e)
{
    struct cursor *col = s->indx_columns;
    uint64_t offset = s->smff.metadata_bytes;

    for (uint32_t i = 0; i < s->counts.blocks; i++) {
        struct block b = {
            .offset = offset,
            .stored_len = cursor_u32(&col[SFT_INDX_STORED_LEN]),
            .len = cursor_u32(&col[SFT_INDX_LEN]),
            .codec = cursor_u8(&col[SFT_INDX_CODEC]),
        };
        const uint8_t *hash = cursor_bytes(&col[SFT_INDX_HASH], BLOCK_HASH_SIZE);
        if (!hash)
            return err_at(e, ERR_CORRUPT, SFT_TAG_INDX, 0, "no hash for block %" PRIu32, i);
        memcpy(b.hash, hash, BLOCK_HASH_SIZE);
        if (add_overflows(offset, (uint64_t)b.stored_len, &offset) ||
            offset > s->smff.container_bytes)
            return err_at(e, ERR_CORRUPT, SFT_TAG_INDX, SFT_TABLE_HEAD_SIZE + UINT64_C(4) * i,
                          "block %" PRIu32 " ends behind the end of the file", i);
        int rc = placed(package_builder_add_block(s->builder, &b, e), e, SFT_TAG_INDX,
                        SFT_TABLE_HEAD_SIZE + UINT64_C(4) * i);
        if (rc)
            return rc;
    }
    if (offset != s->smff.container_bytes)
        return err_at(e, ERR_CORRUPT, SFT_TAG_INDX, 0,
                      "the blocks end at %" PRIu64 ", the file at %" PRIu64, offset,
                      s->smff.container_bytes);
    return 0;
}

static int add_extents(struct parse *s, struct err *e)
{
    struct cursor *col = s->dmap_columns;
    struct sft_place at = { 0, 0 };
    struct cursor lens = cursor_over(s->indx_columns[SFT_INDX_LEN].start,
                                     (size_t)s->counts.blocks * 4);
    auto_free uint32_t *block_lens = malloc((size_t)s->counts.blocks * sizeof *block_lens + 1);
    if (!block_lens)
        return err_nomem(e);
    for (uint32_t i = 0; i < s->counts.blocks; i++)
        block_lens[i] = cursor_u32(&lens);

    for (uint32_t i = 0; i < s->counts.extents; i++) {
        struct extent x = {
            .block = at.block + cursor_u32(&col[SFT_DMAP_EXTENT_BLOCK]),
            .from = at.from + cursor_u32(&col[SFT_DMAP_EXTENT_FROM]),
            .length = cursor_u64(&col[SFT_DMAP_EXTENT_LENGTH]),
        };
        int rc = placed(package_builder_add_extent(s->builder, &x, e), e, SFT_TAG_DMAP,
                        (uint64_t)(col[SFT_DMAP_EXTENT_BLOCK].start - s->dmap.start) +
                            UINT64_C(4) * i);
        if (rc)
            return rc;
        sft_place_after(&at, &x, s->props.block_size, block_lens, s->counts.blocks);
    }
    return 0;
}

static int add_sds(struct parse *s, struct err *e)
{
    for (uint32_t i = 0; i < s->counts.sds; i++) {
        uint32_t len = cursor_u32(&s->sd_lens);
        uint64_t at = cursor_offset(&s->secd);
        const uint8_t *sd = cursor_bytes(&s->secd, len);
        if (!sd)
            return err_at(e, ERR_CORRUPT, SFT_TAG_SECD, at,
                          "descriptor %" PRIu32 " of %" PRIu32 " bytes reaches beyond the part",
                          i + 1, len);
        int rc = placed(package_builder_add_sd(s->builder, sd, len, e), e, SFT_TAG_SECD, at);
        if (rc)
            return rc;
    }
    if (cursor_left(&s->secd))
        return err_at(e, ERR_CORRUPT, SFT_TAG_SECD, cursor_offset(&s->secd),
                      "bytes behind the last descriptor");
    return 0;
}

static int add_node(struct parse *s, uint32_t i, struct err *e)
{
    struct cursor *col = s->dmap_columns;
    uint64_t at = SFT_DMAP_HEAD_SIZE + (uint64_t)i * sft_dmap_columns[SFT_DMAP_FLAGS].width;
    struct guid id, *file_id = NULL;
    struct node n = {
        .flags = cursor_u16(&col[SFT_DMAP_FLAGS]),
        .name_len = cursor_u8(&col[SFT_DMAP_NAME_LEN]),
        .short_len = cursor_u8(&col[SFT_DMAP_SHORT_LEN]),
        .modified = (int64_t)cursor_u64(&col[SFT_DMAP_MODIFIED]),
        .created = (int64_t)cursor_u64(&col[SFT_DMAP_CREATED]),
        .sd = cursor_u32(&col[SFT_DMAP_SD]),
    };
    const uint8_t *name = cursor_bytes(&col[SFT_DMAP_NAMES], n.name_len);
    const uint8_t *short_name = cursor_bytes(&col[SFT_DMAP_SHORT_NAMES], n.short_len);

    if (n.flags & NODE_DIR) {
        n.child_count = cursor_u32(&col[SFT_DMAP_CHILD_COUNT]);
    } else {
        n.size = cursor_u64(&col[SFT_DMAP_SIZE]);
        n.extent_count = cursor_u32(&col[SFT_DMAP_EXTENT_COUNT]);
    }
    if (n.flags & NODE_FILE_ID) {
        const uint8_t *bytes = cursor_bytes(&col[SFT_DMAP_FILE_IDS], sizeof id.b);
        if (bytes)
            memcpy(id.b, bytes, sizeof id.b);
        file_id = &id;
    }
    for (unsigned k = 0; k < SFT_DMAP_COLUMNS; k++)
        if (col[k].failed)
            return err_at(e, ERR_CORRUPT, SFT_TAG_DMAP, at,
                          "node %" PRIu32 " finds no entry in column %s", i,
                          sft_dmap_columns[k].name);
    return placed(package_builder_add_node(s->builder, &n, (const char *)name, n.name_len,
                                           (const char *)short_name, n.short_len, file_id, e),
                  e, SFT_TAG_DMAP, at);
}

static int add_nodes(struct parse *s, struct err *e)
{
    int rc;
    for (uint32_t i = 0; i < s->counts.nodes; i++)
        if ((rc = add_node(s, i, e)))
            return rc;
    for (unsigned k = 0; k < SFT_DMAP_COLUMNS; k++)
        if (cursor_left(&s->dmap_columns[k]))
            return err_at(e, ERR_CORRUPT, SFT_TAG_DMAP,
                          (uint64_t)(s->dmap_columns[k].p - s->dmap.start),
                          "column %s has entries that belong to no node",
                          sft_dmap_columns[k].name);
    return 0;
}

static int add_runs_and_versions(struct parse *s, struct cursor *runs, struct cursor *versions,
                                 struct err *e)
{
    int rc;

    for (uint32_t i = 0; i < s->counts.launch_runs; i++) {
        struct block_run run;
        uint64_t at = cursor_offset(runs);
        if (!sft_read_run(runs, &run))
            return err_at(e, ERR_CORRUPT, SFT_TAG_LNCH, at, "ends inside an entry");
        if ((rc = placed(package_builder_add_launch_run(s->builder, run, e), e, SFT_TAG_LNCH, at)))
            return rc;
    }
    for (uint32_t i = 0; i < s->counts.versions; i++) {
        struct package_version v;
        uint64_t at = cursor_offset(versions);
        if (!sft_read_version(versions, &v))
            return err_at(e, ERR_CORRUPT, SFT_TAG_HIST, at, "ends inside an entry");
        if ((rc = placed(package_builder_add_version(s->builder, &v, e), e, SFT_TAG_HIST, at)))
            return rc;
    }
    return 0;
}

/* --- all of it -------------------------------------------------------------------------------------- */

static int set_info(struct parse *s, struct err *e)
{
    const struct sft_prop *p = &s->props;
    auto_free char *name = strndup(p->name, p->name_len);
    auto_free char *root_name = strndup(p->root_name, p->root_name_len);
    if (!name || !root_name)
        return err_nomem(e);
    if (strlen(name) != p->name_len || strlen(root_name) != p->root_name_len)
        return err_at(e, ERR_BAD_NAME, SFT_TAG_PROP, 16, "a NUL in a name");
    struct package_info info = {
        .format = container_sft.name,
        .name = name,
        .root_name = root_name,
        .package_guid = s->smff.package_guid,
        .version_guid = s->smff.version_guid,
        .version_number = s->smff.version_number,
        .block_size = p->block_size,
        .codec = p->codec,
        .case_sensitive = p->flags & SFT_PROP_CASE_SENSITIVE,
        .metadata_bytes = s->smff.metadata_bytes,
        .container_bytes = s->smff.container_bytes,
        .created = p->created,
    };
    memcpy(info.root_hash, s->smff.root_hash, sizeof info.root_hash);
    return placed(package_builder_set_info(s->builder, &info, e), e, SFT_TAG_PROP, 0);
}

static int build(struct parse *s, struct package **out, struct err *e)
{
    struct cursor runs, versions;
    int rc;

    if ((rc = read_prop(s, e)) || (rc = read_indx_head(s, e)) || (rc = read_cidx_heads(s, e)) ||
        (rc = read_table(&s->lnch, SFT_RUN_SIZE, &runs, &s->counts.launch_runs, e)) ||
        (rc = read_table(&s->hist, SFT_VERSION_SIZE, &versions, &s->counts.versions, e)))
        return rc;
    if ((rc = package_builder_new(&s->counts, &s->builder, e)) || (rc = set_info(s, e)) ||
        (rc = add_blocks(s, e)) || (rc = add_extents(s, e)) || (rc = add_sds(s, e)) ||
        (rc = add_nodes(s, e)) || (rc = add_runs_and_versions(s, &runs, &versions, e)))
        return rc;
    return placed(package_builder_finish(s->builder, out, e), e, SFT_TAG_DMAP, 0);
}

static int sft_parse(const struct container_input *in, struct package **out, struct err *e)
{
    struct parse *s = calloc(1, sizeof *s);
    int rc;

    if (!s || codec_context_new(&s->ctx)) {
        free(s);
        return err_nomem(e);
    }
    if (!(rc = read_fixed(in, s->ctx, &s->smff, e))) {
        s->data = container_input_at(in, 0, s->smff.metadata_bytes);
        rc = s->data ? 0 : err_at(e, ERR_TRUNCATED, SFT_TAG_SMFF, 0, "metadata is not at hand");
    }
    if (!rc && !(rc = walk_sections(s, e)) && !(rc = check_hashes(s, e)) && !(rc = load_all(s, e)))
        rc = build(s, out, e);
    package_builder_free(s->builder);
    free(s->prop.owned);
    free(s->indx.owned);
    free(s->cidx.owned);
    free(s->hist.owned);
    free(s->lnch.owned);
    codec_context_free(s->ctx);
    free(s);
    return rc;
}

const struct container_format container_sft = {
    .name = "sft",
    .probe = sft_probe,
    .need = sft_need,
    .parse = sft_parse,
    .describe = sft_describe,
};
