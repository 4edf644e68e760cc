/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/name_index.c. */
#include "config.h"

#include <stdio.h>

#include "src/name_index.h"
#include "tests/unit.h"

static struct name_index *new_index(void)
{
    struct name_index *x = NULL;
    CU_ASSERT_EQUAL_FATAL(name_index_new(&x, NULL), 0);
    return x;
}

static uint32_t find(const struct name_index *x, uint32_t parent, const char *name)
{
    return name_index_find(x, parent, name, strlen(name));
}

static void names_are_found_in_either_case_below_their_parent(void)
{
    struct name_index *x = new_index();
    uint32_t found;

    CU_ASSERT_EQUAL(name_index_add(x, 0, "\xc3\xa4pfel", strlen("\xc3\xa4pfel"), 7, &found, NULL), 0);
    CU_ASSERT_EQUAL(found, 7);
    CU_ASSERT_EQUAL(name_index_add(x, 1, "\xc3\xa4pfel", strlen("\xc3\xa4pfel"), 8, &found, NULL), 0);
    CU_ASSERT_EQUAL(found, 8);
    CU_ASSERT_EQUAL(find(x, 0, "\xc3\x84PFEL"), 7);
    CU_ASSERT_EQUAL(find(x, 1, "\xc3\xa4pfeL"), 8);
    CU_ASSERT_EQUAL(find(x, 2, "\xc3\xa4pfel"), NAME_INDEX_NONE);
    CU_ASSERT_EQUAL(find(x, 0, ""), NAME_INDEX_NONE);
    CU_ASSERT_EQUAL(name_index_find(x, 0, "\xc3\xa4pfel", 4), NAME_INDEX_NONE);
    name_index_free(x);
}

static void the_first_of_two_equal_names_stays(void)
{
    struct name_index *x = new_index();
    uint32_t found;

    CU_ASSERT_EQUAL(name_index_add(x, 0, "a", strlen("a"), 1, &found, NULL), 0);
    CU_ASSERT_EQUAL(name_index_add(x, 0, "A", strlen("A"), 2, &found, NULL), 0);
    CU_ASSERT_EQUAL(found, 1);
    CU_ASSERT_EQUAL(find(x, 0, "A"), 1);
    name_index_free(x);
}

static void ten_thousand_names_are_all_found(void)
{
    static char names[10000][8];
    struct name_index *x = new_index();
    uint32_t found;

    for (uint32_t i = 0; i < 10000; i++) {
        (void)snprintf(names[i], sizeof names[i], "n%u", i);
        CU_ASSERT_EQUAL(name_index_add(x, i % 3, names[i], strlen(names[i]), i, &found, NULL), 0);
    }
    for (uint32_t i = 0; i < 10000; i++) {
        CU_ASSERT_EQUAL(find(x, i % 3, names[i]), i);
        CU_ASSERT_EQUAL(find(x, 3, names[i]), NAME_INDEX_NONE);
    }
    name_index_free(x);
    name_index_free(NULL);
}

UNIT_MAIN("name_index", TEST(names_are_found_in_either_case_below_their_parent),
          TEST(the_first_of_two_equal_names_stays), TEST(ten_thousand_names_are_all_found))
