/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An upper layer in memory. See upper.h. */
#include "config.h"

#include "fs/overlay/upper.h"

#include <fcntl.h>
#include <string.h>

#include "fs/overlay/walk.h"
#include "src/fold.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Directories between ENTRY and the root, ENTRY first. */
static uint32_t depth_of(const struct upper *u, uint32_t entry)
{
    uint32_t depth = 0;

    for (; entry != UPPER_ROOT; entry = u->entries[entry].parent)
        depth++;
    return depth;
}

char *upper_path(const struct upper *u, uint32_t entry)
{
    size_t len = 0;
    char *path, *at;

    for (uint32_t i = entry; i != UPPER_ROOT; i = u->entries[i].parent)
        len += strlen(u->entries[i].name) + 1;
    path = malloc(len + 1);
    if (!path)
        return NULL;
    at = path + (len ? len - 1 : 0);
    *at = '\0';
    for (uint32_t i = entry; i != UPPER_ROOT; i = u->entries[i].parent) {
        size_t n = strlen(u->entries[i].name);

        at -= n;
        memcpy(at, u->entries[i].name, n);
        if (at > path)
            *--at = '/';
    }
    return path;
}

bool upper_is_below(const struct upper *u, uint32_t entry, uint32_t top)
{
    while (entry > top) /* a directory's number is the smaller one */
        entry = u->entries[entry].parent;
    return entry == top;
}

uint32_t upper_next(const struct upper *u, uint32_t top, uint32_t entry, bool into)
{
    if (into && u->entries[entry].child_count)
        return u->entries[entry].first_child;
    while (entry != top) {
        const struct upper_entry *parent = &u->entries[u->entries[entry].parent];

        if (entry + 1 < parent->first_child + parent->child_count)
            return entry + 1;
        entry = u->entries[entry].parent;
    }
    return UPPER_NONE;
}

uint32_t upper_find(const struct upper *u, uint32_t dir, const char *name, size_t len)
{
    const struct upper_entry *d = &u->entries[dir];
    uint32_t from = d->first_child, to = d->first_child + d->child_count;

    /* The first one that is not less; names that differ only in case are neighbours. */
    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        const char *other = u->entries[mid].name;

        if (fold_compare(other, strlen(other), name, len) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    if (from < d->first_child + d->child_count) {
        const char *other = u->entries[from].name;
        size_t n = strlen(other);

        if ((n == len && !memcmp(other, name, n)) ||
            (!u->case_sensitive && fold_equal(other, n, name, len)))
            return from;
    }
    if (!u->case_sensitive && from > d->first_child) {
        const char *other = u->entries[from - 1].name;

        if (fold_equal(other, strlen(other), name, len))
            return from - 1;
    }
    return UPPER_NONE;
}

/* One step down from the descriptor FD, which is closed. */
static int step_down(int fd, const char *name, int flags, struct err *e)
{
    int child = openat(fd, name, flags | O_NOFOLLOW | O_CLOEXEC);
    int rc = child < 0 ? err_sys(e, "%s", name) : child;

    (void)close(fd); /* nothing was written through it */
    return rc;
}

int upper_open(const struct overlay_store *s, const struct upper *u, uint32_t entry, int flags,
               struct err *e)
{
    uint32_t depth = depth_of(u, entry);
    auto_free uint32_t *chain = malloc((depth + 1) * sizeof *chain);
    int fd;

    if (!chain)
        return err_nomem(e);
    for (uint32_t i = depth; i-- > 0; entry = u->entries[entry].parent)
        chain[i] = entry;
    fd = openat(s->files_fd, ".", depth ? DIR_FLAGS : flags | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "%s/files", s->path);
    for (uint32_t i = 0; i < depth; i++) {
        fd = step_down(fd, u->entries[chain[i]].name, i + 1 < depth ? DIR_FLAGS : flags, e);
        if (fd < 0)
            return fd;
    }
    return fd;
}

struct reader {
    const struct overlay_store *store;
    struct upper *upper;
    uint32_t room;
    uint32_t dir; /* being read */
    bool told;    /* an error in it, in e */
    struct err *e;
};

static int take_entry(struct reader *r, int dirfd, const char *name)
{
    struct upper_entry n = { .parent = r->dir };
    struct upper *u = r->upper;
    struct err *e = r->e;
    int rc;

    if (fstatat(dirfd, name, &n.st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : err_sys(e, "%s", name);
    rc = markers_read(dirfd, name, &n.st, &n.markers);
    if (rc && rc != -EINVAL) {
        markers_clear(&n.markers);
        errno = -rc;
        return rc == -ENOENT ? 0 : err_sys(e, "%s", name);
    }
    n.bad_marker = rc != 0;
    if (n.markers.has_mode)
        n.st.st_mode = (n.st.st_mode & S_IFMT) | n.markers.mode;
    if (u->count == r->room) {
        uint32_t more = r->room + r->room / 2 + 64;
        void *grown = more < UINT32_MAX / 2 ? realloc(u->entries, more * sizeof *u->entries) : NULL;

        if (!grown) {
            markers_clear(&n.markers);
            return err_nomem(e);
        }
        u->entries = grown;
        r->room = more;
    }
    n.name = strdup(name);
    if (!n.name) {
        markers_clear(&n.markers);
        return err_nomem(e);
    }
    u->entries[u->count++] = n;
    u->entries[r->dir].child_count++;
    return 0;
}

static int add_entry(void *arg, int dirfd, const char *name)
{
    struct reader *r = arg;
    int rc = take_entry(r, dirfd, name);

    r->told = rc != 0;
    return rc;
}

static int by_name(const void *a, const void *b)
{
    const char *x = ((const struct upper_entry *)a)->name;
    const char *y = ((const struct upper_entry *)b)->name;

    return fold_compare(x, strlen(x), y, strlen(y));
}

static int read_dir(struct reader *r, uint32_t dir)
{
    struct upper *u = r->upper;
    const char *name = dir == UPPER_ROOT ? "." : u->entries[dir].name;
    auto_close int parent = upper_open(r->store, u, u->entries[dir].parent,
                                       O_PATH | O_DIRECTORY, r->e);
    int rc = parent;

    if (parent >= 0) {
        r->dir = dir;
        r->told = false;
        u->entries[dir].first_child = u->count;
        rc = walk_names(parent, name, add_entry, r);
        if (rc && !r->told) {
            errno = -rc;
            rc = err_sys(r->e, "%s/files: %s", r->store->path, name);
        }
    }
    if (rc == -ENOENT && dir != UPPER_ROOT)
        rc = 0;
    if (u->entries[dir].child_count)
        qsort(u->entries + u->entries[dir].first_child, u->entries[dir].child_count,
              sizeof *u->entries, by_name);
    return rc;
}

static int read_root(const struct overlay_store *s, struct upper *u, struct err *e)
{
    int rc;

    u->entries = calloc(1, sizeof *u->entries);
    if (!u->entries)
        return err_nomem(e);
    u->entries[0].name = strdup("");
    if (!u->entries[0].name)
        return err_nomem(e);
    u->count = 1;
    if (fstat(s->files_fd, &u->entries[0].st))
        return err_sys(e, "%s/files", s->path);
    rc = markers_read(s->files_fd, "", &u->entries[0].st, &u->entries[0].markers);
    if (rc && rc != -EINVAL) {
        errno = -rc;
        return err_sys(e, "%s/files", s->path);
    }
    u->entries[0].bad_marker = rc != 0;
    if (u->entries[0].markers.has_mode)
        u->entries[0].st.st_mode = S_IFDIR | u->entries[0].markers.mode;
    return 0;
}

int upper_read(const struct overlay_store *s, bool case_sensitive, upper_step_fn step, void *arg,
               struct upper **out, struct err *e)
{
    struct upper *u = calloc(1, sizeof *u);
    struct reader r = { .store = s, .upper = u, .room = 1, .e = e };
    int rc;

    if (!u)
        return err_nomem(e);
    u->case_sensitive = case_sensitive;
    rc = read_root(s, u, e);
    for (uint32_t i = 0; !rc && i < u->count; i++) {
        if (!upper_is_dir(&u->entries[i]))
            continue;
        if (step)
            rc = step(arg, e);
        if (!rc)
            rc = read_dir(&r, i);
    }
    if (rc) {
        upper_free(u);
        return rc;
    }
    *out = u;
    return 0;
}

void upper_free(struct upper *u)
{
    if (!u)
        return;
    for (uint32_t i = 0; i < u->count; i++) {
        free(u->entries[i].name);
        markers_clear(&u->entries[i].markers);
    }
    free(u->entries);
    free(u);
}
