/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The disk cache: what was fetched of a package stays on the disk, in a sparse copy of its
 * container (fetch/cache-format.md says how). One directory serves any number of processes and
 * users.
 *
 * What is read from it is not verified here: the caller does that with every block, as with one
 * from the server, and calls cache_drop() for a bad one. Nothing here fails a reader: what cannot
 * be stored is left out, what cannot be read is fetched again.
 */
#ifndef FETCH_CACHE_H
#define FETCH_CACHE_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/guid.h"
#include "src/package.h"

struct cache_options {
    const char *dir;       /* NULL = default: $XDG_CACHE_HOME/sftfs, else ~/.cache/sftfs, else
                            * /var/cache/sftfs */
    uint64_t quota_bytes;  /* of all versions together on the disk; 0 = 4 GiB */
    unsigned free_percent; /* of the file system that stays free for others; 0 = 5 */
    unsigned retry_ms;     /* how long writing rests after the disk was full; 0 = 30,000 */
};

#define CACHE_QUOTA_DEFAULT        (UINT64_C(4) << 30)
#define CACHE_FREE_PERCENT_DEFAULT 5u

struct cache_dir;

/* The default place. Caller frees; NULL without memory. */
char *cache_default_path(void);

/* Opens the directory, which is made if missing (a default place with its parents, another one
 * itself only). O may be NULL, and is copied. */
int cache_dir_open(const struct cache_options *o, struct cache_dir **out, struct err *e) must_check;
void cache_dir_close(struct cache_dir *d); /* NULL is fine; its caches are closed before */

/*
 * The sparse copy of the version that LOCATION led to last, if it can be mounted (its metadata is
 * there); else, with PACKAGE_GUID, the newest such version of that package; either may be NULL.
 * Caller frees *container_path. ERR_NOT_FOUND.
 *
 * Where others may write, the file may be changed by them before it is opened: whoever reads a
 * package from it asks cache_is_version() before that is believed. If it cannot be read,
 * cache_lookup_failed() makes the cache forget its metadata, so that it is put there again.
 */
int cache_lookup(struct cache_dir *d, const char *location, const struct guid *package_guid,
                 char **container_path, struct err *e) must_check;
bool cache_is_version(const char *container_path, const struct package *p);
void cache_lookup_failed(struct cache_dir *d, const char *container_path);

/* One package version, in use: nobody removes it until it is closed. */
struct cache;

/*
 * Opens or makes the place of P in the cache; D and P are borrowed. Other versions of the same
 * package that are there are used, too: a block that one of them has is as good as cached. Where
 * P's place can only be read, nothing is stored. ERR_DENIED, ERR_BUSY, ERR_SYSTEM: go on without.
 */
int cache_open(struct cache_dir *d, const struct package *p, struct cache **out, struct err *e)
    must_check;
void cache_close(struct cache *c); /* NULL is fine */

/*
 * The container's bytes before block 0, in one or several pieces in ascending order; what a piece
 * has beyond or again is left out. Once it is complete, the package can be mounted without network.
 * Needs no other call for the same cache to be under way. May fail for want of space.
 */
int cache_put_metadata(struct cache *c, uint64_t offset, const void *bytes, size_t len,
                       struct err *e) must_check;
bool cache_has_metadata(const struct cache *c);

/* The same for containers that do not have it before block 0 (info.metadata_bytes is 0): any pieces of
 * the container, in any order, and then the word that these were all. */
int cache_put_piece(struct cache *c, uint64_t offset, const void *bytes, size_t len, struct err *e)
    must_check;
int cache_end_pieces(struct cache *c, struct err *e) must_check;

/* Bytes of the object that no block has, when all of them are to be there; and the word that they are: then
 * the container file is the object. */
int cache_put_between(struct cache *c, uint64_t offset, const void *bytes, size_t len, struct err *e)
    must_check;
int cache_set_whole(struct cache *c, struct err *e) must_check;
bool cache_is_whole(const struct cache *c);

/* LOCATION (any text, such as a URL) leads to this version from now on. It is not stored itself,
 * only a hash of it. */
int cache_remember(struct cache *c, const char *location, struct err *e) must_check;

/* The name of the package beside the flat bundle that its location leads to: without it, whoever mounts the
 * bundle while its server is away could not know where the rest is. The second one, by a path that
 * cache_lookup() gave: NULL when there is none. Caller frees. */
int cache_note_beside(struct cache *c, const char *name, struct err *e) must_check;
int cache_beside(struct cache_dir *d, const char *container_path, char **out, struct err *e) must_check;

/* Path of container.sft, owned by the cache. */
const char *cache_container_path(const struct cache *c);

/* Whether BLOCK can be read from here. Fast; any thread. */
bool cache_has(struct cache *c, uint32_t block);

/* How many blocks from FIRST on (at most MAX, with at most MAX_BYTES from the first one's start to
 * the last one's end) one cache_read() can bring; 0 when FIRST is not there. Any thread. */
uint32_t cache_run(struct cache *c, uint32_t first, uint32_t max, size_t max_bytes);

/*
 * The stored bytes of COUNT blocks in a row as in the container (from FIRST's offset to the end of
 * the last one) into BUF. On an error the blocks that could not be read are forgotten
 * (ERR_NOT_FOUND when one was not there); they are to be fetched. Any thread; waits for the disk.
 */
int cache_read(struct cache *c, uint32_t first, uint32_t count, uint8_t *buf, struct err *e)
    must_check;

/* Stores the verified bytes of a block if there is room or room can be made. Any thread; may wait
 * for the disk. */
void cache_store(struct cache *c, uint32_t block, const uint8_t *stored);

/* The bytes that cache_read() brought for BLOCK were wrong: forgotten and counted. Any thread. */
void cache_drop(struct cache *c, uint32_t block);

/* Whether container.sft is the whole package. */
bool cache_is_complete(struct cache *c);

/* Whether BLOCK is in this version's own container.sft, not only in that of another version. */
bool cache_holds(struct cache *c, uint32_t block);

struct cache_stats {
    uint32_t blocks;           /* of the package */
    uint32_t present_blocks;   /* in its own container.sft */
    uint64_t present_bytes;    /* stored bytes of these */
    uint32_t borrowed_blocks;  /* not there, but in another version that is cached */
    uint64_t borrowed_bytes;
    bool metadata;
    /* Since it was opened. */
    uint64_t read_blocks, read_bytes;         /* by cache_read() */
    uint64_t donated_blocks, donated_bytes;   /* of these, from other versions */
    uint64_t stored_blocks, stored_bytes;
    uint64_t bad_blocks;                      /* dropped */
    uint64_t read_errors, write_errors;
    uint64_t evicted_versions, evicted_bytes; /* others, to make room; of the whole cache_dir */
    bool writing;                             /* blocks are stored now */
    const char *why_not;                      /* "" when they are: constant text */
};

/* Goes through all blocks (a millisecond for a million). Any thread. */
void cache_get_stats(struct cache *c, struct cache_stats *out);

#endif
