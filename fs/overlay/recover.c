/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removing maps that nobody refers to. See recover.h.
 *
 * A map is made before its file says so and removed after the file has gone, so an interrupted
 * change leaves at worst a map too many. Single-threaded.
 */
#include "config.h"

#include "fs/overlay/recover.h"

#include <string.h>

#include "fs/overlay/marker.h"
#include "fs/overlay/walk.h"
#include "src/log.h"

enum { MAP_NAME_LEN = 16 };

struct maps {
    uint64_t *used;
    size_t count, room;
    unsigned removed;
};

static int add_map(struct maps *m, uint64_t map)
{
    if (m->count == m->room) {
        size_t room = m->room ? 2 * m->room : 64;
        uint64_t *used = reallocarray(m->used, room, sizeof *used);

        if (!used)
            return -ENOMEM;
        m->used = used;
        m->room = room;
    }
    m->used[m->count++] = map;
    return 0;
}

static int visit_file(struct maps *maps, int fd, const char *name, const struct stat *st)
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
        rc = m.has_partial && m.partial.map ? add_map(maps, m.partial.map) : 0;
    markers_clear(&m);
    return rc;
}

static int visit(void *arg, const struct walk_dir *dir, const char *name, const struct stat *st,
                 uint32_t *cookie)
{
    (void)cookie;
    return S_ISREG(st->st_mode) ? visit_file(arg, dir->fd, name, st) : 0;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool is_orphan(const struct maps *m, const char *name)
{
    uint64_t number;

    if (strlen(name) != MAP_NAME_LEN || strspn(name, "0123456789abcdef") != MAP_NAME_LEN)
        return false;
    number = strtoull(name, NULL, 16);
    return !m->count || !bsearch(&number, m->used, m->count, sizeof *m->used, by_number);
}

static int remove_orphan(void *arg, int fd, const char *name)
{
    struct maps *m = arg;

    if (is_orphan(m, name) && !unlinkat(fd, name, 0))
        m->removed++;
    return 0;
}

void recover_maps(struct overlay_store *store)
{
    struct maps m = { 0 };
    const struct walk w = { .at = store->dir_fd, .called = store->path, .fn = visit, .arg = &m };

    if (store->maps_fd < 0)
        return;
    int rc = walk_tree(&w, "files", 0);
    if (!rc)
        rc = walk_tree(&w, "aside", 0);
    if (!rc && m.count)
        qsort(m.used, m.count, sizeof *m.used, by_number);
    if (!rc)
        rc = walk_names(store->maps_fd, ".", remove_orphan, &m);
    if (rc)
        log_warning("overlay", "%s: not looked through for leftovers: %s", store->path,
                    strerror(-rc));
    else
        store->unclean = false;
    if (m.removed)
        log_info("overlay", "%s: leftovers of an unclean end removed: maps=%u", store->path,
                 m.removed);
    free(m.used);
}
