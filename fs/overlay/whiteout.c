/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whiteouts: see store.h. One empty file with the marker is made in work/ when the first is wanted,
 * and linked wherever a name is to be hidden: one system call and no inode each. A file system that
 * cannot link, or not as often, gets further files.
 *
 * Any thread: two that make the file at the same time make two, of which one stays.
 */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/overlay/crash_point.h"
#include "fs/overlay/marker.h"
#include "fs/overlay/store.h"

#define SHARED_NAME "whiteout"

void overlay_work_name(struct overlay_store *s, char name[WORK_NAME_MAX])
{
    uint64_t n = atomic_fetch_add_explicit(&s->next_work, 1, memory_order_relaxed);

    (void)snprintf(name, WORK_NAME_MAX, "w-%016" PRIx64, n); /* always fits */
}

/* A new whiteout, of its own inode, under a new name in work/. */
static int make(struct overlay_store *s, char name[WORK_NAME_MAX])
{
    overlay_work_name(s, name);
    auto_close int fd =
        openat(s->work_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = marker_set(fd, MARKER_WHITEOUT, "y");
    if (rc)
        (void)unlinkat(s->work_fd, name, 0); /* a leftover otherwise */
    return rc;
}

static int make_shared(struct overlay_store *s)
{
    char name[WORK_NAME_MAX];
    int rc = make(s, name);

    if (rc)
        return rc;
    CRASH_POINT("whiteout-made");
    if (!renameat(s->work_fd, name, s->work_fd, SHARED_NAME))
        return 0;
    rc = -errno;
    (void)unlinkat(s->work_fd, name, 0); /* a leftover otherwise */
    return rc;
}

/* For file systems without hard links: a file of its own, moved to where nothing is. */
static int place_single(struct overlay_store *s, int dirfd, const char *name)
{
    char made[WORK_NAME_MAX];
    struct stat st;
    int rc = make(s, made);

    if (rc)
        return rc;
    if (!renameat2(s->work_fd, made, dirfd, name, RENAME_NOREPLACE))
        return 0;
    rc = -errno;
    if (rc == -EINVAL || rc == -ENOSYS) {
        /* The caller orders changes to the directory, so nothing comes in between. */
        if (!fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
            rc = -EEXIST;
        else
            rc = renameat(s->work_fd, made, dirfd, name) ? -errno : 0;
    }
    if (rc)
        (void)unlinkat(s->work_fd, made, 0); /* a leftover otherwise */
    return rc;
}

static int place(struct overlay_store *s, int dirfd, const char *name)
{
    for (int tries = 0; tries < 3; tries++) {
        if (!linkat(s->work_fd, SHARED_NAME, dirfd, name, 0))
            return 0;
        if (errno == EPERM || errno == EOPNOTSUPP || errno == EXDEV || errno == ENOSYS)
            return place_single(s, dirfd, name);
        if (errno != ENOENT && errno != EMLINK)
            return -errno;
        int rc = make_shared(s);
        if (rc)
            return rc;
    }
    return -ENOENT; /* the directory is gone */
}

int overlay_whiteout_mark_dir(int dirfd)
{
    char value[2];
    ssize_t n = xattr_get_at(dirfd, "", MARKER_OPAQUE, value, sizeof value);

    if (n == 1 && (*value == 'x' || *value == 'y'))
        return 0; /* below an opaque one nothing is looked for in the package anyway */
    if (n < 0 && n != -ENODATA && n != -ERANGE)
        return (int)n;
    return xattr_set_at(dirfd, "", MARKER_OPAQUE, "x", 1, 0);
}

int overlay_whiteout_create(struct overlay_store *s, int dirfd, const char *name)
{
    int rc = s->work_fd < 0 ? -EROFS : overlay_whiteout_mark_dir(dirfd);

    return rc ? rc : place(s, dirfd, name);
}

int overlay_whiteout_prepare(struct overlay_store *s, char name[WORK_NAME_MAX])
{
    overlay_work_name(s, name);
    return s->work_fd < 0 ? -EROFS : place(s, s->work_fd, name);
}
