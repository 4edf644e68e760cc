/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of sources, and what is the same for all of them. See source.h. */
#include "config.h"

#include "fetch/source.h"

#include <pthread.h>
#include <string.h>

#include "fetch/href.h"
#include "fetch/place.h"

/* The first row that matches opens the location; the file source takes what has no scheme. */
static const struct source_ops *const sources[] = {
    &source_http_ops,
    &source_file_ops,
};

static int no_source(const char *location, struct err *e)
{
    size_t n = place_scheme_len(location);
    char scheme[24] = "";

    memcpy(scheme, location, n < sizeof scheme ? n : sizeof scheme - 1);
    if (href_has_scheme(location, "rtsp") || href_has_scheme(location, "rtsps"))
        return err_set(e, ERR_UNSUPPORTED,
                       "%s: streaming servers are not supported; name a web server, share or file "
                       "that has the package with --override-url or --application-source-root",
                       scheme);
    return err_set(e, ERR_UNSUPPORTED, "locations beginning with %s: are not supported", scheme);
}

static struct source_options with_defaults(const struct source_options *o)
{
    struct source_options full = o ? *o : (struct source_options){ .io_timeout_ms = 0 };

    if (!full.io_timeout_ms)
        full.io_timeout_ms = 60000;
    if (!full.connect_timeout_ms)
        full.connect_timeout_ms = 10000;
    if (!full.low_speed_bytes)
        full.low_speed_bytes = 1024;
    if (!full.low_speed_seconds)
        full.low_speed_seconds = 15;
    if (!full.max_connections)
        full.max_connections = 6;
    if (!full.user_agent)
        full.user_agent = "sftfs/" PACKAGE_VERSION;
    return full;
}

bool source_is_supported(const char *location)
{
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        if (sources[i]->matches(location))
            return true;
    return false;
}

int source_open(const char *location, const struct source_options *o, size_t head_bytes,
                struct source **out, struct err *e)
{
    struct source_options full = with_defaults(o);

    if (!location || !*location)
        return err_set(e, ERR_INVALID, "the location of the package is empty");
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        if (sources[i]->matches(location))
            return sources[i]->open(location, &full, head_bytes, out, e);
    return no_source(location, e);
}

/* END is called with the lock held: the opening thread cannot leave, and free ARG, meanwhile. */
void source_opening_cancel(struct source_opening *o)
{
    pthread_mutex_lock(&o->lock);
    bool first = !o->cancelled;
    o->cancelled = true;
    if (first && o->end)
        o->end(o->arg);
    pthread_mutex_unlock(&o->lock);
}

void source_opening_enter(struct source_opening *o, void (*end)(void *arg), void *arg)
{
    if (!o)
        return;
    pthread_mutex_lock(&o->lock);
    o->end = end;
    o->arg = arg;
    if (o->cancelled)
        end(arg);
    pthread_mutex_unlock(&o->lock);
}

void source_opening_leave(struct source_opening *o)
{
    if (!o)
        return;
    pthread_mutex_lock(&o->lock);
    o->end = NULL;
    pthread_mutex_unlock(&o->lock);
}

void source_close(struct source *s)
{
    if (!s)
        return;
    char *name = s->name;
    s->ops->close(s);
    free(name);
}

uint64_t source_size(const struct source *s)
{
    return s->size;
}

unsigned source_places(const struct source *s)
{
    return s->places ? s->places : 1;
}

const char *source_name(const struct source *s)
{
    return s->name;
}

bool source_is_immediate(const struct source *s)
{
    return s->ops->immediate;
}

void source_start(struct source *s, struct source_read *read)
{
    s->ops->start(s, read);
}

void source_cancel(struct source *s, struct source_read *read)
{
    if (s->ops->cancel)
        s->ops->cancel(s, read);
}

void source_promote(struct source *s, struct source_read *read)
{
    if (s->ops->promote)
        s->ops->promote(s, read);
}

void source_drop_head(struct source *s)
{
    if (s->ops->drop_head)
        s->ops->drop_head(s);
}

void source_get_stats(struct source *s, struct source_stats *out)
{
    s->ops->get_stats(s, out);
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;     /* under lock, as the rest */
    int status;
    struct err *e; /* the waiting caller's; may be NULL */
};

static void wake(struct source_read *read, int status, const struct err *e)
{
    struct waiter *w = read->arg;

    pthread_mutex_lock(&w->lock);
    w->status = status;
    if (status && e && w->e)
        *w->e = *e;
    w->done = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock); /* the waiter cannot go on, and free W, before this */
}

int source_read_sync(struct source *s, uint64_t offset, void *buf, size_t len, struct err *e)
{
    struct waiter w = { .lock = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER,
                        .e = e };
    struct source_read read = {
        .offset = offset, .len = len, .buf = buf, .done = wake, .arg = &w
    };

    if (!len)
        return 0;
    source_start(s, &read);
    pthread_mutex_lock(&w.lock);
    while (!w.done) /* ends: a source answers every read within its deadline */
        pthread_cond_wait(&w.changed, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.changed);
    pthread_mutex_destroy(&w.lock);
    return w.status;
}
