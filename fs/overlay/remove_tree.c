/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removing a directory with all that is below it, however deep: see overlay_remove_tree() in
 * store.h.
 *
 * No recursion, and never more than two directories open: what is in a subdirectory and is itself a
 * directory that is not empty is moved up into the top one, which is gone through until nothing is
 * left. A name is removed before it is looked into, so that mount points (EBUSY) are never entered.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/overlay/store.h"

struct removal {
    int top;         /* the directory being emptied */
    dev_t dev;
    uint64_t moved;  /* number of the next name for what is moved up */
    bool progress;   /* something went away in this pass */
    int rc;          /* first error */
};

/* Gives the owner all rights to directory NAME. Not following links takes /proc in the C library. */
static int allow(int fd, const char *name)
{
    if (!fchmodat(fd, name, 0700, AT_SYMLINK_NOFOLLOW) ||
        (errno == EOPNOTSUPP && !fchmodat(fd, name, 0700, 0)))
        return 0;
    return -errno;
}

/* Opens directory NAME for emptying it, whatever its permissions were. */
static int open_to_empty(int fd, const char *name, dev_t dev)
{
    struct stat st;

    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    if (dev && st.st_dev != dev)
        return -EXDEV;
    int rc = (st.st_mode & 0700) == 0700 ? 0 : allow(fd, name);
    if (rc)
        return rc;
    int dir = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return dir < 0 ? -errno : dir;
}

static bool is_full(int error)
{
    return error == ENOTEMPTY || error == EEXIST;
}

/* Removes what NAME is, unless it is a directory with something in it: then -ENOTEMPTY. */
static int remove_one(int fd, const char *name, unsigned char type)
{
    if (type != DT_DIR) {
        if (!unlinkat(fd, name, 0) || errno == ENOENT)
            return 0;
        if (type != DT_UNKNOWN || (errno != EISDIR && errno != EPERM))
            return -errno;
    }
    if (!unlinkat(fd, name, AT_REMOVEDIR) || errno == ENOENT)
        return 0;
    return is_full(errno) ? -ENOTEMPTY : -errno;
}

static void note(struct removal *r, int rc)
{
    if (!rc)
        r->progress = true;
    else if (!r->rc)
        r->rc = rc;
}

/* Moves directory NAME up into the top one, under a name that is not used there. */
static int move_up(struct removal *r, int fd, const char *name)
{
    char unused[32];

    for (int tries = 0; tries < 1000; tries++) {
        (void)snprintf(unused, sizeof unused, ".up-%" PRIu64, r->moved++); /* always fits */
        if (!renameat(fd, name, r->top, unused))
            return 0;
        if (errno == EACCES) { /* ".." of a directory that may not be written to */
            int rc = allow(fd, name);
            if (rc)
                return rc;
        } else if (!is_full(errno) && errno != ENOTDIR) {
            return -errno;
        }
    }
    return -EACCES;
}

static bool is_dots(const char *name)
{
    return !strcmp(name, ".") || !strcmp(name, "..");
}

/* Empties directory NAME of the top one and removes it. */
static void drain(struct removal *r, const char *name)
{
    int fd = open_to_empty(r->top, name, r->dev);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir) {
        note(r, fd < 0 ? fd : -errno);
        if (fd >= 0)
            (void)close(fd); /* nothing was written through it */
        return;
    }
    for (const struct dirent *d; (d = readdir(dir));) {
        if (is_dots(d->d_name))
            continue;
        int rc = remove_one(fd, d->d_name, d->d_type);
        note(r, rc == -ENOTEMPTY ? move_up(r, fd, d->d_name) : rc);
    }
    (void)closedir(dir); /* as above */
    if (!unlinkat(r->top, name, AT_REMOVEDIR))
        r->progress = true;
    else if (!is_full(errno)) /* a file system may leave entries out while others go: next pass */
        note(r, -errno);
}

/* Goes through the top directory once. True when entries were seen. */
static bool pass(struct removal *r, DIR *dir)
{
    bool seen = false;

    rewinddir(dir);
    for (const struct dirent *d; (d = readdir(dir));) {
        if (is_dots(d->d_name))
            continue;
        seen = true;
        int rc = remove_one(r->top, d->d_name, d->d_type);
        if (rc == -ENOTEMPTY)
            drain(r, d->d_name);
        else
            note(r, rc);
    }
    return seen;
}

int overlay_remove_tree(int fd, const char *name)
{
    struct removal r = { .progress = true };
    struct stat st;
    int rc = remove_one(fd, name, DT_UNKNOWN);

    if (rc != -ENOTEMPTY)
        return rc;
    r.top = open_to_empty(fd, name, 0);
    if (r.top < 0)
        return r.top == -ENOENT ? 0 : r.top;
    DIR *dir = fdopendir(r.top);
    if (!dir || fstat(r.top, &st)) {
        rc = -errno;
        if (dir)
            (void)closedir(dir); /* nothing was written through it, nor below */
        else
            (void)close(r.top);
        return rc;
    }
    r.dev = st.st_dev;
    for (bool seen = true; seen && r.progress;) {
        r.progress = false;
        r.rc = 0;
        seen = pass(&r, dir);
    }
    (void)closedir(dir);
    if (r.rc)
        return r.rc;
    return unlinkat(fd, name, AT_REMOVEDIR) && errno != ENOENT ? -errno : 0;
}
