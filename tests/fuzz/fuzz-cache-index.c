/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: the index of a version in the disk cache, which other users may have written. A header
 * that is accepted must be written back as it was, and what is behind it only ever says "maybe".
 * The checksum is put right too, or little would get past it.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "fetch/cache_index.h"
#include "src/codec.h"
#include "tests/fuzz/fuzz.h"

enum { CHECKSUM_AT = 112, BLOCKS_MAX = 1 << 20 };

static int file_with(const uint8_t *data, size_t size)
{
    static FILE *f;

    if (!f)
        f = tmpfile();
    FUZZ_CHECK(f);
    int fd = fileno(f);
    FUZZ_CHECK(!ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size);
    return fd;
}

/* As an index of the version that it says it is. */
static void use(const struct cache_index_header *h, const uint8_t *data, size_t size)
{
    int fd = file_with(data, size);
    struct cache_index *ix = NULL;
    bool metadata;
    uint32_t present = cache_index_count(fd, h, &metadata), known = 0;

    FUZZ_CHECK(present <= h->block_count && present <= size);
    if (h->block_count > BLOCKS_MAX)
        return;
    FUZZ_CHECK(!cache_index_open(fd, false, h, &ix, NULL));
    FUZZ_CHECK(cache_index_has_metadata(ix) == metadata);
    for (uint32_t i = 0; i < h->block_count; i++)
        known += cache_index_knows(ix, i);
    FUZZ_CHECK(known <= present); /* pages that are cut short are not believed at all */
    FUZZ_CHECK(!cache_index_knows(ix, h->block_count));
    cache_index_close(ix);
}

static void check(const uint8_t *data, size_t size)
{
    struct cache_index_header h;
    uint8_t again[CACHE_INDEX_HEADER];

    if (cache_index_parse(data, size, &h, NULL))
        return;
    FUZZ_CHECK(h.metadata_bytes <= h.container_bytes && h.container_bytes <= INT64_MAX);
    FUZZ_CHECK(!cache_index_format(&h, again) && !memcmp(again, data, sizeof again));
    use(&h, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t hash[32], *copy = calloc(1, size + 1);

    FUZZ_CHECK(copy);
    if (size)
        memcpy(copy, data, size);
    check(copy, size);
    if (size >= CACHE_INDEX_HEADER) {
        FUZZ_CHECK(!codec_sha256(NULL, copy, CHECKSUM_AT, hash));
        memcpy(copy + CHECKSUM_AT, hash, CACHE_INDEX_HEADER - CHECKSUM_AT);
        check(copy, size);
    }
    free(copy);
    return 0;
}
