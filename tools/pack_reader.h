/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the decoded bytes of planned blocks from the files they come from. One reader a thread. */
#ifndef TOOLS_PACK_READER_H
#define TOOLS_PACK_READER_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/pack_plan.h"
#include "tools/pack_tree.h"

struct pack_reader {
    const struct pack_tree *tree;
    const struct pack_plan *plan;
    uint32_t open_entry;
    int fd; /* -1 before the first read */
};

static inline struct pack_reader pack_reader_of(const struct pack_tree *tree,
                                                const struct pack_plan *plan)
{
    return (struct pack_reader){ .tree = tree, .plan = plan, .fd = -1 };
}

/* Fills OUT with block INDEX (plan->blocks[INDEX].len bytes). A file that has changed since the
 * walk is an error. */
int pack_reader_block(struct pack_reader *r, uint32_t index, uint8_t *out, struct err *e)
    must_check;

void pack_reader_close(struct pack_reader *r);

#endif
