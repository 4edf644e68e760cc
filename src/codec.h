/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Block codecs. A codec_context holds the (de)compressor state and hash state of one thread, so
 * that decoding a block allocates nothing once the first block of its codec is done (bzip2
 * excepted). State is made when it is first needed: a thread that only decodes never has a
 * compressor.
 */
#ifndef SRC_CODEC_H
#define SRC_CODEC_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

enum codec { /* values are part of the SFT layout */
    CODEC_NONE = 0,
    CODEC_ZLIB = 1,
    CODEC_BZIP2 = 2,
    CODEC_ZSTD = 3,
    CODEC_COUNT
};

struct codec_context;

int codec_context_new(struct codec_context **out) must_check; /* 0 or -ENOMEM */
void codec_context_free(struct codec_context *ctx);           /* NULL is fine */

/* "none", "zlib", "bzip2", "zstd"; NULL for an unknown value. */
const char *codec_name(unsigned codec);

/* 0 and *out, or -EINVAL. */
int codec_parse(const char *name, enum codec *out) must_check;

/* Range and default of the compression level; all 0 for CODEC_NONE. */
void codec_levels(enum codec codec, int *min, int *max, int *normal);

/*
 * Decodes exactly OUT_LEN bytes; input that gives more, fewer or no bytes, or is followed by
 * garbage, is ERR_BLOCK_DECODE. Never writes outside OUT. Zstd: a single frame that names its size
 * and needs no dictionary.
 */
int codec_decode(struct codec_context *ctx, enum codec codec, const uint8_t *in, size_t in_len,
                 uint8_t *out, size_t out_len, struct err *e) must_check;

/*
 * Encodes into OUT (capacity IN_LEN). Returns the stored length, or 0 when the result would not be
 * smaller than the input (store it raw then), or a negative errno. Deterministic for one library
 * version and level.
 */
long codec_encode(struct codec_context *ctx, enum codec codec, int level, const uint8_t *in,
                  size_t in_len, uint8_t *out, struct err *e) must_check;

/* SHA-256 of a buffer; with a context (CTX may be NULL) it does not allocate. 0 or -EIO. */
int codec_sha256(struct codec_context *ctx, const void *data, size_t len, uint8_t out[32])
    must_check;

#endif
