/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Places that do what a test says. See fake_place.h. */
#include "config.h"

#include "tests/fake_place.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/log.h"

enum { WATCHDOG_S = 240 };

pthread_mutex_t fake_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t fake_changed = PTHREAD_COND_INITIALIZER;
struct fake fakes[FAKE_MAX];

static char logged[64][300]; /* fake_lock */
static unsigned logged_count;

uint8_t fake_byte(uint64_t i, unsigned object)
{
    return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16) + object * 101);
}

static void keep_line(enum log_level level, const char *line)
{
    (void)level;
    pthread_mutex_lock(&fake_lock);
    if (logged_count < ARRAY_LEN(logged))
        (void)snprintf(logged[logged_count++], sizeof *logged, "%s", line);
    pthread_mutex_unlock(&fake_lock);
}

unsigned fake_logged(const char *text)
{
    unsigned n = 0;

    pthread_mutex_lock(&fake_lock);
    for (unsigned i = 0; i < logged_count; i++)
        n += strstr(logged[i], text) != NULL;
    pthread_mutex_unlock(&fake_lock);
    return n;
}

void fake_reset(void)
{
    log_set_sink(keep_line);
    log_set_level(LOG_LEVEL_DEBUG);
    (void)alarm(WATCHDOG_S);
    pthread_mutex_lock(&fake_lock);
    logged_count = 0;
    for (size_t i = 0; i < FAKE_MAX; i++)
        fakes[i] = (struct fake){ .size = FAKE_SIZE, .kind = ERR_NETWORK };
    pthread_mutex_unlock(&fake_lock);
}

/* --- the source ----------------------------------------------------------------------------- */

struct request {
    struct request *next;
    struct source_read *read;
    bool cancelled, fails;
};

struct fake_source {
    struct source base;
    struct fake *fake;
    unsigned object;
    pthread_t thread;
    bool has_thread, stop;    /* fake_lock */
    struct request *requests; /* fake_lock */
    unsigned chance;
};

static bool is_probe(const struct source_read *read)
{
    return read->len == 1 && read->offset == FAKE_SIZE - 1;
}

/* Needs fake_lock. */
static void see(struct fake *f, const struct source_read *read)
{
    if (is_probe(read)) {
        f->probes++;
    } else {
        f->reads++;
        f->last = *read;
    }
    f->thread = pthread_self();
    pthread_cond_broadcast(&fake_changed);
}

static void fill(const struct fake_source *s, struct source_read *read, size_t len)
{
    for (size_t i = 0; i < len; i++)
        read->buf[i] = fake_byte(read->offset + i, s->object);
}

static void bring(const struct fake_source *s, struct source_read *read, size_t len)
{
    len = (size_t)min_u64(len, read->len);
    fill(s, read, len);
    if (len && read->progress) {
        read->progress(read, len / 2 + 1);
        read->progress(read, len);
    }
}

static void answer(struct fake_source *s, struct source_read *read, enum err_kind kind,
                   size_t partial)
{
    struct err e;

    if (!kind) {
        bring(s, read, read->len);
        read->done(read, 0, NULL);
        return;
    }
    bring(s, read, partial);
    int status = err_set(&e, kind, "%s: fails (%s)", s->base.name, err_kind_name(kind));
    read->done(read, status, &e);
}

/* What becomes of a read now: false if it has to wait. Needs fake_lock. */
static bool decide(struct fake_source *s, const struct request *q, enum err_kind *kind,
                   size_t *partial)
{
    static const enum err_kind kinds[] = { ERR_NETWORK, ERR_TIMEOUT, ERR_HTTP_STATUS, ERR_NOT_FOUND,
                                           ERR_OBJECT_CHANGED };
    const struct fake *f = s->fake;

    *partial = 0;
    *kind = ERR_CANCELLED;
    if (q->cancelled || s->stop)
        return true;
    *kind = f->reading == FAKE_FAILS || q->fails ? f->kind : ERR_NONE;
    *partial = f->partial;
    if (f->random) {
        s->chance = s->chance * 1103515245u + 12345u;
        if ((s->chance >> 16) % 100 < f->random) {
            *kind = kinds[(s->chance >> 8) % ARRAY_LEN(kinds)];
            *partial = s->chance % 5000;
        }
        return true;
    }
    return f->reading == FAKE_WORKS || f->reading == FAKE_FAILS || q->fails;
}

/* Brings what comes before the place hangs, once. Needs fake_lock, and gives it away meanwhile. */
static void bring_part(struct fake_source *s, struct request *q)
{
    size_t partial = s->fake->partial;

    if (s->fake->reading != FAKE_HANGS || !partial || !q->read->progress)
        return;
    s->fake->partial = 0;
    pthread_mutex_unlock(&fake_lock);
    bring(s, q->read, partial);
    pthread_mutex_lock(&fake_lock);
}

static bool serve_one(struct fake_source *s)
{
    for (struct request **at = &s->requests; *at; at = &(*at)->next) {
        struct request *q = *at;
        enum err_kind kind;
        size_t partial;

        bring_part(s, q);
        if (!decide(s, q, &kind, &partial))
            continue;
        *at = q->next;
        s->fake->waiting--;
        pthread_mutex_unlock(&fake_lock);
        answer(s, q->read, kind, partial);
        free(q); /* after done(): the reader may have cancelled while done() waited for him */
        pthread_mutex_lock(&fake_lock);
        return true;
    }
    return false;
}

static void *serve(void *arg)
{
    struct fake_source *s = arg;

    pthread_mutex_lock(&fake_lock);
    while (!s->stop || s->requests)
        if (!serve_one(s))
            pthread_cond_wait(&fake_changed, &fake_lock);
    pthread_mutex_unlock(&fake_lock);
    return NULL;
}

/* The head is read at the opening from memory, whatever the mode. */
static bool is_head(const struct source_read *read)
{
    return !read->offset && read->len <= 4096 && !read->timeout_ms;
}

static void start(struct source *base, struct source_read *read)
{
    struct fake_source *s = (struct fake_source *)base;

    if (is_head(read)) {
        answer(s, read, ERR_NONE, 0);
        return;
    }
    struct request *q = calloc(1, sizeof *q);
    q->read = read;
    read->impl = q;
    pthread_mutex_lock(&fake_lock);
    see(s->fake, read);
    struct request **at = &s->requests;
    while (*at)
        at = &(*at)->next;
    *at = q;
    q->fails = s->fake->fail_next > 0;
    s->fake->fail_next -= q->fails;
    s->fake->waiting++;
    pthread_cond_broadcast(&fake_changed);
    pthread_mutex_unlock(&fake_lock);
}

static void start_immediate(struct source *base, struct source_read *read)
{
    struct fake_source *s = (struct fake_source *)base;
    struct request q = { .read = read };
    enum err_kind kind;
    size_t partial;

    if (is_head(read)) {
        answer(s, read, ERR_NONE, 0);
        return;
    }
    pthread_mutex_lock(&fake_lock);
    see(s->fake, read);
    s->fake->waiting++;
    while (!decide(s, &q, &kind, &partial))
        pthread_cond_wait(&fake_changed, &fake_lock);
    s->fake->waiting--;
    pthread_mutex_unlock(&fake_lock);
    answer(s, read, kind, partial);
}

static void cancel(struct source *base, struct source_read *read)
{
    struct fake_source *s = (struct fake_source *)base;
    struct request *q = read->impl;

    pthread_mutex_lock(&fake_lock);
    q->cancelled = true;
    s->fake->cancels++;
    pthread_cond_broadcast(&fake_changed);
    pthread_mutex_unlock(&fake_lock);
}

static void promote(struct source *base, struct source_read *read)
{
    struct fake_source *s = (struct fake_source *)base;

    (void)read;
    pthread_mutex_lock(&fake_lock);
    s->fake->promotes++;
    pthread_cond_broadcast(&fake_changed);
    pthread_mutex_unlock(&fake_lock);
}

static void drop_head(struct source *base)
{
    struct fake_source *s = (struct fake_source *)base;

    pthread_mutex_lock(&fake_lock);
    s->fake->head_drops++;
    pthread_cond_broadcast(&fake_changed);
    pthread_mutex_unlock(&fake_lock);
}

static void get_stats(struct source *base, struct source_stats *out)
{
    (void)base;
    *out = (struct source_stats){ .requests = 1, .bytes = 10, .connections = 100, .retries = 1000,
                                  .errors = 7, .in_flight = 7 };
}

static void close_fake(struct source *base)
{
    struct fake_source *s = (struct fake_source *)base;

    pthread_mutex_lock(&fake_lock);
    s->stop = true;
    s->fake->closes++;
    pthread_cond_broadcast(&fake_changed);
    pthread_mutex_unlock(&fake_lock);
    if (s->has_thread)
        pthread_join(s->thread, NULL);
    free(s);
}

static const struct source_ops ops = {
    .name = "fake",
    .start = start,
    .cancel = cancel,
    .promote = promote,
    .drop_head = drop_head,
    .get_stats = get_stats,
    .close = close_fake,
};

static const struct source_ops immediate_ops = {
    .name = "fake file",
    .start = start_immediate,
    .get_stats = get_stats,
    .close = close_fake,
    .immediate = true,
};

static void end_opening(void *arg)
{
    bool *ended = arg;

    pthread_mutex_lock(&fake_lock);
    *ended = true;
    pthread_cond_broadcast(&fake_changed);
    pthread_mutex_unlock(&fake_lock);
}

int fake_open(const char *location, const struct source_options *o, size_t head_bytes,
              struct source **out, struct err *e)
{
    struct fake *f = &fakes[location[0] - 'a'];
    bool ended = false;

    (void)head_bytes;
    source_opening_enter(o->opening, end_opening, &ended);
    pthread_mutex_lock(&fake_lock);
    f->opens++;
    f->once = o->once;
    f->open_timeout_ms = o->io_timeout_ms;
    pthread_cond_broadcast(&fake_changed);
    while (f->opening == FAKE_STUCK || (f->opening == FAKE_HANGS && !ended))
        pthread_cond_wait(&fake_changed, &fake_lock);
    enum err_kind kind = f->opening == FAKE_HANGS   ? ERR_CANCELLED
                         : f->opening == FAKE_FAILS ? f->kind
                                                    : ERR_NONE;
    struct fake_source *s = calloc(1, sizeof *s);
    s->base.ops = f->immediate ? &immediate_ops : &ops;
    s->base.size = f->size;
    s->base.name = strdup(location);
    s->fake = f;
    s->object = f->object;
    s->chance = f->opens * 7919;
    if (!kind && !f->immediate)
        s->has_thread = !pthread_create(&s->thread, NULL, serve, s);
    pthread_mutex_unlock(&fake_lock);
    source_opening_leave(o->opening);
    if (!kind) {
        *out = &s->base;
        return 0;
    }
    free(s->base.name);
    free(s);
    return err_set(e, kind, "%s: cannot be opened", location);
}

/* --- reads ---------------------------------------------------------------------------------- */

/* Not the places' lock: an origin may hold its own when it cancels at a place, and is told to
 * cancel with this one held. */
static pthread_mutex_t read_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t read_changed = PTHREAD_COND_INITIALIZER;

static void on_done(struct source_read *read, int status, const struct err *e)
{
    struct fake_read *r = read->arg;

    pthread_mutex_lock(&read_lock);
    r->done = true;
    r->calls++;
    r->status = status;
    if (status)
        r->err = *e;
    pthread_cond_broadcast(&read_changed);
    pthread_mutex_unlock(&read_lock);
}

static void on_progress(struct source_read *read, size_t got)
{
    struct fake_read *r = read->arg;

    pthread_mutex_lock(&read_lock);
    r->fell = r->fell || got <= r->told || got > read->len || r->done;
    r->told = got;
    r->tellings++;
    for (size_t i = 0; i < got; i++)
        r->fell = r->fell || read->buf[i] != fake_byte(read->offset + i, 0);
    pthread_cond_broadcast(&read_changed);
    pthread_mutex_unlock(&read_lock);
}

void fake_start(struct source *s, struct fake_read *r, uint64_t offset, size_t len)
{
    struct source_read *read = &r->read;

    read->offset = offset;
    read->len = len;
    read->buf = r->bytes;
    read->done = on_done;
    read->progress = on_progress;
    read->arg = r;
    r->done = r->fell = false;
    r->calls = r->status = 0;
    r->told = r->tellings = 0;
    memset(r->bytes, 0xee, sizeof r->bytes);
    source_start(s, read);
}

void fake_wait(struct fake_read *r)
{
    pthread_mutex_lock(&read_lock);
    while (!r->done)
        pthread_cond_wait(&read_changed, &read_lock);
    pthread_mutex_unlock(&read_lock);
}

void fake_wait_told(struct fake_read *r, size_t told)
{
    pthread_mutex_lock(&read_lock);
    while (r->told < told)
        pthread_cond_wait(&read_changed, &read_lock);
    pthread_mutex_unlock(&read_lock);
}

bool fake_is_done(struct fake_read *r)
{
    pthread_mutex_lock(&read_lock);
    bool done = r->done;
    pthread_mutex_unlock(&read_lock);
    return done;
}

void fake_cancel(struct source *s, struct fake_read *r)
{
    pthread_mutex_lock(&read_lock);
    if (!r->done)
        source_cancel(s, &r->read);
    pthread_mutex_unlock(&read_lock);
}

void fake_promote(struct source *s, struct fake_read *r)
{
    pthread_mutex_lock(&read_lock);
    if (!r->done)
        source_promote(s, &r->read);
    pthread_mutex_unlock(&read_lock);
}

bool fake_good(const struct fake_read *r)
{
    if (r->calls != 1 || r->fell)
        printf("\n    %d calls of done, progress %s", r->calls, r->fell ? "wrong" : "right");
    if (r->status)
        printf("\n    %s: %s", err_kind_name(r->err.kind), r->err.text);
    for (size_t i = 0; !r->status && i < sizeof r->bytes; i++) {
        uint8_t want = i < r->read.len ? fake_byte(r->read.offset + i, 0) : 0xee;
        if (r->bytes[i] != want) {
            printf("\n    byte %zu is wrong", i);
            return false;
        }
    }
    return r->calls == 1 && !r->status && !r->fell;
}

bool fake_reads(struct source *s, uint64_t offset, size_t len, unsigned flags)
{
    struct fake_read *r = calloc(1, sizeof *r);

    r->read.flags = flags;
    fake_start(s, r, offset, len);
    fake_wait(r);
    bool good = fake_good(r);
    free(r);
    return good;
}

void fake_read_fails(struct source *s, enum err_kind kind)
{
    struct fake_read *r = calloc(1, sizeof *r);

    fake_start(s, r, 5000, 5000);
    fake_wait(r);
    CU_ASSERT_EQUAL(r->err.kind, kind);
    CU_ASSERT(r->status < 0);
    CU_ASSERT_EQUAL(r->calls, 1);
    if (r->err.kind != kind)
        printf("\n    %s, not %s: %s", err_kind_name(r->err.kind), err_kind_name(kind),
               r->err.text);
    free(r);
}

/* --- origins -------------------------------------------------------------------------------- */

void fake_options(struct origin_options *o, size_t count, uint32_t holdoff_ms)
{
    static const char *const names[] = { "a://place", "b://place", "c://place", "d://place" };

    *o = (struct origin_options){
        .locations = names, .count = count, .open = fake_open,
        .holdoff_first_ms = holdoff_ms, .holdoff_most_ms = 2 * holdoff_ms,
        .holdoff_refused_ms = holdoff_ms,
    };
}

struct source *fake_origin(size_t count, uint32_t holdoff_ms)
{
    struct origin_options o;
    struct source *s = NULL;
    struct err e = { .kind = ERR_NONE };

    fake_options(&o, count, holdoff_ms);
    int rc = origin_open(&o, 0, &s, &e);
    if (rc)
        printf("\n    %s", e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return s;
}

struct origin_place fake_shown(struct source *s, size_t place)
{
    struct origin_place places[ORIGIN_PLACES_MAX];
    size_t n = origin_get_places(s, places, ARRAY_LEN(places));

    CU_ASSERT_FATAL(place < n);
    return places[place];
}
