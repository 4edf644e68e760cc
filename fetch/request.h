/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads: a list of pieces that becomes one run of bytes and one call of DONE. Each piece is settled
 * exactly once, from a frame, by the record it is parked on, or by a failure; whoever settles the
 * last one finishes the read. A read of one piece needs no buffer: DONE gets the bytes where they
 * were decoded.
 *
 * Reads whose reply does not fit into its share of memory wait in line (admission); whoever gives a
 * reply buffer back lets the next ones in.
 */
#ifndef FETCH_REQUEST_H
#define FETCH_REQUEST_H

#include <stdint.h>

#include "fetch/engine.h"
#include "fetch/inflight.h"

/* engine_read() with a destination of the caller's (all the bytes of the pieces; NULL for none),
 * in which case DONE's BUF may be DEST or not. */
void request_start(struct engine *en, const struct piece *pieces, size_t count, uint8_t *dest,
                   engine_done_fn done, void *arg, struct engine_read **handle);

/* Settles the piece W, which is parked on nothing any more: BLOCK is the decoded block when STATUS
 * is 0. May finish and free the read. No lock may be held. */
void request_answer(struct waiter *w, int status, const uint8_t *block, const struct err *e);

/* Fails every read that has waited for admission since before STAMP. No lock may be held. */
void request_fail_unadmitted(struct engine *en, uint64_t stamp, int status, const struct err *e);

#endif
