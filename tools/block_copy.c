/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying of stored blocks. See block_copy.h. */
#include "config.h"

#include "tools/block_copy.h"

#include "src/codec.h"

#define BATCH_BYTES (1u << 20) /* above STORED_LEN_MAX, so that one block always fits */

struct batch {
    uint32_t count;
    size_t bytes;
};

/* Blocks from FIRST on whose stored forms are neighbours, MAX at most. */
static struct batch batch_at(const struct package *p, uint32_t first, uint32_t max)
{
    const struct block *b = package_block(p, first);
    struct batch batch = { .count = 1, .bytes = b->stored_len };

    while (batch.count < max) {
        const struct block *next = package_block(p, first + batch.count);
        if (next->offset != b->offset + batch.bytes ||
            batch.bytes + next->stored_len > BATCH_BYTES)
            break;
        batch.bytes += next->stored_len;
        batch.count++;
    }
    return batch;
}

int block_copy(const struct block_copy *c, uint32_t first, uint32_t count, struct err *e)
{
    auto_free uint8_t *stored = malloc(BATCH_BYTES + BLOCK_SIZE_MAX);
    struct codec_context *ctx = NULL;
    int rc = stored && !codec_context_new(&ctx) ? 0 : err_nomem(e);

    for (uint32_t done = 0; !rc && done < count;) {
        struct batch batch = batch_at(c->package, first + done, count - done);
        uint64_t base = package_block(c->package, first + done)->offset;
        rc = source_read_sync(c->source, base + c->moved, stored, batch.bytes, e);
        for (uint32_t i = 0; !rc && i < batch.count; i++, done++) {
            const struct block *b = package_block(c->package, first + done);
            const uint8_t *at = stored + (b->offset - base);
            rc = package_decode_block(c->package, first + done, at, ctx, stored + BATCH_BYTES, e);
            if (!rc)
                rc = c->write(c->arg, at, b->stored_len, e);
        }
    }
    codec_context_free(ctx);
    return rc;
}
