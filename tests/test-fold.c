/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Folding, comparing and hashing of names, and which names are allowed. */
#include "config.h"

#include "src/fold.h"

#include <stdio.h>

#include "tests/unit.h"

#define SHARP_S   "\xc3\x9f"
#define O_UMLAUT  "\xc3\xb6"
#define O_CAPITAL "\xc3\x96"

static bool equal(const char *a, const char *b)
{
    bool there = fold_equal(a, strlen(a), b, strlen(b));
    bool back = fold_equal(b, strlen(b), a, strlen(a));

    CU_ASSERT_EQUAL(there, back);
    return there;
}

static int sign(const char *a, const char *b)
{
    int there = fold_compare(a, strlen(a), b, strlen(b));
    int back = fold_compare(b, strlen(b), a, strlen(a));

    there = (there > 0) - (there < 0);
    CU_ASSERT_EQUAL(there, (back < 0) - (back > 0));
    return there;
}

static uint64_t hash_salted(uint64_t salt, const char *name)
{
    static const uint64_t key[2] = { 1, 2 };
    return fold_hash(key, salt, name, strlen(name));
}

static uint64_t hash(const char *name)
{
    return hash_salted(0, name);
}

static void fold_maps_ascii_letters_only(void)
{
    for (uint32_t c = 0; c < 0x80; c++)
        CU_ASSERT_EQUAL(fold_code_point(c), c >= 'a' && c <= 'z' ? c - 32 : c);
}

static void fold_maps_letters_of_many_scripts(void)
{
    static const uint32_t pairs[][2] = {
        { 0xe4, 0xc4 },     { 0xff, 0x178 },    { 0x101, 0x100 }, { 0x1c6, 0x1c4 },
        { 0x250, 0x2c6f },  { 0x3b1, 0x391 },   { 0x3c3, 0x3a3 }, { 0x3c2, 0x3a3 },
        { 0x430, 0x410 },   { 0x451, 0x401 },   { 0x561, 0x531 }, { 0x1e01, 0x1e00 },
        { 0x24d0, 0x24b6 }, { 0xff41, 0xff21 },
    };

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        CU_ASSERT_EQUAL(fold_code_point(pairs[i][0]), pairs[i][1]);
        CU_ASSERT_EQUAL(fold_code_point(pairs[i][1]), pairs[i][1]);
    }
}

static void fold_leaves_what_ntfs_leaves(void)
{
    static const uint32_t same[] = {
        0xdf,    /* sharp s */
        0x131,   /* dotless i would become ASCII */
        0x17f,   /* long s as well */
        0x212a,  /* Kelvin sign */
        0x149,   /* has no single upper-case letter */
        0x10428, /* Deseret, outside the BMP */
        0x1e943, 0x10ffff, 0x4e00, 0xd7ff, 0xfffd,
    };

    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        CU_ASSERT_EQUAL(fold_code_point(same[i]), same[i]);
}

static void fold_never_maps_into_ascii_or_out_of_the_bmp(void)
{
    unsigned wrong = 0;

    for (uint32_t c = 0x80; c < 0x110000; c++) {
        uint32_t up = fold_code_point(c);
        wrong += up < 0x80 || (c > 0xffff ? up != c : up > 0xffff);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void fold_twice_is_fold_once(void)
{
    unsigned wrong = 0;

    for (uint32_t c = 0; c < 0x110000; c++)
        wrong += fold_code_point(fold_code_point(c)) != fold_code_point(c);
    CU_ASSERT_EQUAL(wrong, 0);
}

static void equal_ignores_case_at_every_length(void)
{
    char a[40], b[40];

    for (size_t len = 0; len < sizeof a; len++) {
        memset(a, 'k', len);
        memset(b, 'K', len);
        CU_ASSERT(fold_equal(a, len, b, len));
        for (size_t i = 0; i < len; i++) {
            b[i] = 'L';
            CU_ASSERT(!fold_equal(a, len, b, len));
            b[i] = 'K';
        }
        if (len)
            CU_ASSERT(!fold_equal(a, len, b, len - 1));
    }
}

static void equal_does_not_take_symbols_for_letters(void)
{
    /* The neighbours of A-Z and a-z differ by the case bit from one another. */
    CU_ASSERT(!equal("aaaaaaa@", "aaaaaaa`"));
    CU_ASSERT(!equal("aaaaaaa[", "aaaaaaa{"));
    CU_ASSERT(!equal("@", "`"));
    CU_ASSERT(!equal("[", "{"));
    for (int c = 1; c < 0x80; c++)
        for (int d = 1; d < 0x80; d++) {
            char a[9] = "aaaaaaa", b[9] = "AAAAAAA";
            a[7] = (char)c;
            b[7] = (char)d;
            bool same = fold_code_point((uint32_t)c) == fold_code_point((uint32_t)d);
            if (fold_equal(a, 8, b, 8) != same)
                CU_FAIL("words and code points disagree");
        }
}

static void equal_folds_other_scripts(void)
{
    CU_ASSERT(equal("Gr" O_UMLAUT SHARP_S "e.txt", "GR" O_CAPITAL SHARP_S "E.TXT"));
    CU_ASSERT(!equal("Gr" O_UMLAUT SHARP_S "e.txt", "GR" O_CAPITAL "SSE.TXT"));
    CU_ASSERT(equal("\xc9\x90", "\xe2\xb1\xaf")); /* two bytes against three */
    CU_ASSERT(equal("\xcf\x83\xcf\x82", "\xce\xa3\xce\xa3"));
    CU_ASSERT(!equal("\xc4\xb1", "I"));
    CU_ASSERT(!equal("o\xcc\x88", O_UMLAUT)); /* no normalisation */
    CU_ASSERT(!equal("\xf0\x90\x90\xa8", "\xf0\x90\x90\x80"));
}

static void equal_takes_invalid_bytes_for_themselves_only(void)
{
    CU_ASSERT(equal("a\xff", "A\xff"));
    CU_ASSERT(!equal("\xff", "\xfe"));
    CU_ASSERT(!equal("\xe4", "\xc4")); /* Latin-1 letters */
    CU_ASSERT(!equal("\xc3", "\xc3\xb6"));
    CU_ASSERT(!equal("\xed\xa0\x80", "\xed\xa0\x81")); /* surrogates */
    CU_ASSERT(!equal("\xc1\x81", "A"));                /* overlong */
}

static void compare_orders_by_folded_code_point(void)
{
    CU_ASSERT_EQUAL(sign("a", "B"), -1);
    CU_ASSERT_EQUAL(sign("_", "a"), 1); /* after Z, as Windows sorts */
    CU_ASSERT_EQUAL(sign("a", "ab"), -1);
    CU_ASSERT_EQUAL(sign("", "a"), -1);
    CU_ASSERT_EQUAL(sign("a10", "A2"), -1);
    CU_ASSERT_EQUAL(sign("z", O_UMLAUT), -1);
    CU_ASSERT_EQUAL(sign("\xef\xbf\xbd", "\xf0\x90\x80\x80"), -1);
    CU_ASSERT_EQUAL(sign("\xf4\x8f\xbf\xbf", "\xff"), -1);
}

static void compare_orders_equal_names_by_bytes(void)
{
    CU_ASSERT_EQUAL(sign("A", "a"), -1);
    CU_ASSERT_EQUAL(sign("aB", "Ab"), 1);
    CU_ASSERT_EQUAL(sign("same", "same"), 0);
    CU_ASSERT_EQUAL(sign("", ""), 0);
    CU_ASSERT_EQUAL(sign("\xc9\x90", "\xe2\xb1\xaf"), -1);
}

static void hash_agrees_with_the_reference(void)
{
    /* openssl mac -macopt c-rounds:1 -macopt d-rounds:3 -macopt size:8 -macopt hexkey:... SIPHASH
     */
    static const uint64_t zero[2] = { 0 };
    static const uint64_t key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };

    CU_ASSERT_EQUAL(fold_hash(zero, 0, "", 0), UINT64_C(0xbd60acb658c79e45));
    CU_ASSERT_EQUAL(fold_hash(zero, 0, "a", 1), UINT64_C(0x48c0f2bc7c3ead89));
    CU_ASSERT_EQUAL(fold_hash(zero, 1, "AbCdEfGh", 8), UINT64_C(0x54f64e037b27b843));
    CU_ASSERT_EQUAL(fold_hash(zero, UINT64_C(0x0102030405060708), "Kernel32.dll", 12),
                    UINT64_C(0x13a735e34c598c7f));
    CU_ASSERT_EQUAL(fold_hash(zero, 7, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 40),
                    UINT64_C(0x0b2a4249923172b6));
    CU_ASSERT_EQUAL(fold_hash(key, 7, "setup.exe", 9), UINT64_C(0xe88719f2c99199d5));
}

static void hash_is_the_same_for_equal_names(void)
{
    CU_ASSERT_EQUAL(hash("readme.txt"), hash("README.TXT"));
    CU_ASSERT_EQUAL(hash("Gr" O_UMLAUT SHARP_S "e of a long name"),
                    hash("gR" O_CAPITAL SHARP_S "E OF A LONG NAME"));
    CU_ASSERT_EQUAL(hash("\xc9\x90"
                         "1234567890"),
                    hash("\xe2\xb1\xaf"
                         "1234567890"));
    CU_ASSERT_EQUAL(hash("\xff"
                         "abcdefghijk"),
                    hash("\xff"
                         "ABCDEFGHIJK"));
}

static void hash_depends_on_key_salt_name_and_length(void)
{
    static const uint64_t other[2] = { 1, 3 };

    CU_ASSERT_NOT_EQUAL(hash("a"), fold_hash(other, 0, "a", 1));
    CU_ASSERT_NOT_EQUAL(hash("a"), hash_salted(1, "a"));
    CU_ASSERT_NOT_EQUAL(hash("a"), hash("b"));
    CU_ASSERT_NOT_EQUAL(fold_hash(other, 0, "a\0", 2), fold_hash(other, 0, "a", 1));
    CU_ASSERT_NOT_EQUAL(hash("\xff"), hash("\xfe"));
}

static enum err_kind check(const char *name, size_t len)
{
    struct err e = { 0 };
    int rc = name_check(name, len, &e);

    CU_ASSERT_EQUAL(rc, -err_kind_errno(e.kind));
    return e.kind;
}

#define ALLOWED(name) CU_ASSERT_EQUAL(check(name, sizeof(name) - 1), ERR_NONE)
#define REFUSED(name) CU_ASSERT_EQUAL(check(name, sizeof(name) - 1), ERR_BAD_NAME)

static void name_check_allows_what_linux_can_hold(void)
{
    char longest[255];

    ALLOWED("a");
    ALLOWED("...");
    ALLOWED(".a");
    ALLOWED("..a");
    ALLOWED("a. ");
    ALLOWED("Gr" O_UMLAUT SHARP_S "e:<>|?*\"");
    ALLOWED("\xe6\xbc\xa2\xe5\xad\x97");
    ALLOWED("\xf0\x9f\x98\x80");
    ALLOWED("\xc2\xa0");
    memset(longest, 'x', sizeof longest);
    CU_ASSERT_EQUAL(check(longest, sizeof longest), ERR_NONE);
}

static void name_check_refuses_separators_and_dots(void)
{
    REFUSED("");
    REFUSED(".");
    REFUSED("..");
    REFUSED("/");
    REFUSED("a/b");
    REFUSED("..\\x");
    REFUSED("\\");
}

static void name_check_refuses_control_characters(void)
{
    REFUSED("a\0b");
    REFUSED("\0");
    REFUSED("a\nb");
    REFUSED("\x1b[31m");
    REFUSED("\x7f");
    REFUSED("\xc2\x80");
    REFUSED("\xc2\x9f");
}

static void name_check_refuses_invalid_utf8(void)
{
    REFUSED("\xff");
    REFUSED("a\xc3");
    REFUSED("\xc3(");
    REFUSED("\x80");
    REFUSED("\xc0\xaf"); /* overlong '/' */
    REFUSED("\xe0\x80\xaf");
    REFUSED("\xc1\x9c");         /* overlong '\' */
    REFUSED("\xed\xa0\x80");     /* surrogate */
    REFUSED("\xf4\x90\x80\x80"); /* above U+10FFFF */
    REFUSED("\xe6\xbc");
}

static void name_check_refuses_names_too_long(void)
{
    char name[256];

    memset(name, 'x', sizeof name);
    CU_ASSERT_EQUAL(check(name, sizeof name), ERR_BAD_NAME);
}

static void name_check_works_without_err(void)
{
    CU_ASSERT_EQUAL(name_check("/", 1, NULL), -err_kind_errno(ERR_BAD_NAME));
    CU_ASSERT_EQUAL(name_check("a", 1, NULL), 0);
}

static void dos_names_are_recognised(void)
{
    static const char *const yes[] = { "A",        "A.B",      "LONGNA~1.DAT", "12345678.123",
                                       "12345678", "!#$%&'()", "-@^_`{}~.X-1" };
    static const char *const no[] = { "",     ".",         "..",     ".A",       "A.",    "a",
                                      "A.b",  "123456789", "A.1234", "A.B.C",    "A B",   "A/B",
                                      "A\\B", "A+B",       "A:B",    "\xc3\x84", "A.\xc3" };

    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        CU_ASSERT(name_is_8_3(yes[i], strlen(yes[i])));
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        CU_ASSERT(!name_is_8_3(no[i], strlen(no[i])));
    CU_ASSERT(!name_is_8_3("A\0B", 3));
}

UNIT_MAIN("fold", TEST(fold_maps_ascii_letters_only), TEST(fold_maps_letters_of_many_scripts),
          TEST(fold_leaves_what_ntfs_leaves), TEST(fold_never_maps_into_ascii_or_out_of_the_bmp),
          TEST(fold_twice_is_fold_once), TEST(equal_ignores_case_at_every_length),
          TEST(equal_does_not_take_symbols_for_letters), TEST(equal_folds_other_scripts),
          TEST(equal_takes_invalid_bytes_for_themselves_only),
          TEST(compare_orders_by_folded_code_point), TEST(compare_orders_equal_names_by_bytes),
          TEST(hash_agrees_with_the_reference), TEST(hash_is_the_same_for_equal_names),
          TEST(hash_depends_on_key_salt_name_and_length),
          TEST(name_check_allows_what_linux_can_hold), TEST(name_check_refuses_separators_and_dots),
          TEST(name_check_refuses_control_characters), TEST(name_check_refuses_invalid_utf8),
          TEST(name_check_refuses_names_too_long), TEST(name_check_works_without_err),
          TEST(dos_names_are_recognised))
