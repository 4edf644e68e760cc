/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine's own struct, shared by the files that make it up: engine.c (life, interface),
 * request.c (reads), inflight.c (records), scheduler.c (queue, source reads), batch.c (verify and
 * decode).
 *
 * Locks, outermost first; none is held over I/O, decoding, copying or a callback:
 *   batch.cancel_lock    recursive, one per source read: orders source_start(), source_cancel() and
 *                        the completion of that read; nobody else ever waits for it
 *   engine.admission_lock
 *   engine.lock          the in-flight records, their queues and waiters, batches under way
 *   leaves: engine.ahead_lock, only ever tried; those inside frames, buffers and decoders
 */
#ifndef FETCH_ENGINE_IMPL_H
#define FETCH_ENGINE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "fetch/ahead.h"
#include "fetch/budget.h"
#include "fetch/cache.h"
#include "fetch/decoders.h"
#include "fetch/engine.h"
#include "fetch/frames.h"
#include "fetch/inflight.h"

#define ENGINE_PRIORITIES 4

struct batch;

/* What a source read is for. */
enum read_rank {
    READ_DEMAND, /* somebody waits */
    READ_AHEAD,  /* a reader in order, who soon will */
    READ_LOW,    /* launch set, background */
    READ_RANKS
};

struct engine {
    const struct package *package;
    const struct package_info *info;
    struct source *source;
    struct engine_options o; /* defaults filled in, limits applied */
    bool immediate;
    uint32_t group;          /* blocks a thread decodes before it looks who else could */
    uint32_t ahead_max;      /* blocks fetched ahead and unused, once no frame is vacant */
    uint32_t ahead_queue;    /* with a disk cache: such blocks queued or on their way */

    struct budget budget;
    struct buffers replies;
    struct buffers transit;
    struct frames *frames;
    struct decoders *decoders;

    pthread_mutex_t lock;
    pthread_cond_t ended;                           /* lock; something ended while stopping */
    struct inflight inflight;                       /* lock */
    struct flight_queue queues[ENGINE_PRIORITIES];  /* lock */
    uint64_t clock;        /* lock; counts events, orders waiting by age */
    struct batch *reading; /* lock; source reads under way */
    unsigned reads;        /* lock; how many */
    unsigned ranks[READ_RANKS]; /* lock; of these, by rank */
    unsigned callbacks;    /* lock; source reads whose completion has not returned */
    bool dispatching;      /* lock; a thread is in scheduler_dispatch() */
    bool stopping;         /* lock */
    struct job pump;       /* decodes what was prefetched from an immediate source */

    pthread_mutex_t admission_lock;
    struct engine_read *admission_head, *admission_last; /* admission_lock */
    bool admitting;                                      /* admission_lock */
    _Atomic unsigned admission_count;                    /* written under admission_lock */

    pthread_mutex_t ahead_lock;
    struct ahead ahead; /* ahead_lock */

    _Atomic unsigned readers; /* threads from outside that decode in place */
    _Atomic uint64_t misses, joined, decoded_blocks, decoded_bytes, errors, cancelled, waiting;
    _Atomic uint64_t bad_blocks, ahead_errors, disk_blocks, disk_bad_blocks, stored_ahead;
};

static inline void count_up(_Atomic uint64_t *counter, uint64_t n)
{
    (void)atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* A reader uses blocks [first, first + count): fetches ahead of it if it goes in order. No lock may
 * be held. Never blocks. */
void engine_note_use(struct engine *en, uint32_t first, uint32_t count);

#endif
