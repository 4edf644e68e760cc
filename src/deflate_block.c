/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zlib, because libdeflate has no streams and so always ends one. See deflate_block.h. */
#include "config.h"

#include "src/deflate_block.h"

#include <zlib.h>

#define MEMORY_LEVEL 8 /* zlib's default, which its bound is for */

const uint8_t deflate_end_mark[2] = { 0x03, 0x00 };

struct deflater {
    z_stream z;
};

int deflater_new(int level, struct deflater **out, struct err *e)
{
    struct deflater *d = calloc(1, sizeof *d);

    if (!d || deflateInit2(&d->z, level, Z_DEFLATED, -MAX_WBITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(d);
        return err_nomem(e);
    }
    *out = d;
    return 0;
}

void deflater_free(struct deflater *d)
{
    if (!d)
        return;
    (void)deflateEnd(&d->z); /* fails for what is in the middle of something, and frees it */
    free(d);
}

size_t deflate_block_max(size_t len)
{
    return len + len / 8 + 64; /* above deflateBound() and the mark of the flush */
}

size_t deflate_block(struct deflater *d, const void *data, size_t len, void *out)
{
    union { /* zlib does not write to its input; its declaration only lacks the const */
        const void *in;
        Bytef *next;
    } input = { data };
    size_t max = deflate_block_max(len);

    (void)deflateReset(&d->z); /* fails for an invalid stream only, as does deflate() here */
    d->z.next_in = input.next;
    d->z.avail_in = (uInt)len;
    d->z.next_out = out;
    d->z.avail_out = (uInt)max;
    (void)deflate(&d->z, Z_FULL_FLUSH);
    return max - d->z.avail_out;
}

uint32_t deflate_crc32_join(uint32_t first, uint32_t second, uint64_t second_len)
{
    return (uint32_t)crc32_combine(first, second, (z_off_t)second_len);
}
