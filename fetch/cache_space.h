/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much the disk cache may hold: the quota over all versions, and what has to stay free on the
 * file system. Asked before anything is written. Versions are removed to make room, the least
 * recently used one first, never one that somebody uses or that the user has locked.
 *
 * What others write meanwhile is seen when the room is measured again, which happens whenever a
 * share of it is used up or some seconds have gone by: each process may be wrong by one share.
 */
#ifndef FETCH_CACHE_SPACE_H
#define FETCH_CACHE_SPACE_H

#include <stdint.h>

#include "fetch/cache_dir.h"
#include "src/compiler.h"
#include "src/err.h"

struct cache_space;

enum cache_room {
    CACHE_ROOM_YES,
    CACHE_ROOM_QUOTA, /* it would be more than the quota */
    CACHE_ROOM_FLOOR, /* too little would stay free */
};

/* D is borrowed. */
int cache_space_new(struct cache_dir *d, struct cache_space **out, struct err *e) must_check;
void cache_space_free(struct cache_space *s); /* NULL is fine */

/* Takes BYTES of room, making it if need be. Any thread; may block on the disk. */
enum cache_room cache_space_take(struct cache_space *s, uint64_t bytes);

/* The disk was full all the same: removes versions until BYTES more are free. Whether any was. */
bool cache_space_make(struct cache_space *s, uint64_t bytes);

struct cache_usage {
    uint64_t used_bytes;      /* of all versions, on the disk */
    uint64_t free_bytes;      /* of the file system, for ordinary users */
    uint64_t floor_bytes;     /* of these, to stay free */
    uint64_t total_bytes;     /* of the file system */
    uint32_t versions;
    uint64_t evicted_versions, evicted_bytes; /* by this process */
};

int cache_space_measure(struct cache_space *s, struct cache_usage *out, struct err *e) must_check;

/* The two counters of the above. */
void cache_space_evicted(struct cache_space *s, uint64_t *versions, uint64_t *bytes);

/*
 * Removes versions that nobody uses and nobody locked, least recently used first, until all
 * together have at most TARGET bytes. ERR_CORRUPT and the like never; what cannot be removed stays.
 */
int cache_space_shrink(struct cache_space *s, uint64_t target, struct err *e) must_check;

#endif
