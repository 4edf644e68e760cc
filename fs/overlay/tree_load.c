/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading an upper directory into memory. See tree.h (tree_load).
 *
 * First all names with their markers, then the nodes they stand for. What lies at its own place
 * (the common case) is clear at once. What was moved must not still show at its own place, so the
 * upper directories on the way there are read as well, but only their names and what is clear at
 * once; the rest of theirs waits in o->pending. Nothing here calls itself: markers that lead in
 * circles cost one reading of each directory and no stack.
 *
 * A directory is used only when nothing is pending any more, so nobody sees what is half read.
 */
#include "config.h"

#include "fs/overlay/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "fs/overlay/ids.h"
#include "fs/overlay/tree_private.h"
#include "src/fold.h"

/* A name as found on disk. */
struct found {
    char *text;
    struct markers *markers;   /* NULL: none */
    struct overlay_name *name; /* once it is in the table */
    uint64_t ino;
    mode_t type;
    uint32_t wanted; /* package node whose place it is to take, or NODE_NONE */
};

struct found_list {
    struct found *items;
    size_t count, room;
};

/* A name that has been moved there, or so it says. */
struct tree_pending {
    struct found found;
};

static void found_clear(struct found *f)
{
    if (f->markers)
        markers_clear(f->markers);
    free(f->markers);
    free(f->text);
    *f = (struct found){ 0 };
}

static void found_list_clear(struct found_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        found_clear(&list->items[i]);
    free(list->items);
    *list = (struct found_list){ 0 };
}

/* NAME may be any bytes a directory can hold. */
static void warn(struct overlay *o, const struct overlay_node *dir, const char *name,
                 const char *what)
{
    unsigned suppressed;

    if (!log_limit_allows(&o->warnings, &suppressed))
        return;
    auto_free char *path = tree_upper_path(o, dir);
    bool text = !name_check(name, strlen(name), NULL);
    char printable[NAME_MAX_BYTES + 1];
    size_t len = 0;
    for (; name[len] && len < sizeof printable - 1; len++)
        printable[len] = text || (name[len] >= 0x20 && name[len] < 0x7f) ? name[len] : '?';
    printable[len] = '\0';
    log_warning("overlay", "%s/files/%s%s%s: %s suppressed=%u", o->store->path, path ? path : "?",
                path && *path ? "/" : "", printable, what, suppressed);
}

/* ---- reading names ---- */

static int read_markers(struct overlay *o, struct overlay_node *dir, int fd, struct found *f,
                        const struct stat *st)
{
    bool any = false;

    if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
        return 0;
    int rc = markers_any(fd, f->text, &any);
    if (rc == -ENOMEM)
        return rc;
    if (rc)
        warn(o, dir, f->text, "its extended attributes cannot be read; taken as it is");
    if (rc || !any)
        return 0;
    f->markers = calloc(1, sizeof *f->markers);
    if (!f->markers)
        return -ENOMEM;
    rc = markers_read(fd, f->text, st, f->markers);
    if (rc == -ENOMEM)
        return rc;
    if (rc)
        warn(o, dir, f->text, "a marker of it is not of a known form and is ignored");
    return 0;
}

/* 1: taken into F; 0: left out. */
static int examine(struct overlay *o, struct overlay_node *dir, int fd, const char *text,
                   struct found *f)
{
    struct stat st;

    if (name_check(text, strlen(text), NULL)) {
        warn(o, dir, text, "a name that packages cannot have; left out");
        return 0;
    }
    if (fstatat(fd, text, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : -errno;
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
        warn(o, dir, text, "a device; left out");
        return 0;
    }
    /* Of directories only: files may have a device of their own where the upper file system is
     * itself made of layers. */
    if (S_ISDIR(st.st_mode) && st.st_dev != o->store->dev) {
        warn(o, dir, text, "on another file system; left out");
        return 0;
    }
    *f = (struct found){
        .text = strdup(text),
        .ino = st.st_ino,
        .type = st.st_mode & S_IFMT,
        .wanted = NODE_NONE,
    };
    if (!f->text)
        return -ENOMEM;
    int rc = read_markers(o, dir, fd, f, &st);
    if (rc) {
        found_clear(f);
        return rc;
    }
    return 1;
}

static int found_append(struct found_list *list, const struct found *f)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 16;
        struct found *items = realloc(list->items, room * sizeof *items);
        if (!items)
            return -ENOMEM;
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = *f;
    return 0;
}

static int read_stream(struct overlay *o, struct overlay_node *dir, DIR *stream,
                       struct found_list *list)
{
    int fd = dirfd(stream);

    for (;;) {
        struct found f;
        errno = 0;
        struct dirent *d = readdir(stream);
        if (!d)
            return -errno;
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        int rc = examine(o, dir, fd, d->d_name, &f);
        if (rc < 0)
            return rc;
        if (rc && found_append(list, &f)) {
            found_clear(&f);
            return -ENOMEM;
        }
    }
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->text, ((const struct found *)b)->text);
}

/* Sorted, so that nothing depends on the order the file system has. */
static int read_dir(struct overlay *o, struct overlay_node *dir, struct found_list *list)
{
    int at = tree_pin_dir(o, dir);

    if (at < 0)
        return at;
    int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = fd < 0 ? -errno : 0;
    tree_unpin_dir(o, dir);
    if (rc)
        return rc;
    DIR *stream = fdopendir(fd);
    if (!stream) {
        rc = -errno;
        (void)close(fd);
        return rc;
    }
    rc = read_stream(o, dir, stream, list);
    (void)closedir(stream);
    if (!rc && list->count)
        qsort(list->items, list->count, sizeof *list->items, by_bytes);
    return rc;
}

/* ---- finding the nodes ---- */

static bool is_whiteout(const struct found *f)
{
    return S_ISREG(f->type) && f->markers && f->markers->whiteout;
}

/* The package node PATH names if it is of that type. */
static uint32_t package_at(const struct overlay *o, const char *path, bool dir)
{
    uint32_t index = *path == '/' ? package_resolve(o->package, path, true) : NODE_NONE;

    if (index == NODE_NONE || !(package_node(o->package, index)->flags & NODE_DIR) == dir)
        return NODE_NONE;
    return index;
}

static uint32_t wanted_by(struct overlay *o, struct overlay_node *dir, const struct found *f)
{
    const struct markers *m = f->markers;
    uint32_t wanted = NODE_NONE, covers = f->name->covers;
    const char *path;

    if (S_ISDIR(f->type)) {
        if (m && m->opaque)
            return NODE_NONE;
        path = m ? m->redirect : NULL;
        if (!path && covers != NODE_NONE && package_node(o->package, covers)->flags & NODE_DIR)
            return covers;
    } else {
        path = m && S_ISREG(f->type) ? m->origin : NULL;
    }
    if (path) {
        wanted = package_at(o, path, S_ISDIR(f->type));
        if (wanted == NODE_NONE)
            warn(o, dir, f->text, "the package has nothing any more where it came from");
    }
    return wanted;
}

static int upper_ino_of(struct overlay *o, struct overlay_node *node, uint64_t *out)
{
    struct stat st;

    if (!node->upper_ino && node->has_upper) {
        int rc = tree_lstat(o, node, &st);
        if (rc)
            return rc;
        node->upper_ino = st.st_ino;
    }
    *out = node->upper_ino;
    return 0;
}

/* The node that F is another name of, if it was met. */
static int find_link(struct overlay *o, const struct found *f, struct overlay_node **out)
{
    struct overlay_node *node;
    uint64_t ino;

    *out = NULL;
    if (S_ISDIR(f->type))
        return 0;
    node = inos_find(o->inos, f->ino);
    if (node && node->type == f->type) {
        *out = node;
        return 0;
    }
    node = f->wanted == NODE_NONE ? NULL : overlay_node_of(o, f->wanted);
    if (!node)
        return 0;
    int rc = upper_ino_of(o, node, &ino);
    if (!rc && ino == f->ino)
        *out = node;
    return rc == -ENOMEM ? rc : 0;
}

/* Makes F's name stand for its node: that of package node IDENTITY, or one of its own. */
static int settle(struct overlay *o, struct overlay_table *t, const struct found *f,
                  uint32_t identity)
{
    const struct markers *m = f->markers;
    struct overlay_node *node;
    int rc = find_link(o, f, &node);

    if (rc)
        return rc;
    if (!node) {
        rc = tree_add_node(o, f->type, identity, f->ino, &node);
        if (rc)
            return rc;
        if (m) {
            node->has_mode = m->has_mode;
            node->mode = m->mode;
        }
        if (m && m->has_partial && S_ISREG(f->type)) {
            node->is_partial = true;
            node->lower = package_at(o, m->partial.path, false);
        }
    }
    tree_show_name(t, f->name, node);
    return 0;
}

/* At its own place, where it takes over if nobody else has. */
static int settle_own(struct overlay *o, struct overlay_node *dir, struct overlay_table *t,
                      const struct found *f)
{
    struct overlay_node *link, *holder = overlay_node_of(o, f->wanted);
    int rc = holder ? find_link(o, f, &link) : 0;

    if (rc)
        return rc;
    if (holder && link != holder)
        warn(o, dir, f->text, "another has the package's node of that name; taken as new");
    return settle(o, t, f, holder ? NODE_NONE : f->wanted);
}

static bool is_exact(const struct overlay *o, const struct found *f)
{
    return !strcmp(f->text, package_name(o->package, f->name->covers));
}

/* In three passes: the exact spelling comes before others of the same name. */
static int settle_clear(struct overlay *o, struct overlay_node *dir, struct overlay_table *t,
                        const struct found_list *list)
{
    int rc = 0;

    for (int pass = 0; pass < 3; pass++) {
        for (size_t i = 0; !rc && i < list->count; i++) {
            const struct found *f = &list->items[i];
            bool own = f->wanted != NODE_NONE && f->wanted == f->name->covers;
            if (is_whiteout(f) || (!own && f->wanted != NODE_NONE))
                continue;
            if (pass != (!own ? 2 : is_exact(o, f) ? 0 : 1))
                continue;
            rc = own ? settle_own(o, dir, t, f) : settle(o, t, f, NODE_NONE);
        }
    }
    return rc;
}

/* Moves those that are not clear at once to the table's own list, which is worked off from its
 * end. */
static int keep_pending(struct overlay_table *t, struct found_list *list)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++)
        count += !is_whiteout(&list->items[i]) && !list->items[i].name->node;
    if (!count)
        return 0;
    t->pending = calloc(count, sizeof *t->pending);
    if (!t->pending)
        return -ENOMEM;
    t->pending_count = count;
    for (size_t i = 0; i < list->count; i++) {
        struct found *f = &list->items[i];
        if (is_whiteout(f) || f->name->node)
            continue;
        t->pending[--count].found = *f;
        *f = (struct found){ 0 };
    }
    return 0;
}

static int fill_table(struct overlay *o, struct overlay_node *dir, struct overlay_table *t,
                      struct found_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct found *f = &list->items[i];
        f->name = tree_insert_name(o, dir, t, f->text, strlen(f->text));
        if (!f->name)
            return -ENOMEM;
    }
    for (size_t i = 0; i < list->count; i++)
        if (!is_whiteout(&list->items[i]))
            list->items[i].wanted = wanted_by(o, dir, &list->items[i]);
    int rc = settle_clear(o, dir, t, list);
    return rc ? rc : keep_pending(t, list);
}

/* Undoes what fill_table() did before memory ran out. */
static void empty_table(struct overlay *o, struct overlay_table *t)
{
    while (t->place_count) {
        struct overlay_name *name = t->places[t->place_count - 1].name;
        struct overlay_node *node = name->node;
        tree_forget_name(t, name);
        if (node && !node->names && !node->table && !atomic_load(&node->lookups))
            tree_free_node(o, node);
    }
    table_free(t);
}

/* Reads the names of DIR unless that was done, and settles what is clear. */
static int load_names(struct overlay *o, struct overlay_node *dir)
{
    struct found_list list = { 0 };

    if (dir->table)
        return 0;
    int rc = read_dir(o, dir, &list);
    struct overlay_table *t = rc ? NULL : table_new();
    if (!rc && !t)
        rc = -ENOMEM;
    if (!rc)
        rc = fill_table(o, dir, t, &list);
    found_list_clear(&list);
    if (rc) {
        if (t)
            empty_table(o, t);
        return rc;
    }
    dir->table = t;
    if (t->pending) {
        t->next_pending = o->pending;
        o->pending = dir;
    }
    return 0;
}

/* ---- what was moved ---- */

/* From the root (left out) to INDEX itself. Caller frees. */
static uint32_t *ancestors(const struct overlay *o, uint32_t index, size_t *count)
{
    size_t depth = 0;

    for (uint32_t i = index; i != NODE_ROOT; i = package_node(o->package, i)->parent)
        depth++;
    uint32_t *chain = malloc((depth + 1) * sizeof *chain);
    if (!chain)
        return NULL;
    *count = depth;
    for (uint32_t i = index; i != NODE_ROOT; i = package_node(o->package, i)->parent)
        chain[--depth] = i;
    return chain;
}

/* Of a directory that cannot be read, or that somebody took away, nothing shows. What may be
 * otherwise next time is not among these. */
static bool shows_nothing(int rc)
{
    return rc == -EACCES || rc == -EPERM || rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP ||
           rc == -ESTALE || rc == -EIO;
}

/* 1 when package node INDEX, which has no state yet, shows where the package has it; or -errno. */
static int shows_at_home(struct overlay *o, uint32_t index)
{
    size_t depth;
    auto_free uint32_t *chain = ancestors(o, index, &depth);
    struct overlay_node *dir = o->root;

    if (!chain)
        return -ENOMEM;
    for (size_t i = 0; i < depth; i++) {
        int rc = load_names(o, dir);
        if (rc)
            return shows_nothing(rc) ? 0 : rc;
        if (dir->lower == NODE_NONE)
            return 0;
        struct overlay_node *node = overlay_node_of(o, chain[i]);
        if (!node)
            return !table_covering(o, dir->table, chain[i]);
        if (!node->has_upper || !node->names || !S_ISDIR(node->type))
            return 0;
        dir = node;
    }
    return 1;
}

static int settle_moved(struct overlay *o, struct overlay_node *dir, const struct found *f)
{
    struct overlay_node *link = NULL;
    uint32_t identity = f->wanted;
    int rc = find_link(o, f, &link);

    if (!rc && !link) {
        rc = overlay_node_of(o, identity) ? 1 : shows_at_home(o, identity);
        /* Reading the way there may have met it. */
        if (!rc && overlay_node_of(o, identity))
            rc = 1;
        if (rc > 0)
            rc = find_link(o, f, &link) ? -ENOMEM : 1;
        if (rc > 0 && !link)
            warn(o, dir, f->text, "what it came from is elsewhere too; taken as new");
        if (rc > 0)
            identity = NODE_NONE;
    }
    return rc < 0 ? rc : settle(o, dir->table, f, identity);
}

/* The first directory that waits. What is left of it after an error goes on waiting. */
static int settle_pending(struct overlay *o)
{
    struct overlay_node *dir = o->pending;
    struct overlay_table *t = dir->table;

    /* Others may come to stand before it in the list meanwhile, so it is taken out first. */
    o->pending = t->next_pending;
    t->next_pending = NULL;
    while (t->pending_count) {
        struct tree_pending *p = &t->pending[t->pending_count - 1];
        int rc = settle_moved(o, dir, &p->found);
        if (rc) {
            t->next_pending = o->pending;
            o->pending = dir;
            return rc;
        }
        found_clear(&p->found);
        t->pending_count--;
    }
    free(steal_ptr(&t->pending));
    return 0;
}

int tree_load(struct overlay *o, struct overlay_node *dir)
{
    int rc = load_names(o, dir);

    while (!rc && o->pending)
        rc = settle_pending(o);
    return rc;
}

int tree_reach(struct overlay *o, uint32_t index)
{
    int shows = overlay_node_of(o, index) ? 1 : shows_at_home(o, index);
    int rc = tree_load(o, o->root); /* what the way there has left pending */

    if (shows < 0 || rc)
        return shows < 0 ? shows : rc;
    return shows || overlay_node_of(o, index) ? 0 : -ESTALE;
}

void tree_load_cancel(struct overlay *o)
{
    while (o->pending) {
        struct overlay_table *t = o->pending->table;
        o->pending = t->next_pending;
        for (size_t i = 0; i < t->pending_count; i++)
            found_clear(&t->pending[i].found);
        free(steal_ptr(&t->pending));
        t->pending_count = 0;
    }
}
