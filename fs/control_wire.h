/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What goes over a control socket, as control-protocol.md describes it: the one line of a request,
 * and the lines of a reply. Both sides use this; neither believes what the other sends. Pure text
 * work.
 */
#ifndef FS_CONTROL_WIRE_H
#define FS_CONTROL_WIRE_H

#include <stdint.h>
#include <stdio.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/log.h"

#define CONTROL_REQUEST_MAX 256u  /* bytes of a request with its newline */
#define CONTROL_LINE_MAX    32768u /* of a line of a reply */
#define CONTROL_LOG_LINE_MAX (LOG_LINE_SIZE + 80u)

enum control_verb {
    CONTROL_PING,
    CONTROL_STATUS,
    CONTROL_STATS,
    CONTROL_LOG,
    CONTROL_LOGLEVEL,
    CONTROL_PREFETCH,
    CONTROL_OFFLINE,
    CONTROL_ONLINE,
    CONTROL_PROGRESS,
};

enum control_prefetch { CONTROL_PREFETCH_LAUNCH, CONTROL_PREFETCH_ALL, CONTROL_PREFETCH_STOP };

struct control_request {
    enum control_verb verb;
    bool follow;                    /* log, progress: go on until the end of the mount */
    uint64_t lines;                 /* log: how many of the last ones; UINT64_MAX = all there are */
    bool set_level;                 /* loglevel */
    enum log_level level;
    enum control_prefetch prefetch;
};

/* Takes LEN bytes of a request apart (no newline; not NUL-terminated). ERR_INVALID says what is
 * wrong; its text holds nothing but printable characters. */
int control_parse_request(const char *line, size_t len, struct control_request *out,
                          struct err *e) must_check;

/* Writes the request as a line. Returns its length with the newline. */
size_t control_format_request(const struct control_request *r, char out[CONTROL_REQUEST_MAX]);

/* --- rows: one value each ------------------------------------------------------------------- */

enum control_kind {
    CONTROL_TEXT,
    CONTROL_GAUGE,     /* may go up and down */
    CONTROL_COUNTER,   /* only goes up while the mount lasts */
    CONTROL_HISTOGRAM,
};

enum control_unit { CONTROL_NUMBER, CONTROL_BYTES, CONTROL_MS, CONTROL_PERCENT };

#define CONTROL_BUCKETS_MAX 32u

/* All texts are borrowed. NAME and LABEL_NAME are of [a-z0-9_]; both are known to the program that
 * sends them only, so the one that shows them takes any. */
struct control_row {
    const char *name;
    const char *label_name, *label; /* "" if there is only one value of the name */
    enum control_kind kind;
    enum control_unit unit;
    const char *help;               /* one line for people */
    const char *text;               /* CONTROL_TEXT; any bytes */
    uint64_t value;                 /* gauge, counter */
    size_t bucket_count;            /* histogram: */
    uint64_t bound[CONTROL_BUCKETS_MAX]; /* values below this (and not below the one before) … */
    uint64_t bucket[CONTROL_BUCKETS_MAX]; /* … were seen so often; the last has no upper bound */
};

/* Writes ROW as one line with its newline. */
void control_write_row(FILE *out, const struct control_row *row);

/* Takes LINE (no newline) apart, in place. ERR_INVALID for what is no row. */
int control_parse_row(char *line, struct control_row *out, struct err *e) must_check;

/* --- log lines ------------------------------------------------------------------------------ */

struct log_entry;

/* Writes ENTRY as one line. Returns its length. */
size_t control_format_log(const struct log_entry *entry, char out[CONTROL_LOG_LINE_MAX]);

/* The reverse; *TEXT points into LINE. */
int control_parse_log(char *line, uint64_t *number, int64_t *time_ms, enum log_level *level,
                      const char **text, struct err *e) must_check;

#endif
