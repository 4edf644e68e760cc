/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A partial file for tests: an upper file, its map and marker in a directory of its own, the
 * package's bytes in memory, and beside them what the file must show.
 */
#ifndef TESTS_PARTIAL_FILE_H
#define TESTS_PARTIAL_FILE_H

#include <stdint.h>
#include <sys/stat.h>

#include "fs/overlay/block_map.h"
#include "fs/overlay/partial.h"
#include "tests/overlay_dir.h"
#include "tests/unit.h"

enum { FILE_MAX = 96 * PARTIAL_UNIT };

struct partial_file {
    struct overlay_dir dir;
    struct overlay_store store;
    uint8_t boot[16];
    int fd;
    struct partial *p;
    uint64_t lower_size;
    uint8_t lower[FILE_MAX];
    uint64_t size; /* what it must be, and show: */
    uint8_t shown[FILE_MAX];
};

/* Opens it anew, as another process would. 0 or what partial_open() says. */
static int partial_file_reopen(struct partial_file *f)
{
    struct markers m;
    struct stat st;
    int rc = 0;

    partial_free(f->p);
    f->p = NULL;
    CU_ASSERT_EQUAL_FATAL(fstat(f->fd, &st), 0);
    CU_ASSERT_EQUAL(markers_read(f->fd, "", &st, &m), 0);
    if (m.has_partial)
        rc = partial_open(&f->store, f->fd, (uint64_t)st.st_size, &m.partial, &f->p, NULL);
    markers_clear(&m);
    return rc;
}

static bool partial_file_start(struct partial_file *f, uint64_t lower_size)
{
    struct partial_mark mark = { .size = lower_size, .content = "fifteen letters" };
    char path[] = "/a/b";

    mark.path = path;
    f->fd = openat(f->dir.fd, "upper", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CU_ASSERT_FATAL(f->fd >= 0);
    f->lower_size = f->size = lower_size;
    for (uint64_t i = 0; i < FILE_MAX; i++)
        f->lower[i] = (uint8_t)(1 + i * 7 % 251 + i / PARTIAL_UNIT % 3); /* never 0 */
    memset(f->shown, 0, sizeof f->shown);
    memcpy(f->shown, f->lower, (size_t)lower_size);
    CU_ASSERT_EQUAL_FATAL(ftruncate(f->fd, (off_t)lower_size), 0);
    if (marker_set_partial(f->fd, &mark))
        return false;
    CU_ASSERT_EQUAL_FATAL(partial_new(&f->store, &mark, &f->p), 0);
    return true;
}

static bool partial_file_make(struct partial_file *f, uint64_t lower_size)
{
    *f = (struct partial_file){ .fd = -1 };
    if (!overlay_dir_make(&f->dir))
        return false;
    memset(f->boot, 1, sizeof f->boot);
    f->store.boot_id = f->boot;
    f->store.dev = 0;
    f->store.access = OVERLAY_WRITE;
    CU_ASSERT_EQUAL_FATAL(mkdirat(f->dir.fd, "maps", 0700), 0);
    f->store.maps_fd = openat(f->dir.fd, "maps", O_PATH | O_DIRECTORY);
    CU_ASSERT_FATAL(f->store.maps_fd >= 0);
    return partial_file_start(f, lower_size);
}

static void partial_file_end(struct partial_file *f)
{
    partial_free(f->p);
    f->p = NULL;
    if (f->fd >= 0)
        (void)close(f->fd);
    f->fd = -1;
}

static void partial_file_remove(struct partial_file *f)
{
    partial_file_end(f);
    (void)close(f->store.maps_fd);
    overlay_dir_remove(&f->dir);
}

/* Number in the marker: 0 = no map, -1 = no marker. */
static long long partial_file_map(struct partial_file *f)
{
    struct markers m;
    struct stat st;
    long long number = -1;

    CU_ASSERT_EQUAL_FATAL(fstat(f->fd, &st), 0);
    CU_ASSERT_EQUAL(markers_read(f->fd, "", &st, &m), 0);
    if (m.has_partial)
        number = (long long)m.partial.map;
    markers_clear(&m);
    return number;
}

/* The map file, opened; -1 when there is none. */
static int partial_file_open_map(struct partial_file *f)
{
    char name[32];
    long long number = partial_file_map(f);

    if (number <= 0)
        return -1;
    (void)snprintf(name, sizeof name, "%016llx", (unsigned long long)number);
    return openat(f->store.maps_fd, name, O_RDWR);
}

/* Brings what a change to [off, off + len) needs. */
static int partial_file_fill(struct partial_file *f, uint64_t off, uint64_t len)
{
    struct span64 need[2];
    unsigned n = partial_write_needs(f->p, off, len, need);

    for (unsigned i = 0; i < n; i++) {
        int rc =
            partial_fill(f->p, f->fd, need[i].off, f->lower + need[i].off, (size_t)need[i].len);
        if (rc)
            return rc;
    }
    return 0;
}

/* Writes LEN bytes of BYTE as the mount would; the model follows what was written. */
static ssize_t partial_file_write(struct partial_file *f, uint64_t off, size_t len, uint8_t byte)
{
    static uint8_t data[FILE_MAX];
    ssize_t n = f->p ? partial_file_fill(f, off, len) : 0;

    memset(data, byte, len);
    if (!n)
        n = f->p ? partial_write(f->p, f->fd, data, len, off)
                 : pwrite(f->fd, data, len, (off_t)off);
    if (n > 0) {
        memset(f->shown + off, byte, (size_t)n);
        if (off + (uint64_t)n > f->size)
            f->size = off + (uint64_t)n;
    }
    return n;
}

static void partial_file_truncate(struct partial_file *f, uint64_t size)
{
    int rc = f->p ? partial_truncate(f->p, f->fd, size) : ftruncate(f->fd, (off_t)size);

    CU_ASSERT_EQUAL_FATAL(rc, 0);
    if (size < f->size)
        memset(f->shown + size, 0, (size_t)(f->size - size));
    f->size = size;
}

/* Reads all of it into OUT as the mount would. False when a run is not what it may be. */
static bool partial_file_read(struct partial_file *f, uint8_t *out)
{
    struct partial_run runs[3];

    if (!f->p)
        return pread(f->fd, out, (size_t)f->size, 0) == (ssize_t)f->size;
    for (uint64_t off = 0; off < f->size;) {
        size_t n = partial_runs(f->p, off, f->size - off, runs, 3);
        if (!n)
            return false;
        for (size_t i = 0; i < n; i++) {
            size_t len = (size_t)runs[i].len;
            if (runs[i].off != off || !len || off + len > f->size)
                return false;
            if (runs[i].lower && off + len > f->lower_size)
                return false;
            if (runs[i].lower)
                memcpy(out + off, f->lower + off, len);
            else if (pread(f->fd, out + off, len, (off_t)off) != (ssize_t)len)
                return false;
            off += len;
        }
    }
    return true;
}

/* Whether the file shows what it must. */
static bool partial_file_is_right(struct partial_file *f)
{
    static uint8_t out[FILE_MAX];
    struct stat st;

    if (fstat(f->fd, &st) || (uint64_t)st.st_size != f->size) {
        printf("size %llu, not %llu\n", (unsigned long long)st.st_size,
               (unsigned long long)f->size);
        return false;
    }
    if (!partial_file_read(f, out))
        return false;
    for (uint64_t i = 0; i < f->size; i++)
        if (out[i] != f->shown[i]) {
            printf("byte %llu (unit %llu) is %u, not %u\n", (unsigned long long)i,
                   (unsigned long long)(i / PARTIAL_UNIT), out[i], f->shown[i]);
            return false;
        }
    return true;
}

/* A file, told as the rest, that is right now and after it was opened anew. */
#define ASSERT_RIGHT(f)                                                                            \
    do {                                                                                           \
        CU_ASSERT(partial_file_is_right(f));                                                       \
        CU_ASSERT_EQUAL(partial_file_reopen(f), 0);                                                \
        CU_ASSERT(partial_file_is_right(f));                                                       \
    } while (0)

#endif
