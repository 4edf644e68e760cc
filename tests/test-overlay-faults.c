/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is left of an overlay when a system call fails: every operation is tried with its first call
 * failing, then with its second, and so on until none fails any more. Each time the overlay shows
 * the old state if the operation reported an error, and the same after it was opened again.
 *
 * The calls are taken over from the C library by functions of the same name, which the overlay's
 * objects are linked with before it.
 */
#include "config.h"

#include "fs/overlay/overlay.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "tests/overlay_shape.h"

/* ---- calls that fail ---- */

static struct {
    unsigned at; /* which one fails; 0: none */
    unsigned count;
    const char *name; /* of the one that failed, or NULL */
} fault;

static bool fails(const char *name, int error)
{
    if (!fault.at || ++fault.count != fault.at)
        return false;
    fault.name = name;
    errno = error;
    return true;
}

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wredundant-decls"

/* A call that changes something: the disk is full. */
#define FAULTY(type, name, parameters, ...)                                                        \
    type name parameters                                                                           \
    {                                                                                              \
        return fails(#name, ENOSPC) ? -1 : (type)syscall(__VA_ARGS__);                             \
    }

int openat(int fd, const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (fails("openat", flags & O_CREAT ? ENOSPC : ENFILE))
        return -1;
    return (int)syscall(SYS_openat, fd, path, flags, mode);
}

FAULTY(int, mkdirat, (int fd, const char *path, mode_t mode), SYS_mkdirat, fd, path, mode)
FAULTY(int, unlinkat, (int fd, const char *path, int flags), SYS_unlinkat, fd, path, flags)
FAULTY(int, renameat, (int a, const char *from, int b, const char *to), SYS_renameat2, a, from, b,
       to, 0)
FAULTY(int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags),
       SYS_renameat2, a, from, b, to, flags)
FAULTY(int, linkat, (int a, const char *from, int b, const char *to, int flags), SYS_linkat, a,
       from, b, to, flags)
FAULTY(int, symlinkat, (const char *target, int fd, const char *path), SYS_symlinkat, target, fd,
       path)
FAULTY(int, mknodat, (int fd, const char *path, mode_t mode, dev_t dev), SYS_mknodat, fd, path,
       mode, dev)
FAULTY(int, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags),
       SYS_fsetxattr, fd, name, value, size, flags)
FAULTY(int, setxattr,
       (const char *path, const char *name, const void *value, size_t size, int flags),
       SYS_setxattr, path, name, value, size, flags)
FAULTY(int, fremovexattr, (int fd, const char *name), SYS_fremovexattr, fd, name)
FAULTY(int, removexattr, (const char *path, const char *name), SYS_removexattr, path, name)
FAULTY(int, fchmod, (int fd, mode_t mode), SYS_fchmod, fd, mode)
FAULTY(int, chmod, (const char *path, mode_t mode), SYS_fchmodat, AT_FDCWD, path, mode)
FAULTY(int, fchown, (int fd, uid_t uid, gid_t gid), SYS_fchown, fd, uid, gid)
FAULTY(int, fchownat, (int fd, const char *path, uid_t uid, gid_t gid, int flags), SYS_fchownat,
       fd, path, uid, gid, flags)
FAULTY(int, fsync, (int fd), SYS_fsync, fd)
FAULTY(int, fdatasync, (int fd), SYS_fdatasync, fd)

/* What OpenSSL does when it gets no memory. */
int EVP_Q_digest(OSSL_LIB_CTX *ctx, const char *name, const char *properties, const void *data,
                 size_t len, unsigned char *out, size_t *out_len)
{
    unsigned n = 0;

    (void)ctx, (void)name, (void)properties, (void)out_len;
    return !fails("EVP_Q_digest", ENOMEM) && EVP_Digest(data, len, out, &n, EVP_sha256(), NULL);
}

/* ---- operations ---- */

static const struct overlay_caller me = { 0, 0 }, other = { 1000, 1000 };
static const struct make_entry entries[] = {
    { .path = "d/file", .len = 20000 },          { .path = "d/cut", .len = 20000 },
    { .path = "d/gone", .len = 20 },             { .path = "d/gonedir", .flags = NODE_DIR },
    { .path = "d/empty", .flags = NODE_DIR },    { .path = "d/full/z", .len = 60 },
    { .path = "d/sub/deep/x", .len = 9000 },     { .path = "e/y", .len = 50 },
};

/* Owner, where only root can give it. */
static const struct overlay_caller *somebody(void)
{
    return geteuid() ? &me : &other;
}

static uint64_t made(int rc, const struct overlay_ref *ref)
{
    CU_ASSERT_EQUAL(rc, 0);
    return rc ? 0 : ref->id;
}

static void prepare(struct fixture *f)
{
    uint64_t d = id_at(f, "d"), e = id_at(f, "e");
    struct overlay_ref ref;

    CU_ASSERT_EQUAL(write_node(f, made(overlay_create(f->o, d, "new", 0644, &me, &ref, NULL), &ref),
                               0, "text", 4), 4);
    (void)made(overlay_mkdir(f->o, d, "newdir", 0755, &me, &ref, NULL), &ref);
    (void)made(overlay_symlink(f->o, d, "symlink", "target", &me, &ref, NULL), &ref);
    CU_ASSERT_EQUAL(overlay_unlink(f->o, d, "gone"), 0);
    CU_ASSERT_EQUAL(overlay_rmdir(f->o, d, "gonedir"), 0);
    CU_ASSERT_EQUAL(overlay_unlink(f->o, id_at(f, "d/full"), "z"), 0);
    CU_ASSERT_EQUAL(write_node(f, id_at(f, "d/file"), 5000, "abc", 3), 3);
    CU_ASSERT_EQUAL(truncate_node(f, id_at(f, "d/cut"), 6000), 0);
    (void)made(overlay_link(f->o, id_at(f, "d/file"), e, "link", &ref, NULL), &ref);
}

enum kind { CREATE, MKDIR, SYMLINK, FIFO, LINK, UNLINK, RMDIR, RENAME, EXCHANGE, CHMOD, CHOWN,
            XATTR, WRITE, CUT, SYNC };

/* NAME in directory DIR; the other directory and name, where there are two. */
struct step {
    enum kind kind;
    const char *dir, *name, *to_dir, *to;
    uint64_t off, len; /* WRITE; CUT: off is the size; what makes something: len for another */
};

#define STEP(k, d, n, ...) { .kind = k, .dir = d, .name = n, __VA_ARGS__ }

static const struct step steps[] = {
    STEP(CREATE, "d", "a", .off = 0),
    STEP(CREATE, "d", "gone", .len = 1),
    STEP(CREATE, "d/sub/deep", "a", .len = 1),
    STEP(CREATE, "d", "GONE", .len = 1),
    STEP(MKDIR, "d", "a", .off = 0),
    STEP(MKDIR, "d", "gonedir", .off = 0),
    STEP(MKDIR, "d", "GoneDir", .len = 1),
    STEP(MKDIR, "d/sub", "a", .len = 1),
    STEP(SYMLINK, "d", "gone", .len = 1),
    STEP(SYMLINK, "e", "a", .off = 0),
    STEP(FIFO, "d", "gone", .len = 1),
    STEP(FIFO, "d", "a", .off = 0),
    STEP(LINK, "e", "a", .to_dir = "d/sub/deep/x"),
    STEP(LINK, "d", "gone", .to_dir = "d/new"),
    STEP(UNLINK, "d", "file", .off = 0),
    STEP(UNLINK, "d", "new", .off = 0),
    STEP(UNLINK, "d/sub/deep", "x", .off = 0),
    STEP(UNLINK, "e", "link", .off = 0),
    STEP(UNLINK, "d", "symlink", .off = 0),
    STEP(RMDIR, "d", "full", .off = 0),
    STEP(RMDIR, "d", "newdir", .off = 0),
    STEP(RMDIR, "d", "empty", .off = 0),
    STEP(RENAME, "d", "file", .to_dir = "e", .to = "a"),
    STEP(RENAME, "d", "file", .to_dir = "e", .to = "y"),
    STEP(RENAME, "d", "new", .to_dir = "d", .to = "gone"),
    STEP(RENAME, "d", "sub", .to_dir = "d", .to = "gonedir"),
    STEP(RENAME, "d", "sub", .to_dir = "d", .to = "full"),
    STEP(RENAME, "d", "newdir", .to_dir = "d", .to = "full"),
    STEP(RENAME, "d", "sub", .to_dir = "e", .to = "a"),
    STEP(RENAME, "d", "file", .to_dir = "d", .to = "FILE"),
    STEP(EXCHANGE, "d", "sub", .to_dir = "e", .to = "y"),
    STEP(EXCHANGE, "d", "sub", .to_dir = "d", .to = "newdir"),
    STEP(CHMOD, "d/sub", "deep", .off = 0),
    STEP(CHMOD, "d/sub/deep", "x", .off = 0),
    STEP(CHOWN, "d/sub/deep", "x", .off = 0),
    STEP(XATTR, "d/sub/deep", "x", .off = 0),
    STEP(WRITE, "d", "file", .off = 100, .len = 50),
    STEP(WRITE, "d", "file", .off = 19990, .len = 50),
    STEP(WRITE, "d/sub/deep", "x", .off = 0, .len = 9000),
    STEP(CUT, "d", "file", .off = 0),
    STEP(CUT, "d", "cut", .off = 50000),
    STEP(CUT, "d/sub/deep", "x", .off = 10),
    STEP(SYNC, "d", "file", .off = 0),
};

static int set_attributes(struct fixture *f, uint64_t id, unsigned what)
{
    const struct stat st = { .st_mode = 0600, .st_uid = somebody()->uid, .st_gid = somebody()->gid };

    return overlay_setattr(f->o, id, what, &st);
}

static int sync_node(struct fixture *f, uint64_t id)
{
    struct overlay_data d;
    int rc = overlay_data_pin(f->o, id, false, &d);

    if (rc || !d.node)
        return rc;
    rc = overlay_data_sync(f->o, &d, false);
    overlay_data_unpin(f->o, &d);
    return rc;
}

static int write_bytes(struct fixture *f, uint64_t id, const struct step *s)
{
    auto_free void *data = calloc(1, (size_t)s->len);
    long n = data ? write_node(f, id, s->off, data, (size_t)s->len) : -ENOMEM;

    return n < 0 ? (int)n : 0;
}

static int run(struct fixture *f, const struct step *s)
{
    const struct overlay_caller *c = s->len ? somebody() : &me;
    uint64_t dir = id_at(f, s->dir), to = s->to_dir ? id_at(f, s->to_dir) : 0;
    char path[64];
    struct overlay_ref ref;
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/%s", s->dir, s->name);
    switch (s->kind) {
    case CREATE:
        return overlay_create(f->o, dir, s->name, 0640, c, &ref, &st);
    case MKDIR:
        return overlay_mkdir(f->o, dir, s->name, 0750, c, &ref, &st);
    case SYMLINK:
        return overlay_symlink(f->o, dir, s->name, "target", c, &ref, &st);
    case FIFO:
        return overlay_mknod(f->o, dir, s->name, S_IFIFO | 0640, c, &ref, &st);
    case LINK:
        return overlay_link(f->o, to, dir, s->name, &ref, &st);
    case UNLINK:
        return overlay_unlink(f->o, dir, s->name);
    case RMDIR:
        return overlay_rmdir(f->o, dir, s->name);
    case RENAME:
    case EXCHANGE:
        return overlay_rename(f->o, dir, s->name, to, s->to,
                              s->kind == EXCHANGE ? RENAME_EXCHANGE : 0);
    case CHMOD:
        return set_attributes(f, id_at(f, path), OVERLAY_SET_MODE);
    case CHOWN:
        return set_attributes(f, id_at(f, path), OVERLAY_SET_UID | OVERLAY_SET_GID);
    case XATTR:
        return overlay_setxattr(f->o, id_at(f, path), "user.x", "1", 1, 0);
    case WRITE:
        return write_bytes(f, id_at(f, path), s);
    case CUT:
        return truncate_node(f, id_at(f, path), s->off);
    default:
        return sync_node(f, id_at(f, path));
    }
}

/* ---- every call of each ---- */

/* The tree, without the times of directories: what was made and taken back leaves its trace there. */
static char *state(struct fixture *f)
{
    char *text = shape(f, "");

    for (char *line = text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        char *mode = strchr(line, ' '), *time = strstr(line, " m");
        for (char *p = time; mode && !strncmp(mode, " 40", 3) && p && p < end && *p != 's'; p++)
            *p = '-';
    }
    return text;
}

static void open_with(struct fixture *f, bool exchange)
{
    fixture_open(f, false);
    f->store->has_exchange = f->store->has_exchange && exchange;
}

/* Fails the calls of S from number *AT on until S succeeds. Whether one had failed then. */
static bool fail_until_done(struct fixture *f, const struct step *s, bool exchange, unsigned *at)
{
    auto_free char *before = state(f);

    for (;; ++*at) {
        fault.at = *at;
        fault.count = 0;
        fault.name = NULL;
        int rc = run(f, s);
        fault.at = 0;
        auto_free char *after = state(f);
        bool good = rc == 0 || (fault.name && shape_same(before, after));
        fixture_close(f);
        fixture_open_store(f);
        open_with(f, exchange);
        auto_free char *again = state(f);
        good = shape_same(after, again) && good;
        if (!good)
            printf("  %s/%s, step %zu: call %u (%s) failed: %s\n", s->dir, s->name,
                   (size_t)(s - steps), *at, fault.name ? fault.name : "none", strerror(-rc));
        CU_ASSERT_TRUE(good);
        if (!rc || !good || !fault.name)
            return fault.name != NULL;
    }
}

static void fail_everything(bool exchange)
{
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        bool failed = steps[i].kind != EXCHANGE || exchange;
        for (unsigned at = 1; failed; at++) {
            struct fixture f;
            if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false))
                return;
            open_with(&f, exchange);
            prepare(&f);
            failed = fail_until_done(&f, &steps[i], exchange, &at);
            fixture_end(&f);
        }
    }
}

static void failed_calls_leave_the_old_state_or_the_new(void)
{
    fail_everything(true);
}

static void so_they_do_where_names_cannot_be_exchanged(void)
{
    fail_everything(false);
}

UNIT_MAIN("overlay, failing calls",
          TEST(failed_calls_leave_the_old_state_or_the_new),
          TEST(so_they_do_where_names_cannot_be_exchanged))
