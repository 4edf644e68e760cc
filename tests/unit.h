/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frame of a unit test program: one CUnit suite per module, the exit status says whether all passed
 * (automake reads it). Use:
 *
 *     static void cursor_refuses_reads_past_the_end(void) { CU_ASSERT(…); }
 *     UNIT_MAIN("cursor", TEST(cursor_refuses_reads_past_the_end), …)
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct unit_test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) { #function, function }

static int unit_run(const char *suite_name, const struct unit_test *tests, size_t count)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 99; /* automake: hard error */
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    for (size_t i = 0; suite && i < count; i++)
        if (!CU_add_test(suite, tests[i].name, tests[i].run))
            suite = NULL;
    if (!suite)
        return 99;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures() + CU_get_number_of_tests_failed();
    bool ran = CU_get_number_of_tests_run() == count;
    CU_cleanup_registry();
    return failed || !ran ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define UNIT_MAIN(suite, ...)                                                      \
    int main(void)                                                                 \
    {                                                                              \
        static const struct unit_test tests[] = { __VA_ARGS__ };                   \
        return unit_run(suite, tests, sizeof tests / sizeof *tests);               \
    }

#endif
