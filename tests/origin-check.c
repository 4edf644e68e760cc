/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens an origin over real places and does as it is told on standard input, for
 * tests/it-025-http-mirrors.sh. Byte i of the object has to be pattern(i).
 *
 *     origin-check [-o KEY=VALUE]... PLACE...
 *
 * KEY: io_timeout_ms, connect_timeout_ms, first_ms, most_ms, refused_ms (hold-offs), offline=1, or
 * size and head (a file with the first bytes) for places that may be absent. Orders, one a line,
 * each answered by a line that begins with the order's first word:
 *
 *     read OFFSET LENGTH [fresh] [not PLACE]    read ok place=N | read KIND TEXT
 *     begin N          N threads read at random ...
 *     end              ... until now: end good=N failed=N
 *     long OFFSET LENGTH    begins a read and tells "long got" when the first bytes are there
 *     result           and this is what becomes of it, as for read, with told=N
 *     await PLACE STATE     until it is in that state
 *     places           "place N STATE [in-use]" for each, then the answer
 *     offline, online
 *     stats            stats requests=N failovers=N errors=N in_flight=N connected=N
 *
 * Exit status 1 for wrong bytes, 2 for wrong usage.
 */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/origin.h"

enum { THREADS_MAX = 32, HEAD_MAX = 4096 };

static struct source *source;
static atomic_bool ending, wrong;
static atomic_uint good, failed;

static uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

/* --- one read --------------------------------------------------------------------------------- */

struct job {
    struct source_read read;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;      /* lock, as the rest */
    size_t told;
    int status;
    struct err err;
};

static void on_done(struct source_read *read, int status, const struct err *e)
{
    struct job *j = read->arg;

    pthread_mutex_lock(&j->lock);
    j->done = true;
    j->status = status;
    if (status)
        j->err = *e;
    pthread_cond_broadcast(&j->changed);
    pthread_mutex_unlock(&j->lock);
}

static void on_progress(struct source_read *read, size_t got)
{
    struct job *j = read->arg;

    pthread_mutex_lock(&j->lock);
    if (got <= j->told || j->done)
        atomic_store(&wrong, true);
    j->told = got;
    pthread_cond_broadcast(&j->changed);
    pthread_mutex_unlock(&j->lock);
}

static void start(struct job *j, uint64_t offset, size_t len)
{
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->changed, NULL);
    j->read.offset = offset;
    j->read.len = len;
    j->read.buf = malloc(len);
    j->read.done = on_done;
    j->read.progress = on_progress;
    j->read.arg = j;
    if (!j->read.buf)
        exit(2);
    source_start(source, &j->read);
}

/* Waits for the end, or for the first bytes. */
static void wait_for(struct job *j, bool some)
{
    pthread_mutex_lock(&j->lock);
    while (!j->done && !(some && j->told))
        pthread_cond_wait(&j->changed, &j->lock);
    pthread_mutex_unlock(&j->lock);
}

/* Whether it succeeded. */
static bool finish(struct job *j)
{
    wait_for(j, false);
    for (size_t i = 0; !j->status && i < j->read.len; i++)
        if (j->read.buf[i] != pattern(j->read.offset + i)) {
            atomic_store(&wrong, true);
            printf("WRONG BYTE at %" PRIu64 "\n", j->read.offset + i);
            break;
        }
    free(j->read.buf);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->changed);
    return !j->status;
}

static void print_result(const char *order, const struct job *j)
{
    if (j->status)
        printf("%s %s %s\n", order, err_kind_name(j->err.kind), j->err.text);
    else
        printf("%s ok place=%u told=%zu\n", order, j->read.place, j->told);
}

/* --- orders ----------------------------------------------------------------------------------- */

static void do_read(const char *arguments)
{
    struct job j = { .done = false };
    const char *not = strstr(arguments, "not ");
    unsigned long long offset;
    size_t len;

    if (sscanf(arguments, "%llu %zu", &offset, &len) != 2)
        exit(2);
    if (strstr(arguments, "fresh"))
        j.read.flags |= SOURCE_READ_FRESH;
    if (not) {
        j.read.flags |= SOURCE_READ_ELSEWHERE;
        j.read.place = (unsigned)strtoul(not + 4, NULL, 10);
    }
    start(&j, offset, len);
    (void)finish(&j);
    print_result("read", &j);
}

static void *read_at_random(void *arg)
{
    unsigned chance = (unsigned)(uintptr_t)arg * 2654435761u;
    uint64_t size = source_size(source);

    while (!atomic_load(&ending)) {
        struct job j = { .done = false };

        chance = chance * 1103515245u + 12345u;
        uint64_t offset = (chance >> 4) % size;
        chance = chance * 1103515245u + 12345u;
        start(&j, offset, (size_t)min_u64(size - offset, 1 + (chance >> 8) % 200000));
        atomic_fetch_add(finish(&j) ? &good : &failed, 1);
    }
    return NULL;
}

static pthread_t threads[THREADS_MAX];
static size_t thread_count;

static void do_begin(const char *arguments)
{
    atomic_store(&ending, false);
    atomic_store(&good, 0);
    atomic_store(&failed, 0);
    thread_count = strtoul(arguments, NULL, 10);
    for (size_t i = 0; i < thread_count; i++)
        if (i >= THREADS_MAX || pthread_create(&threads[i], NULL, read_at_random, (void *)(i + 1)))
            exit(2);
    while (atomic_load(&good) + atomic_load(&failed) < thread_count)
        (void)usleep(1000);
    printf("begin ok\n");
}

static void do_end(void)
{
    atomic_store(&ending, true);
    for (size_t i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    printf("end good=%u failed=%u\n", atomic_load(&good), atomic_load(&failed));
}

static struct job long_job;

static void do_long(const char *arguments)
{
    unsigned long long offset;
    size_t len;

    if (sscanf(arguments, "%llu %zu", &offset, &len) != 2)
        exit(2);
    long_job = (struct job){ .done = false };
    start(&long_job, offset, len);
    wait_for(&long_job, true);
    printf("long %s\n", long_job.told ? "got" : "ended");
}

static void do_places(void)
{
    struct origin_place places[ORIGIN_PLACES_MAX];
    size_t n = origin_get_places(source, places, ORIGIN_PLACES_MAX);

    for (size_t i = 0; i < n; i++)
        printf("place %zu %s%s\n", i, origin_place_state_name(places[i].state),
               places[i].in_use ? " in-use" : "");
    printf("places ok\n");
}

/* Without end: the script has a limit. */
static void do_await(const char *arguments)
{
    struct origin_place places[ORIGIN_PLACES_MAX];
    char state[20];
    unsigned place;

    if (sscanf(arguments, "%u %19s", &place, state) != 2 || place >= ORIGIN_PLACES_MAX)
        exit(2);
    do
        (void)usleep(5000);
    while (origin_get_places(source, places, ORIGIN_PLACES_MAX) <= place ||
           strcmp(origin_place_state_name(places[place].state), state) != 0);
    printf("await ok\n");
}

static void do_stats(void)
{
    struct source_stats s;

    source_get_stats(source, &s);
    printf("stats requests=%" PRIu64 " failovers=%" PRIu64 " errors=%" PRIu64 " in_flight=%" PRIu64
           " connected=%d\n",
           s.requests, s.failovers, s.errors, s.in_flight, origin_is_connected(source));
}

static void obey(char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char *arguments = line + strcspn(line, " ");
    if (*arguments)
        *arguments++ = '\0';
    if (!strcmp(line, "read")) {
        do_read(arguments);
    } else if (!strcmp(line, "begin")) {
        do_begin(arguments);
    } else if (!strcmp(line, "end")) {
        do_end();
    } else if (!strcmp(line, "long")) {
        do_long(arguments);
    } else if (!strcmp(line, "result")) {
        (void)finish(&long_job);
        print_result("result", &long_job);
    } else if (!strcmp(line, "places")) {
        do_places();
    } else if (!strcmp(line, "await")) {
        do_await(arguments);
    } else if (!strcmp(line, "stats")) {
        do_stats();
    } else if (!strcmp(line, "offline") || !strcmp(line, "online")) {
        origin_set_offline(source, line[1] == 'f');
        printf("%s ok\n", line);
    } else {
        exit(2);
    }
    (void)fflush(stdout);
}

/* --- options ---------------------------------------------------------------------------------- */

static uint8_t head[HEAD_MAX];

static void set_option(struct origin_options *o, struct source_options *c, const char *text)
{
    const char *value = strchr(text, '=');
    const struct {
        const char *name;
        uint32_t *number;
    } fields[] = {
        { "io_timeout_ms=", &c->io_timeout_ms },
        { "connect_timeout_ms=", &c->connect_timeout_ms },
        { "first_ms=", &o->holdoff_first_ms },
        { "most_ms=", &o->holdoff_most_ms },
        { "refused_ms=", &o->holdoff_refused_ms },
    };
    FILE *f;

    if (!value++)
        exit(2);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!strncmp(text, fields[i].name, strlen(fields[i].name))) {
            *fields[i].number = (uint32_t)strtoul(value, NULL, 10);
            return;
        }
    if (!strncmp(text, "offline=", 8)) {
        o->offline = true;
    } else if (!strncmp(text, "size=", 5)) {
        o->allow_absent = true;
        o->size = strtoull(value, NULL, 10);
    } else if (!strncmp(text, "head=", 5) && (f = fopen(value, "r"))) {
        o->head = head;
        o->head_len = fread(head, 1, sizeof head, f);
        (void)fclose(f);
    } else {
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct source_options connection = { .io_timeout_ms = 30000, .proxy = "" };
    struct origin_options o = { .connection = &connection };
    struct err e;
    char line[200];
    int c;

    while ((c = getopt(argc, argv, "o:")) != -1) {
        if (c != 'o')
            return 2;
        set_option(&o, &connection, optarg);
    }
    o.locations = (const char *const *)argv + optind;
    o.count = (size_t)(argc - optind);
    if (origin_open(&o, 0, &source, &e)) {
        printf("open %s %s\n", err_kind_name(e.kind), e.text);
        return 0;
    }
    printf("open ok size=%" PRIu64 "\n", source_size(source));
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        obey(line);
    source_close(source);
    printf("closed\n");
    return atomic_load(&wrong) ? 1 : 0;
}
