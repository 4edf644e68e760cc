/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A batch: in-flight records that are decoded together, in order of their stored bytes. Any number
 * of threads may work on one at the same time; each takes the next blocks until none is left.
 *
 * The stored bytes come either with one source read that the scheduler makes (remote), whose blocks
 * are decoded as they arrive, or are read in place, a few neighbours at a time, by whoever decodes
 * them (local: from an immediate source or the disk cache).
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
    _Atomic uint32_t ready;   /* entries before this one may be taken; remote: written with
                                 engine.lock, and their flights no longer name this batch */
    uint32_t count;
    uint32_t group_max;       /* local: blocks a worker takes at a time */

    /* Remote. */
    struct source_read io;    /* io.buf is of engine.transit */
    uint64_t stamp;           /* engine.clock when it was made */
    enum read_rank rank;      /* engine.lock */
    bool cancelled;           /* engine.lock; nobody wants it any more */
    struct batch *prev, *next;    /* engine.lock; engine.reading */
    struct batch *cancel_next;    /* of the thread that cancels */
    struct batch *promote_next;   /* of the thread that promotes */
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

/* Lets workers take all entries: of a batch whose bytes are read in place. */
static inline void batch_open(struct batch *b)
{
    atomic_store_explicit(&b->ready, b->count, memory_order_relaxed);
}

/* Where the stored bytes of entry I end in a remote batch's buffer. */
size_t batch_entry_end(const struct batch *b, uint32_t i);

/* Decodes entries that are ready until none is left for this thread; every record taken is finished
 * or queued again. WS may be NULL (there was no memory for it): the records then fail. */
void batch_work(struct batch *b, struct workspace *ws);

/* Ends the records of the entries from FROM on, which nobody may take any more. */
void batch_fail(struct batch *b, uint32_t from, int status, const struct err *e);

void batch_put(struct batch *b);

#endif
