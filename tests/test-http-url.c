/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/http_url.c. */
#include "config.h"

#include "fetch/http_url.h"
#include "tests/unit.h"

static void same_text(const char *got, const char *want)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(got);
    CU_ASSERT_STRING_EQUAL(got, want);
}

static void prepared(const char *from, const char *want)
{
    auto_free char *url = NULL;
    CU_ASSERT_EQUAL_FATAL(http_url_prepare(from, &url, NULL), 0);
    same_text(url, want);
}

static void refused(const char *from)
{
    char *url = NULL;
    struct err e = { .kind = ERR_NONE };
    CU_ASSERT_EQUAL(http_url_prepare(from, &url, &e), -EINVAL);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    CU_ASSERT_PTR_NULL(strstr(e.text, "secret"));
    CU_ASSERT_PTR_NULL(url);
}

static void redacted(const char *from, const char *want)
{
    auto_free char *name = http_url_redact(from);
    same_text(name, want);
}

static void matches_http_and_https_in_any_case(void)
{
    CU_ASSERT(http_url_matches("http://h/"));
    CU_ASSERT(http_url_matches("HTTPS://h/"));
    CU_ASSERT_FALSE(http_url_matches("httpx://h/"));
    CU_ASSERT_FALSE(http_url_matches("file:///x"));
    CU_ASSERT_FALSE(http_url_matches("http"));
}

static void prepare_encodes_spaces_and_non_ascii_only(void)
{
    prepared("http://h/a b/%20/c.sft?x=1&y= 2", "http://h/a%20b/%20/c.sft?x=1&y=%202");
    prepared("http://h/\xc3\xa4.sft", "http://h/%C3%A4.sft");
    prepared("https://h:8080/x(1)[2]|3.sft", "https://h:8080/x(1)[2]|3.sft");
    prepared("http://[::1]:80/x", "http://[::1]:80/x");
    prepared("http://[::1]/x", "http://[::1]/x");
    prepared("http://h:65535/x", "http://h:65535/x");
    prepared("HTTP://h", "HTTP://h");
    prepared("http://h/a@b", "http://h/a@b");
}

static void prepare_drops_the_fragment(void)
{
    prepared("http://h/x.sft#top", "http://h/x.sft");
}

static void prepare_refuses_credentials_in_the_url(void)
{
    refused("http://user:secret@h/x");
    refused("http://user@h/x");
    refused("http://user:sec/secret@h/x");
}

static void prepare_refuses_what_is_no_url(void)
{
    refused("http:/h/x");
    refused("http://");
    refused("http:///x");
    refused("http://:80/x");
    refused("http://a b/x");
    refused("http://good\\evil/x");
    refused("http://h:x/");
    refused("http://h:65536/");
    refused("http://h:99999999999999999999999/");
    refused("http://[::1/");
    refused("http://h/a\r\nX: y");
    refused("http://h/\x7f");
    refused("ftp://h/x");
}

static void prepare_refuses_a_url_that_is_too_long(void)
{
    static char url[9000] = "http://h/";
    memset(url + 9, 'x', sizeof url - 10);
    refused(url);
}

static void redact_leaves_a_plain_url_alone(void)
{
    redacted("https://h:8080/a/b@c.sft", "https://h:8080/a/b@c.sft");
}

static void redact_hides_user_and_password(void)
{
    redacted("http://user:secret@h/x", "http://...@h/x");
    redacted("http://secret@h/x", "http://...@h/x");
    redacted("http://a@secret@h/x", "http://...@h/x");
    redacted("http://user:sec/secret@h/x", "http://...@h/x");
    redacted("http://user:sec#secret@h/x", "http://...@h/x");
    redacted("http://user:sec?secret@h/x", "http://...@h/x");
}

static void redact_keeps_names_of_a_query_only(void)
{
    redacted("http://h/x?sig=secret&se=2026", "http://h/x?sig=...&se=...");
    redacted("http://h/x?secret", "http://h/x?...");
    redacted("http://h/x?", "http://h/x?");
    redacted("http://h/x?a=1#secret", "http://h/x?a=...");
    redacted("http://h?a=secret@b", "http://h?a=...");
}

static void redact_takes_any_text(void)
{
    static char url[9000] = "http://h/";
    memset(url + 9, 'x', sizeof url - 10);
    auto_free char *name = http_url_redact(url);
    CU_ASSERT_PTR_NOT_NULL_FATAL(name);
    CU_ASSERT_EQUAL(strlen(name), 200);
    redacted("", "");
    redacted("no url", "no url");
    redacted("http://h/\x1b[31m\n", "http://h/?[31m?");
}

UNIT_MAIN("http_url",
          TEST(matches_http_and_https_in_any_case),
          TEST(prepare_encodes_spaces_and_non_ascii_only),
          TEST(prepare_drops_the_fragment),
          TEST(prepare_refuses_credentials_in_the_url),
          TEST(prepare_refuses_what_is_no_url),
          TEST(prepare_refuses_a_url_that_is_too_long),
          TEST(redact_leaves_a_plain_url_alone),
          TEST(redact_hides_user_and_password),
          TEST(redact_keeps_names_of_a_query_only),
          TEST(redact_takes_any_text))
