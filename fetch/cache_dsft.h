/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A differential SFT into the disk cache: its metadata and blocks become those of the new version,
 * and what it leaves out is taken from other versions in the cache that have the same blocks. No
 * server is asked for anything but the differential SFT itself.
 */
#ifndef FETCH_CACHE_DSFT_H
#define FETCH_CACHE_DSFT_H

#include "fetch/cache.h"
#include "fetch/source.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/sftlayout.h"

struct cache_dsft_result {
    struct sft_dsft header;
    uint32_t new_blocks;     /* of the differential SFT, that are cached now */
    uint32_t kept_blocks;    /* of the old version, that are cached for the new one now */
    uint32_t missing_blocks; /* of the old version, that the cache lacks: to be fetched later */
};

/* Told now and then how many of all blocks have been looked at; a negative result ends it. */
typedef int (*cache_dsft_step_fn)(void *arg, uint32_t done, uint32_t total, struct err *e);

/*
 * Takes the differential SFT at LOCATION in. Every block is verified. Fails when the cache takes no
 * more (ERR_SYSTEM); what was stored until then stays and is not asked for again the next time. A
 * damaged block of the old version is dropped and counts as missing. STEP may be NULL. Blocks.
 */
int cache_dsft_import(struct cache_dir *d, const char *location,
                      const struct source_options *connection, cache_dsft_step_fn step, void *arg,
                      struct cache_dsft_result *out, struct err *e) must_check;

#endif
