/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tree made of paths. See path_tree.h. Paths that follow one another mostly share their directory,
 * which is remembered. Children are sorted at the end, once, and only where they are not in order
 * already.
 */
#include "config.h"

#include "src/path_tree.h"

#include <string.h>

#include "src/fold.h"
#include "src/list.h"
#include "src/name_index.h"

#define NODES_MAX (1u << 30)

struct path_tree {
    struct list list; /* of the nodes; the first one is the root */
    uint32_t count;
    struct name_index *names; /* of all but the root, below their parents */
    const char *last_dir;     /* the directory of the path before, as it was spelt */
    size_t last_len;
    uint32_t last_node;
    uint32_t *order; /* after path_tree_order() */
};

static struct path_node *nodes_of(const struct path_tree *t)
{
    return t->list.items;
}

/* --- adding ----------------------------------------------------------------------------------- */

int path_tree_new(struct path_tree **out, struct err *e)
{
    struct path_tree *t = calloc(1, sizeof *t);
    int rc = t ? name_index_new(&t->names, e) : err_nomem(e);

    if (!rc)
        rc = list_make_room(&t->list, 0, sizeof(struct path_node), e);
    if (rc) {
        path_tree_free(t);
        return rc;
    }
    nodes_of(t)[t->count++] =
        (struct path_node){ .name = "", .is_dir = true, .item = PATH_TREE_NONE };
    *out = t;
    return 0;
}

void path_tree_free(struct path_tree *t)
{
    if (!t)
        return;
    free(t->list.items);
    name_index_free(t->names);
    free(t->order);
    free(t);
}

/* NAME in PARENT: what is there, or a new node. */
static int enter(struct path_tree *t, uint32_t parent, const char *name, size_t len, bool is_dir,
                 uint32_t item, uint32_t *out, struct err *e)
{
    int rc;

    if (t->count >= NODES_MAX)
        return err_set(e, ERR_LIMIT, "more than %u files and directories", NODES_MAX);
    if ((rc = name_check(name, len, e)) ||
        (rc = list_make_room(&t->list, t->count, sizeof(struct path_node), e)) ||
        (rc = name_index_add(t->names, parent, name, len, t->count, out, e)))
        return rc;
    if (*out != t->count) {
        if (nodes_of(t)[*out].is_dir == is_dir)
            return 0;
        return err_set(e, ERR_BAD_TREE, "'%.*s' is both a file and a directory", (int)len, name);
    }
    struct path_node *nodes = nodes_of(t), *up = &nodes[parent];
    t->count++;
    nodes[*out] = (struct path_node){ .name = name, .name_len = (uint16_t)len, .is_dir = is_dir,
                                      .item = item, .parent = parent };
    if (up->child_count++)
        nodes[up->last].next = *out;
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
    struct path_node *n = &nodes_of(t)[index];
    if (n->item == PATH_TREE_NONE)
        n->item = item;
    if (node)
        *node = n;
    return 0;
}

struct path_node *path_tree_find(struct path_tree *t, const char *path, size_t len)
{
    struct path_node *at = nodes_of(t);

    for (size_t from = 0, to; at && from < len; from = to + 1) {
        const char *slash = memchr(path + from, '/', len - from);
        to = slash ? (size_t)(slash - path) : len;
        at = path_tree_child(t, at, path + from, to - from);
    }
    return at;
}

struct path_node *path_tree_child(struct path_tree *t, const struct path_node *dir,
                                  const char *name, size_t len)
{
    uint32_t at = name_index_find(t->names, (uint32_t)(dir - nodes_of(t)), name, len);

    return at == NAME_INDEX_NONE ? NULL : &nodes_of(t)[at];
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
    struct path_node *nodes = nodes_of(t);
    bool sorted = true;

    for (uint32_t i = dir->first; n < dir->child_count; i = nodes[i].next) {
        children[n++] = i;
        if (n > 1 && sorted)
            sorted = compare_nodes(&children[n - 2], &children[n - 1], nodes) < 0;
    }
    if (!sorted)
        qsort_r(children, n, sizeof *children, compare_nodes, nodes);
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
        count = append_children(t, &nodes_of(t)[t->order[i]], count);
    return 0;
}

uint32_t path_tree_count(const struct path_tree *t)
{
    return t->count;
}

const struct path_node *path_tree_at(const struct path_tree *t, uint32_t index)
{
    return &nodes_of(t)[t->order[index]];
}
