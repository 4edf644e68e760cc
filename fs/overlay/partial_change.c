/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes to partial files, and how the map follows them. The order of steps stands in partial.c.
 */
#include "config.h"

#include "fs/overlay/partial.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <string.h>

#include "fetch/file_io.h"
#include "fs/overlay/crash_point.h"
#include "fs/overlay/partial_private.h"

/* ---- the map follows; all of these need lock ---- */

static int make_map(struct partial *p, int fd)
{
    struct block_map_header h = { .lower_size = p->mark.size, .lower_limit = limit_of(p) };
    struct partial_mark mark = p->mark;

    memcpy(h.content, p->mark.content, sizeof h.content);
    map_file_boot_id(p->map.store, h.boot_id);
    int rc = map_file_create(&p->map, &h);
    if (rc)
        return rc;
    CRASH_POINT("map-created");
    mark.map = p->map.number;
    rc = marker_set_partial(fd, &mark);
    if (rc) {
        map_file_remove(&p->map);
        return rc;
    }
    CRASH_POINT("map-named");
    p->mark.map = mark.map;
    p->adopted = true;
    return 0;
}

/* Puts what is in memory, where the last boot's WRITTEN units have been judged, under this boot's
 * id. What was found missing must not be judged again after it has become data in another way. */
static int adopt_map(struct partial *p)
{
    struct block_map_header h = p->map.header;
    int rc = map_file_put_all(&p->map, &p->states);

    if (rc)
        return rc;
    CRASH_POINT("map-states-judged");
    h.blank = false;
    h.lower_limit = limit_of(p);
    map_file_boot_id(p->map.store, h.boot_id);
    rc = map_file_put_header(&p->map, &h);
    if (!rc && p->judged)
        rc = map_file_sync(p->map.store, p->map.number, false);
    p->adopted = !rc;
    return rc;
}

/* Before the upper file is changed in any way. */
static int before_change(struct partial *p)
{
    return keeps_map(p) && p->map.number && !p->adopted ? adopt_map(p) : 0;
}

/* There is a map and it may be changed. */
static int want_map(struct partial *p, int fd)
{
    if (!keeps_map(p) || (p->map.number && p->adopted))
        return 0;
    atomic_store(&p->touched, true);
    return p->map.number ? adopt_map(p) : make_map(p, fd);
}

/* Takes the room that the states of COUNT units need, on the disk and in memory. */
static int prepare(struct partial *p, int fd, uint64_t first, uint64_t count)
{
    int rc = want_map(p, fd);

    for (uint64_t at = first, n; !rc && at < first + count; at += n) {
        uint64_t chunk = at - at % BLOCK_CHUNK, len = min_u64(BLOCK_CHUNK, p->states.units - chunk);
        n = chunk + len - at;
        if (block_states_is_reserved(&p->states, at))
            continue;
        if (keeps_map(p))
            rc = map_file_put_states(&p->map, chunk, len, BLOCK_LOWER);
        if (!rc)
            rc = block_states_reserve(&p->states, at, 1);
    }
    return rc;
}

static int mark_units(struct partial *p, uint64_t first, uint64_t count, enum block_state state)
{
    uint64_t end = min_u64(first + count, block_units(limit_of(p)));
    int rc = keeps_map(p) ? map_file_put_states(&p->map, first, count, state) : 0;

    if (rc)
        return rc;
    if (first < end)
        atomic_fetch_add(&p->upper_units, end - first - partial_count_upper(p, first, end));
    block_states_set(&p->states, first, count, state);
    return 0;
}

/* Before the file grows beyond the limit: no later opening may find a higher one in the map. */
static int record_limit(struct partial *p, int fd)
{
    if (!keeps_map(p) || p->limit_on_disk <= limit_of(p))
        return 0;
    int rc = want_map(p, fd);
    struct block_map_header h = p->map.header;
    if (!rc && h.lower_limit != limit_of(p)) {
        h.lower_limit = limit_of(p);
        rc = map_file_put_header(&p->map, &h);
    }
    if (!rc)
        rc = map_file_sync(p->map.store, p->map.number, p->map.fresh);
    if (rc)
        return rc;
    p->map.fresh = p->map.dirty = false;
    p->limit_on_disk = limit_of(p);
    CRASH_POINT("limit-recorded");
    return 0;
}

/* ---- writing ---- */

/* Marks the LOWER units among [first, end). *marked_to is where it got to. */
static int mark_lower(struct partial *p, uint64_t first, uint64_t end, enum block_state state,
                      uint64_t *marked_to)
{
    int rc = 0;

    for (uint64_t n; first < end && !rc; first += rc ? 0 : n) {
        bool lower;
        n = block_states_run(&p->states, first, end, &lower);
        if (lower)
            rc = mark_units(p, first, n, state);
    }
    *marked_to = first;
    return rc;
}

static bool any_lower(struct partial *p, uint64_t first, uint64_t end)
{
    return first < end && partial_count_upper(p, first, end) < end - first;
}

/* After DONE bytes of a write at OFF: marks the units that are whole. Returns the bytes that count.
 */
static ssize_t mark_written(struct partial *p, uint64_t off, size_t done, int failed)
{
    uint64_t limit = limit_of(p), stop = off + done, first = off / PARTIAL_UNIT, got;
    uint64_t last = stop / PARTIAL_UNIT;
    struct span64 span = unit_span(last, limit);

    if (stop >= limit || stop % PARTIAL_UNIT == 0)
        last = min_u64(block_units(stop), block_units(limit));
    else if (block_states_get(&p->states, last) == BLOCK_LOWER)
        stop =
            max_u64(span.off, off); /* its rest is in the package: not written, for all who read */
    else
        last++;
    if (stop <= off)
        return failed;
    int rc = off < limit ? mark_lower(p, first, last, BLOCK_WRITTEN, &got) : 0;
    if (!rc)
        return (ssize_t)(stop - off);
    return got * PARTIAL_UNIT > off ? (ssize_t)(got * PARTIAL_UNIT - off) : rc;
}

static ssize_t write_locked(struct partial *p, int fd, const void *data, size_t len, uint64_t off)
{
    struct span64 need[2];
    uint64_t limit = limit_of(p), end = off + len;
    uint64_t first = off / PARTIAL_UNIT, last = block_units(min_u64(end, limit));
    size_t done;
    int failed, rc;

    if (partial_write_needs(p, off, len, need))
        return -EAGAIN;
    rc = before_change(p);
    if (!rc && off < limit && any_lower(p, first, last))
        rc = prepare(p, fd, first, last - first);
    if (!rc && end > limit)
        rc = record_limit(p, fd);
    if (rc)
        return rc;
    atomic_store(&p->touched, true);
    failed = file_write(fd, data, len, off, &done);
    CRASH_POINT("unit-written");
    return mark_written(p, off, done, failed);
}

ssize_t partial_write(struct partial *p, int fd, const void *data, size_t len, uint64_t off)
{
    uint64_t end;

    if (add_overflows(off, len, &end) || end > INT64_MAX || len > SSIZE_MAX)
        return -EFBIG;
    if (!len)
        return 0;
    if (atomic_load(&p->plain)) {
        size_t done;
        int rc = file_write(fd, data, len, off, &done);
        return done ? (ssize_t)done : rc;
    }
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->dirty, true);
    ssize_t n = write_locked(p, fd, data, len, off);
    pthread_mutex_unlock(&p->lock);
    return n;
}

/* Stores units [first, end), all LOWER; DATA begins with the first one. */
static int fill_run(struct partial *p, int fd, uint64_t first, uint64_t end, const uint8_t *data)
{
    uint64_t off = first * PARTIAL_UNIT, stop = min_u64(end * PARTIAL_UNIT, limit_of(p));
    int rc = prepare(p, fd, first, end - first);

    if (!rc)
        rc = file_write(fd, data, (size_t)(stop - off), off, NULL);
    if (rc)
        return rc;
    CRASH_POINT("unit-filled");
    return mark_units(p, first, end - first, BLOCK_WRITTEN);
}

static int fill_locked(struct partial *p, int fd, uint64_t off, const uint8_t *data, size_t len)
{
    uint64_t limit = limit_of(p), unit = off / PARTIAL_UNIT;
    uint64_t end = off + len >= limit ? block_units(limit) : (off + len) / PARTIAL_UNIT;
    int rc = 0;

    for (uint64_t n; unit < end && !rc; unit += n) {
        bool lower;
        n = block_states_run(&p->states, unit, end, &lower);
        if (lower)
            rc = fill_run(p, fd, unit, unit + n, data + (unit * PARTIAL_UNIT - off));
    }
    return rc;
}

int partial_fill(struct partial *p, int fd, uint64_t off, const void *data, size_t len)
{
    uint64_t end;

    if (off % PARTIAL_UNIT || add_overflows(off, len, &end))
        return -EINVAL;
    if (atomic_load(&p->plain))
        return 0;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->dirty, true);
    int rc = fill_locked(p, fd, off, data, len);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

/* ---- size and holes ---- */

static void drop_limit(struct partial *p, uint64_t size)
{
    uint64_t gone = partial_count_upper(p, block_units(size), block_units(limit_of(p)));

    atomic_fetch_sub(&p->upper_units, gone);
    atomic_store_explicit(&p->limit, size, memory_order_release);
}

/* Size 0 needs neither bytes nor a map: the usual way to replace a file's content ends here. */
static void finish_empty(struct partial *p, int fd)
{
    if (partial_unmark(p, fd))
        return; /* still right as it is: partial with a limit of 0 */
    CRASH_POINT("finish-unmarked");
    map_file_remove(&p->map);
    p->mark.map = 0;
}

static int truncate_locked(struct partial *p, int fd, uint64_t size)
{
    uint64_t limit = limit_of(p);
    int rc = before_change(p);

    if (!rc && size > limit)
        rc = record_limit(p, fd);
    if (rc)
        return rc;
    if (size != p->mark.size)
        atomic_store(&p->touched, true);
    if (ftruncate(fd, (off_t)size))
        return -errno;
    CRASH_POINT("file-cut");
    if (size < limit)
        drop_limit(p, size);
    if (size == 0)
        finish_empty(p, fd);
    return 0;
}

int partial_truncate(struct partial *p, int fd, uint64_t size)
{
    if (size > INT64_MAX)
        return -EFBIG;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->dirty, true);
    int rc = 0;
    if (!atomic_load(&p->plain))
        rc = truncate_locked(p, fd, size);
    else if (ftruncate(fd, (off_t)size))
        rc = -errno;
    pthread_mutex_unlock(&p->lock);
    return rc;
}

/* Units that [off, end) covers wholly, as far as they are below the limit. */
static struct span64 covered_units(uint64_t off, uint64_t end, uint64_t limit)
{
    uint64_t first = block_units(off);
    uint64_t last = end >= limit ? block_units(limit) : end / PARTIAL_UNIT;

    return (struct span64){ first, first < last ? last - first : 0 };
}

static int fallocate_locked(struct partial *p, int fd, int mode, uint64_t off, uint64_t len)
{
    bool zeroes = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE);
    uint64_t end = off + len, limit = limit_of(p);
    struct span64 need[2], units = covered_units(off, end, limit);
    int rc;

    if (zeroes && partial_write_needs(p, off, len, need))
        return -EAGAIN;
    rc = before_change(p);
    if (!rc && zeroes && units.len)
        rc = prepare(p, fd, units.off, units.len);
    if (!rc && end > limit && !(mode & FALLOC_FL_KEEP_SIZE))
        rc = record_limit(p, fd);
    if (rc)
        return rc;
    if (zeroes || (end > limit && !(mode & FALLOC_FL_KEEP_SIZE)))
        atomic_store(&p->touched, true);
    while (fallocate(fd, mode, (off_t)off, (off_t)len))
        if (errno != EINTR)
            return -errno;
    CRASH_POINT("range-zeroed");
    /* UPPER, not WRITTEN: a hole would not count as data after a power cut. */
    return zeroes && units.len ? mark_units(p, units.off, units.len, BLOCK_UPPER) : 0;
}

int partial_fallocate(struct partial *p, int fd, int mode, uint64_t off, uint64_t len)
{
    const int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
    uint64_t end;

    if (mode & ~known)
        return -EOPNOTSUPP;
    if (!len)
        return -EINVAL;
    if (add_overflows(off, len, &end) || end > INT64_MAX)
        return -EFBIG;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->dirty, true);
    int rc = 0;
    if (!atomic_load(&p->plain))
        rc = fallocate_locked(p, fd, mode, off, len);
    else if (fallocate(fd, mode, (off_t)off, (off_t)len))
        rc = -errno;
    pthread_mutex_unlock(&p->lock);
    return rc;
}
