/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/origin*.c: where reads go, and what becomes of them. */
#include "config.h"

#include "tests/fake_place.h"
#include "tests/unit.h"

#include <stdio.h>

#include "src/clock.h"

enum { A, B, C, D };

static struct fake_read *new_read(unsigned flags)
{
    struct fake_read *r = calloc(1, sizeof *r);

    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    r->read.flags = flags;
    return r;
}

/* --- opening --------------------------------------------------------------------------------- */

static void origin_opens_the_first_place_only(void)
{
    fake_reset();
    struct source *s = fake_origin(3, 0);

    CU_ASSERT(source_is_origin(s) && !source_is_immediate(s));
    CU_ASSERT_EQUAL(source_size(s), FAKE_SIZE);
    CU_ASSERT_STRING_EQUAL(source_name(s), "a://place");
    CU_ASSERT(fake_reads(s, 0, FAKE_SIZE, 0));
    CU_ASSERT(fake_reads(s, 77, 1, 0));
    CU_ASSERT_EQUAL(FAKE_GET(A, opens), 1);
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), 2);
    CU_ASSERT_EQUAL(FAKE_GET(B, opens) + FAKE_GET(C, opens), 0);
    source_close(s);
    CU_ASSERT_EQUAL(FAKE_GET(A, closes), 1);
}

static void origin_opens_the_next_place_when_the_first_fails(void)
{
    fake_reset();
    FAKE_SET(A, opening, FAKE_FAILS);
    FAKE_SET(B, opening, FAKE_FAILS);
    struct source *s = fake_origin(3, 0);

    CU_ASSERT_STRING_EQUAL(source_name(s), "a://place");
    CU_ASSERT(fake_reads(s, 10, 100, 0));
    CU_ASSERT_EQUAL(FAKE_GET(C, reads), 1);
    CU_ASSERT(FAKE_GET(A, once) && FAKE_GET(B, once) && !FAKE_GET(C, once));
    CU_ASSERT(FAKE_GET(A, open_timeout_ms) <= 30000);
    CU_ASSERT_EQUAL(fake_logged("place fails"), 2);
    source_close(s);
}

static void origin_that_cannot_be_opened_says_what_is_wrong_with_the_preferred_place(void)
{
    struct origin_options o;
    struct source *s;
    struct err e = { .kind = ERR_NONE };

    fake_reset();
    fake_options(&o, 2, 0);
    FAKE_SET(A, opening, FAKE_FAILS);
    FAKE_SET(A, kind, ERR_NOT_FOUND);
    FAKE_SET(B, opening, FAKE_FAILS);
    CU_ASSERT_EQUAL(origin_open(&o, 0, &s, &e), -ENOENT);
    CU_ASSERT_EQUAL(e.kind, ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "a://place"));
    CU_ASSERT_EQUAL(FAKE_GET(B, opens), 1);
}

/* As a path on a share whose server is gone. */
static void origin_does_not_wait_for_an_opening_that_is_stuck(void)
{
    const struct source_options connection = { .io_timeout_ms = 1000 };
    struct origin_options o;
    struct source *s = NULL;
    struct err e;

    fake_reset();
    fake_options(&o, 2, 20);
    o.connection = &connection;
    FAKE_SET(A, opening, FAKE_STUCK);
    CU_ASSERT_EQUAL_FATAL(origin_open(&o, 0, &s, &e), 0);
    CU_ASSERT(fake_reads(s, 5, 5, 0));
    FAKE_POLL(fake_shown(s, A).failures >= 3);
    CU_ASSERT_EQUAL(FAKE_GET(A, opens), 1); /* no more threads while that one is stuck */
    FAKE_SET(A, opening, FAKE_WORKS);
    FAKE_POLL(fake_shown(s, A).state == ORIGIN_PLACE_READY);
    CU_ASSERT_EQUAL(FAKE_GET(A, opens), 2);
    source_close(s);

    FAKE_SET(A, opening, FAKE_STUCK);
    o.count = 1;
    CU_ASSERT_EQUAL(origin_open(&o, 0, &s, &e), -ETIMEDOUT);
    CU_ASSERT_EQUAL(e.kind, ERR_TIMEOUT);
    FAKE_SET(A, opening, FAKE_WORKS);
    FAKE_WAIT(fakes[A].closes == 3);
}

static void origin_opens_with_little_patience_when_told_so(void)
{
    struct origin_options o;
    struct source *s = NULL;

    fake_reset();
    fake_options(&o, 1, 0);
    o.impatient = true;
    CU_ASSERT_EQUAL_FATAL(origin_open(&o, 0, &s, NULL), 0);
    CU_ASSERT(FAKE_GET(A, once));
    CU_ASSERT(fake_reads(s, 5, 5, 0));
    CU_ASSERT(!(FAKE_GET(A, last).flags & SOURCE_READ_ONCE));
    CU_ASSERT_EQUAL(source_places(s), 1);
    source_close(s);
}

static void origin_of_no_or_too_many_places_is_refused(void)
{
    static const char *const many[ORIGIN_PLACES_MAX + 1] = { "a", "b", "" };
    struct origin_options o = { .locations = many, .open = fake_open };
    struct source *s;
    struct err e;

    for (size_t i = 0; i < 3; i++) {
        o.count = (size_t[]){ 0, ORIGIN_PLACES_MAX + 1, 3 }[i];
        CU_ASSERT_EQUAL(origin_open(&o, 0, &s, &e), -EINVAL);
        CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    }
}

struct opener {
    struct origin_options options;
    struct source *source;
    int status;
    struct err err;
};

static void *open_it(void *arg)
{
    struct opener *op = arg;

    op->status = origin_open(&op->options, 0, &op->source, &op->err);
    return NULL;
}

static void origin_opening_can_be_ended(void)
{
    struct source_opening gate = SOURCE_OPENING_INIT;
    struct source_options connection = { .opening = &gate, .io_timeout_ms = 3600000 };
    struct opener op;
    pthread_t thread;

    fake_reset();
    fake_options(&op.options, 2, 0);
    op.options.connection = &connection;
    FAKE_SET(A, opening, FAKE_HANGS);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, open_it, &op), 0);
    FAKE_WAIT(fakes[A].opens);
    source_opening_cancel(&gate);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(op.err.kind, ERR_CANCELLED);
    CU_ASSERT_EQUAL(FAKE_GET(B, opens), 0);
}

/* --- fail-over ------------------------------------------------------------------------------- */

static void origin_takes_failures_elsewhere_that_another_place_may_do_better(void)
{
    static const enum err_kind kinds[] = {
        ERR_NETWORK,       ERR_TIMEOUT,        ERR_TLS,       ERR_HTTP_STATUS,
        ERR_HTTP_NO_RANGE, ERR_HTTP_BAD_REPLY, ERR_NOT_FOUND, ERR_AUTH,
        ERR_OBJECT_CHANGED, ERR_TRUNCATED,     ERR_SYSTEM,    ERR_DENIED,
        ERR_UNSUPPORTED,
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        fake_reset();
        FAKE_SET(A, reading, FAKE_FAILS);
        FAKE_SET(A, kind, kinds[i]);
        struct source *s = fake_origin(2, 0);
        struct fake_read *r = new_read(0);
        struct source_stats stats;

        fake_start(s, r, 1000, 2000);
        fake_wait(r);
        CU_ASSERT(fake_good(r));
        CU_ASSERT_EQUAL(r->read.place, B);
        FAKE_POLL(fake_shown(s, A).error == kinds[i]);
        source_get_stats(s, &stats);
        CU_ASSERT_EQUAL(stats.failovers, 1);
        CU_ASSERT_EQUAL(stats.errors, 0);
        free(r);
        source_close(s);
    }
}

static void origin_takes_other_failures_nowhere(void)
{
    static const enum err_kind kinds[] = { ERR_CANCELLED, ERR_NO_MEMORY, ERR_INVALID };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        fake_reset();
        FAKE_SET(A, reading, FAKE_FAILS);
        FAKE_SET(A, kind, kinds[i]);
        struct source *s = fake_origin(2, 0);

        fake_read_fails(s, kinds[i]);
        CU_ASSERT_EQUAL(FAKE_GET(B, opens), 0);
        CU_ASSERT_EQUAL(fake_shown(s, A).state, ORIGIN_PLACE_READY);
        source_close(s);
    }
}

static void origin_gives_all_the_time_to_the_last_place_only(void)
{
    fake_reset();
    FAKE_SET(A, reading, FAKE_FAILS);
    FAKE_SET(B, reading, FAKE_FAILS);
    struct source *s = fake_origin(3, 0);
    struct fake_read *r = new_read(0);

    r->read.timeout_ms = 1000000;
    fake_start(s, r, 1000, 2000);
    fake_wait(r);
    CU_ASSERT(fake_good(r));
    CU_ASSERT(FAKE_GET(A, last).flags & SOURCE_READ_ONCE);
    CU_ASSERT(FAKE_GET(B, last).flags & SOURCE_READ_ONCE);
    CU_ASSERT(!(FAKE_GET(C, last).flags & SOURCE_READ_ONCE));
    CU_ASSERT(FAKE_GET(A, last).timeout_ms <= 500000);
    CU_ASSERT(FAKE_GET(B, last).timeout_ms <= 500000);
    CU_ASSERT(FAKE_GET(C, last).timeout_ms > 500000);
    CU_ASSERT(FAKE_GET(C, last).timeout_ms <= 1000000);
    free(r);
    source_close(s);
}

static void origin_of_one_place_hands_reads_through(void)
{
    fake_reset();
    struct source *s = fake_origin(1, 0);

    CU_ASSERT(fake_reads(s, 100, 500, SOURCE_READ_ELSEWHERE | SOURCE_READ_FRESH | SOURCE_READ_LOW));
    CU_ASSERT_EQUAL(FAKE_GET(A, last).flags, SOURCE_READ_FRESH | SOURCE_READ_LOW);
    CU_ASSERT(FAKE_GET(A, last).timeout_ms > 50000);
    FAKE_SET(A, reading, FAKE_FAILS);
    fake_read_fails(s, ERR_NETWORK);
    source_close(s);
}

static void origin_resumes_where_the_other_place_broke_off(void)
{
    fake_reset();
    FAKE_SET(A, reading, FAKE_FAILS);
    FAKE_SET(A, partial, 30000);
    FAKE_SET(B, reading, FAKE_FAILS);
    FAKE_SET(B, partial, 11000);
    struct source *s = fake_origin(3, 0);
    struct fake_read *r = new_read(0);

    fake_start(s, r, 7, 90000);
    fake_wait(r);
    CU_ASSERT(fake_good(r));
    CU_ASSERT_EQUAL(r->read.place, C);
    CU_ASSERT_EQUAL(FAKE_GET(B, last).offset, 30007);
    CU_ASSERT_EQUAL(FAKE_GET(B, last).len, 60000);
    CU_ASSERT_EQUAL(FAKE_GET(C, last).offset, 41007);
    CU_ASSERT_EQUAL(FAKE_GET(C, last).len, 49000);
    CU_ASSERT_EQUAL(r->told, 90000);
    CU_ASSERT_EQUAL(r->tellings, 6);
    free(r);
    source_close(s);
}

static void origin_needs_no_other_place_for_bytes_it_has_all(void)
{
    fake_reset();
    FAKE_SET(A, reading, FAKE_FAILS);
    FAKE_SET(A, partial, 500);
    struct source *s = fake_origin(2, 0);

    CU_ASSERT(fake_reads(s, 7, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(B, opens), 0);
    source_close(s);
}

static void origin_takes_fresh_bytes_from_one_place(void)
{
    static const unsigned flags[] = { SOURCE_READ_FRESH, SOURCE_READ_FRESH | SOURCE_READ_LOW };

    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        fake_reset();
        FAKE_SET(A, reading, FAKE_FAILS);
        FAKE_SET(A, partial, 300);
        struct source *s = fake_origin(2, 0);
        struct fake_read *r = new_read(flags[i]);

        fake_start(s, r, 7, 500);
        fake_wait(r);
        CU_ASSERT(fake_good(r));
        CU_ASSERT_EQUAL(FAKE_GET(B, last).offset, 7);
        CU_ASSERT_EQUAL(FAKE_GET(B, last).len, 500);
        CU_ASSERT_EQUAL(FAKE_GET(B, last).flags, flags[i]);
        CU_ASSERT_EQUAL(r->tellings, 0);
        free(r);
        source_close(s);
    }
}

static void origin_reads_elsewhere_when_asked_to(void)
{
    fake_reset();
    struct source *s = fake_origin(3, 0);
    struct fake_read *r = new_read(SOURCE_READ_ELSEWHERE);

    for (unsigned place = 0; place < 3; place++) {
        r->read.place = place;
        fake_start(s, r, 500, 500);
        fake_wait(r);
        CU_ASSERT(fake_good(r));
        CU_ASSERT_EQUAL(r->read.place, place == A ? B : A);
    }
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), 2);
    CU_ASSERT_EQUAL(FAKE_GET(B, reads), 1);
    CU_ASSERT_EQUAL(FAKE_GET(C, opens), 0);
    free(r);
    source_close(s);
}

static void origin_never_reads_from_the_place_it_was_told_not_to(void)
{
    fake_reset();
    struct source *s = fake_origin(2, 0);
    struct fake_read *r = new_read(SOURCE_READ_ELSEWHERE);

    FAKE_SET(B, opening, FAKE_FAILS);
    r->read.place = A;
    fake_start(s, r, 500, 500);
    fake_wait(r);
    CU_ASSERT_EQUAL(r->err.kind, ERR_NETWORK);
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), 0);
    free(r);
    source_close(s);
}

static void origin_refuses_reads_beyond_the_end_without_asking(void)
{
    fake_reset();
    struct source *s = fake_origin(2, 0);
    struct fake_read *r = new_read(0);

    fake_start(s, r, FAKE_SIZE - 10, 11);
    fake_wait(r);
    CU_ASSERT_EQUAL(r->err.kind, ERR_TRUNCATED);
    fake_start(s, r, UINT64_MAX, 1);
    fake_wait(r);
    CU_ASSERT_EQUAL(r->err.kind, ERR_TRUNCATED);
    CU_ASSERT_EQUAL(FAKE_GET(A, reads) + FAKE_GET(B, opens), 0);
    free(r);
    source_close(s);
}

static void origin_hands_promoting_and_dropping_the_head_on(void)
{
    fake_reset();
    FAKE_SET(A, reading, FAKE_HANGS);
    struct origin_options o;
    struct source *s = NULL;
    struct fake_read *r = new_read(SOURCE_READ_LOW);

    fake_options(&o, 1, 0);
    CU_ASSERT_EQUAL_FATAL(origin_open(&o, 100, &s, NULL), 0);
    CU_ASSERT_EQUAL(FAKE_GET(A, head_drops), 0);
    source_drop_head(s);
    FAKE_WAIT(fakes[A].head_drops == 1);
    fake_start(s, r, 50, 50);
    FAKE_WAIT(fakes[A].waiting == 1);
    fake_promote(s, r);
    FAKE_WAIT(fakes[A].promotes == 1);
    FAKE_SET(A, reading, FAKE_WORKS);
    fake_wait(r);
    CU_ASSERT(fake_good(r));
    free(r);
    source_close(s);
}

static void origin_promotes_a_read_that_still_waits_for_its_place(void)
{
    fake_reset();
    FAKE_SET(B, opening, FAKE_HANGS);
    struct source *s = fake_origin(2, 0);
    struct fake_read *r = new_read(SOURCE_READ_LOW);

    FAKE_SET(A, reading, FAKE_FAILS);
    fake_start(s, r, 50, 50);
    FAKE_WAIT(fakes[B].opens == 1);
    fake_promote(s, r);
    FAKE_SET(B, opening, FAKE_WORKS);
    fake_wait(r);
    CU_ASSERT(fake_good(r));
    /* The opening may have been heard of first. */
    CU_ASSERT(!(FAKE_GET(B, last).flags & SOURCE_READ_LOW) || FAKE_GET(B, promotes));
    free(r);
    source_close(s);
}

static void origin_adds_up_the_numbers_of_its_places(void)
{
    fake_reset();
    struct source *s = fake_origin(2, 0);
    struct source_stats stats;
    uint64_t reads = 0;

    FAKE_SET(A, reading, FAKE_FAILS);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    FAKE_SET(B, reading, FAKE_FAILS);
    fake_read_fails(s, ERR_NETWORK);
    source_get_stats(s, &stats);
    CU_ASSERT_EQUAL(stats.requests, 2);
    CU_ASSERT_EQUAL(stats.bytes, 20);
    CU_ASSERT_EQUAL(stats.connections, 200);
    CU_ASSERT_EQUAL(stats.retries, 2000);
    CU_ASSERT_EQUAL(stats.failovers, 2);
    CU_ASSERT_EQUAL(stats.errors, 1);
    CU_ASSERT_EQUAL(stats.in_flight, 0);
    CU_ASSERT_EQUAL(stats.oldest_ms, 0);
    for (size_t i = 0; i < SOURCE_LATENCY_BUCKETS; i++)
        reads += stats.latency[i];
    CU_ASSERT_EQUAL(reads, 2);
    CU_ASSERT_EQUAL(fake_shown(s, A).reads, 2);
    CU_ASSERT_EQUAL(fake_shown(s, B).reads, 2);
    FAKE_POLL(fake_shown(s, A).failures == 2);
    CU_ASSERT_EQUAL(fake_shown(s, B).failures, 1);
    source_close(s);
}

/* --- time ------------------------------------------------------------------------------------ */

static void origin_ends_a_read_by_its_deadline(void)
{
    fake_reset();
    FAKE_SET(A, reading, FAKE_HANGS);
    struct source *s = fake_origin(1, 60000);
    struct fake_read *r = new_read(0);
    uint64_t begun = monotonic_ms();

    r->read.timeout_ms = 50;
    fake_start(s, r, 50, 50);
    fake_wait(r);
    CU_ASSERT_EQUAL(r->err.kind, ERR_TIMEOUT);
    CU_ASSERT_EQUAL(r->status, -ETIMEDOUT);
    CU_ASSERT(monotonic_ms() - begun >= 50);
    CU_ASSERT_EQUAL(FAKE_GET(A, cancels), 1);
    free(r);
    source_close(s);
}

static void origin_ends_a_read_by_its_deadline_while_the_place_is_being_opened(void)
{
    fake_reset();
    FAKE_SET(B, opening, FAKE_STUCK);
    struct source *s = fake_origin(2, 60000);
    struct fake_read *r = new_read(SOURCE_READ_ELSEWHERE);
    uint64_t begun = monotonic_ms();

    r->read.timeout_ms = 50;
    fake_start(s, r, 50, 50);
    fake_wait(r);
    CU_ASSERT_EQUAL(r->err.kind, ERR_TIMEOUT);
    CU_ASSERT(monotonic_ms() - begun >= 50);
    CU_ASSERT_EQUAL(FAKE_GET(B, opens), 1);
    free(r);
    FAKE_SET(B, opening, FAKE_WORKS);
    source_close(s);
}

static void origin_gives_a_silent_place_half_the_time_when_there_is_another(void)
{
    struct source_options connection = { .io_timeout_ms = 200 };
    struct origin_options o;
    struct source *s = NULL;

    fake_reset();
    FAKE_SET(A, reading, FAKE_HANGS);
    fake_options(&o, 2, 60000);
    o.connection = &connection;
    CU_ASSERT_EQUAL_FATAL(origin_open(&o, 0, &s, NULL), 0);
    struct fake_read *r = new_read(0);
    r->read.timeout_ms = 2000;
    fake_start(s, r, 50, 50);
    fake_wait(r);
    CU_ASSERT(fake_good(r));
    CU_ASSERT_EQUAL(r->read.place, B);
    FAKE_POLL(fake_shown(s, A).error == ERR_TIMEOUT);
    free(r);
    source_close(s);
}

static void origin_leaves_the_time_of_low_reads_to_the_place(void)
{
    fake_reset();
    FAKE_SET(A, reading, FAKE_HANGS);
    struct source *s = fake_origin(1, 60000);
    struct fake_read *low = new_read(SOURCE_READ_LOW), *other = new_read(0);

    low->read.timeout_ms = 10;
    other->read.timeout_ms = 300;
    fake_start(s, low, 50, 50);
    fake_start(s, other, 50, 50);
    fake_wait(other);
    CU_ASSERT_EQUAL(other->err.kind, ERR_TIMEOUT);
    CU_ASSERT(!fake_is_done(low));
    fake_promote(s, low);
    fake_wait(low);
    CU_ASSERT_EQUAL(low->err.kind, ERR_TIMEOUT);
    free(low);
    free(other);
    source_close(s);
}

/* --- cancelling and closing ------------------------------------------------------------------ */

static void origin_cancels_a_read_wherever_it_is(void)
{
    fake_reset();
    FAKE_SET(A, reading, FAKE_HANGS);
    FAKE_SET(B, opening, FAKE_STUCK);
    struct source *s = fake_origin(2, 0);
    struct fake_read *asked = new_read(0), *waits = new_read(SOURCE_READ_ELSEWHERE);
    struct fake_read *new = new_read(0);

    fake_start(s, asked, 50, 50);
    FAKE_WAIT(fakes[A].waiting == 1);
    fake_start(s, waits, 50, 50);
    FAKE_WAIT(fakes[B].opens == 1);
    fake_cancel(s, waits);
    fake_wait(waits);
    CU_ASSERT_EQUAL(waits->err.kind, ERR_CANCELLED);
    fake_start(s, new, 50, 50);
    fake_cancel(s, new);
    fake_wait(new);
    CU_ASSERT_EQUAL(new->err.kind, ERR_CANCELLED);
    fake_cancel(s, asked);
    fake_cancel(s, asked);
    fake_wait(asked);
    CU_ASSERT_EQUAL(asked->err.kind, ERR_CANCELLED);
    CU_ASSERT_EQUAL(asked->status, -EINTR);
    CU_ASSERT_EQUAL(fake_shown(s, A).failures, 0);
    FAKE_SET(B, opening, FAKE_WORKS);
    source_close(s);
    free(asked);
    free(waits);
    free(new);
}

static void origin_closes_with_reads_in_every_state(void)
{
    fake_reset();
    FAKE_SET(A, reading, FAKE_HANGS);
    FAKE_SET(B, opening, FAKE_HANGS);
    FAKE_SET(C, immediate, true);
    FAKE_SET(C, reading, FAKE_HANGS);
    struct source *s = fake_origin(3, 0);
    struct fake_read *asked = new_read(0), *waits = new_read(SOURCE_READ_ELSEWHERE);
    struct fake_read *new = new_read(0);

    fake_start(s, asked, 50, 50);
    FAKE_WAIT(fakes[A].waiting == 1);
    fake_start(s, waits, 50, 50);
    FAKE_WAIT(fakes[B].opens == 1);
    fake_start(s, new, 50, 50);
    source_close(s);
    CU_ASSERT_EQUAL(asked->err.kind, ERR_CANCELLED);
    CU_ASSERT_EQUAL(waits->err.kind, ERR_CANCELLED);
    CU_ASSERT_EQUAL(new->err.kind, ERR_CANCELLED);
    CU_ASSERT_EQUAL(FAKE_GET(A, closes), 1);
    free(asked);
    free(waits);
    free(new);
}

/* An opening that cannot be ended is left behind, and what it brings is thrown away. */
static void origin_closes_although_an_opening_is_stuck(void)
{
    fake_reset();
    FAKE_SET(B, opening, FAKE_STUCK);
    struct source *s = fake_origin(2, 0);
    struct fake_read *r = new_read(SOURCE_READ_ELSEWHERE);

    fake_start(s, r, 50, 50);
    FAKE_WAIT(fakes[B].opens == 1);
    source_close(s);
    CU_ASSERT_EQUAL(r->err.kind, ERR_CANCELLED);
    CU_ASSERT_EQUAL(FAKE_GET(B, closes), 0);
    FAKE_SET(B, opening, FAKE_WORKS);
    FAKE_WAIT(fakes[B].closes == 1);
    free(r);
}

/* done() of one read starts another, as an engine does. */
struct chain {
    struct source *source;
    struct source_read read;
    uint8_t byte;
    int left;
    struct err err;
};

static void start_another(struct source_read *read, int status, const struct err *e)
{
    struct chain *c = read->arg;

    pthread_mutex_lock(&fake_lock);
    c->left--;
    if (status)
        c->err = *e;
    int left = c->left;
    pthread_cond_broadcast(&fake_changed);
    pthread_mutex_unlock(&fake_lock);
    if (left)
        source_start(c->source, &c->read);
}

static void origin_lets_done_start_reads_also_while_it_closes(void)
{
    fake_reset();
    struct source *s = fake_origin(1, 0);
    struct chain c = { .source = s, .left = 5000 };

    c.read = (struct source_read){
        .offset = 5, .len = 1, .buf = &c.byte, .done = start_another, .arg = &c
    };
    source_start(s, &c.read);
    FAKE_WAIT(c.left < 4900);
    source_close(s);
    CU_ASSERT_EQUAL(c.left, 0);
}

UNIT_MAIN("origin", TEST(origin_opens_the_first_place_only),
          TEST(origin_opens_the_next_place_when_the_first_fails),
          TEST(origin_that_cannot_be_opened_says_what_is_wrong_with_the_preferred_place),
          TEST(origin_does_not_wait_for_an_opening_that_is_stuck),
          TEST(origin_opens_with_little_patience_when_told_so),
          TEST(origin_of_no_or_too_many_places_is_refused), TEST(origin_opening_can_be_ended),
          TEST(origin_takes_failures_elsewhere_that_another_place_may_do_better),
          TEST(origin_takes_other_failures_nowhere),
          TEST(origin_gives_all_the_time_to_the_last_place_only),
          TEST(origin_of_one_place_hands_reads_through),
          TEST(origin_resumes_where_the_other_place_broke_off),
          TEST(origin_needs_no_other_place_for_bytes_it_has_all),
          TEST(origin_takes_fresh_bytes_from_one_place), TEST(origin_reads_elsewhere_when_asked_to),
          TEST(origin_never_reads_from_the_place_it_was_told_not_to),
          TEST(origin_refuses_reads_beyond_the_end_without_asking),
          TEST(origin_hands_promoting_and_dropping_the_head_on),
          TEST(origin_promotes_a_read_that_still_waits_for_its_place),
          TEST(origin_adds_up_the_numbers_of_its_places), TEST(origin_ends_a_read_by_its_deadline),
          TEST(origin_ends_a_read_by_its_deadline_while_the_place_is_being_opened),
          TEST(origin_gives_a_silent_place_half_the_time_when_there_is_another),
          TEST(origin_leaves_the_time_of_low_reads_to_the_place),
          TEST(origin_cancels_a_read_wherever_it_is), TEST(origin_closes_with_reads_in_every_state),
          TEST(origin_closes_although_an_opening_is_stuck),
          TEST(origin_lets_done_start_reads_also_while_it_closes))
