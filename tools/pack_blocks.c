/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading and encoding on all threads, writing in order: tools/ordered.h does the rest. */
#include "config.h"

#include "tools/pack_blocks.h"

#include <string.h>

#include "tools/ordered.h"
#include "tools/pack_reader.h"

struct slot {
    uint32_t stored_len;
    uint8_t codec;
    uint8_t hash[BLOCK_HASH_SIZE];
    uint8_t bytes[]; /* raw, then encoded: a block size each */
};

struct encoder {
    const struct pack_encode *job;
    struct block *blocks;
    uint64_t offset; /* of the next block */
    uint64_t done;
};

struct worker {
    struct codec_context *ctx;
    struct pack_reader reader;
};

static int begin(void *arg, void **thread, struct err *e)
{
    const struct encoder *en = arg;
    struct worker *w = calloc(1, sizeof *w);
    if (!w || codec_context_new(&w->ctx)) {
        free(w);
        return err_nomem(e);
    }
    w->reader = pack_reader_of(en->job->tree);
    *thread = w;
    return 0;
}

static void end(void *arg, void *thread)
{
    struct worker *w = thread;
    (void)arg;
    pack_reader_close(&w->reader);
    codec_context_free(w->ctx);
    free(w);
}

static int encode(void *arg, void *thread, uint32_t index, void *slot, struct err *e)
{
    const struct encoder *en = arg;
    const struct pack_encode *job = en->job;
    const struct pack_block *b = &job->plan->blocks[index];
    struct worker *w = thread;
    struct slot *s = slot;
    uint8_t *raw = s->bytes, *packed = raw + job->block_size;
    int rc = pack_reader_block(&w->reader, job->plan, index, raw, e);
    if (rc)
        return rc;
    long n = job->dictionary
                 ? codec_encode_with(w->ctx, job->dictionary, raw, b->len, packed, e)
                 : codec_encode(w->ctx, job->codec, job->level, raw, b->len, packed, e);
    if (n < 0)
        return (int)n;
    s->codec = n ? (uint8_t)job->codec : CODEC_NONE;
    s->stored_len = n ? (uint32_t)n : b->len;
    uint8_t sha[32];
    if (codec_sha256(w->ctx, n ? packed : raw, s->stored_len, sha))
        return err_nomem(e);
    memcpy(s->hash, sha, sizeof s->hash);
    return 0;
}

static int take(void *arg, uint32_t index, void *slot, struct err *e)
{
    struct encoder *en = arg;
    const struct pack_encode *job = en->job;
    const struct slot *s = slot;
    struct block *b = &en->blocks[index];
    *b = (struct block){ .offset = en->offset, .stored_len = s->stored_len,
                         .len = job->plan->blocks[index].len, .codec = s->codec };
    memcpy(b->hash, s->hash, sizeof s->hash);
    const uint8_t *stored = s->codec == CODEC_NONE ? s->bytes : s->bytes + job->block_size;
    int rc = job->write(job->arg, stored, s->stored_len, e);
    en->offset += s->stored_len;
    en->done += b->len;
    return rc ? rc : job->tick(job->arg, en->done, e);
}

int pack_encode_blocks(const struct pack_encode *job, uint64_t offset, struct block *blocks,
                       struct err *e)
{
    struct encoder en = { .job = job, .blocks = blocks, .offset = offset };
    const struct ordered o = {
        .count = job->plan->block_count,
        .jobs = job->jobs,
        .slot_bytes = sizeof(struct slot) + (size_t)2 * job->block_size,
        .begin = begin,
        .end = end,
        .work = encode,
        .take = take,
        .arg = &en,
    };
    return ordered_run(&o, e);
}
