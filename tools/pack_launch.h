/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Launch lists: the files that a start of the program needs, in the order of need, or only some of
 * their bytes. */
#ifndef TOOLS_PACK_LAUNCH_H
#define TOOLS_PACK_LAUNCH_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/pack_plan.h"
#include "tools/pack_tree.h"

/* What is wanted of one file. */
struct pack_launch_file {
    uint32_t rank;             /* place among the files, or PACK_NO_RANK: nothing */
    uint32_t range_count;      /* 0: all of it */
    struct pack_range *ranges; /* once pack_launch_finish() was called, ascending and apart */
};

struct pack_launch {
    struct pack_launch_file *files; /* one for each file of the tree */
    uint32_t file_count;
    uint32_t ranked;                /* how many have a rank */
};

/* All files unwanted. 0 or ERR_NO_MEMORY. */
int pack_launch_init(struct pack_launch *l, uint32_t file_count, struct err *e) must_check;
void pack_launch_clear(struct pack_launch *l);

/* FILE is wanted: all of it, or bytes [offset, offset + len) of it, too, which begin inside it. The
 * first call for a file gives it its rank. */
void pack_launch_add_file(struct pack_launch *l, uint32_t file);
int pack_launch_add_range(struct pack_launch *l, uint32_t file, uint64_t offset, uint64_t len,
                          struct err *e) must_check;

/* Puts the ranges of each file in order. */
void pack_launch_finish(struct pack_launch *l);

/*
 * Takes the list that PATH holds (src/launch-list.md). In a plain list a line that names nothing in
 * the tree is ERR_NOT_FOUND with its number; in a recording *unknown counts them, and those that
 * begin behind the end of their file.
 */
int pack_launch_read(const char *path, const struct pack_tree *tree, struct pack_launch *l,
                     size_t *unknown, struct err *e) must_check;

/* Takes over the launch set of P, for the files of TREE that ENTRIES has for each node (PACK_NO_RANK:
 * none); NULL: those at the same paths. */
int pack_launch_inherit(struct pack_launch *l, const struct package *p, const struct pack_tree *tree,
                        const uint32_t *entries, struct err *e) must_check;

#endif
