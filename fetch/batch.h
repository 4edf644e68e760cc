/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A batch: in-flight records that are decoded together, in order of their stored bytes. Any number
 * of threads may work on one at the same time; each takes the next blocks until none is left.
 *
 * The stored bytes come either with one source read that the scheduler makes before (remote), or
 * are read in place, a few neighbours at a time, by whoever decodes them (immediate source).
 */
#ifndef FETCH_BATCH_H
#define FETCH_BATCH_H

#include <stdint.h>

#include "fetch/decoders.h"
#include "fetch/engine_impl.h"
#include "fetch/source.h"

struct batch_entry {
    uint32_t block;
    struct flight *flight; /* its worker's, once taken; before that, the batch's */
};

struct batch {
    struct job job; /* first member: counted reference, decoding in the pool */
    struct engine *engine;
    _Atomic uint32_t taken;   /* entries before this one belong to some worker */
    uint32_t count;
    uint32_t group_max;       /* immediate: blocks a worker takes at a time */

    /* Remote. */
    struct source_read io;    /* io.buf is of engine.transit */
    uint64_t stamp;           /* engine.clock when it was made */
    bool low;                 /* not for demand */
    bool cancelled;           /* engine.lock; nobody wants it any more */
    struct batch *prev, *next;    /* engine.lock; engine.reading */
    struct batch *cancel_next;    /* of the thread that cancels */
    pthread_mutex_t cancel_lock;  /* recursive: the source may complete a read while starting or
                                     cancelling it; what follows is then done after unlocking */
    bool started, returned, cancel_early; /* cancel_lock */
    bool inside, deferred;        /* cancel_lock; in a call of the source; completed meanwhile */
    int status;                   /* of a deferred completion */
    struct err err;

    struct batch_entry entries[];
};

/* Room for CAPACITY entries, none in it; NULL without memory. One reference, for the caller. */
struct batch *batch_new(struct engine *en, uint32_t capacity);

static inline void batch_add(struct batch *b, struct flight *f)
{
    b->entries[b->count++] = (struct batch_entry){ .block = f->block, .flight = f };
}

/* Decodes entries until none is left for this thread; every record taken is finished. WS may be
 * NULL (there was no memory for it): the records then fail. */
void batch_work(struct batch *b, struct workspace *ws);

/* Ends all records of a batch that nobody has begun to work on. */
void batch_fail(struct batch *b, int status, const struct err *e);

void batch_put(struct batch *b);

#endif
