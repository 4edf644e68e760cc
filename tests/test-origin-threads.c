/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit test of fetch/origin*.c under load: many threads read, cancel, promote and look on while
 * places fail at random and the origin is switched offline now and then. Every read ends once, and
 * has the right bytes when it says so.
 */
#include "config.h"

#include "tests/fake_place.h"
#include "tests/unit.h"

#include <stdatomic.h>
#include <stdio.h>

enum { READERS = 6, READS = 400 };

static struct source *source;
static atomic_uint good, failed, wrong, ended;
static atomic_bool over;

static bool is_expected(enum err_kind kind)
{
    switch (kind) {
    case ERR_NETWORK:
    case ERR_TIMEOUT:
    case ERR_HTTP_STATUS:
    case ERR_NOT_FOUND:
    case ERR_OBJECT_CHANGED:
    case ERR_CANCELLED:
    case ERR_OFFLINE:
        return true;
    default:
        return false;
    }
}

static void *reader(void *arg)
{
    struct fake_read *r = calloc(1, sizeof *r);
    unsigned chance = (unsigned)(uintptr_t)arg * 2654435761u + 1;

    for (unsigned i = 0; r && i < READS; i++) {
        chance = chance * 1103515245u + 12345u;
        unsigned c = chance >> 8;
        memset(r, 0, offsetof(struct fake_read, bytes));
        r->read.flags = c & (SOURCE_READ_LOW | SOURCE_READ_FRESH | SOURCE_READ_ELSEWHERE);
        r->read.place = c % 3;
        r->read.timeout_ms = c % 11 ? 0 : 1 + c % 40;
        fake_start(source, r, c % 50000, 2 + c % 40000);
        if (c % 5 == 0)
            fake_cancel(source, r);
        if (c % 7 == 0)
            fake_promote(source, r);
        fake_wait(r);
        if (r->err.kind == ERR_CANCELLED || r->err.kind == ERR_OFFLINE)
            atomic_fetch_add(&ended, 1);
        if (!r->status && fake_good(r))
            atomic_fetch_add(&good, 1);
        else if (r->status && r->calls == 1 && !r->fell && is_expected(r->err.kind))
            atomic_fetch_add(&failed, 1);
        else
            atomic_fetch_add(&wrong, 1);
    }
    free(r);
    return NULL;
}

static void *onlooker(void *arg)
{
    struct origin_place places[4];
    struct source_stats stats;

    (void)arg;
    for (unsigned i = 0; !atomic_load(&over); i++) {
        source_get_stats(source, &stats);
        if (origin_get_places(source, places, 4) != 4)
            atomic_fetch_add(&wrong, 1);
        if (i % 50 == 0)
            origin_set_offline(source, true);
        if (i % 50 == 2)
            origin_set_offline(source, false);
        if (i % 70 == 0)
            source_drop_head(source);
        (void)usleep(1000);
    }
    origin_set_offline(source, false);
    return NULL;
}

static void origin_under_load_ends_every_read_once(void)
{
    pthread_t readers[READERS], looks;
    struct source_stats stats;
    uint64_t timed = 0;

    fake_reset();
    for (size_t i = 0; i < FAKE_MAX; i++)
        FAKE_SET(i, random, 30);
    FAKE_SET(1, immediate, true);
    source = fake_origin(4, 2);
    for (size_t i = 0; i < READERS; i++)
        CU_ASSERT_FATAL(!pthread_create(&readers[i], NULL, reader, (void *)(i + 1)));
    CU_ASSERT_FATAL(!pthread_create(&looks, NULL, onlooker, NULL));
    for (size_t i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    atomic_store(&over, true);
    pthread_join(looks, NULL);
    CU_ASSERT_EQUAL(atomic_load(&wrong), 0);
    CU_ASSERT_EQUAL(atomic_load(&good) + atomic_load(&failed), READERS * READS);
    CU_ASSERT(atomic_load(&good) > READERS * READS / 4);
    source_get_stats(source, &stats);
    CU_ASSERT_EQUAL(stats.in_flight, 0);
    CU_ASSERT(stats.failovers > 0);
    for (size_t i = 0; i < SOURCE_LATENCY_BUCKETS; i++)
        timed += stats.latency[i];
    CU_ASSERT_EQUAL(timed, READERS * READS - atomic_load(&ended));
    printf("\n    %u good, %u failed, %llu times elsewhere", atomic_load(&good),
           atomic_load(&failed), (unsigned long long)stats.failovers);
    for (size_t i = 0; i < FAKE_MAX; i++)
        FAKE_SET(i, random, 0);
    FAKE_POLL(origin_is_connected(source));
    CU_ASSERT(fake_reads(source, 100, 100, 0));
    source_close(source);
    for (size_t i = 0; i < FAKE_MAX; i++)
        FAKE_WAIT(fakes[i].closes == fakes[i].opens); /* a thread that was given up comes later */
}

UNIT_MAIN("origin threads", TEST(origin_under_load_ends_every_read_once))
