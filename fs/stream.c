/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Readers that take the files of a directory in its order. See stream.h.
 *
 * What has been pushed is read without our seeing it, so the next READ that arrives is for the
 * first file that was not: a stream matches a file anywhere between the last one seen and a little
 * beyond what was pushed.
 */
#include "config.h"

#include "fs/stream.h"

enum {
    SKIP = 8,            /* children a reader may leave out (directories, empty files) */
    CREDIT = 4,          /* listings that one confirmed reading pays for */
};

void stream_table_init(struct stream_table *t)
{
    *t = (struct stream_table){ 0 };
    for (size_t i = 0; i < STREAM_MAX; i++)
        t->streams[i].parent = NODE_NONE;
}

static struct stream *find(struct stream_table *t, uint32_t parent, uint32_t index)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct stream *s = &t->streams[i];
        if (s->parent == parent && index >= s->last &&
            index - s->last <= SKIP + (s->ahead - s->last))
            return s;
    }
    return NULL;
}

static struct stream *replace_oldest(struct stream_table *t)
{
    struct stream *oldest = &t->streams[0];

    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct stream *s = &t->streams[i];
        if (s->parent == NODE_NONE)
            return s;
        if (s->used < oldest->used)
            oldest = s;
    }
    return oldest;
}

/* Children from s->ahead on that fill one window. */
static bool advance(struct stream *s, const struct package *p, uint32_t end,
                    struct node_range *ahead)
{
    uint64_t bytes = 0;
    uint32_t i = s->ahead;

    for (; i < end && bytes < s->window; i++) {
        const struct node *n = package_node(p, i);
        if (!(n->flags & NODE_DIR) && n->size <= STREAM_FILE_MAX)
            bytes += n->size;
    }
    *ahead = (struct node_range){ s->ahead, i };
    s->ahead = i;
    return ahead->first < ahead->end && bytes;
}

static uint32_t end_of_children(const struct package *p, uint32_t parent)
{
    const struct node *dir = package_node(p, parent);
    return dir->first_child + dir->child_count;
}

bool stream_note_read(struct stream_table *t, const struct package *p, uint32_t index,
                      struct node_range *ahead)
{
    uint32_t parent = package_node(p, index)->parent;
    struct stream *s = find(t, parent, index);
    bool confirmed = s && index != s->last;

    if (!s) {
        s = replace_oldest(t);
        *s = (struct stream){ .parent = parent, .ahead = index + 1 };
        /* Somebody who was reading everything just now has begun a directory. */
        confirmed = t->credit > 0;
    }
    s->used = ++t->clock;
    s->last = index;
    if (!confirmed)
        return false;
    bool behind = index + 1 < s->ahead; /* what was pushed last is not used up */
    if (s->ahead <= index)
        s->ahead = index + 1;
    t->credit = CREDIT;
    if (behind)
        return false;
    s->window = !s->window ? STREAM_WINDOW_MIN
                           : (uint32_t)min_u64((uint64_t)s->window * 2, STREAM_WINDOW_MAX);
    return advance(s, p, end_of_children(p, parent), ahead);
}

bool stream_note_listing(struct stream_table *t, const struct package *p, uint32_t first,
                         uint32_t count, struct node_range *ahead)
{
    if (!t->credit || !count)
        return false;
    struct stream *s = replace_oldest(t);
    *s = (struct stream){
        .parent = package_node(p, first)->parent,
        .last = first,
        .ahead = first,
        .window = STREAM_WINDOW_MIN,
        .used = ++t->clock,
    };
    bool found = advance(s, p, first + count, ahead);
    t->credit -= found;
    return found;
}
