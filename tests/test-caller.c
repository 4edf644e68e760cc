/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a thread that asks for a name is doing: renames recognised, by the kernel's own text too. */
#include "config.h"

#include "fs/caller.h"

#include <stdio.h>
#include <sys/syscall.h>

#include "tests/unit.h"

static void caller_parse_finds_the_arguments_of_renames(void)
{
    struct caller_call c;
    char text[200];

    snprintf(text, sizeof text, "%ld 0xffffff9c 0x1000 0xffffff9c 0x2000 0x1 0x0 0x7ffc 0x7f00\n",
             (long)SYS_renameat2);
    CU_ASSERT_FATAL(caller_parse(text, &c));
    CU_ASSERT_EQUAL(c.from, 0x1000);
    CU_ASSERT_EQUAL(c.to, 0x2000);
    CU_ASSERT_EQUAL(c.flags, 1);
    snprintf(text, sizeof text, "%ld 0xffffff9c 0x1000 0xffffff9c 0x2000 0x77 0x0 0x7ffc 0x7f00\n",
             (long)SYS_renameat);
    CU_ASSERT_FATAL(caller_parse(text, &c));
    CU_ASSERT_EQUAL(c.to, 0x2000);
    CU_ASSERT_EQUAL(c.flags, 0);
}

static void caller_parse_refuses_other_calls_and_texts(void)
{
    struct caller_call c;
    char text[200];

    snprintf(text, sizeof text, "%ld 0x3 0x1000 0x10 0x2000 0x0 0x0 0x7ffc 0x7f00\n",
             (long)SYS_read);
    CU_ASSERT_FALSE(caller_parse(text, &c));
    CU_ASSERT_FALSE(caller_parse("running\n", &c));
    CU_ASSERT_FALSE(caller_parse("-1 0x7ffc 0x7f00\n", &c));
    CU_ASSERT_FALSE(caller_parse("", &c));
}

static void caller_that_is_unknown_does_not_rename(void)
{
    CU_ASSERT_EQUAL(caller_renames_to(0, "x", false), CALLER_NO_RENAME);
    CU_ASSERT_EQUAL(caller_renames_to(-1, "x", false), CALLER_NO_RENAME);
    CU_ASSERT_EQUAL(caller_renames_to((pid_t)syscall(SYS_gettid), "x", false), CALLER_NO_RENAME);
}

UNIT_MAIN("caller",
          TEST(caller_parse_finds_the_arguments_of_renames),
          TEST(caller_parse_refuses_other_calls_and_texts),
          TEST(caller_that_is_unknown_does_not_rename))
