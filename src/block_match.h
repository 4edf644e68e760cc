/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Equal blocks of two versions of a package: those with the same hash are the same stored bytes,
 * whatever their numbers. Pure; an index is immutable once made and any thread may ask it.
 */
#ifndef SRC_BLOCK_MATCH_H
#define SRC_BLOCK_MATCH_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/package.h"

#define BLOCK_MATCH_NONE UINT32_MAX

struct block_match;

/* Indexes the blocks of P (borrowed, must outlive the index); 20 bytes a block. 0 or -ENOMEM. */
int block_match_new(const struct package *p, struct block_match **out) must_check;
void block_match_free(struct block_match *m); /* NULL is fine */

/* The number of a block of the indexed package that has the stored bytes of WANT (hash, length and
 * codec are compared), or BLOCK_MATCH_NONE. */
uint32_t block_match_find(const struct block_match *m, const struct block *want);

#endif
