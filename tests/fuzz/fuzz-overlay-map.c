/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: the map of a partial file. What is accepted must be written back as it was, and
 * memory taken only for states that are there. The checksum is put right too, or little would get
 * past it.
 */
#include "config.h"

#include <string.h>

#include "fs/overlay/block_map.h"
#include "src/codec.h"
#include "tests/fuzz/fuzz.h"

enum { CHECKSUM_AT = 96 };

static void check_states(const struct block_map_header *h, const uint8_t *data, size_t len)
{
    struct block_states s;
    uint64_t units = block_units(h->lower_size), at = 0;
    bool lower;

    block_states_init(&s, units);
    if (block_states_load(&s, 0, data, len, NULL) == 0) {
        FUZZ_CHECK(len <= units);
        while (at < units)
            at += block_states_run(&s, at, units, &lower);
        FUZZ_CHECK(at == units);
        for (size_t i = 0; i < len; i++)
            FUZZ_CHECK(block_states_get(&s, i) == data[i]);
        FUZZ_CHECK(block_states_find(&s, 0, units, BLOCK_SYNCING) == units);
    }
    block_states_free(&s);
}

static void check_map(const uint8_t *data, size_t size)
{
    struct block_map_header h;
    uint8_t again[BLOCK_MAP_HEADER];

    if (block_map_parse(data, size, size, &h, NULL))
        return;
    if (!h.blank) {
        FUZZ_CHECK(h.lower_limit <= h.lower_size && size == block_map_length(h.lower_size));
        FUZZ_CHECK(!block_map_format(&h, again) && !memcmp(again, data, sizeof again));
    }
    check_states(&h, data + BLOCK_MAP_HEADER, size - BLOCK_MAP_HEADER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = calloc(1, size + 1);
    struct block_map_header large = { .lower_size = UINT64_C(1) << 34 };

    FUZZ_CHECK(copy);
    if (size)
        memcpy(copy, data, size);
    check_map(copy, size);
    check_states(&large, copy, size);
    if (size >= BLOCK_MAP_HEADER) {
        FUZZ_CHECK(!codec_sha256(NULL, copy, CHECKSUM_AT, copy + CHECKSUM_AT));
        check_map(copy, size);
    }
    free(copy);
    return 0;
}
