/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The index of a package version in the disk cache: which blocks are in its container.sft
 * (fetch/cache-format.md). A short header says what version it is; then there is one byte a block,
 * written by itself, so that any number of processes may do so at the same time.
 *
 * What an index says is a hint: a block that it names may be wrong or not there (the bytes are
 * verified by whoever reads them), and one that it does not name is only fetched once more.
 */
#ifndef FETCH_CACHE_INDEX_H
#define FETCH_CACHE_INDEX_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/guid.h"
#include "src/package.h"

#define CACHE_INDEX_HEADER 128u

struct cache_index_header {
    uint8_t root_hash[32];
    struct guid package_guid;
    struct guid version_guid;
    uint32_t version_number;
    uint32_t block_count;
    uint64_t metadata_bytes;  /* at most container_bytes */
    uint64_t container_bytes; /* at most INT64_MAX */
};

/* What the index of P begins with. */
struct cache_index_header cache_index_header_of(const struct package *p);

/* Length of the whole file. */
static inline uint64_t cache_index_length(const struct cache_index_header *h)
{
    return (uint64_t)CACHE_INDEX_HEADER + 1 + h->block_count;
}

/* 0, or -EIO (the checksum could not be computed). */
int cache_index_format(const struct cache_index_header *h, uint8_t out[CACHE_INDEX_HEADER])
    must_check;

/* LEN bytes from the start of a file. ERR_TRUNCATED, ERR_NOT_A_PACKAGE (no index), ERR_CHECKSUM,
 * ERR_UNSUPPORTED (reserved bytes are used), ERR_CORRUPT. */
int cache_index_parse(const void *data, size_t len, struct cache_index_header *out, struct err *e)
    must_check;

/* Reads the header of an open file. */
int cache_index_read_header(int fd, struct cache_index_header *out, struct err *e) must_check;

/* The number of blocks that the file FD with header H names, and whether it has the metadata. */
uint32_t cache_index_count(int fd, const struct cache_index_header *h, bool *metadata);

/*
 * An index in memory. All of it may be called from any thread; no lock is taken. What other
 * processes add is noticed: of a page of the file that is asked for a block it does not name, what
 * the file says is looked up again, not more often than every CACHE_INDEX_AGE_MS.
 */
struct cache_index;

#define CACHE_INDEX_AGE_MS 200u

/*
 * FD (borrowed) holds the index of H or, if WRITABLE, may be empty or damaged: then it is put
 * right. Any number of processes may do that at once; they write the same.
 */
int cache_index_open(int fd, bool writable, const struct cache_index_header *h,
                     struct cache_index **out, struct err *e) must_check;
void cache_index_close(struct cache_index *ix); /* NULL is fine */

bool cache_index_has(struct cache_index *ix, uint32_t block);
/* As far as is known without looking at the file. */
bool cache_index_knows(const struct cache_index *ix, uint32_t block);

/* Says so in the file, too; the bytes of the block have been written. 0 or a negative errno. */
int cache_index_add(struct cache_index *ix, uint32_t block) must_check;

/* True if it was there. Where the file cannot be written, this process at least forgets it. */
bool cache_index_remove(struct cache_index *ix, uint32_t block);

bool cache_index_has_metadata(struct cache_index *ix);
int cache_index_set_metadata(struct cache_index *ix, bool complete) must_check;

/* The same in the file FD, for who has no use for the rest. 0 or a negative errno. */
int cache_index_clear_metadata(int fd) must_check;

#endif
