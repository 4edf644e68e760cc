/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: the block map reader. What it accepts adds up and every file can be found. */
#include "config.h"

#include <string.h>

#include "src/appx_blockmap.h"
#include "src/opc_name.h"
#include "tests/fuzz/fuzz.h"

static void walk(const struct blockmap *map)
{
    uint32_t blocks = 0;

    FUZZ_CHECK(map->hash_len == digest_len(map->digest) && map->hash_len <= DIGEST_MAX);
    for (uint32_t i = 0; i < map->file_count; i++) {
        const struct blockmap_file *f = &map->files[i];
        size_t len = strlen(f->name);
        FUZZ_CHECK(!opc_name_check(f->name, len, NULL) && f->size <= INT64_MAX);
        FUZZ_CHECK(blockmap_find(map, f->name, len) == f && f->first_block == blocks);
        FUZZ_CHECK(f->size <= (uint64_t)f->block_count * BLOCKMAP_BLOCK_SIZE);
        FUZZ_CHECK(f->size + BLOCKMAP_BLOCK_SIZE > (uint64_t)f->block_count * BLOCKMAP_BLOCK_SIZE);
        for (uint32_t k = 0; k < f->block_count; k++) {
            static volatile uint8_t sink;
            FUZZ_CHECK(blockmap_stored_size(map, f, k) <= BLOCKMAP_STORED_MAX);
            sink = blockmap_hash(map, f, k)[map->hash_len - 1]; /* can be read */
            (void)sink;
        }
        blocks += f->block_count;
    }
    FUZZ_CHECK(blocks == map->block_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { .kind = ERR_NONE };
    struct blockmap *map = NULL;
    int rc = blockmap_read(data, size, &map, &e);

    FUZZ_CHECK((rc == 0) == (map != NULL) && (rc == 0) == (e.kind == ERR_NONE));
    if (map)
        walk(map);
    blockmap_free(map);
    return 0;
}
