/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads for work that may block. See errand.h. */
#include "config.h"

#include "fetch/errand.h"

#include <pthread.h>

#include "fetch/thread.h"

struct errand {
    const struct errand_kind *kind;
    void *work;
    pthread_t thread;
    pthread_mutex_t lock;
    bool finished, abandoned; /* lock; at most one of them */
};

static void free_errand(struct errand *e)
{
    pthread_mutex_destroy(&e->lock);
    free(e);
}

static void *errand_main(void *arg)
{
    struct errand *e = arg;

    e->kind->run(e->work);
    pthread_mutex_lock(&e->lock);
    bool abandoned = e->abandoned;
    if (!abandoned) {
        e->finished = true;
        e->kind->finished(e->work); /* with the lock held: once it is given up, it is not called */
    }
    pthread_mutex_unlock(&e->lock);
    if (abandoned) {
        e->kind->discard(e->work);
        free_errand(e);
    }
    return NULL;
}

int errand_start(const struct errand_kind *kind, void *work, struct errand **out, struct err *err)
{
    struct errand *e = calloc(1, sizeof *e);

    if (!e)
        return err_nomem(err);
    e->kind = kind;
    e->work = work;
    pthread_mutex_init(&e->lock, NULL); /* with default attributes it cannot fail */
    pthread_mutex_lock(&e->lock);       /* finished() comes after *out is set */
    int r = thread_start(&e->thread, kind->thread_name, errand_main, e);
    if (!r)
        *out = e;
    pthread_mutex_unlock(&e->lock);
    if (!r)
        return 0;
    free_errand(e);
    errno = r;
    return err_sys(err, "cannot start a thread");
}

void errand_join(struct errand *e)
{
    pthread_join(e->thread, NULL);
    free_errand(e);
}

bool errand_abandon(struct errand *e)
{
    pthread_mutex_lock(&e->lock);
    bool mine = !e->finished;
    if (mine) {
        e->abandoned = true;
        pthread_detach(e->thread);
    }
    pthread_mutex_unlock(&e->lock); /* from here on the thread may free it */
    return mine;
}
