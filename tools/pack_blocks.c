/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ring of slots: block i goes through slot i % count. A thread draws the next number, waits until
 * its slot is free, reads and encodes without any lock, and marks it done; the calling thread waits
 * for slot after slot, writes it and frees it.
 */
#include "config.h"

#include "tools/pack_blocks.h"

#include <pthread.h>
#include <string.h>

#include "tools/pack_reader.h"

#define SLOTS_PER_JOB 8u

struct slot {
    uint8_t *raw, *packed;
    uint32_t stored_len;
    uint8_t codec;
    uint8_t hash[BLOCK_HASH_SIZE];
    bool done; /* lock */
};

struct encoder {
    const struct pack_encode *job;
    struct slot *slots;
    uint32_t slot_count;
    pthread_mutex_t lock;
    pthread_cond_t slot_freed, slot_done;
    uint32_t next, written; /* lock; numbers of blocks */
    bool stop;              /* lock */
    int status;             /* lock; first error */
    struct err error;       /* lock */
};

struct worker { /* what one thread keeps from block to block */
    struct encoder *en;
    struct codec_context *ctx;
    struct pack_reader reader;
};

static void fail(struct encoder *en, int rc, const struct err *e)
{
    pthread_mutex_lock(&en->lock);
    if (!en->status) {
        en->status = rc;
        en->error = *e;
    }
    en->stop = true;
    pthread_cond_broadcast(&en->slot_freed);
    pthread_cond_broadcast(&en->slot_done);
    pthread_mutex_unlock(&en->lock);
}

static int encode(struct worker *w, uint32_t index, struct slot *s, struct err *e)
{
    const struct pack_encode *job = w->en->job;
    const struct pack_block *b = &job->plan->blocks[index];
    int rc = pack_reader_block(&w->reader, index, s->raw, e);
    if (rc)
        return rc;
    long n = job->dictionary
                 ? codec_encode_with(w->ctx, job->dictionary, s->raw, b->len, s->packed, e)
                 : codec_encode(w->ctx, job->codec, job->level, s->raw, b->len, s->packed, e);
    if (n < 0)
        return (int)n;
    s->codec = n ? (uint8_t)job->codec : CODEC_NONE;
    s->stored_len = n ? (uint32_t)n : b->len;
    uint8_t sha[32];
    if (codec_sha256(w->ctx, n ? s->packed : s->raw, s->stored_len, sha))
        return err_nomem(e);
    memcpy(s->hash, sha, sizeof s->hash);
    return 0;
}

/* Draws a block and waits for its slot. False when there is nothing more to do. */
static bool draw(struct encoder *en, uint32_t *index)
{
    pthread_mutex_lock(&en->lock);
    bool more = !en->stop && en->next < en->job->plan->block_count;
    if (more) {
        *index = en->next++;
        while (!en->stop && *index - en->written >= en->slot_count)
            pthread_cond_wait(&en->slot_freed, &en->lock);
        more = !en->stop;
    }
    pthread_mutex_unlock(&en->lock);
    return more;
}

static void *work(void *arg)
{
    struct encoder *en = arg;
    struct worker w = { .en = en, .reader = pack_reader_of(en->job->tree, en->job->plan) };
    struct err e = { 0 };
    uint32_t index;
    int rc = codec_context_new(&w.ctx);
    if (rc)
        fail(en, rc, (err_nomem(&e), &e));
    while (!rc && draw(en, &index)) {
        struct slot *s = &en->slots[index % en->slot_count];
        rc = encode(&w, index, s, &e);
        if (rc) {
            fail(en, rc, &e);
            break;
        }
        pthread_mutex_lock(&en->lock);
        s->done = true;
        pthread_cond_signal(&en->slot_done);
        pthread_mutex_unlock(&en->lock);
    }
    pack_reader_close(&w.reader);
    codec_context_free(w.ctx);
    return NULL;
}

static int write_all(struct encoder *en, uint64_t offset, struct block *blocks, struct err *e)
{
    const struct pack_encode *job = en->job;
    uint64_t done = 0;
    for (uint32_t i = 0; i < job->plan->block_count; i++) {
        struct slot *s = &en->slots[i % en->slot_count];
        pthread_mutex_lock(&en->lock);
        while (!s->done && !en->stop)
            pthread_cond_wait(&en->slot_done, &en->lock);
        bool stopped = en->stop;
        s->done = false;
        pthread_mutex_unlock(&en->lock);
        if (stopped)
            return -ECANCELED; /* the reason is in en->error */
        blocks[i] = (struct block){ .offset = offset, .stored_len = s->stored_len,
                                    .len = job->plan->blocks[i].len, .codec = s->codec };
        memcpy(blocks[i].hash, s->hash, sizeof s->hash);
        bool raw = s->codec == CODEC_NONE;
        int rc = job->write(job->arg, raw ? s->raw : s->packed, s->stored_len, e);
        offset += s->stored_len;
        done += blocks[i].len;
        if (!rc)
            rc = job->tick(job->arg, done, e);
        if (rc < 0)
            return rc;
        pthread_mutex_lock(&en->lock);
        en->written++;
        pthread_cond_broadcast(&en->slot_freed);
        pthread_mutex_unlock(&en->lock);
    }
    return 0;
}

static int run_threads(struct encoder *en, unsigned jobs, uint64_t offset, struct block *blocks,
                       struct err *e)
{
    auto_free pthread_t *threads = calloc(jobs, sizeof *threads);
    if (!threads)
        return err_nomem(e);
    unsigned started = 0;
    while (started < jobs && pthread_create(&threads[started], NULL, work, en) == 0)
        started++;
    struct err we = { 0 };
    int rc = started ? write_all(en, offset, blocks, &we) : err_nomem(&we);
    if (rc < 0)
        fail(en, rc, &we); /* keeps a worker's error if there is one; stops the others */
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    if (en->status && e)
        *e = en->error;
    return en->status;
}

int pack_encode_blocks(const struct pack_encode *job, uint64_t offset, struct block *blocks,
                       struct err *e)
{
    unsigned jobs = job->jobs ? job->jobs : 1;
    struct encoder en = { .job = job, .slot_count = jobs * SLOTS_PER_JOB };
    if (job->plan->block_count == 0)
        return 0;
    auto_free struct slot *slots = calloc(en.slot_count, sizeof *slots);
    auto_free uint8_t *memory = malloc((size_t)en.slot_count * 2 * job->block_size);
    if (!slots || !memory)
        return err_nomem(e);
    for (uint32_t i = 0; i < en.slot_count; i++) {
        slots[i].raw = memory + (size_t)i * 2 * job->block_size;
        slots[i].packed = slots[i].raw + job->block_size;
    }
    en.slots = slots;
    pthread_mutex_init(&en.lock, NULL);
    pthread_cond_init(&en.slot_freed, NULL);
    pthread_cond_init(&en.slot_done, NULL);
    int rc = run_threads(&en, jobs, offset, blocks, e);
    pthread_cond_destroy(&en.slot_done);
    pthread_cond_destroy(&en.slot_freed);
    pthread_mutex_destroy(&en.lock);
    return rc;
}
