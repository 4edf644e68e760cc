/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: what a web server sends before a body, and URLs from documents. The input's lines
 * are header lines; each line is also tried as a Content-Range, a Retry-After and a URL by itself.
 */
#include "config.h"

#include <string.h>

#include "fetch/http_reply.h"
#include "fetch/http_url.h"
#include "tests/fuzz/fuzz.h"

static const struct http_identity identity = { .size = 1000,
                                               .etag = "\"v1\"",
                                               .last_modified = "Sun, 06 Nov 1994 08:49:37 GMT" };

static void check_range(const char *line, size_t len)
{
    struct http_content_range r = http_content_range_parse(line, len);

    if (r.form == HTTP_RANGE_BYTES)
        FUZZ_CHECK(r.first <= r.last && (!r.total_known || r.last < r.total));
    FUZZ_CHECK(!r.total_known || r.total <= INT64_MAX);
}

static void check_texts(const char *line, size_t len)
{
    auto_free char *text = strndup(line, len);
    auto_free char *url = NULL, *name = NULL;
    struct err e;

    FUZZ_CHECK(text);
    long wait = http_retry_after(text, 784111777);
    FUZZ_CHECK(wait >= -1 && wait <= 24 * 3600);
    name = http_url_redact(text);
    FUZZ_CHECK(name && strlen(name) <= 200);
    if (http_url_prepare(text, &url, &e) == 0)
        for (const char *p = url; *p; p++)
            FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f && *p != '#');
}

static void check_verdict(const struct http_reply *r, const struct http_want *want)
{
    uint64_t body = 0;
    struct err e = { .kind = ERR_NONE };
    int status = http_reply_check(r, want, 784111777, &body, &e);

    FUZZ_CHECK(status == -err_kind_errno(e.kind));
    if (status == 0) { /* the one thing that must never go wrong: bytes of another place */
        FUZZ_CHECK(r->status == 206 && r->range.first == want->offset);
        FUZZ_CHECK(body >= 1 && body <= want->len);
        FUZZ_CHECK(body == want->len || !want->identity);
        FUZZ_CHECK(r->range.last - r->range.first == body - 1);
        FUZZ_CHECK(!want->identity || r->range.total == want->identity->size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *end = p + size;
    struct http_reply r = { .status = 0 };
    const struct http_want opening = { .name = "x", .offset = 0, .len = 100 };
    const struct http_want later = {
        .name = "x", .offset = 100, .len = 100, .identity = &identity
    };

    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t len = newline ? (size_t)(newline - p) + 1 : (size_t)(end - p);

        check_range(p, len);
        check_texts(p, newline ? len - 1 : len);
        enum http_line kind = http_reply_line(&r, p, len);
        FUZZ_CHECK(strlen(r.identity.etag) < sizeof r.identity.etag);
        if (kind == HTTP_LINE_END) {
            check_verdict(&r, &opening);
            check_verdict(&r, &later);
        }
        p += len;
    }
    return 0;
}
