/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The version that `sft pack --upgrade` starts from: its files are compared with the new ones by
 * content, and blocks that are still needed go into the new package as they are stored.
 */
#ifndef TOOLS_PACK_OLD_H
#define TOOLS_PACK_OLD_H

#include <stdint.h>

#include "src/codec.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"
#include "tools/pack_content.h"
#include "tools/pack_tree.h"

struct source;

struct pack_old {
    struct source *source;
    struct package *package;
    uint32_t *files;       /* node of each file */
    uint32_t file_count;
    uint32_t *new_index;   /* of each old block in the new package; NODE_NONE = not kept */
    uint32_t kept_blocks;
};

/* Opens LOCATION. What is not an SFT of a known layout is refused. */
int pack_old_open(const char *location, struct pack_old **out, struct err *e) must_check;
void pack_old_free(struct pack_old *old); /* NULL is fine */

/* SHA-256 of file FILE (index into old->files). Any thread; CTX belongs to it. */
int pack_old_hash(const struct pack_old *old, uint32_t file, struct codec_context *ctx,
                  uint8_t out[32], struct err *e) must_check;

/* Numbers the blocks that the nodes KEPT (NODE_NONE are skipped) lie in, in their old order. */
int pack_old_keep(struct pack_old *old, const uint32_t *kept, uint32_t count, struct err *e)
    must_check;

/* Reads the stored form of each kept block, checks it and hands it to WRITE; fills in BLOCKS. */
int pack_old_copy(const struct pack_old *old, struct block *blocks,
                  int (*write)(void *arg, const uint8_t *stored, size_t len, struct err *e),
                  void *arg, struct err *e) must_check;

/* Extents of a kept file in the new package, into OUT (room for MAX, may be 0); returns how many
 * there are. */
uint32_t pack_old_extents(const struct pack_old *old, uint32_t node, struct extent *out,
                          uint32_t max);

#endif
