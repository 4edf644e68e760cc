/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The payloads of an SFT's sections: counts first, so that the builder can be made and no count
 * takes memory that its section does not have the bytes for; then entry by entry into the builder,
 * which judges what they mean.
 */
#include "config.h"

#include "src/sft_parse.h"

#include <inttypes.h>
#include <string.h>

#include "src/sft_read.h"

/* --- heads and counts ------------------------------------------------------------------------- */

static int read_prop(struct sft_parse *s, struct err *e)
{
    const char *tag = SFT_TAG_PROP;
    struct cursor c = cursor_over(s->prop.data, s->prop.len);
    struct sft_prop *p = &s->props;

    if (!sft_read_prop(&c, p) || cursor_left(&c))
        return err_at(e, ERR_CORRUPT, tag, cursor_offset(&c), "%s",
                      cursor_left(&c) && !c.failed ? "bytes behind the last field"
                                                   : "ends before its last field");
    if (!sft_is_block_size(p->block_size))
        return err_at(e, ERR_CORRUPT, tag, 0,
                      "block size %" PRIu32 " is none of 4096, 16384, 32768 and 65536",
                      p->block_size);
    if (p->codec > CODEC_SFT_LAST)
        return err_at(e, ERR_UNSUPPORTED, tag, 4, "unknown codec %u", p->codec);
    if (p->flags & ~SFT_PROP_CASE_SENSITIVE)
        return err_at(e, ERR_UNSUPPORTED, tag, 6, "unknown property flags 0x%x", p->flags);
    return 0;
}

/* The entries of a table whose length must be exactly what its count says. */
static int read_table(const struct sft_payload *p, size_t entry, struct cursor *c, uint32_t *count,
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

static int read_indx_head(struct sft_parse *s, struct err *e)
{
    struct cursor c = cursor_over(s->indx.data, s->indx.len);
    if (!sft_read_table_head(&c, &s->counts.blocks) ||
        !sft_open_indx(&c, s->counts.blocks, s->indx_columns))
        return err_at(e, ERR_CORRUPT, SFT_TAG_INDX, 0,
                      "%" PRIu32 " blocks do not make up %zu bytes", s->counts.blocks, s->indx.len);
    return 0;
}

static int split_cidx(struct sft_parse *s, struct err *e)
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
            return err_at(e, ERR_CORRUPT, tag, at,
                          "part %s of %" PRIu64 " bytes reaches beyond "
                          "the section",
                          part.tag, part.len);
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

static int read_cidx_heads(struct sft_parse *s, struct err *e)
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

/* --- entries ---------------------------------------------------------------------------------- */

/* Names the place of an error that the builder found. */
static int placed(int rc, struct err *e, const char *section, uint64_t index)
{
    if (rc && e && !e->section[0]) {
        memcpy(e->section, section, SFT_TAG_LEN + 1);
        e->offset = index;
    }
    return rc;
}

static int add_blocks(struct sft_parse *s, struct err *e)
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
        if (b.codec > CODEC_SFT_LAST)
            return err_at(e, ERR_UNSUPPORTED, SFT_TAG_INDX, SFT_TABLE_HEAD_SIZE,
                          "block %" PRIu32 ": unknown codec %u", i, b.codec);
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

static int add_extents(struct sft_parse *s, struct err *e)
{
    struct cursor *col = s->dmap_columns;
    struct sft_place at = { 0, 0 };
    struct cursor lens =
        cursor_over(s->indx_columns[SFT_INDX_LEN].start, (size_t)s->counts.blocks * 4);
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
        int rc =
            placed(package_builder_add_extent(s->builder, &x, e), e, SFT_TAG_DMAP,
                   (uint64_t)(col[SFT_DMAP_EXTENT_BLOCK].start - s->dmap.start) + UINT64_C(4) * i);
        if (rc)
            return rc;
        sft_place_after(&at, &x, s->props.block_size, block_lens, s->counts.blocks);
    }
    return 0;
}

static int add_sds(struct sft_parse *s, struct err *e)
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

static int add_node(struct sft_parse *s, uint32_t i, struct err *e)
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

static int add_nodes(struct sft_parse *s, struct err *e)
{
    int rc;
    for (uint32_t i = 0; i < s->counts.nodes; i++)
        if ((rc = add_node(s, i, e)))
            return rc;
    for (unsigned k = 0; k < SFT_DMAP_COLUMNS; k++)
        if (cursor_left(&s->dmap_columns[k]))
            return err_at(e, ERR_CORRUPT, SFT_TAG_DMAP,
                          (uint64_t)(s->dmap_columns[k].p - s->dmap.start),
                          "column %s has entries that belong to no node", sft_dmap_columns[k].name);
    return 0;
}

static int add_runs_and_versions(struct sft_parse *s, struct cursor *runs, struct cursor *versions,
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

/* --- all of it -------------------------------------------------------------------------------- */

static int set_info(struct sft_parse *s, struct err *e)
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

static int set_dictionary(struct sft_parse *s, struct err *e)
{
    if (!s->dict.data)
        return 0;
    return placed(package_builder_set_dictionary(s->builder, s->dict.data, s->dict.len, e), e,
                  SFT_TAG_DICT, 0);
}

int sft_build(struct sft_parse *s, struct package **out, struct err *e)
{
    struct cursor runs, versions;
    int rc;

    if ((rc = read_prop(s, e)) || (rc = read_indx_head(s, e)) || (rc = read_cidx_heads(s, e)) ||
        (rc = read_table(&s->lnch, SFT_RUN_SIZE, &runs, &s->counts.launch_runs, e)) ||
        (rc = read_table(&s->hist, SFT_VERSION_SIZE, &versions, &s->counts.versions, e)))
        return rc;
    if ((rc = package_builder_new(&s->counts, &s->builder, e)) || (rc = set_info(s, e)) ||
        (rc = set_dictionary(s, e)) || (rc = add_blocks(s, e)) || (rc = add_extents(s, e)) || (rc = add_sds(s, e)) ||
        (rc = add_nodes(s, e)) || (rc = add_runs_and_versions(s, &runs, &versions, e)))
        return rc;
    return placed(package_builder_finish(s->builder, out, e), e, SFT_TAG_DMAP, 0);
}
