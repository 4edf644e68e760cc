/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last log lines of this process, kept in memory for those who ask later. Bounded in number and
 * in bytes. Any thread; the lock is held for copying a line, never over I/O.
 */
#ifndef SRC_LOG_RING_H
#define SRC_LOG_RING_H

#include <stdint.h>

#include "src/log.h"

#define LOG_RING_LINES 1000u
#define LOG_RING_BYTES (256u * 1024u)

struct log_entry {
    uint64_t number; /* 1 for the first line of the process; none is left out */
    int64_t time_ms; /* since 1970 */
    enum log_level level;
    char text[LOG_LINE_SIZE];
};

/* TEXT is copied; without memory the line is counted and its text is empty. */
void log_ring_add(enum log_level level, int64_t time_ms, const char *text);

/* The oldest line kept with at least NUMBER. False if there is none yet. */
bool log_ring_get(uint64_t number, struct log_entry *out);

/* The number of the oldest line among the last COUNT. */
uint64_t log_ring_last(uint64_t count);

#endif
