/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbered pieces of work, done by several threads and taken in order: the result does not depend on
 * the threads. A few results a thread are in memory at any time, however many pieces there are.
 */
#ifndef TOOLS_ORDERED_H
#define TOOLS_ORDERED_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

struct ordered {
    uint32_t count;    /* of pieces */
    unsigned jobs;     /* threads; 0 is taken as 1 */
    size_t slot_bytes; /* of a result */

    /* What one thread keeps from piece to piece, in *thread. */
    int (*begin)(void *arg, void **thread, struct err *e);
    void (*end)(void *arg, void *thread);
    /* Does piece INDEX into SLOT, which holds what an earlier piece left there, or zeros. */
    int (*work)(void *arg, void *thread, uint32_t index, void *slot, struct err *e);
    /* Takes the result of the next piece. Called from the thread that called ordered_run(). */
    int (*take)(void *arg, uint32_t index, void *slot, struct err *e);
    void *arg;
};

/* 0, or the first error of any of these functions, after every thread has ended. Blocks. */
int ordered_run(const struct ordered *o, struct err *e) must_check;

#endif
