/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chooses the next operation of a worker. What exists is looked up on B, so that most operations
 * meet something; the rest are there for the errors. A worker keeps to its own directory "tN" and
 * to names of its own in "shared", so that what others do at the same time makes no difference.
 */
#include "config.h"

#include "tests/model/model.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/xattr.h>

#define DEPTH_LIMIT 6

static const struct {
    const char *name;
    unsigned weight;
} kinds[OP_KINDS] = {
    [OP_OPEN] = { "open", 70 },
    [OP_CLOSE] = { "close", 25 },
    [OP_PWRITE] = { "pwrite", 60 },
    [OP_WRITE] = { "write", 25 },
    [OP_PREAD] = { "pread", 40 },
    [OP_READ] = { "read", 15 },
    [OP_FTRUNCATE] = { "ftruncate", 15 },
    [OP_TRUNCATE] = { "truncate", 20 },
    [OP_PATH_WRITE] = { "path-write", 40 },
    [OP_PATH_APPEND] = { "path-append", 15 },
    [OP_PATH_READ] = { "path-read", 40 },
    [OP_MMAP_WRITE] = { "mmap-write", 15 },
    [OP_MMAP_PRIVATE] = { "mmap-private", 8 },
    [OP_FALLOCATE] = { "fallocate", 20 },
    [OP_SEEK] = { "seek", 10 },
    [OP_COPY_RANGE] = { "copy_file_range", 15 },
    [OP_LOCK] = { "lock", 4 },
    [OP_FSYNC] = { "fsync", 12 },
    [OP_FSYNC_DIR] = { "fsync-dir", 4 },
    [OP_DIRECT_WRITE] = { "direct-write", 8 },
    [OP_DIRECT_READ] = { "direct-read", 8 },
    [OP_RENAME] = { "rename", 90 },
    [OP_LINK] = { "link", 25 },
    [OP_SYMLINK] = { "symlink", 12 },
    [OP_READLINK] = { "readlink", 8 },
    [OP_UNLINK] = { "unlink", 45 },
    [OP_RMDIR] = { "rmdir", 25 },
    [OP_MKDIR] = { "mkdir", 40 },
    [OP_MKFIFO] = { "mkfifo", 5 },
    [OP_CHMOD] = { "chmod", 20 },
    [OP_FCHMOD] = { "fchmod", 8 },
    [OP_CHOWN] = { "chown", 15 },
    [OP_UTIMENS] = { "utimensat", 20 },
    [OP_FUTIMENS] = { "futimens", 8 },
    [OP_SETX] = { "setxattr", 20 },
    [OP_FSETX] = { "fsetxattr", 6 },
    [OP_GETX] = { "getxattr", 10 },
    [OP_LISTX] = { "listxattr", 10 },
    [OP_REMOVEX] = { "removexattr", 10 },
    [OP_STAT] = { "stat", 25 },
    [OP_FSTAT] = { "fstat", 15 },
    [OP_ACCESS] = { "access", 5 },
    [OP_LIST] = { "list", 8 },
    [OP_LIST_CHANGING] = { "list-changing", 4 },
    [OP_REMOVE_TREE] = { "remove-tree", 3 },
};

/* Contents of a file; a crash may leave some of them old and some new. */
bool op_is_data(enum op_kind kind)
{
    switch (kind) {
    case OP_PWRITE:
    case OP_WRITE:
    case OP_FTRUNCATE:
    case OP_TRUNCATE:
    case OP_PATH_WRITE:
    case OP_PATH_APPEND:
    case OP_MMAP_WRITE:
    case OP_FALLOCATE:
    case OP_COPY_RANGE:
    case OP_DIRECT_WRITE:
        return true;
    default:
        return false;
    }
}

size_t describe(const struct op *op, char *out, size_t size)
{
    int n = snprintf(out, size,
                     "%s '%s' '%s' slots=%d,%d flags=%#x mode=%o id=%u:%u off=%lld,%lld len=%zu "
                     "times=%lld.%09ld,%lld.%09ld x=%s",
                     kinds[op->kind].name, op->p1, op->p2, op->slot, op->slot2,
                     (unsigned)op->flags, (unsigned)op->mode, (unsigned)op->uid, (unsigned)op->gid,
                     (long long)op->off, (long long)op->off2, op->len,
                     (long long)op->times[0].tv_sec, op->times[0].tv_nsec,
                     (long long)op->times[1].tv_sec, op->times[1].tv_nsec, op->xname);

    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

static enum op_kind choose_kind(struct worker *w)
{
    unsigned total = 0, at = 0;

    for (;;) {
        total = 0;
        for (int i = 0; i < OP_KINDS; i++)
            total += kinds[i].weight;
        total = (unsigned)rng_below(&w->rng, total);
        at = 0;
        while (total >= kinds[at].weight)
            total -= kinds[at++].weight;
        /* Several system calls: not while a crash may part them. */
        if (w->model->crash && (at == OP_LIST_CHANGING || at == OP_REMOVE_TREE))
            continue;
        if (w->model->user && at == OP_REMOVE_TREE) /* stops somewhere, where it has no right */
            continue;
        return (enum op_kind)at;
    }
}

/* One random name of directory PATH on B; false when it has none or is no directory. */
static bool random_child(struct worker *w, const char *path, char name[NAME_MAX + 1], bool *dir)
{
    int fd = open_on(&w->model->b, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    uint64_t seen = 0;
    struct stat st;

    if (!d) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    /* The order of a directory depends on hidden state: the choice must not. */
    uint64_t key = rng_next(&w->rng), best = 0;
    for (struct dirent *e; (e = readdir(d));) {
        uint64_t value = digest(key, e->d_name, strlen(e->d_name));

        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || (seen && value <= best))
            continue;
        seen++;
        best = value;
        strcpy(name, e->d_name);
    }
    *dir = seen && !fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode);
    closedir(d);
    return seen;
}

enum want { WANT_ANY, WANT_DIR, WANT_LEAF };

/* Walks down from the worker's directory to something that exists. False when it is not as wanted. */
static bool walk_down(struct worker *w, enum want want, char path[PATH_SIZE])
{
    char name[NAME_MAX + 1];
    bool dir = true;
    int n = w->model->race ? snprintf(path, PATH_SIZE, "shared")
                           : snprintf(path, PATH_SIZE, "t%d", w->number);

    for (int depth = 0; depth < DEPTH_LIMIT && dir; depth++) {
        bool top = depth == 0 && want != WANT_DIR;

        if (!top && rng_chance(&w->rng, want == WANT_LEAF ? 3 : 30))
            break;
        if (!random_child(w, path, name, &dir) || (want == WANT_DIR && !dir))
            break;
        n += snprintf(path + n, PATH_SIZE - (size_t)n, "/%s", name);
    }
    return want != WANT_LEAF || !dir;
}

static void existing(struct worker *w, enum want want, char path[PATH_SIZE])
{
    for (int tries = 0; tries < 3 && !walk_down(w, want, path); tries++)
        continue;
}

static const char *pool_name(struct worker *w)
{
    return pool_names[rng_below(&w->rng, pool_count)];
}

static void spell(struct worker *w, char path[PATH_SIZE])
{
    char copy[PATH_SIZE];

    if (!w->model->fold || !rng_chance(&w->rng, 50))
        return;
    strcpy(copy, path);
    respell(&w->rng, copy, path);
}

/* A name that may or may not exist, in a directory that does. */
static void new_path(struct worker *w, char path[PATH_SIZE])
{
    size_t n;

    if (!w->model->race && rng_chance(&w->rng, 8)) {
        snprintf(path, PATH_SIZE, "shared/s%d-%s", w->number, pool_name(w));
        spell(w, path);
        return;
    }
    existing(w, WANT_DIR, path);
    n = strlen(path);
    if (rng_chance(&w->rng, 1)) {
        size_t len = rng_chance(&w->rng, 50) ? 255 : 256;

        path[n++] = '/';
        memset(path + n, 'w', len);
        path[n + len] = '\0';
    } else {
        snprintf(path + n, PATH_SIZE - n, "/%s", pool_name(w));
    }
    spell(w, path);
}

/* What an operation is about: mostly there, of the wanted kind. */
static void some_path(struct worker *w, enum want want, char path[PATH_SIZE])
{
    size_t n;

    if (rng_chance(&w->rng, 15)) {
        new_path(w, path);
    } else {
        existing(w, rng_chance(&w->rng, 90) ? want : WANT_ANY, path);
        spell(w, path);
    }
    if (rng_chance(&w->rng, 2)) {
        n = strlen(path);
        snprintf(path + n, PATH_SIZE - n, "/%s", pool_name(w));
    }
}

static mode_t some_mode(struct worker *w)
{
    static const mode_t modes[] = { 0644, 0600, 0755, 0700, 0640, 0444, 0777, 04755,
                                    02755, 01777, 0, 0666, 0555, 06777, 02770 };
    mode_t m = modes[rng_below(&w->rng, ARRAY_LEN(modes))];

    return w->model->user && rng_chance(&w->rng, 85) ? m | 0700 : m;
}

static struct timespec some_time(struct worker *w)
{
    struct timespec t = { .tv_sec = (time_t)rng_below(&w->rng, OLD_TIME_END - 1000),
                          .tv_nsec = (long)rng_below(&w->rng, 1000000000) };

    if (rng_chance(&w->rng, 10))
        t.tv_nsec = UTIME_NOW;
    else if (rng_chance(&w->rng, 15))
        t.tv_nsec = UTIME_OMIT;
    return t;
}

static size_t some_length(struct worker *w)
{
    struct rng *r = &w->rng;

    switch (rng_below(r, 10)) {
    case 0:
        return 4096 * (1 + rng_below(r, 8));
    case 1:
        return 1 + rng_below(r, 200000);
    case 2:
    case 3:
        return 1 + rng_below(r, 20000);
    case 4:
    case 5:
        return 1 + rng_below(r, 5000);
    default:
        return rng_below(r, 100);
    }
}

static off_t some_offset(struct worker *w, off_t size)
{
    struct rng *r = &w->rng;
    uint64_t s = (uint64_t)size, at;

    switch (rng_below(r, 8)) {
    case 0:
        at = 0;
        break;
    case 1:
        at = s;
        break;
    case 2:
        at = s + rng_below(r, rng_chance(r, 50) ? 100 : 100000);
        break;
    case 3:
    case 4:
        at = rng_below(r, s / 4096 + 2) * 4096;
        break;
    case 5:
        at = rng_below(r, s / 4096 + 2) * 4096 + 4090 + rng_below(r, 12);
        break;
    default:
        at = rng_below(r, s + 1);
        break;
    }
    return (off_t)min_u64(at, FILE_LIMIT);
}

static off_t size_on_b(struct worker *w, const struct op *op, bool by_slot)
{
    char path[PATH_SIZE];
    struct stat st;

    if (by_slot)
        return fstat(w->fds[1][op->slot], &st) ? 0 : st.st_size;
    side_path(&w->model->b, op->p1, path);
    return fstatat(w->model->b.fd, path, &st, 0) ? 0 : st.st_size;
}

static int open_flags(struct worker *w)
{
    struct rng *r = &w->rng;
    int flags = rng_chance(r, 60) ? O_RDWR : rng_chance(r, 50) ? O_RDONLY : O_WRONLY;

    if (rng_chance(r, 45))
        flags |= O_CREAT | (rng_chance(r, 30) ? O_EXCL : 0);
    if (flags & O_ACCMODE)
        flags |= (rng_chance(r, 12) ? O_TRUNC : 0) | (rng_chance(r, 12) ? O_APPEND : 0);
    if (rng_chance(r, 2))
        flags = O_RDONLY | O_DIRECTORY;
    return flags | O_CLOEXEC | O_NONBLOCK |
           (w->model->fold || rng_chance(r, 20) ? O_NOFOLLOW : 0);
}

static void choose_rename(struct worker *w, struct op *op)
{
    struct rng *r = &w->rng;

    some_path(w, WANT_ANY, op->p1);
    if (rng_chance(r, 45))
        existing(w, WANT_ANY, op->p2);
    else
        new_path(w, op->p2);
    if (rng_chance(r, 15))
        op->flags = 1; /* RENAME_NOREPLACE */
    else if (rng_chance(r, 20))
        op->flags = 2; /* RENAME_EXCHANGE */
    if (w->model->fold && rng_chance(r, 8)) {
        respell(r, op->p1, op->p2); /* only the case changes */
        op->flags = 0;
    }
    /* Which of the names a rename onto itself with these flags means is nobody's contract. */
    if (w->model->fold && same_entry(&w->model->b, op->p1, op->p2))
        op->flags = 0;
}

static void choose_link_target(struct worker *w, struct op *op)
{
    struct rng *r = &w->rng;

    /* The kernel follows links on A by any spelling, and on B not: there they lead nowhere. */
    if (w->model->fold || rng_chance(r, 30))
        snprintf(op->p2, PATH_SIZE, "/nowhere/%s", pool_name(w));
    else
        snprintf(op->p2, PATH_SIZE, "%s%s%s", pool_name(w), rng_chance(r, 40) ? "/" : "",
                 rng_chance(r, 40) ? pool_name(w) : "");
}

static void choose_fallocate(struct worker *w, struct op *op)
{
    static const int modes[] = { 0, FALLOC_FL_KEEP_SIZE,
                                 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
                                 FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };

    op->flags = modes[rng_below(&w->rng, ARRAY_LEN(modes))];
}

static void choose_xattr(struct worker *w, struct op *op)
{
    static const char *const names[] = { "user.a", "user.comment", "user.x y", "trusted2.no" };

    strcpy(op->xname, names[rng_below(&w->rng, rng_chance(&w->rng, 95) ? 3 : 4)]);
    op->flags = rng_chance(&w->rng, 20) ? XATTR_CREATE : rng_chance(&w->rng, 20) ? XATTR_REPLACE : 0;
    op->len = rng_below(&w->rng, rng_chance(&w->rng, 70) ? 30 : 250);
    if (op->kind == OP_GETX && rng_chance(&w->rng, 70))
        op->len = rng_chance(&w->rng, 30) ? 0 : 300;
}

/* Operations on an open descriptor. */
static bool wants_slot(enum op_kind kind)
{
    switch (kind) {
    case OP_CLOSE:
    case OP_PWRITE:
    case OP_WRITE:
    case OP_PREAD:
    case OP_READ:
    case OP_FTRUNCATE:
    case OP_MMAP_WRITE:
    case OP_MMAP_PRIVATE:
    case OP_FALLOCATE:
    case OP_SEEK:
    case OP_COPY_RANGE:
    case OP_FSYNC:
    case OP_FCHMOD:
    case OP_FUTIMENS:
    case OP_FSETX:
    case OP_FSTAT:
        return true;
    default:
        return false;
    }
}

static void choose_for_slot(struct worker *w, struct op *op)
{
    struct rng *r = &w->rng;
    off_t size = size_on_b(w, op, true);
    struct stat st;

    op->off = some_offset(w, size);
    op->len = some_length(w);
    op->slot2 = (int)rng_below(r, SLOTS);
    if (op->kind == OP_SEEK)
        op->flags = rng_chance(r, 50) ? SEEK_DATA : SEEK_HOLE;
    if (op->kind == OP_FALLOCATE)
        choose_fallocate(w, op);
    if (op->kind == OP_FSYNC)
        op->flags = rng_chance(r, 40);
    if (op->kind == OP_MMAP_WRITE || op->kind == OP_MMAP_PRIVATE)
        op->off &= ~(off_t)4095;
    if (op->kind == OP_MMAP_WRITE) /* without msync() a crash would go unseen */
        op->flags = w->model->crash || rng_chance(r, 50);
    if (op->kind == OP_COPY_RANGE) {
        if (w->fds[1][op->slot2] < 0)
            op->slot2 = op->slot;
        op->off2 = some_offset(w, fstat(w->fds[1][op->slot2], &st) ? 0 : st.st_size);
    }
    if (op->kind == OP_FSETX)
        choose_xattr(w, op);
}

static void choose_for_path(struct worker *w, struct op *op)
{
    struct rng *r = &w->rng;

    switch (op->kind) {
    case OP_RENAME:
        choose_rename(w, op);
        break;
    case OP_LINK:
        some_path(w, WANT_LEAF, op->p1);
        new_path(w, op->p2);
        break;
    case OP_SYMLINK:
        new_path(w, op->p1);
        choose_link_target(w, op);
        break;
    case OP_MKDIR:
    case OP_MKFIFO:
        new_path(w, op->p1);
        break;
    case OP_RMDIR:
    case OP_LIST:
    case OP_LIST_CHANGING:
    case OP_FSYNC_DIR:
        some_path(w, WANT_DIR, op->p1);
        break;
    case OP_OPEN:
        if (rng_chance(r, 40))
            new_path(w, op->p1);
        else
            some_path(w, WANT_LEAF, op->p1);
        break;
    default:
        some_path(w, op->kind == OP_CHMOD || op->kind == OP_UTIMENS || op->kind == OP_STAT
                         ? WANT_ANY : WANT_LEAF, op->p1);
        break;
    }
    if (op->kind == OP_OPEN)
        op->flags = open_flags(w);
    if (op->kind == OP_SETX || op->kind == OP_GETX || op->kind == OP_REMOVEX)
        choose_xattr(w, op);
    if (op->kind == OP_ACCESS)
        op->flags = (int)rng_below(r, 8);
}

/* The worker's own directory stays where it is, and usable. */
static void spare_top(struct op *op)
{
    if (!strchr(op->p1, '/') && op->kind != OP_LIST && op->kind != OP_STAT &&
        op->kind != OP_UTIMENS && op->kind != OP_FSYNC_DIR && op->kind != OP_LIST_CHANGING)
        strcat(op->p1, "/Data");
    if (op->kind != OP_SYMLINK && op->p2[0] && !strchr(op->p2, '/'))
        strcat(op->p2, "/Data");
}

static void choose_numbers(struct worker *w, struct op *op)
{
    struct rng *r = &w->rng;
    off_t size;

    op->mode = some_mode(w);
    op->uid = rng_chance(r, 30) ? (uid_t)-1 : (uid_t)rng_below(r, 3000);
    op->gid = rng_chance(r, 30) ? (gid_t)-1 : (gid_t)rng_below(r, 3000);
    if (w->model->user && rng_chance(r, 70)) {
        op->uid = rng_chance(r, 50) ? (uid_t)-1 : getuid();
        op->gid = rng_chance(r, 50) ? (gid_t)-1 : getgid();
    }
    /* That drops the set-user-ID bit, which a server that drops it itself is not told. */
    if (op->uid == (uid_t)-1 && op->gid == (gid_t)-1)
        op->uid = w->model->user ? getuid() : 0;
    op->times[0] = some_time(w);
    op->times[1] = some_time(w);
    if (wants_slot(op->kind) || op->kind == OP_SETX || op->kind == OP_GETX)
        return;
    size = size_on_b(w, op, false);
    op->off = some_offset(w, size);
    op->len = some_length(w);
    if (op->kind == OP_DIRECT_WRITE || op->kind == OP_DIRECT_READ) {
        op->off &= ~(off_t)4095;
        op->len = (op->len + 4095) & ~(size_t)4095;
    }
    /* Whether this changes the time of the file is not known to a server. */
    if (op->kind == OP_TRUNCATE && op->off == size)
        op->off++;
}

void choose(struct worker *w, struct op *op)
{
    memset(op, 0, sizeof *op);
    op->kind = choose_kind(w);
    op->data = rng_next(&w->rng);
    op->slot = (int)rng_below(&w->rng, SLOTS);
    if (wants_slot(op->kind) && w->fds[1][op->slot] < 0)
        op->kind = OP_OPEN;
    if (wants_slot(op->kind))
        choose_for_slot(w, op);
    else
        choose_for_path(w, op);
    if (!wants_slot(op->kind))
        spare_top(op);
    choose_numbers(w, op);
}
