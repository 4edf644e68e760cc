/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that draw numbers from one counter. The calling thread only waits and ticks. */
#include "config.h"

#include "tools/parallel.h"

#include <pthread.h>
#include <time.h>

#define TICK_MS 100

struct loop {
    parallel_fn fn;
    void *arg;
    size_t count;
    atomic_size_t next, done;
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    unsigned running; /* lock */
    int status;       /* lock; first error */
    struct err error; /* lock */
};

static void fail(struct loop *l, int rc, const struct err *e)
{
    pthread_mutex_lock(&l->lock);
    if (!l->status) {
        l->status = rc;
        l->error = *e;
    }
    pthread_mutex_unlock(&l->lock);
    atomic_store(&l->stop, true);
}

static void *work(void *arg)
{
    struct loop *l = arg;
    struct err e = { 0 };
    struct codec_context *ctx = NULL;
    int rc = codec_context_new(&ctx);
    if (rc)
        fail(l, rc, (err_nomem(&e), &e));
    while (!rc && !atomic_load(&l->stop)) {
        size_t i = atomic_fetch_add(&l->next, 1);
        if (i >= l->count)
            break;
        rc = l->fn(l->arg, ctx, i, &e);
        if (rc < 0)
            fail(l, rc, &e);
        atomic_fetch_add(&l->done, 1);
    }
    codec_context_free(ctx);
    pthread_mutex_lock(&l->lock);
    l->running--;
    pthread_cond_signal(&l->ended);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* Waits for the end or for the next tick; returns whether all threads have ended. */
static bool wait_a_little(struct loop *l)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&l->lock);
    if (l->running)
        (void)pthread_cond_timedwait(&l->ended, &l->lock, &until);
    bool over = l->running == 0;
    pthread_mutex_unlock(&l->lock);
    return over;
}

int parallel_for(unsigned jobs, size_t count, parallel_fn fn, parallel_tick_fn tick, void *arg,
                 struct err *e)
{
    if (count == 0)
        return 0;
    if (jobs > count)
        jobs = (unsigned)count;
    struct loop l = { .fn = fn, .arg = arg, .count = count };
    auto_free pthread_t *threads = calloc(jobs, sizeof *threads);
    if (!threads)
        return err_nomem(e);
    pthread_mutex_init(&l.lock, NULL);
    pthread_cond_init(&l.ended, NULL);
    l.running = jobs;
    unsigned started = 0;
    for (; started < jobs; started++)
        if (pthread_create(&threads[started], NULL, work, &l) != 0)
            break;
    pthread_mutex_lock(&l.lock);
    l.running -= jobs - started;
    pthread_mutex_unlock(&l.lock);
    struct err te = { 0 };
    if (!started)
        fail(&l, -ENOMEM, (err_nomem(&te), &te));
    while (!wait_a_little(&l)) {
        int rc = tick && !atomic_load(&l.stop) ? tick(arg, atomic_load(&l.done), &te) : 0;
        if (rc < 0)
            fail(&l, rc, &te);
    }
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    pthread_cond_destroy(&l.ended);
    pthread_mutex_destroy(&l.lock);
    if (l.status && e)
        *e = l.error;
    return l.status;
}
