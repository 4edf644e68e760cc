/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tools/pack_progress.h"

#include <string.h>
#include <time.h>

#define REDRAW_SECONDS 0.2

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int pack_progress_parse(const char *text, enum pack_progress_mode *out)
{
    static const char *const names[] = { "auto", "always", "never" };
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (enum pack_progress_mode)i;
            return 0;
        }
    return -EINVAL;
}

void pack_progress_begin(struct pack_progress *p, enum pack_progress_mode mode, FILE *out, const char *what,
                    uint64_t total)
{
    *p = (struct pack_progress){ .out = out, .what = what, .total = total, .started = now() };
    p->on = mode == PACK_PROGRESS_ALWAYS || (mode == PACK_PROGRESS_AUTO && isatty(fileno(out)));
}

static void draw(struct pack_progress *p, double at)
{
    double seconds = at - p->started;
    double speed = seconds > 0 ? (double)p->done / seconds : 0;
    unsigned percent = p->total ? (unsigned)((double)p->done * 100 / (double)p->total) : 100;
    (void)fprintf(p->out, "\r%s: %3u%%  %.1f MB/s", p->what, percent, speed / 1e6);
    if (speed > 0 && p->done < p->total) {
        unsigned long left = (unsigned long)((double)(p->total - p->done) / speed + 0.5);
        (void)fprintf(p->out, "  %lu:%02lu left", left / 60, left % 60);
    }
    (void)fputs("\033[K", p->out); /* clears what an earlier, longer line left */
    (void)fflush(p->out);
    p->dirty = true;
}

void pack_progress_update(struct pack_progress *p, uint64_t done)
{
    p->done = done;
    if (!p->on)
        return;
    double at = now();
    if (at - p->shown < REDRAW_SECONDS)
        return;
    p->shown = at;
    draw(p, at);
}

void pack_progress_end(struct pack_progress *p)
{
    if (p->dirty) {
        (void)fputs("\r\033[K", p->out);
        (void)fflush(p->out);
    }
    p->dirty = false;
    p->on = false;
}
