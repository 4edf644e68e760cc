/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values as people read them, and names made safe for a terminal: a package is somebody else's
 * data, and its names may hold escape sequences.
 */
#ifndef TOOLS_TEXT_H
#define TOOLS_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "src/compiler.h"

#define TEXT_TIME_SIZE 40
#define TEXT_SIZE_SIZE 16

/* "2024-05-01T12:00:00Z" from FILETIME ticks, in UTC. False when the year is out of range. */
bool text_time(int64_t ticks, char out[TEXT_TIME_SIZE]);

/* "532", "1.5K", "340M": three significant digits, binary multiples. */
void text_size(uint64_t bytes, char out[TEXT_SIZE_SIZE]);

/* TEXT with control characters replaced by '?' when OUT is a terminal, verbatim otherwise. */
void text_put(FILE *out, const char *text);

/* Length of the valid UTF-8 sequence at S (NUL-terminated, not at its end), or 0. */
size_t text_utf8_len(const unsigned char *s);

#endif
