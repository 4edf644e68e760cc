/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decoders: the pool of threads that verify and decode, and the workspaces decoding needs (codec
 * context, staging buffer, spare block), which threads from outside borrow when they decode in
 * place.
 *
 * Threads start when the first job comes and no thread is idle, never before. Jobs of normal rank
 * go before those of low rank; within a rank first come, first served. One job can be worked on by
 * several threads at once (its shares).
 */
#ifndef FETCH_DECODERS_H
#define FETCH_DECODERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "fetch/budget.h"
#include "src/codec.h"
#include "src/compiler.h"

struct decoders;

struct workspace {
    struct workspace *next;
    struct codec_context *codec;
    uint8_t *staging; /* staging_bytes of the pool; stored blocks are read into it */
    uint8_t *spare;   /* one block, for when no frame is free */
};

/* Embedded in what is to be done. Counted: the pool holds a reference while the job is queued or
 * runs; the last job_put() calls FREE. */
struct job {
    void (*run)(struct job *job, struct workspace *ws);
    void (*free)(struct job *job);
    _Atomic unsigned refs;
    bool low;            /* rank */
    unsigned shares;     /* of the pool: threads still to be invited; 0 = not queued */
    struct job *next;    /* of the pool */
};

void job_init(struct job *job, void (*run)(struct job *, struct workspace *),
              void (*free)(struct job *));
void job_get(struct job *job);
void job_put(struct job *job);

struct decoders_options {
    unsigned threads;       /* at least 1 */
    unsigned workspaces;    /* in all, the threads' own included; more than THREADS */
    uint32_t block_size;
    uint32_t staging_bytes; /* 0: workspaces have no staging buffer */
};

/* Bytes one workspace takes from the budget: buffers, and an estimate for the codecs' state. */
uint64_t workspace_bytes(uint32_t block_size, uint32_t staging_bytes);

int decoders_new(const struct decoders_options *o, struct budget *budget, struct decoders **out)
    must_check;

/* Runs what is queued, joins the threads. No workspace may be borrowed. NULL is fine. */
void decoders_free(struct decoders *d);

/*
 * Invites up to SHARES (at least 1) threads to run JOB. False when there is no thread and none can
 * be started: the caller then has to run it itself. A job that is queued already gets its shares
 * raised to SHARES. Never blocks.
 */
bool decoders_submit(struct decoders *d, struct job *job, unsigned shares) must_check;

/* Takes back the invitations that nobody has followed yet. */
void decoders_withdraw(struct decoders *d, struct job *job);

/* Whether a job of normal rank waits for a thread. */
bool decoders_busy(struct decoders *d);

/* How many threads have nothing to do, those not started yet included. */
unsigned decoders_spare(struct decoders *d);

/* Borrows a workspace, waiting for one if all are out; NULL if there is no memory for the first.
 * Whoever holds one must not wait for anything but disk reads. */
struct workspace *decoders_borrow(struct decoders *d);
void decoders_return(struct decoders *d, struct workspace *ws);

uint32_t decoders_staging_bytes(const struct decoders *d);

#endif
