/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/appx_rules.c: each rule broken in an archive that is otherwise right. */
#include "config.h"

#include "src/appx_rules.h"

#include <stdio.h>

#include "src/container_format.h"
#include "tests/unit.h"
#include "tests/zip_fixture.h"

#define TYPES(inside)                                                                                 \
    "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'>" inside "</Types>"
#define DEFAULTS TYPES("<Default Extension='txt' ContentType='a/b'/><Default Extension='XML' ContentType='a/b'/>")

static const char text[] = "some text";

/* Feeds the archive in steps of STEP bytes; what was found. */
static struct appx_findings *check_in(const struct zip_image *z, const char *map_text, const char *types,
                                      size_t step)
{
    static struct appx_findings found;
    struct container_input in = { .size = z->len, .count = 1,
                                  .pieces = { { .data = z->data, .len = z->len } } };
    struct zip_directory d;
    struct blockmap *map = NULL;
    struct appx_rules *r = NULL;
    struct err e = { .kind = ERR_NONE };

    if (map_text)
        CU_ASSERT_EQUAL_FATAL(blockmap_read(map_text, strlen(map_text), &map, &e), 0);
    int rc = zip_read(&in, &d, &e);
    if (rc)
        printf("\n    %s", e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    CU_ASSERT_EQUAL_FATAL(appx_rules_new(&d, map, &found, &r, &e), 0);
    CU_ASSERT_EQUAL(appx_rules_types(r, types, types ? strlen(types) : 0, &e), 0);
    for (size_t at = 0; at < d.offset; at += step)
        appx_rules_feed(r, z->data + at, (size_t)min_u64(step, d.offset - at));
    appx_rules_free(r);
    zip_directory_free(&d);
    blockmap_free(map);
    return &found;
}

/* The archive, freed here, breaks one rule that is told by words with PART; none for NULL. */
static void expect(struct zip_image *z, const char *map, const char *types, const char *part)
{
    static const size_t steps[] = { 1, 7, 1000000 };

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        const struct appx_findings *f = check_in(z, map, types, steps[i]);
        bool right = f->count == (part != NULL) && (!part || strstr(f->text[0], part));
        if (!right)
            printf("\n    %u findings, the first: %s; wanted: %s", (unsigned)f->count,
                   f->count ? f->text[0] : "-", part ? part : "-");
        CU_ASSERT_TRUE(right);
    }
    zip_image_free(z);
}

static struct zip_image two_files(struct zip_image z)
{
    (void)zip_put_stored(&z, "a.txt", text, sizeof text);
    (void)zip_put_stored(&z, "dir/b.txt", text, sizeof text);
    zip_end(&z, NULL, 0);
    return z;
}

static void right_ones_of_every_form(void)
{
    struct zip_image forms[] = { { .zip64 = false }, { .zip64 = true },
                                 { .descriptors = true }, { .descriptors = true, .zip64 = true },
                                 { .extra = 20 } };

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct zip_image z = two_files(forms[i]);
        expect(&z, NULL, DEFAULTS, NULL);
    }
    struct zip_image empty = { .data = NULL };
    zip_end(&empty, NULL, 0);
    expect(&empty, NULL, DEFAULTS, NULL);
}

static void headers_that_say_something_else(void)
{
    static const struct { size_t at; const char *part; } rows[] = {
        { 8, "method or flags" }, { 6, "method or flags" }, { 14, "sizes or checksum" },
        { 18, "sizes or checksum" }, { 22, "sizes or checksum" }, { 30, "is not where" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct zip_image z = two_files((struct zip_image){ .data = NULL });
        z.data[rows[i].at] ^= 8;
        expect(&z, NULL, DEFAULTS, rows[i].part);
    }
}

static void extra_fields_that_end_too_soon(void)
{
    struct zip_image z = { .extra = 8 };
    size_t data = zip_put_stored(&z, "a.txt", text, sizeof text);
    zip_end(&z, NULL, 0);
    memcpy(z.data + data - 8, (const uint8_t[]){ 1, 0, 0xfd, 0xff, 0, 0, 0, 0 }, 8);
    expect(&z, NULL, DEFAULTS, NULL); /* sizes are right without it */
}

static void descriptors_that_say_something_else(void)
{
    for (unsigned at = 0; at < 16; at += 4) {
        struct zip_image z = { .descriptors = true };
        size_t data = zip_put_stored(&z, "a.txt", text, sizeof text);
        zip_end(&z, NULL, 0);
        z.data[data + sizeof text + at] ^= 1;
        expect(&z, NULL, DEFAULTS, "descriptor");
    }
}

static void bytes_that_belong_to_no_file(void)
{
    struct zip_image z = { .data = NULL };
    (void)zip_put_stored(&z, "a.txt", text, sizeof text);
    zip_raw(&z, "hidden", 6);
    (void)zip_put_stored(&z, "b.txt", text, sizeof text);
    zip_end(&z, NULL, 0);
    expect(&z, NULL, DEFAULTS, "6 bytes behind it");

    struct zip_image front = { .prefix = 100 };
    zip_raw(&front, (const uint8_t[100]){ 'M', 'Z' }, 100);
    (void)zip_put_stored(&front, "a.txt", text, sizeof text);
    zip_end(&front, NULL, 0);
    expect(&front, NULL, DEFAULTS, "100 bytes in front");
}

static void names(void)
{
    static const struct { const char *name, *part; } rows[] = {
        { "a b.txt", "percent-encoded" }, { "a%20b.txt", NULL }, { "%c3%9c.txt", NULL },
        { "\303\234.txt", "percent-encoded" }, { "[Content_Types].xml", NULL },
        { "%41.txt", "percent-encoded" }, { "..%2Fa.txt", "not a name" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct zip_image z = { .data = NULL };
        (void)zip_put_stored(&z, rows[i].name, text, sizeof text);
        zip_end(&z, NULL, 0);
        expect(&z, NULL, DEFAULTS, rows[i].part);
    }
    struct zip_image dir = { .data = NULL };
    (void)zip_put_stored(&dir, "dir/", "", 0);
    zip_end(&dir, NULL, 0);
    expect(&dir, NULL, TYPES("<Override PartName='/dir/' ContentType='a/b'/>"), "directory");
}

static void content_types(void)
{
    struct zip_image z = two_files((struct zip_image){ .data = NULL });
    expect(&z, NULL, NULL, "is missing");
    z = two_files((struct zip_image){ .data = NULL });
    expect(&z, NULL, TYPES("<Default Extension='txt' ContentType='a/b'"), "[Content_Types].xml: line 1");
    z = two_files((struct zip_image){ .data = NULL });
    expect(&z, NULL, "<Other/>", "not Types");
    z = two_files((struct zip_image){ .data = NULL });
    expect(&z, NULL, TYPES("<Override PartName='/a.txt' ContentType='a/b'/>"
                           "<Override PartName='dir/b.txt' ContentType='a/b'/>"),
           "'dir/b.txt': it has no content type");
    z = two_files((struct zip_image){ .data = NULL });
    expect(&z, NULL, TYPES("<Override PartName='/A.TXT' ContentType='a/b'/>"
                           "<Override PartName='/dir/b.txt' ContentType='a/b'/>"), NULL);
}

#define MAP(inside)                                                                                   \
    "<BlockMap xmlns='http://schemas.microsoft.com/appx/2010/blockmap' "                              \
    "HashMethod='http://www.w3.org/2001/04/xmlenc#sha256'>" inside "</BlockMap>"
#define HASH "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void what_the_block_map_says(void)
{
    struct zip_image z = { .data = NULL };
    (void)zip_put_stored(&z, "a.txt", text, sizeof text);
    zip_end(&z, NULL, 0);
    expect(&z, MAP("<File Name='a.txt' Size='10' LfhSize='36'><Block Hash='" HASH "'/></File>"), DEFAULTS,
           "its header has 35 bytes, and 36 in the block map");
    static const struct { const char *size, *part; } rows[] = {
        { "Size='6'", NULL }, { "Size='4'", NULL }, { "", "how long its blocks are" },
        { "Size='5'", "its blocks in the block map have 5 bytes, in the archive it has 6" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char map[500];
        (void)snprintf(map, sizeof map, MAP("<File Name='a.txt' Size='10' LfhSize='35'><Block Hash='" HASH
                                            "' %s/></File>"), rows[i].size);
        z = (struct zip_image){ .data = NULL };
        (void)zip_put(&z, "a.txt", ZIP_DEFLATED, "abcdef", 6, 10, 0);
        zip_end(&z, NULL, 0);
        expect(&z, map, DEFAULTS, rows[i].part);
    }
}

static void only_so_many_are_kept(void)
{
    struct zip_image z = { .data = NULL };
    char name[32];

    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "a b %u.txt", i);
        (void)zip_put_stored(&z, name, text, sizeof text);
    }
    zip_end(&z, NULL, 0);
    CU_ASSERT_EQUAL(check_in(&z, NULL, DEFAULTS, 1000)->count, 100);
    zip_image_free(&z);
}

UNIT_MAIN("appx-rules", TEST(right_ones_of_every_form), TEST(headers_that_say_something_else),
          TEST(extra_fields_that_end_too_soon),
          TEST(descriptors_that_say_something_else), TEST(bytes_that_belong_to_no_file), TEST(names),
          TEST(content_types), TEST(what_the_block_map_says), TEST(only_so_many_are_kept))
