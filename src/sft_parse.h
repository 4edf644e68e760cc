/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sft_read.c (the file's header, the chain of sections, hashes) hands to sft_tables.c (what
 * the sections say). Private to these two.
 */
#ifndef SRC_SFT_PARSE_H
#define SRC_SFT_PARSE_H

#include "src/codec.h"
#include "src/cursor.h"
#include "src/package_builder.h"
#include "src/sftlayout.h"

/* A section's payload, decoded. */
struct sft_payload {
    const char *tag;
    const uint8_t *data;
    size_t len;
    uint8_t *owned; /* NULL when DATA is the input's */
};

struct sft_parse {
    const uint8_t *data; /* all metadata */
    struct sft_smff smff;
    struct sft_section sections[SFT_SECTIONS_MAX];
    uint64_t payload_at[SFT_SECTIONS_MAX]; /* offset in the file */
    unsigned section_count;
    struct codec_context *ctx;
    struct package_builder *builder;

    struct sft_payload prop, indx, cidx, hist, lnch, dict; /* data NULL: not there */
    struct cursor secd, dmap;                        /* parts of CIDX; start NULL: not there */

    struct sft_prop props;
    struct package_counts counts;
    struct sft_dmap_head head;
    struct cursor indx_columns[SFT_INDX_COLUMNS];
    struct cursor dmap_columns[SFT_DMAP_COLUMNS];
    struct cursor sd_lens;
};

/* Builds the package from the payloads, which have been verified and decoded. The caller frees
 * s->builder. */
int sft_build(struct sft_parse *s, struct package **out, struct err *e) must_check;

#endif
