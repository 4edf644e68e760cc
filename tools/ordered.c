/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ring of slots: piece i goes through slot i % count. A thread draws the next number, waits until
 * its slot is free, works without any lock, and marks it done; the calling thread waits for slot
 * after slot, takes what is in it and frees it.
 */
#include "config.h"

#include "tools/ordered.h"

#include <pthread.h>

#define SLOTS_PER_JOB 8u
#define SLOT_ALIGN    16u

struct ring {
    const struct ordered *o;
    uint8_t *slots;
    size_t slot_bytes;
    uint32_t slot_count;
    bool *done; /* lock; one a slot */
    pthread_mutex_t lock;
    pthread_cond_t slot_freed, slot_done;
    uint32_t next, taken; /* lock; numbers of pieces */
    bool stop;            /* lock */
    int status;           /* lock; first error */
    struct err error;     /* lock */
};

static void *slot_of(const struct ring *r, uint32_t index)
{
    return r->slots + (index % r->slot_count) * r->slot_bytes;
}

static void fail(struct ring *r, int rc, const struct err *e)
{
    pthread_mutex_lock(&r->lock);
    if (!r->status) {
        r->status = rc;
        r->error = *e;
    }
    r->stop = true;
    pthread_cond_broadcast(&r->slot_freed);
    pthread_cond_broadcast(&r->slot_done);
    pthread_mutex_unlock(&r->lock);
}

/* Draws a piece and waits for its slot. False when there is nothing more to do. */
static bool draw(struct ring *r, uint32_t *index)
{
    pthread_mutex_lock(&r->lock);
    bool more = !r->stop && r->next < r->o->count;
    if (more) {
        *index = r->next++;
        while (!r->stop && *index - r->taken >= r->slot_count)
            pthread_cond_wait(&r->slot_freed, &r->lock);
        more = !r->stop;
    }
    pthread_mutex_unlock(&r->lock);
    return more;
}

static void *work(void *arg)
{
    struct ring *r = arg;
    struct err e = { 0 };
    void *thread = NULL;
    uint32_t index;
    int rc = r->o->begin(r->o->arg, &thread, &e);
    if (rc) {
        fail(r, rc, &e);
        return NULL;
    }
    while (draw(r, &index)) {
        rc = r->o->work(r->o->arg, thread, index, slot_of(r, index), &e);
        if (rc) {
            fail(r, rc, &e);
            break;
        }
        pthread_mutex_lock(&r->lock);
        r->done[index % r->slot_count] = true;
        pthread_cond_signal(&r->slot_done);
        pthread_mutex_unlock(&r->lock);
    }
    r->o->end(r->o->arg, thread);
    return NULL;
}

static int take_all(struct ring *r, struct err *e)
{
    for (uint32_t i = 0; i < r->o->count; i++) {
        bool *done = &r->done[i % r->slot_count];
        pthread_mutex_lock(&r->lock);
        while (!*done && !r->stop)
            pthread_cond_wait(&r->slot_done, &r->lock);
        bool stopped = r->stop;
        *done = false;
        pthread_mutex_unlock(&r->lock);
        if (stopped)
            return -ECANCELED; /* the reason is in r->error */
        int rc = r->o->take(r->o->arg, i, slot_of(r, i), e);
        if (rc < 0)
            return rc;
        pthread_mutex_lock(&r->lock);
        r->taken++;
        pthread_cond_broadcast(&r->slot_freed);
        pthread_mutex_unlock(&r->lock);
    }
    return 0;
}

static int run_threads(struct ring *r, unsigned jobs, struct err *e)
{
    auto_free pthread_t *threads = calloc(jobs, sizeof *threads);
    if (!threads)
        return err_nomem(e);
    unsigned started = 0;
    while (started < jobs && pthread_create(&threads[started], NULL, work, r) == 0)
        started++;
    struct err te = { 0 };
    int rc = started ? take_all(r, &te) : err_nomem(&te);
    if (rc < 0)
        fail(r, rc, &te); /* keeps a worker's error if there is one; stops the others */
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    if (r->status && e)
        *e = r->error;
    return r->status;
}

int ordered_run(const struct ordered *o, struct err *e)
{
    unsigned jobs = o->jobs ? o->jobs : 1;
    struct ring r = { .o = o, .slot_count = jobs * SLOTS_PER_JOB };
    if (o->count == 0)
        return 0;
    if (r.slot_count > o->count)
        r.slot_count = o->count;
    r.slot_bytes = (o->slot_bytes + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
    auto_free uint8_t *slots = calloc(r.slot_count, r.slot_bytes);
    auto_free bool *done = calloc(r.slot_count, sizeof *done);
    if (!slots || !done)
        return err_nomem(e);
    r.slots = slots;
    r.done = done;
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.slot_freed, NULL);
    pthread_cond_init(&r.slot_done, NULL);
    int rc = run_threads(&r, jobs, e);
    pthread_cond_destroy(&r.slot_done);
    pthread_cond_destroy(&r.slot_freed);
    pthread_mutex_destroy(&r.lock);
    return rc;
}
