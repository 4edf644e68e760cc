/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Markers of the upper layer. See marker.h.
 *
 * Attributes of a name are reached as /proc/self/fd/N/NAME, which needs neither the file to be
 * opened nor O_PATH descriptors to be more than they are. Without /proc the name is opened. A value
 * is read into a buffer of fixed size: one that does not fit is not of its form anyway.
 */
#include "config.h"

#include "fs/overlay/marker.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "src/fold.h"

#define OVERLAY_PREFIX "user.overlay."
#define SFTFS_PREFIX   "user.sftfs."

enum { PROC_PATH_MAX = 512, LIST_GUESS = 1024, LIST_MAX = 65536 };

/* ---- attributes by name ---- */

/* The /proc name of NAME in DIRFD; that of DIRFD itself is a link that is to be followed. */
static int proc_path(int dirfd, const char *name, char path[PROC_PATH_MAX])
{
    int n = snprintf(path, PROC_PATH_MAX, "/proc/self/fd/%d%s%s", dirfd, *name ? "/" : "", name);

    return n < 0 || n >= PROC_PATH_MAX ? -ENAMETOOLONG : 0;
}

/* ENOENT of a /proc name: the name is missing, or /proc is. */
static bool proc_is_missing(void)
{
    return access("/proc/self/fd", F_OK) != 0;
}

/* NAME opened so that the f*xattr() calls take it. Links and devices have no user attributes. */
static int open_plainly(int dirfd, const char *name, int no_attributes)
{
    int fd = openat(dirfd, *name ? name : ".", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    return errno == ELOOP || errno == ENXIO ? no_attributes : -errno;
}

ssize_t xattr_get_at(int dirfd, const char *name, const char *xattr, void *buf, size_t size)
{
    char path[PROC_PATH_MAX];
    int rc = proc_path(dirfd, name, path);

    if (rc)
        return rc;
    ssize_t n = *name ? lgetxattr(path, xattr, buf, size) : getxattr(path, xattr, buf, size);
    if (n >= 0)
        return n;
    if (errno != ENOENT || !proc_is_missing())
        return -errno;
    auto_close int fd = open_plainly(dirfd, name, -ENODATA);
    if (fd < 0)
        return fd;
    n = fgetxattr(fd, xattr, buf, size);
    return n < 0 ? -errno : n;
}

ssize_t xattr_list_at(int dirfd, const char *name, char *buf, size_t size)
{
    char path[PROC_PATH_MAX];
    int rc = proc_path(dirfd, name, path);

    if (rc)
        return rc;
    ssize_t n = *name ? llistxattr(path, buf, size) : listxattr(path, buf, size);
    if (n >= 0)
        return n;
    if (errno != ENOENT || !proc_is_missing())
        return -errno;
    auto_close int fd = open_plainly(dirfd, name, -ENODATA);
    if (fd < 0)
        return fd == -ENODATA ? 0 : fd;
    n = flistxattr(fd, buf, size);
    return n < 0 ? -errno : n;
}

int xattr_set_at(int dirfd, const char *name, const char *xattr, const void *value, size_t size,
                 int flags)
{
    char path[PROC_PATH_MAX];
    int rc = proc_path(dirfd, name, path);

    if (rc)
        return rc;
    rc = *name ? lsetxattr(path, xattr, value, size, flags)
               : setxattr(path, xattr, value, size, flags);
    if (!rc)
        return 0;
    if (errno != ENOENT || !proc_is_missing())
        return -errno;
    auto_close int fd = open_plainly(dirfd, name, -EPERM);
    if (fd < 0)
        return fd;
    return fsetxattr(fd, xattr, value, size, flags) ? -errno : 0;
}

int xattr_remove_at(int dirfd, const char *name, const char *xattr)
{
    char path[PROC_PATH_MAX];
    int rc = proc_path(dirfd, name, path);

    if (rc)
        return rc;
    rc = *name ? lremovexattr(path, xattr) : removexattr(path, xattr);
    if (!rc)
        return 0;
    if (errno != ENOENT || !proc_is_missing())
        return -errno;
    auto_close int fd = open_plainly(dirfd, name, -EPERM);
    if (fd < 0)
        return fd;
    return fremovexattr(fd, xattr) ? -errno : 0;
}

bool marker_is_reserved(const char *xattr_name)
{
    return !strncmp(xattr_name, OVERLAY_PREFIX, strlen(OVERLAY_PREFIX)) ||
           !strncmp(xattr_name, SFTFS_PREFIX, strlen(SFTFS_PREFIX));
}

/* ---- values ---- */

bool marker_path_ok(const char *path, size_t len)
{
    const char *end = path + len;

    if (len < 2 || len > MARKER_PATH_MAX || *path != '/')
        return false;
    while (path < end) {
        path++; /* the slash */
        const char *slash = memchr(path, '/', (size_t)(end - path));
        const char *stop = slash ? slash : end;
        if (name_check(path, (size_t)(stop - path), NULL))
            return false;
        path = stop;
    }
    return true;
}

static bool take(const char **p, const char *end, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(end - *p) < n || memcmp(*p, word, n))
        return false;
    *p += n;
    return true;
}

/* A decimal number as printf writes it: no sign, no leading zeros; up to INT64_MAX. */
static bool take_size(const char **p, const char *end, uint64_t *out)
{
    const char *start = *p;
    uint64_t v = 0;

    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
        if (mul_overflows(v, 10, &v) || add_overflows(v, (uint64_t)(**p - '0'), &v) ||
            v > INT64_MAX)
            return false;
    }
    return *p > start && (*start != '0' || *p == start + 1) ? (*out = v, true) : false;
}

static bool take_hex_byte(const char **p, const char *end, uint8_t *out)
{
    static const char digits[] = "0123456789abcdef";
    unsigned v = 0;

    if (end - *p < 2)
        return false;
    for (int i = 0; i < 2; i++, (*p)++) {
        const char *d = **p ? strchr(digits, **p) : NULL;
        if (!d)
            return false;
        v = v << 4 | (unsigned)(d - digits);
    }
    *out = (uint8_t)v;
    return true;
}

static bool take_map(const char **p, const char *end, uint64_t *out)
{
    uint64_t v = 0;

    if (take(p, end, "none")) {
        *out = 0;
        return true;
    }
    for (int i = 0; i < 8; i++) {
        uint8_t byte;
        if (!take_hex_byte(p, end, &byte))
            return false;
        v = v << 8 | byte;
    }
    *out = v;
    return v != 0;
}

int partial_mark_parse(const char *text, size_t len, struct partial_mark *out)
{
    struct partial_mark m = { .path = NULL };
    const char *p = text, *end = text + len;

    *out = m;
    if (len >= PARTIAL_MARK_MAX || !take(&p, end, "1 size=") || !take_size(&p, end, &m.size) ||
        !take(&p, end, " content="))
        return -EINVAL;
    for (size_t i = 0; i < sizeof m.content; i++)
        if (!take_hex_byte(&p, end, &m.content[i]))
            return -EINVAL;
    if (!take(&p, end, " map=") || !take_map(&p, end, &m.map) || !take(&p, end, " path=") ||
        !marker_path_ok(p, (size_t)(end - p)))
        return -EINVAL;
    m.path = strndup(p, (size_t)(end - p));
    if (!m.path)
        return -ENOMEM;
    *out = m;
    return 0;
}

int partial_mark_format(const struct partial_mark *mark, char buf[PARTIAL_MARK_MAX])
{
    char content[2 * sizeof mark->content + 1], map[17] = "none";

    if (!mark->path || mark->size > INT64_MAX || !marker_path_ok(mark->path, strlen(mark->path)))
        return -EINVAL;
    for (size_t i = 0; i < sizeof mark->content; i++)
        (void)snprintf(content + 2 * i, 3, "%02x", mark->content[i]); /* always fits */
    if (mark->map)
        (void)snprintf(map, sizeof map, "%016" PRIx64, mark->map); /* always fits */
    int n = snprintf(buf, PARTIAL_MARK_MAX, "1 size=%" PRIu64 " content=%s map=%s path=%s",
                     mark->size, content, map, mark->path);
    return n < 0 || (unsigned)n >= PARTIAL_MARK_MAX ? -EINVAL : n;
}

/* ---- reading ---- */

/* Names of the attributes of one file, or "could not be had": then each is asked for. */
struct name_list {
    char names[LIST_GUESS];
    ssize_t len; /* -1: too long */
};

static int list_names(int dirfd, const char *name, struct name_list *l)
{
    ssize_t n = xattr_list_at(dirfd, name, l->names, sizeof l->names);

    if (n == -ENOTSUP)
        n = 0;
    if (n == -ERANGE || n == -E2BIG)
        n = -1;
    else if (n < 0)
        return (int)n;
    l->len = n;
    return 0;
}

static bool may_have(const struct name_list *l, const char *xattr)
{
    if (l->len < 0)
        return true;
    for (const char *p = l->names, *end = p + l->len; p < end; p += strlen(p) + 1)
        if (!strcmp(p, xattr))
            return true;
    return false;
}

int markers_any(int dirfd, const char *name, bool *any)
{
    struct name_list l;
    auto_free char *big = NULL;
    const char *p = l.names;

    *any = false;
    int rc = list_names(dirfd, name, &l);
    if (rc)
        return rc;
    if (l.len < 0) {
        big = malloc(LIST_MAX);
        if (!big)
            return -ENOMEM;
        l.len = xattr_list_at(dirfd, name, big, LIST_MAX);
        if (l.len < 0)
            return (int)l.len;
        p = big;
    }
    for (const char *end = p + l.len; p < end && !*any; p += strlen(p) + 1)
        *any = marker_is_reserved(p);
    return 0;
}

/*
 * Value of XATTR in BUF as text. Its length, -ENODATA when it is not there, -EINVAL when it is too
 * long or holds a NUL, or another error.
 */
static ssize_t value_of(int dirfd, const char *name, const struct name_list *l, const char *xattr,
                        char buf[PARTIAL_MARK_MAX])
{
    if (!may_have(l, xattr))
        return -ENODATA;
    ssize_t n = xattr_get_at(dirfd, name, xattr, buf, PARTIAL_MARK_MAX - 1);
    if (n == -ENOTSUP)
        return -ENODATA;
    if (n < 0)
        return n == -ERANGE || n == -E2BIG ? -EINVAL : n;
    buf[n] = '\0';
    return strlen(buf) == (size_t)n ? n : -EINVAL;
}

static int path_value(const char *text, ssize_t len, char **out)
{
    if (!marker_path_ok(text, (size_t)len))
        return -EINVAL;
    *out = strdup(text);
    return *out ? 0 : -ENOMEM;
}

static int mode_value(const char *text, mode_t *out)
{
    size_t n = strlen(text);
    mode_t v = 0;

    if (n < 1 || n > 5 || strspn(text, "01234567") != n)
        return -EINVAL;
    for (; *text; text++)
        v = v << 3 | (mode_t)(*text - '0');
    if (v & ~(mode_t)07777)
        return -EINVAL;
    *out = v;
    return 0;
}

static int opaque_value(const char *text, struct markers *m)
{
    m->opaque = !strcmp(text, "y");
    m->has_whiteouts = !strcmp(text, "x");
    return m->opaque || m->has_whiteouts ? 0 : -EINVAL;
}

/* One marker of which there is at most one. Its value goes where it belongs. */
static int read_one(int dirfd, const char *name, const struct stat *st, const struct name_list *l,
                    const char *xattr, struct markers *m)
{
    char buf[PARTIAL_MARK_MAX];
    ssize_t n = value_of(dirfd, name, l, xattr, buf);

    if (n == -ENODATA)
        return 0;
    if (n < 0)
        return (int)n;
    if (!strcmp(xattr, MARKER_OPAQUE))
        return opaque_value(buf, m);
    if (!strcmp(xattr, MARKER_REDIRECT))
        return path_value(buf, n, &m->redirect);
    if (!strcmp(xattr, MARKER_ORIGIN))
        return path_value(buf, n, &m->origin);
    if (!strcmp(xattr, MARKER_WHITEOUT)) {
        m->whiteout = !st->st_size; /* as for the kernel: an empty file, whatever the value */
        return m->whiteout ? 0 : -EINVAL;
    }
    int rc = !strcmp(xattr, MARKER_MODE) ? mode_value(buf, &m->mode)
                                         : partial_mark_parse(buf, (size_t)n, &m->partial);
    bool *has = !strcmp(xattr, MARKER_MODE) ? &m->has_mode : &m->has_partial;
    *has = !rc;
    return rc;
}

int markers_read(int dirfd, const char *name, const struct stat *st, struct markers *out)
{
    static const char *const of_files[] = { MARKER_WHITEOUT, MARKER_ORIGIN, MARKER_PARTIAL,
                                            MARKER_MODE, NULL };
    static const char *const of_dirs[] = { MARKER_OPAQUE, MARKER_REDIRECT, MARKER_MODE, NULL };
    struct name_list l;
    bool invalid = false;

    *out = (struct markers){ .redirect = NULL };
    if (!S_ISDIR(st->st_mode) && !S_ISREG(st->st_mode))
        return 0;
    int rc = list_names(dirfd, name, &l);
    if (rc || !l.len)
        return rc;
    for (const char *const *x = S_ISDIR(st->st_mode) ? of_dirs : of_files; *x; x++) {
        rc = read_one(dirfd, name, st, &l, *x, out);
        if (rc == -EINVAL)
            invalid = true;
        else if (rc)
            return rc;
    }
    return invalid ? -EINVAL : 0;
}

void markers_clear(struct markers *m)
{
    free(m->redirect);
    free(m->origin);
    free(m->partial.path);
    *m = (struct markers){ .redirect = NULL };
}

/* ---- writing ---- */

int marker_set(int fd, const char *marker, const char *value)
{
    return fsetxattr(fd, marker, value, strlen(value), 0) ? -errno : 0;
}

int marker_set_at(int dirfd, const char *name, const char *marker, const char *value)
{
    return xattr_set_at(dirfd, name, marker, value, strlen(value), 0);
}

int marker_remove_at(int dirfd, const char *name, const char *marker)
{
    int rc = xattr_remove_at(dirfd, name, marker);

    return rc == -ENODATA || rc == -ENOTSUP ? 0 : rc;
}

int marker_set_partial(int fd, const struct partial_mark *mark)
{
    char buf[PARTIAL_MARK_MAX];
    int n = partial_mark_format(mark, buf);

    if (n < 0)
        return n;
    return fsetxattr(fd, MARKER_PARTIAL, buf, (size_t)n, 0) ? -errno : 0;
}
