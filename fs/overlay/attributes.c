/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of attributes, and syncing directories. See overlay.h. Metadata is copied up, never data.
 * All is done through descriptors, so that no link that somebody puts into the upper layer is
 * followed. Takes ns alone.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "fs/overlay/change.h"
#include "fs/overlay/crash_point.h"

#define FD_PATH_MAX (sizeof "/proc/self/fd/" + 12)

/* An upper node as system calls reach it, whatever its type. */
struct handle {
    struct overlay *o;
    struct overlay_node *node;
    int fd;
    bool pinned_file, pinned_dir;
    char path[FD_PATH_MAX]; /* of the descriptor: works where it is O_PATH */
};

/* By name, as O_PATH. */
static int open_path(struct overlay *o, struct overlay_node *node)
{
    if (!node->names)
        return node->slot.fd >= 0 ? fcntl(node->slot.fd, F_DUPFD_CLOEXEC, 0) : -ESTALE;
    int at = tree_pin_dir(o, node->names->dir);
    if (at < 0)
        return at;
    int fd = openat(at, node->names->text, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int rc = fd < 0 ? -errno : fd;
    tree_unpin_dir(o, node->names->dir);
    return rc;
}

static int handle_open(struct overlay *o, struct overlay_node *node, struct handle *h)
{
    *h = (struct handle){ .o = o, .node = node, .fd = -1 };
    if (S_ISDIR(node->type)) {
        h->fd = tree_pin_dir(o, node);
        h->pinned_dir = h->fd >= 0;
    } else if (S_ISREG(node->type)) {
        h->fd = tree_pin_file_locked(o, node);
        h->pinned_file = h->fd >= 0;
    }
    /* Others have no descriptor, and not every file lets itself be opened. */
    if (h->fd < 0 && (!S_ISREG(node->type) || h->fd == -EACCES || h->fd == -EPERM) &&
        !S_ISDIR(node->type))
        h->fd = open_path(o, node);
    if (h->fd < 0)
        return h->fd;
    (void)snprintf(h->path, sizeof h->path, "/proc/self/fd/%d", h->fd);
    return 0;
}

static void handle_close(struct handle *h)
{
    if (h->pinned_dir)
        tree_unpin_dir(h->o, h->node);
    else if (h->pinned_file)
        tree_unpin_file(h->o, h->node);
    else if (h->fd >= 0)
        (void)close(h->fd);
}

static int stat_handle(const struct handle *h, struct stat *st)
{
    return fstatat(h->fd, "", st, AT_EMPTY_PATH) ? -errno : 0;
}

/* ---- owner, mode, times ---- */

/* For a file or directory, not as O_PATH. One that gives its owner no right to read it, which we
 * did not make, gets MODE first. */
static int open_to_mark(const struct handle *h, mode_t mode)
{
    const int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
    int fd = open(h->path, flags);

    if (fd < 0 && errno == EACCES &&
        !chmod(h->path, change_physical_mode(h->o, h->node->type, mode)))
        fd = open(h->path, flags);
    return fd < 0 ? -errno : fd;
}

static int set_mode(const struct handle *h, mode_t mode)
{
    struct stat st;

    if (S_ISLNK(h->node->type))
        return -EOPNOTSUPP;
    if (!S_ISREG(h->node->type) && !S_ISDIR(h->node->type))
        return chmod(h->path, mode & 07777) ? -errno : 0;
    auto_close int fd = open_to_mark(h, mode);
    if (fd < 0)
        return fd;
    int rc = stat_handle(h, &st);
    if (rc)
        return rc;
    rc = change_set_mode(h->o, fd, h->node->type, st.st_mode, mode, h->node);
    /* Writers have to look again. */
    if (mode & (S_ISUID | S_ISGID))
        atomic_store(&h->node->no_set_id, false);
    return rc;
}

static int set_owner(const struct handle *h, unsigned what, const struct stat *attr)
{
    uid_t uid = what & OVERLAY_SET_UID ? attr->st_uid : (uid_t)-1;
    gid_t gid = what & OVERLAY_SET_GID ? attr->st_gid : (gid_t)-1;
    struct overlay_node *node = h->node;

    if (fchownat(h->fd, "", uid, gid, AT_EMPTY_PATH))
        return -errno;
    /* The kernel has cleared these of the file; where the marker counts it must be told. */
    if (S_ISREG(node->type) && node->has_mode && (node->mode & (S_ISUID | S_ISGID)))
        return set_mode(h, node->mode & ~(mode_t)(S_ISUID | (node->mode & S_IXGRP ? S_ISGID : 0)));
    return 0;
}

static int set_times(const struct handle *h, unsigned what, const struct stat *attr)
{
    struct timespec times[2] = { attr->st_atim, attr->st_mtim };

    if (!(what & OVERLAY_SET_ATIME))
        times[0].tv_nsec = UTIME_OMIT;
    if (!(what & OVERLAY_SET_MTIME))
        times[1].tv_nsec = UTIME_OMIT;
    return utimensat(AT_FDCWD, h->path, times, 0) ? -errno : 0;
}

static int set_all(const struct handle *h, unsigned what, const struct stat *attr)
{
    int rc = 0;

    if (what & (OVERLAY_SET_UID | OVERLAY_SET_GID))
        rc = set_owner(h, what, attr);
    if (!rc && (what & OVERLAY_SET_MODE))
        rc = set_mode(h, attr->st_mode);
    if (!rc && (what & (OVERLAY_SET_ATIME | OVERLAY_SET_MTIME)))
        rc = set_times(h, what, attr);
    return rc;
}

/* Brings node ID up and opens it. Ends the change on error. */
static int begin(struct overlay *o, uint64_t id, struct handle *h)
{
    struct overlay_node *node;
    int rc = change_begin(o);

    if (rc)
        return rc;
    rc = copy_up_node(o, id, &node);
    if (!rc)
        rc = handle_open(o, node, h);
    if (rc)
        change_end(o);
    return rc;
}

static void end(struct handle *h)
{
    handle_close(h);
    change_end(h->o);
}

int overlay_setattr(struct overlay *o, uint64_t id, unsigned what, const struct stat *attr)
{
    struct handle h;
    int rc = begin(o, id, &h);

    if (rc)
        return rc;
    CRASH_POINT("setattr-copied-up");
    rc = set_all(&h, what, attr);
    end(&h);
    return rc;
}

/* ---- extended attributes ---- */

/* What the kernel's own file systems say for names that cannot be set. */
static int check_name(const char *name)
{
    if (marker_is_reserved(name))
        return -EPERM;
    return strncmp(name, "user.", 5) ? -EOPNOTSUPP : 0; /* others could not be read again */
}

/* Whether the unchanged package node ID has NAME. -ENODATA when it is one and has not. */
static int check_present(struct overlay *o, uint64_t id, const char *name)
{
    struct overlay_node *node;
    char text[ATTR_DOS_MAX];

    if (!overlay_find(o, id, &node))
        return -ESTALE;
    if (node && node->has_upper)
        return 0;
    uint32_t index = (uint32_t)(id - 1);
    return !strcmp(name, ATTR_DOS) && attr_dos(o->package, index, text) > 0 ? 0 : -ENODATA;
}

int overlay_setxattr(struct overlay *o, uint64_t id, const char *name, const void *value,
                     size_t size, int flags)
{
    struct handle h;
    int rc = check_name(name);

    if (!rc && (flags & XATTR_REPLACE)) {
        (void)pthread_rwlock_rdlock(&o->ns);
        rc = check_present(o, id, name);
        (void)pthread_rwlock_unlock(&o->ns);
    }
    if (!rc)
        rc = begin(o, id, &h);
    if (rc)
        return rc;
    rc = setxattr(h.path, name, value, size, flags) ? -errno : 0;
    end(&h);
    return rc;
}

int overlay_removexattr(struct overlay *o, uint64_t id, const char *name)
{
    struct handle h;
    int rc = check_name(name);

    if (!rc) {
        (void)pthread_rwlock_rdlock(&o->ns);
        rc = check_present(o, id, name);
        (void)pthread_rwlock_unlock(&o->ns);
    }
    if (!rc)
        rc = begin(o, id, &h);
    if (rc)
        return rc;
    rc = removexattr(h.path, name) ? -errno : 0;
    end(&h);
    return rc;
}

/* ---- fsync of directories ---- */

int overlay_fsyncdir(struct overlay *o, uint64_t id, bool datasync)
{
    struct tree_dir dir = { .lower = NODE_NONE };
    int fd = -1, rc = 0;

    /* The directory may be moved meanwhile: the lock is not held while the disk works. */
    (void)pthread_rwlock_rdlock(&o->ns);
    if (!overlay_find(o, id, &dir.node))
        rc = -ESTALE;
    else if (dir.node && !S_ISDIR(dir.node->type))
        rc = -ENOTDIR;
    else if (dir.node && dir.node->has_upper) {
        int at = tree_pin_dir(o, dir.node);
        fd = at < 0 ? at : openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            rc = at < 0 ? at : -errno;
        if (at >= 0)
            tree_unpin_dir(o, dir.node);
    }
    (void)pthread_rwlock_unlock(&o->ns);
    if (fd < 0)
        return rc;
    if ((datasync ? fdatasync(fd) : fsync(fd)))
        rc = -errno;
    (void)close(fd);
    return rc;
}
