/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a list of paths to the tree they mean: for containers that name whole paths (ZIP) and not
 * directories. Names are compared as Windows does (src/fold.h), so "VFS/a" and "vfs/b" are in one
 * directory, spelt as it came first. Single-threaded; paths are borrowed.
 *
 *     struct path_tree *t;
 *     path_tree_new(&t);
 *     path_tree_add(t, "Root/bin/app.exe", 16, false, 7, &node, e);
 *     path_tree_order(t, e);
 *     for (i = 0; i < path_tree_count(t); i++) use(path_tree_at(t, i));
 */
#ifndef SRC_PATH_TREE_H
#define SRC_PATH_TREE_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

#define PATH_TREE_NONE UINT32_MAX

struct path_node {
    const char *name;      /* not terminated; borrowed from the path; "" for the root */
    uint16_t name_len;
    bool is_dir;
    uint32_t item;         /* the caller's; PATH_TREE_NONE for a directory that was only implied */
    uint32_t parent;       /* index in the order of adding */
    uint32_t child_count;
    const char *short_name; /* set by the caller, or NULL; borrowed */
    uint16_t short_len;
    /* path_tree's own: */
    uint32_t first, last, next; /* children, in the order of adding */
};

struct path_tree;

int path_tree_new(struct path_tree **out, struct err *e) must_check;
void path_tree_free(struct path_tree *t); /* NULL is fine */

/*
 * Adds PATH ('/' between components, none empty; each is checked with name_check()). *node is it, or
 * what was there before under this name, of the same kind, whose item then stays: compare it. NODE may
 * be NULL. ERR_BAD_NAME; ERR_BAD_TREE when one path needs a directory where another has a file.
 */
int path_tree_add(struct path_tree *t, const char *path, size_t len, bool is_dir, uint32_t item,
                  struct path_node **node, struct err *e) must_check;

/* The node at PATH or NULL, however it is spelt. Valid until the next path_tree_add(). */
struct path_node *path_tree_find(struct path_tree *t, const char *path, size_t len);

/* The node NAME in DIR, a node of T, or NULL. */
struct path_node *path_tree_child(struct path_tree *t, const struct path_node *dir, const char *name,
                                  size_t len);

/* Puts the nodes in breadth-first order, the children of each directory by name. Nothing can be added
 * or found afterwards. */
int path_tree_order(struct path_tree *t, struct err *e) must_check;

uint32_t path_tree_count(const struct path_tree *t);                           /* with the root */
const struct path_node *path_tree_at(const struct path_tree *t, uint32_t index); /* in that order */

#endif
