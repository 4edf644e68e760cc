/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several places for one package as one source: its life and its operations. See origin.h. */
#include "config.h"

#include "fetch/origin_impl.h"

#include <string.h>

#include "fetch/thread.h"
#include "src/clock.h"

static struct origin *impl(struct source *s)
{
    return (struct origin *)s; /* the first member */
}

static const struct origin *const_impl(const struct source *s)
{
    return (const struct origin *)s;
}

static void tell(struct origin *o)
{
    o->inbox.any = true;
    pthread_cond_broadcast(&o->changed);
}

/* --- opening and closing --------------------------------------------------------------------- */

static int check_options(const struct origin_options *o, struct err *e)
{
    if (!o->count || o->count > ORIGIN_PLACES_MAX)
        return err_set(e, ERR_INVALID, "%zu places for a package; 1 to %d are possible", o->count,
                       ORIGIN_PLACES_MAX);
    for (size_t i = 0; i < o->count; i++)
        if (!o->locations[i] || !*o->locations[i])
            return err_set(e, ERR_INVALID, "the location of the package is empty");
    return 0;
}

static void init_lock(struct origin *o)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&o->lock, NULL); /* with these attributes none of it can fail */
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&o->changed, &attr);
    pthread_condattr_destroy(&attr);
}

/* Everything but the thread, which has ended or was never there, and the name. */
static void free_origin(struct origin *o)
{
    for (size_t i = 0; i < ORIGIN_PLACES_MAX; i++)
        channel_put(o->sites[i].channel);
    origin_settings_put(o->settings);
    pthread_cond_destroy(&o->changed);
    pthread_mutex_destroy(&o->lock);
    free(o);
}

static int new_origin(const struct origin_options *options, size_t head_bytes, struct origin **out,
                      struct err *e)
{
    struct origin *o = calloc(1, sizeof *o);

    if (!o)
        return err_nomem(e);
    o->base.ops = &source_origin_ops;
    o->base.places = (unsigned)options->count;
    o->head_bytes = head_bytes;
    o->chance = (uint32_t)monotonic_ms() * 2654435761u ^ (uint32_t)getpid() ^
                (uint32_t)(uintptr_t)o;
    if (!o->chance)
        o->chance = 1;
    o->is_offline = options->offline;
    atomic_init(&o->offline, options->offline);
    atomic_init(&o->connected, true); /* until the contrary is known */
    init_lock(o);
    int rc = origin_settings_new(options, &o->settings, e);
    if (!rc && !(o->base.name = strdup(o->settings->names[0])))
        rc = err_nomem(e);
    if (rc) {
        free_origin(o);
        return rc;
    }
    if (options->offline || options->allow_absent) {
        o->known = true;
        o->base.size = options->size;
        o->head_len = options->head ? (size_t)min_u64(options->head_len, sizeof o->head) : 0;
        if (o->head_len)
            memcpy(o->head, options->head, o->head_len);
    } else {
        o->start.wanted = true;
        o->start.deadline_ms = monotonic_ms() + o->settings->connection.io_timeout_ms;
    }
    origin_show(o);
    *out = o;
    return 0;
}

static void stop_thread(struct origin *o)
{
    pthread_mutex_lock(&o->lock);
    o->inbox.stop = true;
    tell(o);
    pthread_mutex_unlock(&o->lock);
    pthread_join(o->thread, NULL);
}

/* The one who opens wants no answer any more. */
static void end_start(void *arg)
{
    struct origin *o = arg;

    pthread_mutex_lock(&o->lock);
    o->inbox.stop = true;
    tell(o);
    pthread_mutex_unlock(&o->lock);
}

/* Ends: the thread gives up by the deadline. */
static int wait_for_start(struct origin *o, struct source_opening *opening, struct err *e)
{
    source_opening_enter(opening, end_start, o);
    pthread_mutex_lock(&o->lock);
    while (!o->start.done)
        pthread_cond_wait(&o->changed, &o->lock);
    int status = o->start.status;
    if (status && e)
        *e = o->start.err;
    pthread_mutex_unlock(&o->lock);
    source_opening_leave(opening);
    return status;
}

int origin_open(const struct origin_options *options, size_t head_bytes, struct source **out,
                struct err *e)
{
    struct origin *o = NULL;
    int rc = check_options(options, e);

    if (rc)
        return rc;
    rc = new_origin(options, head_bytes, &o, e);
    if (rc)
        return rc;
    bool waits = o->start.wanted;
    int r = thread_start(&o->thread, "sft-origin", origin_loop, o);
    if (r) {
        errno = r;
        rc = err_sys(e, "cannot start a thread");
        free(o->base.name);
        free_origin(o);
        return rc;
    }
    if (waits)
        rc = wait_for_start(o, options->connection ? options->connection->opening : NULL, e);
    if (rc) {
        stop_thread(o);
        free(o->base.name);
        free_origin(o);
        return rc;
    }
    *out = &o->base;
    return 0;
}

static void origin_close(struct source *s)
{
    struct origin *o = impl(s);

    stop_thread(o);
    free_origin(o);
}

/* --- operations ------------------------------------------------------------------------------ */

static void origin_start(struct source *s, struct source_read *read)
{
    struct origin *o = impl(s);
    struct origin_read *r = calloc(1, sizeof *r);
    bool several = o->settings->count > 1;
    uint32_t timeout = read->timeout_ms;

    if (!r) {
        struct err e;
        int status = err_nomem(&e);
        read->done(read, status, &e);
        return;
    }
    r->origin = o;
    r->read = read;
    r->flags = read->flags & ~(unsigned)SOURCE_READ_ELSEWHERE;
    r->whole = several && (read->flags & (SOURCE_READ_FRESH | SOURCE_READ_ELSEWHERE));
    if (several && (read->flags & SOURCE_READ_ELSEWHERE) && read->place < o->settings->count)
        r->not_from = 1u << read->place;
    r->begun_ms = monotonic_ms();
    r->deadline_ms = r->begun_ms + (timeout ? timeout : o->settings->connection.io_timeout_ms);
    read->impl = r;
    atomic_fetch_add(&o->in_flight, 1);
    pthread_mutex_lock(&o->lock);
    if (o->inbox.started)
        o->inbox.started_tail->next = r;
    else
        o->inbox.started = r;
    o->inbox.started_tail = r;
    tell(o);
    pthread_mutex_unlock(&o->lock);
}

static void origin_cancel(struct source *s, struct source_read *read)
{
    struct origin *o = impl(s);
    struct origin_read *r = read->impl;

    atomic_store(&r->cancelled, true);
    pthread_mutex_lock(&o->lock);
    o->inbox.cancel = true;
    tell(o);
    pthread_mutex_unlock(&o->lock);
}

static void origin_promote(struct source *s, struct source_read *read)
{
    struct origin *o = impl(s);
    struct origin_read *r = read->impl;

    atomic_store(&r->promoted, true);
    pthread_mutex_lock(&o->lock);
    o->inbox.promote = true;
    tell(o);
    pthread_mutex_unlock(&o->lock);
}

static void origin_drop_head(struct source *s)
{
    struct origin *o = impl(s);

    pthread_mutex_lock(&o->lock);
    o->inbox.drop_head = true;
    tell(o);
    pthread_mutex_unlock(&o->lock);
}

/* The sources' own numbers are asked for with the lock held, so that none is closed meanwhile: they
 * take a moment and call nobody back. */
static void origin_get_stats(struct source *s, struct source_stats *out)
{
    struct origin *o = impl(s);
    uint64_t oldest = atomic_load(&o->oldest_ms), now = monotonic_ms();

    *out = (struct source_stats){ .errors = atomic_load(&o->errors),
                                  .failovers = atomic_load(&o->failovers),
                                  .in_flight = atomic_load(&o->in_flight),
                                  .oldest_ms = oldest && oldest < now ? now - oldest : 0 };
    for (size_t i = 0; i < SOURCE_LATENCY_BUCKETS; i++)
        out->latency[i] = atomic_load(&o->latency[i]);
    pthread_mutex_lock(&o->lock);
    for (size_t i = 0; i < o->settings->count; i++) {
        struct source_stats one = { .requests = 0 };
        const struct site *t = &o->sites[i];
        origin_add_stats(out, &t->past);
        if (t->channel)
            source_get_stats(t->channel->source, &one);
        origin_add_stats(out, &one);
    }
    pthread_mutex_unlock(&o->lock);
}

void origin_add_stats(struct source_stats *to, const struct source_stats *s)
{
    to->requests += s->requests;
    to->bytes += s->bytes;
    to->connections += s->connections;
    to->retries += s->retries;
}

const struct source_ops source_origin_ops = {
    .name = "origin",
    .start = origin_start,
    .cancel = origin_cancel,
    .promote = origin_promote,
    .drop_head = origin_drop_head,
    .get_stats = origin_get_stats,
    .close = origin_close,
};

/* --- what only an origin can do -------------------------------------------------------------- */

bool source_is_origin(const struct source *s)
{
    return s->ops == &source_origin_ops;
}

void origin_set_offline(struct source *s, bool offline)
{
    struct origin *o = impl(s);

    atomic_store(&o->offline, offline);
    pthread_mutex_lock(&o->lock);
    o->inbox.offline_changed = true;
    tell(o);
    pthread_mutex_unlock(&o->lock);
}

bool origin_is_offline(const struct source *s)
{
    return atomic_load(&const_impl(s)->offline);
}

bool origin_is_connected(const struct source *s)
{
    return atomic_load(&const_impl(s)->connected);
}

const char *origin_place_state_name(enum origin_place_state state)
{
    static const char *const names[] = {
        [ORIGIN_PLACE_UNOPENED] = "unopened", [ORIGIN_PLACE_OPENING] = "opening",
        [ORIGIN_PLACE_READY] = "ready",       [ORIGIN_PLACE_HELD_OFF] = "held-off",
        [ORIGIN_PLACE_REFUSED] = "refused",
    };

    return names[state];
}

size_t origin_get_places(struct source *s, struct origin_place *out, size_t max)
{
    struct origin *o = impl(s);
    uint64_t now = monotonic_ms();
    size_t count = o->settings->count;

    pthread_mutex_lock(&o->lock);
    for (size_t i = 0; i < count && i < max; i++) {
        out[i] = o->shown[i];
        out[i].wait_ms = out[i].wait_ms > now ? out[i].wait_ms - now : 0;
    }
    pthread_mutex_unlock(&o->lock);
    return count;
}
