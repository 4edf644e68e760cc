/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ZIP archives that are written, as src/zip.c reads them; and blocks that inflate on their own. */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include "src/appx_blockmap.h"
#include "src/deflate_block.h"
#include "src/package.h"
#include "src/zip_write.h"
#include "tests/unit.h"
#include "tests/zip_fixture.h"

/* What is written goes to memory; of data that is only claimed nothing is kept. */
struct image {
    struct zip_image z;
    uint64_t skipped;  /* bytes that were appended and are not there */
    size_t skipped_at; /* where in the memory they would be */
    int fail_after;    /* calls, before an error; -1: never */
};

static uint8_t zeros[1 << 16];

static int append(void *arg, const void *data, size_t len, struct err *e)
{
    struct image *i = arg;
    if (i->fail_after == 0)
        return err_set(e, ERR_SYSTEM, "full");
    i->fail_after -= i->fail_after > 0;
    if (data == zeros) {
        i->skipped_at = i->z.len;
        i->skipped += len;
        return 0;
    }
    zip_raw(&i->z, data, len);
    return 0;
}

static int overwrite(void *arg, uint64_t off, const void *data, size_t len, struct err *e)
{
    struct image *i = arg;
    (void)e;
    if (i->skipped && off >= i->skipped_at)
        off -= i->skipped;
    CU_ASSERT_FATAL(off + len <= i->z.len);
    memcpy(i->z.data + off, data, len);
    return 0;
}

static struct zip_writer *writer(struct image *i)
{
    const struct zip_sink sink = { append, overwrite, i };
    struct zip_writer *w = NULL;
    *i = (struct image){ .fail_after = -1 };
    CU_ASSERT_EQUAL_FATAL(zip_writer_new(&sink, &w, NULL), 0);
    return w;
}

static void put_stored(struct zip_writer *w, const char *name, const char *text)
{
    uint32_t header;
    size_t len = strlen(text);
    CU_ASSERT_EQUAL(zip_write_begin(w, name, ZIP_STORED, ZIP_TIME_MIN, len, &header, NULL), 0);
    CU_ASSERT_EQUAL(header, ZIP_LOCAL_MIN + strlen(name));
    CU_ASSERT_EQUAL(zip_write_data(w, text, len, NULL), 0);
    CU_ASSERT_EQUAL(zip_write_end(w, codec_crc32(text, len), NULL), 0);
}

static struct zip_directory read_back(const struct image *i)
{
    struct container_input in = zip_input(&i->z);
    struct zip_directory d = { .entries = NULL };
    struct byte_range want;
    struct err e = { .kind = ERR_NONE };
    CU_ASSERT_EQUAL(zip_need(&in, &want, &e), 0);
    CU_ASSERT_EQUAL(zip_read(&in, &d, &e), 0);
    if (e.kind != ERR_NONE)
        printf("\n    %s", e.text);
    return d;
}

static void entries_are_read_back(void)
{
    struct image i;
    struct zip_writer *w = writer(&i);
    uint32_t data_at;
    put_stored(w, "a.txt", "abc");
    put_stored(w, "dir/%20.txt", "");
    CU_ASSERT_EQUAL(zip_write_finish(w, NULL), 0);
    CU_ASSERT_EQUAL(zip_writer_length(w), i.z.len);
    struct zip_directory d = read_back(&i);
    CU_ASSERT_EQUAL_FATAL(d.count, 2);
    CU_ASSERT_FALSE(d.zip64);
    CU_ASSERT(!memcmp(d.entries[0].name, "a.txt", 5) && d.entries[0].name_len == 5);
    CU_ASSERT_EQUAL(d.entries[0].size, 3);
    CU_ASSERT_EQUAL(d.entries[0].crc, codec_crc32("abc", 3));
    CU_ASSERT_EQUAL(d.entries[0].flags, 0);
    CU_ASSERT_EQUAL(d.entries[1].size, 0);
    for (unsigned k = 0; k < 2; k++) {
        const struct zip_entry *z = &d.entries[k];
        CU_ASSERT_EQUAL(zip_local_header(z, i.z.data + z->local, (size_t)z->room, &data_at, NULL), 0);
        CU_ASSERT_EQUAL(data_at + z->csize, z->room); /* nothing lies between entries */
    }
    /* Sizes and checksum stand in front of the data, too. */
    CU_ASSERT_EQUAL(i.z.data[18], 3);
    CU_ASSERT_EQUAL(i.z.data[22], 3);
    CU_ASSERT_EQUAL(i.z.data[14], codec_crc32("abc", 3) & 255);
    zip_directory_free(&d);
    zip_image_free(&i.z);
    zip_writer_free(w);
}

static void an_archive_may_be_empty(void)
{
    struct image i;
    struct zip_writer *w = writer(&i);
    CU_ASSERT_EQUAL(zip_write_finish(w, NULL), 0);
    CU_ASSERT_EQUAL(i.z.len, 22);
    zip_image_free(&i.z);
    zip_writer_free(w);
}

static void counts_beyond_16_bits_take_the_64_bit_form(void)
{
    static const uint32_t counts[] = { 65534, 65535, 65536, 70001 };
    for (size_t c = 0; c < ARRAY_LEN(counts); c++) {
        struct image i;
        struct zip_writer *w = writer(&i);
        char name[16];
        for (uint32_t k = 0; k < counts[c]; k++) {
            (void)snprintf(name, sizeof name, "f%u", k);
            put_stored(w, name, "");
        }
        CU_ASSERT_EQUAL(zip_write_finish(w, NULL), 0);
        struct zip_directory d = read_back(&i);
        CU_ASSERT_EQUAL(d.count, counts[c]);
        CU_ASSERT_EQUAL(d.zip64, counts[c] >= 65535);
        zip_directory_free(&d);
        zip_image_free(&i.z);
        zip_writer_free(w);
    }
}

enum { TAIL = 200000 };

/* The numbers of an entry that begins, or ends, behind 4 GiB, without writing these. */
static void sizes_and_offsets_beyond_32_bits_are_whole(void)
{
    const uint64_t big = UINT64_C(5) << 30;
    struct image i;
    struct zip_writer *w = writer(&i);
    uint32_t header;
    CU_ASSERT_EQUAL(zip_write_begin(w, "big", ZIP_STORED, ZIP_TIME_MIN, big, &header, NULL), 0);
    CU_ASSERT_EQUAL(header, ZIP_LOCAL_MIN + 3 + 20);
    for (uint64_t done = 0; done < big; done += sizeof zeros)
        CU_ASSERT_EQUAL_FATAL(zip_write_data(w, zeros, sizeof zeros, NULL), 0);
    CU_ASSERT_EQUAL(zip_write_end(w, 7, NULL), 0);
    char *text = malloc(TAIL + 1); /* so that the end that a reader wants is all there */
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, 'x', TAIL);
    text[TAIL] = '\0';
    put_stored(w, "after", text);
    free(text);
    CU_ASSERT_EQUAL(zip_write_finish(w, NULL), 0);
    CU_ASSERT_EQUAL(zip_writer_length(w), i.z.len + big);
    /* What a reader has of it: the beginning, and what is behind the data. */
    struct container_input in = {
        .size = i.z.len + big,
        .pieces = { { .data = i.z.data, .len = header },
                    { .offset = header + big, .data = i.z.data + header, .len = i.z.len - header } },
        .count = 2,
    };
    struct zip_directory d = { .entries = NULL };
    struct byte_range want;
    struct err e = { .kind = ERR_NONE };
    CU_ASSERT_EQUAL_FATAL(zip_need(&in, &want, &e), 0);
    CU_ASSERT_EQUAL_FATAL(zip_read(&in, &d, &e), 0);
    CU_ASSERT_TRUE(d.zip64);
    CU_ASSERT_EQUAL_FATAL(d.count, 2);
    CU_ASSERT_EQUAL(d.entries[0].size, big);
    CU_ASSERT_EQUAL(d.entries[0].csize, big);
    CU_ASSERT_EQUAL(d.entries[1].local, header + big);
    CU_ASSERT_EQUAL(d.entries[1].size, TAIL);
    /* The 64-bit field of the local header: size, then stored size. */
    CU_ASSERT_EQUAL(i.z.data[33], 1);
    CU_ASSERT_EQUAL(i.z.data[37 + 4], 1);
    CU_ASSERT_EQUAL(i.z.data[45 + 4], 1);
    CU_ASSERT_EQUAL(i.z.data[18], 255);
    zip_directory_free(&d);
    zip_image_free(&i.z);
    zip_writer_free(w);
}

static void what_cannot_be_written_is_an_error(void)
{
    struct image i;
    struct zip_writer *w = writer(&i);
    uint32_t header;
    char *name = malloc(65537);
    CU_ASSERT_PTR_NOT_NULL_FATAL(name);
    memset(name, 'n', 65536);
    name[65536] = '\0';
    struct err e = { .kind = ERR_NONE };
    CU_ASSERT(zip_write_begin(w, name, ZIP_STORED, 0, 0, &header, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
    zip_writer_free(w);
    for (int n = 0; n < 5; n++) { /* header, name, data, directory, end */
        w = writer(&i);
        i.fail_after = n;
        e = (struct err){ .kind = ERR_NONE };
        int rc = zip_write_begin(w, "a", ZIP_STORED, 0, 1, &header, &e);
        if (!rc)
            rc = zip_write_data(w, "x", 1, &e);
        if (!rc)
            rc = zip_write_end(w, 0, &e);
        if (!rc)
            rc = zip_write_finish(w, &e);
        CU_ASSERT(rc < 0);
        CU_ASSERT_EQUAL(e.kind, ERR_SYSTEM);
        zip_image_free(&i.z);
        zip_writer_free(w);
    }
    free(name);
}

static void times_are_those_that_are_read(void)
{
    static const time_t times[] = { 315532800, 1000000000, 1735732800, 4354819198 };
    for (size_t k = 0; k < ARRAY_LEN(times); k++) {
        struct timespec t = { .tv_sec = times[k] / 2 * 2 };
        CU_ASSERT_EQUAL(zip_time(zip_time_of(times[k])), filetime_from_timespec(t));
    }
    CU_ASSERT_EQUAL(zip_time_of(0), ZIP_TIME_MIN);
    CU_ASSERT_EQUAL(zip_time_of(-1000000), ZIP_TIME_MIN);
    CU_ASSERT_EQUAL(zip_time_of((time_t)1 << 40), zip_time_of(4354819198)); /* the end of 2107 */
}

/* Bytes of every kind, by SEED. */
static void fill(uint8_t *to, size_t len, unsigned kind)
{
    uint32_t x = 2463534242u + kind;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        to[i] = kind == 0 ? 0 : kind == 1 ? (uint8_t)x : (uint8_t)("etaoin shrdlu"[x % 13]);
    }
}

static void each_block_inflates_on_its_own_and_all_together(void)
{
    static const size_t lens[] = { 1, 2, 100, 65535, 65536 };
    struct deflater *d = NULL;
    struct codec_context *ctx = NULL;
    uint8_t *raw = malloc(3 * 65536), *out = malloc(65536);
    uint8_t *packed = malloc(3 * deflate_block_max(65536) + 2);
    CU_ASSERT_FATAL(raw && out && packed && !codec_context_new(&ctx));
    for (int level = DEFLATE_LEVEL_MIN; level <= DEFLATE_LEVEL_MAX; level += 4) {
        CU_ASSERT_EQUAL_FATAL(deflater_new(level, &d, NULL), 0);
        for (size_t k = 0; k < ARRAY_LEN(lens); k++) {
            size_t at = 0, len = lens[k], rest = 2 * 65536 + len;
            uint32_t crc = 0;
            for (unsigned b = 0; b < 3; b++) {
                size_t n = b < 2 ? 65536 : len;
                uint8_t *block = raw + b * 65536;
                fill(block, n, b);
                size_t stored = deflate_block(d, block, n, packed + at);
                CU_ASSERT(stored > 0 && stored <= deflate_block_max(n));
                CU_ASSERT(stored <= BLOCKMAP_STORED_MAX);
                CU_ASSERT_EQUAL(
                    codec_decode(ctx, CODEC_DEFLATE, packed + at, stored, out, n, NULL), 0);
                CU_ASSERT_EQUAL(memcmp(out, block, n), 0);
                crc = deflate_crc32_join(crc, codec_crc32(block, n), n);
                at += stored;
            }
            CU_ASSERT_EQUAL(crc, codec_crc32(raw, rest));
            memcpy(packed + at, deflate_end_mark, sizeof deflate_end_mark);
            uint8_t *whole = malloc(rest);
            CU_ASSERT_PTR_NOT_NULL_FATAL(whole);
            CU_ASSERT_EQUAL(codec_inflate(packed, at + 2, whole, rest, crc, NULL), 0);
            CU_ASSERT_EQUAL(memcmp(whole, raw, rest), 0);
            free(whole);
        }
        deflater_free(d);
    }
    codec_context_free(ctx);
    free(raw);
    free(out);
    free(packed);
}

UNIT_MAIN("zip_write", TEST(entries_are_read_back), TEST(an_archive_may_be_empty),
          TEST(counts_beyond_16_bits_take_the_64_bit_form),
          TEST(sizes_and_offsets_beyond_32_bits_are_whole),
          TEST(what_cannot_be_written_is_an_error), TEST(times_are_those_that_are_read),
          TEST(each_block_inflates_on_its_own_and_all_together))
