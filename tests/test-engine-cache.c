/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of the block engine with a disk cache, in a directory of its own, and of the loader
 * (fetch/engine.h, fetch/loader.h). */
#include "config.h"

#include "fetch/cache.h"
#include "fetch/engine.h"
#include "fetch/loader.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#include "tests/engine_fixture.h"

/* --- a cache that survives the engine ---------------------------------------------------------- */

struct store {
    char dir[64];
    struct cache_dir *cache_dir;
    struct cache *cache;
};

static void store_new(struct store *s)
{
    (void)snprintf(s->dir, sizeof s->dir, "/tmp/test-engine-cache-XXXXXX");
    CU_ASSERT_FATAL(mkdtemp(s->dir) != NULL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void store_remove(struct store *s)
{
    CU_ASSERT(!nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS));
}

static void up(struct rig *r, struct store *s, struct pack pack, enum fake_mode mode,
               struct engine_options o)
{
    const struct cache_options co = { .dir = s->dir, .free_percent = 1 };
    struct err e = { 0 };

    r->pack = pack;
    fake_init(&r->source, &r->pack, mode);
    CU_ASSERT_EQUAL_FATAL(cache_dir_open(&co, &s->cache_dir, &e), 0);
    CU_ASSERT_EQUAL_FATAL(cache_open(s->cache_dir, r->pack.package, &s->cache, &e), 0);
    o.cache = s->cache;
    CU_ASSERT_EQUAL_FATAL(engine_new(r->pack.package, &r->source.base, &o, &r->engine, &e), 0);
}

static void down(struct rig *r, struct store *s)
{
    engine_free(r->engine);
    cache_close(s->cache);
    cache_dir_close(s->cache_dir);
    fake_destroy(&r->source);
    pack_free(&r->pack);
}

static struct pack some_pack(void)
{
    return pack_new(200, 16384, CODEC_ZSTD, 0);
}

/* Reads all blocks, AT_A_TIME (a divisor of their number) at a time, in order. */
static void read_everything(struct rig *r, uint32_t at_a_time)
{
    for (uint32_t i = 0; i < r->pack.blocks; i += at_a_time) {
        struct result a;
        start(r, &a, i, at_a_time, NULL);
        expect_bytes(&a);
    }
}

static void spoil(const char *path, uint64_t offset)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= 0x55;
    CU_ASSERT_EQUAL(pwrite(fd, &byte, 1, (off_t)offset), 1);
    CU_ASSERT_EQUAL(close(fd), 0);
}

/* --- engine ------------------------------------------------------------------------------------ */

static void cached_blocks_are_read_without_the_source(void)
{
    struct rig r;
    struct store s;
    struct engine_stats stats;

    store_new(&s);
    up(&r, &s, some_pack(), FAKE_THREAD, (struct engine_options){ .memory = 8 << 20 });
    read_everything(&r, 20);
    down(&r, &s);

    up(&r, &s, some_pack(), FAKE_MANUAL, (struct engine_options){ .memory = 8 << 20 });
    read_everything(&r, 20); /* nobody would complete a read of the source */
    CU_ASSERT_EQUAL(r.source.started, 0);
    engine_get_stats(r.engine, &stats);
    CU_ASSERT_EQUAL(stats.disk_blocks, 200);
    CU_ASSERT_EQUAL(stats.errors, 0);
    expect_idle(r.engine);
    down(&r, &s);
    store_remove(&s);
}

static void a_read_takes_what_is_cached_and_fetches_the_rest(void)
{
    struct rig r;
    struct store s;
    struct result a;

    store_new(&s);
    up(&r, &s, some_pack(), FAKE_THREAD, (struct engine_options){ .memory = 8 << 20 });
    for (uint32_t i = 0; i < 20; i += 2) {
        start(&r, &a, i, 1, NULL);
        expect_bytes(&a);
    }
    down(&r, &s);

    up(&r, &s, some_pack(), FAKE_THREAD,
       (struct engine_options){ .memory = 8 << 20, .merge_gap = 1 });
    start(&r, &a, 0, 20, NULL);
    expect_bytes(&a);
    CU_ASSERT_EQUAL(r.source.started, 10);
    down(&r, &s);
    store_remove(&s);
}

static void a_damaged_cached_block_is_fetched_again(void)
{
    struct rig r;
    struct store s;
    struct result a;
    struct engine_stats stats;
    char path[PATH_MAX];

    store_new(&s);
    up(&r, &s, some_pack(), FAKE_THREAD, (struct engine_options){ .memory = 8 << 20 });
    read_everything(&r, 20);
    (void)snprintf(path, sizeof path, "%s", cache_container_path(s.cache));
    uint64_t at = stored_at(&r, 7);
    down(&r, &s);

    for (int round = 0; round < 2; round++) { /* the second time it is whole again */
        if (!round)
            spoil(path, at + 9);
        up(&r, &s, some_pack(), FAKE_THREAD, (struct engine_options){ .memory = 8 << 20 });
        start(&r, &a, 5, 5, NULL);
        expect_bytes(&a);
        engine_get_stats(r.engine, &stats);
        CU_ASSERT_EQUAL(stats.disk_bad_blocks, round ? 0 : 1);
        CU_ASSERT_EQUAL(fake_started(&r.source), round ? 0 : 1);
        CU_ASSERT_EQUAL(stats.errors, 0);
        down(&r, &s);
    }
    store_remove(&s);
}

static void a_cut_cached_container_costs_no_reader_anything(void)
{
    struct rig r;
    struct store s;
    char path[PATH_MAX];

    store_new(&s);
    up(&r, &s, some_pack(), FAKE_THREAD, (struct engine_options){ .memory = 8 << 20 });
    read_everything(&r, 20);
    (void)snprintf(path, sizeof path, "%s", cache_container_path(s.cache));
    down(&r, &s);
    up(&r, &s, some_pack(), FAKE_THREAD, (struct engine_options){ .memory = 8 << 20 });
    CU_ASSERT_EQUAL(truncate(path, 1000), 0); /* while it is in use */
    read_everything(&r, 20);
    expect_idle(r.engine);
    down(&r, &s);
    store_remove(&s);
}

static void wrong_bytes_are_not_stored(void)
{
    struct rig r;
    struct store s;
    struct result a;

    store_new(&s);
    up(&r, &s, some_pack(), FAKE_THREAD, (struct engine_options){ .memory = 8 << 20 });
    r.pack.image[stored_at(&r, 3) + 5] ^= 1;
    start(&r, &a, 3, 1, NULL);
    expect_error(&a, ERR_BLOCK_HASH);
    CU_ASSERT(!cache_has(s.cache, 3));
    down(&r, &s);
    store_remove(&s);
}

static void background_blocks_go_to_the_disk_and_not_to_memory(void)
{
    struct rig r;
    struct store s;
    struct engine_stats stats;

    store_new(&s);
    up(&r, &s, some_pack(), FAKE_THREAD, (struct engine_options){ .memory = 8 << 20 });
    CU_ASSERT_EQUAL(engine_prefetch(r.engine, 0, 200, ENGINE_BACKGROUND), 200);
    do
        engine_get_stats(r.engine, &stats);
    while (stats.inflight_blocks || stats.stored_ahead < 200);
    CU_ASSERT_EQUAL(stats.stored_ahead, 200);
    CU_ASSERT_EQUAL(stats.cached_bytes, 0);
    CU_ASSERT_EQUAL(stats.decoded_blocks, 0);
    CU_ASSERT(cache_has(s.cache, 0) && cache_has(s.cache, 199));
    CU_ASSERT_EQUAL(engine_prefetch(r.engine, 0, 200, ENGINE_BACKGROUND), 200);
    engine_get_stats(r.engine, &stats);
    CU_ASSERT_EQUAL(stats.inflight_blocks, 0);
    down(&r, &s);
    store_remove(&s);
}

static void background_blocks_that_somebody_waits_for_are_delivered(void)
{
    struct rig r;
    struct store s;
    struct result a;

    store_new(&s);
    up(&r, &s, some_pack(), FAKE_MANUAL, (struct engine_options){ .memory = 8 << 20 });
    CU_ASSERT_EQUAL(engine_prefetch(r.engine, 0, 20, ENGINE_BACKGROUND), 20);
    start(&r, &a, 5, 2, NULL);
    fake_complete(&r.source, 0, ERR_NONE);
    expect_bytes(&a);
    down(&r, &s);
    store_remove(&s);
}

/* Reads a package larger than memory twice, AT_A_TIME blocks at a time: each byte is fetched once.
 * Returns with how many reads of the source. */
static unsigned fetch_once(uint32_t at_a_time, uint32_t readahead)
{
    struct rig r;
    struct store s;

    store_new(&s);
    up(&r, &s, pack_new(2000, 16384, CODEC_ZSTD, 0), FAKE_THREAD,
       (struct engine_options){ .memory = 8 << 20, .readahead = readahead });
    for (int round = 0; round < 2; round++)
        read_everything(&r, at_a_time);
    CU_ASSERT_EQUAL(fake_bytes(&r.source), r.pack.size - FIXTURE_START);
    unsigned reads = fake_started(&r.source);
    down(&r, &s);
    store_remove(&s);
    return reads;
}

static void nothing_is_fetched_twice(void)
{
    CU_ASSERT(fetch_once(20, 16 << 20) > 0);
}

/* More than the log of the fake source holds, as it may come to under load: one a block. */
static void nothing_is_fetched_twice_in_many_requests(void)
{
    CU_ASSERT(fetch_once(1, 0) > FAKE_LOG_MAX);
}

/* --- loader ------------------------------------------------------------------------------------ */

static void wait_for(struct loader *l, enum loader_state state)
{
    struct loader_status status;

    do {
        (void)usleep(1000);
        loader_get_status(l, &status);
    } while (status.state != state);
}

static void loader_brings_the_launch_set_then_everything(void)
{
    static const struct block_run launch[] = { { 100, 10 }, { 20, 5 } };
    struct rig r;
    struct store s;
    struct loader *l;
    struct loader_status status;
    struct err e;

    store_new(&s);
    up(&r, &s, some_pack(), FAKE_THREAD, (struct engine_options){ .memory = 8 << 20 });
    CU_ASSERT_EQUAL_FATAL(loader_new(&(struct loader_options){ .engine = r.engine,
                                         .package = r.pack.package, .cache = s.cache,
                                         .launch_runs = launch, .launch_run_count = 2 }, &l, &e), 0);
    loader_get_status(l, &status);
    CU_ASSERT_EQUAL(status.state, LOADER_IDLE);
    CU_ASSERT_EQUAL(loader_set_goal(l, LOADER_LAUNCH, &e), 0);
    wait_for(l, LOADER_DONE);
    loader_get_status(l, &status);
    CU_ASSERT_EQUAL(status.launch_blocks, 15);
    CU_ASSERT_EQUAL(status.launch_done, 15);
    CU_ASSERT_EQUAL(status.done, 15);
    CU_ASSERT_EQUAL(r.source.log[0].offset, stored_at(&r, 100)); /* in order of need */
    CU_ASSERT_EQUAL(r.source.started, 2);
    CU_ASSERT_EQUAL(loader_set_goal(l, LOADER_ALL, &e), 0);
    wait_for(l, LOADER_DONE);
    loader_get_status(l, &status);
    CU_ASSERT_EQUAL(status.done, 200);
    CU_ASSERT_EQUAL(status.bytes_done, status.bytes);
    CU_ASSERT(cache_is_complete(s.cache) || !cache_has_metadata(s.cache));
    loader_free(l);
    down(&r, &s);
    store_remove(&s);
}

static void loader_goes_on_after_failures(void)
{
    struct rig r;
    struct store s;
    struct loader *l;
    struct loader_status status;
    struct err e;

    store_new(&s);
    up(&r, &s, some_pack(), FAKE_THREAD,
       (struct engine_options){ .memory = 8 << 20, .max_request = 131072 });
    r.source.fail_every = 7;
    CU_ASSERT_EQUAL_FATAL(loader_new(&(struct loader_options){ .engine = r.engine,
                                         .package = r.pack.package, .cache = s.cache }, &l, &e), 0);
    CU_ASSERT_EQUAL(loader_set_goal(l, LOADER_ALL, &e), 0);
    do {
        (void)usleep(1000);
        loader_wake(l);
        loader_get_status(l, &status);
    } while (status.state != LOADER_DONE);
    CU_ASSERT_EQUAL(status.done, 200);
    CU_ASSERT(status.failures > 0);
    loader_free(l);
    down(&r, &s);
    store_remove(&s);
}

static void loader_ends_in_the_middle(void)
{
    struct rig r;
    struct store s;
    struct loader *l;
    struct err e;

    store_new(&s);
    up(&r, &s, some_pack(), FAKE_MANUAL, (struct engine_options){ .memory = 8 << 20 });
    r.source.answer_cancel = true;
    CU_ASSERT_EQUAL_FATAL(loader_new(&(struct loader_options){ .engine = r.engine,
                                         .package = r.pack.package, .cache = s.cache }, &l, &e), 0);
    CU_ASSERT_EQUAL(loader_set_goal(l, LOADER_ALL, &e), 0);
    fake_wait_pending(&r.source, 1);
    CU_ASSERT_EQUAL(loader_set_goal(l, LOADER_NOTHING, &e), 0);
    wait_for(l, LOADER_IDLE);
    CU_ASSERT_EQUAL(loader_set_goal(l, LOADER_ALL, &e), 0);
    loader_free(l); /* with a read that never ends */
    down(&r, &s);
    store_remove(&s);
}

static void loader_refuses_what_cannot_be(void)
{
    static const struct block_run beyond[] = { { 199, 2 } };
    struct rig r;
    struct loader *l;
    struct err e;

    rig_up(&r, some_pack(), FAKE_MANUAL, NULL);
    CU_ASSERT(loader_new(&(struct loader_options){ .engine = r.engine, .package = r.pack.package,
                             .launch_runs = beyond, .launch_run_count = 1 }, &l, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    CU_ASSERT_EQUAL_FATAL(loader_new(&(struct loader_options){ .engine = r.engine,
                                         .package = r.pack.package }, &l, &e), 0);
    CU_ASSERT(loader_set_goal(l, LOADER_ALL, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_UNSUPPORTED);
    loader_free(l);
    rig_down(&r);
}

static void loader_ends_when_memory_is_full(void)
{
    static const struct block_run all[] = { { 0, 2000 } };
    struct rig r;
    struct loader *l;
    struct err e;

    rig_up(&r, pack_new(2000, 16384, CODEC_ZSTD, 0), FAKE_THREAD,
           &(struct engine_options){ .memory = 8 << 20 });
    CU_ASSERT_EQUAL_FATAL(loader_new(&(struct loader_options){ .engine = r.engine,
                                         .package = r.pack.package, .launch_runs = all,
                                         .launch_run_count = 1 }, &l, &e), 0);
    CU_ASSERT_EQUAL(loader_set_goal(l, LOADER_LAUNCH, &e), 0);
    wait_for(l, LOADER_DONE);
    loader_free(l);
    rig_down(&r);
}

UNIT_MAIN("engine-cache", TEST(cached_blocks_are_read_without_the_source),
          TEST(a_read_takes_what_is_cached_and_fetches_the_rest),
          TEST(a_damaged_cached_block_is_fetched_again),
          TEST(a_cut_cached_container_costs_no_reader_anything),
          TEST(wrong_bytes_are_not_stored),
          TEST(background_blocks_go_to_the_disk_and_not_to_memory),
          TEST(background_blocks_that_somebody_waits_for_are_delivered),
          TEST(nothing_is_fetched_twice), TEST(nothing_is_fetched_twice_in_many_requests),
          TEST(loader_brings_the_launch_set_then_everything),
          TEST(loader_goes_on_after_failures), TEST(loader_ends_in_the_middle),
          TEST(loader_refuses_what_cannot_be), TEST(loader_ends_when_memory_is_full))
