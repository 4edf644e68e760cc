/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Block verification. Workers take batches of neighbouring blocks, read each batch with one request
 * and decode its blocks; they share only the position, the list of faults and the first error that
 * stops the check, all under one lock that is not held over I/O or decoding. See verify.h.
 */
#include "config.h"

#include "tools/verify.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "src/codec.h"

#define BATCH_BYTES (1u << 20)
#define THREADS_MAX 8

struct verify {
    const struct package *package;
    struct source *source;
    uint32_t block_count;
    uint64_t moved; /* see struct verify_part */

    pthread_mutex_t lock;
    pthread_cond_t changed;    /* a worker ended */
    uint32_t next;             /* lock; first block not yet taken */
    unsigned working;          /* lock */
    bool stop;                 /* lock */
    int status;                /* lock; of the error that stops the check */
    struct err error;          /* lock */
    struct verify_result *out; /* lock */
};

struct worker {
    struct verify *v;
    struct codec_context *codec;
    uint8_t *stored, *decoded;
    pthread_t thread;
};

static void stop(struct verify *v, int status, const struct err *e)
{
    (void)pthread_mutex_lock(&v->lock);
    if (!v->stop) {
        v->stop = true;
        v->status = status;
        v->error = *e;
    }
    (void)pthread_mutex_unlock(&v->lock);
}

/* Room grows at powers of two, so that none has to be kept in the result. */
int verify_add_bad(struct verify_result *r, uint32_t block, const struct err *fault, struct err *e)
{
    size_t n = r->bad_count;
    struct verify_block *bad;

    if (!(n & (n - 1))) {
        bad = realloc(r->bad, (n ? 2 * n : 1) * sizeof *bad);
        if (!bad)
            return err_nomem(e);
        r->bad = bad;
    }
    bad = &r->bad[n];
    *bad = (struct verify_block){
        .block = block,
        .kind = fault->kind,
        .text = strdup(fault->text),
    };
    if (!bad->text)
        return err_nomem(e);
    r->bad_count++;
    return 0;
}

static void record(struct verify *v, uint32_t block, const struct err *fault)
{
    struct err e;
    int rc;

    (void)pthread_mutex_lock(&v->lock);
    rc = verify_add_bad(v->out, block, fault, &e);
    (void)pthread_mutex_unlock(&v->lock);
    if (rc)
        stop(v, rc, &e);
}

/* Whether an error of a read says something about the package and not about the way to it. */
static bool is_damage(enum err_kind kind)
{
    return kind == ERR_TRUNCATED || kind == ERR_CORRUPT;
}

/* Takes the next batch: blocks in a row whose stored forms are neighbours. False at the end. */
static bool take(struct verify *v, uint32_t *first, uint32_t *count, size_t *bytes)
{
    const struct block *b;
    bool more;

    (void)pthread_mutex_lock(&v->lock);
    more = !v->stop && v->next < v->block_count;
    if (more) {
        *first = v->next;
        b = package_block(v->package, *first);
        *bytes = b->stored_len;
        for (*count = 1; *first + *count < v->block_count; ++*count) {
            const struct block *n = package_block(v->package, *first + *count);

            if (n->offset != b->offset + *bytes || *bytes + n->stored_len > BATCH_BYTES)
                break;
            *bytes += n->stored_len;
        }
        v->next += *count;
    }
    (void)pthread_mutex_unlock(&v->lock);
    return more;
}

static void check(struct worker *w, uint32_t block, const uint8_t *stored)
{
    struct err e = { 0 };

    if (package_decode_block(w->v->package, block, stored, w->codec, w->decoded, &e))
        record(w->v, block, &e);
}

/* A batch that cannot be read as a whole: which of its blocks can? */
static void check_singly(struct worker *w, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        const struct block *b = package_block(w->v->package, i);
        struct err e = { 0 };
        int rc = b->stored_len
                     ? source_read_sync(w->v->source, b->offset + w->v->moved, w->stored,
                                        b->stored_len, &e)
                     : 0;

        if (!rc)
            check(w, i, w->stored);
        else if (is_damage(e.kind))
            record(w->v, i, &e);
        else
            return stop(w->v, rc, &e);
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct verify *v = w->v;
    uint32_t first, count;
    size_t bytes;

    while (take(v, &first, &count, &bytes)) {
        uint64_t base = package_block(v->package, first)->offset;
        struct err e = { 0 };

        if (bytes && source_read_sync(v->source, base + v->moved, w->stored, bytes, &e)) {
            check_singly(w, first, count);
        } else {
            for (uint32_t i = first; i < first + count; i++)
                check(w, i, w->stored + (package_block(v->package, i)->offset - base));
        }
        (void)pthread_mutex_lock(&v->lock);
        v->out->stored_bytes += bytes;
        (void)pthread_mutex_unlock(&v->lock);
    }
    (void)pthread_mutex_lock(&v->lock);
    v->working--;
    (void)pthread_cond_signal(&v->changed);
    (void)pthread_mutex_unlock(&v->lock);
    return NULL;
}

static void worker_free(struct worker *w)
{
    codec_context_free(w->codec);
    free(w->stored);
    free(w->decoded);
}

static bool worker_init(struct worker *w, struct verify *v)
{
    *w = (struct worker){ .v = v };
    w->stored = malloc(BATCH_BYTES); /* above STORED_LEN_MAX, so one block always fits */
    w->decoded = malloc(BLOCK_SIZE_MAX);
    if (w->stored && w->decoded && !codec_context_new(&w->codec))
        return true;
    worker_free(w);
    return false;
}

/* Waits for the workers, telling STEP every tenth of a second. */
static void supervise(struct verify *v, verify_step_fn step, void *arg)
{
    (void)pthread_mutex_lock(&v->lock);
    while (v->working) {
        struct timespec until;
        uint64_t bytes;
        struct err e = { 0 };
        int rc;

        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&v->changed, &v->lock, &until);
        bytes = v->out->stored_bytes;
        (void)pthread_mutex_unlock(&v->lock);
        rc = step ? step(arg, bytes, &e) : 0;
        if (rc)
            stop(v, rc, &e);
        (void)pthread_mutex_lock(&v->lock);
    }
    (void)pthread_mutex_unlock(&v->lock);
}

static int run_workers(struct verify *v, unsigned threads, verify_step_fn step, void *arg,
                       struct err *e)
{
    struct worker workers[THREADS_MAX];
    unsigned started = 0;

    v->working = threads;
    while (started < threads && worker_init(&workers[started], v)) {
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started])) {
            worker_free(&workers[started]);
            break;
        }
        started++;
    }
    (void)pthread_mutex_lock(&v->lock);
    v->working -= threads - started;
    (void)pthread_mutex_unlock(&v->lock);
    if (!started)
        return err_set(e, ERR_NO_MEMORY, "no memory or threads to check blocks with");
    supervise(v, step, arg);
    for (unsigned i = 0; i < started; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        worker_free(&workers[i]);
    }
    if (v->stop && e)
        *e = v->error;
    return v->stop ? v->status : 0;
}

static int by_block(const void *a, const void *b)
{
    const struct verify_block *x = a, *y = b;

    return (x->block > y->block) - (x->block < y->block);
}

static struct verify_block *find_bad(struct verify_result *r, uint32_t block)
{
    struct verify_block key = { .block = block };

    return bsearch(&key, r->bad, r->bad_count, sizeof *r->bad, by_block);
}

/* Room grows as above. */
static int add_file(struct verify_block *bad, uint32_t node)
{
    size_t n = bad->file_count;

    if (n && bad->files[n - 1] == node)
        return 0;
    if (!(n & (n - 1))) {
        uint32_t *files = realloc(bad->files, (n ? 2 * n : 1) * sizeof *files);

        if (!files)
            return -ENOMEM;
        bad->files = files;
    }
    bad->files[bad->file_count++] = node;
    return 0;
}

static int blame_file(const struct package *p, uint32_t file, struct verify_result *r)
{
    uint64_t size = package_node(p, file)->size;
    struct piece pieces[64];
    bool affected = false;
    size_t n;

    for (uint64_t off = 0; off < size;) {
        n = package_map(p, file, off, size - off, pieces, ARRAY_LEN(pieces));
        if (!n)
            break;
        for (size_t i = 0; i < n; i++) {
            struct verify_block *bad = find_bad(r, pieces[i].block);

            off += pieces[i].len;
            if (bad && add_file(bad, file))
                return -ENOMEM;
            affected |= bad != NULL;
        }
    }
    r->files_affected += affected;
    return 0;
}

int verify_blocks(const struct package *p, struct source *source, unsigned threads,
                  verify_step_fn step, void *arg, struct verify_result *out, struct err *e)
{
    const struct verify_part all = { .first = 0 };

    return verify_part(p, source, &all, threads, step, arg, out, e);
}

int verify_part(const struct package *p, struct source *source, const struct verify_part *part,
                unsigned threads, verify_step_fn step, void *arg, struct verify_result *out,
                struct err *e)
{
    struct verify v = {
        .package = p,
        .source = source,
        .next = part->first,
        .moved = part->moved,
        .block_count = package_info(p)->block_count,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .out = out,
    };
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int rc;

    *out = (struct verify_result){ 0 };
    if (!threads)
        threads = cpus > 0 ? (unsigned)cpus : 1;
    rc = run_workers(&v, threads < THREADS_MAX ? threads : THREADS_MAX, step, arg, e);
    (void)pthread_cond_destroy(&v.changed);
    (void)pthread_mutex_destroy(&v.lock);
    return rc ? rc : verify_blame(p, out, e);
}

int verify_blame(const struct package *p, struct verify_result *out, struct err *e)
{
    if (!out->bad_count)
        return 0;
    qsort(out->bad, out->bad_count, sizeof *out->bad, by_block);
    for (uint32_t i = 0; i < package_info(p)->node_count; i++)
        if (!(package_node(p, i)->flags & NODE_DIR) && blame_file(p, i, out))
            return err_nomem(e);
    return 0;
}

void verify_result_free(struct verify_result *r)
{
    for (size_t i = 0; i < r->bad_count; i++) {
        free(r->bad[i].text);
        free(r->bad[i].files);
    }
    free(r->bad);
    *r = (struct verify_result){ 0 };
}

struct id_of_node {
    struct guid id;
    uint32_t node;
};

static int by_id(const void *a, const void *b)
{
    const struct id_of_node *x = a, *y = b;
    int c = memcmp(&x->id, &y->id, sizeof x->id);

    return c ? c : (x->node > y->node) - (x->node < y->node);
}

int verify_file_ids(const struct package *p, bool *duplicate, uint32_t nodes[2], struct err *e)
{
    uint32_t count = package_info(p)->node_count;
    auto_free struct id_of_node *ids = calloc(count, sizeof *ids);

    *duplicate = false;
    if (!ids)
        return err_nomem(e);
    for (uint32_t i = 0; i < count; i++) {
        ids[i].node = i;
        if (package_file_id(p, i, &ids[i].id))
            return err_nomem(e);
    }
    qsort(ids, count, sizeof *ids, by_id);
    for (uint32_t i = 1; i < count && !*duplicate; i++)
        if (guid_equal(&ids[i - 1].id, &ids[i].id)) {
            *duplicate = true;
            nodes[0] = ids[i - 1].node;
            nodes[1] = ids[i].node;
        }
    return 0;
}
