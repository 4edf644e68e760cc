/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/container.c: what is asked for, fed and refused. */
#include "config.h"

#include <stdio.h>

#include "src/container.h"
#include "tests/make-sft.h"
#include "tests/unit.h"

static struct made_sft small_package(void)
{
    struct made_sft made;
    CU_ASSERT_EQUAL_FATAL(make_sft(make_sft_tree, make_sft_tree_count, NULL, &made, NULL), 0);
    return made;
}

/* A package whose metadata is larger than the head: many names that do not compress. */
static struct made_sft large_package(void)
{
    enum { COUNT = 6000, NAME = 201 };
    struct made_sft made;
    struct make_entry *entries = calloc(COUNT, sizeof *entries);
    char *names = calloc(COUNT, NAME);
    uint64_t x = 1;
    CU_ASSERT_FATAL(entries && names);
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k + 1 < NAME; k++) {
            x = x * 6364136223846793005 + 1442695040888963407;
            names[i * NAME + k] = "abcdefghijklmnopqrstuvwxyz012345"[x >> 59];
        }
        entries[i].path = names + i * NAME;
    }
    CU_ASSERT_EQUAL_FATAL(make_sft(entries, COUNT, NULL, &made, NULL), 0);
    CU_ASSERT_FATAL(made.metadata_len > CONTAINER_HEAD_BYTES);
    free(entries);
    free(names);
    return made;
}

/* Feeds MADE in steps of at most STEP bytes; returns the number of ranges asked for. */
static unsigned feed_all(const struct made_sft *made, size_t step, struct package **out)
{
    struct container_reader *r;
    struct byte_range want, last = { 0, 0 };
    unsigned ranges = 0;
    int rc;

    CU_ASSERT_EQUAL_FATAL(container_reader_new(made->len, &r, NULL), 0);
    while ((rc = container_reader_next(r, &want, NULL)) > 0) {
        CU_ASSERT_FATAL(want.length && want.offset + want.length <= made->len);
        ranges += want.offset + want.length != last.offset + last.length;
        last = want;
        CU_ASSERT_EQUAL_FATAL(container_reader_feed(r, want.offset, made->data + want.offset,
                                                    (size_t)min_u64(want.length, step), NULL),
                              0);
    }
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    CU_ASSERT_EQUAL(container_reader_next(r, &want, NULL), 0);
    *out = container_reader_take(r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(*out);
    CU_ASSERT_PTR_NULL(container_reader_take(r));
    container_reader_free(r);
    return ranges;
}

static void container_reads_a_small_package_with_one_range(void)
{
    struct made_sft made = small_package();
    struct package *p;
    CU_ASSERT_EQUAL(feed_all(&made, SIZE_MAX, &p), 1);
    package_free(p);
    free(made.data);
}

static void container_reads_a_large_package_with_two_ranges(void)
{
    struct made_sft made = large_package();
    struct package *p;
    CU_ASSERT_EQUAL(feed_all(&made, SIZE_MAX, &p), 2);
    CU_ASSERT_EQUAL(package_info(p)->node_count, 6001);
    package_free(p);
    free(made.data);
}

static void container_takes_bytes_in_small_steps(void)
{
    struct made_sft made = small_package();
    struct package *p;
    feed_all(&made, 97, &p);
    package_free(p);
    feed_all(&made, 1000, &p);
    package_free(p);
    free(made.data);
}

static void container_takes_more_than_it_asked_for(void)
{
    struct made_sft made = large_package();
    struct container_reader *r;
    struct byte_range want;
    int rc;
    CU_ASSERT_EQUAL_FATAL(container_reader_new(made.len, &r, NULL), 0);
    while ((rc = container_reader_next(r, &want, NULL)) > 0)
        CU_ASSERT_EQUAL_FATAL(container_reader_feed(r, 0, made.data, made.len, NULL), 0);
    CU_ASSERT_EQUAL(rc, 0);
    container_reader_free(r); /* with the package still in it */
    free(made.data);
}

static void container_refuses_bytes_it_did_not_ask_for(void)
{
    static const uint8_t bytes[16];
    struct container_reader *r;
    struct byte_range want;
    struct err e;
    CU_ASSERT_EQUAL_FATAL(container_reader_new(1000, &r, NULL), 0);
    CU_ASSERT(container_reader_feed(r, 0, bytes, sizeof bytes, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    CU_ASSERT_EQUAL_FATAL(container_reader_next(r, &want, NULL), 1);
    CU_ASSERT(want.offset == 0 && want.length == 1000);
    CU_ASSERT(container_reader_feed(r, 1, bytes, sizeof bytes, NULL) < 0);
    CU_ASSERT(container_reader_feed(r, 0, bytes, 0, NULL) < 0);
    container_reader_free(r);
}

static void container_says_the_same_again_after_a_refusal(void)
{
    struct container_reader *r;
    struct byte_range want;
    struct err e = { .kind = ERR_NONE };
    CU_ASSERT_EQUAL_FATAL(container_reader_new(4, &r, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(container_reader_next(r, &want, NULL), 1);
    CU_ASSERT_EQUAL_FATAL(container_reader_feed(r, 0, "PK\003\004", 4, NULL), 0);
    int first = container_reader_next(r, &want, NULL);
    CU_ASSERT(first < 0);
    CU_ASSERT_EQUAL(container_reader_next(r, &want, &e), first);
    CU_ASSERT_EQUAL(e.kind, ERR_TRUNCATED);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "ZIP"));
    CU_ASSERT_PTR_NULL(container_reader_take(r));
    container_reader_free(r);
    container_reader_free(NULL);
}

static void container_refuses_sizes_that_are_none(void)
{
    struct container_reader *r = NULL;
    struct byte_range want;
    struct err e;
    CU_ASSERT(container_reader_new(UINT64_MAX, &r, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
    CU_ASSERT_EQUAL_FATAL(container_reader_new(0, &r, NULL), 0);
    CU_ASSERT(container_reader_next(r, &want, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_TRUNCATED);
    container_reader_free(r);
}

/* --- description ------------------------------------------------------------------------------ */

struct lines {
    char text[20000];
    size_t len;
};

static void collect(void *arg, const char *text)
{
    struct lines *l = arg;
    int n = snprintf(l->text + l->len, sizeof l->text - l->len, "%s\n", text);
    if (n > 0 && (size_t)n < sizeof l->text - l->len)
        l->len += (size_t)n;
}

static struct lines *described(const void *data, size_t len)
{
    struct lines *l = calloc(1, sizeof *l);
    CU_ASSERT_PTR_NOT_NULL_FATAL(l);
    uint8_t *copy = malloc(len ? len : 1); /* exactly as long: a sanitizer sees one step too far */
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    if (len)
        memcpy(copy, data, len);
    container_describe(copy, len, len, collect, l);
    free(copy);
    return l;
}

static void describes(const void *data, size_t len, const char *what)
{
    struct lines *l = described(data, len);
    CU_ASSERT_PTR_NOT_NULL(strstr(l->text, what));
    if (!strstr(l->text, what))
        fprintf(stderr, "\n\"%s\" not in:\n%s", what, l->text);
    free(l);
}

static void container_describes_the_sections_of_a_package(void)
{
    struct made_sft made = small_package();
    struct lines *l = described(made.data, made.len);
    static const char *const parts[] = { "format: sft",  "layout: sftfs layout 1", "section SMFF",
                                         "section PROP", "section CIDX",           "section INDX",
                                         "blocks:" };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(l->text, parts[i]));
    free(l);
    free(made.data);
}

static void container_describes_what_it_does_not_know(void)
{
    static const char foreign[] = "SMFF\1\2\3\4 field after field that nobody here knows; then "
                                  "INDX and M\0i\0c\0r\0o\0s\0o\0f\0t\0 and more bytes that do not "
                                  "matter, up to the length of a header of ours and beyond it, "
                                  "which is one hundred and ninety-two";
    describes(foreign, sizeof foreign, "layout: unknown");
    describes(foreign, sizeof foreign, "section tag INDX at offset");
    describes(foreign, sizeof foreign, "53 4d 46 46 01");
    describes(foreign, sizeof foreign, "Microsoft");
    describes("PK\003\004", 4, "ZIP");
    describes("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8, "MSI");
    describes("MSCF", 4, "cabinet");
    describes("\r\n<!DOCTYPE HTML>", 17, "HTML");
    describes("\xef\xbb\xbf<?xml version", 16, "XML");
    describes("\x1f\x8b\x08", 3, "gzip");
    describes("", 0, "format: unknown");
    describes("SMFF", 4, "layout: unknown");
}

static void container_describes_every_prefix_of_a_package(void)
{
    struct made_sft made = small_package();
    for (size_t len = 0; len < made.metadata_len; len++)
        free(described(made.data, len));
    free(made.data);
}

UNIT_MAIN("container", TEST(container_reads_a_small_package_with_one_range),
          TEST(container_reads_a_large_package_with_two_ranges),
          TEST(container_takes_bytes_in_small_steps), TEST(container_takes_more_than_it_asked_for),
          TEST(container_refuses_bytes_it_did_not_ask_for),
          TEST(container_says_the_same_again_after_a_refusal),
          TEST(container_refuses_sizes_that_are_none),
          TEST(container_describes_the_sections_of_a_package),
          TEST(container_describes_what_it_does_not_know),
          TEST(container_describes_every_prefix_of_a_package))
