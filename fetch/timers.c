/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pairing heap. See timers.h. */
#include "config.h"

#include "fetch/timers.h"

/* Two heaps without siblings, either may be NULL, become one. */
static struct timer *merge(struct timer *a, struct timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->at_ms < a->at_ms) {
        struct timer *t = a;
        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    return a;
}

static struct timer *alone(struct timer *t)
{
    if (t)
        t->next = t->prev = NULL;
    return t;
}

/* A row of siblings becomes one heap: in pairs from the left, then the pairs from the right, which
 * is what keeps later rows short. */
static struct timer *merge_row(struct timer *row)
{
    struct timer *pairs = NULL, *root = NULL;

    while (row) {
        struct timer *a = row, *b = a->next;
        row = b ? b->next : NULL;
        struct timer *pair = merge(alone(a), alone(b));
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        struct timer *pair = pairs;
        pairs = pair->next;
        root = merge(root, alone(pair));
    }
    return root;
}

void timers_clear(struct timers *all, struct timer *t)
{
    if (!t->set)
        return;
    struct timer *below = merge_row(t->child);
    if (all->root == t) {
        all->root = below;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next)
            t->next->prev = t->prev;
        all->root = merge(all->root, below);
    }
    *t = (struct timer){ .at_ms = t->at_ms };
}

void timers_set(struct timers *all, struct timer *t, uint64_t at_ms)
{
    timers_clear(all, t);
    *t = (struct timer){ .at_ms = at_ms, .set = true };
    all->root = merge(all->root, t);
}
