/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether an overlay shows what a plain directory has: names, types, modes, owners, sizes, link
 * counts of files, times that were set, targets, extended attributes and bytes; and whether inode
 * numbers stay with their files. Says what differs first.
 */
#ifndef TESTS_OVERLAY_COMPARE_H
#define TESTS_OVERLAY_COMPARE_H

#include "tests/overlay_steps.h"

/* Times from here on are those of the test itself, which differ. */
#define RECENT 1600000000

/* Which inode number the overlay shows for which file of the directory. */
struct inode_pair {
    uint64_t plain;
    struct statx_timestamp born; /* numbers are used again */
    uint64_t shown;
};

struct comparison {
    struct fixture *f;
    const struct reference *r;
    struct inode_pair *before, *now; /* NULL before: nothing to compare with */
    size_t before_count, count, room;
    bool quiet;
    bool after_crash;  /* a directory may show when something in it was copied up, */
    bool half_written; /* and a file that it was being written */
    unsigned differences;
    char first[1024]; /* difference */
};

static void differs(struct comparison *c, const char *path, const char *what, const char *plain,
                    const char *shown)
{
    if (c->differences++)
        return;
    (void)snprintf(c->first, sizeof c->first, "\"%.400s\": %.150s is %.200s and not %.200s", path,
                   what, shown, plain);
    if (!c->quiet)
        printf("\n  %s\n", c->first);
}

static void compare_number(struct comparison *c, const char *path, const char *what, int64_t plain,
                           int64_t shown)
{
    char a[32], b[32];

    if (plain == shown)
        return;
    (void)snprintf(a, sizeof a, what[0] == 'm' ? "%#llo" : "%lld", (long long)plain);
    (void)snprintf(b, sizeof b, what[0] == 'm' ? "%#llo" : "%lld", (long long)shown);
    differs(c, path, what, a, b);
}

static void compare_stat(struct comparison *c, const char *path, const struct stat *plain,
                         const struct stat *shown)
{
    compare_number(c, path, "mode", plain->st_mode, shown->st_mode);
    compare_number(c, path, "uid", plain->st_uid, shown->st_uid);
    compare_number(c, path, "gid", plain->st_gid, shown->st_gid);
    if (!S_ISDIR(plain->st_mode)) {
        compare_number(c, path, "size", plain->st_size, shown->st_size);
        compare_number(c, path, "link count", (int64_t)plain->st_nlink, (int64_t)shown->st_nlink);
    }
    if (shown->st_mtim.tv_sec >= RECENT &&
        (plain->st_mtim.tv_sec >= RECENT ||
         (c->after_crash && (S_ISDIR(plain->st_mode) || c->half_written))))
        return;
    compare_number(c, path, "time", plain->st_mtim.tv_sec, shown->st_mtim.tv_sec);
    compare_number(c, path, "time (ns)", plain->st_mtim.tv_nsec, shown->st_mtim.tv_nsec);
}

static void compare_inode(struct comparison *c, int fd, const char *name, const char *path,
                          uint64_t shown)
{
    struct statx x;

    if (statx(fd, name, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &x))
        return;
    if (c->count == c->room) {
        c->room = c->room ? 2 * c->room : 64;
        c->now = realloc(c->now, c->room * sizeof *c->now);
    }
    c->now[c->count++] = (struct inode_pair){ x.stx_ino, x.stx_btime, shown };
    for (size_t i = 0; i < c->before_count; i++) {
        const struct inode_pair *p = &c->before[i];
        if (p->plain == x.stx_ino && p->born.tv_sec == x.stx_btime.tv_sec &&
            p->born.tv_nsec == x.stx_btime.tv_nsec)
            compare_number(c, path, "inode number", (int64_t)p->shown, (int64_t)shown);
    }
}

static void compare_bytes(struct comparison *c, int fd, const char *path, uint64_t id,
                          uint64_t size)
{
    static uint8_t plain[65536], shown[65536];

    for (uint64_t off = 0; off < size;) {
        ssize_t n = pread(fd, plain, sizeof plain, (off_t)off);
        long m = read_node(c->f, id, off, shown, sizeof shown);
        compare_number(c, path, "what can be read", n, m);
        if (n <= 0 || n != m)
            return;
        for (ssize_t i = 0; i < n; i++)
            if (plain[i] != shown[i]) {
                char what[64];
                (void)snprintf(what, sizeof what, "byte %llu",
                               (unsigned long long)off + (uint64_t)i);
                compare_number(c, path, what, plain[i], shown[i]);
                return;
            }
        off += (uint64_t)n;
    }
}

static unsigned count_user(const char *list, ssize_t len)
{
    unsigned n = 0;

    for (const char *p = list; p < list + len; p += strlen(p) + 1)
        n += !strncmp(p, "user.", 5);
    return n;
}

static void compare_xattrs(struct comparison *c, int fd, const char *name, const char *path,
                           uint64_t id)
{
    char at[320], list[4096], shown[4096], a[256], b[256];

    (void)reference_xattr_path(fd, name, at);
    ssize_t len = llistxattr(at, list, sizeof list);
    ssize_t shown_len = overlay_listxattr(c->f->o, id, shown, sizeof shown);
    if (len < 0)
        return;
    compare_number(c, path, "number of attributes", count_user(list, len),
                   shown_len < 0 ? shown_len : (int64_t)count_user(shown, shown_len));
    for (const char *p = list; p < list + len; p += strlen(p) + 1) {
        if (strncmp(p, "user.", 5) != 0)
            continue;
        ssize_t n = lgetxattr(at, p, a, sizeof a),
                m = overlay_getxattr(c->f->o, id, p, b, sizeof b);
        compare_number(c, path, p, n, m);
        if (n == m && n > 0 && memcmp(a, b, (size_t)n))
            differs(c, path, p, "one value", "another");
    }
}

static void compare_dir(struct comparison *c, int fd, uint64_t id, const char *path);

static void compare_one(struct comparison *c, int fd, const char *name, const char *path,
                        uint64_t id, const struct stat *shown)
{
    char a[512] = "", b[512] = "";
    struct stat st;

    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW)) {
        differs(c, path, "it", "missing", "there");
        return;
    }
    compare_stat(c, path, &st, shown);
    compare_inode(c, fd, name, path, shown->st_ino);
    compare_xattrs(c, fd, name, path, id);
    if ((st.st_mode & S_IFMT) != (shown->st_mode & S_IFMT))
        return;
    if (S_ISLNK(st.st_mode)) {
        if (readlinkat(fd, name, a, sizeof a - 1) < 0 ||
            overlay_readlink(c->f->o, id, b, sizeof b - 1) < 0 || strcmp(a, b) != 0)
            differs(c, path, "target", a, b);
    } else if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
        auto_close int sub = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (S_ISDIR(st.st_mode))
            compare_dir(c, sub, id, path);
        else
            compare_bytes(c, sub, path, id, (uint64_t)st.st_size);
    }
}

static void compare_dir(struct comparison *c, int fd, uint64_t id, const char *path)
{
    struct shape_names n = { .count = 0 };
    size_t there = 0;

    compare_number(c, path, "listing", 0, overlay_list(c->f->o, id, 0, true, shape_add, &n));
    for (size_t i = 0; i < n.count; i++) {
        char sub[4400];
        (void)snprintf(sub, sizeof sub, "%.3900s%s%s", path, *path ? "/" : "", n.names[i]);
        compare_one(c, fd, n.names[i], sub, n.refs[i].id, &n.stats[i]);
    }
    DIR *stream = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct dirent *d;
    while (stream && (d = readdir(stream))) {
        bool found = !strcmp(d->d_name, ".") || !strcmp(d->d_name, "..");
        for (size_t i = 0; i < n.count && !found; i++)
            found = !strcmp(d->d_name, n.names[i]);
        if (!found) {
            char sub[4400];
            (void)snprintf(sub, sizeof sub, "%.3900s%s%s", path, *path ? "/" : "", d->d_name);
            differs(c, sub, "it", "there", "missing");
        }
        there++;
    }
    if (stream)
        (void)closedir(stream);
    compare_number(c, path, "number of names", (int64_t)there, (int64_t)n.count + 2);
    free(n.names);
    free(n.refs);
    free(n.stats);
}

/* Number of differences. What was seen of inode numbers stays in C for the next time. */
static unsigned compare_all(struct comparison *c)
{
    free(c->before);
    c->before = c->now;
    c->before_count = c->count;
    c->now = NULL;
    c->count = c->room = 0;
    c->differences = 0;
    compare_dir(c, c->r->root, OVERLAY_ROOT_ID, "");
    return c->differences;
}

/* Forgets the last comparison. */
static __attribute__((unused)) void compare_again(struct comparison *c)
{
    free(c->now);
    c->now = c->before;
    c->count = c->room = c->before_count;
    c->before = NULL;
    c->before_count = 0;
}

static void compare_end(struct comparison *c)
{
    free(c->before);
    free(c->now);
}

#endif
