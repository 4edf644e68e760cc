/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an overlay must look like: a plain directory in which the same things are done with system
 * calls. It begins as an extracted copy of the package. With FOLD names are found as a mount
 * without case finds them: a name that exists keeps its spelling, unless it is renamed to another
 * spelling of itself.
 */
#ifndef TESTS_OVERLAY_REFERENCE_H
#define TESTS_OVERLAY_REFERENCE_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "fs/attr.h"
#include "src/fold.h"
#include "tests/make-sft.h"

struct reference {
    int root;
    bool fold;
};

/* The spelling NAME has in directory FD, or NAME itself. */
static void reference_spelling(const struct reference *r, int fd, const char *name, char out[256])
{
    (void)snprintf(out, 256, "%s", name);
    if (!r->fold)
        return;
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *d;
    while (stream && (d = readdir(stream)))
        if (fold_equal(d->d_name, strlen(d->d_name), name, strlen(name)))
            (void)snprintf(out, 256, "%s", d->d_name);
    if (stream)
        (void)closedir(stream);
}

/* A descriptor of the directory PATH is in, and its last name as it was asked for and as it is
 * there. */
static int reference_parent(const struct reference *r, const char *path, char asked[256],
                            char name[256])
{
    int fd = fcntl(r->root, F_DUPFD_CLOEXEC, 0);

    for (;;) {
        size_t len = strcspn(path, "/");
        (void)snprintf(asked, 256, "%.*s", (int)len, path);
        reference_spelling(r, fd, asked, name);
        if (!path[len])
            return fd;
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int rc = -errno;
        (void)close(fd);
        if (next < 0)
            return rc;
        fd = next;
        path += len + 1;
    }
}

static int reference_xattr_path(int fd, const char *name, char out[320])
{
    return snprintf(out, 320, "/proc/self/fd/%d/%s", fd, name);
}

static int reference_set_attr(const struct attr_rules *rules, uint32_t index, int fd,
                              const char *name)
{
    const struct package *p = rules->package;
    char text[ATTR_DOS_MAX], path[320];
    struct stat st;

    attr_fill(rules, index, &st);
    const struct timespec times[2] = { st.st_atim, st.st_mtim };
    (void)reference_xattr_path(fd, name, path);
    if (attr_dos(p, index, text) > 0 && lsetxattr(path, ATTR_DOS, text, strlen(text), 0))
        return -errno;
    if (geteuid() == 0 && fchownat(fd, name, st.st_uid, st.st_gid, 0))
        return -errno;
    return fchmodat(fd, name, st.st_mode & 07777, 0) || utimensat(fd, name, times, 0) ? -errno : 0;
}

static int reference_extract_file(const struct package *p, uint32_t index, int dir,
                                  const char *name)
{
    auto_free char *path = package_path(p, index);
    size_t len = (size_t)package_node(p, index)->size;
    auto_free uint8_t *data = malloc(len + 1);
    auto_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 || !path || !data)
        return -ENOMEM;
    make_sft_fill(path, 0, data, len);
    return write(fd, data, len) == (ssize_t)len ? 0 : -EIO;
}

/* The children of package directory INDEX in the directory FD. */
static int reference_extract(const struct attr_rules *rules, uint32_t index, int fd)
{
    const struct package *p = rules->package;
    const struct node *n = package_node(p, index);
    int rc = 0;

    for (uint32_t i = n->first_child; !rc && i < n->first_child + n->child_count; i++) {
        const char *name = package_name(p, i);
        if (!(package_node(p, i)->flags & NODE_DIR)) {
            rc = reference_extract_file(p, i, fd, name);
        } else if (mkdirat(fd, name, 0700)) {
            rc = -errno;
        } else {
            auto_close int sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            rc = sub < 0 ? -errno : reference_extract(rules, i, sub);
        }
        if (!rc)
            rc = reference_set_attr(rules, i, fd, name);
    }
    return rc;
}

/* ---- all names ---- */

struct reference_paths {
    char (*paths)[512];
    struct stat *stats;
    size_t count, room;
};

static void reference_walk_dir(int fd, const char *prefix, struct reference_paths *out)
{
    DIR *stream = fdopendir(fd);
    struct dirent *d;

    while (stream && (d = readdir(stream))) {
        struct stat st;
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..") ||
            fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        if (out->count == out->room) {
            out->room = out->room ? 2 * out->room : 64;
            out->paths = realloc(out->paths, out->room * sizeof *out->paths);
            out->stats = realloc(out->stats, out->room * sizeof *out->stats);
        }
        char *path = out->paths[out->count];
        (void)snprintf(path, sizeof *out->paths, "%.200s%s%s", prefix, *prefix ? "/" : "",
                       d->d_name);
        out->stats[out->count++] = st;
        char copy[512];
        (void)snprintf(copy, sizeof copy, "%s", path);
        if (S_ISDIR(st.st_mode))
            reference_walk_dir(openat(fd, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), copy,
                               out);
    }
    if (stream)
        (void)closedir(stream);
}

static void reference_walk(const struct reference *r, struct reference_paths *out)
{
    *out = (struct reference_paths){ .count = 0 };
    reference_walk_dir(openat(r->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "", out);
}

static void reference_paths_free(struct reference_paths *p)
{
    free(p->paths);
    free(p->stats);
    *p = (struct reference_paths){ .count = 0 };
}

#endif
