/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Puts together what the walk, the plan and the encoder found out into the image of the new
 * package (src/sft_write.h), and its metadata.
 */
#ifndef TOOLS_PACK_IMAGE_H
#define TOOLS_PACK_IMAGE_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/pack_plan.h"
#include "src/sft_write.h"
#include "tools/pack_launch.h"
#include "tools/pack_options.h"
#include "tools/pack_tree.h"

struct pack_old;

struct pack_image_input {
    const struct pack_options *options;
    const struct pack_tree *tree;
    const struct pack_plan *plan;
    const struct pack_launch_file *launch; /* for each file what the launch set wants of it */
    const struct pack_old *old;  /* the version that is upgraded; NULL if none */
    const uint32_t *old_file;    /* for each file the node of the old version that has its content,
                                  * NODE_NONE if none; NULL without an old version */
    const struct block *blocks;  /* all blocks: kept ones, then those of the plan */
    uint32_t block_count;
    uint32_t kept_blocks;
    const uint8_t *dictionary;   /* of the zstd blocks; NULL for none */
    size_t dictionary_len;
};

struct pack_image {
    struct sft_image image;
    char *name;      /* owned, as is all that follows */
    char *root_name;
    struct sft_image_node *nodes;
    struct extent *extents;
    uint32_t extent_capacity;
    struct block_run *launch_runs;
    struct package_version *versions;
    const uint8_t **sds;
    size_t *sd_lens;
    uint8_t *metadata;
    size_t metadata_len;
};

/* Fills in *OUT, metadata included; a version GUID that was not given is derived from all that the
 * metadata say, so from all content. Pointers into INPUT must stay valid. */
int pack_image_make(const struct pack_image_input *input, struct pack_image *out, struct err *e)
    must_check;

void pack_image_clear(struct pack_image *image);

#endif
