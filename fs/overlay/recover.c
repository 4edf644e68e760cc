/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removing maps that nobody refers to. See recover.h.
 *
 * A map is made before its file says so and removed after the file has gone, so an interrupted
 * change leaves at worst a map too many. Single-threaded. Directories yet to be visited are kept as
 * paths, so that depth costs neither stack nor descriptors.
 */
#include "config.h"

#include "fs/overlay/recover.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "fs/overlay/marker.h"
#include "src/log.h"

enum { MAP_NAME_LEN = 16 };

struct walk {
    struct overlay_store *store;
    char **dirs; /* paths from the overlay's directory */
    size_t dir_count, dir_room;
    uint64_t *maps; /* in use */
    size_t map_count, map_room;
};

/* ARRAY of *room items with room for one more than COUNT, or NULL (ARRAY is then as it was). */
static void *with_room(void *array, size_t item, size_t count, size_t *room)
{
    if (count < *room)
        return array;
    size_t wanted = *room ? 2 * *room : 64;
    void *p = realloc(array, wanted * item);
    if (p)
        *room = wanted;
    return p;
}

static int push_dir(struct walk *w, const char *parent, const char *name)
{
    size_t parent_len = strlen(parent), len = strlen(name);
    char **dirs = with_room(w->dirs, sizeof *w->dirs, w->dir_count, &w->dir_room);

    if (!dirs)
        return -ENOMEM;
    w->dirs = dirs;
    char *path = malloc(parent_len + len + 2);
    if (!path)
        return -ENOMEM;
    memcpy(path, parent, parent_len);
    path[parent_len] = '/';
    memcpy(path + parent_len + !!parent_len, name, len + 1);
    w->dirs[w->dir_count++] = path;
    return 0;
}

static int push_map(struct walk *w, uint64_t map)
{
    uint64_t *maps = with_room(w->maps, sizeof *w->maps, w->map_count, &w->map_room);

    if (!maps)
        return -ENOMEM;
    w->maps = maps;
    w->maps[w->map_count++] = map;
    return 0;
}

static int visit_file(struct walk *w, int fd, const char *name, const struct stat *st)
{
    struct markers m = { 0 };
    bool any = false;
    int rc = markers_any(fd, name, &any);

    if (rc || !any)
        return rc;
    rc = markers_read(fd, name, st, &m);
    if (rc == -EINVAL && !m.has_partial)
        rc = -EIO; /* it may have been the number of a map */
    else if (!rc || rc == -EINVAL)
        rc = m.has_partial && m.partial.map ? push_map(w, m.partial.map) : 0;
    markers_clear(&m);
    return rc;
}

static int visit(struct walk *w, const char *path, int fd, const char *name)
{
    struct stat st;

    if (!strcmp(name, ".") || !strcmp(name, ".."))
        return 0;
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : -errno;
    if (S_ISDIR(st.st_mode))
        return st.st_dev == w->store->dev ? push_dir(w, path, name) : 0;
    return S_ISREG(st.st_mode) ? visit_file(w, fd, name, &st) : 0;
}

/* Opens a path of any length without following links. */
static int open_path(int at, const char *path)
{
    int fd = -1;

    while (*path) {
        char name[NAME_MAX + 1];
        size_t len = strcspn(path, "/");
        if (len > NAME_MAX)
            return -ENAMETOOLONG;
        memcpy(name, path, len);
        name[len] = '\0';
        int next = openat(fd < 0 ? at : fd, name,
                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int rc = next < 0 ? -errno : 0;
        if (fd >= 0)
            (void)close(fd);
        if (rc)
            return rc;
        fd = next;
        path += len + (path[len] == '/');
    }
    return fd;
}

static int visit_dir(struct walk *w, const char *path)
{
    int fd = open_path(w->store->dir_fd, path), rc = 0;

    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    DIR *stream = fdopendir(fd);
    if (!stream) {
        rc = -errno;
        (void)close(fd);
        return rc;
    }
    while (!rc) {
        errno = 0;
        struct dirent *d = readdir(stream);
        if (!d) {
            rc = -errno;
            break;
        }
        rc = visit(w, path, fd, d->d_name);
    }
    (void)closedir(stream);
    return rc;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool is_orphan(const struct walk *w, const char *name)
{
    uint64_t number;

    if (strlen(name) != MAP_NAME_LEN || strspn(name, "0123456789abcdef") != MAP_NAME_LEN)
        return false;
    number = strtoull(name, NULL, 16);
    return !w->map_count ||
           !bsearch(&number, w->maps, w->map_count, sizeof *w->maps, by_number);
}

static unsigned remove_orphans(struct walk *w)
{
    int fd = openat(w->store->maps_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    unsigned removed = 0;
    struct dirent *d;

    if (!stream) {
        if (fd >= 0)
            (void)close(fd);
        return 0;
    }
    while ((d = readdir(stream)))
        if (is_orphan(w, d->d_name) && !unlinkat(w->store->maps_fd, d->d_name, 0))
            removed++;
    (void)closedir(stream);
    return removed;
}

void recover_maps(struct overlay_store *store)
{
    struct walk w = { .store = store };

    if (store->maps_fd < 0)
        return;
    int rc = push_dir(&w, "", "files");
    if (!rc)
        rc = push_dir(&w, "", "aside");
    while (!rc && w.dir_count) {
        auto_free char *path = w.dirs[--w.dir_count];
        rc = visit_dir(&w, path);
    }
    if (rc) {
        log_warning("overlay", "%s: not looked through for leftovers: %s", store->path,
                    strerror(-rc));
    } else {
        if (w.map_count)
            qsort(w.maps, w.map_count, sizeof *w.maps, by_number);
        unsigned removed = remove_orphans(&w);
        store->unclean = false;
        if (removed)
            log_info("overlay", "%s: leftovers of an unclean end removed: maps=%u", store->path,
                     removed);
    }
    while (w.dir_count)
        free(w.dirs[--w.dir_count]);
    free(w.dirs);
    free(w.maps);
}
