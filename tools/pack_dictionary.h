/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The dictionary of a new package: what its blocks have in common. A block of 64 KiB is short for
 * zstd; a dictionary gives it a past to refer to, which makes a large package of programs two to
 * three percent smaller.
 */
#ifndef TOOLS_PACK_DICTIONARY_H
#define TOOLS_PACK_DICTIONARY_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/pack_plan.h"
#include "tools/pack_tree.h"

/*
 * Trains a dictionary on blocks taken evenly from the plan. *out (caller frees) is NULL when the
 * package is too small for one to pay, or its blocks have too little in common. CHECK is called
 * between blocks; a negative result ends the work. Deterministic.
 */
int pack_dictionary_make(const struct pack_tree *tree, const struct pack_plan *plan,
                         int (*check)(void *arg, struct err *e), void *arg, uint8_t **out,
                         size_t *len, struct err *e) must_check;

#endif
