/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations on names and attributes.
 */
#include "config.h"

#include "tests/model/model.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static void set(struct result *r, long ret)
{
    r->err = ret < 0 ? errno : 0;
    r->ret = ret;
}

/* A directory renamed to another spelling by way of one with that very name: the server cannot tell
 * which of the two the kernel asks about, and the kernel takes it for a rename to itself. */
static bool looks_like_nothing(const struct side *s, const struct op *op, const char *from)
{
    char part[PATH_SIZE];
    struct stat st;

    snprintf(part, sizeof part, "%s/", strrchr(op->p2, '/'));
    return (strstr(op->p1, part) || strstr(op->p2, part)) &&
           !fstatat(s->fd, from, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode);
}

static void do_rename(const struct side *s, const struct op *op, struct result *r)
{
    char from[PATH_SIZE], to[PATH_SIZE];

    const char *old_name = strrchr(op->p1, '/'), *name = strrchr(op->p2, '/');
    char *end;

    side_path(s, op->p1, from);
    side_path(s, op->p2, to);
    end = strrchr(to, '/');
    /* The new spelling is what is wanted; but a name renamed to itself is nothing to the kernel. */
    if (s->folding && same_entry(s, op->p1, op->p2) && name && end && strcmp(name, old_name) != 0 &&
        !looks_like_nothing(s, op, from))
        strcpy(end, name);
    set(r, syscall(SYS_renameat2, s->fd, from, s->fd, to, op->flags));
}

static void do_link(const struct side *s, const struct op *op, struct result *r)
{
    char from[PATH_SIZE], to[PATH_SIZE];

    side_path(s, op->p1, from);
    side_path(s, op->p2, to);
    set(r, linkat(s->fd, from, s->fd, to, 0));
}

static void add_stat(const struct stat *st, struct result *r)
{
    struct {
        uint64_t mode, uid, gid, size, links, sec, nsec;
    } all = { st->st_mode, st->st_uid, st->st_gid, 0, 0, 0, 0 };

    if (!S_ISDIR(st->st_mode)) {
        all.size = (uint64_t)st->st_size;
        all.links = st->st_nlink;
    }
    if (st->st_mtim.tv_sec < OLD_TIME_END) {
        all.sec = (uint64_t)st->st_mtim.tv_sec;
        all.nsec = (uint64_t)st->st_mtim.tv_nsec;
    }
    r->digest = digest(r->digest, &all, sizeof all);
    snprintf(r->note, sizeof r->note, "mode %o id %u:%u size %llu links %llu mtime %lld.%09lld",
             (unsigned)st->st_mode, (unsigned)st->st_uid, (unsigned)st->st_gid,
             (unsigned long long)all.size, (unsigned long long)all.links, (long long)all.sec,
             (long long)all.nsec);
}

static void do_stat(const struct side *s, const int *fds, const struct op *op, struct result *r)
{
    char real[PATH_SIZE];
    struct stat st;

    if (op->kind == OP_FSTAT) {
        set(r, fstat(fds[op->slot], &st));
    } else {
        side_path(s, op->p1, real);
        set(r, fstatat(s->fd, real, &st, AT_SYMLINK_NOFOLLOW));
    }
    if (!r->ret)
        add_stat(&st, r);
}

static bool is_explicit(const struct timespec *t)
{
    return t->tv_nsec != UTIME_NOW && t->tv_nsec != UTIME_OMIT;
}

static void do_utimens(const struct side *s, const int *fds, const struct op *op, struct result *r)
{
    bool by_slot = op->kind == OP_FUTIMENS;
    char real[PATH_SIZE];
    struct stat st;

    side_path(s, op->p1, real);
    set(r, by_slot ? futimens(fds[op->slot], op->times)
                   : utimensat(s->fd, real, op->times, AT_SYMLINK_NOFOLLOW));
    if (r->ret)
        return;
    set(r, by_slot ? fstat(fds[op->slot], &st) : fstatat(s->fd, real, &st, AT_SYMLINK_NOFOLLOW));
    if (r->ret)
        return;
    add_stat(&st, r);
    if (is_explicit(&op->times[0])) {
        r->digest = digest(r->digest, &st.st_atim, sizeof st.st_atim);
        snprintf(r->note + strlen(r->note), sizeof r->note - strlen(r->note), " atime %lld.%09ld",
                 (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec);
    }
}

/* --- extended attributes --- */

static void full_path(const struct side *s, const char *p, char out[2 * PATH_SIZE])
{
    char real[PATH_SIZE];

    side_path(s, p, real);
    snprintf(out, 2 * PATH_SIZE, "%s/%s", s->path, real);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Those of users, without the one a package gives. */
static void list_xattrs(const char *path, struct result *r)
{
    char buf[8192], *names[256];
    ssize_t n = llistxattr(path, buf, sizeof buf);
    size_t count = 0;

    set(r, n);
    if (n < 0)
        return;
    r->ret = 0;
    for (char *p = buf; p < buf + n && count < 256; p += strlen(p) + 1)
        if (!strncmp(p, "user.", 5) && strcmp(p, "user.DOSATTRIB"))
            names[count++] = p;
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++) {
        r->digest = digest(r->digest, names[i], strlen(names[i]) + 1);
        snprintf(r->note + strlen(r->note), sizeof r->note - strlen(r->note), "%s,", names[i]);
    }
}

static void run_xattr(const struct side *s, const int *fds, const struct op *op, struct result *r)
{
    char path[2 * PATH_SIZE], value[512];
    bool no_name = op->xname[0] != 'u';
    const char *name = no_name ? "strange" : op->xname;

    full_path(s, op->p1, path);
    fill(op->data, value, sizeof value);
    switch (op->kind) {
    case OP_SETX:
        set(r, lsetxattr(path, name, value, op->len, op->flags));
        break;
    case OP_FSETX:
        set(r, fsetxattr(fds[op->slot], name, value, op->len, op->flags));
        break;
    case OP_GETX:
        set(r, lgetxattr(path, name, value, op->len));
        if (r->ret > 0 && op->len)
            r->digest = digest(0, value, (size_t)r->ret);
        break;
    case OP_REMOVEX:
        set(r, lremovexattr(path, name));
        break;
    default:
        list_xattrs(path, r);
        break;
    }
}

/* --- directories --- */

struct kernel_dirent {
    uint64_t ino;
    int64_t off;
    uint16_t size;
    uint8_t type;
    char name[];
};

/* What a listing may show or not while it changes. */
static void disturb(int fd, int times)
{
    int made = -1;

    switch (times % 3) {
    case 0:
        made = openat(fd, "zzz-a", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        break;
    case 1:
        (void)renameat(fd, "zzz-a", fd, "zzz-b");
        break;
    default:
        unlinkat(fd, "zzz-b", 0);
        break;
    }
    if (made >= 0)
        close(made);
}

/* Each name once, and all of them, whatever comes and goes between two calls. */
void list_names(int fd, const char *path, int change, struct result *r)
{
    char buf[400], **names = NULL;
    size_t count = 0;
    long n;

    for (int times = 0; (n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0; times++) {
        for (char *p = buf; p < buf + n; p += ((struct kernel_dirent *)(void *)p)->size) {
            const char *name = ((struct kernel_dirent *)(void *)p)->name;

            if (!strncmp(name, "zzz-", 4))
                continue;
            names = realloc(names, (count + 1) * sizeof *names);
            names[count++] = strdup(name);
        }
        if (change)
            disturb(fd, times);
    }
    set(r, n);
    if (change) {
        unlinkat(fd, "zzz-a", 0);
        unlinkat(fd, "zzz-b", 0);
    }
    if (count)
        qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++) {
        if (i && !strcmp(names[i], names[i - 1]))
            snprintf(r->note, sizeof r->note, "%.40s: '%.60s' twice", path, names[i]);
        r->digest = digest(r->digest, names[i], strlen(names[i]) + 1);
        if (i)
            free(names[i - 1]);
    }
    if (count)
        free(names[count - 1]);
    free(names);
    if (!r->note[0])
        snprintf(r->note, sizeof r->note, "%zu names", count);
}

static void do_list(const struct side *s, const struct op *op, struct result *r)
{
    int fd = open_on(s, op->p1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

    if (fd < 0) {
        set(r, -1);
        return;
    }
    list_names(fd, op->p1, op->kind == OP_LIST_CHANGING, r);
    close(fd);
}

static int remove_tree(int parent, const char *name)
{
    int fd, status = 0;
    DIR *d;

    if (!unlinkat(parent, name, 0))
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    d = fdopendir(fd);
    if (!d) {
        close(fd);
        return -1;
    }
    for (struct dirent *e; !status && (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            status = remove_tree(fd, e->d_name);
    closedir(d);
    return status ? status : unlinkat(parent, name, AT_REMOVEDIR);
}

static void do_readlink(const struct side *s, const char *real, struct result *r)
{
    char target[PATH_SIZE];

    set(r, readlinkat(s->fd, real, target, sizeof target));
    if (r->ret > 0)
        r->digest = digest(0, target, (size_t)r->ret);
}

static void run_simple(const struct side *s, const int *fds, const struct op *op, const char *real,
                       struct result *r)
{
    switch (op->kind) {
    case OP_SYMLINK:
        set(r, symlinkat(op->p2, s->fd, real));
        break;
    case OP_READLINK:
        do_readlink(s, real, r);
        break;
    case OP_UNLINK:
        set(r, unlinkat(s->fd, real, 0));
        break;
    case OP_RMDIR:
        set(r, unlinkat(s->fd, real, AT_REMOVEDIR));
        break;
    case OP_MKDIR:
        set(r, mkdirat(s->fd, real, op->mode & 07777));
        break;
    case OP_MKFIFO:
        set(r, mkfifoat(s->fd, real, op->mode & 0777));
        break;
    case OP_CHMOD:
        set(r, fchmodat(s->fd, real, op->mode, 0));
        break;
    case OP_FCHMOD:
        set(r, fchmod(fds[op->slot], op->mode));
        break;
    case OP_CHOWN:
        set(r, fchownat(s->fd, real, op->uid, op->gid, AT_SYMLINK_NOFOLLOW));
        break;
    case OP_ACCESS:
        set(r, faccessat(s->fd, real, op->flags, 0));
        break;
    default:
        set(r, remove_tree(s->fd, real));
        break;
    }
}

void run_name(const struct side *s, int *fds, const struct op *op, struct result *r)
{
    char real[PATH_SIZE];

    switch (op->kind) {
    case OP_RENAME:
        do_rename(s, op, r);
        break;
    case OP_LINK:
        do_link(s, op, r);
        break;
    case OP_UTIMENS:
    case OP_FUTIMENS:
        do_utimens(s, fds, op, r);
        break;
    case OP_STAT:
    case OP_FSTAT:
        do_stat(s, fds, op, r);
        break;
    case OP_SETX:
    case OP_FSETX:
    case OP_GETX:
    case OP_LISTX:
    case OP_REMOVEX:
        run_xattr(s, fds, op, r);
        break;
    case OP_LIST:
    case OP_LIST_CHANGING:
        do_list(s, op, r);
        break;
    default:
        side_path(s, op->p1, real);
        run_simple(s, fds, op, real, r);
        break;
    }
}
