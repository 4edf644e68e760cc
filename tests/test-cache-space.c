/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/cache_space.c: quota, eviction, and disks that are full. */
#include "config.h"

#include "fetch/cache_space.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "src/log.h"
#include "tests/cache_fixture.h"

enum { FILES = 40, BYTES = 20000 }; /* some 450 KiB stored */

static unsigned warnings;

static void count_warnings(enum log_level level, const char *line)
{
    (void)line;
    warnings += level == LOG_LEVEL_WARNING;
}

static uint64_t used(struct cache_dir *d)
{
    struct cache_usage u;

    CU_ASSERT_EQUAL(cache_space_measure(d->space, &u, NULL), 0);
    return u.used_bytes;
}

static uint32_t present(struct cache *c)
{
    struct cache_stats s;

    cache_get_stats(c, &s);
    return s.present_blocks;
}

static void cache_evicts_the_least_recently_used(void)
{
    make_dir();
    struct version v[5];
    struct cache_dir *d = open_dir();
    struct cache_stats s;

    for (uint32_t i = 0; i < 5; i++)
        v[i] = make_version(i + 1, FILES, BYTES);
    for (uint32_t i = 0; i < 4; i++)
        put_version(d, &v[i]);
    uint64_t four = used(d);
    cache_dir_close(d);
    set_last_use(&v[0], 100);
    set_last_use(&v[1], 400); /* the oldest, but locked */
    set_last_use(&v[2], 300); /* the next one: to go */
    set_last_use(&v[3], 200);

    d = open_dir_with(&(struct cache_options){ .quota_bytes = four + 20000, .free_percent = 1 });
    CU_ASSERT_EQUAL(cache_dir_set_locked(d, v[1].name, true, NULL), 0);
    set_last_use(&v[1], 400);
    struct cache *c = open_cache(d, &v[4]);
    /* Held as donors by C: those that are in use stay. */
    store_range(c, &v[4], 0, v[4].blocks);
    CU_ASSERT_TRUE(used(d) <= four + 20000);
    CU_ASSERT_TRUE(exists(&v[0]) && exists(&v[1]) && exists(&v[2]) && exists(&v[3]));
    CU_ASSERT_TRUE(present(c) < v[4].blocks);
    cache_get_stats(c, &s);
    CU_ASSERT_FALSE(s.writing);
    cache_close(c);
    for (uint32_t i = 0; i < 4; i++)
        set_last_use(&v[i], (time_t[]){ 100, 400, 300, 200 }[i]);
    CU_ASSERT_EQUAL(cache_space_shrink(d->space, four - 1, NULL), 0);
    CU_ASSERT_TRUE(exists(&v[0]) && exists(&v[1]) && !exists(&v[2]) && exists(&v[3]));
    CU_ASSERT_EQUAL(cache_space_shrink(d->space, 0, NULL), 0);
    CU_ASSERT_TRUE(!exists(&v[0]) && exists(&v[1]) && !exists(&v[3]) && !exists(&v[4]));
    cache_dir_close(d);
    for (uint32_t i = 0; i < 5; i++)
        free_version(&v[i]);
    remove_dir();
}

/* A package that shares no block with the others. */
static struct version make_other(uint32_t number, const char *path)
{
    struct make_entry entry = { .path = path, .len = FILES * BYTES };
    struct make_options o = { .version_number = number };
    struct version v = { .blocks = 0 };

    CU_ASSERT_EQUAL_FATAL(make_sft(&entry, 1, &o, &v.made, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(container_read_memory(v.made.data, v.made.len, &v.package, NULL), 0);
    v.blocks = package_info(v.package)->block_count;
    struct cache_index_header h = cache_index_header_of(v.package);
    cache_name_of(&h, v.name);
    return v;
}

/* Versions that are held as donors stay; so these have their metadata taken away first, which
 * makes them useless as donors. */
static void forget_metadata(struct cache_dir *d, const struct version *v)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s", path_in(v, CACHE_CONTAINER_NAME));
    cache_lookup_failed(d, path);
}

static void cache_makes_room_before_it_writes(void)
{
    make_dir();
    struct version v[4];
    struct cache_dir *d = open_dir();
    struct cache_stats s;

    for (uint32_t i = 0; i < 4; i++)
        v[i] = make_other(i + 1, (const char *[]){ "a", "b", "c", "d" }[i]);
    for (uint32_t i = 0; i < 3; i++) {
        put_version(d, &v[i]);
        forget_metadata(d, &v[i]);
        set_last_use(&v[i], 100 * (i + 1)); /* the last one is the oldest */
    }
    uint64_t quota = used(d) + 10000;
    cache_dir_close(d);

    d = open_dir_with(&(struct cache_options){ .quota_bytes = quota, .free_percent = 1 });
    struct cache *held = open_cache(d, &v[2]); /* in use: the next one in order goes */
    set_last_use(&v[2], 300);
    struct cache *c = open_cache(d, &v[3]);
    for (uint32_t i = 0; i < v[3].blocks; i++) {
        cache_store(c, i, stored(&v[3], i));
        CU_ASSERT_TRUE(used(d) <= quota);
    }
    CU_ASSERT_EQUAL(present(c), v[3].blocks);
    CU_ASSERT_TRUE(exists(&v[0]) && !exists(&v[1]) && exists(&v[2]));
    cache_get_stats(c, &s);
    CU_ASSERT_EQUAL(s.evicted_versions, 1);
    CU_ASSERT_TRUE(s.evicted_bytes > 100000);
    CU_ASSERT_TRUE(s.writing);
    cache_close(held);
    cache_close(c);
    cache_dir_close(d);
    for (uint32_t i = 0; i < 4; i++)
        free_version(&v[i]);
    remove_dir();
}

static void cache_stops_at_the_quota_and_says_so_once(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir_with(&(struct cache_options){ .quota_bytes = 200000,
                                                                 .free_percent = 1,
                                                                 .retry_ms = 1 });
    struct cache *c = open_cache(d, &v);
    struct cache_stats s;

    warnings = 0;
    log_set_sink(count_warnings);
    put_metadata(c, &v);
    for (unsigned round = 0; round < 5; round++) {
        store_range(c, &v, 0, v.blocks);
        (void)usleep(2000); /* it may try again */
        CU_ASSERT_TRUE(used(d) <= 200000);
    }
    log_set_sink(NULL);
    CU_ASSERT_EQUAL(warnings, 1);
    cache_get_stats(c, &s);
    CU_ASSERT_FALSE(s.writing);
    CU_ASSERT_PTR_NOT_NULL(strstr(s.why_not, "larger than the quota"));
    CU_ASSERT_TRUE(s.present_blocks > 10 && s.present_blocks < v.blocks);
    CU_ASSERT_EQUAL(s.write_errors, 0);
    for (uint32_t i = 0; i < v.blocks; i++)
        CU_ASSERT_NOT_EQUAL(read_one(c, &v, i), 0);
    cache_close(c);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

/* Grows a file on a file system of our own until it is full, and one block after that. */
static int on_a_small_disk(const struct version *big, const struct version *other)
{
    static uint8_t zeros[65536];
    struct cache_dir *d = NULL;
    struct cache *c = NULL;
    struct cache_stats s;
    char ballast[128];

    if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
        return 77;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", cache_path, "tmpfs", 0, "size=2m"))
        return 77;
    const struct cache_options o = { .dir = cache_path, .free_percent = 1, .retry_ms = 1 };
    if (cache_dir_open(&o, &d, NULL))
        return 2;
    /* Room was found; then somebody else takes it. */
    if (cache_open(d, other->package, &c, NULL))
        return 3;
    store_range(c, other, 0, other->blocks);
    cache_close(c);
    if (cache_open(d, big->package, &c, NULL))
        return 4;
    cache_store(c, 0, stored(big, 0));
    (void)snprintf(ballast, sizeof ballast, "%s/ballast", cache_path);
    int fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (fd >= 0 && write(fd, zeros, sizeof zeros) > 0)
        ;
    log_set_sink(count_warnings);
    store_range(c, big, 1, 40); /* the other version goes, and makes room */
    cache_get_stats(c, &s);
    if (s.evicted_versions != 1 || !cache_has(c, 39))
        return 5;
    while (fd >= 0 && write(fd, zeros, sizeof zeros) > 0)
        ;
    (void)usleep(2000);
    store_range(c, big, 40, big->blocks); /* nothing to be removed is left */
    cache_get_stats(c, &s);
    if (s.writing || !*s.why_not || s.present_blocks == big->blocks)
        return 6;
    if (warnings < 1 || warnings > 2) /* by the share of room it took, or by the disk; each once */
        return 7;
    for (uint32_t i = 0; i < big->blocks; i++)
        if (!read_one(c, big, i))
            return 8;
    (void)close(fd);
    (void)unlink(ballast);
    (void)usleep(2000);
    store_range(c, big, 0, big->blocks); /* and it goes on by itself */
    cache_get_stats(c, &s);
    return s.writing && s.present_blocks == big->blocks ? 0 : 9;
}

static void cache_survives_a_full_disk(void)
{
    make_dir();
    struct version big = make_version(1, FILES, BYTES), other = make_other(2, "x");
    pid_t pid = fork();
    int status = 0;

    CU_ASSERT_FATAL(pid >= 0);
    if (!pid)
        _exit(on_a_small_disk(&big, &other));
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("nothing can be mounted here: not tested ");
    } else {
        CU_ASSERT_TRUE(WIFEXITED(status));
        CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
    }
    free_version(&big);
    free_version(&other);
    remove_dir();
}

/* The floor is a share of the whole disk, so that one which is nearly all of it is never kept. */
static void cache_leaves_the_floor_free(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir_with(&(struct cache_options){ .free_percent = 100 });
    struct cache *c = open_cache(d, &v);
    struct cache_stats s;

    store_range(c, &v, 0, v.blocks);
    cache_get_stats(c, &s);
    CU_ASSERT_EQUAL(s.present_blocks, 0);
    CU_ASSERT_FALSE(s.writing);
    CU_ASSERT_PTR_NOT_NULL(strstr(s.why_not, "nearly full"));
    cache_close(c);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

static void cache_is_not_opened_beyond_the_limit_of_file_sizes(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct rlimit before, small;
    struct cache *c = NULL;
    struct err e = { .kind = ERR_NONE };
    struct cache_dir *d = open_dir();

    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100000;
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &small), 0);
    CU_ASSERT_TRUE(cache_open(d, v.package, &c, &e) == -EFBIG);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "ulimit"));
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

UNIT_MAIN("cache-space",
          TEST(cache_evicts_the_least_recently_used),
          TEST(cache_makes_room_before_it_writes),
          TEST(cache_stops_at_the_quota_and_says_so_once),
          TEST(cache_survives_a_full_disk),
          TEST(cache_leaves_the_floor_free),
          TEST(cache_is_not_opened_beyond_the_limit_of_file_sizes))
