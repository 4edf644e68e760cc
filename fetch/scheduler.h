/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The scheduler: which of the queued records is fetched next, together with which neighbours.
 *
 * Highest priority first, oldest first within one. Around the chosen block, queued blocks whose
 * stored bytes adjoin (for demand: or are apart by no more than merge_gap) join the same source read,
 * as far as they begin in the same slice of the container: so clients that read the same things ask
 * for the same ranges, which caches between them and the server can hold. Reads that serve no demand
 * get few places and stand back at the source, until somebody wants a block of theirs. It has no
 * thread: whoever queues something or gives back what a read needs calls scheduler_dispatch().
 *
 * For an immediate source only prefetched blocks are queued; the decoders work them off.
 */
#ifndef FETCH_SCHEDULER_H
#define FETCH_SCHEDULER_H

#include "fetch/engine_impl.h"

/* Queues a record that is in nobody's hands. Needs en->lock. */
void scheduler_push(struct engine *en, struct flight *f, enum engine_priority prio);

/* Queues a record of the caller's once more, or forgets it if nobody wants it any more. No lock may
 * be held. */
void scheduler_requeue(struct engine *en, struct flight *f);

/* Takes a queued record into the caller's hands. Needs en->lock. */
void scheduler_unqueue(struct engine *en, struct flight *f);

/* Starts as many source reads as may be under way. No lock may be held. Never blocks. */
void scheduler_dispatch(struct engine *en);

/*
 * F has lost a waiter. If nobody wants it now, it is dropped from the queue; if it was the last of
 * a source read that somebody wanted, that read is put on *CANCEL. Needs en->lock.
 */
void scheduler_abandon(struct engine *en, struct flight *f, struct batch **cancel);

/* Somebody waits for F now: a source read that was to bring it for nobody is put on *PROMOTE. Needs
 * en->lock. */
void scheduler_promote(struct engine *en, struct flight *f, struct batch **promote);

/* Has the source reads on the list served like those for demand. No lock may be held. */
void scheduler_promote_reads(struct engine *en, struct batch *promote);

/* Queues a record of the caller's whose bytes, from PLACE, were not the right ones, unless it has
 * been fetched as often as makes sense. No lock may be held. */
bool scheduler_retry(struct engine *en, struct flight *f, unsigned place);

/* Puts every source read under way on *CANCEL. Needs en->lock. */
void scheduler_collect_reads(struct engine *en, struct batch **cancel);

/* Cancels the source reads on the list. No lock may be held. */
void scheduler_cancel_reads(struct engine *en, struct batch *cancel);

/* Fails every queued record that was queued before STAMP. No lock may be held. */
void scheduler_fail_queued(struct engine *en, uint64_t stamp, int status, const struct err *e);

/* Job of engine.pump: decodes queued blocks of an immediate source. */
void scheduler_pump(struct job *job, struct workspace *ws);

/* Invites decoders to it. No lock may be held. */
void scheduler_start_pump(struct engine *en);

#endif
