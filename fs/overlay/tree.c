/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names and nodes in memory: what a name stands for, and the changes to tables. See tree.h; reading
 * upper directories is in tree_load.c, descriptors and paths are in tree_paths.c.
 *
 * A package node shows at its own place when no upper name there covers it and it has no state
 * (overlay_node_of() is NULL): one that was moved or deleted has. So no package node can show
 * twice, whatever the markers of an upper layer say.
 */
#include "config.h"

#include "fs/overlay/tree.h"

#include <string.h>

#include "fs/overlay/ids.h"
#include "fs/overlay/tree_private.h"
#include "src/fold.h"

int tree_new(struct overlay *o)
{
    int rc = ids_new(&o->ids);

    if (!rc)
        rc = inos_new(&o->inos);
    if (rc)
        return rc;
    o->by_lower = calloc(o->info->node_count, sizeof *o->by_lower);
    o->lower_lookups = calloc(o->info->node_count, sizeof *o->lower_lookups);
    if (!o->by_lower || !o->lower_lookups)
        return -ENOMEM;
    return tree_add_node(o, S_IFDIR, NODE_ROOT, 0, &o->root);
}

static void release_node(struct overlay *o, struct overlay_node *node)
{
    fd_drop(o->fds, &node->slot);
    partial_free(atomic_load_explicit(&node->partial, memory_order_acquire));
    table_free(node->table);
    (void)pthread_mutex_destroy(&node->lock);
    free(node);
}

void tree_free(struct overlay *o)
{
    struct overlay_node *node;
    uint64_t at = 0;

    tree_load_cancel(o);
    for (uint32_t i = 0; o->by_lower && i < o->info->node_count; i++) {
        node = overlay_node_of(o, i);
        if (node)
            release_node(o, node);
    }
    while (o->ids && (node = ids_next(o->ids, &at)))
        release_node(o, node);
    ids_free(o->ids);
    inos_free(o->inos);
    free(o->by_lower);
    free(o->lower_lookups);
    o->ids = NULL;
    o->inos = NULL;
    o->by_lower = NULL;
    o->lower_lookups = NULL;
    o->root = NULL;
}

/* ---- nodes ---- */

static int publish(struct overlay *o, struct overlay_node *node)
{
    if (node->identity != NODE_NONE) {
        node->id = node->ino = (uint64_t)node->identity + 1;
        atomic_store_explicit(&o->by_lower[node->identity], node, memory_order_release);
        return 0;
    }
    node->ino = OVERLAY_UPPER_INO + node->upper_ino;
    int rc = inos_add(o->inos, node);
    if (rc)
        return rc;
    rc = ids_add(o->ids, node);
    if (rc)
        inos_remove(o->inos, node);
    return rc;
}

int tree_add_node(struct overlay *o, mode_t type, uint32_t identity, uint64_t upper_ino,
                  struct overlay_node **out)
{
    struct overlay_node *node = calloc(1, sizeof *node);

    if (!node)
        return -ENOMEM;
    node->upper_ino = upper_ino;
    node->type = type & S_IFMT;
    node->identity = identity;
    node->lower = S_ISDIR(type) ? identity : NODE_NONE;
    node->has_upper = true;
    node->slot = (struct fd_slot)FD_SLOT_INIT;
    if (pthread_mutex_init(&node->lock, NULL)) {
        free(node);
        return -ENOMEM;
    }
    int rc = publish(o, node);
    if (rc) {
        (void)pthread_mutex_destroy(&node->lock);
        free(node);
        return rc;
    }
    *out = node;
    return 0;
}

void tree_free_node(struct overlay *o, struct overlay_node *node)
{
    if (node->identity != NODE_NONE) {
        atomic_store_explicit(&o->by_lower[node->identity], NULL, memory_order_release);
    } else {
        ids_remove(o->ids, node);
        inos_remove(o->inos, node);
    }
    if (node->table && node->table->pending)
        tree_load_cancel(o);
    release_node(o, node);
}

/* The map of a partial file that nobody opened since the mount began is known to its marker
 * only. */
static void discard_unopened(struct overlay *o, struct overlay_node *node, int fd)
{
    struct markers m = { 0 };
    struct partial *p = NULL;
    struct stat st;

    if (fstat(fd, &st))
        return;
    int rc = markers_read(fd, "", &st, &m);
    if ((!rc || rc == -EINVAL) && m.has_partial && m.partial.map &&
        !partial_open(o->store, fd, (uint64_t)st.st_size, &m.partial, &p, NULL)) {
        partial_discard(p);
        partial_free(p);
    }
    markers_clear(&m);
    node->is_partial = false;
}

static void let_data_go(struct overlay *o, struct overlay_node *node)
{
    struct partial *p = atomic_load_explicit(&node->partial, memory_order_acquire);

    if (p) {
        partial_discard(p);
        atomic_store_explicit(&node->partial, NULL, memory_order_release);
        partial_free(p);
    } else if (node->is_partial) {
        int fd = tree_pin_file_locked(o, node);
        if (fd >= 0) {
            discard_unopened(o, node, fd);
            tree_unpin_file(o, node);
        }
    }
    fd_drop(o->fds, &node->slot);
}

void tree_let_go(struct overlay *o, struct overlay_node *node)
{
    bool known = node->identity == NODE_NONE
                     ? atomic_load(&node->lookups) != 0
                     : atomic_load(&o->lower_lookups[node->identity]) != 0;

    if (known || node->names || node == o->root)
        return;
    if (!node->unlinked) {
        /* Its other names have not been met; they will make it anew. */
        if (node->identity == NODE_NONE)
            tree_free_node(o, node);
        return;
    }
    if (node->has_upper)
        let_data_go(o, node);
    if (node->identity == NODE_NONE) {
        tree_free_node(o, node);
        return;
    }
    node->has_upper = false;
    node->is_partial = false;
    table_free(node->table);
    node->table = NULL;
}

/* ---- names ---- */

/* The child of package directory LOWER of that very name, as far as spelling matters. */
static uint32_t named_child(const struct overlay *o, uint32_t lower, const char *name, size_t len)
{
    if (lower == NODE_NONE)
        return NODE_NONE;
    uint32_t child = package_lookup(o->package, lower, name, len, o->case_sensitive);
    if (child == NODE_NONE || o->case_sensitive)
        return child;
    return fold_equal(package_name(o->package, child), package_node(o->package, child)->name_len,
                      name, len)
               ? child
               : NODE_NONE; /* found by its 8.3 name */
}

struct overlay_name *tree_insert_name(struct overlay *o, struct overlay_node *dir,
                                      struct overlay_table *table, const char *text, size_t len)
{
    uint32_t covers = named_child(o, dir->lower, text, len);
    struct overlay_name *name = table_insert(o, table, text, len, covers);

    if (name)
        name->dir = dir;
    return name;
}

void tree_show_name(struct overlay_table *table, struct overlay_name *name,
                    struct overlay_node *node)
{
    table_show(table, name, node);
    name->next_link = node->names;
    node->names = name;
}

int tree_add_name(struct overlay *o, struct overlay_node *dir, const char *text,
                  struct overlay_node *node, struct overlay_name **out)
{
    struct overlay_name *name = tree_insert_name(o, dir, dir->table, text, strlen(text));

    if (!name)
        return -ENOMEM;
    if (node)
        tree_show_name(dir->table, name, node);
    if (out)
        *out = name;
    return 0;
}

void tree_forget_name(struct overlay_table *table, struct overlay_name *name)
{
    if (name->node) {
        struct overlay_name **link = &name->node->names;
        while (*link && *link != name)
            link = &(*link)->next_link;
        if (*link)
            *link = name->next_link;
    }
    table_remove(table, name);
}

void tree_remove_name(struct overlay *o, struct overlay_name *name)
{
    (void)o;
    tree_forget_name(name->dir->table, name);
}

int tree_reserve(struct overlay *o, struct overlay_node *dir, size_t len)
{
    (void)o;
    if (len > NAME_MAX_BYTES)
        return -ENAMETOOLONG;
    return table_reserve(dir->table);
}

int tree_new_table(struct overlay *o, struct overlay_node *dir)
{
    (void)o;
    dir->table = table_new();
    return dir->table ? 0 : -ENOMEM;
}

/* ---- looking ---- */

struct overlay_ref tree_ref_of(struct overlay_node *node)
{
    return (struct overlay_ref){ .id = node->id, .lower = node->identity, .node = node };
}

struct overlay_ref tree_ref_of_package(uint32_t index)
{
    return (struct overlay_ref){ .id = (uint64_t)index + 1, .lower = index };
}

bool tree_shows_child(struct overlay *o, const struct tree_dir *dir, uint32_t child)
{
    if (overlay_node_of(o, child))
        return false;
    return !dir->node || !dir->node->table || !table_covering(o, dir->node->table, child);
}

/* Packages may hold names that differ only in case; a mount that is not case-sensitive then
 * finds the ones behind the first when that is hidden. Seldom, so slow is fine. */
static uint32_t other_child(struct overlay *o, const struct tree_dir *dir, const char *name,
                            size_t len)
{
    const struct node *n = package_node(o->package, dir->lower);

    for (uint32_t i = n->first_child; i < n->first_child + n->child_count; i++)
        if (fold_equal(package_name(o->package, i), package_node(o->package, i)->name_len, name,
                       len) &&
            tree_shows_child(o, dir, i))
            return i;
    return NODE_NONE;
}

/* By an 8.3 name a package node is found as long as it shows under its own name too. */
static void find_short(struct overlay *o, const struct tree_dir *dir, uint32_t child,
                       struct tree_entry *out)
{
    struct overlay_node *node = overlay_node_of(o, child);

    if (tree_shows_child(o, dir, child)) {
        out->ref = tree_ref_of_package(child);
    } else if (node && dir->node && dir->node->table) {
        struct overlay_name *name = table_covering(o, dir->node->table, child);
        if (!name || name->node != node)
            return;
        out->name = name;
        out->ref = tree_ref_of(node);
    } else {
        return;
    }
    out->child = child;
    out->ref.other_spelling = out->ref.short_name = true;
}

/* Decides between the upper name (a node or a whiteout, or NULL) and package node CHILD of the same
 * name (or NODE_NONE). */
static void find_own(struct overlay *o, const struct tree_dir *dir, const char *name, size_t len,
                     struct overlay_name *upper, uint32_t child, struct tree_entry *out)
{
    bool child_shows = child != NODE_NONE && tree_shows_child(o, dir, child);

    out->child = child;
    if (upper && upper->node) {
        if (!child_shows || !strcmp(upper->text, name) ||
            strcmp(package_name(o->package, child), name) != 0) {
            out->name = upper;
            out->child = upper->covers != NODE_NONE ? upper->covers : child;
            out->ref = tree_ref_of(upper->node);
            return;
        }
    } else if (child != NODE_NONE && !child_shows && o->info->case_sensitive &&
               !o->case_sensitive) {
        uint32_t other = other_child(o, dir, name, len);
        child_shows = other != NODE_NONE;
        if (child_shows)
            out->child = child = other;
    }
    if (child_shows)
        out->ref = tree_ref_of_package(child);
    else
        out->name = upper;
}

void tree_find(struct overlay *o, const struct tree_dir *dir, const char *name,
               struct tree_entry *out)
{
    size_t len = strlen(name);
    const struct overlay_table *table = dir->node ? dir->node->table : NULL;
    struct overlay_name *upper = table ? table_find(o, table, name, len) : NULL;
    uint32_t child = NODE_NONE;

    if (dir->lower != NODE_NONE)
        child = package_lookup(o->package, dir->lower, name, len, o->case_sensitive);
    *out = (struct tree_entry){ .child = NODE_NONE, .ref = { .lower = NODE_NONE } };
    if (child != NODE_NONE && !o->case_sensitive &&
        !fold_equal(package_name(o->package, child), package_node(o->package, child)->name_len,
                    name, len)) {
        if (!upper || !upper->node)
            find_short(o, dir, child, out);
        if (out->ref.id)
            return;
        child = NODE_NONE;
    }
    find_own(o, dir, name, len, upper, child, out);
    if (out->ref.id)
        out->ref.other_spelling = strcmp(tree_spelling(o, out), name) != 0;
}

const char *tree_spelling(const struct overlay *o, const struct tree_entry *entry)
{
    if (entry->name)
        return entry->name->text;
    return entry->child != NODE_NONE ? package_name(o->package, entry->child) : "";
}

bool tree_is_empty(struct overlay *o, const struct tree_dir *dir)
{
    if (dir->node && dir->node->table && dir->node->table->shown)
        return false;
    if (dir->lower == NODE_NONE)
        return true;
    const struct node *n = package_node(o->package, dir->lower);
    for (uint32_t i = n->first_child; i < n->first_child + n->child_count; i++)
        if (tree_shows_child(o, dir, i))
            return false;
    return true;
}

/* ---- directories by id ---- */

static int find_dir(struct overlay *o, uint64_t id, struct tree_dir *out)
{
    *out = (struct tree_dir){ .lower = NODE_NONE };
    if (!overlay_find(o, id, &out->node))
        return -ESTALE;
    if (!out->node) {
        out->lower = (uint32_t)(id - 1);
        return package_node(o->package, out->lower)->flags & NODE_DIR ? 0 : -ENOTDIR;
    }
    if (!S_ISDIR(out->node->type))
        return -ENOTDIR;
    if (out->node->unlinked)
        return -ENOENT;
    out->lower = out->node->lower;
    return 0;
}

int tree_dir(struct overlay *o, uint64_t id, struct tree_dir *out)
{
    int rc = find_dir(o, id, out);

    return rc || !out->node ? rc : tree_load(o, out->node);
}

int tree_dir_shared(struct overlay *o, uint64_t id, struct tree_dir *out)
{
    int rc = find_dir(o, id, out);

    if (rc || !out->node)
        return rc;
    return out->node->table && !out->node->table->pending ? 0 : -EAGAIN;
}
