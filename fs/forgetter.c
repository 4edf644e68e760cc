/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names the kernel is to forget. See forgetter.h. */
#include "config.h"

#include "fs/forgetter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "src/log.h"

struct forgotten {
    struct forgotten *next;
    uint64_t dir;
    char name[];
};

struct forgetter {
    struct vfs *vfs;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct forgotten *first, **last; /* lock */
    bool stopping;                   /* lock */
    _Atomic bool stopped;
};

static struct forgotten *next(struct forgetter *f)
{
    pthread_mutex_lock(&f->lock);
    while (!f->first && !f->stopping)
        pthread_cond_wait(&f->changed, &f->lock);
    struct forgotten *n = f->stopping ? NULL : f->first;
    if (n && !(f->first = n->next))
        f->last = &f->first;
    pthread_mutex_unlock(&f->lock);
    return n;
}

static void *run(void *arg)
{
    struct forgetter *f = arg;
    struct forgotten *n;

    while ((n = next(f))) {
        /* -ENOENT: the kernel has no such entry (any more). */
        (void)fuse_lowlevel_notify_inval_entry(f->vfs->session, n->dir, n->name, strlen(n->name));
        free(n);
    }
    atomic_store(&f->stopped, true);
    return NULL;
}

int forgetter_new(struct vfs *v, struct forgetter **out)
{
    struct forgetter *f = calloc(1, sizeof *f);

    if (!f)
        return -ENOMEM;
    f->vfs = v;
    f->last = &f->first;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    int rc = pthread_create(&f->thread, NULL, run, f);
    if (rc) {
        pthread_cond_destroy(&f->changed);
        pthread_mutex_destroy(&f->lock);
        free(f);
        return -rc;
    }
    *out = f;
    return 0;
}

void forgetter_add(struct forgetter *f, uint64_t dir, const char *name)
{
    size_t len = strlen(name);
    struct forgotten *n = f ? malloc(sizeof *n + len + 1) : NULL;

    if (!n) {
        if (f)
            log_warning(FS_LOG, "no memory: the kernel may go on showing \"%s\"", name);
        return;
    }
    n->next = NULL;
    n->dir = dir;
    memcpy(n->name, name, len + 1);
    pthread_mutex_lock(&f->lock);
    *f->last = n;
    f->last = &n->next;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

void forgetter_stop(struct forgetter *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

bool forgetter_has_stopped(const struct forgetter *f)
{
    return !f || atomic_load(&f->stopped);
}

void forgetter_free(struct forgetter *f)
{
    if (!f)
        return;
    forgetter_stop(f);
    pthread_join(f->thread, NULL);
    for (struct forgotten *n = f->first, *after; n; n = after) {
        after = n->next;
        free(n);
    }
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
