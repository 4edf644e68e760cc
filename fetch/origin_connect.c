/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The origin's work that may block: opening a place, reading from a file. See origin_impl.h. */
#include "config.h"

#include "fetch/origin_impl.h"

#include "src/clock.h"

/* --- channels -------------------------------------------------------------------------------- */

struct channel *channel_get(struct channel *c)
{
    atomic_fetch_add(&c->users, 1);
    return c;
}

void channel_put(struct channel *c)
{
    if (!c || atomic_fetch_sub(&c->users, 1) != 1)
        return;
    source_close(c->source);
    free(c);
}

/* --- opening --------------------------------------------------------------------------------- */

/* Takes the first bytes along: for a remote place they are in memory now. */
static int look_at_head(struct opening *op, struct source *s)
{
    op->size = source_size(s);
    op->head_len = (size_t)min_u64(op->size, sizeof op->head);
    return source_read_sync(s, 0, op->head, op->head_len, &op->err);
}

static void opening_run(void *work)
{
    struct opening *op = work;
    struct source *s = NULL;

    op->status = op->settings->open(op->settings->locations[op->site], &op->options,
                                    op->head_bytes, &s, &op->err);
    if (op->status)
        return;
    op->status = look_at_head(op, s);
    if (!op->status) {
        op->channel = calloc(1, sizeof *op->channel);
        op->status = op->channel ? 0 : err_nomem(&op->err);
    }
    if (op->status) {
        source_close(s);
        return;
    }
    atomic_init(&op->channel->users, 1);
    op->channel->source = s;
}

static void opening_finished(void *work)
{
    struct opening *op = work;
    struct origin *o = op->origin;

    pthread_mutex_lock(&o->lock);
    op->next = o->inbox.opened;
    o->inbox.opened = op;
    o->inbox.any = true;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

void opening_free(struct opening *op)
{
    channel_put(op->channel);
    origin_settings_put(op->settings);
    pthread_mutex_destroy(&op->gate.lock);
    free(op);
}

static void opening_discard(void *work)
{
    struct opening *op = work;

    atomic_fetch_sub(&op->settings->busy[op->site].stuck, 1);
    opening_free(op);
}

/* Counts it first: the errand may come back, and be gone, at once. */
bool opening_abandon(struct opening *op)
{
    atomic_uint *stuck = &op->settings->busy[op->site].stuck;

    atomic_fetch_add(stuck, 1);
    if (errand_abandon(op->errand))
        return true;
    atomic_fetch_sub(stuck, 1);
    return false;
}

int opening_start(struct origin *o, unsigned site, const struct source_options *options,
                  size_t head_bytes, struct opening **out, struct err *e)
{
    static const struct errand_kind kind = {
        .thread_name = "sft-open",
        .run = opening_run,
        .finished = opening_finished,
        .discard = opening_discard,
    };
    struct opening *op = calloc(1, sizeof *op);

    if (!op)
        return err_nomem(e);
    op->origin = o;
    op->settings = origin_settings_get(o->settings);
    op->site = site;
    pthread_mutex_init(&op->gate.lock, NULL); /* with default attributes it cannot fail */
    op->options = *options;
    op->options.opening = &op->gate;
    op->head_bytes = head_bytes;
    op->begun_ms = monotonic_ms();
    op->limit_ms = op->begun_ms + options->io_timeout_ms + ORIGIN_SLACK_MS;
    int rc = errand_start(&kind, op, &op->errand, e);
    if (rc)
        opening_free(op);
    else
        *out = op;
    return rc;
}

/* --- reading --------------------------------------------------------------------------------- */

static void blocking_done(struct source_read *io, int status, const struct err *e)
{
    struct blocking *b = io->arg;

    b->status = status;
    if (status && e)
        b->err = *e;
}

static void blocking_run(void *work)
{
    struct blocking *b = work;

    source_start(b->channel->source, &b->io); /* immediate: done when it returns */
}

/* The origin's thread takes the outcome, as that of any other attempt. */
static void blocking_finished(void *work)
{
    struct blocking *b = work;
    struct origin_read *r = b->read;

    r->io.done(&r->io, b->status, &b->err);
}

void blocking_free(struct blocking *b)
{
    atomic_fetch_sub(&b->settings->busy[b->site].reading, 1);
    origin_settings_put(b->settings);
    channel_put(b->channel);
    free(b);
}

static void blocking_discard(void *work)
{
    struct blocking *b = work;

    atomic_fetch_sub(&b->settings->busy[b->site].stuck, 1);
    blocking_free(b);
}

bool blocking_abandon(struct blocking *b)
{
    atomic_uint *stuck = &b->settings->busy[b->site].stuck;

    atomic_fetch_add(stuck, 1);
    if (errand_abandon(b->errand))
        return true;
    atomic_fetch_sub(stuck, 1);
    return false;
}

int blocking_start(struct origin_read *r, struct channel *c, struct blocking **out, struct err *e)
{
    static const struct errand_kind kind = {
        .thread_name = "sft-read",
        .run = blocking_run,
        .finished = blocking_finished,
        .discard = blocking_discard,
    };
    struct origin_settings *settings = r->origin->settings;
    struct blocking *b = malloc(sizeof *b + r->io.len);

    if (!b)
        return err_nomem(e);
    *b = (struct blocking){ .settings = origin_settings_get(settings), .site = r->site, .read = r,
                            .channel = channel_get(c) };
    b->io = (struct source_read){ .offset = r->io.offset, .len = r->io.len, .buf = b->bytes,
                                  .done = blocking_done, .arg = b };
    atomic_fetch_add(&settings->busy[r->site].reading, 1);
    int rc = errand_start(&kind, b, &b->errand, e);
    if (rc)
        blocking_free(b);
    else
        *out = b;
    return rc;
}
