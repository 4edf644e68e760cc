/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/http_reply.c. */
#include "config.h"

#include "fetch/http_reply.h"
#include "tests/unit.h"

static struct http_content_range range(const char *value)
{
    return http_content_range_parse(value, strlen(value));
}

static bool feed(struct http_reply *r, const char *const *lines)
{
    enum http_line last = HTTP_LINE_FIELD;

    for (; *lines; lines++)
        last = http_reply_line(r, *lines, strlen(*lines));
    return last == HTTP_LINE_END;
}

/* The verdict on a header, for bytes 100 to 199 of a file of 1,000 bytes that has ETag "a". */
static enum err_kind verdict(const char *const *lines)
{
    static const struct http_identity id = { .size = 1000,
                                             .etag = "\"a\"",
                                             .last_modified = "Sun, 06 Nov 1994 08:49:37 GMT" };
    const struct http_want want = { .name = "x", .offset = 100, .len = 100, .identity = &id };
    struct http_reply r = { .status = 0 };
    struct err e = { .kind = ERR_NONE };
    uint64_t body = 0;

    CU_ASSERT(feed(&r, lines));
    int status = http_reply_check(&r, &want, 0, &body, &e);
    CU_ASSERT_EQUAL(status, -err_kind_errno(e.kind));
    CU_ASSERT(status || body == 100);
    return e.kind;
}

#define VERDICT(...) verdict((const char *const[]){ __VA_ARGS__, "\r\n", NULL })
#define OK206 "HTTP/1.1 206 Partial Content\r\n", "ETag: \"a\"\r\n"
#define RANGE "Content-Range: bytes 100-199/1000\r\n"

/* The same while opening, asking for the first 100 bytes. */
static enum err_kind opening(const char *const *lines, uint64_t *body)
{
    const struct http_want want = { .name = "x", .offset = 0, .len = 100 };
    struct http_reply r = { .status = 0 };
    struct err e = { .kind = ERR_NONE };

    CU_ASSERT(feed(&r, lines));
    (void)!http_reply_check(&r, &want, 0, body, &e);
    return e.kind;
}

#define OPENING(body, ...) opening((const char *const[]){ __VA_ARGS__, "\r\n", NULL }, body)

static void range_takes_what_the_standard_has(void)
{
    struct http_content_range r = range("bytes 10-19/100");
    CU_ASSERT_EQUAL(r.form, HTTP_RANGE_BYTES);
    CU_ASSERT(r.first == 10 && r.last == 19 && r.total == 100 && r.total_known);
    r = range("  Bytes 0-0/1 ");
    CU_ASSERT_EQUAL(r.form, HTTP_RANGE_BYTES);
    r = range("bytes 0-99/*");
    CU_ASSERT_EQUAL(r.form, HTTP_RANGE_BYTES);
    CU_ASSERT_FALSE(r.total_known);
    r = range("bytes */4711");
    CU_ASSERT_EQUAL(r.form, HTTP_RANGE_UNMATCHED);
    CU_ASSERT_EQUAL(r.total, 4711);
    r = range("bytes 0-9223372036854775806/9223372036854775807");
    CU_ASSERT_EQUAL(r.form, HTTP_RANGE_BYTES);
    CU_ASSERT_EQUAL(r.total, INT64_MAX);
}

static void range_refuses_everything_else(void)
{
    static const char *const bad[] = {
        "", "bytes", "bytes ", "bytes=0-9/10", "bytes 0-9", "bytes 0-9/", "bytes 9-0/10",
        "bytes 0-10/10", "bytes -9/10", "bytes 0-/10", "bytes 0-9/10x", "bytes 0-9/**",
        "bytes */*", "bytes */", "octets 0-9/10", "bytes 0x0-9/10", "bytes +0-9/10",
        "bytes 0 - 9/10", "bytes 0-9/9223372036854775808", "bytes 0-9/99999999999999999999999",
        "bytes 18446744073709551616-18446744073709551617/10", "bytes 0-9/10, bytes 0-9/10",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CU_ASSERT_EQUAL(range(bad[i]).form, HTTP_RANGE_BAD);
    CU_ASSERT_EQUAL(http_content_range_parse("bytes 0-9/10\0", 13).form, HTTP_RANGE_BAD);
}

static void reply_is_accepted_when_all_fits(void)
{
    CU_ASSERT_EQUAL(VERDICT(OK206, RANGE, "Content-Length: 100\r\n",
                            "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), ERR_NONE);
    CU_ASSERT_EQUAL(VERDICT("HTTP/2 206 \r\n", "etag: W/\"a\"\r\n", RANGE,
                            "content-encoding: identity\r\n"), ERR_NONE);
}

static void reply_with_another_range_is_refused(void)
{
    CU_ASSERT_EQUAL(VERDICT(OK206, "Content-Range: bytes 101-200/1000\r\n"), ERR_HTTP_BAD_REPLY);
    CU_ASSERT_EQUAL(VERDICT(OK206, "Content-Range: bytes 100-198/1000\r\n"), ERR_HTTP_BAD_REPLY);
    CU_ASSERT_EQUAL(VERDICT(OK206, "Content-Range: bytes 0-999/1000\r\n"), ERR_HTTP_BAD_REPLY);
    CU_ASSERT_EQUAL(VERDICT(OK206, "Content-Range: bytes 100-199/*\r\n"), ERR_HTTP_BAD_REPLY);
    CU_ASSERT_EQUAL(VERDICT(OK206, "Content-Range: nonsense\r\n"), ERR_HTTP_BAD_REPLY);
    CU_ASSERT_EQUAL(VERDICT(OK206, "Content-Length: 100\r\n"), ERR_HTTP_BAD_REPLY);
}

static void reply_of_another_object_is_told_apart(void)
{
    CU_ASSERT_EQUAL(VERDICT(OK206, "Content-Range: bytes 100-199/1001\r\n"), ERR_OBJECT_CHANGED);
    CU_ASSERT_EQUAL(VERDICT(OK206, "Content-Range: bytes 100-149/150\r\n"), ERR_OBJECT_CHANGED);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 206 x\r\n", "ETag: \"b\"\r\n", RANGE), ERR_OBJECT_CHANGED);
    CU_ASSERT_EQUAL(VERDICT(OK206, RANGE, "Last-Modified: Mon, 07 Nov 1994 08:49:37 GMT\r\n"),
                    ERR_OBJECT_CHANGED);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 206 x\r\n", RANGE), ERR_OBJECT_CHANGED);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 416 x\r\n", "Content-Range: bytes */50\r\n"),
                    ERR_OBJECT_CHANGED);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 416 x\r\n"), ERR_OBJECT_CHANGED);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 412 x\r\n"), ERR_OBJECT_CHANGED);
}

static void reply_with_one_validator_left_is_accepted(void)
{
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 206 x\r\n", RANGE,
                            "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), ERR_NONE);
}

static void reply_that_contradicts_itself_is_refused(void)
{
    CU_ASSERT_EQUAL(VERDICT(OK206, RANGE, "Content-Range: bytes 0-99/1000\r\n"),
                    ERR_HTTP_BAD_REPLY);
    CU_ASSERT_EQUAL(VERDICT(OK206, RANGE, "ETag: \"b\"\r\n"), ERR_HTTP_BAD_REPLY);
    CU_ASSERT_EQUAL(VERDICT(OK206, RANGE, "Content-Length: 99\r\n"), ERR_HTTP_BAD_REPLY);
    CU_ASSERT_EQUAL(VERDICT(OK206, RANGE, "Content-Length: 1e2\r\n"), ERR_HTTP_BAD_REPLY);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 416 x\r\n", "Content-Range: bytes */1000\r\n"),
                    ERR_HTTP_BAD_REPLY);
}

static void reply_in_another_form_is_refused(void)
{
    CU_ASSERT_EQUAL(VERDICT(OK206, RANGE, "Content-Encoding: gzip\r\n"), ERR_HTTP_BAD_REPLY);
    CU_ASSERT_EQUAL(VERDICT(OK206, RANGE,
                            "Content-Encoding: identity-is-how-this-long-name-begins, gzip\r\n"),
                    ERR_HTTP_BAD_REPLY);
    CU_ASSERT_EQUAL(VERDICT(OK206, "Content-Type: multipart/byteranges; boundary=x\r\n"),
                    ERR_HTTP_BAD_REPLY);
}

static void reply_status_decides_the_kind(void)
{
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 200 OK\r\n"), ERR_HTTP_NO_RANGE);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 401 x\r\n"), ERR_AUTH);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 403 x\r\n"), ERR_AUTH);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 407 x\r\n"), ERR_AUTH);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 404 x\r\n"), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 410 x\r\n"), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 429 x\r\n"), ERR_HTTP_STATUS);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 503 x\r\n", "Retry-After: 3\r\n"), ERR_HTTP_STATUS);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 204 x\r\n"), ERR_HTTP_STATUS);
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 junk\r\n"), ERR_HTTP_STATUS);
}

static void reply_starts_over_at_each_status_line(void)
{
    CU_ASSERT_EQUAL(VERDICT("HTTP/1.1 302 Found\r\n", "Content-Range: bytes 0-9/10\r\n",
                            "ETag: \"b\"\r\n", "\r\n", OK206, RANGE), ERR_NONE);
}

static void reply_ignores_trailers(void)
{
    struct http_reply r = { .status = 0 };
    const char *trailer = "ETag: \"b\"\r\n";

    CU_ASSERT(feed(&r, (const char *const[]){ OK206, RANGE, "\r\n", NULL }));
    CU_ASSERT_EQUAL(http_reply_line(&r, trailer, strlen(trailer)), HTTP_LINE_EXTRA);
    CU_ASSERT_STRING_EQUAL(r.identity.etag, "\"a\"");
}

static void reply_header_has_a_limit(void)
{
    static char line[1000];
    struct http_reply r = { .status = 0 };
    enum http_line last = HTTP_LINE_FIELD;

    memset(line, 'x', sizeof line);
    for (int i = 0; i < 1000 && last == HTTP_LINE_FIELD; i++)
        last = http_reply_line(&r, line, sizeof line);
    CU_ASSERT_EQUAL(last, HTTP_LINE_FLOOD);
}

static void opening_accepts_an_object_shorter_than_asked_for(void)
{
    uint64_t body = 0;
    CU_ASSERT_EQUAL(OPENING(&body, OK206, "Content-Range: bytes 0-41/42\r\n"), ERR_NONE);
    CU_ASSERT_EQUAL(body, 42);
    CU_ASSERT_EQUAL(OPENING(&body, OK206, "Content-Range: bytes 0-99/1000\r\n"), ERR_NONE);
    CU_ASSERT_EQUAL(body, 100);
    CU_ASSERT_EQUAL(OPENING(&body, OK206, "Content-Range: bytes 0-41/1000\r\n"),
                    ERR_HTTP_BAD_REPLY);
    CU_ASSERT_EQUAL(OPENING(&body, OK206, "Content-Range: bytes 0-99/*\r\n"), ERR_HTTP_BAD_REPLY);
}

static void opening_says_when_the_object_is_empty(void)
{
    uint64_t body = 0;
    CU_ASSERT_EQUAL(OPENING(&body, "HTTP/1.1 200 OK\r\n", "Content-Length: 0\r\n"), ERR_TRUNCATED);
    CU_ASSERT_EQUAL(OPENING(&body, "HTTP/1.1 416 x\r\n", "Content-Range: bytes */0\r\n"),
                    ERR_TRUNCATED);
    CU_ASSERT_EQUAL(OPENING(&body, "HTTP/1.1 200 OK\r\n", "Content-Length: 5\r\n"),
                    ERR_HTTP_NO_RANGE);
}

static void retry_after_takes_seconds_and_dates(void)
{
    const int64_t then = 784111777; /* of the date below */
    CU_ASSERT_EQUAL(http_retry_after("120", 0), 120);
    CU_ASSERT_EQUAL(http_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", then - 30), 30);
    CU_ASSERT_EQUAL(http_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", then + 30), 0);
    CU_ASSERT_EQUAL(http_retry_after("99999999", 0), 24 * 3600);
    CU_ASSERT_EQUAL(http_retry_after("", 0), -1);
    CU_ASSERT_EQUAL(http_retry_after("-5", 0), -1);
    CU_ASSERT_EQUAL(http_retry_after("soon", 0), -1);
    CU_ASSERT_EQUAL(http_retry_after("Sun, 06 Xyz 1994 08:49:37 GMT", 0), -1);
    CU_ASSERT_EQUAL(http_retry_after("Sun, 06 anF 1994 08:49:37 GMT", 0), -1);
    CU_ASSERT_EQUAL(http_retry_after("Sun, 06 Nov 1994 28:49:37 GMT", 0), -1);
}

UNIT_MAIN("http_reply",
          TEST(range_takes_what_the_standard_has),
          TEST(range_refuses_everything_else),
          TEST(reply_is_accepted_when_all_fits),
          TEST(reply_with_another_range_is_refused),
          TEST(reply_of_another_object_is_told_apart),
          TEST(reply_with_one_validator_left_is_accepted),
          TEST(reply_that_contradicts_itself_is_refused),
          TEST(reply_in_another_form_is_refused),
          TEST(reply_status_decides_the_kind),
          TEST(reply_starts_over_at_each_status_line),
          TEST(reply_ignores_trailers),
          TEST(reply_header_has_a_limit),
          TEST(opening_accepts_an_object_shorter_than_asked_for),
          TEST(opening_says_when_the_object_is_empty),
          TEST(retry_after_takes_seconds_and_dates))
