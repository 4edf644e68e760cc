/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compiler attributes, scope-bound clean-up and overflow-checked arithmetic: the few lines of
 * language extension that every module uses.
 */
#ifndef SRC_COMPILER_H
#define SRC_COMPILER_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define must_check       __attribute__((warn_unused_result))
#define printf_like(f,a) __attribute__((format(printf, f, a)))
#define cold_path        __attribute__((cold))

#define ARRAY_LEN(a) (sizeof(a) / sizeof(*(a)))

/* Releases at the end of the scope; errno is kept, so that they are safe on error paths. */
static inline void cleanup_free(void *p)
{
    int saved = errno;
    free(*(void **)p);
    errno = saved;
}

static inline void cleanup_close(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        (void)close(*fd); /* nothing was written through these, so there is no error to lose */
    errno = saved;
}

#define auto_free  __attribute__((cleanup(cleanup_free)))
#define auto_close __attribute__((cleanup(cleanup_close)))

/* Hands *pp to the caller and leaves NULL behind: a transfer of ownership out of auto_free. */
#define steal_ptr(pp)                    \
    __extension__({                      \
        __typeof__(*(pp)) stolen_ = *(pp); \
        *(pp) = NULL;                    \
        stolen_;                         \
    })

/* True on overflow; *out is then unspecified. */
#define add_overflows(a, b, out) __builtin_add_overflow(a, b, out)
#define mul_overflows(a, b, out) __builtin_mul_overflow(a, b, out)

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#endif
