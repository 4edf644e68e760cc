/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/log.c. */
#include "config.h"

#include <stdio.h>

#include "src/log.h"
#include "tests/unit.h"

static char last[1024];
static int lines;

static void capture(enum log_level level, const char *line)
{
    (void)level;
    (void)snprintf(last, sizeof last, "%s", line);
    lines++;
}

static void log_line_has_its_subsystem_in_front(void)
{
    log_set_sink(capture);
    log_error("fs", "block %d", 7);
    CU_ASSERT_STRING_EQUAL(last, "fs: block 7");
    log_set_sink(NULL);
}

static void log_line_stays_one_line(void)
{
    log_set_sink(capture);
    log_error("fs", "name %s", "a\nb\x1b[0m");
    CU_ASSERT_STRING_EQUAL(last, "fs: name a?b?[0m");
    log_set_sink(NULL);
}

static void log_level_drops_what_is_above_it(void)
{
    log_set_sink(capture);
    lines = 0;
    log_debug("fs", "x");
    CU_ASSERT_EQUAL(lines, 0);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("fs", "x");
    CU_ASSERT_EQUAL(lines, 1);
    log_set_level(LOG_LEVEL_INFO);
    log_set_sink(NULL);
}

static void log_limit_counts_what_it_refuses(void)
{
    struct log_limit limit = { 0 };
    unsigned suppressed, allowed = 0;
    for (int i = 0; i < 1000; i++)
        allowed += log_limit_allows(&limit, &suppressed);
    /* The loop may cross one boundary between minutes, never two. */
    CU_ASSERT(allowed >= 1 && allowed <= 20);
}

UNIT_MAIN("log",
          TEST(log_line_has_its_subsystem_in_front),
          TEST(log_line_stays_one_line),
          TEST(log_level_drops_what_is_above_it),
          TEST(log_limit_counts_what_it_refuses))
