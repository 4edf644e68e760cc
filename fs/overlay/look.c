/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking into an overlay: names, attributes, listings, links, extended attributes. See overlay.h.
 *
 * Everything holds ns shared, except while an upper directory is read for the first time. What
 * nobody changed is answered from the package.
 *
 * Positions in a listing: 0 ".", 1 "..", then the places of the package's children, each taken by
 * the upper name that covers it if there is one, then from SERIAL_START on the other upper names in
 * the order they came. Each entry keeps its place as long as it is there.
 */
#include "config.h"

#include "fs/overlay/overlay.h"

#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "fs/overlay/marker.h"
#include "fs/overlay/table.h"
#include "fs/overlay/tree.h"

#define SERIAL_START (UINT64_C(1) << 32)
#define FIRST_CHILD  2u

enum { XATTR_LIST_BYTES = 65536 /* the kernel's XATTR_LIST_MAX */ };

static void lock_shared(struct overlay *o)
{
    (void)pthread_rwlock_rdlock(&o->ns);
}

static void unlock(struct overlay *o)
{
    (void)pthread_rwlock_unlock(&o->ns);
}

/* Takes ns shared, with the directory's table loaded. On error ns is not held. */
static int lock_dir(struct overlay *o, uint64_t id, struct tree_dir *dir)
{
    for (;;) {
        lock_shared(o);
        int rc = tree_dir_shared(o, id, dir);
        if (!rc)
            return 0;
        unlock(o);
        if (rc != -EAGAIN)
            return rc;
        (void)pthread_rwlock_wrlock(&o->ns);
        rc = tree_dir(o, id, dir);
        unlock(o);
        if (rc)
            return rc;
    }
}

/* ---- attributes ---- */

/* Needs ns shared. */
static int stat_ref(struct overlay *o, const struct overlay_ref *ref, struct stat *st)
{
    struct overlay_node *node = ref->node;

    if (node && node->has_upper)
        return tree_stat(o, node, st);
    attr_fill(o->rules, ref->lower, st);
    if (node && node->unlinked)
        st->st_nlink = 0;
    return 0;
}

static struct overlay_ref ref_of(uint64_t id, struct overlay_node *node)
{
    return node ? tree_ref_of(node) : tree_ref_of_package((uint32_t)(id - 1));
}

int overlay_getattr(struct overlay *o, uint64_t id, struct stat *st)
{
    struct overlay_node *node;
    int rc = -ESTALE;

    lock_shared(o);
    if (overlay_find(o, id, &node)) {
        struct overlay_ref ref = ref_of(id, node);
        rc = stat_ref(o, &ref, st);
    }
    unlock(o);
    return rc;
}

char *overlay_shown_path(struct overlay *o, uint64_t id)
{
    struct overlay_node *node;
    char *path = NULL;

    lock_shared(o);
    if (overlay_find(o, id, &node)) {
        struct overlay_ref ref = ref_of(id, node);
        path = tree_shown_path(o, &ref);
    }
    unlock(o);
    return path;
}

/* ---- names ---- */

/* The directory above a directory that has a name. */
static struct overlay_ref parent_ref(struct overlay *o, const struct tree_dir *dir)
{
    if (dir->node == o->root)
        return tree_ref_of(o->root);
    if (dir->node)
        return tree_ref_of(dir->node->names ? dir->node->names->dir : o->root);
    uint32_t parent = package_node(o->package, dir->lower)->parent;
    struct overlay_node *node = overlay_node_of(o, parent);
    return node ? tree_ref_of(node) : tree_ref_of_package(parent);
}

static struct overlay_ref self_ref(const struct tree_dir *dir)
{
    return dir->node ? tree_ref_of(dir->node) : tree_ref_of_package(dir->lower);
}

static bool is_forgotten(const struct overlay *o, const struct overlay_node *node)
{
    return node->identity == NODE_NONE ? !atomic_load(&node->lookups)
                                       : !atomic_load(&o->lower_lookups[node->identity]);
}

/* Any node, by a file handle that may be older than the mount. */
static int lookup_self(struct overlay *o, uint64_t id, struct overlay_ref *out, struct stat *st)
{
    struct overlay_node *node;
    int rc = 0;

    if (!overlay_find(o, id, &node))
        return -ESTALE;
    if (!node && !atomic_load(&o->lower_lookups[id - 1])) {
        (void)pthread_rwlock_wrlock(&o->ns);
        rc = tree_reach(o, (uint32_t)(id - 1));
        unlock(o);
    }
    if (rc)
        return rc;
    lock_shared(o);
    if (!overlay_find(o, id, &node) || (node && node->unlinked && is_forgotten(o, node))) {
        rc = -ESTALE;
    } else {
        *out = ref_of(id, node);
        if (st)
            rc = stat_ref(o, out, st);
    }
    unlock(o);
    return rc;
}

int overlay_lookup(struct overlay *o, uint64_t parent, const char *name, struct overlay_ref *out,
                   struct stat *st)
{
    struct tree_entry entry;
    struct tree_dir dir;

    *out = (struct overlay_ref){ .lower = NODE_NONE };
    if (strlen(name) > NAME_MAX_BYTES)
        return -ENAMETOOLONG;
    if (!strcmp(name, "."))
        return lookup_self(o, parent, out, st);
    int rc = lock_dir(o, parent, &dir);
    if (rc)
        return rc;
    if (!strcmp(name, "..")) {
        *out = parent_ref(o, &dir);
    } else {
        tree_find(o, &dir, name, &entry);
        *out = entry.ref;
    }
    if (st && out->id)
        rc = stat_ref(o, out, st);
    unlock(o);
    return rc;
}

struct listing {
    struct overlay *o;
    struct tree_dir dir;
    bool attr;
    overlay_list_fn fn;
    void *arg;
};

/* False when no more are wanted. */
static bool emit(const struct listing *l, const char *name, const struct overlay_ref *ref,
                 uint64_t next)
{
    struct stat st = { .st_ino = 0 };

    if (l->attr) {
        int rc = stat_ref(l->o, ref, &st);
        if (rc)
            return true; /* gone from the upper layer without our doing */
    } else if (ref->node) {
        st.st_ino = (ino_t)ref->node->ino;
        st.st_mode = ref->node->type;
    } else {
        st.st_ino = (ino_t)ref->id;
        st.st_mode = package_node(l->o->package, ref->lower)->flags & NODE_DIR ? S_IFDIR : S_IFREG;
    }
    return l->fn(l->arg, name, ref, &st, next);
}

static bool list_dots(const struct listing *l, uint64_t pos)
{
    struct overlay_ref ref = self_ref(&l->dir);

    if (pos == 0 && !emit(l, ".", &ref, 1))
        return false;
    ref = parent_ref(l->o, &l->dir);
    return pos > 1 || emit(l, "..", &ref, FIRST_CHILD);
}

static bool list_child(const struct listing *l, uint32_t child, uint64_t next)
{
    const struct overlay_table *t = l->dir.node ? l->dir.node->table : NULL;
    struct overlay_name *name = t ? table_covering(l->o, t, child) : NULL;
    struct overlay_ref ref;

    if (name) {
        if (!name->at_child)
            return true;
        ref = tree_ref_of(name->node);
        return emit(l, name->text, &ref, next);
    }
    if (overlay_node_of(l->o, child))
        return true;
    ref = tree_ref_of_package(child);
    return emit(l, package_name(l->o->package, child), &ref, next);
}

static bool list_children(const struct listing *l, uint64_t pos)
{
    if (l->dir.lower == NODE_NONE)
        return true;
    const struct node *n = package_node(l->o->package, l->dir.lower);
    for (uint64_t i = pos > FIRST_CHILD ? pos - FIRST_CHILD : 0; i < n->child_count; i++)
        if (!list_child(l, n->first_child + (uint32_t)i, FIRST_CHILD + i + 1))
            return false;
    return true;
}

static void list_serials(const struct listing *l, uint64_t serial)
{
    const struct overlay_table *t = l->dir.node ? l->dir.node->table : NULL;

    for (size_t i = t ? table_place_from(t, serial) : 0; t && i < t->place_count; i++) {
        struct overlay_name *name = t->places[i].name;
        if (!name || !name->node || name->at_child)
            continue;
        struct overlay_ref ref = tree_ref_of(name->node);
        if (!emit(l, name->text, &ref, SERIAL_START + name->serial + 1))
            return;
    }
}

int overlay_list(struct overlay *o, uint64_t id, uint64_t pos, bool attr, overlay_list_fn fn,
                 void *arg)
{
    struct listing l = { .o = o, .attr = attr, .fn = fn, .arg = arg };
    int rc = lock_dir(o, id, &l.dir);

    if (rc)
        return rc;
    if (pos >= SERIAL_START)
        list_serials(&l, pos - SERIAL_START);
    else if ((pos >= FIRST_CHILD || list_dots(&l, pos)) && list_children(&l, pos))
        list_serials(&l, 0);
    unlock(o);
    return 0;
}

/* ---- what is read by name: links and extended attributes ---- */

/* A pinned descriptor and the name below it ("" for the node itself) of an upper node. Needs ns
 * shared. */
static int pin_place(struct overlay *o, struct overlay_node *node, const char **name)
{
    *name = "";
    if (node == o->root)
        return tree_pin_dir(o, node);
    if (!node->names)
        return tree_pin_file_locked(o, node); /* the descriptor that was kept */
    *name = node->names->text;
    return tree_pin_dir(o, node->names->dir);
}

static void unpin_place(struct overlay *o, struct overlay_node *node)
{
    if (node == o->root)
        tree_unpin_dir(o, node);
    else if (!node->names)
        tree_unpin_file(o, node);
    else
        tree_unpin_dir(o, node->names->dir);
}

ssize_t overlay_readlink(struct overlay *o, uint64_t id, char *buf, size_t size)
{
    struct overlay_node *node;
    const char *name;
    ssize_t n;

    lock_shared(o);
    if (!overlay_find(o, id, &node)) {
        n = -ESTALE;
    } else if (!node || !S_ISLNK(node->type)) {
        n = -EINVAL;
    } else {
        n = pin_place(o, node, &name);
        if (n >= 0) {
            n = readlinkat((int)n, name, buf, size);
            if (n < 0)
                n = -errno;
            unpin_place(o, node);
        }
    }
    unlock(o);
    return n;
}

static ssize_t put_value(void *buf, size_t size, const char *value, size_t len)
{
    if (size && size < len)
        return -ERANGE;
    if (size)
        memcpy(buf, value, len);
    return (ssize_t)len;
}

static ssize_t package_getxattr(const struct overlay *o, uint32_t index, const char *name,
                                void *buf, size_t size)
{
    char text[ATTR_DOS_MAX];

    if (strcmp(name, ATTR_DOS) != 0)
        return -ENODATA;
    int len = attr_dos(o->package, index, text);
    return len < 0 ? len : put_value(buf, size, text, (size_t)len);
}

ssize_t overlay_getxattr(struct overlay *o, uint64_t id, const char *name, void *buf, size_t size)
{
    struct overlay_node *node;
    const char *place;
    ssize_t n;

    /* What the upper file system may have in other name spaces is not the user's. */
    if (strncmp(name, "user.", 5) != 0)
        return strncmp(name, "trusted.", 8) && strncmp(name, "security.", 9) ? -EOPNOTSUPP
                                                                             : -ENODATA;
    if (marker_is_reserved(name))
        return -ENODATA;
    lock_shared(o);
    if (!overlay_find(o, id, &node)) {
        n = -ESTALE;
    } else if (!node || !node->has_upper) {
        n = package_getxattr(o, (uint32_t)(id - 1), name, buf, size);
    } else if (!S_ISREG(node->type) && !S_ISDIR(node->type)) {
        n = -ENODATA;
    } else {
        n = pin_place(o, node, &place);
        if (n >= 0) {
            n = xattr_get_at((int)n, place, name, buf, size);
            unpin_place(o, node);
        }
    }
    unlock(o);
    return n;
}

/* Leaves in LIST what users may see; returns the bytes left. */
static size_t filter_names(char *list, size_t len)
{
    size_t kept = 0;

    for (size_t at = 0; at < len;) {
        size_t n = strnlen(list + at, len - at);
        if (at + n == len)
            break; /* not terminated */
        if (!strncmp(list + at, "user.", 5) && !marker_is_reserved(list + at)) {
            memmove(list + kept, list + at, n + 1);
            kept += n + 1;
        }
        at += n + 1;
    }
    return kept;
}

/* Needs ns shared. */
static ssize_t upper_listxattr(struct overlay *o, struct overlay_node *node, char *buf, size_t size)
{
    const char *place;
    auto_free char *list = NULL;

    if (!S_ISREG(node->type) && !S_ISDIR(node->type))
        return 0;
    ssize_t n = pin_place(o, node, &place);
    if (n < 0)
        return n;
    int fd = (int)n;
    n = xattr_list_at(fd, place, NULL, 0);
    if (n > 0) {
        list = malloc(XATTR_LIST_BYTES);
        n = list ? xattr_list_at(fd, place, list, XATTR_LIST_BYTES) : -ENOMEM;
    }
    unpin_place(o, node);
    return n <= 0 ? n : put_value(buf, size, list, filter_names(list, (size_t)n));
}

ssize_t overlay_listxattr(struct overlay *o, uint64_t id, char *buf, size_t size)
{
    static const char dos[] = ATTR_DOS;
    struct overlay_node *node;
    char text[ATTR_DOS_MAX];
    ssize_t n;

    lock_shared(o);
    if (!overlay_find(o, id, &node))
        n = -ESTALE;
    else if (node && node->has_upper)
        n = upper_listxattr(o, node, buf, size);
    else if (attr_dos(o->package, (uint32_t)(id - 1), text) < 0)
        n = 0;
    else
        n = put_value(buf, size, dos, sizeof dos);
    unlock(o);
    return n;
}

int overlay_statfs(struct overlay *o, struct statvfs *st)
{
    if (fstatvfs(o->store->files_fd, st))
        return -errno;
    st->f_namemax = NAME_MAX_BYTES;
    st->f_flag |= ST_NODEV | ST_NOSUID;
    if (o->store->read_only || o->store->access != OVERLAY_WRITE)
        st->f_flag |= ST_RDONLY;
    return 0;
}
