/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Block codecs: exact decoding, refusal of everything inexact, and encoding. */
#include "config.h"

#include "src/codec.h"
#include "src/package.h"

#include <zstd.h>

#include "tests/unit.h"

#define LEN   10000u
#define GUARD 0xa5

static const enum codec compressing[] = { CODEC_ZLIB, CODEC_BZIP2, CODEC_ZSTD };

static struct codec_context *new_context(void)
{
    struct codec_context *ctx = NULL;

    CU_ASSERT_EQUAL_FATAL(codec_context_new(&ctx), 0);
    return ctx;
}

/* Text that compresses, but not to nothing. */
static void fill_text(uint8_t text[LEN])
{
    uint32_t x = 1;

    for (size_t i = 0; i < LEN; i++) {
        x = x * 1664525 + 1013904223;
        text[i] = "etaoin shrdlu...."[x >> 28];
    }
}

static void fill_noise(uint8_t *noise, size_t len)
{
    uint64_t x = 88172645463325252;

    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        noise[i] = (uint8_t)(x >> 32);
    }
}

static size_t encode_text(struct codec_context *ctx, enum codec codec, uint8_t text[LEN],
                          uint8_t stored[LEN])
{
    int min, max, normal;

    codec_levels(codec, &min, &max, &normal);
    fill_text(text);
    long n = codec_encode(ctx, codec, normal, text, LEN, stored, NULL);
    CU_ASSERT_FATAL(n > 0 && n < (long)LEN);
    return (size_t)n;
}

/* Decodes into a buffer of exactly OUT_LEN bytes; gives the error's kind. The input is copied into
 * memory of its own so that the address sanitizer sees a read behind it. */
static enum err_kind decode(struct codec_context *ctx, enum codec codec, const uint8_t *in,
                            size_t in_len, size_t out_len)
{
    uint8_t *copy = malloc(in_len + !in_len), *out = malloc(out_len + 16);
    struct err e = { 0 };

    CU_ASSERT_FATAL(copy && out);
    if (in_len)
        memcpy(copy, in, in_len);
    memset(out, GUARD, out_len + 16);
    int rc = codec_decode(ctx, codec, copy, in_len, out, out_len, &e);
    CU_ASSERT_EQUAL(rc, -err_kind_errno(e.kind));
    for (size_t i = 0; i < 16; i++)
        CU_ASSERT_EQUAL(out[out_len + i], GUARD);
    free(copy);
    free(out);
    return e.kind;
}

static void names_and_values_agree(void)
{
    static const char *const names[] = { "none", "zlib", "bzip2", "zstd" };

    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        enum codec c = CODEC_COUNT;
        CU_ASSERT_STRING_EQUAL(codec_name(i), names[i]);
        CU_ASSERT_EQUAL(codec_parse(names[i], &c), 0);
        CU_ASSERT_EQUAL(c, i);
    }
    enum codec c = CODEC_ZSTD;
    CU_ASSERT_PTR_NULL(codec_name(CODEC_COUNT));
    CU_ASSERT_PTR_NULL(codec_name(UINT32_MAX));
    CU_ASSERT_EQUAL(codec_parse("lzma", &c), -EINVAL);
    CU_ASSERT_EQUAL(codec_parse("", &c), -EINVAL);
    CU_ASSERT_EQUAL(codec_parse("ZSTD", &c), -EINVAL);
    CU_ASSERT_EQUAL(c, CODEC_ZSTD);
}

static void every_level_survives_the_way_there_and_back(void)
{
    struct codec_context *ctx = new_context();
    uint8_t text[LEN], stored[LEN], out[LEN];
    int min, max, normal;

    fill_text(text);
    for (size_t i = 0; i < ARRAY_LEN(compressing); i++) {
        codec_levels(compressing[i], &min, &max, &normal);
        CU_ASSERT(min <= normal && normal <= max);
        for (int level = min; level <= max; level++) {
            long n = codec_encode(ctx, compressing[i], level, text, LEN, stored, NULL);
            CU_ASSERT_FATAL(n > 0 && n < (long)LEN);
            memset(out, 0, sizeof out);
            CU_ASSERT_EQUAL(codec_decode(ctx, compressing[i], stored, (size_t)n, out, LEN, NULL),
                            0);
            CU_ASSERT_EQUAL(memcmp(out, text, LEN), 0);
        }
    }
    codec_context_free(ctx);
}

static void largest_and_smallest_blocks_survive(void)
{
    struct codec_context *ctx = new_context();
    static const size_t lens[] = { 100, 4096, 16384, 32768, 65536 };
    static uint8_t text[65536], stored[65536], out[65536];

    memset(text, 'z', sizeof text);
    for (size_t i = 0; i < ARRAY_LEN(compressing); i++)
        for (size_t k = 0; k < ARRAY_LEN(lens); k++) {
            long n = codec_encode(ctx, compressing[i], 5, text, lens[k], stored, NULL);
            CU_ASSERT_FATAL(n > 0);
            CU_ASSERT_EQUAL(
                codec_decode(ctx, compressing[i], stored, (size_t)n, out, lens[k], NULL), 0);
            CU_ASSERT_EQUAL(memcmp(out, text, lens[k]), 0);
        }
    codec_context_free(ctx);
}

static void encoding_is_deterministic(void)
{
    struct codec_context *one = new_context(), *two = new_context();
    uint8_t text[LEN], a[LEN], b[LEN];

    for (size_t i = 0; i < ARRAY_LEN(compressing); i++) {
        size_t n = encode_text(one, compressing[i], text, a);
        /* another context, with a past of its own */
        CU_ASSERT(codec_encode(two, compressing[i], 1, text + 7, 999, b, NULL) > 0);
        CU_ASSERT_EQUAL(encode_text(two, compressing[i], text, b), n);
        CU_ASSERT_EQUAL(memcmp(a, b, n), 0);
    }
    codec_context_free(one);
    codec_context_free(two);
}

static void noise_is_not_made_larger(void)
{
    struct codec_context *ctx = new_context();
    uint8_t noise[LEN], *out = malloc(LEN); /* exactly as large as the contract says */

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    fill_noise(noise, sizeof noise);
    for (size_t i = 0; i < ARRAY_LEN(compressing); i++) {
        CU_ASSERT_EQUAL(codec_encode(ctx, compressing[i], 5, noise, LEN, out, NULL), 0);
        CU_ASSERT_EQUAL(codec_encode(ctx, compressing[i], 5, noise, 2, out, NULL), 0);
        CU_ASSERT_EQUAL(codec_encode(ctx, compressing[i], 5, noise, 1, out, NULL), 0);
        CU_ASSERT_EQUAL(codec_encode(ctx, compressing[i], 5, noise, 0, out, NULL), 0);
    }
    CU_ASSERT_EQUAL(codec_encode(ctx, CODEC_NONE, 0, noise, LEN, out, NULL), 0);
    free(out);
    codec_context_free(ctx);
}

static void levels_out_of_range_are_refused(void)
{
    struct codec_context *ctx = new_context();
    uint8_t text[LEN], out[LEN];
    int min, max, normal;
    struct err e;

    fill_text(text);
    for (unsigned c = 0; c < CODEC_COUNT; c++) {
        codec_levels((enum codec)c, &min, &max, &normal);
        CU_ASSERT_EQUAL(codec_encode(ctx, (enum codec)c, max + 1, text, LEN, out, &e), -EINVAL);
        CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
        CU_ASSERT_EQUAL(codec_encode(ctx, (enum codec)c, min - 1, text, LEN, out, &e), -EINVAL);
    }
    codec_context_free(ctx);
}

static void unknown_codecs_are_refused(void)
{
    struct codec_context *ctx = new_context();
    uint8_t in[4] = { 0 }, out[4];

    CU_ASSERT_EQUAL(decode(ctx, CODEC_COUNT, in, 4, 4), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(codec_encode(ctx, CODEC_COUNT, 0, in, 4, out, NULL),
                    -err_kind_errno(ERR_UNSUPPORTED));
    codec_context_free(ctx);
}

static void raw_bytes_are_copied_when_the_length_is_right(void)
{
    struct codec_context *ctx = new_context();
    uint8_t out[3] = { 0 };

    CU_ASSERT_EQUAL(codec_decode(ctx, CODEC_NONE, (const uint8_t *)"abc", 3, out, 3, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(out, "abc", 3), 0);
    CU_ASSERT_EQUAL(decode(ctx, CODEC_NONE, (const uint8_t *)"abc", 3, 2), ERR_BLOCK_DECODE);
    CU_ASSERT_EQUAL(decode(ctx, CODEC_NONE, (const uint8_t *)"abc", 3, 4), ERR_BLOCK_DECODE);
    codec_context_free(ctx);
}

static void data_of_another_length_is_refused(void)
{
    struct codec_context *ctx = new_context();
    uint8_t text[LEN], stored[LEN];

    for (size_t i = 0; i < ARRAY_LEN(compressing); i++) {
        enum codec c = compressing[i];
        size_t n = encode_text(ctx, c, text, stored);
        CU_ASSERT_EQUAL(decode(ctx, c, stored, n, LEN), ERR_NONE);
        CU_ASSERT_EQUAL(decode(ctx, c, stored, n, LEN - 1), ERR_BLOCK_DECODE);
        CU_ASSERT_EQUAL(decode(ctx, c, stored, n, LEN + 1), ERR_BLOCK_DECODE);
        CU_ASSERT_EQUAL(decode(ctx, c, stored, n, 1), ERR_BLOCK_DECODE);
        CU_ASSERT_EQUAL(decode(ctx, c, stored, n, 2 * LEN), ERR_BLOCK_DECODE);
    }
    codec_context_free(ctx);
}

static void data_cut_off_anywhere_is_refused(void)
{
    struct codec_context *ctx = new_context();
    uint8_t text[LEN], stored[LEN];

    for (size_t i = 0; i < ARRAY_LEN(compressing); i++) {
        size_t n = encode_text(ctx, compressing[i], text, stored);
        for (size_t cut = 0; cut < n; cut += cut < 64 || cut + 64 > n ? 1 : 61)
            CU_ASSERT_EQUAL(decode(ctx, compressing[i], stored, cut, LEN), ERR_BLOCK_DECODE);
    }
    codec_context_free(ctx);
}

static void garbage_behind_the_data_is_refused(void)
{
    struct codec_context *ctx = new_context();
    uint8_t text[LEN], stored[2 * LEN];

    for (size_t i = 0; i < ARRAY_LEN(compressing); i++) {
        size_t n = encode_text(ctx, compressing[i], text, stored);
        stored[n] = 0;
        CU_ASSERT_EQUAL(decode(ctx, compressing[i], stored, n + 1, LEN), ERR_BLOCK_DECODE);
        memcpy(stored + n, stored, n);
        CU_ASSERT_EQUAL(decode(ctx, compressing[i], stored, 2 * n, LEN), ERR_BLOCK_DECODE);
    }
    codec_context_free(ctx);
}

static void damaged_data_never_does_harm(void)
{
    struct codec_context *ctx = new_context();
    uint8_t text[LEN], stored[LEN], out[LEN];

    /* Whether a flipped bit is noticed is the hash's business; here nothing may be overrun. */
    for (size_t i = 0; i < ARRAY_LEN(compressing); i++) {
        size_t n = encode_text(ctx, compressing[i], text, stored);
        for (size_t at = 0; at < n; at += at < 64 ? 1 : 97) {
            stored[at] ^= (uint8_t)(1u << (at % 8));
            (void)decode(ctx, compressing[i], stored, n, LEN);
            stored[at] ^= (uint8_t)(1u << (at % 8));
        }
        /* and the context still works */
        CU_ASSERT_EQUAL(codec_decode(ctx, compressing[i], stored, n, out, LEN, NULL), 0);
        CU_ASSERT_EQUAL(memcmp(out, text, LEN), 0);
    }
    codec_context_free(ctx);
}

static void nothing_and_noise_are_refused(void)
{
    struct codec_context *ctx = new_context();
    uint8_t noise[1000];

    fill_noise(noise, sizeof noise);
    for (size_t i = 0; i < ARRAY_LEN(compressing); i++) {
        CU_ASSERT_EQUAL(decode(ctx, compressing[i], noise, 0, LEN), ERR_BLOCK_DECODE);
        CU_ASSERT_EQUAL(decode(ctx, compressing[i], noise, sizeof noise, LEN), ERR_BLOCK_DECODE);
    }
    codec_context_free(ctx);
}

/* A zstd frame made with one unusual setting. */
static size_t zstd_frame(ZSTD_cParameter what, int value, const uint8_t text[LEN],
                         uint8_t stored[LEN])
{
    ZSTD_CCtx *c = ZSTD_createCCtx();

    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    CU_ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(c, what, value)));
    size_t n = ZSTD_compress2(c, stored, LEN, text, LEN);
    CU_ASSERT_FATAL(!ZSTD_isError(n));
    ZSTD_freeCCtx(c);
    return n;
}

static void zstd_frame_without_its_size_is_refused(void)
{
    struct codec_context *ctx = new_context();
    uint8_t text[LEN], stored[LEN];

    fill_text(text);
    size_t n = zstd_frame(ZSTD_c_contentSizeFlag, 0, text, stored);
    CU_ASSERT_EQUAL(decode(ctx, CODEC_ZSTD, stored, n, LEN), ERR_BLOCK_DECODE);
    n = zstd_frame(ZSTD_c_contentSizeFlag, 1, text, stored);
    CU_ASSERT_EQUAL(decode(ctx, CODEC_ZSTD, stored, n, LEN), ERR_NONE);
    codec_context_free(ctx);
}

static void zstd_frame_with_a_checksum_is_checked(void)
{
    struct codec_context *ctx = new_context();
    uint8_t text[LEN], stored[LEN];

    fill_text(text);
    size_t n = zstd_frame(ZSTD_c_checksumFlag, 1, text, stored);
    CU_ASSERT_EQUAL(decode(ctx, CODEC_ZSTD, stored, n, LEN), ERR_NONE);
    stored[n - 1] ^= 1;
    CU_ASSERT_EQUAL(decode(ctx, CODEC_ZSTD, stored, n, LEN), ERR_BLOCK_DECODE);
    codec_context_free(ctx);
}

static void zstd_frame_that_needs_a_dictionary_is_refused(void)
{
    struct codec_context *ctx = new_context();
    /* magic; single segment, 1-byte dictionary id, content size 4; id 7; raw last block of 4 */
    uint8_t frame[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 4, 0x21, 0, 0, 'a', 'b', 'c', 'd' };

    CU_ASSERT_EQUAL(decode(ctx, CODEC_ZSTD, frame, sizeof frame, 4), ERR_BLOCK_DECODE);
    memmove(frame + 5, frame + 6, sizeof frame - 6);
    frame[4] = 0x20;
    CU_ASSERT_EQUAL(decode(ctx, CODEC_ZSTD, frame, sizeof frame - 1, 4), ERR_NONE);
    codec_context_free(ctx);
}

static void zstd_skippable_frames_are_refused(void)
{
    struct codec_context *ctx = new_context();
    uint8_t text[LEN], stored[LEN + 12] = { 0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4 };

    size_t n = encode_text(ctx, CODEC_ZSTD, text, stored + 12);
    CU_ASSERT_EQUAL(decode(ctx, CODEC_ZSTD, stored, n + 12, LEN), ERR_BLOCK_DECODE);
    CU_ASSERT_EQUAL(decode(ctx, CODEC_ZSTD, stored, 12, 0), ERR_BLOCK_DECODE);
    CU_ASSERT_EQUAL(decode(ctx, CODEC_ZSTD, stored + 12, n, LEN), ERR_NONE);
    codec_context_free(ctx);
}

static void zlib_data_without_its_wrapper_is_refused(void)
{
    struct codec_context *ctx = new_context();
    uint8_t text[LEN], stored[LEN];

    size_t n = encode_text(ctx, CODEC_ZLIB, text, stored);
    CU_ASSERT_EQUAL(decode(ctx, CODEC_ZLIB, stored + 2, n - 6, LEN), ERR_BLOCK_DECODE);
    stored[n - 1] ^= 1; /* Adler-32 */
    CU_ASSERT_EQUAL(decode(ctx, CODEC_ZLIB, stored, n, LEN), ERR_BLOCK_DECODE);
    codec_context_free(ctx);
}

static void sha256_agrees_with_the_standard(void)
{
    static const uint8_t abc[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                   0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                   0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
    static const uint8_t empty[] = { 0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14,
                                     0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
                                     0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c,
                                     0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55 };
    struct codec_context *ctx = new_context(), *contexts[] = { ctx, ctx, NULL };
    uint8_t out[32];

    for (size_t i = 0; i < ARRAY_LEN(contexts); i++) { /* twice the same: it is reused */
        CU_ASSERT_EQUAL(codec_sha256(contexts[i], "abc", 3, out), 0);
        CU_ASSERT_EQUAL(memcmp(out, abc, 32), 0);
        CU_ASSERT_EQUAL(codec_sha256(contexts[i], "", 0, out), 0);
        CU_ASSERT_EQUAL(memcmp(out, empty, 32), 0);
    }
    codec_context_free(ctx);
}

/* As in a ZIP entry between two flushes: a raw block that is not the last one, and the empty one. */
static size_t flushed_part(const uint8_t *text, uint16_t len, uint8_t *out)
{
    static const uint8_t flush[] = { 0x00, 0x00, 0x00, 0xff, 0xff };

    out[0] = 0;
    out[1] = (uint8_t)len;
    out[2] = (uint8_t)(len >> 8);
    out[3] = (uint8_t)~out[1];
    out[4] = (uint8_t)~out[2];
    memcpy(out + 5, text, len);
    memcpy(out + 5 + len, flush, sizeof flush);
    return 5u + len + sizeof flush;
}

static void deflate_needs_no_end_mark(void)
{
    struct codec_context *ctx = new_context();
    uint8_t text[LEN], stored[LEN + 32], out[LEN];

    fill_text(text);
    size_t len = flushed_part(text, LEN, stored);
    CU_ASSERT_EQUAL(codec_decode(ctx, CODEC_DEFLATE, stored, len, out, LEN, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(out, text, LEN), 0);
    memcpy(stored + len, "\x03\x00", 2); /* the entry's own end */
    CU_ASSERT_EQUAL(codec_decode(ctx, CODEC_DEFLATE, stored, len + 2, out, LEN, NULL), 0);
    memcpy(stored + len + 2, "more", 4);
    CU_ASSERT(codec_decode(ctx, CODEC_DEFLATE, stored, len + 6, out, LEN, NULL) < 0);
    CU_ASSERT(codec_decode(ctx, CODEC_DEFLATE, stored, len, out, LEN - 1, NULL) < 0);
    for (size_t cut = 0; cut + sizeof "....." <= len; cut += 97)
        CU_ASSERT(codec_decode(ctx, CODEC_DEFLATE, stored, cut, out, LEN, NULL) < 0);
    CU_ASSERT(codec_decode(ctx, CODEC_DEFLATE, stored, STORED_LEN_MAX + 1, out, LEN, NULL) < 0);
    codec_context_free(ctx);
}

static void deflate_is_not_for_sft(void)
{
    enum codec codec;

    CU_ASSERT_STRING_EQUAL(codec_name(CODEC_DEFLATE), "deflate");
    CU_ASSERT_EQUAL(codec_parse("deflate", &codec), -EINVAL);
}

static void digests_agree_with_the_standard(void)
{
    static const struct {
        enum digest digest;
        const char *begins; /* of "abc"; FIPS 180-4 */
    } rows[] = {
        { DIGEST_SHA256, "\xba\x78\x16\xbf" },
        { DIGEST_SHA384, "\xcb\x00\x75\x3f" },
        { DIGEST_SHA512, "\xdd\xaf\x35\xa1" },
    };
    struct codec_context *ctx = new_context();
    uint8_t out[DIGEST_MAX];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (unsigned round = 0; round < 2; round++) {
            CU_ASSERT_EQUAL(codec_digest(ctx, rows[i].digest, "abc", 3, out), 0);
            CU_ASSERT_EQUAL(memcmp(out, rows[i].begins, 4), 0);
        }
    CU_ASSERT_EQUAL(digest_len(DIGEST_SHA384), 48);
    codec_context_free(ctx);
}

UNIT_MAIN("codec", TEST(deflate_needs_no_end_mark), TEST(deflate_is_not_for_sft),
          TEST(digests_agree_with_the_standard), TEST(names_and_values_agree), TEST(every_level_survives_the_way_there_and_back),
          TEST(largest_and_smallest_blocks_survive), TEST(encoding_is_deterministic),
          TEST(noise_is_not_made_larger), TEST(levels_out_of_range_are_refused),
          TEST(unknown_codecs_are_refused), TEST(raw_bytes_are_copied_when_the_length_is_right),
          TEST(data_of_another_length_is_refused), TEST(data_cut_off_anywhere_is_refused),
          TEST(garbage_behind_the_data_is_refused), TEST(damaged_data_never_does_harm),
          TEST(nothing_and_noise_are_refused), TEST(zstd_frame_without_its_size_is_refused),
          TEST(zstd_frame_with_a_checksum_is_checked),
          TEST(zstd_frame_that_needs_a_dictionary_is_refused),
          TEST(zstd_skippable_frames_are_refused), TEST(zlib_data_without_its_wrapper_is_refused),
          TEST(sha256_agrees_with_the_standard))
