/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/cache_index.c: the header of an index, and its bytes. */
#include "config.h"

#include "fetch/cache_index.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/codec.h"
#include "tests/unit.h"

static const struct cache_index_header example = {
    .root_hash = { 1, 2, 3, [31] = 0xff },
    .package_guid = { { 4, 5, 6 } },
    .version_guid = { { 7, 8, [15] = 9 } },
    .version_number = 0x01020304,
    .block_count = 10000,
    .metadata_bytes = 70000,
    .container_bytes = 0x123456789a,
};

static int open_file(void)
{
    char path[] = "/tmp/sftfs-index-XXXXXX";
    int fd = mkstemp(path);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(unlink(path), 0);
    return fd;
}

static struct cache_index *open_index(int fd)
{
    struct cache_index *ix = NULL;

    CU_ASSERT_EQUAL_FATAL(cache_index_open(fd, true, &example, &ix, NULL), 0);
    return ix;
}

static void index_header_is_read_as_it_was_written(void)
{
    uint8_t bytes[CACHE_INDEX_HEADER];
    struct cache_index_header h;

    CU_ASSERT_EQUAL_FATAL(cache_index_format(&example, bytes), 0);
    CU_ASSERT_EQUAL_FATAL(cache_index_parse(bytes, sizeof bytes, &h, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(h.root_hash, example.root_hash, sizeof h.root_hash), 0);
    CU_ASSERT_TRUE(guid_equal(&h.package_guid, &example.package_guid));
    CU_ASSERT_TRUE(guid_equal(&h.version_guid, &example.version_guid));
    CU_ASSERT_EQUAL(h.version_number, example.version_number);
    CU_ASSERT_EQUAL(h.block_count, example.block_count);
    CU_ASSERT_EQUAL(h.metadata_bytes, example.metadata_bytes);
    CU_ASSERT_EQUAL(h.container_bytes, example.container_bytes);
    CU_ASSERT_EQUAL(cache_index_length(&h), CACHE_INDEX_HEADER + 1 + 10000);
}

static enum err_kind kind_of(const uint8_t *bytes, size_t len)
{
    struct cache_index_header h;
    struct err e = { .kind = ERR_NONE };
    int rc = cache_index_parse(bytes, len, &h, &e);

    CU_ASSERT_EQUAL(rc < 0, e.kind != ERR_NONE);
    return e.kind;
}

static void index_header_that_is_damaged_is_refused(void)
{
    uint8_t bytes[CACHE_INDEX_HEADER];

    CU_ASSERT_EQUAL_FATAL(cache_index_format(&example, bytes), 0);
    for (size_t i = 0; i < sizeof bytes; i++) {
        CU_ASSERT_EQUAL(kind_of(bytes, i), ERR_TRUNCATED);
        bytes[i] ^= 0x10;
        CU_ASSERT_EQUAL(kind_of(bytes, sizeof bytes), i < 16 ? ERR_NOT_A_PACKAGE : ERR_CHECKSUM);
        bytes[i] ^= 0x10;
    }
    CU_ASSERT_EQUAL(kind_of(bytes, sizeof bytes), ERR_NONE);
}

static void index_header_with_impossible_lengths_is_refused(void)
{
    struct cache_index_header h = example;
    uint8_t bytes[CACHE_INDEX_HEADER];

    h.metadata_bytes = h.container_bytes + 1;
    CU_ASSERT_EQUAL_FATAL(cache_index_format(&h, bytes), 0);
    CU_ASSERT_EQUAL(kind_of(bytes, sizeof bytes), ERR_CORRUPT);
    h.container_bytes = (uint64_t)INT64_MAX + 1;
    CU_ASSERT_EQUAL_FATAL(cache_index_format(&h, bytes), 0);
    CU_ASSERT_EQUAL(kind_of(bytes, sizeof bytes), ERR_CORRUPT);
}

static void index_knows_what_was_added(void)
{
    int fd = open_file();
    struct cache_index *ix = open_index(fd);
    struct stat st;
    bool metadata;

    for (uint32_t i = 0; i < example.block_count; i++)
        CU_ASSERT_FALSE(cache_index_has(ix, i));
    CU_ASSERT_EQUAL(cache_index_add(ix, 0), 0);
    CU_ASSERT_EQUAL(cache_index_add(ix, 4096), 0);
    CU_ASSERT_EQUAL(cache_index_add(ix, 9999), 0);
    CU_ASSERT_TRUE(cache_index_add(ix, 10000) < 0);
    CU_ASSERT_FALSE(cache_index_has(ix, 10000));
    CU_ASSERT_FALSE(cache_index_remove(ix, 10000));
    CU_ASSERT_EQUAL(fstat(fd, &st), 0);
    CU_ASSERT_EQUAL((uint64_t)st.st_size, cache_index_length(&example));
    CU_ASSERT_EQUAL(cache_index_count(fd, &example, &metadata), 3);
    CU_ASSERT_FALSE(metadata);
    CU_ASSERT_TRUE(cache_index_remove(ix, 4096));
    CU_ASSERT_FALSE(cache_index_remove(ix, 4096));
    CU_ASSERT_EQUAL(cache_index_set_metadata(ix, true), 0);
    cache_index_close(ix);

    ix = open_index(fd);
    CU_ASSERT_TRUE(cache_index_has(ix, 0) && cache_index_has(ix, 9999));
    CU_ASSERT_FALSE(cache_index_has(ix, 4096));
    CU_ASSERT_TRUE(cache_index_has_metadata(ix));
    CU_ASSERT_EQUAL(cache_index_count(fd, &example, &metadata), 2);
    CU_ASSERT_TRUE(metadata);
    CU_ASSERT_EQUAL(cache_index_clear_metadata(fd), 0);
    cache_index_close(ix);
    ix = open_index(fd);
    CU_ASSERT_FALSE(cache_index_has_metadata(ix));
    cache_index_close(ix);
    (void)close(fd);
}

static void index_puts_a_damaged_file_right(void)
{
    static const uint8_t odd[600] = { [0 ... 599] = 7 };
    int fd = open_file();
    struct cache_index_header h;
    struct cache_index *ix = NULL;
    bool metadata;
    struct err e = { .kind = ERR_NONE };

    CU_ASSERT_EQUAL(pwrite(fd, odd, sizeof odd, 0), sizeof odd);
    CU_ASSERT_TRUE(cache_index_open(fd, false, &example, &ix, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_CORRUPT);
    ix = open_index(fd);
    for (uint32_t i = 0; i < example.block_count; i++)
        CU_ASSERT_FALSE(cache_index_has(ix, i)); /* odd values are no presence */
    cache_index_close(ix);
    CU_ASSERT_EQUAL(cache_index_read_header(fd, &h, NULL), 0);
    CU_ASSERT_EQUAL(ftruncate(fd, 300), 0);
    CU_ASSERT_EQUAL(cache_index_count(fd, &h, &metadata), 0);
    CU_ASSERT_EQUAL(ftruncate(fd, 100), 0);
    CU_ASSERT_TRUE(cache_index_read_header(fd, &h, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_TRUNCATED);
    (void)close(fd);
}

/* Where the file cannot be written, a block that was bad stays forgotten all the same. */
static void index_that_cannot_be_written_forgets_bad_blocks(void)
{
    int fd = open_file();
    struct cache_index *ix = open_index(fd);

    CU_ASSERT_EQUAL(cache_index_add(ix, 3), 0);
    CU_ASSERT_EQUAL(cache_index_add(ix, 4), 0);
    cache_index_close(ix);
    CU_ASSERT_EQUAL_FATAL(cache_index_open(fd, false, &example, &ix, NULL), 0);
    CU_ASSERT_TRUE(cache_index_remove(ix, 3));
    CU_ASSERT_TRUE(cache_index_add(ix, 5) < 0);
    /* The page is looked at again in between; whether it was makes no difference. */
    (void)usleep(2000 * CACHE_INDEX_AGE_MS);
    CU_ASSERT_FALSE(cache_index_has(ix, 5));
    CU_ASSERT_FALSE(cache_index_has(ix, 3));
    CU_ASSERT_TRUE(cache_index_has(ix, 4));
    cache_index_close(ix);
    (void)close(fd);
}

UNIT_MAIN("cache-index",
          TEST(index_header_is_read_as_it_was_written),
          TEST(index_header_that_is_damaged_is_refused),
          TEST(index_header_with_impossible_lengths_is_refused),
          TEST(index_knows_what_was_added),
          TEST(index_puts_a_damaged_file_right),
          TEST(index_that_cannot_be_written_forgets_bad_blocks))
