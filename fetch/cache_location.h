/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What leads from a location to a package version in the disk cache: a small file for each, named
 * by a hash of the location, since a URL may hold secrets (fetch/cache-format.md). The functions
 * are in cache_dir.h; here is what the rest of the cache needs besides.
 */
#ifndef FETCH_CACHE_LOCATION_H
#define FETCH_CACHE_LOCATION_H

#include "fetch/cache_dir.h"

/* Removes whatever leads to version NAME, and what processes that died have left. */
void cache_location_forget(struct cache_dir *d, const char *name);

/* Whether NAME can be that of a version's directory. */
bool cache_name_is_valid(const char *name);

/* Whether the word of user OWNER is taken for what leads where (cache_dir.h). */
bool cache_owner_is_trusted(const struct cache_dir *d, uid_t owner);

#endif
