/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Builds a struct package from what a container format found, and checks there, once for all
 * formats, what every package must hold: valid and unique names, one tree, extents inside blocks,
 * and that no count takes memory the input does not justify.
 *
 * Order of calls: builder_new, set_info, add_* (blocks and extents in index order, nodes in
 * breadth-first order), finish. Single-threaded.
 */
#ifndef SRC_PACKAGE_BUILDER_H
#define SRC_PACKAGE_BUILDER_H

#include <stdint.h>

#include "src/codec.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

struct package_builder;

/* Counts as announced by the container, which has checked them against its input's length. */
struct package_counts {
    uint32_t nodes, extents, blocks, launch_runs, versions, sds, file_ids;
    size_t name_bytes; /* all names and short names together, without terminators */
};

int package_builder_new(const struct package_counts *counts, struct package_builder **out,
                        struct err *e) must_check;
void package_builder_free(struct package_builder *b); /* NULL is fine */

/* Copies what INFO says of identity, block size, codec, layout; pointers and counts are ignored. */
int package_builder_set_info(struct package_builder *b, const struct package_info *info,
                             struct err *e) must_check;

int package_builder_add_block(struct package_builder *b, const struct block *block, struct err *e)
    must_check;
int package_builder_add_extent(struct package_builder *b, const struct extent *x, struct err *e)
    must_check;

/*
 * NODE supplies size, times, flags, sd, and child_count or extent_count; parent, first_child,
 * first_extent, name and the lengths are derived (breadth-first order makes them unambiguous, so
 * a loop cannot be expressed). NAME is empty for the root only; SHORT_NAME may be empty. FILE_ID is
 * given exactly when the flags say NODE_FILE_ID.
 */
int package_builder_add_node(struct package_builder *b, const struct node *node, const char *name,
                             size_t name_len, const char *short_name, size_t short_len,
                             const struct guid *file_id, struct err *e) must_check;

int package_builder_add_launch_run(struct package_builder *b, struct block_run run, struct err *e)
    must_check;
int package_builder_add_version(struct package_builder *b, const struct package_version *v,
                                struct err *e) must_check;
int package_builder_add_sd(struct package_builder *b, const uint8_t *sd, size_t len, struct err *e)
    must_check;

/* Final checks and indexes. On success *out owns everything and the builder is empty. */
int package_builder_finish(struct package_builder *b, struct package **out, struct err *e)
    must_check;

#endif
