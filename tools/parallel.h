/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A loop over independent pieces of work on several threads, and the stop flag that ends it early.
 */
#ifndef TOOLS_PARALLEL_H
#define TOOLS_PARALLEL_H

#include <stdatomic.h>

#include "src/codec.h"
#include "src/compiler.h"
#include "src/err.h"

/* Does piece INDEX; CTX belongs to the calling thread. Called from any thread. */
typedef int (*parallel_fn)(void *arg, struct codec_context *ctx, size_t index, struct err *e);

/* Called from the thread that called parallel_for(), every now and then, with the number of pieces
 * finished; a negative result ends the loop and becomes its result. */
typedef int (*parallel_tick_fn)(void *arg, size_t done, struct err *e);

/*
 * Runs FN for 0 .. COUNT - 1 on JOBS threads, in ascending order of start. Returns 0 when all
 * succeeded; otherwise the first error, after every thread has ended. TICK may be NULL.
 */
int parallel_for(unsigned jobs, size_t count, parallel_fn fn, parallel_tick_fn tick, void *arg,
                 struct err *e) must_check;

#endif
