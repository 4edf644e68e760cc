/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A streaming JSON writer for --json: what is written goes straight to the stream, so that a
 * listing of a million nodes takes no memory. Output is always valid JSON in UTF-8: bytes that are
 * not UTF-8 become U+FFFD. Write errors stay in the stream; look at json_end().
 *
 *     struct json j = json_begin(stdout);
 *     json_object(&j, NULL);
 *     json_string(&j, "name", name);
 *     json_array(&j, "files"); json_string(&j, NULL, "a.txt"); json_close_array(&j);
 *     json_close_object(&j);
 *     json_end(&j);
 *
 * KEY names the member inside an object and is NULL inside an array and at the top.
 */
#ifndef TOOLS_JSON_H
#define TOOLS_JSON_H

#include <stdint.h>
#include <stdio.h>

#include "src/compiler.h"
#include "src/guid.h"

/* Depth is not limited: nothing is remembered of the outer levels but their number. */
struct json {
    FILE *out;
    unsigned depth;
    bool has_member; /* the innermost object or array has one */
    bool one_line;
};

struct json json_begin(FILE *out);

/* For a stream of values, one a line. */
struct json json_begin_line(FILE *out);

/* Newline and flush. 0, or -EIO when anything could not be written (report_finish() looks too). */
int json_end(struct json *j);

void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_close_object(struct json *j);
void json_close_array(struct json *j);

void json_string(struct json *j, const char *key, const char *text); /* NULL gives null */
void json_uint(struct json *j, const char *key, uint64_t value);
void json_int(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);

/* "2024-05-01T12:00:00Z" from FILETIME ticks; null for 0. */
void json_filetime(struct json *j, const char *key, int64_t ticks);
void json_guid(struct json *j, const char *key, const struct guid *guid);
void json_hex(struct json *j, const char *key, const uint8_t *bytes, size_t len);

#endif
