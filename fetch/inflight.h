/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * In-flight records: one struct flight for each block that is wanted and not in memory, from the
 * moment it is queued until its bytes are delivered or it failed. Whoever wants the block meanwhile
 * parks a waiter on the record, so that a hundred readers cause one fetch.
 *
 * A record leaves the table before its waiters are answered, on success and on failure alike; the
 * next reader of a block that failed makes a new one and tries again. On success the block has been
 * published in the frames before, hence: who holds the lock and finds neither a record nor a frame
 * may make a record.
 *
 * Everything here needs engine.lock, except flight_finish() and inflight_drop_unwanted(), which
 * take it.
 */
#ifndef FETCH_INFLIGHT_H
#define FETCH_INFLIGHT_H

#include <stdint.h>

#include "fetch/engine.h"
#include "src/compiler.h"
#include "src/err.h"

struct batch;
struct flight;

/* One piece of a read; part of struct engine_read. */
struct waiter {
    struct engine_read *read;
    struct flight *flight; /* engine.lock; the record it is parked on, or NULL */
    struct waiter *next;   /* engine.lock while parked */
    struct waiter *prev;   /* engine.lock while parked */
    uint32_t block, from, len;
    uint32_t frame;        /* a pin of the thread that starts the read */
    bool local;            /* can be read without the network */
    size_t at;             /* where the piece begins in the reply */
};

enum flight_state {
    FLIGHT_QUEUED, /* in a queue of the scheduler, may be taken or dropped */
    FLIGHT_TAKEN,  /* somebody fetches or decodes it and will finish it */
};

struct flight {
    uint32_t block;
    enum flight_state state;
    enum engine_priority prio;
    bool ahead;             /* prefetched; nobody has asked for it so far */
    uint8_t tries;          /* fetched before, with the wrong bytes */
    unsigned place;         /* of the source, that the wrong bytes came from */
    uint64_t stamp;         /* engine.clock when it was queued */
    struct flight *chain;   /* hash bucket */
    struct flight *prev, *next; /* queue */
    struct waiter *first, *last;
    struct batch *batch;    /* the source read that brings it, until its bytes have arrived */
};

struct flight_queue {
    struct flight *head, *last;
    uint32_t count;
};

#define INFLIGHT_BUCKETS 1024u

struct inflight {
    uint32_t count;
    uint32_t ahead; /* flights with AHEAD */
    struct flight *buckets[INFLIGHT_BUCKETS];
};

struct flight *inflight_find(const struct inflight *t, uint32_t block);

/* A new record, FLIGHT_TAKEN, without waiters; NULL without memory. There must be none yet. */
struct flight *inflight_add(struct inflight *t, uint32_t block, bool ahead);

/* Takes a record out of the table and frees it; it must have no waiters and not be queued. */
void inflight_drop(struct inflight *t, struct flight *f);

/* Parks W on F; a prefetched block becomes a wanted one. */
void flight_attach(struct inflight *t, struct flight *f, struct waiter *w);
void waiter_detach(struct waiter *w);

/* Whether anybody would miss it. */
static inline bool flight_is_wanted(const struct flight *f)
{
    return f->first || f->ahead;
}

/*
 * Ends a record of the caller's (FLIGHT_TAKEN, no source read under way): takes it out of the
 * table, frees it and answers everybody who waits: with DATA, the decoded block, which must stay
 * valid during the call, or with STATUS and E. Returns how many were answered. Takes engine.lock.
 */
uint32_t flight_finish(struct engine *en, struct flight *f, int status, const uint8_t *data,
                       const struct err *e);

/* The same for a record nobody waits for; false when somebody does. Takes engine.lock. */
bool inflight_drop_unwanted(struct engine *en, struct flight *f);

/* Whether somebody waits for a record of the caller's. Takes engine.lock. */
bool flight_is_awaited(struct engine *en, const struct flight *f);

#endif
