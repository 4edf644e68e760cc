/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the metadata of an SFT (src/sft-format.md). What comes out is read back before it is
 * handed over, so that nothing is written that the reader would refuse. Single-threaded, no state.
 */
#include "config.h"

#include "src/sft_write.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "src/codec.h"
#include "src/sft_hash.h"
#include "src/sft_read.h"
#include "src/sftlayout.h"

/* Level of the metadata's own compression: high, unless that would take minutes. */
#define LEVEL_SMALL 19
#define LEVEL_LARGE 9
#define LARGE_BYTES (8u << 20)

struct writer {
    const struct sft_image *image;
    struct codec_context *ctx;
    struct sft_buf out;
    uint64_t block_bytes; /* stored, all together */
    uint32_t section_count;
};

/* --- sections --------------------------------------------------------------------------------- */

static int put_section(struct writer *w, const char *tag, bool critical, const struct sft_buf *body,
                       struct err *e)
{
    struct sft_section s = {
        .flags = critical ? SFT_SECTION_CRITICAL : 0,
        .stored_len = body->len,
        .decoded_len = body->len,
        .codec = CODEC_NONE,
    };
    const uint8_t *stored = body->data;
    auto_free uint8_t *encoded = NULL;

    if (body->failed)
        return err_nomem(e);
    if (body->len > SFT_METADATA_MAX)
        return err_at(e, ERR_LIMIT, tag, 0, "section %s would have %zu bytes", tag, body->len);
    if (body->len && body->len <= INT_MAX) { /* the most that the encoder takes */
        if (!(encoded = malloc(body->len)))
            return err_nomem(e);
        long len =
            codec_encode(w->ctx, CODEC_ZSTD, body->len < LARGE_BYTES ? LEVEL_SMALL : LEVEL_LARGE,
                         body->data, body->len, encoded, e);
        if (len < 0)
            return (int)len;
        if (len && body->len <= sft_decoded_max((uint64_t)len)) {
            s.codec = CODEC_ZSTD;
            s.stored_len = (uint64_t)len;
            stored = encoded;
        }
    }
    memcpy(s.tag, tag, SFT_TAG_LEN);
    sft_put_section(&w->out, &s);
    sft_put_bytes(&w->out, stored, (size_t)s.stored_len);
    w->section_count++;
    return w->out.failed ? err_nomem(e) : 0;
}

static int put_prop(struct writer *w, struct err *e)
{
    const struct sft_image *im = w->image;
    const char *name = im->name ? im->name : "", *root_name = im->root_name ? im->root_name : "";
    struct sft_prop p = {
        .block_size = im->block_size,
        .codec = im->codec,
        .flags = im->case_sensitive ? SFT_PROP_CASE_SENSITIVE : 0,
        .created = im->created,
        .name = name,
        .name_len = (uint16_t)strlen(name),
        .root_name = root_name,
        .root_name_len = (uint16_t)strlen(root_name),
    };
    if (p.name_len != strlen(name) || p.root_name_len != strlen(root_name))
        return err_at(e, ERR_LIMIT, SFT_TAG_PROP, 0, "a package name of more than 65,535 bytes");
    struct sft_buf b = { .data = NULL };
    sft_put_prop(&b, &p);
    int rc = put_section(w, SFT_TAG_PROP, true, &b, e);
    free(b.data);
    return rc;
}

static int put_hist(struct writer *w, struct err *e)
{
    const struct sft_image *im = w->image;
    if (!im->version_count)
        return 0;
    struct sft_buf b = { .data = NULL };
    sft_put_table_head(&b, im->version_count);
    for (uint32_t i = 0; i < im->version_count; i++)
        sft_put_version(&b, &im->versions[i]);
    int rc = put_section(w, SFT_TAG_HIST, false, &b, e);
    free(b.data);
    return rc;
}

static int put_dict(struct writer *w, struct err *e)
{
    struct sft_buf b = { .data = NULL };
    if (!w->image->dictionary)
        return 0;
    sft_put_bytes(&b, w->image->dictionary, w->image->dictionary_len);
    int rc = put_section(w, SFT_TAG_DICT, true, &b, e);
    free(b.data);
    return rc;
}

static int put_lnch(struct writer *w, struct err *e)
{
    const struct sft_image *im = w->image;
    if (!im->launch_run_count)
        return 0;
    struct sft_buf b = { .data = NULL };
    sft_put_table_head(&b, im->launch_run_count);
    for (uint32_t i = 0; i < im->launch_run_count; i++)
        sft_put_run(&b, &im->launch_runs[i]);
    int rc = put_section(w, SFT_TAG_LNCH, false, &b, e);
    free(b.data);
    return rc;
}

static int put_indx(struct writer *w, struct err *e)
{
    const struct sft_image *im = w->image;
    struct sft_buf b = { .data = NULL };

    sft_put_table_head(&b, im->block_count);
    for (uint32_t i = 0; i < im->block_count; i++)
        sft_put_le(&b, im->blocks[i].stored_len, sft_indx_columns[SFT_INDX_STORED_LEN].width);
    for (uint32_t i = 0; i < im->block_count; i++)
        sft_put_le(&b, im->blocks[i].len, sft_indx_columns[SFT_INDX_LEN].width);
    for (uint32_t i = 0; i < im->block_count; i++)
        sft_put_le(&b, im->blocks[i].codec, sft_indx_columns[SFT_INDX_CODEC].width);
    for (uint32_t i = 0; i < im->block_count; i++)
        sft_put_bytes(&b, im->blocks[i].hash, sft_indx_columns[SFT_INDX_HASH].width);
    int rc = put_section(w, SFT_TAG_INDX, true, &b, e);
    free(b.data);
    return rc;
}

/* --- the compressed index --------------------------------------------------------------------- */

static void put_part(struct sft_buf *out, const char *tag, const struct sft_buf *body)
{
    struct sft_part p = { .flags = SFT_SECTION_CRITICAL, .len = body->len };
    memcpy(p.tag, tag, SFT_TAG_LEN);
    sft_put_part(out, &p);
    sft_put_bytes(out, body->data, body->len);
    out->failed |= body->failed;
}

static int put_secd(const struct sft_image *im, struct sft_buf *out, struct err *e)
{
    struct sft_buf b = { .data = NULL };
    if (!im->sd_count)
        return 0;
    sft_put_table_head(&b, im->sd_count);
    for (uint32_t i = 0; i < im->sd_count; i++) {
        if (im->sd_lens[i] > UINT32_MAX) {
            free(b.data);
            return err_at(e, ERR_LIMIT, SFT_TAG_SECD, 0, "a descriptor of %zu bytes",
                          im->sd_lens[i]);
        }
        sft_put_le(&b, im->sd_lens[i], 4);
    }
    for (uint32_t i = 0; i < im->sd_count; i++)
        sft_put_bytes(&b, im->sds[i], im->sd_lens[i]);
    put_part(out, SFT_TAG_SECD, &b);
    free(b.data);
    return 0;
}

/* Appends the three extent columns' entries for one file. */
static void put_extents(const struct sft_image *im, const struct node *n,
                        const uint32_t *block_lens, struct sft_place *at, struct sft_buf *col)
{
    for (uint32_t i = 0; i < n->extent_count; i++) {
        const struct extent *x = &im->extents[n->first_extent + i];
        sft_put_le(&col[SFT_DMAP_EXTENT_BLOCK], (uint32_t)(x->block - at->block), 4);
        sft_put_le(&col[SFT_DMAP_EXTENT_FROM], (uint32_t)(x->from - at->from), 4);
        sft_put_le(&col[SFT_DMAP_EXTENT_LENGTH], x->length, 8);
        sft_place_after(at, x, im->block_size, block_lens, im->block_count);
    }
}

static int check_node(const struct sft_image *im, uint32_t i, struct err *e)
{
    const struct sft_image_node *n = &im->nodes[i];
    if (!n->name || strlen(n->name) > NAME_MAX_BYTES)
        return err_at(e, ERR_BAD_NAME, SFT_TAG_DMAP, 0,
                      "node %" PRIu32 ": name of more than %u bytes", i, NAME_MAX_BYTES);
    if (n->short_name && strlen(n->short_name) > NAME_MAX_BYTES)
        return err_at(e, ERR_BAD_NAME, SFT_TAG_DMAP, 0, "node %" PRIu32 ": 8.3 name too long", i);
    if (!(n->node.flags & NODE_DIR) &&
        (n->node.first_extent > im->extent_count ||
         n->node.extent_count > im->extent_count - n->node.first_extent))
        return err_at(e, ERR_BAD_EXTENT, SFT_TAG_DMAP, 0,
                      "node %" PRIu32 ": extents beyond the table", i);
    return 0;
}

static void put_node(const struct sft_image_node *in, struct sft_buf *col)
{
    const struct node *n = &in->node;
    const char *short_name = in->short_name ? in->short_name : "";

    sft_put_le(&col[SFT_DMAP_FLAGS], n->flags, 2);
    sft_put_le(&col[SFT_DMAP_NAME_LEN], strlen(in->name), 1);
    sft_put_le(&col[SFT_DMAP_SHORT_LEN], strlen(short_name), 1);
    sft_put_le(&col[SFT_DMAP_MODIFIED], (uint64_t)n->modified, 8);
    sft_put_le(&col[SFT_DMAP_CREATED], (uint64_t)n->created, 8);
    sft_put_le(&col[SFT_DMAP_SD], n->sd, 4);
    if (n->flags & NODE_DIR) {
        sft_put_le(&col[SFT_DMAP_CHILD_COUNT], n->child_count, 4);
    } else {
        sft_put_le(&col[SFT_DMAP_SIZE], n->size, 8);
        sft_put_le(&col[SFT_DMAP_EXTENT_COUNT], n->extent_count, 4);
    }
    sft_put_bytes(&col[SFT_DMAP_NAMES], in->name, strlen(in->name));
    sft_put_bytes(&col[SFT_DMAP_SHORT_NAMES], short_name, strlen(short_name));
    if (n->flags & NODE_FILE_ID)
        sft_put_bytes(&col[SFT_DMAP_FILE_IDS], in->file_id.b, sizeof in->file_id.b);
}

static int fill_columns(const struct sft_image *im, struct sft_buf *col, struct err *e)
{
    struct sft_place at = { 0, 0 };
    auto_free uint32_t *block_lens = malloc((size_t)im->block_count * sizeof *block_lens + 1);
    if (!block_lens)
        return err_nomem(e);
    for (uint32_t i = 0; i < im->block_count; i++)
        block_lens[i] = im->blocks[i].len;
    for (uint32_t i = 0; i < im->node_count; i++) {
        int rc = check_node(im, i, e);
        if (rc)
            return rc;
        put_node(&im->nodes[i], col);
        if (!(im->nodes[i].node.flags & NODE_DIR))
            put_extents(im, &im->nodes[i].node, block_lens, &at, col);
    }
    return 0;
}

static int put_dmap(const struct sft_image *im, struct sft_buf *out, struct err *e)
{
    struct sft_buf col[SFT_DMAP_COLUMNS] = { { .data = NULL } }, b = { .data = NULL };
    int rc = fill_columns(im, col, e);

    if (!rc) {
        struct sft_dmap_head h = {
            .nodes = im->node_count,
            .dirs = (uint32_t)(col[SFT_DMAP_CHILD_COUNT].len / 4),
            .extents = (uint32_t)(col[SFT_DMAP_EXTENT_BLOCK].len / 4),
            .file_ids = (uint32_t)(col[SFT_DMAP_FILE_IDS].len / sizeof(struct guid)),
            .name_bytes = col[SFT_DMAP_NAMES].len,
            .short_bytes = col[SFT_DMAP_SHORT_NAMES].len,
        };
        if (col[SFT_DMAP_EXTENT_BLOCK].len / 4 > UINT32_MAX)
            rc = err_at(e, ERR_LIMIT, SFT_TAG_DMAP, 0, "more than 2^32 - 1 extents");
        sft_put_dmap_head(&b, &h);
    }
    for (unsigned k = 0; k < SFT_DMAP_COLUMNS; k++) {
        sft_put_bytes(&b, col[k].data, col[k].len);
        b.failed |= col[k].failed;
        free(col[k].data);
    }
    put_part(out, SFT_TAG_DMAP, &b);
    free(b.data);
    return rc;
}

static int put_cidx(struct writer *w, struct err *e)
{
    struct sft_buf b = { .data = NULL };
    int rc = put_secd(w->image, &b, e);
    if (!rc)
        rc = put_dmap(w->image, &b, e);
    if (!rc)
        rc = put_section(w, SFT_TAG_CIDX, true, &b, e);
    free(b.data);
    return rc;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int check_blocks(struct writer *w, struct err *e)
{
    for (uint32_t i = 0; i < w->image->block_count; i++) {
        if (w->image->blocks[i].offset != w->block_bytes)
            return err_at(e, ERR_INVALID, SFT_TAG_INDX, 0,
                          "block %" PRIu32 " does not follow the one before it", i);
        if (add_overflows(w->block_bytes, (uint64_t)w->image->blocks[i].stored_len,
                          &w->block_bytes))
            return err_at(e, ERR_LIMIT, SFT_TAG_INDX, 0, "a package of more than 2^63 - 1 bytes");
    }
    return 0;
}

/* Fills in what only now is known: lengths, counts and hashes, at the front of the buffer. */
static int put_header(struct writer *w, struct err *e)
{
    const struct sft_image *im = w->image;
    struct sft_section s = {
        .tag = SFT_TAG_SMFF,
        .flags = SFT_SECTION_CRITICAL,
        .stored_len = SFT_SMFF_SIZE,
        .decoded_len = SFT_SMFF_SIZE,
    };
    struct sft_smff h = {
        .metadata_bytes = w->out.len,
        .package_guid = im->package_guid,
        .version_guid = im->version_guid,
        .version_number = im->version_number,
        .section_count = w->section_count + 1,
    };
    if (add_overflows(h.metadata_bytes, w->block_bytes, &h.container_bytes) ||
        h.container_bytes > INT64_MAX)
        return err_at(e, ERR_LIMIT, SFT_TAG_SMFF, 0, "a package of more than 2^63 - 1 bytes");

    struct sft_buf fixed = { .data = NULL };
    sft_put_section(&fixed, &s);
    sft_put_smff(&fixed, &h);
    int rc = fixed.failed ? -ENOMEM : 0;
    if (!rc) {
        memcpy(w->out.data, fixed.data, SFT_FIXED_SIZE);
        rc = sft_seal(w->ctx, w->out.data, w->out.len);
    }
    free(fixed.data);
    return rc ? err_nomem(e) : 0;
}

static int read_back(const struct writer *w, struct err *e)
{
    struct package *package = NULL;
    struct container_input in = {
        .size = w->out.len + w->block_bytes,
        .pieces = { { .data = w->out.data, .len = w->out.len } },
        .count = 1,
    };
    int rc = container_sft.parse(&in, &package, e);
    package_free(package);
    return rc;
}

int sft_write_metadata(const struct sft_image *image, uint8_t **out, size_t *len, struct err *e)
{
    static const uint8_t room[SFT_FIXED_SIZE];
    struct writer w = { .image = image };
    int rc;

    if (!sft_is_block_size(image->block_size))
        return err_at(e, ERR_CORRUPT, SFT_TAG_PROP, 0, "block size is %" PRIu32, image->block_size);
    if (codec_context_new(&w.ctx))
        return err_nomem(e);
    sft_put_bytes(&w.out, room, sizeof room);
    if ((rc = check_blocks(&w, e)) || (rc = put_prop(&w, e)) || (rc = put_hist(&w, e)) ||
        (rc = put_lnch(&w, e)) || (rc = put_dict(&w, e)) || (rc = put_cidx(&w, e)) || (rc = put_indx(&w, e)) ||
        (rc = put_header(&w, e)) || (rc = read_back(&w, e)))
        goto out;
    *out = steal_ptr(&w.out.data);
    *len = w.out.len;
out:
    free(w.out.data);
    codec_context_free(w.ctx);
    return rc;
}
