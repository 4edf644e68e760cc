/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Progress line. See progress.h. */
#include "config.h"

#include "tools/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/text.h"

enum { REDRAW_MS = 150 };

static int64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct progress progress_begin(const char *verb, uint64_t total, bool quiet)
{
    const char *term = getenv("TERM");
    bool dumb = !term || !strcmp(term, "dumb");

    return (struct progress){
        .verb = verb,
        .total = total,
        .drawn_ms = now_ms(), /* short work shows nothing */
        .on = !quiet && !dumb && isatty(STDERR_FILENO),
    };
}

void progress_update(struct progress *p, uint64_t done)
{
    char d[TEXT_SIZE_SIZE], t[TEXT_SIZE_SIZE];
    int64_t now;

    if (!p->on)
        return;
    now = now_ms();
    if (now - p->drawn_ms < REDRAW_MS)
        return;
    p->drawn_ms = now;
    p->visible = true;
    text_size(done, d);
    text_size(p->total, t);
    (void)fprintf(stderr, "\r\033[K%3d%%  %s of %s  %s",
                  p->total ? (int)(100.0 * (double)done / (double)p->total) : 100, d, t, p->verb);
    (void)fflush(stderr);
}

void progress_clear(struct progress *p)
{
    if (!p->visible)
        return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    p->visible = false;
}
