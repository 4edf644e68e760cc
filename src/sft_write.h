/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the metadata of an SFT: everything that lies before the first block. Pure; the caller (the
 * packer) decides the order of blocks, encodes them and puts them behind the metadata in index
 * order, without gaps. Layout: src/sft-format.md.
 */
#ifndef SRC_SFT_WRITE_H
#define SRC_SFT_WRITE_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

/* A node to be written; arrays of these are in breadth-first order, siblings in the order of
 * fold_compare(). Of NODE the fields name, parent, first_child and the lengths are ignored. */
struct sft_image_node {
    struct node node;       /* file: first_extent and extent_count index IMAGE.extents */
    const char *name;       /* "" for the root only */
    const char *short_name; /* "" or NULL if none */
    struct guid file_id;    /* with NODE_FILE_ID */
};

struct sft_image {
    const char *name;       /* package name, may be "" */
    const char *root_name;
    struct guid package_guid, version_guid;
    uint32_t version_number;
    uint32_t block_size;
    uint8_t codec;
    bool case_sensitive;
    int64_t created;        /* FILETIME ticks */

    const struct sft_image_node *nodes;
    uint32_t node_count;
    const struct extent *extents;
    uint32_t extent_count;
    const struct block *blocks; /* offset is relative to the first block */
    uint32_t block_count;
    const struct block_run *launch_runs;
    uint32_t launch_run_count;
    const struct package_version *versions; /* oldest first; the last one is this version */
    uint32_t version_count;
    const uint8_t *dictionary;  /* with which all zstd blocks decode; NULL for none */
    size_t dictionary_len;
    const uint8_t *const *sds;  /* security descriptor i + 1 */
    const size_t *sd_lens;
    uint32_t sd_count;
};

/* Serialises IMAGE; *out (caller frees) begins the file and the blocks follow it at once. Refuses
 * what the reader would refuse. Deterministic. */
int sft_write_metadata(const struct sft_image *image, uint8_t **out, size_t *len, struct err *e)
    must_check;

#endif
