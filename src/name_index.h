/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds numbered things by name, as Windows compares names (src/fold.h), in constant time. The
 * index refers to the names, it does not keep them; they must outlive it. A name may stand below a
 * parent: the same name below two parents is two names. Keyed with random numbers, so that a
 * hostile document cannot aim at collisions. Single-threaded while it is filled, then any number of
 * readers.
 */
#ifndef SRC_NAME_INDEX_H
#define SRC_NAME_INDEX_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

#define NAME_INDEX_NONE UINT32_MAX

struct name_index;

int name_index_new(struct name_index **out, struct err *e) must_check;
void name_index_free(struct name_index *x); /* NULL is fine */

/* Adds NAME (LEN bytes, borrowed) for VALUE, which is not NAME_INDEX_NONE. If the name is
 * there already, nothing changes. *found: VALUE, or the value that the name had before. 0, -ENOMEM.
 */
int name_index_add(struct name_index *x, uint32_t parent, const char *name, size_t len,
                   uint32_t value, uint32_t *found, struct err *e) must_check;

/* The value of a name of LEN bytes, or NAME_INDEX_NONE. */
uint32_t name_index_find(const struct name_index *x, uint32_t parent, const char *name, size_t len);

#endif
