/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A progress line on stderr, when that is a terminal: " 45%  123M of 270M  VERB". Redrawn a few
 * times a second, wiped at the end. One thread calls it.
 */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <stdint.h>

#include "src/compiler.h"

struct progress {
    const char *verb;
    uint64_t total;    /* bytes */
    int64_t drawn_ms;  /* monotonic time of the last drawing */
    bool on, visible;
};

/* VERB is borrowed. Nothing is ever drawn when QUIET or when stderr is no terminal. */
struct progress progress_begin(const char *verb, uint64_t total, bool quiet);
void progress_update(struct progress *p, uint64_t done);

/* Wipes the line; call before other output goes to the terminal, too. */
void progress_clear(struct progress *p);

#endif
