/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The map of a partial file: header and states. See block_map.h. */
#include "config.h"

#include "fs/overlay/block_map.h"

#include <string.h>

#include "src/codec.h"
#include "src/cursor.h"

/* Header, little-endian: 0 magic, 8 version, 12 unit, 16 lower size, 24 lower limit, 32 boot id,
 * 48 content, 64 zeros, 96 SHA-256 of what is before it. */
#define MAP_MAGIC   "SFTFSMAP"
#define MAP_VERSION 1u
#define CHECKSUM_AT 96u

struct block_chunk {
    _Atomic uint8_t state[BLOCK_CHUNK];
};

static bool all_zero(const uint8_t *data, size_t len)
{
    return !len || (!data[0] && !memcmp(data, data + 1, len - 1));
}

static int parse_fields(struct cursor *c, struct block_map_header *out, struct err *e)
{
    uint32_t version = cursor_u32(c), unit = cursor_u32(c);

    if (version != MAP_VERSION)
        return err_at(e, ERR_UNSUPPORTED, "map", 8, "map of format version %u", version);
    if (unit != BLOCK_MAP_UNIT)
        return err_at(e, ERR_UNSUPPORTED, "map", 12, "map in units of %u bytes", unit);
    out->lower_size = cursor_u64(c);
    out->lower_limit = cursor_u64(c);
    if (out->lower_size > BLOCK_MAP_FILE_MAX)
        return err_at(e, ERR_LIMIT, "map", 16, "map of a file of %llu bytes",
                      (unsigned long long)out->lower_size);
    if (out->lower_limit > out->lower_size)
        return err_at(e, ERR_CORRUPT, "map", 24, "limit beyond the end of the package file");
    const uint8_t *boot = cursor_bytes(c, sizeof out->boot_id);
    const uint8_t *content = cursor_bytes(c, sizeof out->content);
    const uint8_t *reserved = cursor_bytes(c, 32);
    if (!boot || !content || !reserved)
        return err_at(e, ERR_TRUNCATED, "map", cursor_offset(c), "map ends in its header");
    if (!all_zero(reserved, 32))
        return err_at(e, ERR_CORRUPT, "map", 64, "reserved bytes are not zero");
    memcpy(out->boot_id, boot, sizeof out->boot_id);
    memcpy(out->content, content, sizeof out->content);
    return 0;
}

int block_map_parse(const uint8_t *data, size_t len, uint64_t file_len,
                    struct block_map_header *out, struct err *e)
{
    struct cursor c = cursor_over(data, len);
    uint8_t sum[32];

    *out = (struct block_map_header){ .blank = false };
    if (len < BLOCK_MAP_HEADER || file_len < BLOCK_MAP_HEADER)
        return err_at(e, ERR_TRUNCATED, "map", file_len, "map ends in its header");
    if (all_zero(data, BLOCK_MAP_HEADER)) {
        out->blank = true;
        return 0;
    }
    if (memcmp(cursor_bytes(&c, 8), MAP_MAGIC, 8) != 0)
        return err_at(e, ERR_CORRUPT, "map", 0, "not a map");
    if (codec_sha256(NULL, data, CHECKSUM_AT, sum))
        return err_set(e, ERR_UNSUPPORTED, "SHA-256 is not available");
    if (memcmp(sum, data + CHECKSUM_AT, sizeof sum) != 0)
        return err_at(e, ERR_CHECKSUM, "map", CHECKSUM_AT, "header does not match its checksum");
    int rc = parse_fields(&c, out, e);
    if (!rc && file_len != block_map_length(out->lower_size))
        rc = err_at(e, file_len < block_map_length(out->lower_size) ? ERR_TRUNCATED : ERR_CORRUPT,
                    "map", file_len, "length does not fit a file of %llu bytes",
                    (unsigned long long)out->lower_size);
    return rc;
}

static void put_le(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

int block_map_format(const struct block_map_header *h, uint8_t out[BLOCK_MAP_HEADER])
{
    memset(out, 0, BLOCK_MAP_HEADER);
    memcpy(out, MAP_MAGIC, 8);
    put_le(out + 8, MAP_VERSION, 4);
    put_le(out + 12, BLOCK_MAP_UNIT, 4);
    put_le(out + 16, h->lower_size, 8);
    put_le(out + 24, h->lower_limit, 8);
    memcpy(out + 32, h->boot_id, sizeof h->boot_id);
    memcpy(out + 48, h->content, sizeof h->content);
    return codec_sha256(NULL, out, CHECKSUM_AT, out + CHECKSUM_AT);
}

/* ---- states ---- */

static uint64_t chunk_count(const struct block_states *s)
{
    return s->units / BLOCK_CHUNK + (s->units % BLOCK_CHUNK != 0);
}

void block_states_init(struct block_states *s, uint64_t units)
{
    s->units = units;
    atomic_init(&s->chunks, NULL);
}

void block_states_free(struct block_states *s)
{
    struct block_chunk *_Atomic *chunks = atomic_load(&s->chunks);

    for (uint64_t i = 0; chunks && i < chunk_count(s); i++)
        free(atomic_load(&chunks[i]));
    free(chunks);
    block_states_init(s, 0);
}

/* The chunk with UNIT, or NULL: all of it is LOWER. */
static struct block_chunk *chunk_of(const struct block_states *s, uint64_t unit)
{
    struct block_chunk *_Atomic *chunks = atomic_load_explicit(&s->chunks, memory_order_acquire);

    if (!chunks || unit >= s->units)
        return NULL;
    return atomic_load_explicit(&chunks[unit / BLOCK_CHUNK], memory_order_acquire);
}

bool block_states_is_reserved(const struct block_states *s, uint64_t unit)
{
    return chunk_of(s, unit) != NULL;
}

enum block_state block_states_get(const struct block_states *s, uint64_t unit)
{
    struct block_chunk *c = chunk_of(s, unit);

    return c ? (enum block_state)atomic_load_explicit(&c->state[unit % BLOCK_CHUNK],
                                                      memory_order_acquire)
             : BLOCK_LOWER;
}

/* Units from UNIT to the end of its chunk, but not beyond END. */
static uint64_t left_in_chunk(uint64_t unit, uint64_t end)
{
    return min_u64(BLOCK_CHUNK - unit % BLOCK_CHUNK, end - unit);
}

uint64_t block_states_run(const struct block_states *s, uint64_t first, uint64_t end, bool *lower)
{
    uint64_t at = first + 1;

    *lower = block_states_get(s, first) == BLOCK_LOWER;
    while (at < end) {
        struct block_chunk *c = chunk_of(s, at);
        uint64_t stop = at + left_in_chunk(at, end);
        if (!c && !*lower)
            return at - first;
        for (; c && at < stop; at++)
            if ((atomic_load_explicit(&c->state[at % BLOCK_CHUNK], memory_order_acquire) ==
                 BLOCK_LOWER) != *lower)
                return at - first;
        at = stop;
    }
    return at - first;
}

uint64_t block_states_find(const struct block_states *s, uint64_t first, uint64_t end,
                           enum block_state state)
{
    for (uint64_t at = first, stop; at < end; at = stop) {
        struct block_chunk *c = chunk_of(s, at);
        stop = at + left_in_chunk(at, end);
        for (; c && at < stop; at++)
            if (atomic_load_explicit(&c->state[at % BLOCK_CHUNK], memory_order_relaxed) == state)
                return at;
    }
    return end;
}

int block_states_reserve(struct block_states *s, uint64_t first, uint64_t count)
{
    struct block_chunk *_Atomic *chunks = atomic_load(&s->chunks);

    if (!chunks) {
        chunks = calloc(chunk_count(s) ? chunk_count(s) : 1, sizeof *chunks);
        if (!chunks)
            return -ENOMEM;
        atomic_store_explicit(&s->chunks, chunks, memory_order_release);
    }
    for (uint64_t at = first; at < first + count; at += left_in_chunk(at, first + count)) {
        if (atomic_load(&chunks[at / BLOCK_CHUNK]))
            continue;
        struct block_chunk *c = calloc(1, sizeof *c);
        if (!c)
            return -ENOMEM;
        atomic_store_explicit(&chunks[at / BLOCK_CHUNK], c, memory_order_release);
    }
    return 0;
}

void block_states_set(struct block_states *s, uint64_t first, uint64_t count,
                      enum block_state state)
{
    for (uint64_t at = first; at < first + count; at++) {
        struct block_chunk *c = chunk_of(s, at);
        if (c)
            atomic_store_explicit(&c->state[at % BLOCK_CHUNK], (uint8_t)state,
                                  memory_order_release);
    }
}

int block_states_load(struct block_states *s, uint64_t first, const uint8_t *data, size_t len,
                      struct err *e)
{
    if (first > s->units || len > s->units - first)
        return err_at(e, ERR_CORRUPT, "map", BLOCK_MAP_HEADER + first, "states beyond the end");
    for (size_t i = 0; i < len; i++) {
        if (data[i] == BLOCK_LOWER)
            continue;
        if (data[i] != BLOCK_WRITTEN && data[i] != BLOCK_UPPER)
            return err_at(e, ERR_CORRUPT, "map", BLOCK_MAP_HEADER + first + i,
                          "%u is no state of a unit", data[i]);
        if (block_states_reserve(s, first + i, 1))
            return err_nomem(e);
        block_states_set(s, first + i, 1, (enum block_state)data[i]);
    }
    return 0;
}
