/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Other versions of a package in the disk cache whose blocks it shares: the same bytes by hash and
 * length. After an upgrade, most blocks are there already. Donors are held while they are used, so
 * that nobody removes them; nothing is written to them but that a block of theirs is bad.
 */
#ifndef FETCH_CACHE_DONOR_H
#define FETCH_CACHE_DONOR_H

#include <stdint.h>

#include "fetch/cache_dir.h"
#include "fetch/cache_index.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

struct cache_donors;

/*
 * Looks for versions of P's package other than OWN (the name of its directory) that have blocks
 * which INDEX does not know. *out is NULL when there are none; what is wrong with one of them is no
 * error. Takes the time of reading their metadata.
 */
int cache_donors_open(struct cache_dir *d, const struct package *p, const char *own,
                      const struct cache_index *index, struct cache_donors **out,
                      struct err *e) must_check;
void cache_donors_close(struct cache_donors *ds); /* NULL is fine, in all of these */

/* Whether a donor has BLOCK (numbered as in P). Any thread. */
bool cache_donors_have(struct cache_donors *ds, uint32_t block);

/* How many blocks from FIRST on, COUNT at the most, lie in one donor as they do in P. */
uint32_t cache_donors_run(struct cache_donors *ds, uint32_t first, uint32_t count);

/* Reads blocks [first, first + count), such a run, of LEN bytes together. -ENODATA or another
 * negative errno. Any thread. */
int cache_donors_read(struct cache_donors *ds, uint32_t first, size_t len, void *buf) must_check;

/* What was read for BLOCK was wrong, or could not be read: no more from there. True if there was a
 * donor. */
bool cache_donors_drop(struct cache_donors *ds, uint32_t block);

#endif
