/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recording of what a start uses: every block of the package that is read, and every file, in the
 * order of first use, into a launch list (src/launch-list.md) that `sft pack` and later mounts
 * take.
 *
 * Readers only test bits; what is new goes into a queue that a thread of the recorder's own writes
 * to the file within a second, and at the end. A file that cannot be written ends the recording
 * with a line in the log, and nothing else.
 */
#ifndef FS_RECORD_H
#define FS_RECORD_H

#include <stdint.h>

#include "fs/read.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

struct recorder;

/*
 * Begins a recording of P (borrowed) in the file at PATH, which is made, or emptied if it is an
 * older recording or empty; anything else there is ERR_INVALID. The first line is in the file when
 * this returns. Starts a thread, so call it after daemonising.
 */
int record_start(const struct package *p, const char *path, struct recorder **out,
                 struct err *e) must_check;

/* Writes what is left, ends the thread, releases. Nobody may record any more. NULL is fine. */
void record_stop(struct recorder *r);

/* See record_use(). */
void record_pieces(struct recorder *r, uint32_t file, const struct read_span *spans,
                   size_t span_count, const struct piece *pieces, size_t piece_count);

/* The bytes in SPANS of package file FILE, which are in PIECES, are wanted. Any thread; never waits
 * for a disk. R may be NULL: nothing is recorded. */
static inline void record_use(struct recorder *r, uint32_t file, const struct read_span *spans,
                              size_t span_count, const struct piece *pieces, size_t piece_count)
{
    if (r)
        record_pieces(r, file, spans, span_count, pieces, piece_count);
}

#endif
