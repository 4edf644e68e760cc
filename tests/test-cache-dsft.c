/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Differential packages into the disk cache: with the old version there, the new one is whole. */
#include "config.h"

#include "fetch/cache_dsft.h"

#include "tests/bad-dsft.h"
#include "tests/cache_fixture.h"

/* The second version has one more file, in the blocks behind those of the first one. */
static const struct make_entry entries[] = {
    { .path = "a", .len = 20000 },
    { .path = "b", .len = 5000 },
    { .path = "c", .len = 40000 },
    { .path = "d", .len = 30000 },
};

struct fixture {
    struct version old, new;
    struct made_sft dsft;
    char path[80];
    struct cache_dir *d;
};

static struct version version_of(uint32_t number, size_t files, uint32_t kept)
{
    const struct make_options o = { .version_number = number, .kept_blocks = kept };
    struct version v = { .blocks = 0 };

    CU_ASSERT_EQUAL_FATAL(make_sft(entries, files, &o, &v.made, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(container_read_memory(v.made.data, v.made.len, &v.package, NULL), 0);
    v.blocks = package_info(v.package)->block_count;
    struct cache_index_header h = cache_index_header_of(v.package);
    cache_name_of(&h, v.name);
    return v;
}

static void write_dsft(const struct fixture *f)
{
    FILE *out = fopen(f->path, "wb");

    CU_ASSERT_FATAL(out && fwrite(f->dsft.data, 1, f->dsft.len, out) == f->dsft.len &&
                    !fclose(out));
}

static struct fixture begin(void)
{
    struct fixture f;

    make_dir();
    f.old = version_of(1, 3, 0);
    f.new = version_of(2, 4, f.old.blocks);
    CU_ASSERT_FATAL(f.new.blocks > f.old.blocks);
    CU_ASSERT_FATAL(make_dsft(&f.new.made, 0, &f.dsft));
    (void)snprintf(f.path, sizeof f.path, "%s.dsft", cache_path);
    write_dsft(&f);
    f.d = open_dir();
    return f;
}

static void end(struct fixture *f)
{
    cache_dir_close(f->d);
    free_version(&f->old);
    free_version(&f->new);
    free(f->dsft.data);
    (void)unlink(f->path);
    remove_dir();
}

static void import_with_the_old_version_gives_the_whole_new_one(void)
{
    struct fixture f = begin();
    struct cache_dsft_result r;
    struct err e = { .text = "" };

    put_version(f.d, &f.old);
    CU_ASSERT_EQUAL(cache_dsft_import(f.d, f.path, NULL, NULL, NULL, &r, &e), 0);
    CU_ASSERT_STRING_EQUAL(e.text, "");
    CU_ASSERT_EQUAL(r.kept_blocks, f.old.blocks);
    CU_ASSERT_EQUAL(r.new_blocks, f.new.blocks - f.old.blocks);
    CU_ASSERT_EQUAL(r.missing_blocks, 0);
    CU_ASSERT_EQUAL(r.header.target_number, 2);
    struct cache *c = open_cache(f.d, &f.new);
    CU_ASSERT(cache_is_complete(c));
    cache_close(c);
    FILE *in = fopen(path_in(&f.new, CACHE_CONTAINER_NAME), "rb");
    auto_free uint8_t *have = malloc(f.new.made.len + 1);
    CU_ASSERT_FATAL(in && have);
    CU_ASSERT_EQUAL(fread(have, 1, f.new.made.len + 1, in), f.new.made.len);
    CU_ASSERT(!memcmp(have, f.new.made.data, f.new.made.len));
    (void)fclose(in);
    end(&f);
}

static void import_without_the_old_version_keeps_what_there_is(void)
{
    struct fixture f = begin();
    struct cache_dsft_result r;

    CU_ASSERT_EQUAL(cache_dsft_import(f.d, f.path, NULL, NULL, NULL, &r, NULL), 0);
    CU_ASSERT_EQUAL(r.kept_blocks, 0);
    CU_ASSERT_EQUAL(r.missing_blocks, f.old.blocks);
    struct cache *c = open_cache(f.d, &f.new);
    CU_ASSERT(cache_has_metadata(c));
    CU_ASSERT_FALSE(cache_is_complete(c));
    for (uint32_t i = 0; i < f.new.blocks; i++)
        CU_ASSERT_EQUAL(read_one(c, &f.new, i), i < f.old.blocks ? -1 : 1);
    cache_close(c);
    put_version(f.d, &f.old); /* later, and once more: what is there is not taken again */
    CU_ASSERT_EQUAL(cache_dsft_import(f.d, f.path, NULL, NULL, NULL, &r, NULL), 0);
    CU_ASSERT_EQUAL(r.kept_blocks, f.old.blocks);
    CU_ASSERT_EQUAL(r.new_blocks, f.new.blocks - f.old.blocks);
    c = open_cache(f.d, &f.new);
    CU_ASSERT(cache_is_complete(c));
    cache_close(c);
    end(&f);
}

static void import_does_not_take_bad_blocks_of_the_old_version(void)
{
    struct fixture f = begin();
    struct cache_dsft_result r;

    put_version(f.d, &f.old);
    damage(&f.old, CACHE_CONTAINER_NAME, (off_t)package_block(f.old.package, 2)->offset + 5, 3);
    CU_ASSERT_EQUAL(cache_dsft_import(f.d, f.path, NULL, NULL, NULL, &r, NULL), 0);
    CU_ASSERT_EQUAL(r.kept_blocks, f.old.blocks - 1);
    CU_ASSERT_EQUAL(r.missing_blocks, 1);
    struct cache *c = open_cache(f.d, &f.new);
    CU_ASSERT_FALSE(cache_holds(c, 2));
    cache_close(c);
    end(&f);
}

static void import_of_damage_is_refused(void)
{
    struct fixture f = begin();
    struct cache_dsft_result r;
    struct err e = { .kind = ERR_NONE };

    put_version(f.d, &f.old);
    f.dsft.data[f.dsft.len - 1] ^= 1;
    write_dsft(&f);
    CU_ASSERT(cache_dsft_import(f.d, f.path, NULL, NULL, NULL, &r, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_BLOCK_HASH);
    struct cache *c = open_cache(f.d, &f.new);
    CU_ASSERT_FALSE(cache_holds(c, f.new.blocks - 1));
    cache_close(c);
    f.dsft.data[0] ^= 1;
    write_dsft(&f);
    CU_ASSERT(cache_dsft_import(f.d, f.path, NULL, NULL, NULL, &r, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_NOT_A_PACKAGE);
    end(&f);
}

static int stop_at_three(void *arg, uint32_t done, uint32_t total, struct err *e)
{
    uint32_t *seen = arg;

    *seen = total;
    return done < 3 ? 0 : err_set(e, ERR_CANCELLED, "enough");
}

static void import_can_be_stopped(void)
{
    struct fixture f = begin();
    struct cache_dsft_result r;
    struct err e = { .kind = ERR_NONE };
    uint32_t total = 0;

    put_version(f.d, &f.old);
    CU_ASSERT(cache_dsft_import(f.d, f.path, NULL, stop_at_three, &total, &r, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_CANCELLED);
    CU_ASSERT_EQUAL(total, f.new.blocks);
    CU_ASSERT_EQUAL(r.kept_blocks, 3);
    end(&f);
}

static void import_says_when_the_cache_takes_no_more(void)
{
    struct fixture f = begin();
    struct cache_dsft_result r;
    struct err e = { .kind = ERR_NONE };
    const struct cache_options small = { .quota_bytes = 4096, .free_percent = 1 };

    cache_dir_close(f.d);
    f.d = open_dir_with(&small);
    CU_ASSERT(cache_dsft_import(f.d, f.path, NULL, NULL, NULL, &r, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_SYSTEM);
    end(&f);
}

UNIT_MAIN("cache-dsft", TEST(import_with_the_old_version_gives_the_whole_new_one),
          TEST(import_without_the_old_version_keeps_what_there_is),
          TEST(import_does_not_take_bad_blocks_of_the_old_version),
          TEST(import_of_damage_is_refused), TEST(import_can_be_stopped),
          TEST(import_says_when_the_cache_takes_no_more))
