/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pushing files into the page cache ahead of a sequential reader. See push.h.
 *
 * State: what readers do (stream.h), a short queue of node ranges, and a byte a node: whether the
 * kernel knows it, and in which epoch it got the contents. READs for contents of the present epoch
 * show that the kernel has dropped its pages, which begins a new one.
 *
 * Request handlers only try the lock and a full queue drops the wish: a push is a hint, never worth
 * a wait.
 */
#include "config.h"

#include "fs/push.h"

#include <pthread.h>
#include <stdlib.h>

#include "fetch/thread.h"
#include "fs/stream.h"
#include "src/log.h"

enum {
    QUEUE_MAX = 32,
    CLOSE_BEHIND = 4,      /* nodes */
    BIT_KNOWN = 0x80,
    EPOCH_MASK = 0x7f,
};

/* Either whole files, or (LENGTH not 0) a range of the file range.first. */
struct wish {
    struct node_range range;
    uint64_t off, length;
};

struct pusher {
    const struct vfs *vfs;
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_t thread;
    bool started, stopping;              /* lock */
    unsigned head, count;                /* lock */
    struct wish queue[QUEUE_MAX];        /* lock */
    struct stream_table streams;         /* lock */
    _Atomic bool quit;                   /* as STOPPING, for a look without the lock */
    _Atomic bool stopped;                /* the thread will not touch the session any more */
    _Atomic uint8_t epoch;               /* 1 .. 127 */
    _Atomic uint32_t read_again;         /* the last file read whose contents the kernel had */
    _Atomic uint8_t *nodes;              /* BIT_KNOWN and the epoch of the contents, 0 = none */
};

int push_new(const struct vfs *v, struct pusher **out)
{
    struct pusher *p = calloc(1, sizeof *p);

    if (!p)
        return -ENOMEM;
    p->vfs = v;
    stream_table_init(&p->streams);
    p->epoch = 1;
    p->read_again = NODE_NONE;
    p->nodes = calloc(v->info->node_count, sizeof *p->nodes);
    if (!p->nodes) {
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
    free(p->nodes);
    free(p);
}

void push_note_known(struct pusher *p, uint32_t index)
{
    if (p)
        atomic_fetch_or_explicit(&p->nodes[index], BIT_KNOWN, memory_order_relaxed);
}

static bool wanted(const struct pusher *p, uint32_t index)
{
    const struct node *n = package_node(p->vfs->package, index);
    uint8_t state = atomic_load_explicit(&p->nodes[index], memory_order_relaxed);
    return !(n->flags & NODE_DIR) && n->size && n->size <= STREAM_FILE_MAX && state & BIT_KNOWN &&
           (state & EPOCH_MASK) != atomic_load_explicit(&p->epoch, memory_order_relaxed);
}

static void note_stored(struct pusher *p, uint32_t index)
{
    uint8_t epoch = atomic_load_explicit(&p->epoch, memory_order_relaxed);
    atomic_store_explicit(&p->nodes[index], BIT_KNOWN | epoch, memory_order_relaxed);
}

static void ignore_result(void *arg, int status, const uint8_t *buf, size_t len,
                          const struct err *e)
{
    (void)arg, (void)status, (void)buf, (void)len, (void)e;
}

/* A local or cached block is decoded here and now, beside the thread that serves the reader; another
 * is taken only if it has arrived. */
static bool pin_block(struct pusher *p, uint32_t block, struct engine_pin *pin)
{
    if (engine_pin(p->vfs->engine, block, pin))
        return true;
    if (!engine_is_local(p->vfs->engine, block))
        return false;
    struct piece whole = { .block = block, .len = package_block(p->vfs->package, block)->len };
    engine_read(p->vfs->engine, &whole, 1, ignore_result, NULL, NULL);
    return engine_pin(p->vfs->engine, block, pin);
}

static bool store_piece(struct pusher *p, uint32_t index, uint64_t off, const struct piece *piece)
{
    struct engine_pin pin;

    if (!pin_block(p, piece->block, &pin))
        return false;
    union {
        const uint8_t *in;
        void *out;
    } data = { .in = pin.data + piece->from }; /* libfuse has one type for both directions */
    struct fuse_bufvec buf = FUSE_BUFVEC_INIT(piece->len);
    buf.buf[0].mem = data.out;
    int rc = fuse_lowlevel_notify_store(p->vfs->session, vfs_ino(index), (off_t)off, &buf, 0);
    engine_unpin(p->vfs->engine, &pin);
    return rc == 0;
}

static bool store_range(struct pusher *p, uint32_t index, uint64_t off, uint64_t length)
{
    struct piece pieces[STREAM_FILE_MAX / 4096 + 2];
    uint64_t end = off + length;
    size_t count = package_map(p->vfs->package, index, off, length, pieces, ARRAY_LEN(pieces));

    for (size_t i = 0; i < count && !atomic_load(&p->quit); i++) {
        if (!store_piece(p, index, off, &pieces[i]))
            return false;
        off += pieces[i].len;
    }
    return off == end;
}

static void push_range(struct pusher *p, struct node_range range)
{
    for (uint32_t i = range.first; i < range.end && !atomic_load(&p->quit); i++)
        if (wanted(p, i) && store_range(p, i, 0, package_node(p->vfs->package, i)->size))
            note_stored(p, i);
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
        struct wish wish = p->queue[p->head];
        p->head = (p->head + 1) % QUEUE_MAX;
        p->count--;
        pthread_mutex_unlock(&p->lock);
        if (wish.length)
            (void)store_range(p, wish.range.first, wish.off, wish.length);
        else
            push_range(p, wish.range);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    atomic_store(&p->stopped, true);
    return NULL;
}

/* Needs p->lock. */
static bool start_thread(struct pusher *p)
{
    p->started = !thread_start(&p->thread, NULL, run, p);
    if (!p->started)
        log_warning(FS_LOG, "no thread to push small files; reading goes on without");
    return p->started;
}

/* Needs p->lock. */
static void enqueue(struct pusher *p, struct wish wish)
{
    if (p->stopping || p->count == QUEUE_MAX || (!p->started && !start_thread(p)))
        return;
    p->queue[(p->head + p->count) % QUEUE_MAX] = wish;
    p->count++;
    pthread_cond_signal(&p->work);
}

/*
 * INDEX is about to be noted as read. If the kernel had its contents already, it has dropped some
 * page of it, as it does now and then; only a second such file close behind the first shows that it
 * has dropped all, and that pushing them again is worth it.
 */
static void note_read_again(struct pusher *p, uint32_t index)
{
    uint8_t epoch = atomic_load_explicit(&p->epoch, memory_order_relaxed);

    if ((atomic_load_explicit(&p->nodes[index], memory_order_relaxed) & EPOCH_MASK) != epoch)
        return;
    uint32_t last = atomic_exchange_explicit(&p->read_again, index, memory_order_relaxed);
    if (index > last && index - last <= CLOSE_BEHIND)
        atomic_compare_exchange_strong(&p->epoch, &epoch,
                                       (uint8_t)(epoch < EPOCH_MASK ? epoch + 1 : 1));
}

void push_after_read(struct pusher *p, uint32_t index)
{
    struct node_range ahead;

    if (!p)
        return;
    note_read_again(p, index);
    note_stored(p, index);
    if (pthread_mutex_trylock(&p->lock))
        return;
    if (stream_note_read(&p->streams, p->vfs->package, index, &ahead))
        enqueue(p, (struct wish){ .range = ahead });
    pthread_mutex_unlock(&p->lock);
}

void push_after_miss(struct pusher *p, uint32_t index, uint64_t off, uint64_t len)
{
    struct wish wish = { .range = { index, index + 1 } };

    if (!p)
        return;
    package_block_part(p->vfs->package, index, off, &wish.off, &wish.length);
    if (len >= wish.length)
        return;
    if (pthread_mutex_trylock(&p->lock))
        return;
    enqueue(p, wish);
    pthread_mutex_unlock(&p->lock);
}

void push_after_listing(struct pusher *p, uint32_t first, uint32_t count)
{
    struct node_range ahead;

    if (!p || pthread_mutex_trylock(&p->lock))
        return;
    if (stream_note_listing(&p->streams, p->vfs->package, first, count, &ahead))
        enqueue(p, (struct wish){ .range = ahead });
    pthread_mutex_unlock(&p->lock);
}
