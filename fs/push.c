/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pushing small neighbours into the page cache. See push.h.
 *
 * State: two bits a node (known to the kernel; stored by us), a short queue of blocks, and the
 * evidence that somebody reads sequentially. A full queue drops the wish: a push is only a hint.
 */
#include "config.h"

#include "fs/push.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "src/log.h"

enum {
    QUEUE_MAX = 32,       /* blocks */
    SMALL_FILE = 32768,   /* larger ones gain little: their own reads are few and large */
    STREAK_NEEDED = 2,    /* small reads in a row, in the same or a nearby block */
    NEARBY = 4,           /* blocks */
    LISTING_BUDGET = 262144, /* bytes pushed because of one listing */
    BIT_KNOWN = 1,
    BIT_STORED = 2,
};

struct pusher {
    const struct vfs *vfs;
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_t thread;
    bool started, stopping;        /* lock */
    _Atomic bool quit;             /* as STOPPING, for a look without the lock */
    _Atomic bool stopped;          /* the thread will not touch the session any more */
    unsigned head, count;          /* lock */
    uint32_t queue[QUEUE_MAX];     /* lock */
    _Atomic uint32_t last_block;
    _Atomic uint32_t streak;
    _Atomic uint8_t *bits;         /* a byte a node */
};

int push_new(const struct vfs *v, struct pusher **out)
{
    struct pusher *p = calloc(1, sizeof *p);

    if (!p)
        return -ENOMEM;
    p->vfs = v;
    p->bits = calloc(v->info->node_count, sizeof *p->bits);
    if (!p->bits) {
        free(p);
        return -ENOMEM;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    *out = p;
    return 0;
}

void push_stop(struct pusher *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    atomic_store(&p->quit, true);
    if (!p->started)
        atomic_store(&p->stopped, true);
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

bool push_has_stopped(const struct pusher *p)
{
    return !p || atomic_load(&p->stopped);
}

void push_free(struct pusher *p)
{
    if (!p)
        return;
    push_stop(p);
    if (p->started)
        pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->bits);
    free(p);
}

void push_note_known(struct pusher *p, uint32_t index)
{
    if (p)
        atomic_fetch_or_explicit(&p->bits[index], BIT_KNOWN, memory_order_relaxed);
}

static bool wanted(const struct pusher *p, uint32_t index)
{
    const struct node *n = package_node(p->vfs->package, index);
    return n->size <= SMALL_FILE &&
           atomic_load_explicit(&p->bits[index], memory_order_relaxed) == BIT_KNOWN;
}

/* Hands one file to the kernel. False when the mount is going away. */
static bool store(struct pusher *p, uint32_t index, const struct engine_pin *pin)
{
    struct piece piece;
    uint64_t size = package_node(p->vfs->package, index)->size;

    if (package_map(p->vfs->package, index, 0, size, &piece, 1) != 1 || piece.len != size)
        return true;
    /* Set first: if the reader is faster than the store, the file is read once, not twice. */
    atomic_fetch_or_explicit(&p->bits[index], BIT_STORED, memory_order_relaxed);
    union {
        const uint8_t *in;
        void *out;
    } data = { .in = pin->data + piece.from }; /* libfuse has one type for both directions */
    struct fuse_bufvec buf = FUSE_BUFVEC_INIT(piece.len);
    buf.buf[0].mem = data.out;
    int rc = fuse_lowlevel_notify_store(p->vfs->session, vfs_ino(index), 0, &buf, 0);
    return rc != -ENODEV && rc != -EBADF;
}

static void ignore_result(void *arg, int status, const uint8_t *buf, size_t len,
                          const struct err *e)
{
    (void)arg, (void)status, (void)buf, (void)len, (void)e;
}

/* A local block is decoded here and now, beside the thread that serves the reader; a remote one is
 * taken only if it has arrived. */
static bool pin_block(struct pusher *p, uint32_t block, struct engine_pin *pin)
{
    if (engine_pin(p->vfs->engine, block, pin))
        return true;
    if (!p->vfs->source_immediate)
        return false;
    struct piece whole = { .block = block, .len = package_block(p->vfs->package, block)->len };
    engine_read(p->vfs->engine, &whole, 1, ignore_result, NULL, NULL);
    return engine_pin(p->vfs->engine, block, pin);
}

static void push_block(struct pusher *p, uint32_t block)
{
    struct engine_pin pin;
    const uint32_t *files;
    size_t count = package_block_files(p->vfs->package, block, &files), first = 0;

    while (first < count && !wanted(p, files[first]))
        first++;
    if (first == count || !pin_block(p, block, &pin))
        return;
    for (size_t i = first; i < count && !atomic_load(&p->quit); i++)
        if (wanted(p, files[i]) && !store(p, files[i], &pin))
            break;
    engine_unpin(p->vfs->engine, &pin);
}

static void *run(void *arg)
{
    struct pusher *p = arg;

    pthread_setname_np(pthread_self(), "sftfs-push");
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        if (!p->count) {
            pthread_cond_wait(&p->work, &p->lock);
            continue;
        }
        uint32_t block = p->queue[p->head];
        p->head = (p->head + 1) % QUEUE_MAX;
        p->count--;
        pthread_mutex_unlock(&p->lock);
        push_block(p, block);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    atomic_store(&p->stopped, true);
    return NULL;
}

/* Needs p->lock. Signals stay with the main thread. */
static bool start_thread(struct pusher *p)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    p->started = !pthread_create(&p->thread, NULL, run, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!p->started)
        log_warning(FS_LOG, "no thread to push small files; reading goes on without");
    return p->started;
}

static void enqueue(struct pusher *p, uint32_t block)
{
    pthread_mutex_lock(&p->lock);
    if (p->stopping || (!p->started && !start_thread(p))) {
        pthread_mutex_unlock(&p->lock);
        return;
    }
    bool queued = false;
    for (unsigned i = 0; i < p->count && !queued; i++)
        queued = p->queue[(p->head + i) % QUEUE_MAX] == block;
    if (!queued && p->count < QUEUE_MAX) {
        p->queue[(p->head + p->count) % QUEUE_MAX] = block;
        p->count++;
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
}

/* Whether small files are being read in the order of their blocks; notes this reading. */
static bool sequential(struct pusher *p, uint32_t block)
{
    uint32_t last = atomic_exchange_explicit(&p->last_block, block, memory_order_relaxed);
    uint32_t distance = block > last ? block - last : last - block;

    if (distance > NEARBY) {
        atomic_store_explicit(&p->streak, 0, memory_order_relaxed);
        return false;
    }
    return atomic_fetch_add_explicit(&p->streak, 1, memory_order_relaxed) + 1 >= STREAK_NEEDED;
}

void push_after_read(struct pusher *p, uint32_t index, uint32_t block)
{
    if (!p || package_node(p->vfs->package, index)->size > SMALL_FILE)
        return;
    const uint32_t *files;
    size_t count = package_block_files(p->vfs->package, block, &files);
    uint8_t old = atomic_fetch_or_explicit(&p->bits[index], BIT_STORED, memory_order_relaxed);
    if (old & BIT_STORED) {
        /* The kernel has dropped what it was given: its neighbours are gone too. */
        for (size_t i = 0; i < count; i++)
            if (files[i] != index)
                atomic_fetch_and_explicit(&p->bits[files[i]], (uint8_t)~BIT_STORED,
                                          memory_order_relaxed);
    }
    if (count > 1 && sequential(p, block))
        enqueue(p, block);
}

void push_after_listing(struct pusher *p, uint32_t first, uint32_t count)
{
    uint64_t bytes = 0;
    uint32_t last = UINT32_MAX;

    if (!p || atomic_load_explicit(&p->streak, memory_order_relaxed) < STREAK_NEEDED)
        return;
    for (uint32_t i = first; i < first + count && bytes < LISTING_BUDGET; i++) {
        struct piece piece;
        const struct node *n = package_node(p->vfs->package, i);
        if (n->flags & NODE_DIR || n->size == 0 || n->size > SMALL_FILE)
            continue;
        if (package_map(p->vfs->package, i, 0, n->size, &piece, 1) != 1 || piece.block == last)
            continue;
        last = piece.block;
        bytes += p->vfs->info->block_size;
        if (!p->vfs->source_immediate)
            engine_prefetch(p->vfs->engine, last, 1, ENGINE_READAHEAD);
        enqueue(p, last);
    }
}
