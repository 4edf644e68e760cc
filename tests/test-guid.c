/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GUIDs: text form, comparison, derivation. */
#include "config.h"

#include "src/guid.h"

#include "tests/unit.h"

#define TEXT "0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0"

static const struct guid known = { { 0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x69, 0x78, 0x87, 0x96,
                                     0xa5, 0xb4, 0xc3, 0xd2, 0xe1, 0xf0 } };

static void format_writes_upper_case_without_braces(void)
{
    char text[GUID_TEXT_SIZE];

    guid_format(&known, text);
    CU_ASSERT_STRING_EQUAL(text, TEXT);
}

static void parse_takes_braces_either_case_and_space(void)
{
    static const char *const texts[] = {
        TEXT,
        "{" TEXT "}",
        "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
        " \t\r\n{0f1e2d3c-4B5A-6978-8796-A5B4C3D2E1F0} \n",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct guid g = { { 0 } };
        CU_ASSERT_EQUAL(guid_parse(texts[i], &g), 0);
        CU_ASSERT(guid_equal(&g, &known));
    }
}

static void parse_refuses_everything_else(void)
{
    static const char *const texts[] = {
        "",
        " ",
        "{}",
        "{" TEXT,
        TEXT "}",
        "{ " TEXT " }",
        "{{" TEXT "}}",
        TEXT "0",
        "0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F",
        "0F1E2D3C4B5A69788796A5B4C3D2E1F0",
        "0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1G0",
        "0F1E2D3C+4B5A-6978-8796-A5B4C3D2E1F0",
        "0F1E2D3-C4B5A-6978-8796-A5B4C3D2E1F0",
        "0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1 0",
        "\xef\xbc\x90"
        "F1E2D3C-4B5A-6978-8796-A5B4C3D2E1",
    };
    struct guid g = known;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CU_ASSERT_EQUAL(guid_parse(texts[i], &g), -EINVAL);
    CU_ASSERT(guid_equal(&g, &known));
}

static void text_survives_the_way_there_and_back(void)
{
    char text[GUID_TEXT_SIZE];
    struct guid g;

    CU_ASSERT_EQUAL_FATAL(guid_parse("{" TEXT "}", &g), 0);
    guid_format(&g, text);
    CU_ASSERT_STRING_EQUAL(text, TEXT);
}

static void equal_looks_at_every_byte(void)
{
    for (size_t i = 0; i < sizeof known.b; i++) {
        struct guid g = known;
        CU_ASSERT(guid_equal(&g, &known));
        g.b[i] ^= 1;
        CU_ASSERT(!guid_equal(&g, &known));
    }
}

static void zero_is_only_all_zero(void)
{
    struct guid g = { { 0 } };

    CU_ASSERT(guid_is_zero(&g));
    g.b[15] = 1;
    CU_ASSERT(!guid_is_zero(&g));
}

static void derived_guid_has_version_8_and_the_digest_otherwise(void)
{
    uint8_t digest[16];
    struct guid g;

    memset(digest, 0xff, sizeof digest);
    guid_from_digest(digest, &g);
    CU_ASSERT_EQUAL(g.b[6], 0x8f);
    CU_ASSERT_EQUAL(g.b[8], 0xbf);
    CU_ASSERT_EQUAL(g.b[0], 0xff);
    CU_ASSERT_EQUAL(g.b[15], 0xff);
    memset(digest, 0, sizeof digest);
    guid_from_digest(digest, &g);
    CU_ASSERT_EQUAL(g.b[6], 0x80);
    CU_ASSERT_EQUAL(g.b[8], 0x80);
    CU_ASSERT_EQUAL(g.b[15], 0);
}

UNIT_MAIN("guid", TEST(format_writes_upper_case_without_braces),
          TEST(parse_takes_braces_either_case_and_space), TEST(parse_refuses_everything_else),
          TEST(text_survives_the_way_there_and_back), TEST(equal_looks_at_every_byte),
          TEST(zero_is_only_all_zero), TEST(derived_guid_has_version_8_and_the_digest_otherwise))
