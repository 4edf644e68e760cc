/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Log lines: "<subsystem>: <text>", with details as key=value at the end. Where they go is decided
 * once, by the program (stderr in the foreground, syslog in the background); before that they go to
 * stderr. Callers never put credentials into a text: locations are logged through source_name();
 * what is in a URL all the same is taken out here (redact.h). The last lines are kept (log_ring.h).
 * Any thread may log.
 */
#ifndef SRC_LOG_H
#define SRC_LOG_H

#include "src/compiler.h"

#define LOG_LINE_SIZE 1024u /* of the longest line, with the NUL; longer ones are cut */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Receives one line without newline. Must be thread-safe. */
typedef void (*log_sink_fn)(enum log_level level, const char *line);

/* Call before threads start. NULL restores stderr. */
void log_set_sink(log_sink_fn sink);

/* Lines above LEVEL are dropped; LOG_LEVEL_INFO at the start. May change at run time. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* "error", "warning", "info", "debug". */
const char *log_level_name(enum log_level level);
bool log_level_parse(const char *name, enum log_level *out) must_check;

/* "2024-05-01T12:00:00.123Z" from milliseconds since 1970; for sinks and whoever shows lines. */
#define LOG_TIME_SIZE 32
void log_format_time(int64_t time_ms, char out[LOG_TIME_SIZE]);

/* Sink for a program that stays in the foreground: time, level and line on stderr. */
void log_to_stderr_with_time(enum log_level level, const char *line);

void log_line(enum log_level level, const char *subsystem, const char *fmt, ...) printf_like(3, 4);

#define log_error(subsystem, ...)   log_line(LOG_LEVEL_ERROR, subsystem, __VA_ARGS__)
#define log_warning(subsystem, ...) log_line(LOG_LEVEL_WARNING, subsystem, __VA_ARGS__)
#define log_info(subsystem, ...)    log_line(LOG_LEVEL_INFO, subsystem, __VA_ARGS__)
#define log_debug(subsystem, ...)   log_line(LOG_LEVEL_DEBUG, subsystem, __VA_ARGS__)

/*
 * Keeps a fault that strikes thousands of times from flooding the log: true for the first few
 * calls in each minute. *suppressed is the number of calls refused since the last true one.
 * Zero-initialise; any thread.
 */
struct log_limit {
    _Atomic long minute;
    _Atomic unsigned used;
    _Atomic unsigned refused;
};

bool log_limit_allows(struct log_limit *limit, unsigned *suppressed);

#endif
