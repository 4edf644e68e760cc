/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checked little-endian cursor over memory that came from outside. Every read is bounded; the first
 * one that does not fit sets FAILED and from then on all reads return zero, so a parser checks once
 * after a group of reads. No parser does pointer arithmetic of its own.
 */
#ifndef SRC_CURSOR_H
#define SRC_CURSOR_H

#include <stdint.h>
#include <string.h>

#include "src/compiler.h"

struct cursor {
    const uint8_t *start, *p, *end;
    bool failed;
};

static inline struct cursor cursor_over(const void *data, size_t len)
{
    const uint8_t *d = data;
    return (struct cursor){ .start = d, .p = d, .end = d + len };
}

static inline size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->p);
}

static inline uint64_t cursor_offset(const struct cursor *c)
{
    return (uint64_t)(c->p - c->start);
}

/* The next N bytes, or NULL (and FAILED) when fewer are left. Borrowed from the input. */
static inline const uint8_t *cursor_bytes(struct cursor *c, uint64_t n)
{
    if (c->failed || n > cursor_left(c)) {
        c->failed = true;
        return NULL;
    }
    const uint8_t *at = c->p;
    c->p += n;
    return at;
}

static inline uint64_t cursor_le(struct cursor *c, unsigned bytes)
{
    const uint8_t *at = cursor_bytes(c, bytes);
    uint64_t v = 0;
    if (at)
        for (unsigned i = bytes; i-- > 0;)
            v = v << 8 | at[i];
    return v;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
    return (uint8_t)cursor_le(c, 1);
}

static inline uint16_t cursor_u16(struct cursor *c)
{
    return (uint16_t)cursor_le(c, 2);
}

static inline uint32_t cursor_u32(struct cursor *c)
{
    return (uint32_t)cursor_le(c, 4);
}

static inline uint64_t cursor_u64(struct cursor *c)
{
    return cursor_le(c, 8);
}

#endif
