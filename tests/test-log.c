/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/log.c. */
#include "config.h"

#include <stdio.h>

#include "src/log.h"
#include "src/log_ring.h"
#include "src/redact.h"
#include "tests/unit.h"

static char last[1024];
static int lines;

static void capture(enum log_level level, const char *line)
{
    (void)level;
    (void)snprintf(last, sizeof last, "%s", line);
    lines++;
}

static void log_line_has_its_subsystem_in_front(void)
{
    log_set_sink(capture);
    log_error("fs", "block %d", 7);
    CU_ASSERT_STRING_EQUAL(last, "fs: block 7");
    log_set_sink(NULL);
}

static void log_line_stays_one_line(void)
{
    log_set_sink(capture);
    log_error("fs", "name %s", "a\nb\x1b[0m");
    CU_ASSERT_STRING_EQUAL(last, "fs: name a?b?[0m");
    log_set_sink(NULL);
}

static void log_level_drops_what_is_above_it(void)
{
    log_set_sink(capture);
    lines = 0;
    log_debug("fs", "x");
    CU_ASSERT_EQUAL(lines, 0);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("fs", "x");
    CU_ASSERT_EQUAL(lines, 1);
    log_set_level(LOG_LEVEL_INFO);
    log_set_sink(NULL);
}

static void log_limit_counts_what_it_refuses(void)
{
    struct log_limit limit = { 0 };
    unsigned suppressed, allowed = 0;
    for (int i = 0; i < 1000; i++)
        allowed += log_limit_allows(&limit, &suppressed);
    /* The loop may cross one boundary between minutes, never two. */
    CU_ASSERT(allowed >= 1 && allowed <= 20);
}

static void log_levels_have_names(void)
{
    enum log_level level;

    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
        CU_ASSERT_TRUE(log_level_parse(log_level_name((enum log_level)i), &level));
        CU_ASSERT_EQUAL(level, (enum log_level)i);
    }
    CU_ASSERT_FALSE(log_level_parse("", &level));
    CU_ASSERT_FALSE(log_level_parse("Error", &level));
    CU_ASSERT_STRING_EQUAL(log_level_name((enum log_level)77), "unknown");
}

static void log_time_is_utc_with_milliseconds(void)
{
    char text[LOG_TIME_SIZE];

    log_format_time(INT64_C(1714564800007), text);
    CU_ASSERT_STRING_EQUAL(text, "2024-05-01T12:00:00.007Z");
}

static void ring_has_what_was_logged(void)
{
    struct log_entry entry;

    log_set_sink(capture);
    log_error("fs", "one");
    log_warning("fs", "two");
    log_set_sink(NULL);
    uint64_t number = log_ring_last(2);
    CU_ASSERT_TRUE_FATAL(log_ring_get(number, &entry));
    CU_ASSERT_STRING_EQUAL(entry.text, "fs: one");
    CU_ASSERT_EQUAL(entry.level, LOG_LEVEL_ERROR);
    CU_ASSERT_EQUAL(entry.number, number);
    CU_ASSERT_TRUE_FATAL(log_ring_get(number + 1, &entry));
    CU_ASSERT_STRING_EQUAL(entry.text, "fs: two");
    CU_ASSERT(entry.time_ms > 0);
    CU_ASSERT_FALSE(log_ring_get(number + 2, &entry));
}

static void ring_keeps_the_last_lines_and_their_numbers(void)
{
    struct log_entry entry;
    char text[32];

    for (unsigned i = 0; i < 3 * LOG_RING_LINES; i++) {
        (void)snprintf(text, sizeof text, "line %u", i);
        log_ring_add(LOG_LEVEL_INFO, i, text);
    }
    uint64_t oldest = log_ring_last(UINT64_MAX);
    CU_ASSERT_EQUAL(log_ring_last(LOG_RING_LINES), oldest);
    CU_ASSERT_EQUAL(log_ring_last(1), oldest + LOG_RING_LINES - 1);
    /* A number that was dropped leads to the oldest one left. */
    CU_ASSERT_TRUE_FATAL(log_ring_get(0, &entry));
    CU_ASSERT_EQUAL(entry.number, oldest);
    (void)snprintf(text, sizeof text, "line %u", 2 * LOG_RING_LINES);
    CU_ASSERT_STRING_EQUAL(entry.text, text);
}

static void ring_is_bounded_in_bytes(void)
{
    char text[LOG_LINE_SIZE];
    struct log_entry entry;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (unsigned i = 0; i < LOG_RING_LINES; i++)
        log_ring_add(LOG_LEVEL_INFO, i, text);
    uint64_t oldest = log_ring_last(UINT64_MAX);
    CU_ASSERT_EQUAL(log_ring_last(1) - oldest + 1, LOG_RING_BYTES / sizeof text);
    CU_ASSERT_TRUE_FATAL(log_ring_get(oldest, &entry));
    CU_ASSERT_STRING_EQUAL(entry.text, text);
}

static void redact_takes_secrets_out_of_urls(void)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "no url: a@b?c=d", "no url: a@b?c=d" },
        { "http://host/p", "http://host/p" },
        { "http://host:8080/a@b", "http://host:8080/a@b" },
        { "http://[::1]:8080/a@b", "http://[::1]:8080/a@b" },
        { "get http://me:secret@host/p: failed", "get http://...@host/p: failed" },
        { "http://me:se/cret@host/p", "http://...@host/p" },
        { "http://a@b@host/p", "http://...@host/p" },
        { "\"https://h/p?sig=abc&se=1;x=2&flag\" 404",
          "\"https://h/p?sig=...&se=...;x=...&...\" 404" },
        { "http://h/p?token", "http://h/p?..." },
        { "http://h?a=b http://u:p@i", "http://h?a=... http://...@i" },
        { "http://h/p?sig=...", "http://h/p?sig=..." },
        { "http://", "http://" },
        { "://@", "://@" },
        { "http://h/p?", "http://h/p?" },
        { "http://h/p?a=b&", "http://h/p?a=...&" },
    };
    char out[LOG_LINE_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        redact_line(cases[i].in, out, sizeof out);
        CU_ASSERT_STRING_EQUAL(out, cases[i].out);
    }
}

static void redact_cuts_at_the_end_of_the_room(void)
{
    char out[16];

    redact_line("see http://user:password@host.example.com/", out, sizeof out);
    CU_ASSERT_STRING_EQUAL(out, "see http://...@");
    redact_line("0123456789abcdefXYZ", out, sizeof out);
    CU_ASSERT_STRING_EQUAL(out, "0123456789abcde");
}

static void log_line_has_no_secrets(void)
{
    log_set_sink(capture);
    log_error("fetch", "http://me:secret@host/p?sig=key: refused");
    log_set_sink(NULL);
    CU_ASSERT_STRING_EQUAL(last, "fetch: http://...@host/p?sig=...: refused");
}

UNIT_MAIN("log",
          TEST(log_line_has_its_subsystem_in_front),
          TEST(log_line_stays_one_line),
          TEST(log_level_drops_what_is_above_it),
          TEST(log_limit_counts_what_it_refuses),
          TEST(log_levels_have_names),
          TEST(log_time_is_utc_with_milliseconds),
          TEST(ring_has_what_was_logged),
          TEST(ring_keeps_the_last_lines_and_their_numbers),
          TEST(ring_is_bounded_in_bytes),
          TEST(redact_takes_secrets_out_of_urls),
          TEST(redact_cuts_at_the_end_of_the_room),
          TEST(log_line_has_no_secrets))
