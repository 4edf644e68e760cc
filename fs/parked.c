/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests that wait for blocks. See parked.h.
 *
 * A parked request has two owners: the thread that started it and the completion. Either may end
 * first, so struct parked carries a reference for each; the engine's handle is kept until the last
 * one is given back.
 *
 * libfuse calls the interrupt function with the request's own lock held, and cancelling may
 * complete other requests from within; so no completion may wait for such a lock, or two interrupts
 * could wait for each other. The interrupt function is therefore never withdrawn: it finds the
 * parked one by its request, on the list, where the completion takes the request away before it
 * replies. A request cannot be mixed up with a later one at the same address: libfuse keeps it
 * during the call.
 */
#include "config.h"

#include "fs/parked.h"

#include <pthread.h>
#include <stdlib.h>

struct parked {
    struct vfs *vfs; /* valid while on the list */
    struct engine *engine;
    fuse_req_t req; /* list.lock; NULL when the reply is under way */
    parked_done_fn done;
    void *arg;
    bool given_up; /* list.lock; cancelled because the session ends */
    _Atomic unsigned references;
    _Atomic bool interrupted;
    struct engine_read *_Atomic handle;
    struct parked *next, *previous; /* list.lock */
};

struct parked_list {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* one was removed */
    struct parked *first;   /* lock */
};

int parked_list_new(struct parked_list **out)
{
    struct parked_list *list = calloc(1, sizeof *list);

    if (!list)
        return -ENOMEM;
    pthread_mutex_init(&list->lock, NULL);
    pthread_cond_init(&list->changed, NULL);
    *out = list;
    return 0;
}

void parked_list_free(struct parked_list *list)
{
    if (!list)
        return;
    pthread_cond_destroy(&list->changed);
    pthread_mutex_destroy(&list->lock);
    free(list);
}

static void list_add(struct parked_list *list, struct parked *p)
{
    pthread_mutex_lock(&list->lock);
    p->next = list->first;
    if (p->next)
        p->next->previous = p;
    list->first = p;
    pthread_mutex_unlock(&list->lock);
}

static void list_remove(struct parked_list *list, struct parked *p)
{
    pthread_mutex_lock(&list->lock);
    if (p->next)
        p->next->previous = p->previous;
    if (p->previous)
        p->previous->next = p->next;
    else
        list->first = p->next;
    pthread_cond_broadcast(&list->changed);
    pthread_mutex_unlock(&list->lock);
}

/* The request, to be answered by the caller; from now on no interrupt finds it. */
static fuse_req_t claim(struct parked_list *list, struct parked *p)
{
    pthread_mutex_lock(&list->lock);
    fuse_req_t req = p->req;
    p->req = NULL;
    pthread_mutex_unlock(&list->lock);
    return req;
}

/* What waits for REQ, with a reference for the caller, or NULL when it is being answered. */
static struct parked *find(struct parked_list *list, fuse_req_t req)
{
    pthread_mutex_lock(&list->lock);
    struct parked *p = list->first;
    while (p && p->req != req)
        p = p->next;
    if (p)
        atomic_fetch_add(&p->references, 1);
    pthread_mutex_unlock(&list->lock);
    return p;
}

static void put(struct parked *p)
{
    if (atomic_fetch_sub(&p->references, 1) != 1)
        return;
    struct engine_read *handle = atomic_load(&p->handle);
    if (handle)
        engine_read_release(p->engine, handle);
    free(p);
}

static void on_done(void *arg, int status, const uint8_t *buf, size_t len, const struct err *e)
{
    struct parked *p = arg;
    struct vfs *v = p->vfs;
    fuse_req_t req = claim(v->parked, p);

    p->done(v, req, p->arg, status, buf, len, e);
    list_remove(v->parked, p); /* when the list is empty, the session may end and V with it */
    put(p);
}

static void cancel(struct parked *p)
{
    atomic_store(&p->interrupted, true);
    engine_cancel(p->engine, atomic_load(&p->handle));
}

/* Called by libfuse with the request's lock held. */
static void on_interrupt(fuse_req_t req, void *arg)
{
    struct vfs *v = arg;
    struct parked *p = find(v->parked, req);

    if (!p)
        return;
    cancel(p);
    put(p);
}

void park(struct vfs *v, fuse_req_t req, const struct piece *pieces, size_t count,
          parked_done_fn done, void *arg)
{
    struct parked *p = calloc(1, sizeof *p);

    if (!p) {
        struct err e = { 0 };
        done(v, req, arg, err_nomem(&e), NULL, 0, &e);
        return;
    }
    p->vfs = v;
    p->engine = v->engine;
    p->req = req;
    p->done = done;
    p->arg = arg;
    atomic_store(&p->references, 2);
    list_add(v->parked, p);
    if (!v->source_immediate)
        fuse_req_interrupt_func(req, on_interrupt, v);
    struct engine_read *handle = NULL;
    engine_read(v->engine, pieces, count, on_done, p, &handle);
    atomic_store(&p->handle, handle);
    if (atomic_load(&p->interrupted))
        engine_cancel(v->engine, handle); /* the interrupt came before there was a handle */
    put(p);
}

/* Cancels what waits; each one once. Needs list->lock, which it gives up meanwhile. */
static void cancel_all(struct parked_list *list)
{
    struct parked *p = list->first;

    while (p) {
        if (p->given_up) {
            p = p->next;
            continue;
        }
        p->given_up = true;
        atomic_fetch_add(&p->references, 1);
        pthread_mutex_unlock(&list->lock);
        cancel(p);
        put(p);
        pthread_mutex_lock(&list->lock);
        p = list->first; /* any of them may be gone */
    }
}

void parked_cancel(struct vfs *v)
{
    pthread_mutex_lock(&v->parked->lock);
    cancel_all(v->parked);
    pthread_mutex_unlock(&v->parked->lock);
}

void parked_drain(struct vfs *v)
{
    struct parked_list *list = v->parked;

    pthread_mutex_lock(&list->lock);
    cancel_all(list);
    /* What was just being completed ends without our doing. */
    while (list->first)
        pthread_cond_wait(&list->changed, &list->lock);
    pthread_mutex_unlock(&list->lock);
}
