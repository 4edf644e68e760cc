/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/origin*.c: the health of places, their objects, and being without any. */
#include "config.h"

#include "tests/fake_place.h"
#include "tests/unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <netinet/in.h>

enum { A, B, C, D };

/* A hold-off that a test waits for, and one that it does not live to see the end of. */
enum { SHORT_MS = 20, LONG_MS = 3600 * 1000 };

static struct fake_read *new_read(unsigned flags)
{
    struct fake_read *r = calloc(1, sizeof *r);

    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    r->read.flags = flags;
    return r;
}

static enum origin_place_state state(struct source *s, size_t place)
{
    return fake_shown(s, place).state;
}

/* --- health --------------------------------------------------------------------------------- */

static void origin_leaves_a_place_alone_that_failed(void)
{
    fake_reset();
    struct source *s = fake_origin(2, LONG_MS);

    FAKE_SET(A, reading, FAKE_FAILS);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    FAKE_POLL(state(s, A) == ORIGIN_PLACE_HELD_OFF);
    CU_ASSERT(fake_shown(s, A).wait_ms > LONG_MS / 2);
    CU_ASSERT(!fake_shown(s, A).in_use && fake_shown(s, B).in_use);
    for (int i = 0; i < 5; i++)
        CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), 1);
    CU_ASSERT_EQUAL(FAKE_GET(B, reads), 6);
    CU_ASSERT_EQUAL(FAKE_GET(A, probes), 0);
    CU_ASSERT_EQUAL(fake_logged("place fails"), 1);
    CU_ASSERT(origin_is_connected(s));
    source_close(s);
}

static void origin_comes_back_to_the_first_place_when_a_probe_succeeds(void)
{
    fake_reset();
    struct source *s = fake_origin(2, SHORT_MS);

    FAKE_SET(A, reading, FAKE_FAILS);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    FAKE_WAIT(fakes[A].probes >= 3);
    FAKE_POLL(fake_shown(s, A).failures >= 3);
    CU_ASSERT_EQUAL(state(s, A), ORIGIN_PLACE_HELD_OFF);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), 1);
    FAKE_SET(A, reading, FAKE_WORKS);
    FAKE_POLL(state(s, A) == ORIGIN_PLACE_READY);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), 2);
    CU_ASSERT_EQUAL(fake_logged("place is back"), 1);
    source_close(s);
}

static void origin_opens_again_in_the_background_what_could_not_be_opened(void)
{
    fake_reset();
    FAKE_SET(A, opening, FAKE_FAILS);
    struct source *s = fake_origin(2, SHORT_MS);

    CU_ASSERT(fake_reads(s, 500, 500, 0));
    FAKE_WAIT(fakes[A].opens >= 3);
    FAKE_SET(A, opening, FAKE_WORKS);
    FAKE_POLL(state(s, A) == ORIGIN_PLACE_READY);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), 1);
    source_close(s);
}

static void origin_tries_places_that_are_held_off_when_there_is_no_other(void)
{
    fake_reset();
    struct source *s = fake_origin(2, LONG_MS);

    FAKE_SET(A, reading, FAKE_FAILS);
    FAKE_SET(B, reading, FAKE_FAILS);
    for (unsigned i = 1; i <= 3; i++) {
        fake_read_fails(s, ERR_NETWORK);
        CU_ASSERT_EQUAL(FAKE_GET(A, reads), i);
        CU_ASSERT_EQUAL(FAKE_GET(B, reads), i);
    }
    FAKE_SET(B, reading, FAKE_WORKS);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), 4);
    CU_ASSERT_EQUAL(FAKE_GET(B, reads), 5);
    source_close(s);
}

static void origin_counts_failures_at_one_time_once(void)
{
    enum { COUNT = 8 };
    struct fake_read *reads[COUNT];

    fake_reset();
    FAKE_SET(A, reading, FAKE_HANGS);
    struct source *s = fake_origin(2, 100000);

    for (int i = 0; i < COUNT; i++) {
        reads[i] = new_read(0);
        fake_start(s, reads[i], 500, 500);
    }
    FAKE_WAIT(fakes[A].waiting == COUNT);
    FAKE_SET(A, reading, FAKE_FAILS);
    for (int i = 0; i < COUNT; i++) {
        fake_wait(reads[i]);
        CU_ASSERT(fake_good(reads[i]));
        free(reads[i]);
    }
    FAKE_POLL(state(s, A) == ORIGIN_PLACE_HELD_OFF);
    CU_ASSERT(fake_shown(s, A).wait_ms <= 125000);
    source_close(s);
}

static void origin_does_not_blame_a_place_for_a_short_deadline(void)
{
    fake_reset();
    FAKE_SET(A, reading, FAKE_HANGS);
    struct source *s = fake_origin(1, LONG_MS);
    struct fake_read *r = new_read(0);

    r->read.timeout_ms = 20;
    fake_start(s, r, 500, 500);
    fake_wait(r);
    CU_ASSERT_EQUAL(r->err.kind, ERR_TIMEOUT);
    FAKE_POLL(fake_shown(s, A).failures == 1);
    CU_ASSERT_EQUAL(state(s, A), ORIGIN_PLACE_READY);
    CU_ASSERT(origin_is_connected(s));
    free(r);
    source_close(s);
}

static void origin_moves_reads_that_got_nothing_from_a_place_that_failed(void)
{
    struct fake_read *some = new_read(0), *none = new_read(0), *fails = new_read(0);

    fake_reset();
    FAKE_SET(A, reading, FAKE_HANGS);
    FAKE_SET(A, partial, 100);
    struct source *s = fake_origin(2, LONG_MS);

    fake_start(s, some, 500, 500);
    fake_wait_told(some, 100);
    fake_start(s, none, 500, 500);
    FAKE_WAIT(fakes[A].waiting == 2);
    FAKE_SET(A, fail_next, 1);
    fake_start(s, fails, 500, 500);
    fake_wait(none);
    fake_wait(fails);
    CU_ASSERT(fake_good(none) && fake_good(fails));
    CU_ASSERT_EQUAL(none->read.place, B);
    CU_ASSERT_EQUAL(FAKE_GET(A, cancels), 1);
    CU_ASSERT(!fake_is_done(some));
    FAKE_SET(A, reading, FAKE_WORKS);
    fake_wait(some);
    CU_ASSERT(fake_good(some));
    CU_ASSERT_EQUAL(some->read.place, A);
    free(some);
    free(none);
    free(fails);
    source_close(s);
}

/* Both places were down when the read began, so it sits at one of them with all its time. */
static void origin_moves_reads_to_a_place_that_comes_back(void)
{
    fake_reset();
    struct source *s = fake_origin(2, SHORT_MS);
    struct fake_read *r = new_read(0);

    FAKE_SET(A, reading, FAKE_FAILS);
    FAKE_SET(B, reading, FAKE_FAILS);
    fake_read_fails(s, ERR_NETWORK);
    FAKE_SET(A, reading, FAKE_HANGS);
    FAKE_SET(B, reading, FAKE_HANGS);
    unsigned a = FAKE_GET(A, reads), b = FAKE_GET(B, reads);
    r->read.timeout_ms = LONG_MS;
    fake_start(s, r, 500, 500);
    FAKE_WAIT(fakes[A].reads > a || fakes[B].reads > b);
    bool at_a = FAKE_GET(A, reads) > a;
    FAKE_SET(at_a ? B : A, reading, FAKE_WORKS);
    fake_wait(r);
    CU_ASSERT(fake_good(r));
    CU_ASSERT_EQUAL(r->read.place, at_a ? B : A);
    free(r);
    source_close(s);
}

/* --- which object --------------------------------------------------------------------------- */

static void check_refused(struct source *s)
{
    struct fake_read *r = new_read(SOURCE_READ_ELSEWHERE);

    for (unsigned i = 0; i < 3; i++) {
        r->read.place = A;
        fake_start(s, r, 500, 500);
        fake_wait(r);
        CU_ASSERT_EQUAL(r->err.kind, ERR_OBJECT_CHANGED);
        CU_ASSERT_PTR_NOT_NULL(strstr(r->err.text, "mount again"));
    }
    CU_ASSERT_EQUAL(FAKE_GET(B, opens), 1);
    CU_ASSERT_EQUAL(FAKE_GET(B, reads), 0);
    CU_ASSERT_EQUAL(fake_logged("has another object"), 1);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), 1);
    FAKE_POLL(state(s, B) == ORIGIN_PLACE_REFUSED);
    free(r);
}

static void origin_refuses_a_place_with_an_object_of_another_size(void)
{
    fake_reset();
    FAKE_SET(B, size, FAKE_SIZE + 1);
    struct source *s = fake_origin(2, LONG_MS);

    check_refused(s);
    source_close(s);
}

static void origin_refuses_a_place_with_an_object_that_begins_otherwise(void)
{
    fake_reset();
    FAKE_SET(B, object, 1);
    struct source *s = fake_origin(2, LONG_MS);

    check_refused(s);
    source_close(s);
}

static void origin_looks_again_at_a_place_that_it_refused(void)
{
    fake_reset();
    FAKE_SET(B, object, 1);
    struct source *s = fake_origin(2, SHORT_MS);

    FAKE_SET(A, reading, FAKE_FAILS);
    fake_read_fails(s, ERR_OBJECT_CHANGED);
    FAKE_WAIT(fakes[B].opens >= 3);
    CU_ASSERT_EQUAL(FAKE_GET(B, reads), 0);
    FAKE_SET(B, object, 0);
    FAKE_POLL(state(s, B) == ORIGIN_PLACE_READY);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT(FAKE_GET(B, reads) >= 1);
    source_close(s);
}

static void origin_tries_others_when_the_object_of_one_changes(void)
{
    fake_reset();
    struct source *s = fake_origin(2, SHORT_MS);

    FAKE_SET(A, object, 1);
    FAKE_SET(A, reading, FAKE_FAILS);
    FAKE_SET(A, kind, ERR_OBJECT_CHANGED);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    FAKE_POLL(state(s, A) == ORIGIN_PLACE_REFUSED);
    FAKE_SET(A, reading, FAKE_WORKS);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), 1);
    FAKE_SET(A, object, 0);
    FAKE_POLL(state(s, A) == ORIGIN_PLACE_READY);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), 2);
    source_close(s);
}

static void origin_says_what_to_do_when_no_place_has_the_old_object(void)
{
    fake_reset();
    FAKE_SET(B, kind, ERR_NETWORK);
    struct source *s = fake_origin(2, LONG_MS);
    struct fake_read *r = new_read(0);

    FAKE_SET(A, reading, FAKE_FAILS);
    FAKE_SET(A, kind, ERR_NETWORK);
    FAKE_SET(B, object, 1);
    fake_start(s, r, 500, 500);
    fake_wait(r);
    CU_ASSERT_EQUAL(r->err.kind, ERR_OBJECT_CHANGED);
    CU_ASSERT_PTR_NOT_NULL(strstr(r->err.text, "mount again"));
    CU_ASSERT_PTR_NOT_NULL(strstr(r->err.text, "more places failed"));
    free(r);
    source_close(s);
}

static void origin_of_one_place_accepts_the_same_object_back(void)
{
    fake_reset();
    struct source *s = fake_origin(1, SHORT_MS);

    FAKE_SET(A, reading, FAKE_FAILS);
    FAKE_SET(A, kind, ERR_OBJECT_CHANGED);
    fake_read_fails(s, ERR_OBJECT_CHANGED);
    FAKE_SET(A, reading, FAKE_WORKS);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(A, opens), 2);
    FAKE_POLL(FAKE_GET(A, closes) == 1);
    source_close(s);
}

static void origin_of_one_place_looks_soon_whether_the_object_is_back(void)
{
    struct origin_options o;
    struct source *s;

    fake_reset();
    fake_options(&o, 1, SHORT_MS);
    o.holdoff_refused_ms = LONG_MS;
    CU_ASSERT_EQUAL_FATAL(origin_open(&o, 0, &s, NULL), 0);
    FAKE_SET(A, object, 1);
    FAKE_SET(A, reading, FAKE_FAILS);
    FAKE_SET(A, kind, ERR_OBJECT_CHANGED);
    fake_read_fails(s, ERR_OBJECT_CHANGED);
    FAKE_POLL(state(s, A) == ORIGIN_PLACE_REFUSED);
    FAKE_SET(A, reading, FAKE_WORKS);
    fake_read_fails(s, ERR_OBJECT_CHANGED);
    FAKE_SET(A, object, 0);
    FAKE_POLL(state(s, A) == ORIGIN_PLACE_READY);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    source_close(s);
}

/* --- none at all ---------------------------------------------------------------------------- */

static void origin_says_once_that_it_is_disconnected_and_once_that_it_is_back(void)
{
    fake_reset();
    struct source *s = fake_origin(2, SHORT_MS);

    FAKE_SET(A, reading, FAKE_FAILS);
    FAKE_SET(B, opening, FAKE_FAILS);
    for (int i = 0; i < 5; i++)
        fake_read_fails(s, ERR_NETWORK);
    CU_ASSERT(!origin_is_connected(s));
    CU_ASSERT_EQUAL(fake_logged("disconnected"), 1);
    CU_ASSERT_EQUAL(fake_logged("connected again"), 0);
    FAKE_SET(A, reading, FAKE_WORKS);
    FAKE_SET(B, opening, FAKE_WORKS);
    FAKE_POLL(origin_is_connected(s)); /* by itself: nobody reads */
    FAKE_POLL(state(s, A) == ORIGIN_PLACE_READY && state(s, B) == ORIGIN_PLACE_READY);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(fake_logged("disconnected"), 1);
    CU_ASSERT_EQUAL(fake_logged("connected again"), 1);
    source_close(s);
}

static void origin_when_offline_fails_all_reads_and_asks_nobody(void)
{
    fake_reset();
    FAKE_SET(A, reading, FAKE_HANGS);
    FAKE_SET(B, opening, FAKE_HANGS);
    struct source *s = fake_origin(2, SHORT_MS);
    struct fake_read *asked = new_read(0), *waits = new_read(SOURCE_READ_ELSEWHERE);

    fake_start(s, asked, 500, 500);
    FAKE_WAIT(fakes[A].waiting == 1);
    fake_start(s, waits, 500, 500);
    FAKE_WAIT(fakes[B].opens == 1);
    CU_ASSERT(!origin_is_offline(s));
    origin_set_offline(s, true);
    CU_ASSERT(origin_is_offline(s));
    fake_wait(asked);
    fake_wait(waits);
    CU_ASSERT_EQUAL(asked->err.kind, ERR_OFFLINE);
    CU_ASSERT_EQUAL(waits->err.kind, ERR_OFFLINE);
    CU_ASSERT_PTR_NOT_NULL(strstr(asked->err.text, "not cached, and the mount is offline"));
    unsigned a = FAKE_GET(A, reads), b = FAKE_GET(B, opens);
    for (int i = 0; i < 3; i++)
        fake_read_fails(s, ERR_OFFLINE);
    (void)usleep(4 * SHORT_MS * 1000); /* no probe either */
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), a);
    CU_ASSERT_EQUAL(FAKE_GET(B, opens), b);
    CU_ASSERT_EQUAL(FAKE_GET(A, probes), 0);
    CU_ASSERT_EQUAL(fake_shown(s, A).failures + fake_shown(s, B).failures, 0);
    CU_ASSERT_EQUAL(fake_logged("offline: nobody is asked"), 1);

    FAKE_SET(A, reading, FAKE_WORKS);
    FAKE_SET(B, opening, FAKE_WORKS);
    origin_set_offline(s, false);
    CU_ASSERT(!origin_is_offline(s));
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), a + 1);
    CU_ASSERT_EQUAL(fake_logged("online again"), 1);
    source_close(s);
    free(asked);
    free(waits);
}

static struct source *open_known(bool offline, uint64_t size, unsigned object, uint32_t holdoff)
{
    struct origin_options o;
    struct source *s = NULL;
    uint8_t head[300];

    for (size_t i = 0; i < sizeof head; i++)
        head[i] = fake_byte(i, object);
    fake_options(&o, 2, holdoff);
    o.offline = offline;
    o.allow_absent = !offline;
    o.size = size;
    o.head = head;
    o.head_len = sizeof head;
    CU_ASSERT_EQUAL_FATAL(origin_open(&o, 0, &s, NULL), 0);
    return s;
}

static void origin_opens_offline_without_any_contact(void)
{
    fake_reset();
    struct source *s = open_known(true, FAKE_SIZE, 0, LONG_MS);

    CU_ASSERT(origin_is_offline(s));
    CU_ASSERT_EQUAL(source_size(s), FAKE_SIZE);
    fake_read_fails(s, ERR_OFFLINE);
    CU_ASSERT_EQUAL(FAKE_GET(A, opens) + FAKE_GET(B, opens), 0);
    origin_set_offline(s, false);
    FAKE_WAIT(fakes[A].opens == 1);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    source_close(s);
}

static void origin_opens_with_nobody_there_and_connects_by_itself(void)
{
    fake_reset();
    FAKE_SET(A, opening, FAKE_FAILS);
    FAKE_SET(B, opening, FAKE_FAILS);
    struct source *s = open_known(false, FAKE_SIZE, 0, SHORT_MS);

    fake_read_fails(s, ERR_NETWORK);
    CU_ASSERT(!origin_is_connected(s));
    FAKE_SET(B, opening, FAKE_WORKS);
    FAKE_POLL(origin_is_connected(s));
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(B, reads), 1);
    source_close(s);
}

static void origin_reads_at_once_although_opened_with_nobody_there(void)
{
    fake_reset();
    struct source *s = open_known(false, FAKE_SIZE, 0, LONG_MS);

    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), 1);
    CU_ASSERT_EQUAL(FAKE_GET(A, opens), 1);
    source_close(s);
}

static void origin_knows_from_before_which_object_it_is(void)
{
    for (int i = 0; i < 2; i++) {
        fake_reset();
        struct source *s = open_known(i, i ? FAKE_SIZE - 1 : FAKE_SIZE, i ? 0 : 1, LONG_MS);

        if (i)
            origin_set_offline(s, false);
        fake_read_fails(s, ERR_OBJECT_CHANGED);
        CU_ASSERT_EQUAL(FAKE_GET(A, reads) + FAKE_GET(B, reads), 0);
        CU_ASSERT_EQUAL(fake_logged("has another object"), 2);
        source_close(s);
    }
}

/* --- places that block ---------------------------------------------------------------------- */

static void origin_reads_from_a_file_in_a_thread_of_its_own(void)
{
    fake_reset();
    FAKE_SET(A, immediate, true);
    struct source *s = fake_origin(1, LONG_MS);

    CU_ASSERT(!source_is_immediate(s));
    CU_ASSERT(fake_reads(s, 500, 50000, 0));
    CU_ASSERT(!pthread_equal(FAKE_GET(A, thread), pthread_self()));
    source_close(s);
    CU_ASSERT_EQUAL(FAKE_GET(A, closes), 1);
}

/* A file is opened anew after a failure: its share may have gone and come back. */
static void origin_opens_a_file_anew_that_failed(void)
{
    fake_reset();
    FAKE_SET(A, immediate, true);
    struct source *s = fake_origin(2, SHORT_MS);

    FAKE_SET(A, reading, FAKE_FAILS);
    FAKE_SET(A, kind, ERR_SYSTEM);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    FAKE_SET(A, reading, FAKE_WORKS);
    FAKE_POLL(state(s, A) == ORIGIN_PLACE_READY);
    CU_ASSERT_EQUAL(FAKE_GET(A, opens), 2);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(A, reads), 2);
    source_close(s);
}

static void origin_gives_reads_up_that_a_file_does_not_end(void)
{
    fake_reset();
    FAKE_SET(A, immediate, true);
    FAKE_SET(A, reading, FAKE_STUCK);
    struct source *s = fake_origin(1, LONG_MS);
    struct fake_read *cancelled = new_read(0), *late = new_read(0), *offline = new_read(0);

    late->read.timeout_ms = 30;
    fake_start(s, cancelled, 500, 500);
    FAKE_WAIT(fakes[A].waiting == 1);
    fake_cancel(s, cancelled);
    fake_wait(cancelled);
    CU_ASSERT_EQUAL(cancelled->err.kind, ERR_CANCELLED);
    fake_start(s, late, 500, 500);
    fake_wait(late);
    CU_ASSERT_EQUAL(late->err.kind, ERR_TIMEOUT);
    fake_start(s, offline, 500, 500);
    FAKE_WAIT(fakes[A].waiting == 3);
    origin_set_offline(s, true);
    fake_wait(offline);
    CU_ASSERT_EQUAL(offline->err.kind, ERR_OFFLINE);
    source_close(s);
    free(cancelled); /* nobody writes to it any more */
    free(late);
    free(offline);
    CU_ASSERT_EQUAL(FAKE_GET(A, closes), 0);
    FAKE_SET(A, reading, FAKE_WORKS);
    FAKE_WAIT(fakes[A].closes == 1);
}

static void origin_reads_elsewhere_when_all_threads_of_a_file_are_stuck(void)
{
    struct fake_read *r = new_read(0);

    fake_reset();
    FAKE_SET(A, immediate, true);
    FAKE_SET(A, reading, FAKE_STUCK);
    struct source *s = fake_origin(2, LONG_MS);

    for (unsigned i = 1; i <= 8; i++) {
        fake_start(s, r, 500, 500);
        FAKE_WAIT(fakes[A].waiting == i);
        fake_cancel(s, r);
        fake_wait(r);
    }
    CU_ASSERT_EQUAL(state(s, A), ORIGIN_PLACE_READY);
    CU_ASSERT(fake_reads(s, 500, 500, 0));
    CU_ASSERT_EQUAL(FAKE_GET(B, reads), 1);
    FAKE_POLL(state(s, A) == ORIGIN_PLACE_HELD_OFF);
    FAKE_SET(A, reading, FAKE_WORKS);
    FAKE_WAIT(fakes[A].waiting == 0);
    source_close(s);
    FAKE_WAIT(fakes[A].closes == 1);
    free(r);
}

static void origin_reads_from_a_file_with_few_threads(void)
{
    enum { COUNT = 40 };
    struct fake_read *reads[COUNT];

    fake_reset();
    FAKE_SET(A, immediate, true);
    FAKE_SET(A, reading, FAKE_HANGS);
    struct source *s = fake_origin(1, LONG_MS);

    for (int i = 0; i < COUNT; i++) {
        reads[i] = new_read(0);
        fake_start(s, reads[i], 500, 500);
    }
    FAKE_WAIT(fakes[A].waiting == 8);
    fake_cancel(s, reads[COUNT - 1]);
    fake_wait(reads[COUNT - 1]);
    CU_ASSERT_EQUAL(FAKE_GET(A, waiting), 8);
    FAKE_SET(A, reading, FAKE_WORKS);
    for (int i = 0; i < COUNT; i++) {
        fake_wait(reads[i]);
        CU_ASSERT(i == COUNT - 1 ? reads[i]->err.kind == ERR_CANCELLED : fake_good(reads[i]));
        free(reads[i]);
    }
    source_close(s);
}

/* --- real sources --------------------------------------------------------------------------- */

static void write_object(const char *path, unsigned object)
{
    FILE *f = fopen(path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    for (size_t i = 0; i < FAKE_SIZE; i++)
        CU_ASSERT(fputc(fake_byte(i, object), f) != EOF);
    CU_ASSERT_EQUAL(fclose(f), 0);
}

/* The names are relative, and the program leaves the directory before the second one is needed. */
static void origin_of_real_files_opens_them_wherever_the_program_is(void)
{
    static const char *const names[] = { "missing.sft", "one.sft", "two.sft" };
    struct origin_options o = { .locations = names, .count = 3 };
    char dir[] = "/tmp/sftfs-origin-XXXXXX", *cwd = getcwd(NULL, 0);
    struct fake_read *r = new_read(SOURCE_READ_ELSEWHERE);
    struct source *s = NULL;

    fake_reset();
    CU_ASSERT_FATAL(cwd && mkdtemp(dir) && !chdir(dir));
    write_object("one.sft", 0);
    write_object("two.sft", 0);
    CU_ASSERT_EQUAL_FATAL(origin_open(&o, 0, &s, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(chdir("/"), 0);
    CU_ASSERT(fake_reads(s, 0, FAKE_SIZE, 0));
    r->read.place = B;
    fake_start(s, r, 50, 50000);
    fake_wait(r);
    CU_ASSERT(fake_good(r));
    CU_ASSERT_EQUAL(r->read.place, C);
    source_close(s);
    CU_ASSERT_EQUAL(chdir(dir), 0);
    CU_ASSERT_EQUAL(unlink("one.sft"), 0);
    CU_ASSERT_EQUAL(unlink("two.sft"), 0);
    CU_ASSERT_EQUAL(chdir(cwd), 0);
    CU_ASSERT_EQUAL(rmdir(dir), 0);
    free(r);
    free(cwd);
}

/* A server that takes the connection and never says anything: with an hour's patience, nothing but
 * ending the opening lets this test end. */
static void origin_closes_while_a_real_server_is_silent(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    char url[64];
    const char *const location = url;
    const struct source_options connection = { .io_timeout_ms = LONG_MS, .proxy = "",
                                               .connect_timeout_ms = LONG_MS,
                                               .low_speed_seconds = 3600 };
    struct origin_options o = { .locations = &location, .count = 1, .connection = &connection,
                                .allow_absent = true, .size = FAKE_SIZE };
    struct fake_read *r = new_read(0);
    struct source *s = NULL;

    fake_reset();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_FATAL(!bind(listener, (struct sockaddr *)&at, len) && !listen(listener, 5) &&
                    !getsockname(listener, (struct sockaddr *)&at, &len));
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/x.sft", ntohs(at.sin_port));
    CU_ASSERT_EQUAL_FATAL(origin_open(&o, 0, &s, NULL), 0);
    fake_start(s, r, 50, 50);
    int connected = accept(listener, NULL, NULL);
    CU_ASSERT(connected >= 0);
    source_close(s);
    CU_ASSERT_EQUAL(r->err.kind, ERR_CANCELLED);
    (void)close(connected);
    (void)close(listener);
    free(r);
}

static void origin_shows_no_secrets_of_locations(void)
{
    static const char *const names[] = { "/some/file?x=y", "https://me:word@host/x.sft?sig=abc" };
    struct origin_options o = { .locations = names, .count = 2, .offline = true, .size = 10 };
    struct source *s = NULL;

    fake_reset();
    CU_ASSERT_EQUAL_FATAL(origin_open(&o, 0, &s, NULL), 0);
    CU_ASSERT_STRING_EQUAL(source_name(s), "/some/file?x=y");
    CU_ASSERT_STRING_EQUAL(fake_shown(s, A).name, "/some/file?x=y");
    CU_ASSERT_PTR_NULL(strstr(fake_shown(s, B).name, "word"));
    CU_ASSERT_PTR_NULL(strstr(fake_shown(s, B).name, "abc"));
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_shown(s, B).name, "host/x.sft"));
    source_close(s);
}

UNIT_MAIN("origin places", TEST(origin_leaves_a_place_alone_that_failed),
          TEST(origin_comes_back_to_the_first_place_when_a_probe_succeeds),
          TEST(origin_opens_again_in_the_background_what_could_not_be_opened),
          TEST(origin_tries_places_that_are_held_off_when_there_is_no_other),
          TEST(origin_counts_failures_at_one_time_once),
          TEST(origin_does_not_blame_a_place_for_a_short_deadline),
          TEST(origin_moves_reads_that_got_nothing_from_a_place_that_failed),
          TEST(origin_moves_reads_to_a_place_that_comes_back),
          TEST(origin_refuses_a_place_with_an_object_of_another_size),
          TEST(origin_refuses_a_place_with_an_object_that_begins_otherwise),
          TEST(origin_looks_again_at_a_place_that_it_refused),
          TEST(origin_tries_others_when_the_object_of_one_changes),
          TEST(origin_says_what_to_do_when_no_place_has_the_old_object),
          TEST(origin_of_one_place_accepts_the_same_object_back),
          TEST(origin_of_one_place_looks_soon_whether_the_object_is_back),
          TEST(origin_says_once_that_it_is_disconnected_and_once_that_it_is_back),
          TEST(origin_when_offline_fails_all_reads_and_asks_nobody),
          TEST(origin_opens_offline_without_any_contact),
          TEST(origin_opens_with_nobody_there_and_connects_by_itself),
          TEST(origin_reads_at_once_although_opened_with_nobody_there),
          TEST(origin_knows_from_before_which_object_it_is),
          TEST(origin_reads_from_a_file_in_a_thread_of_its_own),
          TEST(origin_opens_a_file_anew_that_failed),
          TEST(origin_gives_reads_up_that_a_file_does_not_end),
          TEST(origin_reads_elsewhere_when_all_threads_of_a_file_are_stuck),
          TEST(origin_reads_from_a_file_with_few_threads),
          TEST(origin_of_real_files_opens_them_wherever_the_program_is),
          TEST(origin_closes_while_a_real_server_is_silent),
          TEST(origin_shows_no_secrets_of_locations))
