/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The walk is breadth-first, because that is the order of a package's nodes: the entry array is its
 * own queue. Directories and files are opened component by component with O_NOFOLLOW from the
 * packed directory's descriptor, and compared with device and inode number seen before, so that a
 * tree that is rearranged meanwhile gives an error and never somebody else's content.
 */
#include "config.h"

#include "tools/pack_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "src/fold.h"
#include "src/pack_plan.h"
#include "tools/dos_attributes.h"

#ifndef FNM_CASEFOLD
#define FNM_CASEFOLD 0
#endif

#define ENTRIES_MAX 0x7FFFFFFFu

struct walker {
    struct pack_tree *tree;
    const struct pack_walk *walk;
    uint32_t capacity;
    bool has_output;
    dev_t output_dev;
    ino_t output_ino;
};

static char *join_path(const struct pack_tree *t, uint32_t entry, uint32_t top)
{
    size_t len = 0;
    for (uint32_t i = entry; i != top; i = t->entries[i].parent)
        len += strlen(t->entries[i].name) + 1;
    char *path = malloc(len + 1);
    if (!path)
        return NULL;
    char *at = path + (len ? len - 1 : 0);
    *at = 0;
    for (uint32_t i = entry; i != top; i = t->entries[i].parent) {
        size_t n = strlen(t->entries[i].name);
        at -= n;
        memcpy(at, t->entries[i].name, n);
        if (at > path)
            *--at = '/';
    }
    return path;
}

char *pack_tree_path(const struct pack_tree *t, uint32_t entry)
{
    return join_path(t, entry < t->base ? t->base : entry, t->base);
}

char *pack_tree_package_path(const struct pack_tree *t, uint32_t entry)
{
    return join_path(t, entry, 0);
}

bool pack_glob_matches(const char *pattern, const char *path)
{
    auto_free char *p = strdup(pattern);
    if (!p)
        return false;
    for (char *c = p; *c; c++)
        if (*c == '\\')
            *c = '/';
    const char *start = p + strspn(p, "/");
    const char *last = strrchr(path, '/');
    const char *subject = strchr(start, '/') || !last ? path : last + 1;
    return fnmatch(start, subject, FNM_NOESCAPE | FNM_CASEFOLD) == 0;
}

/* Opens an entry below t->fd, one component at a time. */
static int open_entry(const struct pack_tree *t, uint32_t entry, int flags, struct err *e)
{
    auto_free char *path = pack_tree_path(t, entry);
    if (!path)
        return err_nomem(e);
    int fd = -1;
    for (char *at = path, *next; at; at = next) {
        next = strchr(at, '/');
        if (next)
            *next = 0;
        int f = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (next ? O_DIRECTORY : flags);
        int below = openat(fd < 0 ? t->fd : fd, *at ? at : ".", f);
        int saved = errno;
        if (fd >= 0)
            (void)close(fd);
        if (next)
            *next++ = '/';
        if (below < 0) {
            errno = saved;
            return err_sys(e, "%s: cannot open", path);
        }
        fd = below;
    }
    return fd;
}

static int changed(const char *path, struct err *e)
{
    errno = EBUSY;
    return err_set(e, ERR_SYSTEM, "%s: changed while it was being packed", path);
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

int pack_tree_unchanged(const struct pack_tree *t, uint32_t entry, int fd, struct err *e)
{
    const struct pack_entry *x = &t->entries[entry];
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_dev == x->dev && st.st_ino == x->ino &&
        (uint64_t)st.st_size == x->size && same_time(st.st_mtim, x->mtime))
        return 0;
    auto_free char *path = pack_tree_path(t, entry);
    return changed(path ? path : x->name, e);
}

int pack_tree_open(const struct pack_tree *t, uint32_t entry, struct err *e)
{
    int fd = open_entry(t, entry, 0, e);
    if (fd < 0)
        return fd;
    int rc = pack_tree_unchanged(t, entry, fd, e);
    if (!rc)
        return fd;
    (void)close(fd);
    return rc;
}

static int reserve_entry(struct walker *w, struct err *e)
{
    struct pack_tree *t = w->tree;
    if (t->count >= ENTRIES_MAX)
        return err_set(e, ERR_LIMIT, "too many files");
    if (t->count < w->capacity)
        return 0;
    uint32_t bigger = w->capacity ? w->capacity * 2 : 256;
    struct pack_entry *p = realloc(t->entries, bigger * sizeof *p);
    if (!p)
        return err_nomem(e);
    t->entries = p;
    w->capacity = bigger;
    return 0;
}

static int add_entry(struct walker *w, uint32_t parent, const char *name, const struct stat *st,
                     struct err *e)
{
    int rc = reserve_entry(w, e);
    if (rc)
        return rc;
    bool dir = S_ISDIR(st->st_mode);
    struct pack_entry x = {
        .name = strdup(name),
        .size = dir ? 0 : (uint64_t)st->st_size,
        .mtime = st->st_mtim,
        .dev = st->st_dev,
        .ino = st->st_ino,
        .parent = parent,
        .file = PACK_NO_RANK,
        .flags = dir ? NODE_DIR : 0,
    };
    if (!x.name)
        return err_nomem(e);
    if (!dir && !(st->st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)))
        x.flags |= NODE_READONLY;
    w->tree->entries[w->tree->count++] = x;
    return 0;
}

static int skip(struct walker *w, const char *dir_path, const char *name, struct err *e)
{
    const char *sep = *dir_path ? "/" : "";
    if (w->walk->strict)
        return err_set(e, ERR_INVALID,
                       "%s%s%s: not a file or directory; a package cannot hold it", dir_path, sep,
                       name);
    w->tree->skipped++;
    char text[600];
    (void)snprintf(text, sizeof text, "%s%s%s: skipped, not a file or directory", dir_path, sep,
                   name);
    if (w->walk->warn)
        w->walk->warn(w->walk->arg, text);
    return 0;
}

static bool is_excluded(const struct pack_walk *walk, const char *dir_path, const char *name)
{
    if (!walk->exclude_count)
        return false;
    size_t size = strlen(dir_path) + strlen(name) + 2;
    auto_free char *path = malloc(size);
    if (!path)
        return false;
    (void)snprintf(path, size, "%s%s%s", dir_path, *dir_path ? "/" : "", name);
    for (size_t i = 0; i < walk->exclude_count; i++)
        if (pack_glob_matches(walk->exclude[i], path))
            return true;
    return false;
}

static int take_name(struct walker *w, uint32_t dir, int fd, const char *dir_path,
                     const char *name, struct err *e)
{
    struct stat st;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || is_excluded(w->walk, dir_path, name))
        return 0;
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return err_sys(e, "%s%s%s", dir_path, *dir_path ? "/" : "", name);
    if (w->has_output && st.st_dev == w->output_dev && st.st_ino == w->output_ino)
        return 0;
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return skip(w, dir_path, name, e);
    struct err why = { 0 };
    if (name_check(name, strlen(name), &why))
        return err_set(e, ERR_INVALID, "%s%s%s: %s", dir_path, *dir_path ? "/" : "", name,
                       why.text);
    int rc = add_entry(w, dir, name, &st, e);
    if (!rc)
        w->tree->entries[w->tree->count - 1].flags |= dos_attributes_read(fd, name);
    return rc;
}

static int compare_entries(const void *a, const void *b)
{
    const struct pack_entry *x = a, *y = b;
    return fold_compare(x->name, strlen(x->name), y->name, strlen(y->name));
}

static int check_case(struct walker *w, const struct pack_entry *x, uint32_t count,
                      const char *dir_path, struct err *e)
{
    if (w->walk->case_sensitive)
        return 0;
    const char *sep = *dir_path ? "/" : "";
    for (uint32_t i = 1; i < count; i++)
        if (fold_equal(x[i - 1].name, strlen(x[i - 1].name), x[i].name, strlen(x[i].name)))
            return err_set(e, ERR_INVALID,
                           "%s%s%s and %s%s%s differ only in case; --case-sensitive allows that",
                           dir_path, sep, x[i - 1].name, dir_path, sep, x[i].name);
    return 0;
}

int pack_tree_short_names(struct pack_entry *x, uint32_t count, struct err *e)
{
    auto_free const char **names = calloc(count + (size_t)1, sizeof *names);
    auto_free char(*made)[SHORT_NAME_SIZE] = calloc(count + (size_t)1, sizeof *made);
    if (!names || !made)
        return err_nomem(e);
    for (uint32_t i = 0; i < count; i++)
        names[i] = x[i].name;
    int rc = short_names_make(names, count, made, e);
    for (uint32_t i = 0; !rc && i < count; i++)
        memcpy(x[i].short_name, made[i], SHORT_NAME_SIZE);
    return rc;
}

static int name_children(struct walker *w, struct pack_entry *x, uint32_t count, struct err *e)
{
    return w->walk->short_names ? pack_tree_short_names(x, count, e) : 0;
}

static int read_names(struct walker *w, uint32_t dir, DIR *d, const char *path, struct err *e)
{
    for (;;) {
        errno = 0;
        struct dirent *de = readdir(d);
        if (!de)
            return errno ? err_sys(e, "%s: cannot read directory", path) : 0;
        int rc = take_name(w, dir, dirfd(d), path, de->d_name, e);
        if (rc)
            return rc;
    }
}

static int list_directory(struct walker *w, uint32_t dir, struct err *e)
{
    struct pack_tree *t = w->tree;
    auto_free char *path = pack_tree_path(t, dir);
    if (!path)
        return err_nomem(e);
    int fd = open_entry(t, dir, O_DIRECTORY, e);
    if (fd < 0)
        return fd;
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_dev != t->entries[dir].dev ||
        st.st_ino != t->entries[dir].ino) {
        (void)close(fd);
        return changed(path, e);
    }
    DIR *d = fdopendir(fd);
    if (!d) {
        int rc = err_sys(e, "%s: cannot read directory", path);
        (void)close(fd);
        return rc;
    }
    uint32_t first = t->count;
    int rc = read_names(w, dir, d, path, e);
    (void)closedir(d);
    uint32_t count = t->count - first;
    if (rc || !count)
        return rc;
    qsort(t->entries + first, count, sizeof *t->entries, compare_entries);
    t->entries[dir].first_child = first;
    t->entries[dir].child_count = count;
    rc = check_case(w, t->entries + first, count, path, e);
    return rc ? rc : name_children(w, t->entries + first, count, e);
}

static int add_base(struct walker *w, struct err *e)
{
    struct pack_tree *t = w->tree;
    const char *root_name = w->walk->root_name;
    struct stat st;
    if (fstat(t->fd, &st) != 0)
        return err_sys(e, "cannot read the directory");
    int rc = add_entry(w, 0, "", &st, e);
    if (rc || !root_name || !*root_name)
        return rc;
    struct err why = { 0 };
    if (name_check(root_name, strlen(root_name), &why))
        return err_set(e, ERR_INVALID, "--root-name '%s': %s", root_name, why.text);
    rc = add_entry(w, 0, root_name, &st, e);
    if (rc)
        return rc;
    t->entries[0].first_child = 1;
    t->entries[0].child_count = 1;
    t->base = 1;
    return name_children(w, t->entries + 1, 1, e);
}

/* Depth-first positions of the directories, without recursion: a directory's first child directory
 * follows it, its next sibling follows its whole subtree. */
static int rank_directories(struct pack_tree *t, struct err *e)
{
    auto_free uint32_t *below = calloc(t->count, sizeof *below); /* directories in the subtree */
    if (!below)
        return err_nomem(e);
    for (uint32_t i = t->count; i-- > 1;)
        if (t->entries[i].flags & NODE_DIR)
            below[t->entries[i].parent] += below[i] + 1;
    for (uint32_t i = 0; i < t->count; i++) {
        struct pack_entry *x = &t->entries[i];
        uint32_t rank = x->dir_rank + 1;
        for (uint32_t c = x->first_child; c < x->first_child + x->child_count; c++)
            if (t->entries[c].flags & NODE_DIR) {
                t->entries[c].dir_rank = rank;
                rank += below[c] + 1;
            }
    }
    return 0;
}

int pack_tree_number(struct pack_tree *t, struct err *e)
{
    t->files = calloc(t->count, sizeof *t->files);
    if (!t->files)
        return err_nomem(e);
    for (uint32_t i = 0; i < t->count; i++) {
        struct pack_entry *x = &t->entries[i];
        if (x->flags & NODE_DIR) {
            t->dir_count++;
            continue;
        }
        x->file = t->file_count;
        t->files[t->file_count++] = i;
        t->file_bytes += x->size;
    }
    return rank_directories(t, e);
}

static int mark_files(struct pack_tree *t, const struct pack_walk *walk, struct err *e)
{
    for (uint32_t i = 0; walk->flag_count && i < t->file_count; i++) {
        auto_free char *path = pack_tree_path(t, t->files[i]);
        if (!path)
            return err_nomem(e);
        for (size_t r = 0; r < walk->flag_count; r++)
            if (pack_glob_matches(walk->flags[r].pattern, path))
                t->entries[t->files[i]].flags |= walk->flags[r].flag;
    }
    return 0;
}

int pack_tree_walk(const char *dir, const struct pack_walk *walk, struct pack_tree *out,
                   struct err *e)
{
    *out = (struct pack_tree){ .fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
    if (out->fd < 0)
        return err_sys(e, "%s", dir);
    struct walker w = { .tree = out, .walk = walk };
    struct stat st;
    if (walk->output && lstat(walk->output, &st) == 0) {
        w.has_output = true;
        w.output_dev = st.st_dev;
        w.output_ino = st.st_ino;
    }
    int rc = add_base(&w, e);
    for (uint32_t i = out->base; !rc && i < out->count; i++)
        if (out->entries[i].flags & NODE_DIR)
            rc = list_directory(&w, i, e);
    if (!rc)
        rc = pack_tree_number(out, e);
    if (!rc)
        rc = mark_files(out, walk, e);
    if (rc)
        pack_tree_clear(out);
    return rc;
}

void pack_tree_clear(struct pack_tree *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        free(t->entries[i].name);
    free(t->entries);
    free(t->files);
    if (t->fd >= 0)
        (void)close(t->fd);
    *t = (struct pack_tree){ .fd = -1 };
}

static uint32_t find_child(const struct pack_tree *t, uint32_t dir, const char *name, size_t len)
{
    const struct pack_entry *d = &t->entries[dir];
    uint32_t folded = PACK_NO_RANK;
    for (uint32_t i = d->first_child; i < d->first_child + d->child_count; i++) {
        const char *have = t->entries[i].name;
        if (strlen(have) == len && memcmp(have, name, len) == 0)
            return i;
        if (folded == PACK_NO_RANK && fold_equal(have, strlen(have), name, len))
            folded = i;
    }
    return folded;
}

static uint32_t find_from(const struct pack_tree *t, uint32_t at, const char *path)
{
    while (at != PACK_NO_RANK) {
        path += strspn(path, "/\\");
        size_t len = strcspn(path, "/\\");
        if (len == 0)
            return at;
        if (len != 1 || *path != '.')
            at = find_child(t, at, path, len);
        path += len;
    }
    return at;
}

uint32_t pack_tree_find(const struct pack_tree *t, const char *path)
{
    uint32_t found = find_from(t, 0, path);
    return found == PACK_NO_RANK && t->base ? find_from(t, t->base, path) : found;
}
