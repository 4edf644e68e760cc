/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Progress line. See progress.h. */
#include "config.h"

#include "tools/progress.h"

#include <stdio.h>
#include <string.h>

#include "src/clock.h"
#include "tools/text.h"

enum { REDRAW_MS = 150 };

int progress_parse(const char *text, enum progress_mode *out)
{
    static const char *const names[] = { "auto", "always", "never" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(text, names[i])) {
            *out = (enum progress_mode)i;
            return 0;
        }
    return -EINVAL;
}

struct progress progress_begin(const char *verb, uint64_t total, enum progress_mode mode)
{
    const char *term = getenv("TERM");
    bool dumb = !term || !strcmp(term, "dumb");
    uint64_t now = monotonic_ms();

    return (struct progress){
        .verb = verb,
        .total = total,
        .started_ms = now,
        /* Short work shows nothing, unless it is asked to. */
        .drawn_ms = mode == PROGRESS_ALWAYS ? now - REDRAW_MS : now,
        .on = mode == PROGRESS_ALWAYS ||
              (mode == PROGRESS_AUTO && !dumb && isatty(STDERR_FILENO)),
    };
}

static void draw(const struct progress *p, uint64_t done, uint64_t elapsed_ms)
{
    char d[TEXT_SIZE_SIZE], t[TEXT_SIZE_SIZE], speed[TEXT_SIZE_SIZE];
    double rate = elapsed_ms > 0 ? (double)done * 1000 / (double)elapsed_ms : 0;

    text_size(done, d);
    text_size(p->total, t);
    (void)fprintf(stderr, "\r\033[K%3d%%  %s of %s  %s",
                  p->total ? (int)(100.0 * (double)done / (double)p->total) : 100, d, t, p->verb);
    if (rate >= 1 && done < p->total) {
        unsigned long left = (unsigned long)((double)(p->total - done) / rate + 0.5);

        text_size((uint64_t)rate, speed);
        (void)fprintf(stderr, "  %s/s  %lu:%02lu left", speed, left / 60, left % 60);
    }
    (void)fflush(stderr);
}

void progress_update(struct progress *p, uint64_t done)
{
    uint64_t now;

    if (!p->on)
        return;
    now = monotonic_ms();
    if (now - p->drawn_ms < REDRAW_MS)
        return;
    p->drawn_ms = now;
    p->visible = true;
    draw(p, done, now - p->started_ms);
}

void progress_clear(struct progress *p)
{
    if (!p->visible)
        return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    p->visible = false;
}
