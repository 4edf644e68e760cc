/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In-flight records. See inflight.h. */
#include "config.h"

#include "fetch/inflight.h"

#include "fetch/engine_impl.h"
#include "fetch/request.h"

static uint32_t bucket_of(uint32_t block)
{
    return block % INFLIGHT_BUCKETS; /* neighbours spread evenly by themselves */
}

struct flight *inflight_find(const struct inflight *t, uint32_t block)
{
    struct flight *f = t->buckets[bucket_of(block)];
    while (f && f->block != block)
        f = f->chain;
    return f;
}

struct flight *inflight_add(struct inflight *t, uint32_t block, bool ahead)
{
    struct flight *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    struct flight **bucket = &t->buckets[bucket_of(block)];
    *f = (struct flight){ .block = block, .state = FLIGHT_TAKEN, .ahead = ahead, .chain = *bucket };
    *bucket = f;
    t->count++;
    t->ahead += ahead;
    return f;
}

static void unlink_from_table(struct inflight *t, struct flight *f)
{
    struct flight **at = &t->buckets[bucket_of(f->block)];
    while (*at != f)
        at = &(*at)->chain;
    *at = f->chain;
    t->count--;
    t->ahead -= f->ahead;
}

void inflight_drop(struct inflight *t, struct flight *f)
{
    unlink_from_table(t, f);
    free(f);
}

void flight_attach(struct inflight *t, struct flight *f, struct waiter *w)
{
    if (f->ahead) {
        f->ahead = false;
        t->ahead--;
    }
    w->flight = f;
    w->next = NULL;
    w->prev = f->last;
    if (f->last)
        f->last->next = w;
    else
        f->first = w;
    f->last = w;
}

void waiter_detach(struct waiter *w)
{
    struct flight *f = w->flight;
    if (w->prev)
        w->prev->next = w->next;
    else
        f->first = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        f->last = w->prev;
    w->flight = NULL;
}

/* Needs en->lock. */
static void tell_ended(struct engine *en)
{
    if (en->stopping && !en->inflight.count)
        pthread_cond_broadcast(&en->ended);
}

uint32_t flight_finish(struct engine *en, struct flight *f, int status, const uint8_t *data,
                       const struct err *e)
{
    struct waiter *w;
    uint32_t answered = 0;

    pthread_mutex_lock(&en->lock);
    unlink_from_table(&en->inflight, f);
    w = f->first;
    for (struct waiter *at = w; at; at = at->next)
        at->flight = NULL; /* from here on a cancel does not find it */
    tell_ended(en);
    pthread_mutex_unlock(&en->lock);
    free(f);

    while (w) {
        struct waiter *next = w->next; /* answering may free the read W is part of */
        request_answer(w, status, data, e);
        w = next;
        answered++;
    }
    return answered;
}

bool inflight_drop_unwanted(struct engine *en, struct flight *f)
{
    pthread_mutex_lock(&en->lock);
    bool unwanted = !f->first;
    if (unwanted) {
        inflight_drop(&en->inflight, f);
        tell_ended(en);
    }
    pthread_mutex_unlock(&en->lock);
    return unwanted;
}

bool flight_is_awaited(struct engine *en, const struct flight *f)
{
    pthread_mutex_lock(&en->lock);
    bool awaited = f->first != NULL;
    pthread_mutex_unlock(&en->lock);
    return awaited;
}
