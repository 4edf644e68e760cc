/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tests of the disk cache stand on: a directory, and versions of a small package in memory. */
#ifndef TESTS_CACHE_FIXTURE_H
#define TESTS_CACHE_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fetch/cache.h"
#include "fetch/cache_dir.h"
#include "fetch/cache_index.h"
#include "src/container.h"
#include "tests/make-sft.h"
#include "tests/unit.h"

/* --- a directory ------------------------------------------------------------------------------ */

static char cache_path[64];

static inline int remove_below(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

    if (!stream)
        return unlinkat(dirfd, name, 0);
    for (const struct dirent *d; (d = readdir(stream));)
        if (strcmp(d->d_name, ".") && strcmp(d->d_name, ".."))
            (void)remove_below(fd, d->d_name);
    (void)closedir(stream);
    return unlinkat(dirfd, name, AT_REMOVEDIR);
}

static inline struct cache_dir *open_dir_with(const struct cache_options *o)
{
    struct cache_options with = *o;
    struct cache_dir *d = NULL;
    struct err e = { .kind = ERR_NONE };

    with.dir = cache_path;
    int rc = cache_dir_open(&with, &d, &e);
    if (rc)
        printf("\n    %s", e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return d;
}

static inline struct cache_dir *open_dir(void)
{
    return open_dir_with(&(struct cache_options){ .free_percent = 1 });
}

static inline void make_dir(void)
{
    (void)snprintf(cache_path, sizeof cache_path, "/tmp/sftfs-cache-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(cache_path));
}

static inline void remove_dir(void)
{
    CU_ASSERT_EQUAL(remove_below(AT_FDCWD, cache_path), 0);
}

/* --- a package -------------------------------------------------------------------------------- */

struct version {
    struct made_sft made;
    struct package *package;
    uint32_t blocks;
    char name[CACHE_NAME_SIZE];
};

/* Version NUMBER of a package of FILES files of BYTES bytes each; file 0 has other bytes in each
 * version, the others are the same. */
static inline struct version make_version(uint32_t number, uint32_t files, size_t bytes)
{
    struct make_entry *entries = calloc(files, sizeof *entries);
    char (*paths)[24] = calloc(files, sizeof *paths);
    struct make_options o = { .version_number = number, .block_size = 4096 };
    struct version v = { .blocks = 0 };
    struct err e = { .kind = ERR_NONE };
    uint8_t *own = malloc(bytes);

    CU_ASSERT_FATAL(entries && paths && own);
    memset(own, (int)number, bytes);
    for (uint32_t i = 0; i < files; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "file%05u", i);
        entries[i] = (struct make_entry){ .path = paths[i], .len = bytes };
    }
    entries[0].data = own;
    CU_ASSERT_EQUAL_FATAL(make_sft(entries, files, &o, &v.made, &e), 0);
    CU_ASSERT_EQUAL_FATAL(container_read_memory(v.made.data, v.made.len, &v.package, &e), 0);
    v.blocks = package_info(v.package)->block_count;
    struct cache_index_header h = cache_index_header_of(v.package);
    cache_name_of(&h, v.name);
    free(own);
    free(paths);
    free(entries);
    return v;
}

static inline void free_version(struct version *v)
{
    package_free(v->package);
    free(v->made.data);
}

static inline const uint8_t *stored(const struct version *v, uint32_t block)
{
    return v->made.data + package_block(v->package, block)->offset;
}

static inline struct cache *open_cache(struct cache_dir *d, const struct version *v)
{
    struct cache *c = NULL;
    struct err e = { .kind = ERR_NONE };
    int rc = cache_open(d, v->package, &c, &e);

    if (rc)
        printf("\n    %s", e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return c;
}

static inline void put_metadata(struct cache *c, const struct version *v)
{
    CU_ASSERT_EQUAL(cache_put_metadata(c, 0, v->made.data, v->made.metadata_len, NULL), 0);
}

static inline void store_range(struct cache *c, const struct version *v, uint32_t first,
                               uint32_t end)
{
    for (uint32_t i = first; i < end; i++)
        cache_store(c, i, stored(v, i));
}

/* Puts all of V there and lets go of it. */
static inline void put_version(struct cache_dir *d, const struct version *v)
{
    struct cache *c = open_cache(d, v);

    put_metadata(c, v);
    store_range(c, v, 0, v->blocks);
    CU_ASSERT_TRUE(cache_is_complete(c));
    cache_close(c);
}

/* Reads BLOCK: 1 right, 0 wrong, -1 not there. */
static inline int read_one(struct cache *c, const struct version *v, uint32_t block)
{
    static uint8_t buf[STORED_LEN_MAX];

    if (!cache_has(c, block) || cache_read(c, block, 1, buf, NULL))
        return -1;
    return !memcmp(buf, stored(v, block), package_block(v->package, block)->stored_len);
}

/* --- files of the cache ----------------------------------------------------------------------- */

static inline const char *path_in(const struct version *v, const char *file)
{
    static char path[sizeof cache_path + CACHE_NAME_SIZE + 32];

    (void)snprintf(path, sizeof path, "%s/%s%s%s", cache_path, v->name, *file ? "/" : "", file);
    return path;
}

static inline bool exists(const struct version *v)
{
    return !access(path_in(v, ""), F_OK);
}

/* Writes over LEN bytes of a file of V. */
static inline void damage(const struct version *v, const char *file, off_t at, size_t len)
{
    int fd = open(path_in(v, file), O_WRONLY | O_CLOEXEC);

    CU_ASSERT_FATAL(fd >= 0);
    for (size_t i = 0; i < len; i++)
        CU_ASSERT_EQUAL(pwrite(fd, "\x5a", 1, at + (off_t)i), 1);
    (void)close(fd);
}

/* Makes V last used SECONDS ago. */
static inline void set_last_use(const struct version *v, time_t seconds)
{
    struct timespec t = { .tv_sec = time(NULL) - seconds };
    const struct timespec both[2] = { t, t };

    CU_ASSERT_EQUAL(utimensat(AT_FDCWD, path_in(v, CACHE_LOCK_NAME), both, 0), 0);
    CU_ASSERT_EQUAL(utimensat(AT_FDCWD, path_in(v, CACHE_INDEX_NAME), both, 0), 0);
}

/* --- other processes -------------------------------------------------------------------------- */

/* Waits for a child; true if it ended with status 0. */
static inline bool child_is_fine(pid_t pid)
{
    int status = -1;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* For what needs others to do something within the time a page of the index may be old. */
static inline bool becomes_true(bool (*test)(void *arg), void *arg)
{
    for (int i = 0; i < 3000; i++) {
        if (test(arg))
            return true;
        (void)usleep(10000);
    }
    return false;
}

#endif
