/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 8.3 names as Windows makes them. */
#include "config.h"

#include "src/short_name.h"

#include <stdio.h>

#include "src/fold.h"
#include "tests/unit.h"

static void made_name_is(const char *name, const char *expected)
{
    char out[1][SHORT_NAME_SIZE];
    CU_ASSERT_EQUAL_FATAL(short_names_make(&name, 1, out, NULL), 0);
    if (strcmp(out[0], expected) != 0)
        printf("\n    %s: %s, expected %s\n", name, out[0], expected);
    CU_ASSERT_STRING_EQUAL(out[0], expected);
}

static void valid_8_3_names_get_none_in_any_case(void)
{
    made_name_is("README.TXT", "");
    made_name_is("readme.txt", "");
    made_name_is("Makefile", "");
    made_name_is("a", "");
}

static void long_names_are_cut_and_numbered(void)
{
    made_name_is("Program Files", "PROGRA~1");
    made_name_is("longfilename.html", "LONGFI~1.HTM");
    made_name_is("archive.tar.gz", "ARCHIV~1.GZ");
    made_name_is("a.b.c", "AB~1.C");
}

static void characters_that_dos_forbids_are_replaced(void)
{
    made_name_is("a+b,c;d.txt", "A_B_C_~1.TXT");
    made_name_is("my file.c++", "MYFILE~1.C__");
}

static void leading_dots_are_left_out(void)
{
    made_name_is(".profile", "PROFIL~1");
    made_name_is("..config.ini", "CONFIG~1.INI");
}

static void each_foreign_letter_becomes_one_underscore(void)
{
    made_name_is("\xC3\xA4\xE6\x97\xA5x.txt", "__X~1.TXT");
    made_name_is("\xE6\x97\xA5", "_~1");
}

static void name_of_nothing_allowed_is_an_underscore(void)
{
    made_name_is("... ...", "_~1");
}

static void alike_names_are_counted_and_then_hashed(void)
{
    static const char *const names[] = { "document 1.txt", "document 2.txt", "document 3.txt",
                                         "document 4.txt", "document 5.txt", "document 6.txt" };
    char out[6][SHORT_NAME_SIZE];
    CU_ASSERT_EQUAL_FATAL(short_names_make(names, 6, out, NULL), 0);
    CU_ASSERT_STRING_EQUAL(out[0], "DOCUME~1.TXT");
    CU_ASSERT_STRING_EQUAL(out[3], "DOCUME~4.TXT");
    CU_ASSERT_NSTRING_EQUAL(out[4], "DO", 2);
    CU_ASSERT_STRING_EQUAL(out[4] + 6, "~1.TXT");
    CU_ASSERT_STRING_NOT_EQUAL(out[4], out[5]);
}

static void made_name_avoids_existing_names(void)
{
    static const char *const names[] = { "progra~1", "Program Files" };
    char out[2][SHORT_NAME_SIZE];
    CU_ASSERT_EQUAL_FATAL(short_names_make(names, 2, out, NULL), 0);
    CU_ASSERT_STRING_EQUAL(out[0], "");
    CU_ASSERT_STRING_EQUAL(out[1], "PROGRA~2");
}

static void names_of_a_large_directory_are_valid_and_unique(void)
{
    enum { COUNT = 3000 };
    static char text[COUNT][32];
    static const char *names[COUNT];
    static char out[COUNT][SHORT_NAME_SIZE];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text[i], sizeof text[i], "same beginning %d.data", i);
        names[i] = text[i];
    }
    CU_ASSERT_EQUAL_FATAL(short_names_make(names, COUNT, out, NULL), 0);
    int bad = 0, same = 0;
    for (int i = 0; i < COUNT; i++) {
        bad += !name_is_8_3(out[i], strlen(out[i]));
        for (int j = 0; j < i; j++)
            same += strcmp(out[i], out[j]) == 0;
    }
    CU_ASSERT_EQUAL(bad, 0);
    CU_ASSERT_EQUAL(same, 0);
}

UNIT_MAIN("short_name",
          TEST(valid_8_3_names_get_none_in_any_case),
          TEST(long_names_are_cut_and_numbered),
          TEST(characters_that_dos_forbids_are_replaced),
          TEST(leading_dots_are_left_out),
          TEST(each_foreign_letter_becomes_one_underscore),
          TEST(name_of_nothing_allowed_is_an_underscore),
          TEST(alike_names_are_counted_and_then_hashed),
          TEST(made_name_avoids_existing_names),
          TEST(names_of_a_large_directory_are_valid_and_unique))
