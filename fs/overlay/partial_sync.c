/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Partial files to the disk, and what becomes of them at last. The order of steps stands in
 * partial.c. */
#include "config.h"

#include "fs/overlay/partial.h"

#include <sys/xattr.h>

#include "fs/overlay/crash_point.h"
#include "fs/overlay/partial_private.h"

/* All units in state FROM below the limit get state TO, in the map as well with PUT. Needs lock. */
static int turn_units(struct partial *p, enum block_state from, enum block_state to, bool put)
{
    uint64_t end = block_units(limit_of(p)), first = 0, stop;
    int rc = 0;

    while (!rc && (first = block_states_find(&p->states, first, end, from)) < end) {
        for (stop = first + 1; stop < end && block_states_get(&p->states, stop) == from;)
            stop++;
        if (put && keeps_map(p))
            rc = map_file_put_states(&p->map, first, stop - first, to);
        if (!rc)
            block_states_set(&p->states, first, stop - first, to);
        first = stop;
    }
    return rc;
}

/* From now on a unit that is written is not of this sync. Returns the number of the map. */
static uint64_t sync_begins(struct partial *p, bool *fresh)
{
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->dirty, false);
    uint64_t number = keeps_map(p) ? p->map.number : 0;
    *fresh = p->map.fresh;
    (void)turn_units(p, BLOCK_WRITTEN, BLOCK_SYNCING, false); /* cannot fail without PUT */
    pthread_mutex_unlock(&p->lock);
    return number;
}

/* Their data is on the disk, if RC is 0: so says the map from now on, which goes there last. */
static int sync_ends(struct partial *p, uint64_t number, int rc)
{
    pthread_mutex_lock(&p->lock);
    if (!rc && number == p->map.number)
        p->map.fresh = false;
    if (!rc)
        rc = turn_units(p, BLOCK_SYNCING, BLOCK_UPPER, true);
    if (rc)
        (void)turn_units(p, BLOCK_SYNCING, BLOCK_WRITTEN, false); /* cannot fail without PUT */
    number = keeps_map(p) && p->map.dirty ? p->map.number : 0;
    bool fresh = p->map.fresh;
    p->map.dirty &= rc != 0;
    map_file_close(&p->map);
    pthread_mutex_unlock(&p->lock);
    if (rc || !number)
        return rc;
    rc = map_file_sync(p->map.store, number, fresh);
    pthread_mutex_lock(&p->lock);
    if (number == p->map.number) {
        p->map.dirty |= rc != 0;
        p->map.fresh &= rc != 0;
    }
    pthread_mutex_unlock(&p->lock);
    return rc;
}

int partial_sync(struct partial *p, int fd)
{
    bool fresh;
    int rc = 0;

    pthread_mutex_lock(&p->sync_lock);
    uint64_t number = sync_begins(p, &fresh);
    if (number && fresh) /* not only its marker */
        rc = map_file_sync(p->map.store, number, true);
    if (!rc && fsync(fd))
        rc = -errno;
    CRASH_POINT("data-synced");
    rc = sync_ends(p, number, rc);
    if (rc)
        atomic_store(&p->dirty, true);
    pthread_mutex_unlock(&p->sync_lock);
    return rc;
}

int partial_unmark(struct partial *p, int fd)
{
    if (!p->detached && fremovexattr(fd, MARKER_PARTIAL) && errno != ENODATA)
        return -errno;
    atomic_store(&p->plain, true);
    return 0;
}

static int finish_locked(struct partial *p, int fd)
{
    if (!atomic_load(&p->plain)) {
        int rc = partial_unmark(p, fd);
        if (rc)
            return rc;
        CRASH_POINT("finish-unmarked");
    }
    if (!p->map.number)
        return 0;
    if (fsync(fd)) /* a marker must not come back and name a map that is gone */
        return -errno;
    map_file_remove(&p->map);
    p->mark.map = 0;
    return 0;
}

int partial_finish(struct partial *p, int fd)
{
    if (partial_needs_lower(p))
        return -EINVAL;
    if (fsync(fd))
        return -errno;
    CRASH_POINT("finish-synced");
    pthread_mutex_lock(&p->lock);
    int rc = finish_locked(p, fd);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

void partial_discard(struct partial *p)
{
    pthread_mutex_lock(&p->lock);
    p->detached = true;
    map_file_remove(&p->map);
    p->mark.map = 0;
    pthread_mutex_unlock(&p->lock);
}
