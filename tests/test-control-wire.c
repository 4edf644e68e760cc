/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fs/control_wire.c: requests and replies of a control socket. */
#include "config.h"

#include "fs/control_wire.h"

#include "src/log_ring.h"
#include "tests/unit.h"

static int parse(const char *line, struct control_request *r)
{
    return control_parse_request(line, strlen(line), r, NULL);
}

static void request_is_read_back_as_it_was_written(void)
{
    static const struct control_request requests[] = {
        { .verb = CONTROL_PING, .lines = UINT64_MAX },
        { .verb = CONTROL_STATUS, .lines = UINT64_MAX },
        { .verb = CONTROL_STATS, .lines = UINT64_MAX },
        { .verb = CONTROL_LOG, .lines = UINT64_MAX },
        { .verb = CONTROL_LOG, .lines = 7, .follow = true },
        { .verb = CONTROL_LOGLEVEL, .lines = UINT64_MAX },
        { .verb = CONTROL_LOGLEVEL, .lines = UINT64_MAX, .set_level = true,
          .level = LOG_LEVEL_DEBUG },
        { .verb = CONTROL_PREFETCH, .lines = UINT64_MAX, .prefetch = CONTROL_PREFETCH_STOP },
        { .verb = CONTROL_OFFLINE, .lines = UINT64_MAX },
        { .verb = CONTROL_ONLINE, .lines = UINT64_MAX },
        { .verb = CONTROL_PROGRESS, .lines = UINT64_MAX, .follow = true },
    };
    char line[CONTROL_REQUEST_MAX];
    struct control_request r;

    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        size_t len = control_format_request(&requests[i], line);
        CU_ASSERT_EQUAL_FATAL(line[len - 1], '\n');
        CU_ASSERT_EQUAL_FATAL(control_parse_request(line, len - 1, &r, NULL), 0);
        CU_ASSERT_EQUAL(r.verb, requests[i].verb);
        CU_ASSERT_EQUAL(r.follow, requests[i].follow);
        CU_ASSERT_EQUAL(r.lines, requests[i].lines);
        CU_ASSERT_EQUAL(r.set_level, requests[i].set_level);
        CU_ASSERT_EQUAL(r.level, requests[i].level);
        CU_ASSERT_EQUAL(r.prefetch, requests[i].prefetch);
    }
}

static void request_may_have_spaces(void)
{
    struct control_request r;

    CU_ASSERT_EQUAL(parse("  log   follow  lines=3 ", &r), 0);
    CU_ASSERT_EQUAL(r.verb, CONTROL_LOG);
    CU_ASSERT_TRUE(r.follow);
    CU_ASSERT_EQUAL(r.lines, 3);
}

static void request_of_another_kind_is_refused(void)
{
    static const char *const lines[] = {
        "", " ", "statu", "statusx", "Status", "status x", "log lines", "log lines=",
        "log lines=-1",
        "log lines=1x", "log lines=99999999999999999999", "log follow=1", "loglevel loud",
        "prefetch some", "offline now", "progress lines=1", "status\tfollow", "status\r", "\x80",
    };
    struct control_request r;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        e = (struct err){ .kind = ERR_NONE };
        CU_ASSERT(control_parse_request(lines[i], strlen(lines[i]), &r, &e) < 0);
        CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    }
}

static void request_with_a_nul_or_too_long_is_refused(void)
{
    char line[CONTROL_REQUEST_MAX];
    struct control_request r;

    CU_ASSERT(control_parse_request("status\0", 7, &r, NULL) < 0);
    memset(line, ' ', sizeof line);
    memcpy(line, "status", 6);
    CU_ASSERT_EQUAL(control_parse_request(line, sizeof line - 1, &r, NULL), 0);
    CU_ASSERT(control_parse_request(line, sizeof line, &r, NULL) < 0);
}

/* The row as text, without its newline. Caller frees. */
static char *write_row(const struct control_row *row)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    control_write_row(out, row);
    CU_ASSERT_EQUAL_FATAL(fclose(out), 0);
    CU_ASSERT_EQUAL_FATAL(text[len - 1], '\n');
    text[len - 1] = '\0';
    return text;
}

static void row_with_any_text_is_read_back(void)
{
    struct control_row row = { .name = "source", .label_name = "", .label = "",
                               .kind = CONTROL_TEXT, .help = "Where\tfrom",
                               .text = "a\tb\nc\\d\x7f \xc3\xa9" }, got;
    auto_free char *line = write_row(&row);

    CU_ASSERT_PTR_NULL(strchr(line, '\n'));
    CU_ASSERT_EQUAL_FATAL(control_parse_row(line, &got, NULL), 0);
    CU_ASSERT_STRING_EQUAL(got.name, "source");
    CU_ASSERT_EQUAL(got.kind, CONTROL_TEXT);
    CU_ASSERT_STRING_EQUAL(got.text, row.text);
    CU_ASSERT_STRING_EQUAL(got.help, row.help);
}

static void row_with_a_number_is_read_back(void)
{
    struct control_row row = { .name = "hits", .label_name = "tier", .label = "me\tmory",
                               .kind = CONTROL_COUNTER, .unit = CONTROL_BYTES, .help = "h",
                               .text = "", .value = UINT64_MAX }, got;
    auto_free char *line = write_row(&row);

    CU_ASSERT_EQUAL_FATAL(control_parse_row(line, &got, NULL), 0);
    CU_ASSERT_STRING_EQUAL(got.label_name, "tier");
    CU_ASSERT_STRING_EQUAL(got.label, "me\tmory");
    CU_ASSERT_EQUAL(got.kind, CONTROL_COUNTER);
    CU_ASSERT_EQUAL(got.unit, CONTROL_BYTES);
    CU_ASSERT_EQUAL(got.value, UINT64_MAX);
}

static void row_with_a_histogram_is_read_back(void)
{
    struct control_row row = { .name = "latency", .label_name = "", .label = "",
                               .kind = CONTROL_HISTOGRAM, .unit = CONTROL_MS, .help = "h",
                               .text = "", .bucket_count = 3, .bound = { 1, 2, UINT64_MAX },
                               .bucket = { 5, 0, 7 } }, got;
    auto_free char *line = write_row(&row);

    CU_ASSERT_PTR_NOT_NULL(strstr(line, "\t1:5,2:0,inf:7\t"));
    CU_ASSERT_EQUAL_FATAL(control_parse_row(line, &got, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(got.bucket_count, 3);
    CU_ASSERT_EQUAL(memcmp(got.bound, row.bound, sizeof row.bound[0] * 3), 0);
    CU_ASSERT_EQUAL(memcmp(got.bucket, row.bucket, sizeof row.bucket[0] * 3), 0);
}

static void row_that_is_none_is_refused(void)
{
    static const char *const lines[] = {
        "", "a", "a\t\t\tgauge\tnumber\t1", "a\t\t\tgauge\tnumber\t1\th\tx",
        "\t\t\tgauge\tnumber\t1\th", "A\t\t\tgauge\tnumber\t1\th", "1a\t\t\tgauge\tnumber\t1\th",
        "a\tb c\t\tgauge\tnumber\t1\th", "a\t\t\tgouge\tnumber\t1\th", "a\t\t\tgauge\tmiles\t1\th",
        "a\t\t\tgauge\tnumber\t\th", "a\t\t\tgauge\tnumber\t-1\th", "a\t\t\tgauge\tnumber\t1e3\th",
        "a\t\t\tgauge\tnumber\t18446744073709551616\th", "a\t\t\ttext\tnumber\t\\\th",
        "a\t\t\ttext\tnumber\t\\x0\th", "a\t\t\ttext\tnumber\t\\x00\th",
        "a\t\t\ttext\tnumber\t\\xZZ\th", "a\t\t\thistogram\tms\t\th",
        "a\t\t\thistogram\tms\t1:1\th",
        "a\t\t\thistogram\tms\t2:1,1:1,inf:0\th", "a\t\t\thistogram\tms\tinf:0,1:1\th",
        "a\t\t\thistogram\tms\t1:x,inf:0\th", "a\t\t\thistogram\tms\t1,inf:0\th",
        "a\t\t\thistogram\tms\t1:1,2:1,3:1,4:1,5:1,6:1,7:1,8:1,9:1,10:1,11:1,12:1,13:1,14:1,15:1,"
        "16:1,17:1,18:1,19:1,20:1,21:1,22:1,23:1,24:1,25:1,26:1,27:1,28:1,29:1,30:1,31:1,32:1,"
        "inf:0\th",
    };
    struct control_row row;

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        auto_free char *line = strdup(lines[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(line);
        CU_ASSERT(control_parse_row(line, &row, NULL) < 0);
    }
}

static void log_line_is_read_back(void)
{
    struct log_entry entry = { .number = 12, .time_ms = 34, .level = LOG_LEVEL_WARNING,
                               .text = "fs: text; key=value" };
    char line[CONTROL_LOG_LINE_MAX];
    enum log_level level;
    const char *text;
    uint64_t number;
    int64_t time_ms;

    size_t len = control_format_log(&entry, line);
    CU_ASSERT_EQUAL_FATAL(line[len - 1], '\n');
    line[len - 1] = '\0';
    CU_ASSERT_EQUAL_FATAL(control_parse_log(line, &number, &time_ms, &level, &text, NULL), 0);
    CU_ASSERT_EQUAL(number, 12);
    CU_ASSERT_EQUAL(time_ms, 34);
    CU_ASSERT_EQUAL(level, LOG_LEVEL_WARNING);
    CU_ASSERT_STRING_EQUAL(text, entry.text);
}

static void log_line_of_the_greatest_length_fits(void)
{
    struct log_entry entry = { .number = UINT64_MAX, .time_ms = INT64_MAX,
                               .level = LOG_LEVEL_WARNING };
    char line[CONTROL_LOG_LINE_MAX];

    memset(entry.text, 'x', sizeof entry.text - 1);
    size_t len = control_format_log(&entry, line);
    CU_ASSERT(len < sizeof line);
    CU_ASSERT_EQUAL(line[len - 1], '\n');
}

UNIT_MAIN("control-wire",
          TEST(request_is_read_back_as_it_was_written),
          TEST(request_may_have_spaces),
          TEST(request_of_another_kind_is_refused),
          TEST(request_with_a_nul_or_too_long_is_refused),
          TEST(row_with_any_text_is_read_back),
          TEST(row_with_a_number_is_read_back),
          TEST(row_with_a_histogram_is_read_back),
          TEST(row_that_is_none_is_refused),
          TEST(log_line_is_read_back),
          TEST(log_line_of_the_greatest_length_fits))
