/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the units of a partial file are: the form in which a map file holds it, and the states in
 * memory. No I/O here. format.md describes the map file byte for byte.
 *
 * A map file may have been made by anybody: block_map_parse() trusts nothing in it, and the states
 * take memory only where something is in the upper file, so a file of any size costs nothing until
 * it is written to.
 *
 * Looking at states needs no lock and may run beside a change: a unit goes from LOWER to one of the
 * others once, after its data is in place, and never back. Changes are ordered by the caller.
 */
#ifndef FS_OVERLAY_BLOCK_MAP_H
#define FS_OVERLAY_BLOCK_MAP_H

#include <stdatomic.h>
#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

#define BLOCK_MAP_UNIT     4096u
#define BLOCK_MAP_HEADER   128u                /* bytes before the states */
#define BLOCK_MAP_FILE_MAX (UINT64_C(1) << 44) /* largest file with a map; ext4 ends there too */
#define BLOCK_CHUNK        4096u               /* units whose states are allocated together */

enum block_state {
    BLOCK_LOWER = 0,
    BLOCK_WRITTEN = 1,
    BLOCK_UPPER = 2,
    BLOCK_SYNCING = 3, /* in memory only: WRITTEN, and being brought to the disk right now */
};

struct block_map_header {
    uint64_t lower_size;  /* bytes of the package file; 0 .. BLOCK_MAP_FILE_MAX */
    uint64_t lower_limit; /* at most lower_size */
    uint8_t boot_id[16];  /* of the last writer; all zero: not known */
    uint8_t content[16];  /* fingerprint of the package file */
    bool blank;           /* all zeros were read: a power cut came before it was on the disk */
};

/* Units of a file of SIZE bytes. */
static inline uint64_t block_units(uint64_t size)
{
    return size / BLOCK_MAP_UNIT + (size % BLOCK_MAP_UNIT != 0);
}

/* Length of the map file for a package file of LOWER_SIZE bytes. */
static inline uint64_t block_map_length(uint64_t lower_size)
{
    return BLOCK_MAP_HEADER + block_units(lower_size);
}

/*
 * The first LEN bytes of a map file that has FILE_LEN bytes. Memory is not taken. An all-zero
 * header is blank: not an error, and nothing else is filled in. ERR_TRUNCATED, ERR_CORRUPT,
 * ERR_CHECKSUM, ERR_UNSUPPORTED (version), ERR_LIMIT.
 */
int block_map_parse(const uint8_t *data, size_t len, uint64_t file_len,
                    struct block_map_header *out, struct err *e) must_check;

/* 0 or -EIO when there is no SHA-256. */
int block_map_format(const struct block_map_header *h, uint8_t out[BLOCK_MAP_HEADER]) must_check;

struct block_chunk;
struct block_states {
    uint64_t units;
    struct block_chunk *_Atomic *_Atomic chunks; /* NULL until the first one is needed */
};

void block_states_init(struct block_states *s, uint64_t units);
void block_states_free(struct block_states *s);

enum block_state block_states_get(const struct block_states *s, uint64_t unit);

/* How many units from FIRST on, below END (FIRST < END), are all LOWER or all not; *lower says
 * which. At least 1. */
uint64_t block_states_run(const struct block_states *s, uint64_t first, uint64_t end, bool *lower);

/* The first unit at or after FIRST, below END, that is in STATE (not LOWER), or END. */
uint64_t block_states_find(const struct block_states *s, uint64_t first, uint64_t end,
                           enum block_state state);

/* Makes the memory for the states of COUNT units, so that setting them cannot fail. 0 or -ENOMEM.
 */
int block_states_reserve(struct block_states *s, uint64_t first, uint64_t count) must_check;

/* Whether the chunk of UNIT has memory, which is to say: was reserved. */
bool block_states_is_reserved(const struct block_states *s, uint64_t unit);

/* COUNT units, reserved before, get STATE. */
void block_states_set(struct block_states *s, uint64_t first, uint64_t count,
                      enum block_state state);

/* Takes states as they are in a map file; memory only where one is not LOWER. ERR_CORRUPT for a
 * byte that is no state or units beyond the end, ERR_NO_MEMORY. */
int block_states_load(struct block_states *s, uint64_t first, const uint8_t *data, size_t len,
                      struct err *e) must_check;

#endif
