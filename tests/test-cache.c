/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/cache.c and cache_donor.c: blocks and metadata of one version, from one
 * process and several. */
#include "config.h"

#include "fetch/cache.h"

#include <pthread.h>

#include "tests/cache_fixture.h"

enum { FILES = 12, BYTES = 9000 };

static bool same_as_file(const struct version *v)
{
    FILE *f = fopen(path_in(v, CACHE_CONTAINER_NAME), "rb");
    auto_free uint8_t *have = malloc(v->made.len + 1);
    size_t n = 0;

    if (f && have)
        n = fread(have, 1, v->made.len + 1, f);
    if (f)
        (void)fclose(f);
    return n == v->made.len && !memcmp(have, v->made.data, n);
}

/* --- one process ------------------------------------------------------------------------------ */

static void cache_that_is_complete_is_the_package(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct cache *c = open_cache(d, &v);
    struct cache_stats s;

    CU_ASSERT_TRUE(v.blocks > 20);
    CU_ASSERT_FALSE(cache_has_metadata(c));
    for (uint32_t i = 0; i < v.blocks; i++)
        CU_ASSERT_FALSE(cache_has(c, i));
    CU_ASSERT_FALSE(cache_has(c, v.blocks));
    CU_ASSERT_FALSE(cache_has(c, UINT32_MAX));
    store_range(c, &v, 0, v.blocks);
    CU_ASSERT_FALSE(cache_is_complete(c));
    put_metadata(c, &v);
    CU_ASSERT_TRUE(cache_is_complete(c));
    CU_ASSERT_TRUE(same_as_file(&v));
    cache_get_stats(c, &s);
    CU_ASSERT_EQUAL(s.present_blocks, v.blocks);
    CU_ASSERT_EQUAL(s.present_bytes, package_info(v.package)->stored_bytes);
    CU_ASSERT_EQUAL(s.stored_blocks, v.blocks);
    CU_ASSERT_TRUE(s.writing && s.metadata);
    CU_ASSERT_STRING_EQUAL(s.why_not, "");
    cache_close(c);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

static void cache_keeps_blocks_for_the_next_opening(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct cache *c = open_cache(d, &v);

    for (uint32_t i = 0; i < v.blocks; i += 3)
        cache_store(c, i, stored(&v, i));
    cache_close(c);
    cache_dir_close(d);

    d = open_dir();
    c = open_cache(d, &v);
    for (uint32_t i = 0; i < v.blocks; i++)
        CU_ASSERT_EQUAL(read_one(c, &v, i), i % 3 ? -1 : 1);
    cache_close(c);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

static void cache_reads_blocks_in_a_row_at_once(void)
{
    static uint8_t buf[1 << 20];
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct cache *c = open_cache(d, &v);
    const struct block *second = package_block(v.package, 2);

    store_range(c, &v, 2, 9);
    CU_ASSERT_EQUAL(cache_run(c, 0, 10, sizeof buf), 0);
    CU_ASSERT_EQUAL(cache_run(c, 2, 100, sizeof buf), 7);
    CU_ASSERT_EQUAL(cache_run(c, 2, 4, sizeof buf), 4);
    CU_ASSERT_EQUAL(cache_run(c, 2, 100, second->stored_len), 1);
    CU_ASSERT_EQUAL(cache_run(c, 2, 100, second->stored_len - 1), 0);
    CU_ASSERT_EQUAL(cache_run(c, v.blocks, 100, sizeof buf), 0);
    CU_ASSERT_EQUAL(cache_run(c, UINT32_MAX, UINT32_MAX, sizeof buf), 0);
    CU_ASSERT_EQUAL(cache_read(c, 2, 7, buf, NULL), 0);
    uint64_t len = package_block(v.package, 9)->offset - second->offset;
    CU_ASSERT_EQUAL(memcmp(buf, stored(&v, 2), (size_t)len), 0);
    struct err e = { .kind = ERR_NONE };
    CU_ASSERT_TRUE(cache_read(c, 2, 8, buf, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_NOT_FOUND);
    CU_ASSERT_TRUE(cache_read(c, v.blocks - 1, 2, buf, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    cache_close(c);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

static void cache_forgets_what_was_bad(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct cache *c = open_cache(d, &v);
    struct cache_stats s;

    put_metadata(c, &v);
    store_range(c, &v, 0, v.blocks);
    damage(&v, CACHE_CONTAINER_NAME, (off_t)package_block(v.package, 5)->offset, 3);
    CU_ASSERT_EQUAL(read_one(c, &v, 5), 0);
    cache_drop(c, 5);
    CU_ASSERT_FALSE(cache_has(c, 5));
    CU_ASSERT_FALSE(cache_is_complete(c));
    cache_close(c);

    c = open_cache(d, &v);
    CU_ASSERT_FALSE(cache_has(c, 5));
    cache_drop(c, v.blocks);
    cache_store(c, v.blocks, stored(&v, 0));
    cache_store(c, 5, stored(&v, 5));
    CU_ASSERT_EQUAL(read_one(c, &v, 5), 1);
    cache_drop(c, 6);
    cache_get_stats(c, &s);
    CU_ASSERT_EQUAL(s.bad_blocks, 1);
    CU_ASSERT_EQUAL(s.present_blocks, v.blocks - 1);
    cache_close(c);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

static void cache_takes_metadata_in_pieces(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct cache *c = open_cache(d, &v);
    size_t all = v.made.metadata_len, half = all / 2;
    struct err e = { .kind = ERR_NONE };

    CU_ASSERT_TRUE(cache_put_metadata(c, half, v.made.data + half, all - half, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    CU_ASSERT_EQUAL(cache_put_metadata(c, 0, v.made.data, half, NULL), 0);
    CU_ASSERT_FALSE(cache_has_metadata(c));
    cache_close(c);

    c = open_cache(d, &v);
    CU_ASSERT_FALSE(cache_has_metadata(c));
    CU_ASSERT_EQUAL(cache_put_metadata(c, 0, v.made.data, half, NULL), 0);
    /* Again some of it, and blocks behind it, which are not taken. */
    CU_ASSERT_EQUAL(cache_put_metadata(c, half - 10, v.made.data + half - 10,
                                       v.made.len - half + 10, NULL), 0);
    CU_ASSERT_TRUE(cache_has_metadata(c));
    CU_ASSERT_FALSE(cache_has(c, 0));
    cache_close(c);

    char *path = NULL;
    struct package *p = NULL;
    CU_ASSERT_EQUAL(cache_lookup(d, NULL, &package_info(v.package)->package_guid, &path, NULL), 0);
    FILE *f = path ? fopen(path, "rb") : NULL;
    uint8_t *bytes = calloc(1, v.made.len);
    CU_ASSERT_FATAL(f && bytes);
    CU_ASSERT_EQUAL(fread(bytes, 1, v.made.len, f), v.made.len);
    CU_ASSERT_EQUAL(container_read_memory(bytes, v.made.len, &p, NULL), 0);
    CU_ASSERT_TRUE(cache_is_version(path, p));
    (void)fclose(f);
    free(bytes);
    package_free(p);
    free(path);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

/* Others use the cache, too, who may want blocks to be what they should. */
static void cache_takes_no_blocks_that_nobody_verified(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct cache *c = open_cache(d, &v);

    store_range(c, &v, 0, 1);
    package_set_unverified(v.package);
    store_range(c, &v, 1, 2);
    CU_ASSERT_TRUE(cache_holds(c, 0));
    CU_ASSERT_FALSE(cache_holds(c, 1));
    cache_close(c);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

static void cache_survives_files_cut_short(void)
{
    static uint8_t buf[1 << 20];
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct cache *c = open_cache(d, &v);
    struct err e = { .kind = ERR_NONE };
    struct cache_stats s;

    store_range(c, &v, 0, v.blocks);
    CU_ASSERT_EQUAL(truncate(path_in(&v, CACHE_CONTAINER_NAME),
                             (off_t)package_block(v.package, 7)->offset), 0);
    CU_ASSERT_TRUE(cache_read(c, 5, 4, buf, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_TRUNCATED);
    CU_ASSERT_TRUE(cache_has(c, 6)); /* only what could not be read is forgotten */
    CU_ASSERT_FALSE(cache_has(c, 7));
    CU_ASSERT_FALSE(cache_has(c, 8));
    CU_ASSERT_EQUAL(truncate(path_in(&v, CACHE_INDEX_NAME), 20), 0);
    cache_get_stats(c, &s);
    CU_ASSERT_EQUAL(s.read_errors, 2);
    cache_store(c, 7, stored(&v, 7));
    CU_ASSERT_EQUAL(read_one(c, &v, 7), 1);
    cache_close(c);

    /* The next one finds files of the right length, and nothing lost but hints. */
    c = open_cache(d, &v);
    store_range(c, &v, 0, v.blocks);
    for (uint32_t i = 0; i < v.blocks; i++)
        CU_ASSERT_EQUAL(read_one(c, &v, i), 1);
    cache_close(c);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

/* --- other versions --------------------------------------------------------------------------- */

static void cache_takes_blocks_from_an_older_version(void)
{
    static uint8_t buf[1 << 20];
    make_dir();
    struct version old = make_version(1, FILES, BYTES), new = make_version(2, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct cache_stats s;
    uint32_t missing = 0;

    put_version(d, &old);
    struct cache *c = open_cache(d, &new);
    CU_ASSERT_NOT_EQUAL(strcmp(old.name, new.name), 0);
    for (uint32_t i = 0; i < new.blocks; i++) {
        missing += !cache_has(c, i);
        CU_ASSERT_FALSE(cache_holds(c, i));
    }
    CU_ASSERT_TRUE(missing >= 2 && missing < 5);
    cache_get_stats(c, &s);
    CU_ASSERT_EQUAL(s.borrowed_blocks, new.blocks - missing);
    CU_ASSERT_EQUAL(s.present_blocks, 0);

    /* One read over blocks of the donor and blocks of its own. */
    for (uint32_t i = 0; i < new.blocks; i++)
        if (!cache_has(c, i) || i == new.blocks / 2)
            cache_store(c, i, stored(&new, i));
    CU_ASSERT_EQUAL(cache_run(c, 0, UINT32_MAX, sizeof buf), new.blocks);
    CU_ASSERT_EQUAL(cache_read(c, 0, new.blocks, buf, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, stored(&new, 0), (size_t)package_info(new.package)->stored_bytes),
                    0);
    cache_get_stats(c, &s);
    CU_ASSERT_EQUAL(s.donated_blocks, new.blocks - missing - 1);
    CU_ASSERT_EQUAL(s.read_blocks, new.blocks);
    store_range(c, &new, 0, new.blocks);
    put_metadata(c, &new);
    CU_ASSERT_TRUE(cache_is_complete(c));
    CU_ASSERT_TRUE(same_as_file(&new));
    cache_close(c);
    cache_dir_close(d);
    free_version(&old);
    free_version(&new);
    remove_dir();
}

static void cache_drops_bad_blocks_of_another_version(void)
{
    make_dir();
    struct version old = make_version(1, FILES, BYTES), new = make_version(2, FILES, BYTES);
    struct cache_dir *d = open_dir();
    uint32_t block = new.blocks - 1;

    put_version(d, &old);
    struct cache *c = open_cache(d, &new);
    CU_ASSERT_EQUAL(read_one(c, &new, block), 1);
    damage(&old, CACHE_CONTAINER_NAME, (off_t)package_block(old.package, old.blocks - 1)->offset,
           1);
    CU_ASSERT_EQUAL(read_one(c, &new, block), 0);
    cache_drop(c, block);
    CU_ASSERT_FALSE(cache_has(c, block));
    CU_ASSERT_TRUE(cache_has(c, block - 1));
    CU_ASSERT_EQUAL(truncate(path_in(&old, CACHE_CONTAINER_NAME), 100), 0);
    CU_ASSERT_EQUAL(read_one(c, &new, block - 1), -1);
    CU_ASSERT_FALSE(cache_has(c, block - 1));
    cache_close(c);

    struct cache *o = open_cache(d, &old);
    CU_ASSERT_FALSE(cache_has(o, old.blocks - 1)); /* the donor knows, too */
    cache_close(o);
    cache_dir_close(d);
    free_version(&old);
    free_version(&new);
    remove_dir();
}

static void cache_holds_the_versions_it_takes_from(void)
{
    make_dir();
    struct version old = make_version(1, FILES, BYTES), new = make_version(2, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct err e = { .kind = ERR_NONE };

    put_version(d, &old);
    struct cache *c = open_cache(d, &new);
    CU_ASSERT_TRUE(cache_dir_remove(d, old.name, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_BUSY);
    cache_close(c);
    CU_ASSERT_EQUAL(cache_dir_remove(d, old.name, NULL), 0);
    cache_dir_close(d);
    free_version(&old);
    free_version(&new);
    remove_dir();
}

static void cache_does_without_damaged_versions(void)
{
    make_dir();
    struct version old = make_version(1, FILES, BYTES), new = make_version(2, FILES, BYTES);
    struct cache_dir *d = open_dir();

    put_version(d, &old);
    damage(&old, CACHE_CONTAINER_NAME, 300, 4);
    struct cache *c = open_cache(d, &new);
    for (uint32_t i = 0; i < new.blocks; i++)
        CU_ASSERT_FALSE(cache_has(c, i));
    cache_close(c);
    cache_dir_close(d);
    free_version(&old);
    free_version(&new);
    remove_dir();
}

/* --- several openings and processes ----------------------------------------------------------- */

struct watched {
    struct cache *cache;
    uint32_t block;
};

static bool is_there(void *arg)
{
    struct watched *w = arg;

    return cache_has(w->cache, w->block);
}

static void cache_notices_what_others_store(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir(), *other = open_dir();
    struct cache *a = open_cache(d, &v), *b = open_cache(other, &v);

    CU_ASSERT_FALSE(cache_has(a, 4));
    store_range(b, &v, 4, 6);
    CU_ASSERT_TRUE(becomes_true(is_there, &(struct watched){ a, 4 }));
    CU_ASSERT_TRUE(cache_has(a, 5)); /* of the same page of the index */
    CU_ASSERT_EQUAL(read_one(a, &v, 5), 1);
    cache_close(a);
    cache_close(b);
    cache_dir_close(d);
    cache_dir_close(other);
    free_version(&v);
    remove_dir();
}

/* Stores, drops and reads blocks in an order of its own; ends with 0 if no byte was wrong. */
static int work(const struct version *v, uint32_t seed, unsigned rounds)
{
    struct cache_dir *d = NULL;
    struct cache *c = NULL;
    int status = 1;
    const struct cache_options o = { .dir = cache_path, .free_percent = 1 };

    if (cache_dir_open(&o, &d, NULL) || cache_open(d, v->package, &c, NULL))
        goto out;
    status = 0;
    for (unsigned i = 0; i < rounds; i++) {
        uint32_t block = (seed = seed * 1664525u + 1013904223u) % v->blocks;
        int right = read_one(c, v, block);

        if (!right)
            status = 2;
        if (right < 0)
            cache_store(c, block, stored(v, block));
        else if (seed >> 28 == 0)
            cache_drop(c, block);
        if (i == rounds / 2 && cache_put_metadata(c, 0, v->made.data, v->made.metadata_len, NULL))
            status = 3;
    }
out:
    cache_close(c);
    cache_dir_close(d);
    return status;
}

static void cache_is_shared_by_processes(void)
{
    enum { PROCESSES = 6 };
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    pid_t pids[PROCESSES];

    for (unsigned i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        CU_ASSERT_FATAL(pids[i] >= 0);
        if (!pids[i])
            _exit(work(&v, i, 3000));
    }
    for (unsigned i = 0; i < PROCESSES; i++)
        CU_ASSERT_TRUE(child_is_fine(pids[i]));
    struct cache_dir *d = open_dir();
    struct cache *c = open_cache(d, &v);
    CU_ASSERT_TRUE(cache_has_metadata(c));
    store_range(c, &v, 0, v.blocks);
    CU_ASSERT_TRUE(same_as_file(&v));
    cache_close(c);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

struct worker {
    struct cache *cache;
    const struct version *version;
    uint32_t seed;
    bool wrong;
};

/* All that a thread may do, in an order of its own. */
static void *use_all(void *arg)
{
    struct worker *w = arg;
    const struct version *v = w->version;
    uint8_t *buf = malloc(64 * STORED_LEN_MAX);
    struct cache_stats s;

    for (unsigned i = 0; buf && i < 4000; i++) {
        uint32_t block = (w->seed = w->seed * 1664525u + 1013904223u) % v->blocks;
        uint32_t n = cache_run(w->cache, block, 1 + w->seed % 8, 64 * STORED_LEN_MAX);

        if (n && !cache_read(w->cache, block, n, buf, NULL)) {
            const struct block *last = package_block(v->package, block + n - 1);
            uint64_t len =
                last->offset + last->stored_len - package_block(v->package, block)->offset;
            w->wrong |= memcmp(buf, stored(v, block), (size_t)len) != 0;
        }
        if (i % 3)
            cache_store(w->cache, block, stored(v, block));
        else if (i % 50 == 0)
            cache_drop(w->cache, block);
        if (i % 500 == 0)
            cache_get_stats(w->cache, &s);
    }
    w->wrong |= !buf;
    free(buf);
    return NULL;
}

static void cache_is_shared_by_threads(void)
{
    enum { THREADS = 6 };
    make_dir();
    struct version old = make_version(1, FILES, BYTES), v = make_version(2, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct worker workers[THREADS];
    pthread_t threads[THREADS];

    put_version(d, &old);
    struct cache *c = open_cache(d, &v);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ c, &v, i, false };
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, use_all, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
        CU_ASSERT_FALSE(workers[i].wrong);
    }
    store_range(c, &v, 0, v.blocks);
    put_metadata(c, &v);
    CU_ASSERT_TRUE(same_as_file(&v));
    cache_close(c);
    cache_dir_close(d);
    free_version(&old);
    free_version(&v);
    remove_dir();
}

/* What is there after a kill is right; and nobody is kept from going on. */
static void cache_survives_processes_being_killed(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    uint32_t most = 0;

    for (unsigned i = 0; i < 60; i++) {
        int ready[2];
        char byte;
        CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
        pid_t pid = fork();
        CU_ASSERT_FATAL(pid >= 0);
        if (!pid) {
            bool told = write(ready[1], "", 1) == 1;
            _exit(told ? work(&v, i, UINT32_MAX) : 1);
        }
        CU_ASSERT_EQUAL(read(ready[0], &byte, 1), 1);
        (void)usleep(i * 200); /* a different point each time; which one does not matter */
        CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);
        CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
        (void)close(ready[0]);
        (void)close(ready[1]);

        struct cache_dir *d = open_dir();
        struct cache *c = open_cache(d, &v);
        uint32_t there = 0;
        for (uint32_t k = 0; k < v.blocks; k++) {
            int right = read_one(c, &v, k);
            CU_ASSERT_NOT_EQUAL(right, 0);
            there += right > 0;
        }
        if (there > most)
            most = there;
        cache_close(c);
        cache_dir_close(d);
    }
    CU_ASSERT_TRUE(most > 0);
    free_version(&v);
    remove_dir();
}

UNIT_MAIN("cache",
          TEST(cache_that_is_complete_is_the_package),
          TEST(cache_takes_no_blocks_that_nobody_verified),
          TEST(cache_keeps_blocks_for_the_next_opening),
          TEST(cache_reads_blocks_in_a_row_at_once),
          TEST(cache_forgets_what_was_bad),
          TEST(cache_takes_metadata_in_pieces),
          TEST(cache_survives_files_cut_short),
          TEST(cache_takes_blocks_from_an_older_version),
          TEST(cache_drops_bad_blocks_of_another_version),
          TEST(cache_holds_the_versions_it_takes_from),
          TEST(cache_does_without_damaged_versions),
          TEST(cache_notices_what_others_store),
          TEST(cache_is_shared_by_processes),
          TEST(cache_is_shared_by_threads),
          TEST(cache_survives_processes_being_killed))
