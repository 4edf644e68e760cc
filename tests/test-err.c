/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/err.c. */
#include "config.h"

#include "src/err.h"
#include "tests/unit.h"

static void err_kinds_have_distinct_names(void)
{
    for (int a = 0; a < ERR_KIND_COUNT; a++) {
        const char *name = err_kind_name((enum err_kind)a);
        CU_ASSERT_PTR_NOT_NULL_FATAL(name);
        CU_ASSERT(strcmp(name, "unknown") != 0);
        for (int b = 0; b < a; b++)
            CU_ASSERT_STRING_NOT_EQUAL(name, err_kind_name((enum err_kind)b));
    }
    CU_ASSERT_STRING_EQUAL(err_kind_name(ERR_KIND_COUNT), "unknown");
}

static void err_kinds_have_an_errno(void)
{
    CU_ASSERT_EQUAL(err_kind_errno(ERR_NONE), 0);
    for (int a = 1; a < ERR_KIND_COUNT; a++)
        CU_ASSERT(err_kind_errno((enum err_kind)a) > 0);
}

static void err_at_keeps_section_and_offset(void)
{
    struct err e;
    CU_ASSERT_EQUAL(err_at(&e, ERR_CORRUPT, "INDX", 42, "count is %d", 7), -EIO);
    CU_ASSERT_EQUAL(e.kind, ERR_CORRUPT);
    CU_ASSERT_STRING_EQUAL(e.section, "INDX");
    CU_ASSERT_EQUAL(e.offset, 42);
    CU_ASSERT_STRING_EQUAL(e.text, "count is 7");
}

static void err_sys_maps_well_known_errnos(void)
{
    struct err e;
    errno = EACCES;
    CU_ASSERT_EQUAL(err_sys(&e, "open x"), -EACCES);
    CU_ASSERT_EQUAL(e.kind, ERR_DENIED);
    CU_ASSERT_STRING_EQUAL(e.text, "open x: Permission denied");
    errno = ENOSPC;
    CU_ASSERT_EQUAL(err_sys(&e, "write"), -ENOSPC);
    CU_ASSERT_EQUAL(e.kind, ERR_SYSTEM);
}

static void err_wrap_puts_context_in_front(void)
{
    struct err e;
    (void)err_set(&e, ERR_LIMIT, "too large");
    err_wrap(&e, "block %d", 3);
    CU_ASSERT_STRING_EQUAL(e.text, "block 3: too large");
    CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
}

static void err_accepts_null_and_long_texts(void)
{
    static char big[4096];
    struct err e;
    memset(big, 'x', sizeof big - 1);
    CU_ASSERT_EQUAL(err_set(NULL, ERR_LIMIT, "x"), -EFBIG);
    err_wrap(NULL, "x");
    (void)err_set(&e, ERR_LIMIT, "%s", big);
    err_wrap(&e, "%s", big);
    CU_ASSERT_EQUAL(strlen(e.text), sizeof e.text - 1);
}

UNIT_MAIN("err",
          TEST(err_kinds_have_distinct_names),
          TEST(err_kinds_have_an_errno),
          TEST(err_at_keeps_section_and_offset),
          TEST(err_sys_maps_well_known_errnos),
          TEST(err_wrap_puts_context_in_front),
          TEST(err_accepts_null_and_long_texts))
