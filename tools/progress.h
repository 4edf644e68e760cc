/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A progress line on stderr: " 45%  123M of 270M  VERB  61M/s  0:03 left". Redrawn a few times a
 * second, wiped at the end. One thread calls it.
 */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <stdint.h>

#include "src/compiler.h"

enum progress_mode {
    PROGRESS_AUTO, /* when stderr is a terminal that can redraw a line */
    PROGRESS_ALWAYS,
    PROGRESS_NEVER
};

struct progress {
    const char *verb;
    uint64_t total;      /* bytes */
    uint64_t started_ms; /* monotonic */
    uint64_t drawn_ms;   /* time of the last drawing */
    bool on, visible;
};

/* "auto", "always", "never"; 0 or -EINVAL. */
int progress_parse(const char *text, enum progress_mode *out) must_check;

/* VERB is borrowed. */
struct progress progress_begin(const char *verb, uint64_t total, enum progress_mode mode);
void progress_update(struct progress *p, uint64_t done);

/* Wipes the line; call before other output goes to the terminal, too. */
void progress_clear(struct progress *p);

#endif
