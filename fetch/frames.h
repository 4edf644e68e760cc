/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames: the decoded blocks that are in memory, a fixed number of block-sized places in one
 * mapping that is touched as it fills.
 *
 * Looking up and pinning a block takes no lock: map[block] names the frame, the frame's pin count
 * is raised unless the frame is being emptied, and then its block number must still be the one
 * that was wanted. Emptying (CLOCK, second chance) takes a short mutex and only unpinned frames. A
 * frame that has been claimed belongs to its claimer alone until it is published or abandoned.
 *
 * For one block there is at most one claimer at a time (fetch/inflight.h sees to it).
 */
#ifndef FETCH_FRAMES_H
#define FETCH_FRAMES_H

#include <stdint.h>

#include "fetch/budget.h"
#include "src/compiler.h"

struct frames;

/* COUNT frames of BLOCK_SIZE bytes for blocks 0 .. BLOCK_COUNT - 1. Frames count against BUDGET
 * from their first use on. BUDGET must outlive the frames. 0 or -ENOMEM. */
int frames_new(uint32_t block_count, uint32_t block_size, uint32_t count, struct budget *budget,
               struct frames **out) must_check;

/* Nothing may be pinned or claimed. NULL is fine. */
void frames_free(struct frames *f);

enum frames_hit {
    FRAMES_MISS = 0,
    FRAMES_HIT,
    FRAMES_FIRST_HIT, /* of a block that was marked ahead: what was fetched ahead comes into use */
};

/* A pin on *frame unless the result is FRAMES_MISS. Lock-free. Counts a hit. */
enum frames_hit frames_pin(struct frames *f, uint32_t block, uint32_t *frame);
void frames_unpin(struct frames *f, uint32_t frame);

/* Whether BLOCK is in memory, or was a moment ago. Lock-free; no hit is counted. */
bool frames_has(const struct frames *f, uint32_t block);

/* The bytes of a frame that is pinned or claimed by the caller. */
uint8_t *frames_data(const struct frames *f, uint32_t frame);

/* Takes an empty frame, throwing out an unpinned block if need be. False when all are in use. */
bool frames_claim(struct frames *f, uint32_t *frame);

/* Makes a claimed and filled frame the home of BLOCK; the caller keeps a pin. */
void frames_publish(struct frames *f, uint32_t frame, uint32_t block);

/* Says of a pinned frame that nobody has asked for its block yet; the first pin ends that. */
void frames_mark_ahead(struct frames *f, uint32_t frame);

/* Gives back a claimed frame that was not filled after all. */
void frames_abandon(struct frames *f, uint32_t frame);

uint32_t frames_count(const struct frames *f);

/* Frames that hold nothing. */
uint32_t frames_vacant(struct frames *f);

/* Frames marked ahead that nobody has pinned since. */
uint32_t frames_ahead(const struct frames *f);

struct frames_stats {
    uint64_t hits, evicted;
    uint32_t cached; /* frames holding a block now */
};

void frames_get_stats(struct frames *f, struct frames_stats *out);

#endif
