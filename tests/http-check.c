/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens a URL as a source, reads ranges of it, and prints what became of each: for the integration
 * scripts tests/it-02*-http*.sh.
 *
 *     http-check [-o KEY=VALUE]... [-j] [-c] [-d] [-l] [-p] [-1] [-f] [-t MS] [-r N]
 *                URL [OFFSET:LENGTH]...
 *
 * KEY is a field of struct source_options, or head (bytes fetched when opening). -j starts all
 * reads at once, -c cancels each one once all are started, -d drops the head first, -r N does the
 * list of reads N times. -l: LOW reads, -p: which are promoted once all are started; -1: ONCE; -f:
 * FRESH; -t: with this deadline. Byte i of the object has to be pattern(i), also when progress is
 * told; nothing may be written behind the buffer's end; nothing may be in flight at the end. Lines
 * printed: "open RESULT", "read OFFSET:LENGTH RESULT", "stats ..."; RESULT is ok or the name of an
 * error kind and its text. Exit status 1 for wrong bytes, 2 for wrong usage.
 */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/source.h"

enum { CANARY = 64 };

struct job {
    struct source_read read;
    bool done; /* lock */
    int calls; /* lock; of done() */
    size_t told; /* I/O thread, then whoever has seen DONE */
    bool lied;   /* the same: progress() was told what is not so */
    int status;
    struct err err;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

static void on_done(struct source_read *read, int status, const struct err *e)
{
    struct job *j = read->arg;

    pthread_mutex_lock(&lock);
    j->status = status;
    if (status)
        j->err = *e;
    j->done = true;
    j->calls++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_progress(struct source_read *read, size_t got)
{
    struct job *j = read->arg;

    j->lied = j->lied || got <= j->told || got > read->len;
    for (size_t i = j->told; !j->lied && i < got; i++)
        j->lied = read->buf[i] != pattern(read->offset + i);
    j->told = got;
}

static struct source_read template = { .done = on_done, .progress = on_progress };

static void start(struct source *s, struct job *j, uint64_t offset, size_t len)
{
    *j = (struct job){ .read = template };
    j->read.offset = offset;
    j->read.len = len;
    j->read.arg = j;
    j->read.buf = malloc(len + CANARY);
    if (!j->read.buf)
        exit(2);
    memset(j->read.buf, 0xa5, len + CANARY);
    source_start(s, &j->read);
}

/* Cancels or promotes it, if it is not done. */
static void tell(struct source *s, struct job *j,
                 void (*what)(struct source *s, struct source_read *read))
{
    pthread_mutex_lock(&lock);
    if (!j->done)
        what(s, &j->read);
    pthread_mutex_unlock(&lock);
}

static void wait_for(struct job *j)
{
    pthread_mutex_lock(&lock);
    while (!j->done)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* Prints the line and frees the buffer; false when bytes are wrong. */
static bool report(struct job *j)
{
    const struct source_read *r = &j->read;
    bool good = j->calls == 1 && !j->lied;

    printf("read %" PRIu64 ":%zu ", r->offset, r->len);
    for (size_t i = 0; i < CANARY; i++)
        good = good && r->buf[r->len + i] == 0xa5;
    if (j->status)
        printf("%s (%s)\n", err_kind_name(j->err.kind), j->err.text);
    for (size_t i = 0; !j->status && i < r->len; i++)
        good = good && r->buf[i] == pattern(r->offset + i);
    if (!j->status)
        puts(good ? "ok" : "WRONG BYTES");
    else if (!good)
        puts("WRITTEN BEHIND THE BUFFER, or answered twice, or wrong progress");
    free(j->read.buf);
    return good;
}

static bool set_option(struct source_options *o, size_t *head, char *text)
{
    char *value = strchr(text, '=');
    const struct {
        const char *name;
        const char **text;
        unsigned *number;
    } fields[] = {
        { "io_timeout_ms", NULL, &o->io_timeout_ms },
        { "connect_timeout_ms", NULL, &o->connect_timeout_ms },
        { "low_speed_bytes", NULL, &o->low_speed_bytes },
        { "low_speed_seconds", NULL, &o->low_speed_seconds },
        { "max_connections", NULL, &o->max_connections },
        { "user_agent", &o->user_agent, NULL },
        { "ca_file", &o->ca_file, NULL },
        { "client_cert", &o->client_cert, NULL },
        { "client_key", &o->client_key, NULL },
        { "netrc_file", &o->netrc_file, NULL },
        { "proxy", &o->proxy, NULL },
        { "auth", &o->auth, NULL },
        { "aws_sigv4", &o->aws_sigv4, NULL },
    };

    if (!value)
        return false;
    *value++ = '\0';
    if (strcmp(text, "insecure") == 0)
        o->insecure = *value == '1';
    if (strcmp(text, "head") == 0)
        *head = (size_t)strtoull(value, NULL, 10);
    if (strcmp(text, "head") == 0 || strcmp(text, "insecure") == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (strcmp(text, fields[i].name) != 0)
            continue;
        if (fields[i].text)
            *fields[i].text = value;
        else
            *fields[i].number = (unsigned)strtoul(value, NULL, 10);
        return true;
    }
    return false;
}

static bool read_all(struct source *s, char *const *ranges, size_t count, bool at_once,
                     bool promote, bool end)
{
    auto_free struct job *jobs = calloc(count ? count : 1, sizeof *jobs);
    bool good = jobs != NULL;

    for (size_t i = 0; jobs && i < count; i++) {
        char *colon;
        uint64_t offset = strtoull(ranges[i], &colon, 10);
        if (*colon != ':')
            return false;
        start(s, &jobs[i], offset, (size_t)strtoull(colon + 1, NULL, 10));
        if (!at_once)
            wait_for(&jobs[i]);
    }
    for (size_t i = 0; jobs && promote && i < count; i++)
        tell(s, &jobs[i], source_promote);
    for (size_t i = 0; jobs && end && i < count; i++)
        tell(s, &jobs[i], source_cancel);
    for (size_t i = 0; jobs && i < count; i++) {
        wait_for(&jobs[i]);
        good = report(&jobs[i]) && good;
    }
    return good;
}

int main(int argc, char **argv)
{
    struct source_options o = { .io_timeout_ms = 20000 };
    struct source_stats stats;
    struct source *s;
    struct err e;
    size_t head = 0;
    bool at_once = false, promote = false, end = false, drop = false, good = true;
    unsigned long rounds = 1;
    int c;

    while ((c = getopt(argc, argv, "o:jcdlp1ft:r:")) != -1) {
        at_once = at_once || c == 'j';
        end = end || c == 'c';
        drop = drop || c == 'd';
        promote = promote || c == 'p';
        template.flags |= c == 'l' ? SOURCE_READ_LOW : 0;
        template.flags |= c == '1' ? SOURCE_READ_ONCE : 0;
        template.flags |= c == 'f' ? SOURCE_READ_FRESH : 0;
        o.once = o.once || c == '1';
        if (c == 't')
            template.timeout_ms = (uint32_t)strtoul(optarg, NULL, 10);
        if (c == 'r')
            rounds = strtoul(optarg, NULL, 10);
        if (c == '?' || (c == 'o' && !set_option(&o, &head, optarg)))
            return 2;
    }
    if (optind == argc)
        return 2;
    if (source_open(argv[optind], &o, head, &s, &e) != 0) {
        printf("open %s (%s)\n", err_kind_name(e.kind), e.text);
        return 0;
    }
    printf("open ok size=%" PRIu64 " name=%s\n", source_size(s), source_name(s));
    (void)fflush(stdout);
    if (drop)
        source_drop_head(s);
    for (unsigned long i = 0; i < rounds; i++)
        good = read_all(s, argv + optind + 1, (size_t)(argc - optind - 1), at_once, promote,
                        end) && good;
    source_get_stats(s, &stats);
    printf("stats requests=%" PRIu64 " bytes=%" PRIu64 " retries=%" PRIu64 " errors=%" PRIu64
           " connections=%" PRIu64 "\n",
           stats.requests, stats.bytes, stats.retries, stats.errors, stats.connections);
    if (stats.in_flight || stats.oldest_ms) {
        puts("READS IN FLIGHT at the end");
        good = false;
    }
    source_close(s);
    return good ? 0 : 1;
}
