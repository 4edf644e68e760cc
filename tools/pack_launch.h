/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Launch lists: the files that a start of the program needs, in the order of need. */
#ifndef TOOLS_PACK_LAUNCH_H
#define TOOLS_PACK_LAUNCH_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "tools/pack_tree.h"

/* Gives every file of TREE its place in the launch list that PATH holds: RANKS[file number], else
 * PACK_NO_RANK. A line that names nothing in the tree is ERR_NOT_FOUND with its number. */
int pack_launch_read(const char *path, const struct pack_tree *tree, uint32_t *ranks,
                     struct err *e) must_check;

#endif
