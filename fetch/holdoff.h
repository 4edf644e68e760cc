/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long a place that failed is left alone: 1 s after the first failure, twice as long after each
 * further one in a row, up to 2 minutes; 10 minutes, when it has another object than the one wanted
 * while others may have the right one, or is of a kind that is not supported. Each of them up to a quarter longer or shorter by chance,
 * so that many clients of a server that comes back do not all come back at one moment. Pure: no
 * clock, no random numbers.
 */
#ifndef FETCH_HOLDOFF_H
#define FETCH_HOLDOFF_H

#include <stdint.h>

enum {
    HOLDOFF_FIRST_MS = 1000,
    HOLDOFF_MOST_MS = 120 * 1000,
    HOLDOFF_REFUSED_MS = 600 * 1000,
};

/* The wait after FAILED failures in a row (at least 1), when FIRST_MS is the first one's and
 * MOST_MS the longest. CHANCE: any number, evenly distributed. */
uint32_t holdoff_ms(unsigned failed, uint32_t first_ms, uint32_t most_ms, uint32_t chance);

#endif
