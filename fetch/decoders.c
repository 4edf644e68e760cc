/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pool of decoder threads, and workspaces. See decoders.h.
 *
 * One lock for the job queue and one for the free list of workspaces; both are leaves, held for a
 * few instructions (and while a thread is started, which happens once per thread).
 */
#include "config.h"

#include "fetch/decoders.h"

#include <pthread.h>
#include <string.h>

#include "fetch/thread.h"

#define CODEC_STATE_BYTES (192u * 1024u) /* estimate: zstd and libdeflate decompressors, a digest */

struct job_list {
    struct job *head, *last;
};

struct decoders {
    struct decoders_options o;
    struct budget *budget;

    pthread_mutex_t lock;
    pthread_cond_t work;
    struct job_list normal, low; /* lock */
    pthread_t *threads;          /* lock */
    unsigned thread_count;       /* lock; started so far */
    unsigned idle;               /* lock; waiting for work */
    unsigned waking;             /* lock; of those, signalled and not yet running */
    bool stopping;               /* lock */

    pthread_mutex_t ws_lock;
    pthread_cond_t ws_returned;
    struct workspace *ws_free;   /* ws_lock */
    unsigned ws_count;           /* ws_lock; made so far */
};

void job_init(struct job *job, void (*run)(struct job *, struct workspace *),
              void (*release)(struct job *))
{
    *job = (struct job){ .run = run, .free = release };
    atomic_init(&job->refs, 1);
}

void job_get(struct job *job)
{
    (void)atomic_fetch_add_explicit(&job->refs, 1, memory_order_relaxed);
}

void job_put(struct job *job)
{
    if (atomic_fetch_sub_explicit(&job->refs, 1, memory_order_acq_rel) == 1)
        job->free(job);
}

uint64_t workspace_bytes(uint32_t block_size, uint32_t staging_bytes)
{
    return (uint64_t)block_size + staging_bytes + CODEC_STATE_BYTES;
}

static void workspace_free(struct decoders *d, struct workspace *ws)
{
    codec_context_free(ws->codec);
    free(ws->staging);
    free(ws->spare);
    free(ws);
    budget_give(d->budget, workspace_bytes(d->o.block_size, d->o.staging_bytes));
}

static struct workspace *workspace_new(struct decoders *d)
{
    struct workspace *ws = calloc(1, sizeof *ws);
    if (!ws)
        return NULL;
    budget_take(d->budget, workspace_bytes(d->o.block_size, d->o.staging_bytes));
    ws->spare = malloc(d->o.block_size);
    if (d->o.staging_bytes)
        ws->staging = malloc(d->o.staging_bytes);
    if (!ws->spare || (d->o.staging_bytes && !ws->staging) || codec_context_new(&ws->codec)) {
        workspace_free(d, ws);
        return NULL;
    }
    return ws;
}

int decoders_new(const struct decoders_options *o, struct budget *budget, struct decoders **out)
{
    struct decoders *d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    d->o = *o;
    d->budget = budget;
    d->threads = calloc(o->threads, sizeof *d->threads);
    if (!d->threads)
        goto free_self;
    if (pthread_mutex_init(&d->lock, NULL))
        goto free_threads;
    if (pthread_cond_init(&d->work, NULL))
        goto destroy_lock;
    if (pthread_mutex_init(&d->ws_lock, NULL))
        goto destroy_work;
    if (pthread_cond_init(&d->ws_returned, NULL))
        goto destroy_ws_lock;
    *out = d;
    return 0;

destroy_ws_lock:
    (void)pthread_mutex_destroy(&d->ws_lock);
destroy_work:
    (void)pthread_cond_destroy(&d->work);
destroy_lock:
    (void)pthread_mutex_destroy(&d->lock);
free_threads:
    free(d->threads);
free_self:
    free(d);
    return -ENOMEM;
}

void decoders_free(struct decoders *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->stopping = true;
    pthread_cond_broadcast(&d->work);
    pthread_mutex_unlock(&d->lock);
    for (unsigned i = 0; i < d->thread_count; i++)
        (void)pthread_join(d->threads[i], NULL); /* fails only for a thread that is not one */
    while (d->ws_free) {
        struct workspace *ws = d->ws_free;
        d->ws_free = ws->next;
        workspace_free(d, ws);
    }
    (void)pthread_cond_destroy(&d->ws_returned);
    (void)pthread_mutex_destroy(&d->ws_lock);
    (void)pthread_cond_destroy(&d->work);
    (void)pthread_mutex_destroy(&d->lock);
    free(d->threads);
    free(d);
}

struct workspace *decoders_borrow(struct decoders *d)
{
    struct workspace *ws;

    pthread_mutex_lock(&d->ws_lock);
    for (;;) {
        ws = d->ws_free;
        if (ws) {
            d->ws_free = ws->next;
            break;
        }
        if (d->ws_count < d->o.workspaces) {
            d->ws_count++;
            pthread_mutex_unlock(&d->ws_lock);
            ws = workspace_new(d);
            if (ws)
                return ws;
            pthread_mutex_lock(&d->ws_lock);
            d->ws_count--;
            if (!d->ws_count) /* nobody has one, so none would ever come back */
                break;
            if (d->ws_free)
                continue;
        }
        pthread_cond_wait(&d->ws_returned, &d->ws_lock);
    }
    pthread_mutex_unlock(&d->ws_lock);
    return ws;
}

void decoders_return(struct decoders *d, struct workspace *ws)
{
    if (!ws)
        return;
    pthread_mutex_lock(&d->ws_lock);
    ws->next = d->ws_free;
    d->ws_free = ws;
    pthread_cond_signal(&d->ws_returned);
    pthread_mutex_unlock(&d->ws_lock);
}

uint32_t decoders_staging_bytes(const struct decoders *d)
{
    return d->o.staging_bytes;
}

/* --- job queue ------------------------------------------------------------------------------- */

/* Needs d->lock. */
static struct job_list *list_of(struct decoders *d, const struct job *job)
{
    return job->low ? &d->low : &d->normal;
}

/* Needs d->lock. */
static void enqueue(struct decoders *d, struct job *job)
{
    struct job_list *list = list_of(d, job);
    job->next = NULL;
    if (list->last)
        list->last->next = job;
    else
        list->head = job;
    list->last = job;
    job_get(job);
}

/* Unlinks JOB, whose queue reference then is the caller's. Needs d->lock. */
static void dequeue(struct decoders *d, struct job *job)
{
    struct job_list *list = list_of(d, job);
    struct job *before = NULL;
    for (struct job *at = list->head; at != job; at = at->next)
        before = at;
    if (before)
        before->next = job->next;
    else
        list->head = job->next;
    if (list->last == job)
        list->last = before;
    job->next = NULL;
    job->shares = 0;
}

static void *decoder_main(void *arg)
{
    struct decoders *d = arg;
    struct workspace *ws = NULL;

    pthread_mutex_lock(&d->lock);
    for (;;) {
        struct job *job = d->normal.head ? d->normal.head : d->low.head;
        if (!job) {
            if (d->stopping)
                break;
            d->idle++;
            pthread_cond_wait(&d->work, &d->lock);
            d->idle--;
            if (d->waking)
                d->waking--;
            continue;
        }
        if (job->shares > 1) {
            job->shares--;
            job_get(job);
        } else {
            dequeue(d, job);
        }
        pthread_mutex_unlock(&d->lock);
        if (!ws)
            ws = decoders_borrow(d);
        job->run(job, ws);
        job_put(job);
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    decoders_return(d, ws);
    return NULL;
}

/* Starts one more thread if that is allowed and possible. Needs d->lock. */
static void start_thread(struct decoders *d)
{
    if (d->stopping || d->thread_count == d->o.threads)
        return;
    if (!thread_start(&d->threads[d->thread_count], "sft-decoder", decoder_main, d))
        d->thread_count++;
}

bool decoders_submit(struct decoders *d, struct job *job, unsigned shares)
{
    bool ok;

    pthread_mutex_lock(&d->lock);
    if (!job->shares)
        enqueue(d, job);
    if (job->shares < shares)
        job->shares = shares;
    for (unsigned i = 0; i < shares; i++) {
        if (d->waking < d->idle) {
            d->waking++;
            pthread_cond_signal(&d->work);
        } else {
            start_thread(d);
        }
    }
    ok = d->thread_count > 0;
    if (!ok)
        dequeue(d, job);
    pthread_mutex_unlock(&d->lock);
    if (!ok)
        job_put(job);
    return ok;
}

void decoders_withdraw(struct decoders *d, struct job *job)
{
    pthread_mutex_lock(&d->lock);
    bool queued = job->shares > 0;
    if (queued)
        dequeue(d, job);
    pthread_mutex_unlock(&d->lock);
    if (queued)
        job_put(job);
}

bool decoders_busy(struct decoders *d)
{
    pthread_mutex_lock(&d->lock);
    bool busy = d->normal.head != NULL;
    pthread_mutex_unlock(&d->lock);
    return busy;
}

unsigned decoders_spare(struct decoders *d)
{
    pthread_mutex_lock(&d->lock);
    unsigned spare = d->idle - d->waking + (d->o.threads - d->thread_count);
    pthread_mutex_unlock(&d->lock);
    return spare;
}
