/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors of upper nodes, their paths and attributes. See tree.h.
 *
 * Upper directories are opened one component at a time from the nearest one above that is open,
 * never following a symbolic link: what somebody else puts into the upper layer while it is mounted
 * does not lead out of it. Depth costs no stack.
 */
#include "config.h"

#include "fs/overlay/tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/overlay/tree_private.h"

enum {
    DIR_SIZE = 4096,  /* what a directory's size is shown as: see attr_fill() */
    STAT_BLOCK = 512, /* unit of st_blocks */
};

static struct overlay_node *parent_of(const struct overlay_node *node)
{
    return node->names ? node->names->dir : NULL;
}

/* ---- directories ---- */

struct open_arg {
    struct overlay *o;
    struct overlay_node *node;
};

static int open_never(void *arg)
{
    (void)arg;
    return -EAGAIN;
}

/* A pinned descriptor of the nearest directory above NODE that is open. */
static int pin_above(struct overlay *o, struct overlay_node *node, struct overlay_node **above,
                     size_t *depth)
{
    struct overlay_node *at = parent_of(node);

    for (*depth = 1; at && at != o->root; at = parent_of(at), (*depth)++) {
        int fd = fd_pin(o->fds, &at->slot, open_never, NULL);
        if (fd >= 0) {
            *above = at;
            return fd;
        }
    }
    *above = NULL;
    return at ? o->store->files_fd : -ESTALE;
}

static int open_component(int at, const char *name)
{
    int fd = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The same for several, when the directories between are closed. */
static int open_components(int at, struct overlay_node *node, size_t depth)
{
    auto_free const char **names = malloc(depth * sizeof *names);
    int fd = at;

    if (!names)
        return -ENOMEM;
    for (size_t i = depth; i-- > 0; node = parent_of(node))
        names[i] = node->names->text;
    for (size_t i = 0; i < depth && fd >= 0; i++) {
        int next = open_component(fd, names[i]);
        if (fd != at)
            (void)close(fd);
        fd = next;
    }
    return fd;
}

static int open_dir(void *arg)
{
    struct open_arg *a = arg;
    struct overlay_node *above;
    size_t depth;
    int at = pin_above(a->o, a->node, &above, &depth);

    if (at < 0)
        return at;
    int fd = depth == 1 ? open_component(at, a->node->names->text)
                        : open_components(at, a->node, depth);
    if (above)
        fd_unpin(a->o->fds, &above->slot);
    return fd;
}

int tree_pin_dir(struct overlay *o, struct overlay_node *dir)
{
    struct open_arg a = { .o = o, .node = dir };

    if (dir == o->root)
        return o->store->files_fd;
    return fd_pin(o->fds, &dir->slot, open_dir, &a);
}

void tree_unpin_dir(struct overlay *o, struct overlay_node *dir)
{
    if (dir != o->root)
        fd_unpin(o->fds, &dir->slot);
}

/* ---- files ---- */

static int open_in(const struct overlay *o, int at, const char *name)
{
    /* NONBLOCK matters only if somebody has put a FIFO there. */
    int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, fd = -1;
    struct stat st;

    if (!o->store->read_only && o->store->access == OVERLAY_WRITE)
        fd = openat(at, name, O_RDWR | flags);
    if (fd < 0)
        fd = openat(at, name, O_RDONLY | flags);
    if (fd < 0)
        return errno == ELOOP ? -EIO : -errno;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return -EIO;
    }
    return fd;
}

static int open_file(void *arg)
{
    struct open_arg *a = arg;
    struct overlay_node *dir = parent_of(a->node);

    if (!dir)
        return -ESTALE;
    int at = tree_pin_dir(a->o, dir);
    if (at < 0)
        return at;
    int fd = open_in(a->o, at, a->node->names->text);
    tree_unpin_dir(a->o, dir);
    return fd;
}

int tree_pin_file_locked(struct overlay *o, struct overlay_node *file)
{
    struct open_arg a = { .o = o, .node = file };

    return fd_pin(o->fds, &file->slot, open_file, &a);
}

int tree_pin_file(struct overlay *o, struct overlay_node *file)
{
    int fd = fd_pin(o->fds, &file->slot, open_never, NULL);

    if (fd != -EAGAIN)
        return fd;
    (void)pthread_rwlock_rdlock(&o->ns);
    fd = tree_pin_file_locked(o, file);
    (void)pthread_rwlock_unlock(&o->ns);
    return fd;
}

void tree_unpin_file(struct overlay *o, struct overlay_node *file)
{
    fd_unpin(o->fds, &file->slot);
}

/* ---- paths ---- */

/* "a/b" of NODE, followed by TAIL after a '/' if there is one. */
static char *path_with(const struct overlay *o, const struct overlay_node *node, const char *tail)
{
    size_t tail_len = strlen(tail), len = tail_len;

    for (const struct overlay_node *n = node; n != o->root; n = parent_of(n)) {
        if (!n->names)
            return NULL;
        len += n->names->len + 1u;
    }
    char *path = malloc(len + 1), *at = path ? path + len : NULL;
    if (!path)
        return NULL;
    at -= tail_len;
    memcpy(at, tail, tail_len + 1);
    for (const struct overlay_node *n = node; n != o->root; n = parent_of(n)) {
        if (*at)
            *--at = '/';
        at -= n->names->len;
        memcpy(at, n->names->text, n->names->len);
    }
    /* Without a tail there was one '/' less than counted. */
    memmove(path, at, strlen(at) + 1);
    return path;
}

char *tree_upper_path(const struct overlay *o, const struct overlay_node *node)
{
    return path_with(o, node, "");
}

char *tree_shown_path(const struct overlay *o, const struct overlay_ref *ref)
{
    if (ref->node && (ref->node->names || ref->node == o->root))
        return path_with(o, ref->node, "");
    if (ref->lower == NODE_NONE)
        return NULL;
    /* From the nearest directory above that may be somewhere else than the package has it. */
    auto_free char *own = package_path(o->package, ref->lower);
    if (!own)
        return NULL;
    const char *tail = own + strlen(own);
    for (uint32_t i = ref->lower; i != NODE_ROOT; i = package_node(o->package, i)->parent) {
        const struct overlay_node *node = overlay_node_of(o, i);
        if (node && node->names)
            return path_with(o, node, *tail == '/' ? tail + 1 : tail);
        tail -= package_node(o->package, i)->name_len;
        if (tail > own)
            tail--;
    }
    return strdup(own);
}

int tree_package_path(const struct overlay *o, uint32_t index, char **out)
{
    auto_free char *path = package_path(o->package, index);

    if (!path)
        return -ENOMEM;
    size_t len = strlen(path);
    if (len + 1 > MARKER_PATH_MAX)
        return -ENAMETOOLONG;
    *out = malloc(len + 2);
    if (!*out)
        return -ENOMEM;
    (*out)[0] = '/';
    memcpy(*out + 1, path, len + 1);
    return 0;
}

/* ---- attributes ---- */

int tree_lstat(struct overlay *o, struct overlay_node *node, struct stat *st)
{
    struct overlay_node *dir = parent_of(node);
    int rc = 0;

    if (node == o->root)
        return fstat(o->store->files_fd, st) ? -errno : 0;
    if (!dir) {
        int fd = fd_pin(o->fds, &node->slot, open_never, NULL);
        if (fd < 0)
            return -ESTALE;
        rc = fstat(fd, st) ? -errno : 0;
        fd_unpin(o->fds, &node->slot);
        return rc;
    }
    int at = tree_pin_dir(o, dir);
    if (at < 0)
        return at;
    if (fstatat(at, node->names->text, st, AT_SYMLINK_NOFOLLOW))
        rc = -errno;
    tree_unpin_dir(o, dir);
    return rc;
}

void tree_show_stat(const struct overlay_node *node, struct stat *st)
{
    st->st_ino = (ino_t)node->ino;
    if (node->has_mode)
        st->st_mode = (st->st_mode & S_IFMT) | (node->mode & 07777);
    if (S_ISDIR(node->type)) {
        st->st_nlink = !node->unlinked;
        st->st_size = DIR_SIZE;
        st->st_blocks = DIR_SIZE / STAT_BLOCK;
    } else if (node->is_partial) {
        st->st_blocks = (blkcnt_t)((uint64_t)st->st_size / STAT_BLOCK +
                                   !!(st->st_size % STAT_BLOCK));
    }
}

int tree_stat(struct overlay *o, struct overlay_node *node, struct stat *st)
{
    int rc = tree_lstat(o, node, st);

    if (rc == -ENOENT)
        rc = -ESTALE; /* taken away by somebody else */
    if (rc)
        return rc;
    if ((st->st_mode & S_IFMT) != node->type)
        return -ESTALE;
    tree_show_stat(node, st);
    return 0;
}
