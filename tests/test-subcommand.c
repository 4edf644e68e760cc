/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of tools/subcommand.c. */
#include "config.h"

#include "tools/subcommand.h"

#include "tests/unit.h"

enum { OPT_A = CLI_ID_OWN, OPT_B, OPT_C };

static const struct cli_option options[] = {
    { "a", 0, NULL, "", OPT_A },
    { "b", 0, NULL, "", OPT_B },
    { "c", 0, NULL, "", OPT_C },
    { NULL, 0, NULL, NULL, 0 },
};
static const struct row {
    struct subcommand is;
    int number;
} rows[] = {
    { { "none", { 0 } }, 1 },
    { { "some", { OPT_A, OPT_C } }, 2 },
};

static const struct row *find(const char *name)
{
    return subcommand_find(rows, ARRAY_LEN(rows), sizeof *rows, name);
}

static void subcommand_is_found_by_its_whole_name(void)
{
    CU_ASSERT_PTR_EQUAL(find("none"), &rows[0]);
    CU_ASSERT_PTR_EQUAL(find("some"), &rows[1]);
    CU_ASSERT_PTR_NULL(find("som"));
    CU_ASSERT_PTR_NULL(find("something"));
    CU_ASSERT_PTR_NULL(find(""));
}

static void subcommand_takes_its_own_options(void)
{
    struct subcommand_given given = { .count = 0 };

    CU_ASSERT_PTR_NULL(subcommand_stray(&given, &rows[0].is, options));
    subcommand_note(&given, OPT_C);
    subcommand_note(&given, OPT_A);
    CU_ASSERT_PTR_NULL(subcommand_stray(&given, &rows[1].is, options));
}

static void subcommand_names_the_first_option_that_is_not_its_own(void)
{
    struct subcommand_given given = { .count = 0 };

    subcommand_note(&given, OPT_C);
    subcommand_note(&given, OPT_B);
    subcommand_note(&given, OPT_A);
    CU_ASSERT_PTR_EQUAL(subcommand_stray(&given, &rows[0].is, options), &options[2]);
    CU_ASSERT_PTR_EQUAL(subcommand_stray(&given, &rows[1].is, options), &options[1]);
}

static void subcommand_notes_a_repeated_option_once(void)
{
    struct subcommand_given given = { .count = 0 };

    for (int i = 0; i < 20; i++)
        subcommand_note(&given, OPT_A);
    subcommand_note(&given, OPT_B);
    CU_ASSERT_EQUAL(given.count, 2);
    CU_ASSERT_PTR_EQUAL(subcommand_stray(&given, &rows[1].is, options), &options[1]);
}

UNIT_MAIN("subcommand", TEST(subcommand_is_found_by_its_whole_name),
          TEST(subcommand_takes_its_own_options),
          TEST(subcommand_names_the_first_option_that_is_not_its_own),
          TEST(subcommand_notes_a_repeated_option_once))
