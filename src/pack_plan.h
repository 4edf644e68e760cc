/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decides which bytes of which file go into which block, before any byte is read. Pure: sizes,
 * names and order in, blocks and extents out.
 *
 * Layout made here:
 * - files of the launch list come first, in the order of the list, in blocks of their own; of one
 *   of more than a block only those blocks that are wanted, and the others in its usual place;
 * - then directory by directory, inside one by name, so that a reader that walks the tree meets the
 *   blocks in order;
 * - a file of at least one block begins on a block boundary and has consecutive blocks to itself,
 *   the last of which may be short: one extent, unless it was divided as above;
 * - smaller files share blocks with others of their directory (or of the next ones, as long as the
 *   block has room) and never cross a boundary;
 * - a file that has the content of another one gets the other's extents.
 */
#ifndef SRC_PACK_PLAN_H
#define SRC_PACK_PLAN_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

#define PACK_NO_RANK UINT32_MAX

/* Bytes [offset, offset + len) of a file. */
struct pack_range {
    uint64_t offset, len;
};

/* A file to be placed. */
struct pack_file {
    const char *name;  /* last component; borrowed */
    uint64_t size;
    uint32_t dir;      /* position of its directory in a depth-first walk of the tree */
    uint32_t launch;   /* position in the launch list, PACK_NO_RANK if it is not in it */
    const struct pack_range *ranges; /* of a file in the launch list, the bytes that are wanted;
                                      * borrowed */
    uint32_t range_count;            /* 0 = all of it */
    uint32_t same_as;  /* index of the file whose bytes this one has; its own index otherwise. The
                        * file that is pointed at points at itself. */
    bool placed;       /* lies in blocks that exist already: gets no extents here */
};

/* Bytes [offset, offset + len) of FILE at position FROM of a block. */
struct pack_part {
    uint64_t offset;
    uint32_t file;
    uint32_t block;
    uint32_t from;
    uint32_t len;
};

struct pack_block {
    uint32_t first_part; /* parts of one block are contiguous and in the order of FROM, gapless */
    uint32_t part_count;
    uint32_t len;        /* decoded bytes */
};

/* Extents of one file: indexes into pack_plan.extents. */
struct pack_extents {
    uint32_t first, count;
};

struct pack_plan {
    struct pack_block *blocks;
    uint32_t block_count;
    uint32_t launch_blocks;     /* blocks [0, launch_blocks) hold the launch set and nothing else */
    struct pack_part *parts;
    uint32_t part_count;
    struct extent *extents;     /* block numbers count from the first block of the plan */
    uint32_t extent_count;
    struct pack_extents *files; /* one for each input file */
    uint64_t unique_bytes;      /* bytes to be read and encoded */
};

/* Plans COUNT files in blocks of BLOCK_SIZE bytes. ERR_LIMIT if there would be too many blocks. */
int pack_plan_make(const struct pack_file *files, uint32_t count, uint32_t block_size,
                   struct pack_plan *out, struct err *e) must_check;

void pack_plan_clear(struct pack_plan *plan); /* frees what pack_plan_make() filled in */

#endif
