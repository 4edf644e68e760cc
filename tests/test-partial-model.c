/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random changes to partial files beside a plain array of bytes, with the file opened anew after a
 * few of them and reboots in between, some of which lose what was not synced. SFTFS_SEED repeats a
 * run.
 */
#include "config.h"

#include "fs/overlay/partial.h"

#include <linux/falloc.h>
#include <time.h>

#include "tests/partial_file.h"

enum { FILES = 120, STEPS = 60 };

static uint64_t random_state;

static uint64_t below(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return n ? random_state % n : 0;
}

/* Places where something happens: ends of units, of the file, of the package file, and near them.
 */
static uint64_t a_place(const struct partial_file *f, uint64_t max)
{
    uint64_t at = below(3) ? below(max + 1) : below(max / PARTIAL_UNIT + 1) * PARTIAL_UNIT;

    switch (below(8)) {
    case 0:
        at = f->size;
        break;
    case 1:
        at = f->lower_size;
        break;
    case 2:
        at += below(2) ? 1 : (uint64_t)-1;
        break;
    default:
        break;
    }
    return at > max ? max : at;
}

static void step_write(struct partial_file *f)
{
    uint64_t off = a_place(f, FILE_MAX - 1), end = a_place(f, FILE_MAX);
    size_t len = end > off && below(4) ? (size_t)(end - off) : 1 + (size_t)below(9000);

    if (len > FILE_MAX - off)
        len = (size_t)(FILE_MAX - off);
    CU_ASSERT_EQUAL(partial_file_write(f, off, len, (uint8_t)below(256)), (ssize_t)len);
}

static void step_zero(struct partial_file *f)
{
    uint64_t off = a_place(f, FILE_MAX - 1), len = 1 + below(FILE_MAX - off), end = off + len;
    int mode = below(2) ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE;

    if (mode == FALLOC_FL_ZERO_RANGE && below(2))
        mode |= FALLOC_FL_KEEP_SIZE;
    if (f->p)
        CU_ASSERT_EQUAL(partial_file_fill(f, off, len), 0);
    int rc = f->p ? partial_fallocate(f->p, f->fd, mode, off, len)
             : fallocate(f->fd, mode, (off_t)off, (off_t)len) ? -errno
                                                              : 0;
    if (rc == -EOPNOTSUPP)
        return;
    CU_ASSERT_EQUAL(rc, 0);
    if (!(mode & FALLOC_FL_KEEP_SIZE) && end > f->size)
        f->size = end;
    if (end > f->size)
        end = f->size;
    if (end > off)
        memset(f->shown + off, 0, (size_t)(end - off));
}

static void step_allocate(struct partial_file *f)
{
    uint64_t off = a_place(f, FILE_MAX - 1), len = 1 + below(FILE_MAX - off);
    int mode = below(2) ? FALLOC_FL_KEEP_SIZE : 0;
    int rc = f->p ? partial_fallocate(f->p, f->fd, mode, off, len) : -EOPNOTSUPP;

    if (rc == -EOPNOTSUPP)
        return;
    CU_ASSERT_EQUAL(rc, 0);
    if (!mode && off + len > f->size)
        f->size = off + len;
}

/* The machine starts anew. With LOSE some of what was not synced is not there. */
static void step_reboot(struct partial_file *f, bool lose)
{
    static uint8_t map[BLOCK_MAP_HEADER + FILE_MAX / PARTIAL_UNIT + 1];
    struct block_map_header h;
    int fd = partial_file_open_map(f);
    ssize_t n = fd < 0 ? 0 : pread(fd, map, sizeof map, 0);

    if (fd >= 0)
        (void)close(fd);
    if (n)
        CU_ASSERT_EQUAL_FATAL(block_map_parse(map, (size_t)n, (uint64_t)n, &h, NULL), 0);
    /* What was written before an earlier reboot is on the disk or was lost then. */
    lose = lose && n && !memcmp(h.boot_id, f->boot, sizeof h.boot_id);
    f->boot[0]++;
    if (!lose)
        return;
    uint64_t limit = h.lower_limit < f->size ? h.lower_limit : f->size;
    for (uint64_t u = 0; u * PARTIAL_UNIT < limit; u++) {
        uint64_t off = u * PARTIAL_UNIT, end = off + PARTIAL_UNIT;
        if (map[BLOCK_MAP_HEADER + u] != BLOCK_WRITTEN || below(2) ||
            fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, PARTIAL_UNIT))
            continue;
        memset(f->shown + off, 0, PARTIAL_UNIT);
        memcpy(f->shown + off, f->lower + off, (size_t)((end < limit ? end : limit) - off));
    }
}

static void step_complete(struct partial_file *f)
{
    struct span64 span;

    while (partial_next_lower(f->p, 0, &span))
        CU_ASSERT_EQUAL_FATAL(
            partial_fill(f->p, f->fd, span.off, f->lower + span.off, (size_t)span.len), 0);
    CU_ASSERT_FALSE(partial_needs_lower(f->p));
    CU_ASSERT_EQUAL(partial_finish(f->p, f->fd), 0);
    CU_ASSERT_EQUAL(partial_file_map(f), -1);
}

/* What SEEK_HOLE finds must be zeros, and what the package has is data. */
static bool seeks_right(struct partial_file *f)
{
    off_t at = 0, end = (off_t)f->size;

    while (f->p && at < end) {
        off_t data = partial_seek(f->p, f->fd, at, SEEK_DATA);
        if (data == -ENXIO)
            data = end;
        if (data < at)
            return false;
        for (; at < data; at++)
            if (f->shown[at])
                return false;
        if (at == end)
            break;
        at = partial_seek(f->p, f->fd, data, SEEK_HOLE);
        if (at <= data || at > end)
            return false;
    }
    return true;
}

static bool counts_right(struct partial_file *f)
{
    struct partial_run run;
    uint64_t upper = 0;

    if (!f->p)
        return true;
    for (uint64_t off = 0; off < f->size; off += run.len) {
        if (partial_runs(f->p, off, f->size - off, &run, 1) != 1)
            return false;
        upper += run.lower ? 0 : run.len;
    }
    return partial_upper_bytes(f->p, f->size) == upper &&
           partial_needs_lower(f->p) == (upper < f->size);
}

static void one_step(struct partial_file *f)
{
    switch (below(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        step_write(f);
        break;
    case 5:
    case 6:
        partial_file_truncate(f, below(8) ? a_place(f, FILE_MAX) : 0);
        break;
    case 7:
    case 8:
        step_zero(f);
        break;
    case 9:
        step_allocate(f);
        break;
    case 10:
        if (f->p)
            CU_ASSERT_EQUAL(partial_sync(f->p, f->fd), 0);
        break;
    case 11:
        step_reboot(f, below(2));
        CU_ASSERT_EQUAL_FATAL(partial_file_reopen(f), 0);
        break;
    case 12:
        if (f->p && !partial_needs_lower(f->p))
            CU_ASSERT_EQUAL(partial_finish(f->p, f->fd), 0);
        break;
    case 13:
        if (f->p && !below(4))
            step_complete(f);
        break;
    default:
        CU_ASSERT_EQUAL_FATAL(partial_file_reopen(f), 0);
        break;
    }
}

static void partial_shows_what_was_written_whatever_the_order(void)
{
    static struct partial_file f;
    const char *given = getenv("SFTFS_SEED");
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec;
    printf("SFTFS_SEED=%llu ", (unsigned long long)seed);
    random_state = seed * 2 + 1;
    for (unsigned i = 0; i < FILES; i++) {
        uint64_t size = 1 + (below(2) ? below(64) * PARTIAL_UNIT : below(64 * PARTIAL_UNIT));
        if (!(i ? partial_file_start(&f, size) : partial_file_make(&f, size)))
            return;
        for (unsigned s = 0; s < STEPS; s++) {
            one_step(&f);
            bool right = partial_file_is_right(&f) && seeks_right(&f) && counts_right(&f);
            CU_ASSERT(right);
            if (!right) {
                printf("file %u, step %u\n", i, s);
                break;
            }
        }
        partial_file_end(&f);
    }
    partial_file_remove(&f);
}

UNIT_MAIN("partial-model", TEST(partial_shows_what_was_written_whatever_the_order))
