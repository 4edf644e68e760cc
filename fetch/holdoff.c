/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long a place that failed is left alone. See holdoff.h. */
#include "config.h"

#include "fetch/holdoff.h"

#include "src/compiler.h"

uint32_t holdoff_ms(unsigned failed, uint32_t first_ms, uint32_t most_ms, uint32_t chance)
{
    uint64_t wait = first_ms;

    while (--failed > 0 && wait < most_ms)
        wait *= 2;
    wait = min_u64(wait, most_ms);
    return (uint32_t)(wait - wait / 4 + ((uint64_t)chance * (wait / 2 + 1) >> 32));
}
