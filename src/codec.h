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

enum codec {
    CODEC_NONE = 0, /* up to CODEC_SFT_LAST: values are part of the SFT layout */
    CODEC_ZLIB = 1,
    CODEC_BZIP2 = 2,
    CODEC_ZSTD = 3,
    CODEC_SFT_LAST = CODEC_ZSTD,
    CODEC_DEFLATE = 4, /* a part of a ZIP entry: begins without history, may lack the end mark */
    CODEC_COUNT
};

enum digest { DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512, DIGEST_COUNT };

#define DIGEST_MAX 64u /* bytes of the longest */

struct codec_context;

int codec_context_new(struct codec_context **out) must_check; /* 0 or -ENOMEM */
void codec_context_free(struct codec_context *ctx);           /* NULL is fine */

/* "none", "zlib", "bzip2", "zstd", "deflate"; NULL for an unknown value. */
const char *codec_name(unsigned codec);

/* One that an SFT can have. 0 and *out, or -EINVAL. */
int codec_parse(const char *name, enum codec *out) must_check;

/* Range and default of the compression level; all 0 where nothing is encoded (none, deflate). */
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

/*
 * A dictionary: bytes that many blocks of a package have in common. With one, small zstd blocks come
 * out smaller, because they can refer to it. Immutable and shared by all threads.
 */
struct codec_dictionary;

#define CODEC_DICTIONARY_MAX (128u * 1024u)

/* DATA (copied) is 8 to CODEC_DICTIONARY_MAX bytes. LEVEL: what codec_encode_with() will use, or 0
 * when the dictionary is for decoding only. ERR_CORRUPT for bytes that are no dictionary. */
int codec_dictionary_new(const void *data, size_t len, int level, struct codec_dictionary **out,
                         struct err *e) must_check;
void codec_dictionary_free(struct codec_dictionary *d); /* NULL is fine */

/*
 * Makes a dictionary of at most MAX bytes from COUNT samples that lie one after another in SAMPLES.
 * Returns its length, or 0 when the samples have too little in common. Deterministic for one
 * library version.
 */
size_t codec_dictionary_train(const void *samples, const size_t *lens, unsigned count,
                              uint8_t *out, size_t max);

/* zstd with a dictionary; else as codec_decode() and codec_encode(). What was encoded without a
 * dictionary decodes with any. */
int codec_decode_with(struct codec_context *ctx, const struct codec_dictionary *d,
                      const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len,
                      struct err *e) must_check;
long codec_encode_with(struct codec_context *ctx, const struct codec_dictionary *d,
                       const uint8_t *in, size_t in_len, uint8_t *out, struct err *e) must_check;

/* A whole deflate stream of any length into exactly OUT_LEN bytes; the end mark may be missing, and what
 * follows it is left alone. CRC: of
 * what it decodes to (as ZIP has it). ERR_CORRUPT. */
int codec_inflate(const void *in, size_t in_len, void *out, size_t out_len, uint32_t crc,
                  struct err *e) must_check;

/* The most that deflate makes of LEN bytes. */
uint64_t codec_inflate_max(uint64_t len);

uint32_t codec_crc32(const void *data, size_t len);

/* Bytes of a digest; its name as OpenSSL and people write it ("SHA256"). */
size_t digest_len(enum digest digest);
const char *digest_name(enum digest digest);

/* Digest of a buffer into OUT (digest_len() bytes); with a context (CTX may be NULL) it does not allocate
 * after the first one of its kind. 0 or -EIO. */
int codec_digest(struct codec_context *ctx, enum digest digest, const void *data, size_t len,
                 uint8_t *out) must_check;

/* Memory of CTX for BLOCK_SIZE_MAX decoded bytes, overwritten by whoever uses it next; NULL without
 * memory. */
uint8_t *codec_spare(struct codec_context *ctx);

/* SHA-256 of a buffer; with a context (CTX may be NULL) it does not allocate. 0 or -EIO. */
int codec_sha256(struct codec_context *ctx, const void *data, size_t len, uint8_t out[32])
    must_check;

#endif
