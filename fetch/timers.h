/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Points in time, the next one first: a pairing heap whose nodes are members of the caller's own
 * structs, so that setting a timer needs no memory and cannot fail. Setting takes constant time,
 * clearing logarithmic time on average. Pure; not for several threads at once.
 */
#ifndef FETCH_TIMERS_H
#define FETCH_TIMERS_H

#include <stdint.h>

#include "src/compiler.h"

/* Zero-initialise; must stay where it is while it is set. */
struct timer {
    uint64_t at_ms; /* whatever clock the caller uses */
    bool set;
    struct timer *child, *next, *prev; /* prev: the left sibling, or else the parent */
};

struct timers {
    struct timer *root;
};

/* Sets T to AT_MS, whether it was set before or not. */
void timers_set(struct timers *all, struct timer *t, uint64_t at_ms);

/* Takes T out if it is set. */
void timers_clear(struct timers *all, struct timer *t);

/* The one with the smallest at_ms, any of several; NULL when none is set. */
static inline struct timer *timers_first(const struct timers *all)
{
    return all->root;
}

#endif
