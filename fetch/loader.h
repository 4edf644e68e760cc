/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loader: brings the launch set of a mounted package, or all of it, below what readers want. It
 * keeps the engine's queue of blocks to fetch ahead filled, in the order of need, which the engine
 * makes into few large requests; when fetching fails it rests, the longer the more often, and then
 * takes up what is still missing. One thread, which ends when there is nothing to do.
 */
#ifndef FETCH_LOADER_H
#define FETCH_LOADER_H

#include <stdint.h>

#include "fetch/cache.h"
#include "fetch/engine.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

struct loader;

/* What is to be loaded; each includes the one before. */
enum loader_goal { LOADER_NOTHING, LOADER_LAUNCH, LOADER_ALL };

struct loader_options {
    struct engine *engine;         /* this and the next two are borrowed */
    const struct package *package;
    struct cache *cache;           /* NULL: the launch set goes to memory, and there is no more */
    const struct block_run *launch_runs; /* copied; NULL: the package's own launch set */
    size_t launch_run_count;
    bool metered; /* the link is paid by volume: nothing beyond the launch set */
};

/* Loads nothing yet. ERR_INVALID for a run outside the package. */
int loader_new(const struct loader_options *o, struct loader **out, struct err *e) must_check;

/* Ends the thread, then frees. NULL is fine. Before the engine is freed. */
void loader_free(struct loader *l);

/*
 * From now on this is wanted; LOADER_NOTHING stops it. Any thread. ERR_UNSUPPORTED for LOADER_ALL
 * without a disk cache or on a metered link, ERR_SYSTEM when there is no thread to be had.
 */
int loader_set_goal(struct loader *l, enum loader_goal goal, struct err *e) must_check;

/* Ends a rest: the network may be back. Any thread. NULL is fine. */
void loader_wake(struct loader *l);

enum loader_state {
    LOADER_IDLE,     /* nothing is wanted */
    LOADER_LOADING,
    LOADER_RESTING,  /* fetching failed; goes on by itself */
    LOADER_STOPPED,  /* the disk cache takes no more */
    LOADER_DONE
};

struct loader_status {
    enum loader_goal goal;
    enum loader_state state;
    uint32_t launch_blocks, launch_done; /* of the launch set: in all, and at hand */
    uint64_t launch_bytes, launch_bytes_done; /* stored bytes of these */
    uint32_t blocks, done;               /* the same of the whole package */
    uint64_t bytes, bytes_done;
    uint64_t rest_ms;                    /* RESTING: for so long still */
    uint64_t failures;                   /* blocks that could not be fetched so far */
};

const char *loader_goal_name(enum loader_goal goal);
const char *loader_state_name(enum loader_state state);

/* Goes through all blocks (some milliseconds for a million). Any thread. */
void loader_get_status(struct loader *l, struct loader_status *out);

#endif
