/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Readers that go through blocks in order. See ahead.h. */
#include "config.h"

#include "fetch/ahead.h"

enum {
    SKIP = 8,       /* blocks a reader may leave out */
    BACK = 8,       /* or go back */
    SURE_STEP = 4,  /* a step of so many blocks comes from a reader that is in order already */
    LONG = 4,       /* windows of so many times the smallest earn credit … */
    CREDIT = 8,     /* … for so many beginnings */
};

void ahead_init(struct ahead *a, uint32_t window_min, uint32_t window_max)
{
    *a = (struct ahead){ .window_min = window_min, .window_max = window_max };
}

/* The stream that a reader at block FIRST belongs to, else the one to give up for it. */
static struct ahead_stream *find(struct ahead *a, uint32_t first, bool *known)
{
    struct ahead_stream *oldest = &a->streams[0];

    for (size_t i = 0; i < AHEAD_STREAMS; i++) {
        struct ahead_stream *s = &a->streams[i];
        if (s->used && (uint64_t)first + BACK >= s->next && first <= (uint64_t)s->end + SKIP) {
            *known = true;
            return s;
        }
        if (s->used < oldest->used)
            oldest = s;
    }
    *known = false;
    return oldest;
}

/* Moves the window on when half of it has been used. */
static bool advance(struct ahead *a, struct ahead_stream *s, struct block_run *out)
{
    uint32_t left = s->end > s->next ? s->end - s->next : 0;

    if (s->window && left > s->window / 2)
        return false;
    s->window = s->window ? (uint32_t)min_u64(2 * (uint64_t)s->window, a->window_max)
                          : a->window_min;
    uint32_t from = s->next > s->end ? s->next : s->end;
    uint64_t to = min_u64((uint64_t)s->next + s->window, UINT32_MAX);
    if (to <= from)
        return false;
    *out = (struct block_run){ from, (uint32_t)(to - from) };
    s->end = (uint32_t)to;
    if (s->window >= LONG * (uint64_t)a->window_min)
        a->credit = CREDIT;
    return true;
}

static bool spend_credit(struct ahead *a)
{
    bool has = a->credit > 0;

    a->credit -= has;
    return has;
}

bool ahead_note(struct ahead *a, uint32_t first, uint32_t count, struct block_run *out)
{
    uint32_t next = (uint32_t)min_u64((uint64_t)first + count, UINT32_MAX);
    bool known;
    struct ahead_stream *s = find(a, first, &known);

    if (!known)
        *s = (struct ahead_stream){ .next = first, .end = next };
    s->used = ++a->clock;
    if (next <= s->next)
        return false; /* back inside what it had */
    s->next = next;
    return (known || count >= SURE_STEP || spend_credit(a)) && advance(a, s, out);
}

void ahead_correct(struct ahead *a, const struct block_run *run, uint32_t end)
{
    for (size_t i = 0; i < AHEAD_STREAMS; i++) {
        struct ahead_stream *s = &a->streams[i];
        if (s->used && s->end == run->first + run->count) { /* and has not moved on meanwhile */
            s->end = end > s->next ? end : s->next;
            return;
        }
    }
}
