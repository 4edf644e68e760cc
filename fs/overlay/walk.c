/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Going through directories. See walk.h. */
#include "config.h"

#include "fs/overlay/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define DIR_FLAGS (O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

int walk_open_parent(int at, const char *path, bool make, const char **name)
{
    int fd = openat(at, ".", O_PATH | DIR_FLAGS);
    char part[NAME_MAX + 1];
    const char *slash;

    while (fd >= 0 && (slash = strchr(path, '/'))) {
        auto_close int above = fd;
        size_t len = (size_t)(slash - path);

        fd = -1;
        if (!len || len > NAME_MAX) {
            errno = ENAMETOOLONG;
            break;
        }
        memcpy(part, path, len);
        part[len] = '\0';
        if (make && mkdirat(above, part, 0700) && errno != EEXIST)
            break;
        fd = openat(above, part, O_PATH | DIR_FLAGS);
        path = slash + 1;
    }
    *name = path;
    return fd;
}

int walk_names(int at, const char *name, walk_name_fn fn, void *arg)
{
    auto_close int fd = openat(at, name, O_RDONLY | DIR_FLAGS);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *d;
    int rc = 0;

    if (!stream)
        return -errno;
    fd = -1; /* the stream's */
    while (!rc && (errno = 0, d = readdir(stream)))
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            rc = fn(arg, dirfd(stream), d->d_name);
    if (!rc)
        rc = -errno;
    (void)closedir(stream); /* only read */
    return rc;
}

/* A directory yet to be read. */
struct todo {
    struct todo *next;
    uint32_t cookie;
    char path[];
};

struct state {
    const struct walk *walk;
    dev_t dev;
    struct todo *todo;
    struct walk_dir dir;
    bool told; /* why the walk ended: it is not that s->dir cannot be read */
};

static int add_todo(struct state *s, const char *dir, const char *name, uint32_t cookie)
{
    size_t dir_len = strlen(dir), len = strlen(name);
    struct todo *t = malloc(sizeof *t + dir_len + len + 2);

    if (!t)
        return err_nomem(s->walk->e);
    memcpy(t->path, dir, dir_len);
    t->path[dir_len] = '/';
    memcpy(t->path + dir_len + !!dir_len, name, len + 1);
    t->cookie = cookie;
    t->next = s->todo;
    s->todo = t;
    return 0;
}

static int visit(void *arg, int fd, const char *name)
{
    struct state *s = arg;
    const struct walk *w = s->walk;
    uint32_t cookie = 0;
    struct stat st;
    int rc;

    s->dir.fd = fd;
    if (!fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW))
        rc = w->fn(w->arg, &s->dir, name, &st, &cookie);
    else if (errno == ENOENT)
        return 0;
    else
        rc = err_sys(w->e, "%s/%s/%s", w->called, s->dir.path, name);
    if (!rc && S_ISDIR(st.st_mode) && st.st_dev == s->dev)
        rc = add_todo(s, s->dir.path, name, cookie);
    s->told = rc != 0;
    return rc;
}

static int read_dir(struct state *s)
{
    const char *name;
    auto_close int parent = walk_open_parent(s->walk->at, s->dir.path, false, &name);
    int rc = parent < 0 ? -errno : walk_names(parent, *name ? name : ".", visit, s);

    if (!rc || s->told)
        return rc;
    if (rc == -ENOENT)
        return 0;
    errno = -rc;
    return err_sys(s->walk->e, "%s/%s", s->walk->called, s->dir.path);
}

int walk_tree(const struct walk *w, const char *path, uint32_t cookie)
{
    struct state s = { .walk = w };
    struct stat st;

    if (fstat(w->at, &st))
        return err_sys(w->e, "%s", w->called);
    s.dev = st.st_dev;
    int rc = add_todo(&s, "", path, cookie);
    for (struct todo *t; (t = s.todo); free(t)) {
        s.todo = t->next;
        s.dir = (struct walk_dir){ .path = t->path, .cookie = t->cookie };
        if (!rc)
            rc = read_dir(&s);
    }
    return rc;
}
