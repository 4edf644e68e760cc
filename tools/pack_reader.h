/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the bytes of the files of a tree, wherever it comes from. One reader a thread. */
#ifndef TOOLS_PACK_READER_H
#define TOOLS_PACK_READER_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/pack_plan.h"
#include "tools/pack_tree.h"

struct pack_reader {
    const struct pack_tree *tree;
    uint32_t open_entry;
    int fd; /* -1 before the first read, and always for a tree that is no directory's */
};

static inline struct pack_reader pack_reader_of(const struct pack_tree *tree)
{
    return (struct pack_reader){ .tree = tree, .fd = -1 };
}

/* Fills TO with LEN bytes from OFF on of the file ENTRY, which has them. A file that has changed
 * since the walk is an error. Messages name the file. May block. */
int pack_reader_bytes(struct pack_reader *r, uint32_t entry, uint64_t off, void *to, size_t len,
                      struct err *e) must_check;

/* Fills OUT with block INDEX of PLAN (plan->blocks[INDEX].len bytes). */
int pack_reader_block(struct pack_reader *r, const struct pack_plan *plan, uint32_t index,
                      uint8_t *out, struct err *e) must_check;

void pack_reader_close(struct pack_reader *r);

#endif
