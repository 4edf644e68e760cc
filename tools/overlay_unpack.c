/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entries of an archive that is to become an overlay. See overlay_unpack.h. */
#include "config.h"

#include "tools/overlay_unpack.h"

#ifdef HAVE_LIBARCHIVE

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "fetch/file_io.h"
#include "fs/overlay/partial.h"
#include "fs/overlay/upper.h"
#include "tools/unpack.h"

#define MAP_BYTES_MAX (INT64_C(1) << 32) /* of a file of 16 TiB */

struct overlay_unpack_dir {
    char *path; /* owned */
    mode_t mode;
    struct timespec times[2];
};

int overlay_unpack_begin(struct overlay_unpack *u, int parent, const char *name, bool unsafe_links,
                         struct err *e)
{
    u->begun = true;
    u->unsafe_links = unsafe_links;
    u->fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (u->fd < 0 || mkdirat(u->fd, "files", 0755) || mkdirat(u->fd, "maps", 0700))
        return err_sys(e, "%s", name);
    return 0;
}

void overlay_unpack_end(struct overlay_unpack *u)
{
    for (size_t i = 0; i < u->dir_count; i++)
        free(u->dirs[i].path);
    free(u->dirs);
    if (u->fd >= 0)
        (void)close(u->fd); /* a directory */
}

/* ---- names ---- */

static int check_component(const char *name, size_t len, const char *whole, struct err *e)
{
    if (!len || len > 255)
        return err_set(e, ERR_CORRUPT, "'%s': an empty or too long name", whole);
    if (len <= 2 && !memcmp(name, "..", len))
        return err_set(e, ERR_UNSAFE_PATH, "'%s' would lead out of the overlay", whole);
    return 0;
}

static bool is_map_name(const char *name)
{
    return strlen(name) == 16 && strspn(name, "0123456789abcdef") == 16;
}

/* NAME as it is in the target: without "./" and a slash at the end, checked. Caller frees *out; ""
 * is the target itself. */
static int clean_name(const char *name, char **out, struct err *e)
{
    auto_free char *path = NULL;
    size_t len, top;
    int rc = 0;

    if (*name == '/')
        return err_set(e, ERR_UNSAFE_PATH, "'%s' is an absolute name", name);
    while (!strncmp(name, "./", 2))
        name += 2;
    path = strdup(strcmp(name, ".") ? name : "");
    if (!path)
        return err_nomem(e);
    len = strlen(path);
    if (len && path[len - 1] == '/')
        path[--len] = '\0';
    for (const char *at = path; !rc && *at;) {
        size_t n = strcspn(at, "/");

        rc = check_component(at, n, name, e);
        at += n;
        if (!rc && *at && !*++at)
            rc = check_component(at, 0, name, e);
    }
    if (rc)
        return rc;
    top = strcspn(path, "/");
    if (*path && !(top == 5 && (!memcmp(path, "files", 5) || !memcmp(path, "aside", 5))) &&
        strcmp(path, "maps") != 0 && !(!strncmp(path, "maps/", 5) && is_map_name(path + 5)))
        return err_set(e, ERR_CORRUPT, "'%s' is no part of an overlay", name);
    *out = steal_ptr(&path);
    return 0;
}

/* Whether a link at PATH with TARGET stays below PATH's first component, also when other links are
 * on the way: ".." only in front. */
static bool link_stays(const char *path, const char *target)
{
    size_t depth = 0;
    bool down = false;

    for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/'))
        depth++;
    if (*target == '/' || !depth)
        return false;
    while (*target) {
        size_t n = strcspn(target, "/");

        if (n == 2 && !memcmp(target, "..", 2)) {
            if (down || !--depth)
                return false;
        } else if (n && !(n == 1 && *target == '.')) {
            down = true;
        }
        target += n + (target[n] != '\0');
    }
    return true;
}

/* Opens the directory that PATH is in, made with those above where an archive leaves them out.
 * *name points into PATH. */
static int open_parent(struct overlay_unpack *u, const char *path, const char **name, struct err *e)
{
    const char *slash = strrchr(path, '/');
    auto_free char *dir = strndup(path, slash ? (size_t)(slash - path) : 0);
    int fd;

    if (!dir)
        return err_nomem(e);
    *name = slash ? slash + 1 : path;
    fd = unpack_open_path(u->fd, dir, e);
    if (fd != -ENOENT)
        return fd;
    for (char *at = dir;; at++) {
        char saved = *at;
        const char *part;

        if (saved && saved != '/')
            continue;
        *at = '\0';
        part = strrchr(dir, '/');
        auto_free char *above = strndup(dir, part ? (size_t)(part - dir) : 0);
        if (!above)
            return err_nomem(e);
        auto_close int parent = unpack_open_path(u->fd, above, e);
        if (parent < 0)
            return parent;
        if (mkdirat(parent, part ? part + 1 : dir, 0755) && errno != EEXIST)
            return err_sys(e, "%s", path);
        *at = saved;
        if (!saved)
            break;
    }
    return unpack_open_path(u->fd, dir, e);
}

/* ---- attributes ---- */

static int set_xattrs(int fd, struct archive_entry *entry, const char *path, struct err *e)
{
    const char *name;
    const void *value;
    size_t size;

    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        if (!name || strncmp(name, "user.", 5) != 0)
            continue;
        if (fsetxattr(fd, name, value, size, 0))
            return err_sys(e, "%s: attribute %s", path, name);
    }
    return 0;
}

static void entry_times(struct archive_entry *entry, struct timespec t[2])
{
    t[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
    t[1] = t[0];
    if (archive_entry_atime_is_set(entry))
        t[0] = (struct timespec){ archive_entry_atime(entry), archive_entry_atime_nsec(entry) };
    if (archive_entry_mtime_is_set(entry))
        t[1] = (struct timespec){ archive_entry_mtime(entry), archive_entry_mtime_nsec(entry) };
    for (int i = 0; i < 2; i++)
        if (t[i].tv_nsec != UTIME_OMIT && (t[i].tv_nsec < 0 || t[i].tv_nsec > 999999999))
            t[i].tv_nsec = 0;
}

/* Owners are kept by root alone; set-user-ID and set-group-ID bits never. */
static int set_owner(int fd, struct archive_entry *entry, const char *path, struct err *e)
{
    if (geteuid())
        return 0;
    if (fchown(fd, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry)))
        return err_sys(e, "%s", path);
    return 0;
}

static mode_t entry_mode(struct archive_entry *entry, mode_t least)
{
    return (archive_entry_perm(entry) & 0777) | (geteuid() ? least : 0);
}

/* ---- the kinds ---- */

static int write_data(struct overlay_unpack *u, int fd, struct archive *archive, int64_t size,
                      const char *path, struct err *e)
{
    const void *data;
    size_t len;
    la_int64_t off;
    int rc;

    while ((rc = archive_read_data_block(archive, &data, &len, &off)) == ARCHIVE_OK) {
        if (off < 0 || (uint64_t)off > (uint64_t)size || len > (uint64_t)size - (uint64_t)off)
            return err_set(e, ERR_CORRUPT, "%s: more data than it says", path);
        if (file_write(fd, data, len, (uint64_t)off, NULL))
            return err_sys(e, "%s", path);
        u->bytes += len;
    }
    if (rc == ARCHIVE_EOF)
        return 0;
    return err_set(e, ERR_CORRUPT, "%s: %s", path,
                   archive_error_string(archive) ? archive_error_string(archive) : "unreadable");
}

static int make_file(struct overlay_unpack *u, int parent, const char *name, const char *path,
                     struct archive *archive, struct archive_entry *entry, struct err *e)
{
    int64_t size = archive_entry_size(entry);
    struct timespec times[2];
    int rc;

    if (size < 0 || (!strncmp(path, "maps/", 5) && size > MAP_BYTES_MAX))
        return err_set(e, ERR_LIMIT, "%s: %lld bytes are not possible", path, (long long)size);
    auto_close int fd =
        openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? err_set(e, ERR_CORRUPT, "%s: is there twice", path)
                               : err_sys(e, "%s", path);
    rc = write_data(u, fd, archive, size, path, e);
    if (rc)
        return rc;
    if (ftruncate(fd, size))
        return err_sys(e, "%s", path);
    rc = set_xattrs(fd, entry, path, e);
    if (!rc)
        rc = set_owner(fd, entry, path, e);
    if (rc)
        return rc;
    entry_times(entry, times);
    if (fchmod(fd, entry_mode(entry, 0600)) || futimens(fd, times))
        return err_sys(e, "%s", path);
    return 0;
}

static int remember_dir(struct overlay_unpack *u, const char *path, struct archive_entry *entry,
                        struct err *e)
{
    struct overlay_unpack_dir *d;

    if (u->dir_count == u->dir_room) {
        size_t more = 2 * u->dir_room + 64;
        void *grown = realloc(u->dirs, more * sizeof *u->dirs);

        if (!grown)
            return err_nomem(e);
        u->dirs = grown;
        u->dir_room = more;
    }
    d = &u->dirs[u->dir_count];
    d->path = strdup(path);
    if (!d->path)
        return err_nomem(e);
    d->mode = entry_mode(entry, 0700);
    entry_times(entry, d->times);
    u->dir_count++;
    return 0;
}

static int make_dir(struct overlay_unpack *u, int parent, const char *name, const char *path,
                    struct archive_entry *entry, struct err *e)
{
    int rc;

    if (mkdirat(parent, name, 0700) && errno != EEXIST)
        return err_sys(e, "%s", path);
    auto_close int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP
                   ? err_set(e, ERR_CORRUPT, "%s: is there twice", path)
                   : err_sys(e, "%s", path);
    rc = set_xattrs(fd, entry, path, e);
    if (!rc)
        rc = set_owner(fd, entry, path, e);
    return rc ? rc : remember_dir(u, path, entry, e);
}

/* A whiteout of its own where one inode cannot have so many names. */
static int copy_whiteout(int from_dir, const char *from, int parent, const char *name)
{
    char value[8];
    ssize_t n = xattr_get_at(from_dir, from, MARKER_WHITEOUT, value, sizeof value);

    if (n < 0)
        return -EMLINK;
    auto_close int fd =
        openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    return fsetxattr(fd, MARKER_WHITEOUT, value, (size_t)n, 0) ? -errno : 0;
}

static int make_hard_link(struct overlay_unpack *u, int parent, const char *name, const char *path,
                          const char *target, struct err *e)
{
    auto_free char *clean = NULL;
    const char *old;
    struct stat st;
    int rc = clean_name(target, &clean, e);

    if (rc)
        return rc;
    /* Not from what the user sees to what the program keeps, nor the other way. */
    if (strncmp(clean, path, 6) != 0 || !strncmp(path, "maps/", 5))
        return err_set(e, ERR_CORRUPT, "%s: a link to %s is not possible", path, target);
    auto_close int from = open_parent(u, clean, &old, e);
    if (from < 0)
        return from;
    if (fstatat(from, old, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
        return err_set(e, ERR_CORRUPT, "%s: a link to %s, which is no file before it", path,
                       target);
    if (!linkat(from, old, parent, name, 0))
        return 0;
    if (errno == EEXIST)
        return err_set(e, ERR_CORRUPT, "%s: is there twice", path);
    rc = errno == EMLINK || errno == EPERM ? copy_whiteout(from, old, parent, name) : -errno;
    errno = -rc;
    return rc ? err_sys(e, "%s", path) : 0;
}

static int make_special(struct overlay_unpack *u, int parent, const char *name, const char *path,
                        struct archive_entry *entry, struct err *e)
{
    const char *target = archive_entry_symlink(entry);
    struct timespec times[2];
    int rc;

    switch (archive_entry_filetype(entry)) {
    case AE_IFLNK:
        if (!target || !*target || strlen(target) > 4095)
            return err_set(e, ERR_CORRUPT, "%s: a link that leads nowhere", path);
        if (!u->unsafe_links && !link_stays(path, target))
            return err_set(e, ERR_UNSAFE_PATH,
                           "%s: a link to %s, which is outside; --unsafe-links accepts that", path,
                           target);
        rc = symlinkat(target, parent, name);
        break;
    case AE_IFIFO:
        rc = mkfifoat(parent, name, 0600 | entry_mode(entry, 0));
        break;
    default:
        return err_set(e, ERR_UNSAFE_PATH, "%s: a device or the like", path);
    }
    if (rc)
        return errno == EEXIST ? err_set(e, ERR_CORRUPT, "%s: is there twice", path)
                               : err_sys(e, "%s", path);
    entry_times(entry, times);
    (void)utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW); /* not everywhere; it is a nicety */
    if (!geteuid() && fchownat(parent, name, (uid_t)archive_entry_uid(entry),
                               (gid_t)archive_entry_gid(entry), AT_SYMLINK_NOFOLLOW))
        return err_sys(e, "%s", path);
    return 0;
}

int overlay_unpack_entry(struct overlay_unpack *u, struct archive *archive,
                         struct archive_entry *entry, struct err *e)
{
    const char *hard = archive_entry_hardlink(entry), *name;
    mode_t type = archive_entry_filetype(entry);
    auto_free char *path = NULL;
    int rc = clean_name(archive_entry_pathname(entry), &path, e);

    if (rc)
        return rc;
    if (!*path)
        return type == AE_IFDIR ? 0 : err_set(e, ERR_CORRUPT, "the overlay is no directory");
    if (!strchr(path, '/') && (hard || type != AE_IFDIR))
        return err_set(e, ERR_CORRUPT, "%s: is no directory", path);
    if (!strncmp(path, "maps/", 5) && (hard || type != AE_IFREG))
        return err_set(e, ERR_CORRUPT, "%s: is no file", path);
    auto_close int parent = open_parent(u, path, &name, e);
    if (parent < 0)
        return parent;
    if (hard)
        return make_hard_link(u, parent, name, path, hard, e);
    if (type == AE_IFREG)
        return make_file(u, parent, name, path, archive, entry, e);
    if (type == AE_IFDIR)
        return make_dir(u, parent, name, path, entry, e);
    return make_special(u, parent, name, path, entry, e);
}

int overlay_unpack_file(struct overlay_unpack *u, const char *name, const void *data, size_t len,
                        struct err *e)
{
    auto_close int fd = openat(u->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ssize_t n = fd < 0 ? -1 : write(fd, data, len);

    if (n < 0)
        return err_sys(e, "%s", name);
    return (size_t)n == len ? 0 : (errno = ENOSPC, err_sys(e, "%s", name));
}

int overlay_unpack_finish(struct overlay_unpack *u, struct err *e)
{
    /* What is below first: changing it would touch the times above again. */
    for (size_t i = u->dir_count; i-- > 0;) {
        auto_close int fd = unpack_open_path(u->fd, u->dirs[i].path, e);

        if (fd < 0)
            return fd;
        if (fchmod(fd, u->dirs[i].mode) || futimens(fd, u->dirs[i].times))
            return err_sys(e, "%s", u->dirs[i].path);
    }
    return 0;
}

static int check_entry(struct overlay_store *s, const struct upper *u, uint32_t i, struct err *e)
{
    const struct upper_entry *n = &u->entries[i];
    struct partial *p = NULL;
    int rc;

    if (n->bad_marker)
        return err_set(e, ERR_CORRUPT,
                       "%s: has a mark (user.overlay.* or user.sftfs.*) that is not "
                       "of its form",
                       n->name);
    if (!n->markers.has_partial)
        return 0;
    auto_close int fd = upper_open(s, u, i, O_RDONLY, e);
    if (fd < 0)
        return fd;
    rc = partial_open(s, fd, (uint64_t)n->st.st_size, &n->markers.partial, &p, e);
    if (rc)
        err_wrap(e, "%s", n->name);
    partial_free(p);
    return rc;
}

static int step(void *arg, struct err *e)
{
    return interrupt_check(arg, e);
}

int overlay_unpack_check(const char *path, struct interrupt *interrupt, struct err *e)
{
    struct overlay_store *s = NULL;
    struct upper *u = NULL;
    int rc = overlay_store_open(path, OVERLAY_READ, NULL, NULL, &s, e);

    if (!rc)
        rc = upper_read(s, true, step, interrupt, &u, e);
    for (uint32_t i = 0; !rc && i < u->count; i++)
        rc = check_entry(s, u, i, e);
    upper_free(u);
    overlay_store_close(s);
    return rc;
}

#endif
