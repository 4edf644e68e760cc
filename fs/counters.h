/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a mount counts of its own accord, beside the engine's and the source's numbers. Any
 * thread. */
#ifndef FS_COUNTERS_H
#define FS_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "src/err.h"

#define COUNTERS_OPCODES 64u

struct counters {
    _Atomic uint64_t requests[COUNTERS_OPCODES]; /* of the kernel, by their kind */
    _Atomic uint64_t read_bytes;             /* of the package, given to programs */
    _Atomic uint64_t io_errors;              /* requests that programs saw fail with EIO */
    _Atomic uint64_t errors[ERR_KIND_COUNT]; /* of these, why; what the overlay's file system said
                                              * is ERR_SYSTEM */
};

static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline void counters_io_error(struct counters *c, enum err_kind kind)
{
    counter_add(&c->io_errors, 1);
    counter_add(&c->errors[(unsigned)kind < ERR_KIND_COUNT ? kind : ERR_NONE], 1);
}

static inline uint64_t counter_get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
