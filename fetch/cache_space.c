/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Quota, free space and eviction of the disk cache. See cache_space.h. */
#include "config.h"

#include "fetch/cache_space.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "fetch/cache_file.h"
#include "src/clock.h"
#include "src/log.h"

enum { SHARE_MAX = 16 << 20, SHARE_MIN = 256 << 10, SHARES = 64, VALID_MS = 5000 };

struct cache_space {
    struct cache_dir *dir;
    pthread_mutex_t lock;
    pthread_cond_t changed;    /* a measurement has ended */
    bool measuring;            /* lock, as all below; by one thread, which does not hold it */
    uint64_t room;             /* left of the share that may be used without measuring */
    uint64_t measured_ms;
    uint64_t evicted_versions, evicted_bytes;
};

int cache_space_new(struct cache_dir *d, struct cache_space **out, struct err *e)
{
    struct cache_space *s = calloc(1, sizeof *s);

    if (!s)
        return err_nomem(e);
    s->dir = d;
    (void)pthread_mutex_init(&s->lock, NULL); /* cannot fail with default attributes */
    (void)pthread_cond_init(&s->changed, NULL);
    *out = s;
    return 0;
}

void cache_space_free(struct cache_space *s)
{
    if (!s)
        return;
    (void)pthread_cond_destroy(&s->changed);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

void cache_space_evicted(struct cache_space *s, uint64_t *versions, uint64_t *bytes)
{
    (void)pthread_mutex_lock(&s->lock);
    *versions = s->evicted_versions;
    *bytes = s->evicted_bytes;
    (void)pthread_mutex_unlock(&s->lock);
}

/* --- measuring -------------------------------------------------------------------------------- */

static int add_up(void *arg, const struct cache_entry *entry)
{
    struct cache_usage *u = arg;

    u->used_bytes += entry->allocated_bytes;
    u->versions++;
    return 0;
}

int cache_space_measure(struct cache_space *s, struct cache_usage *out, struct err *e)
{
    struct statvfs fs;

    *out = (struct cache_usage){ .versions = 0 };
    int rc = cache_dir_list(s->dir, 0, add_up, out, e);
    if (rc)
        return rc;
    if (fstatvfs(s->dir->fd, &fs))
        return err_sys(e, "cache: %s", s->dir->path);
    out->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    out->total_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
    out->floor_bytes = out->total_bytes / 100 * s->dir->free_percent;
    cache_space_evicted(s, &out->evicted_versions, &out->evicted_bytes);
    return 0;
}

static uint64_t room_in_quota(const struct cache_space *s, const struct cache_usage *u)
{
    return s->dir->quota_bytes > u->used_bytes ? s->dir->quota_bytes - u->used_bytes : 0;
}

static uint64_t room_on_disk(const struct cache_usage *u)
{
    if (!u->total_bytes)
        return UINT64_MAX; /* a file system that does not say how large it is */
    return u->free_bytes > u->floor_bytes ? u->free_bytes - u->floor_bytes : 0;
}

/* How much must go before BYTES more may be written. */
static uint64_t excess(const struct cache_space *s, const struct cache_usage *u, uint64_t bytes)
{
    uint64_t used = u->used_bytes + bytes, floor = u->floor_bytes + bytes;
    uint64_t over = used > s->dir->quota_bytes ? used - s->dir->quota_bytes : 0;
    uint64_t under = u->total_bytes && floor > u->free_bytes ? floor - u->free_bytes : 0;

    return max_u64(over, under);
}

/* --- evicting --------------------------------------------------------------------------------- */

struct candidate {
    char name[CACHE_NAME_SIZE];
    uint64_t bytes;
    struct timespec last_use;
};

struct candidates {
    struct candidate *list;
    size_t count, room;
};

static int add_candidate(void *arg, const struct cache_entry *entry)
{
    struct candidates *all = arg;

    if (entry->locked || entry->in_use)
        return 0;
    if (all->count == all->room) {
        size_t more = 2 * all->room + 16;
        struct candidate *grown = realloc(all->list, more * sizeof *grown);

        if (!grown)
            return -ENOMEM;
        all->list = grown;
        all->room = more;
    }
    struct candidate *c = &all->list[all->count++];
    *c = (struct candidate){ .bytes = entry->allocated_bytes, .last_use = entry->last_use };
    (void)memcpy(c->name, entry->name, sizeof c->name);
    return 0;
}

static int by_last_use(const void *a, const void *b)
{
    const struct timespec *x = &((const struct candidate *)a)->last_use;
    const struct timespec *y = &((const struct candidate *)b)->last_use;

    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* Removes versions until WANTED bytes are free that were not; returns how many are. */
static uint64_t evict(struct cache_space *s, uint64_t wanted)
{
    struct candidates all = { .list = NULL };
    uint64_t done = 0;

    /* Without memory for all of them, those that are there will do. */
    (void)!cache_dir_list(s->dir, 0, add_candidate, &all, NULL);
    if (all.count)
        qsort(all.list, all.count, sizeof *all.list, by_last_use);
    for (size_t i = 0; i < all.count && done < wanted; i++) {
        const struct candidate *c = &all.list[i];

        if (cache_dir_remove(s->dir, c->name, NULL))
            continue; /* just taken into use, or another user's */
        done += c->bytes;
        log_info("cache", "evicted %s bytes=%llu", c->name, (unsigned long long)c->bytes);
        (void)pthread_mutex_lock(&s->lock);
        s->evicted_versions++;
        s->evicted_bytes += c->bytes;
        (void)pthread_mutex_unlock(&s->lock);
    }
    free(all.list);
    return done;
}

bool cache_space_make(struct cache_space *s, uint64_t bytes)
{
    return evict(s, bytes) > 0;
}

int cache_space_shrink(struct cache_space *s, uint64_t target, struct err *e)
{
    struct cache_usage u;
    int rc = cache_space_measure(s, &u, e);

    if (!rc && u.used_bytes > target)
        (void)evict(s, u.used_bytes - target);
    return rc;
}

/* --- taking ----------------------------------------------------------------------------------- */

/* Measures, makes room for BYTES if there is too little, and says what share may be used next. */
static enum cache_room next_share(struct cache_space *s, uint64_t bytes, uint64_t *share)
{
    struct cache_usage u;

    *share = 0;
    if (cache_space_measure(s, &u, NULL))
        return CACHE_ROOM_FLOOR;
    if (bytes <= s->dir->quota_bytes && excess(s, &u, bytes)) {
        (void)evict(s, excess(s, &u, bytes));
        if (cache_space_measure(s, &u, NULL))
            return CACHE_ROOM_FLOOR;
    }
    uint64_t quota = room_in_quota(s, &u), disk = room_on_disk(&u);
    if (quota < bytes)
        return CACHE_ROOM_QUOTA;
    if (disk < bytes)
        return CACHE_ROOM_FLOOR;
    *share = max_u64(min_u64(s->dir->quota_bytes / SHARES, SHARE_MAX), SHARE_MIN);
    *share = max_u64(min_u64(min_u64(quota, disk), *share), bytes);
    return CACHE_ROOM_YES;
}

static bool is_enough(const struct cache_space *s, uint64_t bytes)
{
    return s->room >= bytes && monotonic_ms() - s->measured_ms < VALID_MS;
}

enum cache_room cache_space_take(struct cache_space *s, uint64_t bytes)
{
    enum cache_room result = CACHE_ROOM_YES;
    uint64_t share;

    (void)pthread_mutex_lock(&s->lock);
    while (!is_enough(s, bytes) && s->measuring)
        (void)pthread_cond_wait(&s->changed, &s->lock);
    if (!is_enough(s, bytes)) {
        s->measuring = true;
        (void)pthread_mutex_unlock(&s->lock);
        result = next_share(s, bytes, &share);
        (void)pthread_mutex_lock(&s->lock);
        s->measuring = false;
        s->measured_ms = monotonic_ms();
        s->room = share;
        (void)pthread_cond_broadcast(&s->changed);
    }
    if (result == CACHE_ROOM_YES)
        s->room -= bytes;
    (void)pthread_mutex_unlock(&s->lock);
    return result;
}
