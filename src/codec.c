/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Block codecs and SHA-256 over the libraries that have them. See codec.h.
 *
 * A context starts empty but for the hash: each (de)compressor is made when it is first needed, so
 * that a thread that decodes zstd blocks never pays for the megabytes of a compressor.
 */
#include "config.h"

#include "src/codec.h"

#include <limits.h>
#include <string.h>

#include <bzlib.h>
#include <libdeflate.h>
#include <openssl/evp.h>
#include <zdict.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "src/package.h"

struct codec_context {
    ZSTD_DCtx *zstd_in;
    ZSTD_CCtx *zstd_out;
    struct libdeflate_decompressor *zlib_in;
    struct libdeflate_compressor *zlib_out;
    int zlib_level; /* what zlib_out was made for */
    EVP_MD *md[DIGEST_COUNT]; /* the first one always, the others when needed */
    EVP_MD_CTX *digest;
    uint8_t *closed; /* DEFLATE_CLOSED_MAX bytes, when needed */
    uint8_t *spare;  /* BLOCK_SIZE_MAX bytes, when needed */
};

#define DEFLATE_CLOSED_MAX (STORED_LEN_MAX + sizeof deflate_end)

/* An empty last block: what ends a ZIP entry, and can follow any part of one that was flushed. */
static const uint8_t deflate_end[] = { 0x03, 0x00 };

static const struct {
    const char *name;
    size_t len;
} digests[DIGEST_COUNT] = {
    [DIGEST_SHA256] = { "SHA256", 32 },
    [DIGEST_SHA384] = { "SHA384", 48 },
    [DIGEST_SHA512] = { "SHA512", 64 },
};

static const struct {
    const char *name;
    int min, max, normal;
} codecs[CODEC_COUNT] = {
    [CODEC_NONE] = { "none", 0, 0, 0 },
    [CODEC_ZLIB] = { "zlib", 1, 12, 9 },
    [CODEC_BZIP2] = { "bzip2", 1, 9, 9 },
    [CODEC_ZSTD] = { "zstd", 1, 22, 15 },
    [CODEC_DEFLATE] = { "deflate", 0, 0, 0 },
};

struct codec_dictionary {
    ZSTD_DDict *in;
    ZSTD_CDict *out; /* NULL when made for decoding only */
    int level;
};

int codec_context_new(struct codec_context **out)
{
    struct codec_context *ctx = calloc(1, sizeof *ctx);

    if (!ctx)
        return -ENOMEM;
    ctx->md[DIGEST_SHA256] = EVP_MD_fetch(NULL, digests[DIGEST_SHA256].name, NULL);
    ctx->digest = EVP_MD_CTX_new();
    if (!ctx->md[DIGEST_SHA256] || !ctx->digest) {
        codec_context_free(ctx);
        return -ENOMEM;
    }
    *out = ctx;
    return 0;
}

void codec_context_free(struct codec_context *ctx)
{
    if (!ctx)
        return;
    ZSTD_freeDCtx(ctx->zstd_in);
    ZSTD_freeCCtx(ctx->zstd_out);
    libdeflate_free_decompressor(ctx->zlib_in);
    libdeflate_free_compressor(ctx->zlib_out);
    EVP_MD_CTX_free(ctx->digest);
    for (unsigned i = 0; i < DIGEST_COUNT; i++)
        EVP_MD_free(ctx->md[i]);
    free(ctx->closed);
    free(ctx->spare);
    free(ctx);
}

const char *codec_name(unsigned codec)
{
    return codec < CODEC_COUNT ? codecs[codec].name : NULL;
}

int codec_parse(const char *name, enum codec *out)
{
    for (unsigned i = 0; i <= CODEC_SFT_LAST; i++)
        if (!strcmp(name, codecs[i].name)) {
            *out = (enum codec)i;
            return 0;
        }
    return -EINVAL;
}

void codec_levels(enum codec codec, int *min, int *max, int *normal)
{
    unsigned i = (unsigned)codec < CODEC_COUNT ? (unsigned)codec : CODEC_NONE;

    *min = codecs[i].min;
    *max = codecs[i].max;
    *normal = codecs[i].normal;
}

static int decode_none(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len,
                       struct err *e)
{
    if (in_len != out_len)
        return err_set(e, ERR_BLOCK_DECODE, "raw data has %zu bytes instead of %zu", in_len,
                       out_len);
    if (in_len)
        memcpy(out, in, in_len);
    return 0;
}

static int decode_zlib(struct codec_context *ctx, const uint8_t *in, size_t in_len, uint8_t *out,
                       size_t out_len, struct err *e)
{
    size_t used, made;

    if (!ctx->zlib_in)
        ctx->zlib_in = libdeflate_alloc_decompressor();
    if (!ctx->zlib_in)
        return err_nomem(e);
    switch (libdeflate_zlib_decompress_ex(ctx->zlib_in, in, in_len, out, out_len, &used, &made)) {
    case LIBDEFLATE_SUCCESS:
        break;
    case LIBDEFLATE_INSUFFICIENT_SPACE:
        return err_set(e, ERR_BLOCK_DECODE, "zlib data is longer than %zu bytes", out_len);
    default:
        return err_set(e, ERR_BLOCK_DECODE, "invalid zlib data");
    }
    if (made != out_len)
        return err_set(e, ERR_BLOCK_DECODE, "zlib data gives %zu bytes instead of %zu", made,
                       out_len);
    if (used != in_len)
        return err_set(e, ERR_BLOCK_DECODE, "%zu bytes follow the zlib data", in_len - used);
    return 0;
}

/* The library wants a whole stream. */
static int decode_deflate(struct codec_context *ctx, const uint8_t *in, size_t in_len, uint8_t *out,
                          size_t out_len, struct err *e)
{
    size_t used, made;

    if (in_len > STORED_LEN_MAX)
        return err_set(e, ERR_BLOCK_DECODE, "%zu bytes are too many for one block", in_len);
    if (!ctx->zlib_in)
        ctx->zlib_in = libdeflate_alloc_decompressor();
    if (!ctx->closed)
        ctx->closed = malloc(DEFLATE_CLOSED_MAX);
    if (!ctx->zlib_in || !ctx->closed)
        return err_nomem(e);
    memcpy(ctx->closed, in, in_len);
    memcpy(ctx->closed + in_len, deflate_end, sizeof deflate_end);
    switch (libdeflate_deflate_decompress_ex(ctx->zlib_in, ctx->closed, in_len + sizeof deflate_end,
                                             out, out_len, &used, &made)) {
    case LIBDEFLATE_SUCCESS:
        break;
    case LIBDEFLATE_INSUFFICIENT_SPACE:
        return err_set(e, ERR_BLOCK_DECODE, "deflate data is longer than %zu bytes", out_len);
    default:
        return err_set(e, ERR_BLOCK_DECODE, "invalid deflate data");
    }
    if (made != out_len)
        return err_set(e, ERR_BLOCK_DECODE, "deflate data gives %zu bytes instead of %zu", made,
                       out_len);
    /* The end mark of the entry may be counted to its last block, or not. */
    if (used < in_len && in_len - used > sizeof deflate_end)
        return err_set(e, ERR_BLOCK_DECODE, "%zu bytes follow the deflate data", in_len - used);
    return 0;
}

/* The simple libbz2 call cannot tell whether something follows the stream, so this uses the other
 * one, which allocates; bzip2 is here for old packages only. */
static int decode_bzip2(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len,
                        struct err *e)
{
    if (in_len > UINT_MAX || out_len > UINT_MAX)
        return err_set(e, ERR_BLOCK_DECODE, "bzip2 data too large");

    bz_stream s = { 0 };
    if (BZ2_bzDecompressInit(&s, 0, 0) != BZ_OK)
        return err_nomem(e);

    union {
        const uint8_t *in;
        char *next;
    } input = { in }; /* libbz2 does not write to its input, its declaration only lacks the const */
    s.next_in = input.next;
    s.avail_in = (unsigned)in_len;
    s.next_out = (char *)out;
    s.avail_out = (unsigned)out_len;
    int rc = BZ2_bzDecompress(&s);
    size_t left_in = s.avail_in, left_out = s.avail_out;
    (void)BZ2_bzDecompressEnd(&s); /* fails for an invalid stream object only */

    if (rc == BZ_MEM_ERROR)
        return err_nomem(e);
    if (rc == BZ_OK)
        return err_set(e, ERR_BLOCK_DECODE, "bzip2 data is %s", left_out ? "cut off" : "too long");
    if (rc != BZ_STREAM_END)
        return err_set(e, ERR_BLOCK_DECODE, "invalid bzip2 data");
    if (left_out)
        return err_set(e, ERR_BLOCK_DECODE, "bzip2 data gives %zu bytes instead of %zu",
                       out_len - left_out, out_len);
    if (left_in)
        return err_set(e, ERR_BLOCK_DECODE, "%zu bytes follow the bzip2 data", left_in);
    return 0;
}

/*
 * One frame that names its size and no dictionary (the package has one for all its blocks, or none).
 * Decoding at once goes straight to OUT, so
 * a frame that claims a huge window costs nothing.
 */
static int decode_zstd(struct codec_context *ctx, const struct codec_dictionary *d,
                       const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len,
                       struct err *e)
{
    static const uint8_t magic[] = { 0x28, 0xb5, 0x2f, 0xfd }; /* not skippable, not legacy */

    if (in_len < sizeof magic || memcmp(in, magic, sizeof magic))
        return err_set(e, ERR_BLOCK_DECODE, "not a zstd frame");
    unsigned long long size = ZSTD_getFrameContentSize(in, in_len);
    if (size == ZSTD_CONTENTSIZE_ERROR)
        return err_set(e, ERR_BLOCK_DECODE, "invalid zstd frame");
    if (size == ZSTD_CONTENTSIZE_UNKNOWN)
        return err_set(e, ERR_BLOCK_DECODE, "zstd frame without its size");
    if (size != out_len)
        return err_set(e, ERR_BLOCK_DECODE, "zstd frame of %llu bytes instead of %zu", size,
                       out_len);
    if (ZSTD_getDictID_fromFrame(in, in_len))
        return err_set(e, ERR_BLOCK_DECODE, "zstd frame names a dictionary");

    size_t frame = ZSTD_findFrameCompressedSize(in, in_len);
    if (ZSTD_isError(frame))
        return err_set(e, ERR_BLOCK_DECODE, "zstd: %s", ZSTD_getErrorName(frame));
    if (frame != in_len)
        return err_set(e, ERR_BLOCK_DECODE, "%zu bytes follow the zstd frame", in_len - frame);

    if (!ctx->zstd_in)
        ctx->zstd_in = ZSTD_createDCtx();
    if (!ctx->zstd_in)
        return err_nomem(e);
    size_t made =
        d ? ZSTD_decompress_usingDDict(ctx->zstd_in, out, out_len, in, in_len, d->in)
          : ZSTD_decompressDCtx(ctx->zstd_in, out, out_len, in, in_len);
    if (ZSTD_isError(made))
        return err_set(e, ERR_BLOCK_DECODE, "zstd: %s", ZSTD_getErrorName(made));
    if (made != out_len)
        return err_set(e, ERR_BLOCK_DECODE, "zstd data gives %zu bytes instead of %zu", made,
                       out_len);
    return 0;
}

int codec_decode(struct codec_context *ctx, enum codec codec, const uint8_t *in, size_t in_len,
                 uint8_t *out, size_t out_len, struct err *e)
{
    switch (codec) {
    case CODEC_NONE:
        return decode_none(in, in_len, out, out_len, e);
    case CODEC_ZLIB:
        return decode_zlib(ctx, in, in_len, out, out_len, e);
    case CODEC_BZIP2:
        return decode_bzip2(in, in_len, out, out_len, e);
    case CODEC_ZSTD:
        return decode_zstd(ctx, NULL, in, in_len, out, out_len, e);
    case CODEC_DEFLATE:
        return decode_deflate(ctx, in, in_len, out, out_len, e);
    case CODEC_COUNT:
        break;
    }
    return err_set(e, ERR_UNSUPPORTED, "unknown codec %u", (unsigned)codec);
}

static long encode_zlib(struct codec_context *ctx, int level, const uint8_t *in, size_t in_len,
                        uint8_t *out, struct err *e)
{
    if (!ctx->zlib_out || ctx->zlib_level != level) {
        libdeflate_free_compressor(ctx->zlib_out);
        ctx->zlib_out = libdeflate_alloc_compressor(level);
        ctx->zlib_level = level;
    }
    if (!ctx->zlib_out)
        return err_nomem(e);
    return (long)libdeflate_zlib_compress(ctx->zlib_out, in, in_len, out, in_len - 1);
}

static long encode_bzip2(int level, const uint8_t *in, size_t in_len, uint8_t *out, struct err *e)
{
    unsigned len = (unsigned)in_len - 1;
    union {
        const uint8_t *in;
        char *next;
    } input = { in }; /* as in decode_bzip2 */

    switch (
        BZ2_bzBuffToBuffCompress((char *)out, &len, input.next, (unsigned)in_len, level, 0, 0)) {
    case BZ_OK:
        return (long)len;
    case BZ_OUTBUFF_FULL:
        return 0;
    case BZ_MEM_ERROR:
        return err_nomem(e);
    default:
        return err_set(e, ERR_INVALID, "bzip2 cannot encode");
    }
}

static long encode_zstd(struct codec_context *ctx, const struct codec_dictionary *d, int level,
                        const uint8_t *in, size_t in_len, uint8_t *out, struct err *e)
{
    if (!ctx->zstd_out)
        ctx->zstd_out = ZSTD_createCCtx();
    if (!ctx->zstd_out)
        return err_nomem(e);

    /* A block that did not fit leaves its frame unfinished, and then no setting can be changed. */
    if (ZSTD_isError(ZSTD_CCtx_reset(ctx->zstd_out, ZSTD_reset_session_only)))
        return err_set(e, ERR_INVALID, "zstd cannot be reset");

    const struct {
        ZSTD_cParameter name;
        int value;
    } settings[] = {
        { ZSTD_c_compressionLevel, level },
        { ZSTD_c_contentSizeFlag, 1 },
        { ZSTD_c_checksumFlag, 0 }, /* every block has a SHA-256 */
        { ZSTD_c_dictIDFlag, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if (ZSTD_isError(
                ZSTD_CCtx_setParameter(ctx->zstd_out, settings[i].name, settings[i].value)))
            return err_set(e, ERR_INVALID, "zstd refuses level %d", level);

    if (ZSTD_isError(ZSTD_CCtx_refCDict(ctx->zstd_out, d ? d->out : NULL)))
        return err_set(e, ERR_INVALID, "zstd refuses the dictionary");

    size_t len = ZSTD_compress2(ctx->zstd_out, out, in_len - 1, in, in_len);
    if (!ZSTD_isError(len))
        return (long)len;
    return ZSTD_getErrorCode(len) == ZSTD_error_dstSize_tooSmall
               ? 0
               : err_set(e, ERR_INVALID, "zstd: %s", ZSTD_getErrorName(len));
}

long codec_encode(struct codec_context *ctx, enum codec codec, int level, const uint8_t *in,
                  size_t in_len, uint8_t *out, struct err *e)
{
    if ((unsigned)codec >= CODEC_COUNT)
        return err_set(e, ERR_UNSUPPORTED, "unknown codec %u", (unsigned)codec);
    if (level < codecs[codec].min || level > codecs[codec].max)
        return err_set(e, ERR_INVALID, "level of %s is %d to %d, not %d", codecs[codec].name,
                       codecs[codec].min, codecs[codec].max, level);
    if (in_len > INT_MAX)
        return err_set(e, ERR_INVALID, "%zu bytes are too many for one block", in_len);
    if (in_len < 2) /* nothing is smaller than one byte */
        return 0;
    switch (codec) {
    case CODEC_ZLIB:
        return encode_zlib(ctx, level, in, in_len, out, e);
    case CODEC_BZIP2:
        return encode_bzip2(level, in, in_len, out, e);
    case CODEC_ZSTD:
        return encode_zstd(ctx, NULL, level, in, in_len, out, e);
    default:
        return 0;
    }
}

int codec_dictionary_new(const void *data, size_t len, int level, struct codec_dictionary **out,
                         struct err *e)
{
    if (len < 8 || len > CODEC_DICTIONARY_MAX) /* below 8 bytes zstd takes it for none at all */
        return err_set(e, ERR_CORRUPT, "a dictionary of %zu bytes", len);
    struct codec_dictionary *d = calloc(1, sizeof *d);
    if (!d)
        return err_nomem(e);
    d->level = level;
    d->in = ZSTD_createDDict(data, len);
    if (level)
        d->out = ZSTD_createCDict(data, len, level);
    if (!d->in || (level && !d->out)) {
        codec_dictionary_free(d);
        return err_set(e, ERR_CORRUPT, "these %zu bytes are no dictionary", len);
    }
    *out = d;
    return 0;
}

void codec_dictionary_free(struct codec_dictionary *d)
{
    if (!d)
        return;
    ZSTD_freeDDict(d->in);
    ZSTD_freeCDict(d->out);
    free(d);
}

size_t codec_dictionary_train(const void *samples, const size_t *lens, unsigned count,
                              uint8_t *out, size_t max)
{
    size_t len = ZDICT_trainFromBuffer(out, max, samples, lens, count);
    return ZDICT_isError(len) ? 0 : len;
}

int codec_decode_with(struct codec_context *ctx, const struct codec_dictionary *d,
                      const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len,
                      struct err *e)
{
    return decode_zstd(ctx, d, in, in_len, out, out_len, e);
}

long codec_encode_with(struct codec_context *ctx, const struct codec_dictionary *d,
                       const uint8_t *in, size_t in_len, uint8_t *out, struct err *e)
{
    if (!d->out)
        return err_set(e, ERR_INVALID, "the dictionary was made for decoding");
    return in_len < 2 ? 0 : encode_zstd(ctx, d, d->level, in, in_len, out, e);
}

int codec_sha256(struct codec_context *ctx, const void *data, size_t len, uint8_t out[32])
{
    return codec_digest(ctx, DIGEST_SHA256, data, len, out);
}

uint64_t codec_inflate_max(uint64_t len)
{
    enum { RATIO = 1032 }; /* 258 bytes for two bits */
    uint64_t most;

    return mul_overflows(len, (uint64_t)RATIO, &most) ? UINT64_MAX : most;
}

uint32_t codec_crc32(const void *data, size_t len)
{
    return libdeflate_crc32(0, data, len);
}

/* Whether IN, followed by an end mark if it has none of its own, gives OUT_LEN bytes. */
static bool inflate_all(struct libdeflate_decompressor *d, const void *in, size_t in_len, void *out,
                        size_t out_len)
{
    auto_free uint8_t *closed = NULL;
    size_t used, made = 0;

    if (libdeflate_deflate_decompress_ex(d, in, in_len, out, out_len, &used, &made) ==
        LIBDEFLATE_SUCCESS)
        return made == out_len;
    closed = in_len < SIZE_MAX - sizeof deflate_end ? malloc(in_len + sizeof deflate_end) : NULL;
    if (!closed)
        return false;
    memcpy(closed, in, in_len);
    memcpy(closed + in_len, deflate_end, sizeof deflate_end);
    return libdeflate_deflate_decompress_ex(d, closed, in_len + sizeof deflate_end, out, out_len,
                                            &used, &made) == LIBDEFLATE_SUCCESS &&
           made == out_len;
}

int codec_inflate(const void *in, size_t in_len, void *out, size_t out_len, uint32_t crc,
                  struct err *e)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();

    if (!d)
        return err_nomem(e);
    bool good = inflate_all(d, in, in_len, out, out_len);
    libdeflate_free_decompressor(d);
    if (!good)
        return err_set(e, ERR_CORRUPT, "invalid deflate data, or not of %zu bytes", out_len);
    if (codec_crc32(out, out_len) != crc)
        return err_set(e, ERR_CORRUPT, "the checksum (CRC-32) is wrong");
    return 0;
}

size_t digest_len(enum digest digest)
{
    return digests[digest].len;
}

const char *digest_name(enum digest digest)
{
    return digests[digest].name;
}

int codec_digest(struct codec_context *ctx, enum digest digest, const void *data, size_t len,
                 uint8_t *out)
{
    if (!ctx)
        return EVP_Q_digest(NULL, digests[digest].name, NULL, data, len, out, NULL) ? 0 : -EIO;
    if (!ctx->md[digest])
        ctx->md[digest] = EVP_MD_fetch(NULL, digests[digest].name, NULL);
    if (!ctx->md[digest] || !EVP_DigestInit_ex(ctx->digest, ctx->md[digest], NULL) ||
        !EVP_DigestUpdate(ctx->digest, data, len) || !EVP_DigestFinal_ex(ctx->digest, out, NULL))
        return -EIO;
    return 0;
}

uint8_t *codec_spare(struct codec_context *ctx)
{
    if (!ctx->spare)
        ctx->spare = malloc(BLOCK_SIZE_MAX);
    return ctx->spare;
}
