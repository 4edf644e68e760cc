/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log lines: formatting, level and the one sink. See log.h. */
#include "config.h"

#include "src/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { LINES_A_MINUTE = 10 };

static void to_stderr(enum log_level level, const char *line)
{
    (void)level;
    (void)fprintf(stderr, "%s\n", line); /* nowhere left to report a failure to */
}

static _Atomic(log_sink_fn) current_sink = to_stderr;
static _Atomic int current_level = LOG_LEVEL_INFO;

void log_set_sink(log_sink_fn sink)
{
    atomic_store(&current_sink, sink ? sink : to_stderr);
}

void log_set_level(enum log_level level)
{
    atomic_store(&current_level, (int)level);
}

void log_line(enum log_level level, const char *subsystem, const char *fmt, ...)
{
    char line[1024];
    va_list ap;

    if ((int)level > atomic_load_explicit(&current_level, memory_order_relaxed))
        return;
    int n = snprintf(line, sizeof line, "%s: ", subsystem);
    if (n < 0 || (size_t)n >= sizeof line)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
    va_end(ap);
    /* One line stays one line, whatever names from a package are in it. */
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    atomic_load(&current_sink)(level, line);
}

bool log_limit_allows(struct log_limit *limit, unsigned *suppressed)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    long minute = (long)(now.tv_sec / 60) + 1;
    if (atomic_exchange(&limit->minute, minute) != minute)
        atomic_store(&limit->used, 0);
    if (atomic_fetch_add(&limit->used, 1) >= LINES_A_MINUTE) {
        atomic_fetch_add(&limit->refused, 1);
        return false;
    }
    *suppressed = atomic_exchange(&limit->refused, 0);
    return true;
}
