/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing below a target directory. See unpack.h. */
#include "config.h"

#include "tools/unpack.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "src/fold.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

int unpack_open_target(const char *target, struct err *e)
{
    int fd;

    if (mkdir(target, 0777) && errno != EEXIST)
        return err_sys(e, "%s", target);
    /* The user named the target itself, so that one may be a link. */
    fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_sys(e, "%s", target) : fd;
}

/* NAME is one component. */
static int open_component(int parent, const char *name, struct err *e)
{
    int fd = openat(parent, name, DIR_FLAGS);

    if (fd >= 0)
        return fd;
    if (errno == ELOOP || errno == ENOTDIR)
        return err_set(e, ERR_UNSAFE_PATH,
                       "%s: not a directory but a link or a file; refusing to follow it out of the "
                       "target directory",
                       name);
    return err_sys(e, "%s", name);
}

static int open_child_dir(int parent, const char *name, struct err *e)
{
    int rc = name_check(name, strlen(name), e);

    return rc ? rc : open_component(parent, name, e);
}

int unpack_open_path(int target, const char *path, struct err *e)
{
    int fd = fcntl(target, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return err_sys(e, "target directory");
    while (*path) {
        size_t len = strcspn(path, "/");
        auto_free char *name = strndup(path, len);
        int child;

        if (!name || !len || !strcmp(name, ".") || !strcmp(name, ".."))
            child = name ? err_set(e, ERR_UNSAFE_PATH, "%s: not a path below the target directory",
                                   path)
                         : err_nomem(e);
        else
            child = open_component(fd, name, e);
        (void)close(fd); /* read-only: nothing to lose */
        if (child < 0)
            return child;
        fd = child;
        path += len + (path[len] == '/');
    }
    return fd;
}

int unpack_open_dir(int target, const struct package *p, uint32_t dir, struct err *e)
{
    auto_free uint32_t *chain = NULL;
    size_t depth = 0;
    int fd;

    for (uint32_t n = dir; n != NODE_ROOT; n = package_node(p, n)->parent)
        depth++;
    chain = malloc((depth + 1) * sizeof *chain);
    if (!chain)
        return err_nomem(e);
    for (size_t i = depth; i-- > 0; dir = package_node(p, dir)->parent)
        chain[i] = dir;
    fd = fcntl(target, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, "target directory");
    for (size_t i = 0; i < depth; i++) {
        int child = open_child_dir(fd, package_name(p, chain[i]), e);

        (void)close(fd); /* read-only: nothing to lose */
        if (child < 0)
            return child;
        fd = child;
    }
    return fd;
}

bool unpack_is_empty_dir(int parent, const char *name)
{
    int fd = openat(parent, name, DIR_FLAGS);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    unsigned names = 0;

    if (!stream) {
        if (fd >= 0)
            (void)close(fd); /* a directory */
        return false;
    }
    while (names < 3 && readdir(stream))
        names++;
    (void)closedir(stream);
    return names == 2;
}

int unpack_make_dir(int parent, const char *name, struct err *e)
{
    int rc, fd;

    rc = name_check(name, strlen(name), e);
    if (rc)
        return rc;
    if (!mkdirat(parent, name, 0777))
        return 0;
    if (errno != EEXIST)
        return err_sys(e, "%s", name);
    fd = open_child_dir(parent, name, e);
    if (fd < 0)
        return fd;
    (void)close(fd);
    return 0;
}

int unpack_create(struct unpack_file *f, int parent, struct err *e)
{
    *f = (struct unpack_file){ .fd = -1, .parent = parent };
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(f->temp, sizeof f->temp, ".sft-extract-%ld-%u", (long)getpid(), i);
        f->fd = openat(parent, f->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (f->fd >= 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return err_sys(e, "cannot create a file in the target directory");
}

int unpack_write(struct unpack_file *f, const void *data, size_t len, struct err *e)
{
    const char *p = data;

    while (len) {
        ssize_t n = write(f->fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "writing");
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static struct timespec modified_time(int64_t modified)
{
    if (modified)
        return filetime_to_timespec(modified);
    return (struct timespec){ .tv_nsec = UTIME_OMIT };
}

void unpack_set_time(int fd, int64_t modified)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, modified_time(modified) };

    (void)futimens(fd, times); /* some file systems keep no times; the contents count */
}

/* Names the temporary file NAME unless that exists. link() is the call that cannot overwrite. */
static int name_new(const struct unpack_file *f, const char *name)
{
    struct stat st;

    if (!linkat(f->parent, f->temp, f->parent, name, 0))
        return unlinkat(f->parent, f->temp, 0);
    if (errno == EEXIST)
        return -1;
    /* A file system without hard links: look first. */
    if (!fstatat(f->parent, name, &st, AT_SYMLINK_NOFOLLOW)) {
        errno = EEXIST;
        return -1;
    }
    return renameat(f->parent, f->temp, f->parent, name);
}

int unpack_commit(struct unpack_file *f, const char *name, int64_t modified, bool force,
                  struct err *e)
{
    int rc;

    rc = name_check(name, strlen(name), e);
    if (rc)
        goto fail;
    unpack_set_time(f->fd, modified);
    if (close(f->fd)) { /* network file systems report a full disk here */
        f->fd = -1;
        rc = err_sys(e, "%s", name);
        goto fail;
    }
    f->fd = -1;
    if (!(force ? renameat(f->parent, f->temp, f->parent, name) : name_new(f, name)))
        return 0;
    rc = err_sys(e, "%s", name);
    if (rc == -EEXIST)
        rc = err_set(e, ERR_INVALID, "%s: exists; --force overwrites it", name);
fail:
    unpack_abandon(f);
    return rc;
}

void unpack_abandon(struct unpack_file *f)
{
    if (f->fd >= 0)
        (void)close(f->fd); /* the file goes away */
    f->fd = -1;
    (void)unlinkat(f->parent, f->temp, 0);
}
