/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A package or differential SFT that is put together of stored blocks, with a progress display, and
 * appears complete or not at all. Use:
 *
 *     struct block_file f = { .interrupt = &interrupt };
 *     block_file_open(&f, path, replace, &e);
 *     f.metadata = …;
 *     block_file_begin(&f, "copied", bytes, mode);
 *     … block_copy() with block_file_write() and &f …
 *     block_file_finish(&f, rc, metadata_len, &e);
 *     block_file_close(&f);
 *
 * Single-threaded.
 */
#ifndef TOOLS_BLOCK_FILE_H
#define TOOLS_BLOCK_FILE_H

#include "tools/interrupt.h"
#include "tools/pack_output.h"
#include "tools/progress.h"

struct block_file {
    struct interrupt *interrupt; /* ends the writing; borrowed */
    uint8_t *metadata;           /* comes in front of the blocks; owned */
    struct pack_output *output;  /* owned */
    struct progress progress;
};

/* As pack_output_new(). */
int block_file_open(struct block_file *f, const char *path, bool replace, struct err *e) must_check;

/* Shows the progress until block_file_finish(); BYTES of blocks will come. */
void block_file_begin(struct block_file *f, const char *verb, uint64_t bytes,
                      enum progress_mode mode);

/* Appends a block to ARG, a struct block_file; for block_copy(). */
int block_file_write(void *arg, const uint8_t *stored, size_t len, struct err *e) must_check;

/* RC is how the writing of the blocks ended. If well, the file appears, with METADATA_LEN bytes of
 * metadata in front; if not, RC is the result, too. */
int block_file_finish(struct block_file *f, int rc, size_t metadata_len, struct err *e) must_check;

/* Without block_file_finish() before, nothing is left on the disk. Also if it was never opened. */
void block_file_close(struct block_file *f);

#endif
