/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses in the form that AWS Signature Version 4 signs. */
#include "config.h"

#include "fetch/sigv4.h"

#include "tests/unit.h"

static void written(const char *from, const char *want)
{
    auto_free char *got = sigv4_url(from);

    CU_ASSERT_PTR_NOT_NULL_FATAL(got);
    CU_ASSERT_STRING_EQUAL(got, want);
    auto_free char *again = sigv4_url(got);
    CU_ASSERT_PTR_NOT_NULL_FATAL(again);
    CU_ASSERT_STRING_EQUAL(again, want);
}

static void sigv4_paths_are_encoded_in_one_way(void)
{
    written("https://b.example/a/b.sft", "https://b.example/a/b.sft");
    written("https://b.example:9000/a%20(1)+~.sft", "https://b.example:9000/a%20%281%29%2B~.sft");
    written("https://b.example/%41%2f%c3%a4", "https://b.example/A/%C3%A4");
    written("https://b.example/a//b/../c", "https://b.example/a//b/../c");
    written("https://b.example/50%", "https://b.example/50%25");
    written("https://b.example/5%4", "https://b.example/5%254");
    written("https://b.example", "https://b.example/");
    written("https://b.example/%00", "https://b.example/%00");
}

static void sigv4_queries_are_in_order(void)
{
    written("https://h/x?b=2&a=1&c", "https://h/x?a=1&b=2&c=");
    written("https://h/x?a-b=1&a=2", "https://h/x?a=2&a-b=1");
    written("https://h/x?a=2&a=1&&", "https://h/x?a=1&a=2");
    written("https://h/x?a=b=c&d=/e+f", "https://h/x?a=b%3Dc&d=%2Fe%2Bf");
    written("https://h/x?versionId=%7Eq", "https://h/x?versionId=~q");
    written("https://h?b&a", "https://h/?a=&b=");
    written("https://h/x?", "https://h/x");
    written("https://h/x?=", "https://h/x?=");
    written("https://h/x?a?b/c", "https://h/x?a%3Fb%2Fc=");
}

static void sigv4_scope_names_region_and_service(void)
{
    static const char *const bad[] = { "", "/", "eu-west-1/", "/s3", "a b", "a/b/c", "a:b", "a\nb" };
    char *scope = NULL;
    struct err e;

    CU_ASSERT_EQUAL(sigv4_scope("eu-west-1", &scope, &e), 0);
    CU_ASSERT_STRING_EQUAL(scope, "aws:amz:eu-west-1:s3");
    free(scope);
    CU_ASSERT_EQUAL(sigv4_scope("us-east-1/execute-api", &scope, &e), 0);
    CU_ASSERT_STRING_EQUAL(scope, "aws:amz:us-east-1:execute-api");
    free(scope);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CU_ASSERT(sigv4_scope(bad[i], &scope, &e) < 0);
        CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    }
}

UNIT_MAIN("sigv4", TEST(sigv4_paths_are_encoded_in_one_way), TEST(sigv4_queries_are_in_order),
          TEST(sigv4_scope_names_region_and_service))
