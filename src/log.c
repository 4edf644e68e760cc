/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log lines: formatting, level, and the one sink. See log.h. */
#include "config.h"

#include "src/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "src/log_ring.h"
#include "src/redact.h"

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

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load(&current_level);
}

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

const char *log_level_name(enum log_level level)
{
    return (size_t)level < ARRAY_LEN(level_names) ? level_names[level] : "unknown";
}

bool log_level_parse(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
        if (!strcmp(name, level_names[i])) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

void log_format_time(int64_t time_ms, char out[LOG_TIME_SIZE])
{
    time_t seconds = (time_t)(time_ms / 1000);
    char date[LOG_TIME_SIZE - 5] = "?";
    struct tm tm;

    if (gmtime_r(&seconds, &tm))
        (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out, LOG_TIME_SIZE, "%s.%03uZ", date, (unsigned)(time_ms % 1000) % 1000u);
}

static int64_t wall_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void log_to_stderr_with_time(enum log_level level, const char *line)
{
    char now[LOG_TIME_SIZE];

    log_format_time(wall_clock_ms(), now);
    (void)fprintf(stderr, "%s %s %s\n", now, log_level_name(level), line);
}

void log_line(enum log_level level, const char *subsystem, const char *fmt, ...)
{
    char text[LOG_LINE_SIZE], line[LOG_LINE_SIZE];
    va_list ap;

    if ((int)level > atomic_load_explicit(&current_level, memory_order_relaxed))
        return;
    int n = snprintf(text, sizeof text, "%s: ", subsystem);
    if (n < 0 || (size_t)n >= sizeof text)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text + n, sizeof text - (size_t)n, fmt, ap);
    va_end(ap);
    /* One line stays one line, whatever names from a package are in it. */
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    redact_line(text, line, sizeof line);
    log_ring_add(level, wall_clock_ms(), line);
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
