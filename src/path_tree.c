/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tree made of paths. See path_tree.h. A hash table over (parent, folded name) finds a component;
 * paths that follow one another mostly share their directory, which is remembered. Children are
 * sorted at the end, once, and only where they are not in order already.
 */
#include "config.h"

#include "src/path_tree.h"

#include <string.h>
#include <sys/random.h>

#include "src/fold.h"

#define NODES_MAX (1u << 30)

struct path_tree {
    struct path_node *nodes; /* [0] is the root */
    uint32_t count, room;
    uint32_t *slots; /* node numbers; 0 = empty */
    uint32_t slot_count; /* a power of two, more than count */
    uint64_t key[2];
    const char *last_dir; /* the directory of the path before, as it was spelt */
    size_t last_len;
    uint32_t last_node;
    uint32_t *order; /* after path_tree_order() */
};

/* --- table ------------------------------------------------------------------------------------ */

/* The slot of NAME in PARENT, or the empty one where it would be. */
static uint32_t *slot_of(const struct path_tree *t, uint32_t parent, const char *name, size_t len)
{
    uint64_t i = fold_hash(t->key, parent, name, len);

    for (;; i++) {
        uint32_t *slot = &t->slots[i & (t->slot_count - 1)];
        const struct path_node *n = &t->nodes[*slot];
        if (!*slot || (n->parent == parent && fold_equal(n->name, n->name_len, name, len)))
            return slot;
    }
}

static int grow_nodes(struct path_tree *t, struct err *e)
{
    if (t->count < t->room)
        return 0;
    if (t->room >= NODES_MAX)
        return err_set(e, ERR_LIMIT, "more than %u files and directories", NODES_MAX);
    struct path_node *more = realloc(t->nodes, 2 * (size_t)t->room * sizeof *more);
    if (!more)
        return err_nomem(e);
    t->nodes = more;
    t->room *= 2;
    return 0;
}

static int grow_slots(struct path_tree *t, struct err *e)
{
    if (t->count < t->slot_count / 2)
        return 0;
    uint32_t count = t->slot_count * 2;
    uint32_t *more = calloc(count, sizeof *more);
    if (!more)
        return err_nomem(e);
    free(t->slots);
    t->slots = more;
    t->slot_count = count;
    for (uint32_t i = 1; i < t->count; i++) {
        const struct path_node *n = &t->nodes[i];
        *slot_of(t, n->parent, n->name, n->name_len) = i;
    }
    return 0;
}

/* --- adding ----------------------------------------------------------------------------------- */

int path_tree_new(struct path_tree **out, struct err *e)
{
    enum { ROOM = 256 };
    struct path_tree *t = calloc(1, sizeof *t);

    if (t) {
        t->nodes = malloc(ROOM * sizeof *t->nodes);
        t->slots = calloc(2 * ROOM, sizeof *t->slots);
    }
    if (!t || !t->nodes || !t->slots) {
        path_tree_free(t);
        return err_nomem(e);
    }
    t->room = ROOM;
    t->slot_count = 2 * ROOM;
    (void)!getrandom(t->key, sizeof t->key, 0); /* without it the paths could be aimed at it, no more */
    t->nodes[t->count++] = (struct path_node){ .name = "", .is_dir = true, .item = PATH_TREE_NONE };
    *out = t;
    return 0;
}

void path_tree_free(struct path_tree *t)
{
    if (!t)
        return;
    free(t->nodes);
    free(t->slots);
    free(t->order);
    free(t);
}

/* NAME in PARENT: what is there, or a new node. */
static int enter(struct path_tree *t, uint32_t parent, const char *name, size_t len, bool is_dir,
                 uint32_t item, uint32_t *out, struct err *e)
{
    uint32_t *slot = slot_of(t, parent, name, len);
    int rc;

    *out = *slot;
    if (*slot) {
        if (t->nodes[*slot].is_dir == is_dir)
            return 0;
        return err_set(e, ERR_BAD_TREE, "'%.*s' is both a file and a directory", (int)len, name);
    }
    if ((rc = name_check(name, len, e)) || (rc = grow_nodes(t, e)) || (rc = grow_slots(t, e)))
        return rc;
    slot = slot_of(t, parent, name, len); /* the table may be another one */
    struct path_node *up = &t->nodes[parent];
    *out = *slot = t->count++;
    t->nodes[*out] = (struct path_node){ .name = name, .name_len = (uint16_t)len, .is_dir = is_dir,
                                         .item = item, .parent = parent };
    if (up->child_count++)
        t->nodes[up->last].next = *out;
    else
        up->first = *out;
    up->last = *out;
    return 0;
}

/* The directory that the first LEN bytes of PATH name, made when it is not there. */
static int enter_dirs(struct path_tree *t, const char *path, size_t len, uint32_t *out,
                      struct err *e)
{
    uint32_t at = 0;
    int rc = 0;

    if (len && len == t->last_len && !memcmp(path, t->last_dir, len)) {
        *out = t->last_node;
        return 0;
    }
    for (size_t from = 0, to; !rc && len && from <= len; from = to + 1) {
        const char *slash = memchr(path + from, '/', len - from);
        to = slash ? (size_t)(slash - path) : len;
        rc = enter(t, at, path + from, to - from, true, PATH_TREE_NONE, &at, e);
    }
    if (rc)
        return rc;
    t->last_dir = path;
    t->last_len = len;
    t->last_node = *out = at;
    return 0;
}

int path_tree_add(struct path_tree *t, const char *path, size_t len, bool is_dir, uint32_t item,
                  struct path_node **node, struct err *e)
{
    const char *slash = memrchr(path, '/', len);
    size_t dir = slash ? (size_t)(slash - path) : 0, from = slash ? dir + 1 : 0;
    uint32_t parent = 0, index = 0;
    int rc = slash == path ? name_check("", 0, e) : enter_dirs(t, path, dir, &parent, e);

    if (!rc)
        rc = enter(t, parent, path + from, len - from, is_dir, item, &index, e);
    if (rc)
        return rc;
    if (t->nodes[index].item == PATH_TREE_NONE)
        t->nodes[index].item = item;
    if (node)
        *node = &t->nodes[index];
    return 0;
}

struct path_node *path_tree_find(struct path_tree *t, const char *path, size_t len)
{
    uint32_t at = 0;

    for (size_t from = 0, to; from < len; from = to + 1) {
        const char *slash = memchr(path + from, '/', len - from);
        to = slash ? (size_t)(slash - path) : len;
        at = *slot_of(t, at, path + from, to - from);
        if (!at)
            return NULL;
    }
    return &t->nodes[at];
}

struct path_node *path_tree_child(struct path_tree *t, const struct path_node *dir, const char *name,
                                  size_t len)
{
    uint32_t at = *slot_of(t, (uint32_t)(dir - t->nodes), name, len);

    return at ? &t->nodes[at] : NULL;
}

/* --- order ------------------------------------------------------------------------------------ */

static int compare_nodes(const void *a, const void *b, void *arg)
{
    const struct path_node *nodes = arg;
    const struct path_node *x = &nodes[*(const uint32_t *)a], *y = &nodes[*(const uint32_t *)b];

    return fold_compare(x->name, x->name_len, y->name, y->name_len);
}

/* Appends the children of a directory to the order, sorted. Returns the new length of it. */
static uint32_t append_children(struct path_tree *t, const struct path_node *dir, uint32_t count)
{
    uint32_t *children = t->order + count, n = 0;
    bool sorted = true;

    for (uint32_t i = dir->first; n < dir->child_count; i = t->nodes[i].next) {
        children[n++] = i;
        if (n > 1 && sorted)
            sorted = compare_nodes(&children[n - 2], &children[n - 1], t->nodes) < 0;
    }
    if (!sorted)
        qsort_r(children, n, sizeof *children, compare_nodes, t->nodes);
    return count + n;
}

int path_tree_order(struct path_tree *t, struct err *e)
{
    uint32_t count = 1;

    t->order = malloc(t->count * sizeof *t->order);
    if (!t->order)
        return err_nomem(e);
    t->order[0] = 0;
    for (uint32_t i = 0; i < count; i++)
        count = append_children(t, &t->nodes[t->order[i]], count);
    return 0;
}

uint32_t path_tree_count(const struct path_tree *t)
{
    return t->count;
}

const struct path_node *path_tree_at(const struct path_tree *t, uint32_t index)
{
    return &t->nodes[t->order[index]];
}
