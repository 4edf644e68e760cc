/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is inside a struct partial: for partial.c (opening and looking), partial_change.c (writing)
 * and partial_sync.c (to the disk, finish) only. */
#ifndef FS_OVERLAY_PARTIAL_PRIVATE_H
#define FS_OVERLAY_PARTIAL_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "fs/overlay/block_map.h"
#include "fs/overlay/map_file.h"
#include "fs/overlay/partial.h"

struct partial {
    struct partial_mark mark;     /* path owned; mark.map: lock */
    _Atomic uint64_t limit;       /* lower_limit; changed under lock */
    struct block_states states;   /* changed under lock */
    _Atomic uint64_t upper_units; /* those not LOWER below the limit; changed under lock */
    _Atomic bool touched;         /* contents or size may differ from the package's */
    _Atomic bool dirty;           /* changed since the last sync began */
    _Atomic bool plain;           /* the marker is gone */
    pthread_mutex_t lock;         /* orders writers */
    pthread_mutex_t sync_lock;    /* one sync at a time; taken before lock */
    struct map_file map;          /* lock */
    uint64_t limit_on_disk;       /* lock; the least that is known to be there */
    bool adopted;                 /* lock; the map has this boot's id and the states in memory */
    bool judged;                  /* lock; units WRITTEN before a reboot were among them */
    bool detached;                /* lock; the file has no name, changes stay in memory */
};

static inline uint64_t limit_of(const struct partial *p)
{
    return atomic_load_explicit(&p->limit, memory_order_acquire);
}

/* The bytes of UNIT below LIMIT. */
static inline struct span64 unit_span(uint64_t unit, uint64_t limit)
{
    uint64_t off = unit * PARTIAL_UNIT;

    return (struct span64){ off, off < limit ? min_u64(PARTIAL_UNIT, limit - off) : 0 };
}

/* Whether changes go into a map. Needs lock. */
static inline bool keeps_map(const struct partial *p)
{
    return !p->detached && !atomic_load(&p->plain);
}

/* Units of [first, end) that are not LOWER. */
uint64_t partial_count_upper(const struct partial *p, uint64_t first, uint64_t end);

/* Takes the marker away; the file is plain. Needs lock. */
int partial_unmark(struct partial *p, int fd) must_check;

#endif
