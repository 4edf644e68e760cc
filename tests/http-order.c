/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who goes first: LOW reads of a URL stand back behind others. For tests/it-028-http-order.sh:
 *
 *     http-order URL CA_FILE MAX_CONNECTIONS SEED
 *
 * URL is an object of at least 3,000,000 bytes whose byte i is pattern(i), on a server that sends
 * 1 MB of a reply at once and then 1 MB a second, so that a read of all of it is in flight for two
 * seconds. Prints what it looks at; exit status 1 when something is not so.
 */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fetch/source.h"

enum { MANY = 12, LARGE = 3000000, STEPS = 400 };

struct job {
    struct source_read read;
    struct source *s;
    size_t told; /* lock, as the rest */
    bool done;
    int status;
    struct err err;
    unsigned place; /* among those that are done, from 1 on */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned done_count, low_begun, low_begun_most; /* lock */
static bool good = true;
static struct source_options options;
static const char *url;

static void check(bool is_so, const char *what)
{
    if (is_so)
        return;
    printf("NOT SO: %s\n", what);
    good = false;
}

static uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

static bool is_low(const struct job *j)
{
    return (j->read.flags & SOURCE_READ_LOW) != 0;
}

static void on_done(struct source_read *read, int status, const struct err *e)
{
    struct job *j = read->arg;

    pthread_mutex_lock(&lock);
    low_begun -= is_low(j) && j->told;
    j->status = status;
    if (status)
        j->err = *e;
    j->place = ++done_count;
    j->done = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_progress(struct source_read *read, size_t got)
{
    struct job *j = read->arg;

    pthread_mutex_lock(&lock);
    if (is_low(j) && !j->told && ++low_begun > low_begun_most)
        low_begun_most = low_begun;
    j->told = got;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void begin(struct source *s, struct job *j, unsigned flags, uint64_t offset, size_t len,
                  uint32_t timeout_ms)
{
    *j = (struct job){ .s = s,
                       .read = { .offset = offset, .len = len, .buf = malloc(len), .flags = flags,
                                 .timeout_ms = timeout_ms, .done = on_done,
                                 .progress = on_progress, .arg = j } };
    if (!j->read.buf)
        exit(2);
    source_start(s, &j->read);
}

/* Needs lock. Waits until J has bytes, or is done. */
static void wait_bytes(struct job *j, size_t more_than)
{
    while (!j->done && j->told <= more_than)
        pthread_cond_wait(&changed, &lock);
}

static void wait_done(struct job *j)
{
    pthread_mutex_lock(&lock);
    while (!j->done)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* Returns how many reads were done already. */
static unsigned tell(struct job *j, void (*what)(struct source *s, struct source_read *read))
{
    pthread_mutex_lock(&lock);
    unsigned before = done_count;
    if (!j->done)
        what(j->s, &j->read);
    pthread_mutex_unlock(&lock);
    return before;
}

/* Waits, looks at the bytes, frees. WANT: the kind of error, ERR_NONE for none. */
static void end(struct job *j, enum err_kind want)
{
    const struct source_read *r = &j->read;
    size_t i = 0;

    wait_done(j);
    if ((j->status ? j->err.kind : ERR_NONE) != want) {
        printf("NOT SO: %s is expected, not %s (%s)\n", err_kind_name(want),
               j->status ? err_kind_name(j->err.kind) : "ok", j->status ? j->err.text : "");
        good = false;
    }
    while (!j->status && i < r->len && r->buf[i] == pattern(r->offset + i))
        i++;
    check(j->status || i == r->len, "the bytes are right");
    free(j->read.buf);
}

static struct source *begin_source(const char *what)
{
    struct source *s;
    struct err e;

    puts(what);
    (void)fflush(stdout);
    done_count = low_begun = low_begun_most = 0;
    if (source_open(url, &options, 0, &s, &e) == 0)
        return s;
    printf("cannot open %s: %s\n", url, e.text);
    exit(2);
}

static void end_source(struct source *s, uint64_t bytes)
{
    struct source_stats t;

    source_get_stats(s, &t);
    if (bytes && t.bytes != bytes + 1) { /* and one when it was opened */
        printf("NOT SO: %" PRIu64 " bytes are expected, not %" PRIu64 "\n", bytes + 1, t.bytes);
        good = false;
    }
    check(t.retries == 0, "nothing had to be tried again");
    check(t.in_flight == 0 && t.oldest_ms == 0, "nothing is in flight at the end");
    source_close(s);
}

/* --- what is looked at ------------------------------------------------------------------------ */

static void low_reads_stand_still(void)
{
    struct source *s = begin_source("LOW reads stand still while another one is in flight");
    struct job low[2], other;
    size_t told[2];

    for (size_t i = 0; i < 2; i++)
        begin(s, &low[i], SOURCE_READ_LOW, 0, LARGE, 0);
    pthread_mutex_lock(&lock);
    wait_bytes(&low[0], 0);
    pthread_mutex_unlock(&lock);
    begin(s, &other, 0, 0, LARGE, 0);
    pthread_mutex_lock(&lock);
    wait_bytes(&other, 0);
    told[0] = low[0].told;
    told[1] = low[1].told;
    wait_bytes(&other, LARGE / 2);
    check(!other.done, "the server sends slowly enough for this test");
    check(told[0] == low[0].told && told[1] == low[1].told, "no byte of a LOW read came meanwhile");
    pthread_mutex_unlock(&lock);
    end(&other, ERR_NONE);
    for (unsigned round = 0; round < 3; round++) { /* to be paused again and again does no harm */
        begin(s, &other, 0, 1000 + round, 400000, 0);
        end(&other, ERR_NONE);
    }
    end(&low[0], ERR_NONE);
    end(&low[1], ERR_NONE);
    end_source(s, 3 * 400000 + 3 * LARGE);
}

static void reads_ahead_do_not_stand_still(void)
{
    struct source *s = begin_source("AHEAD reads go on beside another one, LOW ones stand still for them");
    struct job low, ahead, other;

    begin(s, &low, SOURCE_READ_LOW, 0, LARGE, 0);
    pthread_mutex_lock(&lock);
    wait_bytes(&low, 0);
    pthread_mutex_unlock(&lock);
    begin(s, &ahead, SOURCE_READ_LOW | SOURCE_READ_AHEAD, 0, LARGE, 0);
    pthread_mutex_lock(&lock);
    wait_bytes(&ahead, 0); /* with two connections or fewer, when LOW is done */
    size_t told = low.told;
    wait_bytes(&ahead, LARGE / 4);
    check(low.done || told == low.told, "no byte of a LOW read came meanwhile");
    check(!ahead.done, "the server sends slowly enough for this test");
    pthread_mutex_unlock(&lock);
    begin(s, &other, 0, 0, LARGE, 0);
    pthread_mutex_lock(&lock);
    wait_bytes(&other, 0);
    told = ahead.told;
    if (options.max_connections > 1)
        wait_bytes(&ahead, told);
    check(options.max_connections == 1 || !other.done, "the AHEAD read goes on beside another one");
    pthread_mutex_unlock(&lock);
    end(&other, ERR_NONE);
    end(&ahead, ERR_NONE);
    end(&low, ERR_NONE);
    end_source(s, 3 * LARGE);
}

static void nobody_stands_back_for_a_promoted_read(void)
{
    struct source *s = begin_source("LOW reads go on beside one that has been promoted");
    struct job low[2];

    for (size_t i = 0; i < 2; i++)
        begin(s, &low[i], SOURCE_READ_LOW, 0, LARGE, 0);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < 2; i++)
        wait_bytes(&low[i], 0);
    pthread_mutex_unlock(&lock);
    tell(&low[0], source_promote);
    pthread_mutex_lock(&lock);
    size_t told = low[1].told;
    wait_bytes(&low[1], told);
    check(options.max_connections < 4 || !low[0].done, "it does not wait for the other one's end");
    pthread_mutex_unlock(&lock);
    end(&low[0], ERR_NONE);
    end(&low[1], ERR_NONE);
    end_source(s, 2 * LARGE);
}

static void low_reads_leave_room(void)
{
    struct source *s = begin_source("LOW reads have half of the connections at most");
    struct job low[MANY];
    unsigned most = options.max_connections / 2;

    for (size_t i = 0; i < MANY; i++)
        begin(s, &low[i], SOURCE_READ_LOW, i * 1000, 200000, 0);
    for (size_t i = 0; i < MANY; i++)
        end(&low[i], ERR_NONE);
    check(low_begun_most <= (most ? most : 1), "not more than that many are under way");
    end_source(s, MANY * 200000);
}

static void promoted_reads_go_first(void)
{
    struct source *s = begin_source("a LOW read that is promoted overtakes the others");
    struct job low[MANY];

    for (size_t i = 0; i < MANY; i++)
        begin(s, &low[i], SOURCE_READ_LOW, 0, i == MANY - 1 ? 5000 : LARGE, 0);
    pthread_mutex_lock(&lock);
    wait_bytes(&low[0], 0);
    pthread_mutex_unlock(&lock);
    unsigned before = tell(&low[MANY - 1], source_promote);
    end(&low[MANY - 1], ERR_NONE);
    check(low[MANY - 1].place == before + 1, "it is the next to be done");
    for (size_t i = 1; i < MANY - 1; i++)
        tell(&low[i], source_cancel);
    for (size_t i = 1; i < MANY - 1; i++)
        end(&low[i], ERR_CANCELLED);
    end(&low[0], ERR_NONE);
    end_source(s, 0);
}

static void paused_reads_go_on_when_promoted(void)
{
    struct source *s = begin_source("a paused LOW read goes on when it is promoted");
    struct job low, other;

    begin(s, &low, SOURCE_READ_LOW, 0, 2000000, 0);
    pthread_mutex_lock(&lock);
    wait_bytes(&low, 0);
    pthread_mutex_unlock(&lock);
    begin(s, &other, 0, 0, LARGE, 0);
    pthread_mutex_lock(&lock);
    wait_bytes(&other, 0);
    pthread_mutex_unlock(&lock);
    unsigned before = tell(&low, source_promote);
    end(&low, ERR_NONE);
    if (options.max_connections > 1) /* else it waits for the connection */
        check(low.place == before + 1, "it is the next to be done");
    end(&other, ERR_NONE);
    end_source(s, 2000000 + LARGE);
}

static void paused_reads_can_be_cancelled(void)
{
    struct source *s = begin_source("a paused LOW read can be cancelled");
    struct job low, other;

    begin(s, &low, SOURCE_READ_LOW, 0, LARGE, 0);
    pthread_mutex_lock(&lock);
    wait_bytes(&low, 0);
    pthread_mutex_unlock(&lock);
    begin(s, &other, 0, 0, LARGE, 0);
    pthread_mutex_lock(&lock);
    wait_bytes(&other, 0);
    pthread_mutex_unlock(&lock);
    unsigned before = tell(&low, source_cancel);
    end(&low, ERR_CANCELLED);
    check(low.place == before + 1, "it is answered at once");
    end(&other, ERR_NONE);
    end_source(s, 0);
}

/* Longer than the LOW read's deadline and than the low-speed limit. */
static void standing_back_takes_no_time(void)
{
    struct source *s = begin_source("standing back neither ends a LOW read nor counts as slow");
    struct job low[2], other[2];

    begin(s, &low[0], SOURCE_READ_LOW, 0, 1500000, 3000);
    pthread_mutex_lock(&lock);
    wait_bytes(&low[0], 0);
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < 2; i++) { /* the second one begins before the first one ends */
        begin(s, &other[i], 0, 0, LARGE, 0);
        pthread_mutex_lock(&lock);
        wait_bytes(&other[i], LARGE - LARGE / 4);
        pthread_mutex_unlock(&lock);
    }
    begin(s, &low[1], SOURCE_READ_LOW, 0, 5000, 3000);
    end(&other[0], ERR_NONE);
    end(&other[1], ERR_NONE);
    end(&low[0], ERR_NONE);
    end(&low[1], ERR_NONE);
    end_source(s, 1505000 + 2 * LARGE);
}

static void closing_ends_paused_reads(void)
{
    struct source *s = begin_source("closing ends LOW reads that wait and that are paused");
    struct job low[MANY], other;

    for (size_t i = 0; i < MANY; i++)
        begin(s, &low[i], SOURCE_READ_LOW, 0, LARGE, 0);
    pthread_mutex_lock(&lock);
    wait_bytes(&low[0], 0);
    pthread_mutex_unlock(&lock);
    begin(s, &other, 0, 0, LARGE, 0);
    pthread_mutex_lock(&lock);
    wait_bytes(&other, 0);
    pthread_mutex_unlock(&lock);
    source_close(s);
    end(&other, ERR_CANCELLED);
    for (size_t i = 0; i < MANY; i++)
        end(&low[i], ERR_CANCELLED);
}

static uint32_t any(uint32_t below)
{
    static uint32_t state;

    if (!state)
        state = (uint32_t)options.low_speed_bytes; /* the seed, see main() */
    state = state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)state * below >> 32);
}

/* Every read is answered, and rightly, whatever becomes of the others. */
static void any_order_ends(void)
{
    struct source *s = begin_source("reads, promotions and cancellations in any order");
    static struct job jobs[MANY];
    static bool used[MANY], cancelled[MANY];
    static const unsigned flags[] = { 0, SOURCE_READ_LOW, SOURCE_READ_LOW,
                                      SOURCE_READ_LOW | SOURCE_READ_AHEAD };

    for (unsigned step = 0; step < STEPS; step++) {
        size_t i = any(MANY);
        if (used[i] && any(3) == 0) {
            bool cancel = any(4) == 0;
            cancelled[i] = cancelled[i] || cancel;
            tell(&jobs[i], cancel ? source_cancel : source_promote);
        } else if (used[i]) {
            wait_done(&jobs[i]);
            end(&jobs[i], jobs[i].status && cancelled[i] ? ERR_CANCELLED : ERR_NONE);
            used[i] = cancelled[i] = false;
        } else {
            size_t len = any(8) ? 1 + any(60000) : 1 + any(300000);
            begin(s, &jobs[i], flags[any(4)], any(LARGE - 300000), len, 0);
            used[i] = true;
        }
    }
    for (size_t i = 0; i < MANY; i++)
        if (used[i]) {
            wait_done(&jobs[i]);
            end(&jobs[i], jobs[i].status && cancelled[i] ? ERR_CANCELLED : ERR_NONE);
        }
    end_source(s, 0);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    url = argv[1];
    options = (struct source_options){
        .ca_file = argv[2],
        .max_connections = (unsigned)strtoul(argv[3], NULL, 10),
        .low_speed_bytes = (unsigned)strtoul(argv[4], NULL, 10) % 900 + 1,
        .low_speed_seconds = 1,
    };
    low_reads_stand_still();
    reads_ahead_do_not_stand_still();
    nobody_stands_back_for_a_promoted_read();
    low_reads_leave_room();
    promoted_reads_go_first();
    paused_reads_go_on_when_promoted();
    paused_reads_can_be_cancelled();
    standing_back_takes_no_time();
    closing_ends_paused_reads();
    any_order_ends();
    return good ? 0 : 1;
}
