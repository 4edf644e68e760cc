/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes AppxBlockMap.xml (src/appx_blockmap.h reads it), file by file as they are packed, with
 * SHA-256. Pure; single-threaded.
 */
#ifndef SRC_APPX_BLOCKMAP_WRITE_H
#define SRC_APPX_BLOCKMAP_WRITE_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

struct blockmap_writer;

int blockmap_writer_new(struct blockmap_writer **out, struct err *e) must_check;
void blockmap_writer_free(struct blockmap_writer *w); /* NULL is fine */

/* Begins a file: its name with '/' between components, decoded; its size; the length of its local
 * header. ERR_LIMIT when there are more than a reader takes. */
int blockmap_write_file(struct blockmap_writer *w, const char *name, uint64_t size,
                        uint32_t local_size, struct err *e) must_check;

/* The file's next block: SHA-256 of its decoded bytes, and how many it has in the archive, or 0 for a
 * file that is stored as it is. */
void blockmap_write_block(struct blockmap_writer *w, const uint8_t sha256[32],
                          uint32_t stored_size);

/* SHA-256 of what was written so far: of all content. 0, -EIO. */
int blockmap_writer_digest(const struct blockmap_writer *w, uint8_t out[32]) must_check;

/* Hands the document out, for free(). ERR_INVALID when a name holds what XML cannot. */
int blockmap_write_finish(struct blockmap_writer *w, char **out, size_t *len, struct err *e)
    must_check;

#endif
