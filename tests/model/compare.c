/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compares the two trees, name by name and byte by byte, and watches inode numbers: an inode of B,
 * known by number and time of birth, must have the same number on A for ever.
 */
#include "config.h"

#include "tests/model/model.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <sys/xattr.h>
#include <unistd.h>

static void differ(struct comparison *c, const char *format, ...) printf_like(2, 3);

static void differ(struct comparison *c, const char *format, ...)
{
    va_list args;

    if (c->out && c->differences < 40) {
        fputs("  DIFFERS: ", c->out);
        va_start(args, format);
        vfprintf(c->out, format, args);
        va_end(args);
        fputc('\n', c->out);
    }
    c->differences++;
}

/* --- inode numbers --- */

struct identity {
    uint64_t b_ino, b_birth, a_ino; /* b_ino 0: free */
};

struct identities {
    struct identity *table;
    size_t size, used;
};

struct identities *identities_new(void)
{
    struct identities *i = calloc(1, sizeof *i);

    if (i)
        i->table = calloc(i->size = 1024, sizeof *i->table);
    return i;
}

void identities_free(struct identities *i)
{
    free(i->table);
    free(i);
}

static struct identity *identity_find(struct identities *i, uint64_t ino, uint64_t birth)
{
    uint64_t key[2] = { ino, birth };
    size_t at = digest(0, key, sizeof key) % i->size;

    while (i->table[at].b_ino && (i->table[at].b_ino != ino || i->table[at].b_birth != birth))
        at = (at + 1) % i->size;
    return &i->table[at];
}

static void identities_grow(struct identities *i)
{
    struct identities old = *i;

    i->size *= 2;
    i->table = calloc(i->size, sizeof *i->table);
    for (size_t k = 0; k < old.size; k++)
        if (old.table[k].b_ino)
            *identity_find(i, old.table[k].b_ino, old.table[k].b_birth) = old.table[k];
    free(old.table);
}

static void check_identity(struct comparison *c, const char *path, const char *real_b, ino_t a_ino)
{
    struct identities *i = c->model->identities;
    struct identity *found;
    struct statx sx;
    uint64_t birth;

    if (statx(c->model->b.fd, *real_b ? real_b : ".", AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME,
              &sx) || !(sx.stx_mask & STATX_BTIME))
        return;
    birth = (uint64_t)sx.stx_btime.tv_sec * 1000000000u + sx.stx_btime.tv_nsec;
    found = identity_find(i, sx.stx_ino, birth);
    if (found->b_ino) {
        if (found->a_ino != a_ino)
            differ(c, "%s: the inode number was %llu and is %llu", path,
                   (unsigned long long)found->a_ino, (unsigned long long)a_ino);
        return;
    }
    if (c->tolerance) /* a guess what B should be like */
        return;
    *found = (struct identity){ sx.stx_ino, birth, a_ino };
    if (++i->used * 2 > i->size)
        identities_grow(i);
}

/* --- files --- */

static char *read_whole(const struct side *s, const char *path, size_t *size)
{
    auto_close int fd = open_on(s, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    struct stat st;
    char *data;
    ssize_t n;

    *size = 0;
    if (fd < 0 || fstat(fd, &st) || !(data = malloc((size_t)st.st_size + 1)))
        return NULL;
    while (*size < (size_t)st.st_size &&
           (n = read(fd, data + *size, (size_t)st.st_size - *size)) > 0)
        *size += (size_t)n;
    if (*size == (size_t)st.st_size)
        return data;
    errno = errno ? errno : EIO;
    free(data);
    return NULL;
}

static void compare_content(struct comparison *c, const char *path)
{
    struct model *m = c->model;
    size_t a_size, b_size, at = 0;
    auto_free char *b = NULL;

    errno = 0;
    auto_free char *a = read_whole(&m->a, path, &a_size);
    int a_err = a ? 0 : errno;
    errno = 0;
    b = read_whole(&m->b, path, &b_size);
    int b_err = b ? 0 : errno;
    if (a_err != b_err) {
        differ(c, "%s: reading: %s on A, %s on B", path, strerror(a_err), strerror(b_err));
        return;
    }
    if (!a || !b)
        return;
    if (a_size == b_size && !memcmp(a, b, a_size))
        return;
    while (at < a_size && at < b_size && a[at] == b[at])
        at++;
    size_t count = 0, last = at;
    for (size_t i = at; i < a_size && i < b_size; i++)
        if (a[i] != b[i]) {
            count++;
            last = i;
        }
    differ(c, "%s: bytes: from %zu on to %zu, %zu of them (sizes %zu, %zu); %02x instead of %02x",
           path, at, last, count, a_size, b_size, at < a_size ? (unsigned char)a[at] : 0,
           at < b_size ? (unsigned char)b[at] : 0);
}

/* Takes over what A has of a file that was being written, if each byte is old or new. */
static void adopt_file(struct comparison *c, const char *path, const struct stat *a_st)
{
    const struct tolerance *t = c->tolerance;
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, a_st->st_mtim };
    char real[PATH_SIZE];
    size_t size;
    auto_free char *a = read_whole(&c->model->a, path, &size);
    auto_close int fd = -1;

    if (!a) {
        differ(c, "%s: cannot be read", path);
        return;
    }
    if (size != t->old_size && (size < t->old_size || size > t->new_size) && size != t->new_size) {
        differ(c, "%s: size %zu, was %zu, becomes %zu", path, size, t->old_size, t->new_size);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        char old = i < t->old_size ? t->old[i] : 0, new = i < t->new_size ? t->new[i] : 0;

        if (a[i] != old && a[i] != new) {
            differ(c, "%s: byte %zu is neither old nor new (sizes %zu, %zu): %02x, not %02x or %02x",
                   path, i, t->old_size, t->new_size, (unsigned char)a[i], (unsigned char)old,
                   (unsigned char)new);
            return;
        }
    }
    side_path(&c->model->b, path, real);
    fd = openat(c->model->b.fd, real, O_WRONLY | O_NOFOLLOW);
    if (fd < 0 || ftruncate(fd, (off_t)size) || pwrite(fd, a, size, 0) != (ssize_t)size ||
        futimens(fd, times))
        differ(c, "%s: cannot be changed on B", path);
}

/* --- attributes --- */

static bool is_old(const struct stat *st)
{
    return st->st_mtim.tv_sec < OLD_TIME_END;
}

static bool same_time(const struct stat *a, const struct stat *b)
{
    if (!is_old(a) || !is_old(b))
        return is_old(a) == is_old(b);
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void compare_stat(struct comparison *c, const char *path, const struct stat *a,
                         const struct stat *b)
{
    if (a->st_mode != b->st_mode)
        differ(c, "%s: mode %o, not %o", path, (unsigned)a->st_mode, (unsigned)b->st_mode);
    if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
        differ(c, "%s: owner %u:%u, not %u:%u", path, (unsigned)a->st_uid, (unsigned)a->st_gid,
               (unsigned)b->st_uid, (unsigned)b->st_gid);
    if (!S_ISDIR(b->st_mode) && a->st_size != b->st_size)
        differ(c, "%s: size %lld, not %lld", path, (long long)a->st_size, (long long)b->st_size);
    if (!S_ISDIR(b->st_mode) && a->st_nlink != b->st_nlink)
        differ(c, "%s: %lu links, not %lu", path, (unsigned long)a->st_nlink,
               (unsigned long)b->st_nlink);
    if (!same_time(a, b))
        differ(c, "%s: time %lld.%09ld, not %lld.%09ld", path, (long long)a->st_mtim.tv_sec,
               a->st_mtim.tv_nsec, (long long)b->st_mtim.tv_sec, b->st_mtim.tv_nsec);
}

static uint64_t xattr_digest(const struct side *s, const char *path, char *names, size_t size)
{
    char real[PATH_SIZE], full[2 * PATH_SIZE], value[4096];
    uint64_t sum = 0;
    ssize_t n, len;

    side_path(s, path, real);
    snprintf(full, sizeof full, "%s/%s", s->path, real);
    n = llistxattr(full, names, size - 1);
    if (n < 0) {
        snprintf(names, size, "%s", strerror(errno));
        return 1;
    }
    names[n] = '\0';
    for (char *p = names; p < names + n; p += strlen(p) + 1) {
        if (!strncmp(p, "user.", 5) && strcmp(p, "user.DOSATTRIB")) {
            len = lgetxattr(full, p, value, sizeof value);
            /* In any order. */
            sum += digest(digest(1, p, strlen(p)), value, len < 0 ? 0 : (size_t)len);
        }
    }
    for (ssize_t i = 0; i + 1 < n; i++)
        if (!names[i])
            names[i] = ',';
    return sum;
}

static void compare_xattrs(struct comparison *c, const char *path)
{
    char a[4096], b[4096];

    if (xattr_digest(&c->model->a, path, a, sizeof a) != xattr_digest(&c->model->b, path, b, sizeof b))
        differ(c, "%s: extended attributes: '%s', not '%s'", path, a, b);
}

static void compare_targets(struct comparison *c, const char *path)
{
    char a[PATH_SIZE] = "", b[PATH_SIZE] = "";
    ssize_t na = readlinkat(c->model->a.fd, path, a, sizeof a - 1);
    ssize_t nb = readlinkat(c->model->b.fd, path, b, sizeof b - 1);

    if (na != nb || strcmp(a, b))
        differ(c, "%s: leads to '%s', not '%s'", path, a, b);
}

/* --- trees --- */

struct listing {
    struct entry {
        char *name;
        ino_t ino;
        unsigned char type;
    } *entries;
    size_t count;
};

static int by_entry_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int list(const struct side *s, const char *path, struct listing *l)
{
    int fd = openat(s->fd, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    *l = (struct listing){ 0 };
    if (!d)
        return -errno;
    errno = 0;
    for (struct dirent *e; (e = readdir(d)); errno = 0) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        l->entries = realloc(l->entries, (l->count + 1) * sizeof *l->entries);
        l->entries[l->count++] = (struct entry){ strdup(e->d_name), e->d_ino, e->d_type };
    }
    int status = -errno;
    closedir(d);
    if (l->count)
        qsort(l->entries, l->count, sizeof *l->entries, by_entry_name);
    return status;
}

static void listing_free(struct listing *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->entries[i].name);
    free(l->entries);
}

/* Directories above the operation that a crash ended may have its time. */
static void adopt_time(struct comparison *c, const char *path, const struct stat *a, struct stat *b)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, a->st_mtim };
    size_t len = strlen(path);

    for (int i = 0; c->tolerance && S_ISDIR(a->st_mode) && i < 2; i++) {
        const char *parent = c->tolerance->parents[i];

        if (strncmp(parent, path, len) || (parent[len] && parent[len] != '/'))
            continue;
        if (!same_time(a, b) && !utimensat(c->model->b.fd, path, times, AT_SYMLINK_NOFOLLOW))
            b->st_mtim = a->st_mtim;
    }
}

static void compare_entry(struct comparison *c, const char *path, const struct entry *listed)
{
    struct model *m = c->model;
    struct stat a, b;

    c->nodes++;
    if (fstatat(m->b.fd, path, &b, AT_SYMLINK_NOFOLLOW))
        return; /* no right to look into the directory */
    if (fstatat(m->a.fd, path, &a, AT_SYMLINK_NOFOLLOW)) {
        differ(c, "%s: is listed, but: %s", path, strerror(errno));
        return;
    }
    if (a.st_ino != listed->ino)
        differ(c, "%s: inode number %llu, listed with %llu", path, (unsigned long long)a.st_ino,
               (unsigned long long)listed->ino);
    if (listed->type != DT_UNKNOWN && listed->type != IFTODT(a.st_mode))
        differ(c, "%s: listed with type %d", path, listed->type);
    if ((a.st_mode ^ b.st_mode) & S_IFMT) {
        differ(c, "%s: mode %o, not %o", path, (unsigned)a.st_mode, (unsigned)b.st_mode);
        return;
    }
    if (c->tolerance && c->tolerance->ino == b.st_ino && S_ISREG(a.st_mode)) {
        adopt_file(c, path, &a);
        (void)fstatat(m->b.fd, path, &b, AT_SYMLINK_NOFOLLOW);
    }
    adopt_time(c, path, &a, &b);
    compare_stat(c, path, &a, &b);
    check_identity(c, path, path, a.st_ino);
    if (!S_ISLNK(a.st_mode))
        compare_xattrs(c, path);
    if (S_ISREG(a.st_mode))
        compare_content(c, path);
    else if (S_ISLNK(a.st_mode))
        compare_targets(c, path);
    else if (S_ISDIR(a.st_mode))
        compare(c, path, NULL);
}

static bool left_out(const char *name, const char *only)
{
    return only && strncasecmp(name, only, strlen(only)) != 0;
}

static void compare_lists(struct comparison *c, const char *path, const char *only,
                          const struct listing *a, const struct listing *b)
{
    char child[PATH_SIZE];
    size_t i = 0, k = 0;

    while (i < a->count || k < b->count) {
        int order = i == a->count   ? 1
                    : k == b->count ? -1
                                    : strcmp(a->entries[i].name, b->entries[k].name);
        const struct entry *e = order <= 0 ? &a->entries[i] : &b->entries[k];

        snprintf(child, sizeof child, "%s%s%s", path, *path ? "/" : "", e->name);
        if (order <= 0 && i && !strcmp(a->entries[i - 1].name, e->name))
            differ(c, "%s: listed twice", child);
        else if (!left_out(e->name, only) && order < 0)
            differ(c, "%s: is on A only", child);
        else if (!left_out(e->name, only) && order > 0)
            differ(c, "%s: is on B only", child);
        else if (!left_out(e->name, only))
            compare_entry(c, child, e);
        i += order <= 0;
        k += order >= 0;
    }
}

void compare(struct comparison *c, const char *path, const char *only)
{
    struct listing a, b;
    int a_err = list(&c->model->a, path, &a), b_err = list(&c->model->b, path, &b);

    if (a_err != b_err)
        differ(c, "%s: listing: %s on A, %s on B", path, strerror(-a_err), strerror(-b_err));
    else if (!a_err)
        compare_lists(c, path, only, &a, &b);
    listing_free(&a);
    listing_free(&b);
}

/* --- one tree --- */

static void read_entry(struct model *m, const char *path, const struct entry *listed, FILE *out,
                       long *bad);

static void read_directory(struct model *m, const char *path, FILE *out, long *bad)
{
    char child[PATH_SIZE];
    struct listing l;
    int err = list(&m->a, path, &l);

    if (err) {
        printf("  WRONG: %s cannot be listed: %s\n", path, strerror(-err));
        ++*bad;
    }
    for (size_t i = 0; i < l.count; i++) {
        snprintf(child, sizeof child, "%s%s%s", path, *path ? "/" : "", l.entries[i].name);
        if (i && !strcmp(l.entries[i].name, l.entries[i - 1].name)) {
            printf("  WRONG: %s is listed twice\n", child);
            ++*bad;
        } else {
            read_entry(m, child, &l.entries[i], out, bad);
        }
    }
    listing_free(&l);
}

static void read_entry(struct model *m, const char *path, const struct entry *listed, FILE *out,
                       long *bad)
{
    struct stat st;
    size_t size = 0;

    if (fstatat(m->a.fd, path, &st, AT_SYMLINK_NOFOLLOW) || st.st_ino != listed->ino) {
        printf("  WRONG: %s is listed with inode %llu, but %s\n", path,
               (unsigned long long)listed->ino, strerror(errno));
        ++*bad;
        return;
    }
    fprintf(out, "%s: inode %llu mode %o owner %u:%u", path, (unsigned long long)st.st_ino,
            (unsigned)st.st_mode, (unsigned)st.st_uid, (unsigned)st.st_gid);
    /* Of several writes at the same time the kernel may remember the time of the last but one. */
    if (is_old(&st))
        fprintf(out, " time %lld.%09ld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    if (!S_ISDIR(st.st_mode))
        fprintf(out, " links %llu size %lld", (unsigned long long)st.st_nlink,
                (long long)st.st_size);
    if (S_ISDIR(st.st_mode)) {
        fputc('\n', out);
        read_directory(m, path, out, bad);
    } else if (S_ISREG(st.st_mode)) {
        auto_free char *data = read_whole(&m->a, path, &size);

        fprintf(out, " bytes %016llx", (unsigned long long)(data ? digest(0, data, size) : 0));
        if (!data && errno != EACCES) {
            printf("  WRONG: %s cannot be read: %s\n", path, strerror(errno));
            ++*bad;
        }
    }
    if (!S_ISDIR(st.st_mode))
        fputc('\n', out);
}

long read_everything(struct model *m, char **text)
{
    long bad = 0;
    size_t size;
    FILE *out = open_memstream(text, &size);

    if (!out)
        return 1;
    read_directory(m, "", out, &bad);
    return fclose(out) ? 1 : bad;
}
