/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Encodes the blocks of a plan on all cores and writes them in index order. A window of a few
 * blocks a thread is in memory at any time, whatever the size of the package; the order of the
 * output does not depend on the threads.
 */
#ifndef TOOLS_PACK_BLOCKS_H
#define TOOLS_PACK_BLOCKS_H

#include <stdint.h>

#include "src/codec.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/pack_plan.h"
#include "src/package.h"
#include "tools/pack_tree.h"

struct pack_encode {
    const struct pack_tree *tree;
    const struct pack_plan *plan;
    uint32_t block_size;
    enum codec codec;
    int level;
    const struct codec_dictionary *dictionary; /* for zstd, made for LEVEL; NULL for none */
    unsigned jobs;
    /* Takes the stored form of the next block. Called in index order from the calling thread; an
     * error ends the work. */
    int (*write)(void *arg, const uint8_t *stored, size_t len, struct err *e);
    /* DONE decoded bytes are written. Called like write(); a negative result ends the work. */
    int (*tick)(void *arg, uint64_t done, struct err *e);
    void *arg;
};

/* Fills BLOCKS[i] for every block of the plan, offsets counted from OFFSET. Blocks until done. */
int pack_encode_blocks(const struct pack_encode *job, uint64_t offset, struct block *blocks,
                       struct err *e) must_check;

#endif
