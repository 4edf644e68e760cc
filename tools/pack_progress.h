/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line on a terminal that says how far a long job is: percent, speed, time left. */
#ifndef TOOLS_PACK_PROGRESS_H
#define TOOLS_PACK_PROGRESS_H

#include <stdint.h>
#include <stdio.h>

#include "src/compiler.h"

enum pack_progress_mode { PACK_PROGRESS_AUTO, PACK_PROGRESS_ALWAYS, PACK_PROGRESS_NEVER };

struct pack_progress {
    FILE *out;
    const char *what;
    uint64_t total, done; /* bytes */
    double started, shown; /* seconds of a monotonic clock */
    bool on, dirty;
};

/* "auto", "always", "never"; 0 or -EINVAL. */
int pack_progress_parse(const char *text, enum pack_progress_mode *out) must_check;

/* Begins a line on OUT for TOTAL bytes; AUTO shows it if OUT is a terminal. */
void pack_progress_begin(struct pack_progress *p, enum pack_progress_mode mode, FILE *out, const char *what,
                    uint64_t total);

/* Redraws the line a few times a second at the most. */
void pack_progress_update(struct pack_progress *p, uint64_t done);

/* Takes the line away, so that what is printed next begins a line. */
void pack_progress_end(struct pack_progress *p);

#endif
