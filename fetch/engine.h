/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The block engine: decoded blocks in memory, one in-flight record for each block being fetched,
 * a scheduler that merges requests, and a pool of decoders (design: a read, from the kernel to the
 * server and back).
 *
 * Hit path: engine_pin() takes no lock and allocates nothing. A miss parks the request on the
 * in-flight records of its blocks; whichever thread completes the last one calls DONE.
 *
 * With a disk cache, blocks that are there are read and decoded like those of a local file, by the
 * thread that wants them; the others are stored there once they have been verified.
 *
 * Memory: frames of decoded blocks, stored bytes in flight, decoders' own memory and reply buffers
 * all come out of one budget (engine_options.memory; the tables, four bytes a block, come on top);
 * a request that does not fit waits its turn, first come first served, and one request always
 * fits. A pin is short: it is held while bytes are copied out, never across a wait.
 */
#ifndef FETCH_ENGINE_H
#define FETCH_ENGINE_H

#include <stdint.h>

#include "fetch/source.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

struct cache; /* fetch/cache.h */
struct engine;

struct engine_options {
    uint64_t memory;          /* bytes, ceiling for everything; 0 = 48 MiB; at least 8 MiB */
    unsigned decoders;        /* pool threads; 0 = number of processors, at most 8 */
    uint32_t max_request;     /* stored bytes one source read may span; 0 = 2 MiB, the most */
    uint32_t merge_gap;       /* unwanted stored bytes worth reading between two; 0 = 16 KiB */
    unsigned max_reads;       /* source reads under way at once; 0 = 8 */
    unsigned max_low_reads;   /* of these, ahead of readers in order, and again as many otherwise not
                                 for demand; 0 = 2 */
    uint32_t readahead;       /* decoded bytes to fetch ahead of a reader in order at the most; 0 =
                                 none; of no use with an immediate source */
    struct cache *cache;      /* of the package, or NULL; borrowed. Not for an immediate source */
};

/* No source read has blocks that begin in different slices of this size of the container. All blocks
 * of a slice, the last one reaching beyond it, fit into one read of 2 MiB. */
#define ENGINE_SLICE (2u * 1024u * 1024u - STORED_LEN_MAX)

struct engine_stats {
    uint64_t hits, misses;       /* blocks asked for */
    uint64_t joined;             /* misses that found the block in flight */
    uint64_t decoded_blocks, decoded_bytes;
    uint64_t evicted;
    uint64_t errors, cancelled;
    uint64_t bad_blocks;         /* came from the source with a wrong hash */
    uint64_t ahead_errors;       /* blocks fetched ahead that failed, with nobody waiting */
    uint64_t disk_blocks;        /* read from the disk cache */
    uint64_t disk_bad_blocks;    /* found damaged there, and dropped */
    uint64_t stored_ahead;       /* blocks fetched ahead that went to the disk cache only */
    uint64_t inflight_blocks, waiting_requests; /* now; both return to 0 */
    uint64_t ahead_blocks;       /* of the former, those that nobody waits for */
    uint64_t memory, memory_peak;               /* bytes taken from the budget */
    uint64_t cached_bytes;                      /* of these, frames that hold decoded blocks */
    uint64_t buffer_bytes;                      /* replies and stored data in use; returns to 0 */
};

/* PACKAGE and SOURCE are borrowed and must outlive the engine. Starts no thread: the decoders start
 * when they are first needed. */
int engine_new(const struct package *package, struct source *source,
               const struct engine_options *o, struct engine **out, struct err *e) must_check;

/* Completes every request (ERR_CANCELLED), joins the threads, frees. No other call may be under way
 * or follow. Blocks until the source has given back its reads. NULL is fine. */
void engine_free(struct engine *en);

/* A block held in memory: DATA (LEN bytes) stays until engine_unpin(). */
struct engine_pin {
    const uint8_t *data;
    uint32_t len;
    uint32_t frame;
};

/* True and a pin if the block is in memory. Lock-free, but for the first use of a block that was
 * fetched ahead, which may fetch more ahead. Counts a hit; a miss is not counted. */
bool engine_pin(struct engine *en, uint32_t block, struct engine_pin *pin);
void engine_unpin(struct engine *en, struct engine_pin *pin);

struct engine_read;
/*
 * BUF holds the bytes when status is 0 (else it is NULL). It belongs to the engine and is valid
 * during the call. Called without any lock; may call engine_pin() and engine_prefetch(), but not
 * engine_read() or engine_free().
 */
typedef void (*engine_done_fn)(void *arg, int status, const uint8_t *buf, size_t len,
                               const struct err *e);

/*
 * Reads the COUNT pieces (copied; at most ENGINE_PIECES_MAX, together at most ENGINE_READ_MAX
 * bytes) and calls DONE exactly once with their bytes in a row: from this thread before returning
 * when everything is at hand, else from the thread that completes the last block. For an immediate
 * source that is this thread too, unless another one is already at work on a block of the same
 * read.
 *
 * With HANDLE, *handle is set before DONE can be called and carries a reference, which the caller
 * gives back with engine_read_release(), before or after DONE; NULL there says that DONE has been
 * called already and nothing is to be released. With HANDLE NULL the read cannot be cancelled.
 */
#define ENGINE_READ_MAX   (2u * 1024u * 1024u)
#define ENGINE_PIECES_MAX 4096u
void engine_read(struct engine *en, const struct piece *pieces, size_t count, engine_done_fn done,
                 void *arg, struct engine_read **handle);

/*
 * Ends a read early with ERR_CANCELLED. DONE is still called exactly once: from within this call,
 * or, when the read is just being completed, by the thread that does so, with either result. Blocks
 * that nobody else waits for are not fetched any more. Safe from any thread at any time while the
 * caller holds its reference; does nothing after DONE, or for NULL.
 */
void engine_cancel(struct engine *en, struct engine_read *handle);

/* Gives back the reference engine_read() put into *handle. Does not cancel. NULL is fine. */
void engine_read_release(struct engine *en, struct engine_read *handle);

/* Whether no read ever waits for a network (source_is_immediate()). */
bool engine_is_immediate(const struct engine *en);

/* Whether BLOCK, if it is not in memory, can be read without the network: from a local file, or from
 * the disk cache. */
bool engine_is_local(const struct engine *en, uint32_t block);

enum engine_priority { ENGINE_DEMAND, ENGINE_READAHEAD, ENGINE_LAUNCH, ENGINE_BACKGROUND };

/*
 * Asks for blocks [first, first + count) ahead of need; a hint. Returns how many of them, from FIRST
 * on, need not be asked for again now: the others are too many at present. Never blocks.
 *
 * Without a disk cache they go to memory: once that is full, at most a quarter of it goes to blocks
 * fetched ahead and not used so far (for ENGINE_READAHEAD: to those still in flight). With one, what
 * memory has no room for, and all of ENGINE_BACKGROUND, goes to the disk only; what is there already
 * is left there. Nothing takes a hint back but the blocks' eviction.
 */
uint32_t engine_prefetch(struct engine *en, uint32_t first, uint32_t count,
                         enum engine_priority prio);

/* Blocking read for tools: bytes [off, off + len) of FILE into BUF. Returns the number of bytes
 * (short only at the end of the file) or a negative errno. */
long engine_read_file(struct engine *en, uint32_t file, uint64_t off, void *buf, size_t len,
                      struct err *e) must_check;

void engine_get_stats(struct engine *en, struct engine_stats *out);

#endif
