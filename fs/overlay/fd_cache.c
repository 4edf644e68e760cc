/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Open descriptors of upper files. See fd_cache.h.
 *
 * A slot that is open and not pinned is in one of two rings: `idle`, oldest last, from which is
 * evicted, or `kept`. A pinned or closed slot is in none. Only the idle ones count against the
 * limit; the other half of the process's descriptors is for what is pinned, kept or not ours.
 */
#include "config.h"

#include "fs/overlay/fd_cache.h"

#include <pthread.h>
#include <sys/resource.h>

enum { MAX_DEFAULT = 16384, MAX_LEAST = 16, EVICT_ON_EMFILE = 64 };

struct fd_cache {
    pthread_mutex_t lock;
    unsigned max;
    unsigned idle_count;       /* lock */
    struct fd_slot idle, kept; /* ring heads; lock */
};

static void ring_init(struct fd_slot *head)
{
    *head = (struct fd_slot)FD_SLOT_INIT;
    head->newer = head->older = head;
}

static void ring_add(struct fd_slot *head, struct fd_slot *s)
{
    s->older = head->older;
    s->newer = head;
    head->older->newer = s;
    head->older = s;
}

static void ring_remove(struct fd_slot *s)
{
    s->older->newer = s->newer;
    s->newer->older = s->older;
    s->older = s->newer = NULL;
}

static unsigned default_max(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r))
        return MAX_LEAST;
    if (r.rlim_cur < r.rlim_max) {
        struct rlimit raised = { .rlim_cur = r.rlim_max, .rlim_max = r.rlim_max };
        if (!setrlimit(RLIMIT_NOFILE, &raised))
            r = raised;
    }
    if (r.rlim_cur == RLIM_INFINITY || r.rlim_cur / 2 > MAX_DEFAULT)
        return MAX_DEFAULT;
    return r.rlim_cur / 2 < MAX_LEAST ? MAX_LEAST : (unsigned)(r.rlim_cur / 2);
}

int fd_cache_new(unsigned max, struct fd_cache **out)
{
    struct fd_cache *c = malloc(sizeof *c);

    if (!c)
        return -ENOMEM;
    *c = (struct fd_cache){ .max = max ? max : default_max() };
    int rc = pthread_mutex_init(&c->lock, NULL);
    if (rc) {
        free(c);
        return -rc;
    }
    ring_init(&c->idle);
    ring_init(&c->kept);
    *out = c;
    return 0;
}

static void close_ring(struct fd_slot *head)
{
    while (head->newer != head) {
        struct fd_slot *s = head->newer;
        ring_remove(s);
        (void)close(s->fd); /* an error of writing shows at fsync(2) */
        s->fd = -1;
    }
}

void fd_cache_free(struct fd_cache *c)
{
    if (!c)
        return;
    close_ring(&c->idle);
    close_ring(&c->kept);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* An open slot that has just lost its last pin, or whose place is to be chosen anew. Needs lock. */
static void park(struct fd_cache *c, struct fd_slot *s)
{
    ring_add(s->keep ? &c->kept : &c->idle, s);
    c->idle_count += !s->keep;
}

/* An open slot without pins leaves its ring. Needs lock. */
static void unpark(struct fd_cache *c, struct fd_slot *s)
{
    c->idle_count -= !s->keep;
    ring_remove(s);
}

/* Takes the descriptor out of an open, unparked slot. Needs lock. */
static int take_fd(struct fd_slot *s)
{
    int fd = s->fd;

    s->fd = -1;
    s->dropped = false;
    return fd;
}

static void close_all(const int *fds, unsigned n)
{
    while (n)
        (void)close(fds[--n]); /* an error of writing shows at fsync(2) */
}

/* Takes the descriptors used longest ago into FDS until LIMIT are idle, at most N. Needs lock. */
static unsigned evict(struct fd_cache *c, unsigned limit, int *fds, unsigned n)
{
    unsigned count = 0;

    for (; c->idle_count > limit && count < n; count++) {
        struct fd_slot *oldest = c->idle.newer;
        unpark(c, oldest);
        fds[count] = take_fd(oldest);
    }
    return count;
}

static bool evict_some(struct fd_cache *c)
{
    int fds[EVICT_ON_EMFILE];

    pthread_mutex_lock(&c->lock);
    unsigned n = evict(c, 0, fds, EVICT_ON_EMFILE);
    pthread_mutex_unlock(&c->lock);
    close_all(fds, n);
    return n > 0;
}

/* Pins the slot if it is open. Needs lock. */
static bool pin_open(struct fd_cache *c, struct fd_slot *s)
{
    if (s->fd < 0)
        return false;
    if (!s->pins)
        unpark(c, s);
    s->pins++;
    return true;
}

int fd_pin(struct fd_cache *c, struct fd_slot *slot, int (*open)(void *arg), void *arg)
{
    pthread_mutex_lock(&c->lock);
    int fd = pin_open(c, slot) ? slot->fd : -1;
    pthread_mutex_unlock(&c->lock);
    if (fd >= 0)
        return fd;
    int mine = open(arg);
    if ((mine == -EMFILE || mine == -ENFILE) && evict_some(c))
        mine = open(arg);
    if (mine < 0)
        return mine;
    pthread_mutex_lock(&c->lock);
    if (pin_open(c, slot)) {
        fd = slot->fd; /* somebody else was faster */
    } else {
        fd = slot->fd = mine;
        slot->pins = 1;
        mine = -1;
    }
    pthread_mutex_unlock(&c->lock);
    if (mine >= 0)
        (void)close(mine); /* nothing was written through it */
    return fd;
}

void fd_unpin(struct fd_cache *c, struct fd_slot *slot)
{
    int fds[2];
    unsigned n = 0;

    pthread_mutex_lock(&c->lock);
    if (!--slot->pins) {
        if (slot->dropped)
            fds[n++] = take_fd(slot);
        else
            park(c, slot);
        n += evict(c, c->max, fds + n, 1);
    }
    pthread_mutex_unlock(&c->lock);
    close_all(fds, n);
}

void fd_give(struct fd_cache *c, struct fd_slot *slot, int fd)
{
    int fds[2];
    unsigned n = 0;

    pthread_mutex_lock(&c->lock);
    if (slot->fd >= 0) {
        fds[n++] = fd;
    } else {
        slot->fd = fd;
        park(c, slot);
        n += evict(c, c->max, fds, 1);
    }
    pthread_mutex_unlock(&c->lock);
    close_all(fds, n);
}

void fd_keep(struct fd_cache *c, struct fd_slot *slot, bool keep)
{
    int fd;
    unsigned n = 0;

    pthread_mutex_lock(&c->lock);
    bool parked = slot->fd >= 0 && !slot->pins;
    if (parked)
        unpark(c, slot);
    slot->keep = keep;
    if (parked) {
        park(c, slot);
        n = evict(c, c->max, &fd, 1);
    }
    pthread_mutex_unlock(&c->lock);
    close_all(&fd, n);
}

void fd_drop(struct fd_cache *c, struct fd_slot *slot)
{
    int fd;
    unsigned n = 0;

    pthread_mutex_lock(&c->lock);
    if (slot->pins) {
        slot->dropped = true;
    } else if (slot->fd >= 0) {
        unpark(c, slot);
        fd = take_fd(slot);
        n = 1;
    }
    pthread_mutex_unlock(&c->lock);
    close_all(&fd, n);
}
