/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory ceiling. A struct budget only counts, for the whole engine; what keeps the sum below
 * the ceiling is that every consumer has a fixed share of it and none lends to another: frames,
 * reply buffers, and data in transit (stored bytes, decoders' own memory). A consumer that waits
 * for its share therefore never waits for one that waits for it.
 *
 * A struct buffers hands out byte buffers of one share. They are mapped, not taken from malloc(),
 * whose arenas would keep what a burst once needed. What is not in use is kept for the next user, as
 * far as the share reaches: touching fresh pages costs as much as copying into them.
 */
#ifndef FETCH_BUDGET_H
#define FETCH_BUDGET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "src/compiler.h"

struct budget {
    _Atomic uint64_t used, peak;
};

void budget_take(struct budget *b, uint64_t bytes);
void budget_give(struct budget *b, uint64_t bytes);

#define BUFFER_SHIFT_MIN 14 /* smallest buffer: 16 KiB */
#define BUFFER_SHIFT_MAX 21 /* largest: 2 MiB */
#define BUFFER_CLASSES   (BUFFER_SHIFT_MAX - BUFFER_SHIFT_MIN + 1)

struct buffers {
    struct budget *budget;
    pthread_mutex_t lock;
    uint64_t ceiling; /* of used and kept together */
    uint64_t used;    /* lock; bytes of buffers that are out */
    uint64_t kept;    /* lock; bytes of spare buffers */
    void *spare[BUFFER_CLASSES]; /* lock; singly linked through their first bytes */
};

/* SHARE bytes in all, buffers kept for reuse included. 0 or a negative errno. */
int buffers_init(struct buffers *p, struct budget *budget, uint64_t share) must_check;

/* All buffers must have come back. */
void buffers_destroy(struct buffers *p);

/* A buffer of at least SIZE bytes, page-aligned, contents undefined. -EAGAIN: the share is used up,
 * try again when a buffer came back. -EFBIG: larger than the share will ever allow. -ENOMEM. */
int buffers_take(struct buffers *p, size_t size, uint8_t **out) must_check;

/* SIZE as it was given to buffers_take(). BUF may be NULL. */
void buffers_give(struct buffers *p, uint8_t *buf, size_t size);

/* The largest request that buffers_take() can satisfy while PARTS such requests are out. */
size_t buffers_largest(const struct buffers *p, unsigned parts);

uint64_t buffers_used(struct buffers *p);

#endif
