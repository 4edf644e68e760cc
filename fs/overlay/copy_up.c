/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copy-up: a package node gets something in the upper layer, so that it can be changed. Directories
 * are made empty and let the package show through; files get their size and no bytes (partial.h).
 * Made in work/ with all attributes and renamed into place, so that what shows is the same before
 * and after, whenever it ends. All functions need ns alone.
 */
#include "config.h"

#include <fcntl.h>
#include <string.h>

#include "fs/overlay/change.h"
#include "fs/overlay/crash_point.h"

/* From this length on a path may not fit twice among a file's attributes; its identity is then for
 * the life of the mount only. */
#define LONG_PATH 1024

/* Something being made in work/ for package node INDEX. */
struct making {
    struct overlay *o;
    uint32_t index;
    struct stat shown;
    char work[WORK_NAME_MAX];
    int fd;     /* the file, or the directory (not O_PATH) */
    bool named; /* it is in work/ under that name */
    ino_t ino;
    struct partial *partial;
};

static int set_dos_attributes(const struct making *m)
{
    char text[ATTR_DOS_MAX];

    return attr_dos(m->o->package, m->index, text) > 0 ? marker_set(m->fd, ATTR_DOS, text) : 0;
}

/* Owner, mode, times as shown so far. The times come last. */
static int set_attributes(struct making *m, struct overlay_node *node)
{
    const struct stat *shown = &m->shown;
    struct stat st;
    const struct timespec times[2] = { shown->st_atim, shown->st_mtim };

    int rc = set_dos_attributes(m);
    if (rc)
        return rc;
    if (fstat(m->fd, &st))
        return -errno;
    m->ino = st.st_ino;
    if (m->o->privileged && (st.st_uid != shown->st_uid || st.st_gid != shown->st_gid) &&
        fchown(m->fd, shown->st_uid, shown->st_gid))
        return -errno;
    rc = change_set_mode(m->o, m->fd, shown->st_mode & S_IFMT, st.st_mode, shown->st_mode, node);
    if (rc)
        return rc;
    return futimens(m->fd, times) ? -errno : 0;
}

/* Which package file it was made from: its identity, and where its bytes are. */
static int set_marks(struct making *m)
{
    auto_free char *path = NULL;
    struct partial_mark mark = { .size = (uint64_t)m->shown.st_size };

    int rc = tree_package_path(m->o, m->index, &path);
    if (rc)
        return rc;
    if (mark.size) {
        if (ftruncate(m->fd, (off_t)mark.size))
            return -errno;
        rc = partial_fingerprint(m->o->package, m->index, mark.content);
        mark.path = path;
        if (!rc && m->named)
            rc = marker_set_partial(m->fd, &mark);
        if (!rc)
            rc = partial_new(m->o->store, &mark, &m->partial);
        if (rc)
            return rc;
    }
    if (m->named) {
        rc = marker_set(m->fd, MARKER_ORIGIN, path);
        if (rc == -ENOSPC && strlen(path) >= LONG_PATH)
            rc = 0;
    }
    return rc;
}

static int open_file(struct making *m)
{
    mode_t mode = change_physical_mode(m->o, S_IFREG, m->shown.st_mode);
    int work = m->o->store->work_fd;

    overlay_work_name(m->o->store, m->work);
    m->fd = openat(work, m->work, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (m->fd < 0)
        return -errno;
    m->named = true;
    return 0;
}

static int open_dir(struct making *m)
{
    int work = m->o->store->work_fd;

    overlay_work_name(m->o->store, m->work);
    if (mkdirat(work, m->work, 0700))
        return -errno;
    m->named = true;
    m->fd = openat(work, m->work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return m->fd < 0 ? -errno : 0;
}

static void abandon(struct making *m)
{
    if (m->fd >= 0)
        (void)close(m->fd);
    if (m->named)
        (void)unlinkat(m->o->store->work_fd, m->work, S_ISDIR(m->shown.st_mode) ? AT_REMOVEDIR : 0);
    partial_free(m->partial);
}

/* The upper part is there: tells NODE. Takes the descriptor and what is known of the bytes. */
static void settle(struct making *m, struct overlay_node *node)
{
    node->lower = m->partial || S_ISDIR(node->type) ? m->index : NODE_NONE;
    node->is_partial = m->partial != NULL;
    atomic_store(&node->partial, m->partial);
    if (S_ISDIR(node->type))
        (void)close(m->fd); /* directories are used through O_PATH descriptors */
    else
        fd_give(m->o->fds, &node->slot, m->fd);
    node->has_upper = true; /* last: readers do not wait, and a nameless file cannot be opened */
}

/* Gives what lies at its place now a node and a name. */
static int add_node(struct making *m, struct overlay_node *dir, const struct overlay_node *draft,
                    struct overlay_node **out)
{
    struct overlay_node *node;
    struct overlay_name *added;

    int rc = tree_add_node(m->o, m->shown.st_mode & S_IFMT, m->index, m->ino, &node);
    if (rc)
        return rc;
    node->has_mode = draft->has_mode;
    node->mode = draft->mode;
    if (S_ISDIR(node->type))
        rc = tree_new_table(m->o, node);
    if (!rc)
        rc = tree_add_name(m->o, dir, package_name(m->o->package, m->index), node, &added);
    if (rc) {
        tree_free_node(m->o, node);
        return rc;
    }
    settle(m, node);
    overlay_node_named(node);
    *out = node;
    return 0;
}

/* Moves what was made to its place in the upper directory DIR, on disk and in memory. */
static int put_in_place(struct making *m, struct overlay_node *dir,
                        const struct overlay_node *draft, struct overlay_node **out)
{
    const char *name = package_name(m->o->package, m->index);
    struct timespec times[2];
    int dirfd = tree_pin_dir(m->o, dir);

    if (dirfd < 0)
        return dirfd;
    change_keep_times(dirfd, times);
    CRASH_POINT("copy-up-made");
    int rc = change_move(m->o, m->o->store->work_fd, m->work, dirfd, name);
    if (!rc) {
        m->named = false;
        CRASH_POINT("copy-up-placed");
        rc = add_node(m, dir, draft, out);
        if (rc) /* nothing shows of it: it may as well go */
            (void)unlinkat(dirfd, name, S_ISDIR(m->shown.st_mode) ? AT_REMOVEDIR : 0);
        change_restore_times(dirfd, times);
    }
    tree_unpin_dir(m->o, dir);
    return rc;
}

/* Package node INDEX, unchanged so far, in the upper directory DIR of the directory above it. */
static int copy_up(struct overlay *o, uint32_t index, struct overlay_node *dir,
                   struct overlay_node **out)
{
    struct making m = { .o = o, .index = index, .fd = -1 };
    struct overlay_node draft = { .has_mode = false };

    attr_fill(o->rules, index, &m.shown);
    bool is_dir = S_ISDIR(m.shown.st_mode);
    int rc = tree_load(o, dir);
    if (!rc)
        rc = tree_reserve(o, dir, package_node(o->package, index)->name_len);
    if (!rc)
        rc = is_dir ? open_dir(&m) : open_file(&m);
    if (!rc && !is_dir)
        rc = set_marks(&m);
    if (!rc)
        rc = set_attributes(&m, &draft);
    if (!rc)
        rc = put_in_place(&m, dir, &draft, out);
    if (rc)
        abandon(&m);
    return rc;
}

/* The nearest directory above package node INDEX that has an upper part, and how many there are in
 * between. */
static int nearest_upper(const struct overlay *o, uint32_t index, struct overlay_node **above,
                         unsigned *between)
{
    *between = 0;
    for (;;) {
        uint32_t parent = package_node(o->package, index)->parent;
        struct overlay_node *node = parent == NODE_ROOT ? o->root : overlay_node_of(o, parent);
        if (node && (!node->has_upper || node->unlinked || node->lower != parent))
            return -ENOENT; /* deleted, and with it what was in it */
        if (node) {
            *above = node;
            return 0;
        }
        index = parent;
        ++*between;
    }
}

/* Ancestor of package node INDEX that is UP steps above it. */
static uint32_t ancestor(const struct overlay *o, uint32_t index, unsigned up)
{
    while (up--)
        index = package_node(o->package, index)->parent;
    return index;
}

/* INDEX and all above it that are missing. */
static int copy_up_path(struct overlay *o, uint32_t index, struct overlay_node **out)
{
    struct overlay_node *node;
    unsigned between;

    int rc = nearest_upper(o, index, &node, &between);
    for (unsigned up = between + 1; !rc && up-- > 0;)
        rc = copy_up(o, ancestor(o, index, up), node, &node);
    if (!rc)
        *out = node;
    return rc;
}

int copy_up_dir(struct overlay *o, struct tree_dir *dir)
{
    if (!dir->node && dir->lower != NODE_NONE)
        dir->node = dir->lower == NODE_ROOT ? o->root : overlay_node_of(o, dir->lower);
    if (dir->node)
        return dir->node->has_upper && !dir->node->unlinked ? 0 : -ENOENT;
    return copy_up_path(o, dir->lower, &dir->node);
}

static int open_nameless(struct making *m)
{
    int work = m->o->store->work_fd;
    mode_t mode = change_physical_mode(m->o, S_IFREG, m->shown.st_mode);

    m->fd = openat(work, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
    if (m->fd >= 0)
        return 0;
    int rc = open_file(m);
    if (!rc && unlinkat(work, m->work, 0))
        rc = -errno;
    if (!rc)
        m->named = false;
    return rc;
}

/* A deleted package file that somebody goes on using, and now writes to. */
static int copy_up_nameless(struct overlay *o, struct overlay_node *node)
{
    struct making m = { .o = o, .index = node->identity, .fd = -1 };

    if (!S_ISREG(node->type))
        return -ENOENT;
    attr_fill(o->rules, node->identity, &m.shown);
    int rc = open_nameless(&m);
    if (!rc)
        rc = set_marks(&m);
    if (!rc)
        rc = set_attributes(&m, node);
    if (rc) {
        abandon(&m);
        return rc;
    }
    settle(&m, node);
    fd_keep(o->fds, &node->slot, true);
    return 0;
}

int copy_up_node(struct overlay *o, uint64_t id, struct overlay_node **out)
{
    struct overlay_node *node;

    if (!overlay_find(o, id, &node))
        return -ESTALE;
    if (!node)
        return copy_up_path(o, (uint32_t)(id - 1), out);
    *out = node;
    return node->has_upper ? 0 : copy_up_nameless(o, node);
}

int copy_up_root(struct overlay *o)
{
    struct making m = { .o = o, .index = NODE_ROOT };

    if (xattr_get_at(o->store->files_fd, "", MARKER_ORIGIN, NULL, 0) != -ENODATA)
        return 0;
    auto_close int fd = openat(o->store->files_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    m.fd = fd;
    attr_fill(o->rules, NODE_ROOT, &m.shown);
    int rc = set_attributes(&m, o->root);
    return rc ? rc : marker_set(fd, MARKER_ORIGIN, "/");
}
