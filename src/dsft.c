/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Differential SFT. See dsft.h. The order of trust is the one of sft_read.c: mark, checksum of the
 * header, its sizes against the file's, then the metadata as of any SFT, then what the two say to
 * each other. The root hash in the header ties them together.
 */
#include "config.h"

#include "src/dsft.h"

#include <inttypes.h>
#include <string.h>

#include "src/codec.h"
#include "src/sft_read.h"

#define TAG SFT_TAG_DSFT

bool dsft_begins(const void *head, size_t len)
{
    return len >= SFT_TAG_LEN && !memcmp(head, TAG, SFT_TAG_LEN);
}

/* --- the header ------------------------------------------------------------------------------- */

static int check_mark(const uint8_t *head, size_t len, uint64_t file_size, struct err *e)
{
    if (!dsft_begins(head, len))
        return err_set(e, ERR_NOT_A_PACKAGE, "not a differential SFT");
    if (len < SFT_SECTION_SIZE + SFT_MARK_LEN)
        return err_at(e, ERR_TRUNCATED, TAG, file_size,
                      "the file ends inside its header, after %" PRIu64 " bytes", file_size);
    const uint8_t *mark = head + SFT_SECTION_SIZE;
    switch (sft_check_dsft_mark(mark)) {
    case SFT_MARK_OURS:
        return 0;
    case SFT_MARK_NEWER:
        return err_at(e, ERR_UNSUPPORTED, TAG, 0,
                      "layout \"%.14s\" is not the one this version reads (\"%.14s\")",
                      (const char *)mark, SFT_DSFT_MARK);
    default:
        return err_at(e, ERR_FOREIGN_LAYOUT, TAG, 0,
                      "a file of %" PRIu64 " bytes that begins with the SFT tag DSFT, but whose "
                      "fields are laid out in a way this program does not know (no layout mark); "
                      "`sft info --sections` prints what a report to the project needs",
                      file_size);
    }
}

static int check_sizes(const struct sft_dsft *h, uint64_t file_size, struct err *e)
{
    uint32_t blocks_end;

    if (h->features)
        return err_at(e, ERR_UNSUPPORTED, TAG, 0,
                      "needs features 0x%" PRIx32 " that this version does not know", h->features);
    if (h->metadata_bytes < SFT_FIXED_SIZE || h->metadata_bytes > h->target_bytes)
        return err_at(e, ERR_CORRUPT, TAG, 0,
                      "metadata of %" PRIu64 " bytes in a package of %" PRIu64, h->metadata_bytes,
                      h->target_bytes);
    if (h->target_bytes > INT64_MAX || h->file_bytes > INT64_MAX)
        return err_at(e, ERR_LIMIT, TAG, 0, "a file of more than 2^63 - 1 bytes");
    if (h->metadata_bytes > SFT_METADATA_MAX || (size_t)h->metadata_bytes != h->metadata_bytes)
        return err_at(e, ERR_LIMIT, TAG, 0, "metadata of %" PRIu64 " bytes is too large",
                      h->metadata_bytes);
    if (h->file_bytes < DSFT_HEAD_BYTES + h->metadata_bytes)
        return err_at(e, ERR_CORRUPT, TAG, 0, "the metadata reaches beyond the file's end");
    if (add_overflows(h->first_block, h->block_count, &blocks_end))
        return err_at(e, ERR_CORRUPT, TAG, 0, "too many blocks");
    if (file_size < h->file_bytes)
        return err_at(e, ERR_TRUNCATED, NULL, file_size,
                      "the file ends at %" PRIu64 " of %" PRIu64 " bytes", file_size,
                      h->file_bytes);
    if (file_size > h->file_bytes)
        return err_at(e, ERR_CORRUPT, TAG, 0,
                      "the file has %" PRIu64 " bytes, its header says %" PRIu64, file_size,
                      h->file_bytes);
    return 0;
}

int dsft_read_header(const void *head, size_t len, uint64_t file_size, struct sft_dsft *out,
                     struct err *e)
{
    struct cursor c = cursor_over(head, len);
    struct sft_section s;
    uint8_t hash[32];
    int rc = check_mark(head, len, file_size, e);

    if (rc)
        return rc;
    if (len < DSFT_HEAD_BYTES || !sft_read_section(&c, &s))
        return err_at(e, ERR_TRUNCATED, TAG, file_size,
                      "the file ends inside its header, after %" PRIu64 " bytes", file_size);
    if (s.stored_len != SFT_DSFT_SIZE || s.decoded_len != SFT_DSFT_SIZE || s.codec != CODEC_NONE)
        return err_at(e, ERR_CORRUPT, TAG, 0, "must be %u bytes, not encoded", SFT_DSFT_SIZE);
    if (codec_sha256(NULL, (const uint8_t *)head + SFT_SECTION_SIZE, SFT_DSFT_SIZE, hash))
        return err_nomem(e);
    if (memcmp(hash, s.sha256, sizeof hash))
        return err_at(e, ERR_CHECKSUM, TAG, 0, "the header does not match its checksum");
    if (!sft_read_dsft(&c, out))
        return err_at(e, ERR_TRUNCATED, TAG, 0, "no header");
    return check_sizes(out, file_size, e);
}

/* --- header and metadata ---------------------------------------------------------------------- */

static uint64_t stored_bytes_from(const struct package *p, uint32_t first)
{
    const struct package_info *info = package_info(p);
    uint64_t sum = 0;

    for (uint32_t i = first; i < info->block_count; i++)
        sum += package_block(p, i)->stored_len;
    return sum;
}

static int check_base(const struct sft_dsft *h, const struct package_info *info, struct err *e)
{
    for (uint32_t i = 0; i + 1 < info->version_count; i++) {
        const struct package_version *v = &info->versions[i];
        if (v->number != h->base_number || !guid_equal(&v->guid, &h->base_guid))
            continue;
        if (v[1].first_new_block == h->first_block)
            return 0;
        return err_at(e, ERR_CORRUPT, TAG, 0,
                      "blocks from %" PRIu32 " on, but version %" PRIu32
                      " lacks those from %" PRIu32,
                      h->first_block, v->number, v[1].first_new_block);
    }
    return err_at(e, ERR_CORRUPT, TAG, 0,
                  "the version it is made against, %" PRIu32 ", is not in the package's history",
                  h->base_number);
}

static int check_agreement(const struct sft_dsft *h, const struct package *p, struct err *e)
{
    const struct package_info *info = package_info(p);
    uint64_t length;

    if (memcmp(h->root_hash, info->root_hash, sizeof h->root_hash))
        return err_at(e, ERR_CHECKSUM, TAG, 0, "the metadata is not the one the header speaks of");
    if (!guid_equal(&h->package_guid, &info->package_guid) ||
        !guid_equal(&h->target_guid, &info->version_guid) ||
        h->target_number != info->version_number || h->metadata_bytes != info->metadata_bytes)
        return err_at(e, ERR_CORRUPT, TAG, 0, "header and metadata are of different versions");
    int rc = check_base(h, info, e);
    if (rc)
        return rc;
    if (h->block_count != info->block_count - h->first_block)
        return err_at(e, ERR_CORRUPT, TAG, 0, "%" PRIu32 " blocks instead of %" PRIu32,
                      h->block_count, info->block_count - h->first_block);
    if (add_overflows(DSFT_HEAD_BYTES + h->metadata_bytes, stored_bytes_from(p, h->first_block),
                      &length) ||
        length != h->file_bytes)
        return err_at(e, ERR_CORRUPT, TAG, 0,
                      "the file has %" PRIu64 " bytes, its blocks need %" PRIu64, h->file_bytes,
                      length);
    return 0;
}

int dsft_read_package(const struct sft_dsft *h, const void *metadata, size_t len,
                      struct package **out, struct err *e)
{
    /* The head of the new version's SFT, of which no reader of metadata looks at more. Borrowed. */
    struct container_input in = {
        .size = h->target_bytes,
        .pieces = { { .data = (uint8_t *)(uintptr_t)metadata, .len = len } },
        .count = 1,
    };
    struct package *p = NULL;
    struct byte_range want;
    int rc;

    if (len != h->metadata_bytes || !container_sft.probe(&in))
        return err_at(e, ERR_CORRUPT, TAG, 0, "no SFT metadata behind the header");
    rc = container_sft.need(&in, &want, e);
    if (rc > 0)
        rc = err_at(e, ERR_CORRUPT, TAG, 0, "the metadata is longer than the header says");
    if (!rc)
        rc = container_sft.parse(&in, &p, e);
    if (!rc)
        rc = check_agreement(h, p, e);
    if (rc)
        package_free(p);
    else
        *out = p;
    return rc;
}

int dsft_read_memory(const void *data, size_t len, struct sft_dsft *h, struct package **out,
                     struct err *e)
{
    int rc = dsft_read_header(data, (size_t)min_u64(len, DSFT_HEAD_BYTES), len, h, e);

    return rc ? rc
              : dsft_read_package(h, (const uint8_t *)data + DSFT_HEAD_BYTES,
                                  (size_t)h->metadata_bytes, out, e);
}

uint64_t dsft_block_offset(const struct sft_dsft *h, const struct package *p, uint32_t block)
{
    return DSFT_HEAD_BYTES + h->metadata_bytes + package_block(p, block)->offset -
           package_block(p, h->first_block)->offset;
}

/* --- making ----------------------------------------------------------------------------------- */

int dsft_make_header(const struct package *p, uint32_t base, struct sft_dsft *out,
                     uint8_t head[DSFT_HEAD_BYTES], struct err *e)
{
    const struct package_info *info = package_info(p);
    const struct package_version *v = &info->versions[base];
    uint32_t first = v[1].first_new_block;
    struct sft_section s = {
        .tag = TAG,
        .flags = SFT_SECTION_CRITICAL,
        .stored_len = SFT_DSFT_SIZE,
        .decoded_len = SFT_DSFT_SIZE,
        .codec = CODEC_NONE,
    };
    struct sft_buf payload = { .data = NULL }, all = { .data = NULL };

    *out = (struct sft_dsft){
        .file_bytes = DSFT_HEAD_BYTES + info->metadata_bytes + stored_bytes_from(p, first),
        .metadata_bytes = info->metadata_bytes,
        .target_bytes = info->container_bytes,
        .package_guid = info->package_guid,
        .base_guid = v->guid,
        .target_guid = info->version_guid,
        .base_number = v->number,
        .target_number = info->version_number,
        .first_block = first,
        .block_count = info->block_count - first,
    };
    memcpy(out->root_hash, info->root_hash, sizeof out->root_hash);
    sft_put_dsft(&payload, out);
    bool ok = !payload.failed && !codec_sha256(NULL, payload.data, payload.len, s.sha256);
    if (ok) {
        sft_put_section(&all, &s);
        sft_put_bytes(&all, payload.data, payload.len);
        ok = !all.failed;
    }
    if (ok)
        memcpy(head, all.data, DSFT_HEAD_BYTES);
    free(payload.data);
    free(all.data);
    return ok ? 0 : err_nomem(e);
}

/* --- among the container formats -------------------------------------------------------------- */

static bool dsft_probe(const struct container_input *in)
{
    const uint8_t *tag = container_input_at(in, 0, SFT_TAG_LEN);
    return tag && dsft_begins(tag, SFT_TAG_LEN);
}

/* Half a package is not opened as one; what is wrong with it comes before that. */
static int dsft_need(const struct container_input *in, struct byte_range *want, struct err *e)
{
    uint64_t run = min_u64(container_input_run(in, 0), DSFT_HEAD_BYTES);
    struct sft_dsft h;
    int rc = dsft_read_header(container_input_at(in, 0, run), (size_t)run, in->size, &h, e);

    (void)want;
    if (rc)
        return rc;
    return err_at(e, ERR_UNSUPPORTED, TAG, 0,
                  "a differential SFT: it has only what version %" PRIu32 " of the package has and "
                  "version %" PRIu32 " has not. `sft patch OLD.sft THIS.dsft -o NEW.sft` makes the "
                  "whole package of both; `sft cache import THIS.dsft` brings it into the disk "
                  "cache, for mounts from there",
                  h.target_number, h.base_number);
}

static int dsft_parse(const struct container_input *in, struct package **out, struct err *e)
{
    struct byte_range want;

    (void)out;
    return dsft_need(in, &want, e);
}

static void describe_version(const char *label, const struct guid *guid, uint32_t number,
                             void (*line)(void *arg, const char *text), void *arg)
{
    char text[GUID_TEXT_SIZE];

    guid_format(guid, text);
    container_line(line, arg, "%s: %" PRIu32 ", GUID %s", label, number, text);
}

static void dsft_describe(const uint8_t *head, size_t len, uint64_t size,
                          void (*line)(void *arg, const char *text), void *arg)
{
    struct sft_dsft h;
    struct err e = { .text = "" };
    size_t have = (size_t)min_u64(len, DSFT_HEAD_BYTES);
    char guid[GUID_TEXT_SIZE];

    if (len < DSFT_HEAD_BYTES || sft_check_dsft_mark(head + SFT_SECTION_SIZE) != SFT_MARK_OURS) {
        container_line(line, arg, "layout: not one that is read by this version");
        container_describe_bytes(head, len, line, arg);
        return;
    }
    container_line(line, arg, "layout: %.14s (differential)",
                   (const char *)head + SFT_SECTION_SIZE);
    if (dsft_read_header(head, have, size, &h, &e)) {
        container_line(line, arg, "damaged: %s", e.text);
        struct cursor c = cursor_over(head + SFT_SECTION_SIZE, SFT_DSFT_SIZE);
        if (!sft_read_dsft(&c, &h))
            return;
    }
    guid_format(&h.package_guid, guid);
    container_line(line, arg, "package GUID: %s", guid);
    describe_version("made against version", &h.base_guid, h.base_number, line, arg);
    describe_version("gives version", &h.target_guid, h.target_number, line, arg);
    container_line(line, arg, "blocks: %" PRIu32 " from number %" PRIu32 " on", h.block_count,
                   h.first_block);
    container_line(line, arg, "section %s: offset 0, %u bytes", TAG, SFT_DSFT_SIZE);
    container_line(line, arg, "metadata of the whole package from offset %u on:", DSFT_HEAD_BYTES);
    sft_describe(head + DSFT_HEAD_BYTES, len - DSFT_HEAD_BYTES, h.target_bytes, line, arg);
}

const struct container_format container_dsft = {
    .name = "dsft",
    .probe = dsft_probe,
    .need = dsft_need,
    .parse = dsft_parse,
    .describe = dsft_describe,
};
