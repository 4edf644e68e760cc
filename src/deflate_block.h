/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deflates the blocks of a ZIP entry so that each can be inflated on its own, as block maps want it: a
 * block begins without history and ends on a byte (zlib's Z_FULL_FLUSH). The blocks one behind another
 * and deflate_end_mark[] are a deflate stream, whoever made them; so several threads can, each with a
 * deflater of its own.
 */
#ifndef SRC_DEFLATE_BLOCK_H
#define SRC_DEFLATE_BLOCK_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

enum { DEFLATE_LEVEL_MIN = 1, DEFLATE_LEVEL_MAX = 9, DEFLATE_LEVEL_NORMAL = 6 };

/* An empty last block. */
extern const uint8_t deflate_end_mark[2];

struct deflater;

int deflater_new(int level, struct deflater **out, struct err *e) must_check;
void deflater_free(struct deflater *d); /* NULL is fine */

/* The most that LEN bytes become. */
size_t deflate_block_max(size_t len);

/* Deflates LEN bytes, at least one, into OUT, which has room for the most. Returns how many bytes
 * that are; the same for the same bytes and level. */
size_t deflate_block(struct deflater *d, const void *data, size_t len, void *out);

/* Checksum of two runs of bytes together: FIRST's, then SECOND's, which are SECOND_LEN long. */
uint32_t deflate_crc32_join(uint32_t first, uint32_t second, uint64_t second_len);

#endif
