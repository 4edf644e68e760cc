/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the metadata of an SFT as src/sft-format.md lays it out. Order of trust: the layout mark,
 * the checksum of the header, its sizes against the object's, the chain of section headers, the
 * root hash over them, the hash of each payload, and only then what the payloads say. What every
 * package must hold whatever its format is checked by package_builder.c.
 */
#include "config.h"

#include "src/sft_read.h"

#include <inttypes.h>
#include <string.h>

#include "src/sft_hash.h"
#include "src/sft_parse.h"

/* --- the fixed header ------------------------------------------------------------------------- */

static bool sft_probe(const struct container_input *in)
{
    const uint8_t *tag = container_input_at(in, 0, SFT_TAG_LEN);
    return tag && !memcmp(tag, SFT_TAG_SMFF, SFT_TAG_LEN);
}

static int check_mark(const struct container_input *in, struct err *e)
{
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

static int check_sizes(const struct container_input *in, const struct sft_smff *smff, struct err *e)
{
    const char *tag = SFT_TAG_SMFF;
    if (smff->features)
        return err_at(e, ERR_UNSUPPORTED, tag, 0,
                      "needs features 0x%" PRIx32 " that this version does not know",
                      smff->features);
    if (smff->metadata_bytes < SFT_FIXED_SIZE)
        return err_at(e, ERR_CORRUPT, tag, 0, "metadata of %" PRIu64 " bytes is too short",
                      smff->metadata_bytes);
    if (smff->metadata_bytes > smff->container_bytes)
        return err_at(e, ERR_CORRUPT, tag, 0, "metadata is longer than the whole file");
    if (smff->container_bytes > INT64_MAX)
        return err_at(e, ERR_LIMIT, tag, 0, "a file of more than 2^63 - 1 bytes");
    if (smff->metadata_bytes > SFT_METADATA_MAX ||
        (size_t)smff->metadata_bytes != smff->metadata_bytes)
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

static int walk_sections(struct sft_parse *s, struct err *e)
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

static int check_hashes(struct sft_parse *s, struct err *e)
{
    uint8_t hash[32];
    struct sft_buf headers = { .data = NULL };

    for (unsigned i = 1; i < s->section_count; i++)
        sft_put_bytes(&headers, s->data + s->payload_at[i] - SFT_SECTION_SIZE, SFT_SECTION_SIZE);
    int rc =
        headers.failed ? -ENOMEM : sft_hash_root(s->ctx, s->data, headers.data, headers.len, hash);
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

static int load(struct sft_parse *s, unsigned index, struct sft_payload *out, struct err *e)
{
    const struct sft_section *sec = &s->sections[index];
    const uint8_t *stored = s->data + s->payload_at[index];
    struct err why;

    if (out->data)
        return err_at(e, ERR_CORRUPT, sec->tag, 0, "section %s occurs twice", sec->tag);
    if (sec->codec > CODEC_SFT_LAST)
        return err_at(e, ERR_UNSUPPORTED, sec->tag, 0, "section %s is in unknown codec %u",
                      sec->tag, sec->codec);
    if (sec->codec == CODEC_NONE) {
        if (sec->decoded_len != sec->stored_len)
            return err_at(e, ERR_CORRUPT, sec->tag, 0, "two lengths for the same bytes");
        *out =
            (struct sft_payload){ .tag = sec->tag, .data = stored, .len = (size_t)sec->stored_len };
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
    *out =
        (struct sft_payload){ .tag = sec->tag, .data = decoded, .len = (size_t)sec->decoded_len };
    out->owned = steal_ptr(&decoded);
    return 0;
}

static int load_all(struct sft_parse *s, struct err *e)
{
    const struct {
        const char *tag;
        struct sft_payload *to;
        bool required;
    } known[] = {
        { SFT_TAG_PROP, &s->prop, true },  { SFT_TAG_INDX, &s->indx, true },
        { SFT_TAG_CIDX, &s->cidx, true },  { SFT_TAG_HIST, &s->hist, false },
        { SFT_TAG_LNCH, &s->lnch, false }, { SFT_TAG_DICT, &s->dict, false },
    };
    for (unsigned i = 1; i < s->section_count; i++) {
        const struct sft_section *sec = &s->sections[i];
        struct sft_payload *to = NULL;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            if (!strcmp(sec->tag, known[k].tag))
                to = known[k].to;
        if (!strcmp(sec->tag, SFT_TAG_SMFF))
            return err_at(e, ERR_CORRUPT, sec->tag, 0, "section SMFF occurs twice");
        if (!strcmp(sec->tag, SFT_TAG_DSFT))
            return err_at(e, ERR_UNSUPPORTED, sec->tag, 0,
                          "a DSFT section inside a whole package");
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

/* --- all of it -------------------------------------------------------------------------------- */

static int sft_parse(const struct container_input *in, struct package **out, struct err *e)
{
    struct sft_parse *s = calloc(1, sizeof *s);
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
        rc = sft_build(s, out, e);
    package_builder_free(s->builder);
    free(s->prop.owned);
    free(s->indx.owned);
    free(s->cidx.owned);
    free(s->hist.owned);
    free(s->lnch.owned);
    free(s->dict.owned);
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
