/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tree of a package as one that can be packed again, in whatever format: its bytes are read from
 * where the package is, through an engine.
 */
#ifndef TOOLS_PACK_PACKAGE_H
#define TOOLS_PACK_PACKAGE_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"
#include "tools/pack_tree.h"
#include "tools/sft_common.h"

struct pack_package_options {
    uint32_t top;            /* the directory whose content is the tree; NODE_ROOT, or another */
    const char *root_name;   /* NULL, or a directory that the content is put below */
    bool make_short_names;   /* instead of those that the package has */
    bool case_sensitive;     /* names that differ only in case may stand side by side */
};

struct pack_package {
    const struct sft_input *in; /* its engine is running */
    uint32_t *nodes;            /* of each entry */
    uint32_t *entries;          /* of each node; PACK_NO_RANK where there is none */
};

/* Fills in *OUT, from which pack_tree_clear() takes it, and *P, which must outlive it. ERR_INVALID
 * for names that differ only in case where that may not be. IN is borrowed. */
int pack_package_tree(const struct sft_input *in, const struct pack_package_options *o,
                      struct pack_package *p, struct pack_tree *out, struct err *e) must_check;
void pack_package_clear(struct pack_package *p);

#endif
