/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/inflater.c: two streams in one container, read in every order. */
#include "config.h"

#include "fetch/inflater.h"

#include "tests/stream_fixture.h"

enum { BEFORE = 100, BETWEEN = 50, MIB = 1024 * 1024 };

static struct {
    uint8_t *container, *plain[2];
    size_t size;
    struct package_stream streams[2];
    uint64_t bytes_read;
    uint64_t fail_at; /* 0 = nowhere */
    struct inflater *d;
} f;

static int input(void *arg, uint64_t offset, uint8_t *buf, size_t len, struct err *e)
{
    (void)arg;
    CU_ASSERT_FATAL(offset <= f.size && len <= f.size - offset);
    if (f.fail_at && offset + len > f.fail_at)
        return err_set(e, ERR_NETWORK, "the server is gone");
    memcpy(buf, f.container + offset, len);
    f.bytes_read += len;
    return 0;
}

static void set_up(void)
{
    size_t len[2];
    uint8_t *stored[2];

    for (uint32_t i = 0; i < 2; i++) {
        f.plain[i] = stream_plain(i + 1);
        stored[i] = stream_deflate(f.plain[i], &len[i]);
    }
    f.size = BEFORE + len[0] + BETWEEN + len[1];
    f.container = calloc(1, f.size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.container);
    memcpy(f.container + BEFORE, stored[0], len[0]);
    memcpy(f.container + BEFORE + len[0] + BETWEEN, stored[1], len[1]);
    f.streams[0] = (struct package_stream){ .begin = PACKAGE_STREAM_BASE, .len = STREAM_LEN,
                                            .offset = BEFORE, .stored_len = len[0] };
    f.streams[1] = (struct package_stream){ .begin = PACKAGE_STREAM_BASE + 2 * PACKAGE_STREAM_GAP,
                                            .len = STREAM_LEN, .offset = BEFORE + len[0] + BETWEEN,
                                            .stored_len = len[1] };
    f.bytes_read = f.fail_at = 0;
    free(stored[0]);
    free(stored[1]);
    CU_ASSERT_EQUAL_FATAL(inflater_new(f.streams, 2, input, NULL, &f.d), 0);
}

static void tear_down(void)
{
    inflater_free(f.d);
    free(f.container);
    free(f.plain[0]);
    free(f.plain[1]);
}

static void check(unsigned stream, uint64_t from, size_t len)
{
    uint8_t *buf = malloc(len + 1);
    struct err e = { .kind = ERR_NONE };

    CU_ASSERT_PTR_NOT_NULL_FATAL(buf);
    buf[len] = 0xa5;
    CU_ASSERT_EQUAL(inflater_read(f.d, f.streams[stream].begin + from, buf, len, &e), 0);
    if (e.kind != ERR_NONE)
        printf("\n    stream %u at %llu: %s", stream, (unsigned long long)from, e.text);
    CU_ASSERT(!memcmp(buf, f.plain[stream] + from, len));
    CU_ASSERT_EQUAL(buf[len], 0xa5);
    free(buf);
}

static void refused(uint64_t at, size_t len, enum err_kind kind)
{
    static uint8_t buf[MIB];
    struct err e = { .kind = ERR_NONE };

    CU_ASSERT(inflater_read(f.d, at, buf, len, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, kind);
}

static void in_order_every_byte_is_read_once(void)
{
    set_up();
    for (uint64_t at = 0; at < STREAM_LEN; at += 65536)
        check(1, at, at + 65536 < STREAM_LEN ? 65536 : STREAM_LEN - at);
    CU_ASSERT(f.bytes_read <= f.streams[1].stored_len);
    tear_down();
}

static void here_and_there_in_both(void)
{
    uint32_t x = 12345;

    set_up();
    for (unsigned i = 0; i < 60; i++) {
        x = x * 1664525u + 1013904223u;
        uint64_t from = (uint64_t)(x >> 4) % STREAM_LEN;
        size_t len = (size_t)(x >> 9) % 70000 + 1;
        check(i & 1, from, from + len > STREAM_LEN ? STREAM_LEN - (size_t)from : len);
    }
    check(0, STREAM_LEN - 1, 1);
    check(0, 0, STREAM_LEN);
    tear_down();
}

/* Points are a MiB apart here, and input is read in pieces of up to 256 KiB. */
static void going_back_costs_a_stretch_only(void)
{
    set_up();
    check(0, STREAM_LEN - 10, 10);
    for (uint64_t at = 4 * (uint64_t)MIB; at > 0; at -= MIB / 2) {
        f.bytes_read = 0;
        check(0, at, 100);
        CU_ASSERT(f.bytes_read <= MIB + 256 * 1024);
    }
    tear_down();
}

/* Streams of a package that has more of them than there are points for. */
static void streams_share_the_points(void)
{
    enum { MANY = 40 };
    struct package_stream many[MANY];

    set_up();
    inflater_free(f.d);
    for (uint64_t i = 0; i < MANY; i++) { /* all of the same bytes */
        many[i] = f.streams[0];
        many[i].begin += i * 2 * PACKAGE_STREAM_GAP;
    }
    CU_ASSERT_EQUAL_FATAL(inflater_new(many, MANY, input, NULL, &f.d), 0);
    for (unsigned i = 0; i < MANY; i++) {
        f.streams[0] = many[i];
        check(0, STREAM_LEN - 10, 10);
        f.bytes_read = 0;
        check(0, STREAM_LEN - MIB / 2, 10);
        CU_ASSERT(f.bytes_read < many[i].stored_len / 2);
    }
    f.streams[0] = many[MANY / 2]; /* what is remembered of it is less by now, and still right */
    check(0, 4 * MIB + 5, 1000);
    check(0, 2 * MIB + 5, 1000);
    tear_down();
}

static void more_readers_than_cursors(void)
{
    set_up();
    for (uint64_t step = 0; step < 20; step++)
        for (uint64_t reader = 0; reader < 9; reader++)
            check(reader & 1, reader * 500000 + step * 20000, 20000);
    tear_down();
}

static void what_is_not_in_a_stream(void)
{
    set_up();
    refused(PACKAGE_STREAM_BASE - 1, 1, ERR_INVALID);
    refused(f.streams[0].begin + STREAM_LEN, 1, ERR_INVALID);
    refused(f.streams[0].begin + STREAM_LEN - 1, 2, ERR_INVALID);
    refused(f.streams[1].begin + STREAM_LEN, 1, ERR_INVALID);
    tear_down();
}

static void damage_is_told_and_forgotten(void)
{
    uint64_t middle;

    set_up();
    middle = f.streams[0].offset + f.streams[0].stored_len / 2;
    uint8_t saved[64];
    memcpy(saved, f.container + middle, sizeof saved);
    memset(f.container + middle, 0xff, sizeof saved);
    check(0, 0, 1000);
    refused(f.streams[0].begin + STREAM_LEN - 100, 100, ERR_CORRUPT);
    check(1, STREAM_LEN - 100, 100);
    memcpy(f.container + middle, saved, sizeof saved);
    inflater_forget(f.d, f.streams[0].begin + 5);
    check(0, STREAM_LEN - 100, 100);
    tear_down();
}

static void streams_that_end_early(void)
{
    set_up();
    inflater_free(f.d);
    f.streams[0].stored_len -= 1000;
    CU_ASSERT_EQUAL_FATAL(inflater_new(f.streams, 2, input, NULL, &f.d), 0);
    refused(f.streams[0].begin + STREAM_LEN - 100, 100, ERR_CORRUPT);
    inflater_free(f.d);
    f.streams[0].stored_len += 1000;
    f.streams[0].len += 10; /* the stream ends before */
    CU_ASSERT_EQUAL_FATAL(inflater_new(f.streams, 2, input, NULL, &f.d), 0);
    refused(f.streams[0].begin + STREAM_LEN, 10, ERR_CORRUPT);
    tear_down();
}

static void errors_of_the_input_come_through(void)
{
    set_up();
    f.fail_at = f.streams[0].offset + f.streams[0].stored_len / 2;
    refused(f.streams[0].begin + STREAM_LEN - 100, 100, ERR_NETWORK);
    check(0, 0, 1000);
    f.fail_at = 0;
    check(0, STREAM_LEN - 100, 100);
    tear_down();
}

UNIT_MAIN("inflater", TEST(in_order_every_byte_is_read_once), TEST(here_and_there_in_both),
          TEST(going_back_costs_a_stretch_only), TEST(streams_share_the_points), TEST(more_readers_than_cursors),
          TEST(what_is_not_in_a_stream), TEST(damage_is_told_and_forgotten),
          TEST(streams_that_end_early), TEST(errors_of_the_input_come_through))
