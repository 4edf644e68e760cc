/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clock that measures spans of time: it goes on evenly whatever is done to the date. */
#ifndef SRC_CLOCK_H
#define SRC_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds since some moment in the past, the same for all processes of a machine. */
static inline uint64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#endif
