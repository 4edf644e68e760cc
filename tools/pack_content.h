/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which files have the same content. Only files that share their size with another one are read
 * and hashed; equal size and equal SHA-256 is equal content.
 */
#ifndef TOOLS_PACK_CONTENT_H
#define TOOLS_PACK_CONTENT_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "tools/parallel.h"

/* One file, wherever it lies. */
struct pack_content {
    uint64_t size;
    uint8_t sha256[32];
    bool hash_it;      /* made by pack_content_find_candidates() */
    uint32_t same_as;  /* made by pack_content_match(): lowest index with this content */
};

/* Marks every file of at least one byte whose size another file has too; returns how many. */
long pack_content_find_candidates(struct pack_content *files, uint32_t count, struct err *e)
    must_check;

/* Fills in same_as of all from the hashes of those marked. */
int pack_content_match(struct pack_content *files, uint32_t count, struct err *e) must_check;

#endif
