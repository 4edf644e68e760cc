/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/opc_name.c. */
#include "config.h"

#include "src/opc_name.h"
#include "tests/unit.h"

static void check_decoded(const char *name, const char *want)
{
    char out[64];
    struct err e = { .kind = ERR_NONE };
    long n = opc_name_decode(name, strlen(name), out, &e);

    if (n < 0 || strcmp(out, want) != 0)
        printf("\n    %s: %s", name, n < 0 ? e.text : out);
    CU_ASSERT_EQUAL(n, (long)strlen(want));
    CU_ASSERT(n >= 0 && !strcmp(out, want));
    if (n >= 0)
        CU_ASSERT_EQUAL(opc_name_check(out, (size_t)n, NULL), 0);
}

static void check_refused(const char *name, size_t len)
{
    char out[400];
    struct err e = { .kind = ERR_NONE };

    CU_ASSERT(len < sizeof out);
    if (opc_name_decode(name, len, out, &e) >= 0)
        printf("\n    %s was decoded", name);
    CU_ASSERT_EQUAL(e.kind, ERR_BAD_NAME);
    CU_ASSERT(*e.text);
}

static void names_are_decoded_once(void)
{
    check_decoded("AppxManifest.xml", "AppxManifest.xml");
    check_decoded("VFS/AppData/Notepad%2B%2B/Black%20board.xml",
                  "VFS/AppData/Notepad++/Black board.xml");
    check_decoded("%5BContent_Types%5D.xml", "[Content_Types].xml");
    check_decoded("a%255B1%255D.js", "a%5B1%5D.js");
    check_decoded("%25252525", "%252525");
    check_decoded("%c3%a4/%E6%97%A5", "\xc3\xa4/\xe6\x97\xa5");
    check_decoded("\xc3\xa4", "\xc3\xa4"); /* written by a tool that does not encode */
    check_decoded("...", "...");
    check_decoded("Root/%5B%7BAppVComputerSID%7D%5D", "Root/[{AppVComputerSID}]");
}

static void a_lone_percent_sign_stays(void)
{
    check_decoded("100%", "100%");
    check_decoded("%2", "%2");
    check_decoded("%", "%");
    check_decoded("%zz%4", "%zz%4");
    check_decoded("%%41", "%A");
    check_decoded("a%/41", "a%/41");
    check_decoded("a%4/1", "a%4/1");
}

static void hostile_names_are_refused(void)
{
    static const char *const names[] = {
        "",        "/",         "/a",     "a/",       "a//b",   ".",      "..",   "a/..",
        "../a",    "a/./b",     "%2e",    "%2E%2e/a", "a%2Fb",  "a/%2f",  "a\\b", "a%5cb",
        "a%00",    "%00",       "a%0ab",  "a\x7f",    "%C2%80", "%ff",    "\xff", "%c3",
        "%c3/%a4", "%ed%a0%80", "%c0%af", "C:",       "c:/a",   "C%3A/a", "z:a",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        check_refused(names[i], strlen(names[i]));
    check_refused("a\0b", 3);
}

static void a_component_of_256_bytes_is_refused(void)
{
    char name[256 + 2];
    char out[sizeof name];
    memset(name, 'x', sizeof name);
    CU_ASSERT_EQUAL(opc_name_decode(name, 255, out, NULL), 255);
    check_refused(name, 256);
    name[255] = '/';
    CU_ASSERT_EQUAL(opc_name_decode(name, 257, out, NULL), 257);
}

static void a_colon_elsewhere_is_no_drive(void)
{
    check_decoded("ab:c", "ab:c");
    check_decoded("a/c:", "a/c:");
    check_decoded("1:", "1:");
}

static void a_name_can_be_decoded_in_its_place(void)
{
    char name[] = "a%20b/%2B%25/c";
    CU_ASSERT_EQUAL(opc_name_decode(name, strlen(name), name, NULL), 8);
    CU_ASSERT_STRING_EQUAL(name, "a b/+%/c");
}

static void an_encoded_name_decodes_to_itself(void)
{
    static const struct {
        const char *name, *encoded;
    } rows[] = {
        { "a-b._~/Z9", "a-b._~/Z9" },
        { " !#$%&'()+,;=@[]^`{}", "%20%21%23%24%25%26%27%28%29%2B%2C%3B%3D%40%5B%5D%5E%60%7B%7D" },
        { "\xc3\xa4", "%C3%A4" },
        { "100%41", "100%2541" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[100], back[100];
        size_t n = opc_name_encode(rows[i].name, strlen(rows[i].name), out);
        CU_ASSERT_STRING_EQUAL(out, rows[i].encoded);
        CU_ASSERT_EQUAL(n, strlen(rows[i].encoded));
        CU_ASSERT_EQUAL(opc_name_decode(out, n, back, NULL), (long)strlen(rows[i].name));
        CU_ASSERT_STRING_EQUAL(back, rows[i].name);
    }
}

static void paths_of_documents_get_slashes(void)
{
    char good[] = "VFS\\a b\\%41/c", bad[] = "VFS\\..\\a", rooted[] = "\\a", drive[] = "C:\\a";
    struct err e;

    CU_ASSERT_EQUAL(opc_name_from_windows(good, strlen(good), &e), 0);
    CU_ASSERT_STRING_EQUAL(good, "VFS/a b/%41/c");
    CU_ASSERT(opc_name_from_windows(bad, strlen(bad), &e) < 0 && e.kind == ERR_BAD_NAME);
    CU_ASSERT(opc_name_from_windows(rooted, strlen(rooted), &e) < 0 && e.kind == ERR_BAD_NAME);
    CU_ASSERT(opc_name_from_windows(drive, strlen(drive), &e) < 0 && e.kind == ERR_BAD_NAME);
}

UNIT_MAIN("opc_name", TEST(names_are_decoded_once), TEST(a_lone_percent_sign_stays),
          TEST(hostile_names_are_refused), TEST(a_component_of_256_bytes_is_refused),
          TEST(a_colon_elsewhere_is_no_drive), TEST(a_name_can_be_decoded_in_its_place),
          TEST(an_encoded_name_decodes_to_itself), TEST(paths_of_documents_get_slashes))
