/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recording. See record.h. A bit a block and a bit a file say what has been recorded, so the queue
 * can never hold more entries than the package has blocks and files, whatever readers do.
 */
#include "config.h"

#include "fs/record.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "fetch/thread.h"
#include "src/launch_list.h"
#include "src/log.h"

#define RECORD_LOG   "record"
#define BUFFER_BYTES (64u * 1024u)

enum {
    FLUSH_SECONDS = 1,
    FLUSH_ENTRIES = 4096, /* so many are written sooner */
    HEAD_BYTES = 32,      /* of a file that is there already: is it a recording? */
};

_Static_assert(LAUNCH_LINE_MAX <= BUFFER_BYTES, "one line must fit");

struct entry {
    uint64_t offset, len;
    uint32_t file, block;
};

struct queue {
    struct entry *entries;
    size_t count, room;
};

struct recorder {
    const struct package *package;
    int fd;
    char *path;
    _Atomic uint8_t *blocks, *files; /* bitmaps: recorded */
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_t thread;
    struct queue queue;   /* lock */
    bool stopping;        /* lock */
    bool out_of_memory;   /* lock; something is missing */
    _Atomic bool failed;  /* the file cannot be written: nothing more is recorded */
    struct queue writing; /* the thread's */
    size_t written;       /* the thread's; entries */
    char *buffer;         /* the thread's */
    size_t buffered;
};

/* --- the file --------------------------------------------------------------------------------- */

/* What is there already is only given up if it is a recording. */
static int check_old(int fd, const char *path, struct err *e)
{
    char head[HEAD_BYTES];
    struct stat st;

    if (fstat(fd, &st))
        return err_sys(e, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_INVALID, "record: %s is not an ordinary file", path);
    ssize_t n = st.st_size ? pread(fd, head, sizeof head, 0) : 0;
    if (n < 0)
        return err_sys(e, "%s", path);
    if (n && !launch_list_is_recording(head, (size_t)n))
        return err_set(e, ERR_INVALID, "record: %s exists and is not a recording", path);
    return 0;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static int open_file(struct recorder *r, const char *path, struct err *e)
{
    char head[LAUNCH_HEAD_MAX];

    r->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    if (r->fd < 0)
        return err_sys(e, "record: %s", path);
    int rc = check_old(r->fd, path, e);
    if (rc)
        return rc;
    size_t len = launch_list_put_head(r->package, head);
    if (ftruncate(r->fd, 0) || !write_all(r->fd, head, len))
        return err_sys(e, "record: %s", path);
    return 0;
}

/* --- the thread ------------------------------------------------------------------------------- */

static void give_up(struct recorder *r, const char *why)
{
    if (!atomic_exchange(&r->failed, true))
        log_error(RECORD_LOG, "%s: the recording ends here: %s", r->path, why);
}

/* Lines go to the file whole, so that it can be used at any moment. */
static void flush(struct recorder *r)
{
    if (r->buffered && !atomic_load(&r->failed) && !write_all(r->fd, r->buffer, r->buffered))
        give_up(r, strerror(errno));
    r->buffered = 0;
}

static void put_entry(struct recorder *r, const struct entry *x)
{
    auto_free char *path = package_path(r->package, x->file);

    if (!path) {
        give_up(r, "no memory");
        return;
    }
    if (r->buffered + LAUNCH_LINE_MAX > BUFFER_BYTES)
        flush(r);
    const struct launch_item item = { .path = path, .offset = x->offset, .len = x->len,
                                      .block = x->block };
    r->buffered += launch_list_put_item(&item, r->buffer + r->buffered);
    r->written++;
}

/* Needs r->lock, which it gives up meanwhile. */
static void write_queue(struct recorder *r)
{
    struct queue q = r->queue;

    r->queue = r->writing;
    r->queue.count = 0;
    r->writing = q;
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < q.count; i++)
        put_entry(r, &q.entries[i]);
    flush(r);
    pthread_mutex_lock(&r->lock);
}

/* More may come together with what has just come. Needs r->lock. */
static void wait_a_little(struct recorder *r)
{
    struct timespec until;
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += FLUSH_SECONDS;
    while (!rc && !r->stopping && r->queue.count < FLUSH_ENTRIES)
        rc = pthread_cond_timedwait(&r->work, &r->lock, &until);
}

static void *run(void *arg)
{
    struct recorder *r = arg;

    pthread_mutex_lock(&r->lock);
    while (!r->stopping || r->queue.count) {
        if (!r->queue.count) {
            pthread_cond_wait(&r->work, &r->lock);
            continue;
        }
        wait_a_little(r);
        write_queue(r);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* --- beginning and end ------------------------------------------------------------------------ */

static void release(struct recorder *r)
{
    if (r->fd >= 0)
        (void)close(r->fd); /* record_stop() has looked for errors */
    free(r->path);
    free(r->blocks);
    free(r->files);
    free(r->queue.entries);
    free(r->writing.entries);
    free(r->buffer);
    free(r);
}

static int start_thread(struct recorder *r, struct err *e)
{
    pthread_condattr_t clock;

    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&r->work, &clock);
    pthread_condattr_destroy(&clock);
    if (!thread_start(&r->thread, NULL, run, r))
        return 0;
    pthread_cond_destroy(&r->work);
    pthread_mutex_destroy(&r->lock);
    return err_set(e, ERR_NO_MEMORY, "record: no thread to write with");
}

int record_start(const struct package *p, const char *path, struct recorder **out, struct err *e)
{
    const struct package_info *info = package_info(p);
    struct recorder *r = calloc(1, sizeof *r);

    if (!r)
        return err_nomem(e);
    r->package = p;
    r->fd = -1;
    r->path = strdup(path);
    r->buffer = malloc(BUFFER_BYTES);
    r->blocks = calloc(info->block_count / 8 + (size_t)1, sizeof *r->blocks);
    r->files = calloc(info->node_count / 8 + (size_t)1, sizeof *r->files);
    int rc = r->path && r->buffer && r->blocks && r->files ? 0 : err_nomem(e);
    if (!rc)
        rc = open_file(r, path, e);
    if (!rc)
        rc = start_thread(r, e);
    if (rc)
        release(r);
    else
        *out = r;
    return rc;
}

void record_stop(struct recorder *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_cond_signal(&r->work);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->work);
    pthread_mutex_destroy(&r->lock);
    if (fsync(r->fd) && errno != EINVAL && errno != ENOSYS)
        give_up(r, strerror(errno));
    if (!atomic_load(&r->failed))
        log_info(RECORD_LOG, "%s: recording complete uses=%zu%s", r->path, r->written,
                 r->out_of_memory ? "; some are missing, there was no memory" : "");
    release(r);
}

/* --- readers ---------------------------------------------------------------------------------- */

/* Sets the bit; true if it was set. */
static bool test_and_set(_Atomic uint8_t *bitmap, uint32_t bit)
{
    uint8_t mask = (uint8_t)(1u << bit % 8);

    return atomic_load_explicit(&bitmap[bit / 8], memory_order_relaxed) & mask ||
           atomic_fetch_or_explicit(&bitmap[bit / 8], mask, memory_order_relaxed) & mask;
}

/* Needs r->lock. */
static void enqueue(struct recorder *r, struct entry x)
{
    struct queue *q = &r->queue;

    if (q->count == q->room) {
        size_t room = q->room ? 2 * q->room : 256;
        struct entry *grown = realloc(q->entries, room * sizeof *grown);
        if (!grown) {
            r->out_of_memory = true;
            return;
        }
        q->entries = grown;
        q->room = room;
    }
    q->entries[q->count++] = x;
    if (q->count == 1 || q->count == FLUSH_ENTRIES)
        pthread_cond_signal(&r->work);
}

static void record_new(struct recorder *r, uint32_t file, uint64_t off, uint32_t block)
{
    struct entry x = { .file = file, .block = block };

    if (atomic_load_explicit(&r->failed, memory_order_relaxed))
        return;
    package_block_part(r->package, file, off, &x.offset, &x.len);
    pthread_mutex_lock(&r->lock);
    enqueue(r, x);
    pthread_mutex_unlock(&r->lock);
}

void record_pieces(struct recorder *r, uint32_t file, const struct read_span *spans,
                   size_t span_count, const struct piece *pieces, size_t piece_count)
{
    bool new_file = !test_and_set(r->files, file);
    uint64_t done = 0; /* of *spans */

    for (size_t i = 0; i < piece_count && span_count; i++) {
        /* Both bits are looked at: a known block may begin a file that was not read before. */
        if (!test_and_set(r->blocks, pieces[i].block) || new_file)
            record_new(r, file, spans->off + done, pieces[i].block);
        new_file = false;
        done += pieces[i].len;
        if (done >= spans->len) {
            spans++;
            span_count--;
            done = 0;
        }
    }
}
