/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `sftfs ctl` prints of the rows that a mount tells (fs/control_rows.h): for people, as JSON,
 * or in the text format of Prometheus. All three come from the same rows, so a new row appears in
 * all.
 */
#ifndef TOOLS_CTL_SHOW_H
#define TOOLS_CTL_SHOW_H

#include <stdio.h>

#include "fs/control_wire.h"

#define SHOW_ROWS_MAX 2000u

struct show_rows {
    struct control_row *rows;
    char **lines; /* what the rows point into; owned */
    size_t count;
};

/* Adds the row that LINE of a reply holds. ERR_INVALID, ERR_LIMIT. */
int show_rows_add(struct show_rows *rows, const char *line, struct err *e) must_check;
void show_rows_free(struct show_rows *rows);

/* One row a line: "Name:  value". */
void show_text(FILE *out, const struct show_rows *rows);

/* One object, on one line if ONE_LINE: members named after the rows, with the unit behind
 * (_bytes, _ms, _percent); rows with a label are an object of their own. */
void show_json(FILE *out, const struct show_rows *rows, bool one_line);

/* The rows of the command progress in one line: "35 %  120 of 340 blocks, 1.2M of 3.4M,
 * loading". */
void show_progress(FILE *out, const struct show_rows *rows);

/* Exposition format of Prometheus. Every metric has the label mount="MOUNTPOINT"; the texts are
 * labels of sftfs_info. */
void show_prometheus(FILE *out, const struct show_rows *rows, const char *mountpoint);

#endif
