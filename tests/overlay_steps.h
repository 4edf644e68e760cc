/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Steps a user may take, each done twice: to an overlay and to the plain directory beside it. Both
 * give the same result or the same errno. A step names paths, so that it can be made up before
 * others are taken, and taken by another process.
 */
#ifndef TESTS_OVERLAY_STEPS_H
#define TESTS_OVERLAY_STEPS_H

#include "tests/overlay_reference.h"
#include "tests/overlay_shape.h"

enum step_kind {
    STEP_CREATE,
    STEP_MKDIR,
    STEP_MKNOD,
    STEP_SYMLINK,
    STEP_LINK,
    STEP_UNLINK,
    STEP_RMDIR,
    STEP_RENAME,
    STEP_CHMOD,
    STEP_CHOWN,
    STEP_TIMES,
    STEP_SETXATTR,
    STEP_REMOVEXATTR,
    STEP_WRITE,
    STEP_TRUNCATE,
    STEP_FALLOCATE,
    STEP_SYNC,
    STEP_COMPLETE,
    STEP_KINDS
};

static const char *const step_names[] = {
    "create",      "mkdir",  "mknod",    "symlink",   "link",  "unlink",
    "rmdir",       "rename", "chmod",    "chown",     "times", "setxattr",
    "removexattr", "write",  "truncate", "fallocate", "sync",  "complete",
};

struct step {
    enum step_kind kind;
    char path[400], other[400]; /* OTHER: second path, link target, name of an attribute */
    unsigned flags;             /* of rename, fallocate, setxattr */
    mode_t mode;
    uid_t uid;
    gid_t gid;
    int64_t time;
    uint64_t off, len;
    unsigned fill;
};

static void step_print(const struct step *s)
{
    printf("  %s \"%s\" \"%s\" flags=%u mode=%o owner=%u:%u time=%lld off=%llu len=%llu\n",
           step_names[s->kind], s->path, s->other, s->flags, (unsigned)s->mode, (unsigned)s->uid,
           (unsigned)s->gid, (long long)s->time, (unsigned long long)s->off,
           (unsigned long long)s->len);
}

static void step_bytes(const struct step *s, uint8_t *out)
{
    for (uint64_t i = 0; i < s->len; i++)
        out[i] = (uint8_t)(s->fill * 31 + i * 7 + (i >> 8));
}

static struct stat step_attr(const struct step *s)
{
    return (struct stat){
        .st_mode = s->mode,
        .st_uid = s->uid,
        .st_gid = s->gid,
        .st_mtim = { s->time, 5000 },
        .st_atim = { s->time + 1, 6000 },
    };
}

/* ---- on the overlay ---- */

/* The directory PATH is in and its last name. */
static int overlay_parent(struct fixture *f, const char *path, uint64_t *dir, char name[256])
{
    struct overlay_ref ref = { .id = OVERLAY_ROOT_ID };

    for (;;) {
        size_t len = strcspn(path, "/");
        (void)snprintf(name, 256, "%.*s", (int)len, path);
        *dir = ref.id;
        if (!path[len])
            return 0;
        struct stat st;
        int rc = overlay_lookup(f->o, *dir, name, &ref, &st);
        if (rc)
            return rc;
        if (!ref.id)
            return -ENOENT;
        if (!S_ISDIR(st.st_mode))
            return -ENOTDIR;
        path += len + 1;
    }
}

static int overlay_path(struct fixture *f, const char *path, struct overlay_ref *ref,
                        struct stat *st)
{
    char name[256];
    uint64_t dir;
    int rc = overlay_parent(f, path, &dir, name);

    if (!rc)
        rc = overlay_lookup(f->o, dir, name, ref, st);
    return rc ? rc : ref->id ? 0 : -ENOENT;
}

static int fallocate_node(struct fixture *f, uint64_t id, const struct step *s)
{
    struct overlay_data d;
    int rc = overlay_data_pin(f->o, id, true, &d);

    if (rc)
        return rc;
    if (!d.partial) {
        rc = fallocate(d.fd, (int)s->flags, (off_t)s->off, (off_t)s->len) ? -errno : 0;
    } else {
        if (s->flags & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
            rc = fill_needs(f, &d, s->off, s->len);
        if (!rc)
            rc = partial_fallocate(d.partial, d.fd, (int)s->flags, s->off, s->len);
    }
    overlay_data_unpin(f->o, &d);
    return rc;
}

static int overlay_data_step(struct fixture *f, const struct step *s)
{
    struct overlay_data d;
    struct overlay_ref ref;
    struct stat st;
    int rc = overlay_path(f, s->path, &ref, &st);

    if (rc)
        return rc;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (s->kind == STEP_WRITE) {
        auto_free uint8_t *data = malloc(s->len + 1);
        step_bytes(s, data);
        return (int)write_node(f, ref.id, s->off, data, (size_t)s->len);
    }
    if (s->kind == STEP_TRUNCATE)
        return truncate_node(f, ref.id, s->off);
    if (s->kind == STEP_FALLOCATE)
        return fallocate_node(f, ref.id, s);
    rc = overlay_data_pin(f->o, ref.id, false, &d);
    if (rc || !d.node)
        return rc;
    rc = s->kind == STEP_SYNC ? overlay_data_sync(f->o, &d, s->flags & 1)
                              : overlay_data_complete(f->o, &d, lower_bytes, f, NULL);
    overlay_data_unpin(f->o, &d);
    return rc;
}

static int overlay_attr_step(struct fixture *f, const struct step *s)
{
    struct stat attr = step_attr(s);
    struct overlay_ref ref;
    int rc = overlay_path(f, s->path, &ref, NULL);

    if (rc)
        return rc;
    switch (s->kind) {
    case STEP_CHMOD:
        return overlay_setattr(f->o, ref.id, OVERLAY_SET_MODE, &attr);
    case STEP_CHOWN:
        return overlay_setattr(f->o, ref.id, OVERLAY_SET_UID | OVERLAY_SET_GID, &attr);
    case STEP_TIMES:
        return overlay_setattr(f->o, ref.id, OVERLAY_SET_ATIME | OVERLAY_SET_MTIME, &attr);
    case STEP_SETXATTR:
        return overlay_setxattr(f->o, ref.id, s->other, "value", s->len, (int)s->flags);
    default:
        return overlay_removexattr(f->o, ref.id, s->other);
    }
}

static int overlay_two_names(struct fixture *f, const struct step *s)
{
    struct overlay_ref ref;
    char name[256], new_name[256];
    uint64_t dir, new_dir;
    int rc;

    if (s->kind == STEP_LINK) {
        rc = overlay_path(f, s->path, &ref, NULL);
        if (!rc)
            rc = overlay_parent(f, s->other, &new_dir, new_name);
        return rc ? rc : overlay_link(f->o, ref.id, new_dir, new_name, &ref, NULL);
    }
    rc = overlay_parent(f, s->path, &dir, name);
    if (!rc)
        rc = overlay_parent(f, s->other, &new_dir, new_name);
    return rc ? rc : overlay_rename(f->o, dir, name, new_dir, new_name, s->flags);
}

static int overlay_step(struct fixture *f, const struct step *s)
{
    const struct overlay_caller c = { s->uid, s->gid };
    struct overlay_ref ref;
    struct stat st;
    char name[256];
    uint64_t dir;

    if (s->kind == STEP_LINK || s->kind == STEP_RENAME)
        return overlay_two_names(f, s);
    if (s->kind >= STEP_WRITE)
        return overlay_data_step(f, s);
    if (s->kind >= STEP_CHMOD)
        return overlay_attr_step(f, s);
    int rc = overlay_parent(f, s->path, &dir, name);
    if (rc)
        return rc;
    switch (s->kind) {
    case STEP_CREATE:
        return overlay_create(f->o, dir, name, s->mode, &c, &ref, &st);
    case STEP_MKDIR:
        return overlay_mkdir(f->o, dir, name, s->mode, &c, &ref, &st);
    case STEP_MKNOD:
        return overlay_mknod(f->o, dir, name, s->mode, &c, &ref, &st);
    case STEP_SYMLINK:
        return overlay_symlink(f->o, dir, name, s->other, &c, &ref, &st);
    case STEP_UNLINK:
        return overlay_unlink(f->o, dir, name);
    default:
        return overlay_rmdir(f->o, dir, name);
    }
}

/* ---- on the plain directory ---- */

static int plain_data_step(int fd, const char *name, const struct step *s)
{
    struct stat st;
    int rc = 0;

    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    auto_close int file = openat(fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        return -errno;
    auto_free uint8_t *data = malloc(s->len + 1);
    if (s->kind == STEP_WRITE) {
        step_bytes(s, data);
        rc = (int)pwrite(file, data, (size_t)s->len, (off_t)s->off);
    } else if (s->kind == STEP_TRUNCATE) {
        rc = ftruncate(file, (off_t)s->off);
    } else if (s->kind == STEP_FALLOCATE) {
        rc = fallocate(file, (int)s->flags, (off_t)s->off, (off_t)s->len);
    }
    return rc < 0 ? -errno : rc;
}

static int plain_attr_step(int fd, const char *name, const struct step *s)
{
    const struct stat attr = step_attr(s);
    const struct timespec times[2] = { attr.st_atim, attr.st_mtim };
    char path[320];
    int rc;

    (void)reference_xattr_path(fd, name, path);
    switch (s->kind) {
    case STEP_CHMOD:
        rc = fchmodat(fd, name, s->mode, AT_SYMLINK_NOFOLLOW);
        break;
    case STEP_CHOWN:
        rc = fchownat(fd, name, s->uid, s->gid, AT_SYMLINK_NOFOLLOW);
        break;
    case STEP_TIMES:
        rc = utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW);
        break;
    case STEP_SETXATTR:
        rc = lsetxattr(path, s->other, "value", s->len, (int)s->flags);
        break;
    default:
        rc = lremovexattr(path, s->other);
    }
    return rc ? -errno : 0;
}

/* Owner as of one made by the step's user. Changing it takes away bits of the mode. */
static int plain_give(int fd, const char *name, const struct step *s)
{
    struct stat parent, st;

    if (geteuid() != 0)
        return 0;
    if (fstat(fd, &parent) || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) ||
        fchownat(fd, name, s->uid, parent.st_mode & S_ISGID ? (gid_t)-1 : s->gid,
                 AT_SYMLINK_NOFOLLOW))
        return -errno;
    return !S_ISLNK(st.st_mode) && fchmodat(fd, name, st.st_mode & 07777, 0) ? -errno : 0;
}

static int plain_make(int fd, const char *name, const struct step *s)
{
    int rc;

    switch (s->kind) {
    case STEP_CREATE:
        rc = openat(fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, s->mode);
        if (rc >= 0)
            rc = close(rc);
        break;
    case STEP_MKDIR:
        rc = mkdirat(fd, name, s->mode);
        break;
    case STEP_MKNOD:
        rc = mknodat(fd, name, s->mode, 0);
        break;
    default:
        rc = symlinkat(s->other, fd, name);
    }
    return rc ? -errno : plain_give(fd, name, s);
}

static int plain_two_names(const struct reference *r, const struct step *s)
{
    char asked[256], name[256], new_asked[256], new_name[256];
    struct stat a, b, st;
    auto_close int fd = reference_parent(r, s->path, asked, name);

    if (fd < 0)
        return fd;
    if (s->kind == STEP_LINK && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return -errno;
    auto_close int new_fd = reference_parent(r, s->other, new_asked, new_name);
    if (new_fd < 0)
        return new_fd;
    if (s->kind == STEP_LINK)
        return linkat(fd, name, new_fd, new_name, 0) ? -errno : 0;
    (void)fstat(fd, &a);
    (void)fstat(new_fd, &b);
    unsigned flags = s->flags;
    /* Another spelling of the same name. */
    if (a.st_ino == b.st_ino && !strcmp(name, new_name) && strcmp(new_asked, name) != 0 &&
        flags != RENAME_EXCHANGE && !fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW)) {
        (void)snprintf(new_name, sizeof new_name, "%s", new_asked);
        flags = 0;
    }
    return renameat2(fd, name, new_fd, new_name, flags) ? -errno : 0;
}

static int plain_step(const struct reference *r, const struct step *s)
{
    char asked[256], name[256];

    if (s->kind == STEP_LINK || s->kind == STEP_RENAME)
        return plain_two_names(r, s);
    auto_close int fd = reference_parent(r, s->path, asked, name);
    if (fd < 0)
        return fd;
    if (s->kind >= STEP_WRITE)
        return plain_data_step(fd, name, s);
    if (s->kind >= STEP_CHMOD)
        return plain_attr_step(fd, name, s);
    if (s->kind == STEP_UNLINK || s->kind == STEP_RMDIR)
        return unlinkat(fd, name, s->kind == STEP_RMDIR ? AT_REMOVEDIR : 0) ? -errno : 0;
    return plain_make(fd, name, s);
}

#endif
