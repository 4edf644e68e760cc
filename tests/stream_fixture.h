/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes, and the deflate streams that they are compressed to, for tests of fetch/inflater.c and what is above. */
#ifndef TESTS_STREAM_FIXTURE_H
#define TESTS_STREAM_FIXTURE_H

#include <stdint.h>
#include <zlib.h>

#include "src/package.h"
#include "tests/unit.h"

#define STREAM_LEN (5u * 1024u * 1024u + 777u)

/* Text that compresses to something, and differs everywhere. */
static inline uint8_t *stream_plain(uint32_t seed)
{
    uint8_t *p = malloc(STREAM_LEN);
    uint32_t x = seed;

    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    for (uint32_t i = 0; i < STREAM_LEN; i++) {
        x = x * 1664525u + 1013904223u;
        p[i] = "abcdefghijklmnop"[x >> 28];
    }
    return p;
}

/* PLAIN as one raw deflate stream, in memory of its own. */
static inline uint8_t *stream_deflate(const uint8_t *plain, size_t *len)
{
    z_stream z = { .next_in = (uint8_t *)(uintptr_t)plain, .avail_in = STREAM_LEN };
    uint8_t *out = malloc(STREAM_LEN);

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    CU_ASSERT_EQUAL_FATAL(deflateInit2(&z, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = out;
    z.avail_out = STREAM_LEN;
    CU_ASSERT_EQUAL_FATAL(deflate(&z, Z_FINISH), Z_STREAM_END);
    *len = z.total_out;
    (void)deflateEnd(&z);
    return out;
}

#endif
