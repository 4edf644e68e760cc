/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recognises readers that go through the package's blocks in order and says what to fetch ahead of
 * them: the blocks of one large file, or of many small ones, which lie in the order of their
 * directories. Several readers at once; small jumps forward and back are forgiven. Pure bookkeeping
 * over block numbers; the caller provides the lock.
 *
 * A reader is believed at its second step, and the further ahead the longer it keeps on: the window
 * doubles each time half of it has been used. A reader that jumps away costs one window at most.
 * Readers that have kept on for long have earned that whoever begins elsewhere is believed at the
 * first step: it is likely the same program, which goes through everything directory by directory.
 */
#ifndef FETCH_AHEAD_H
#define FETCH_AHEAD_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/package.h"

#define AHEAD_STREAMS 16u

struct ahead_stream {
    uint64_t used;   /* clock of the last use; 0 = free */
    uint32_t next;   /* one beyond the furthest block used */
    uint32_t end;    /* blocks before this one have been asked for, by the reader or for it */
    uint32_t window; /* blocks; 0 until the reader has made a second step */
};

struct ahead {
    struct ahead_stream streams[AHEAD_STREAMS];
    uint64_t clock;
    unsigned credit; /* first steps that are believed */
    uint32_t window_min, window_max; /* blocks */
};

/* Windows in blocks, 1 <= MIN <= MAX. */
void ahead_init(struct ahead *a, uint32_t window_min, uint32_t window_max);

/* A reader uses blocks [FIRST, FIRST + COUNT), COUNT at least 1. True if the blocks *out (which may
 * reach beyond the last block there is) should be fetched now. */
bool ahead_note(struct ahead *a, uint32_t first, uint32_t count, struct block_run *out);

/* RUN, which ahead_note() returned, was or will be fetched up to block END only, or even up to END:
 * because there was no room for more, or because that makes a better request. */
void ahead_correct(struct ahead *a, const struct block_run *run, uint32_t end);

#endif
