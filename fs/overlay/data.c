/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes of files in the upper layer. See data.h.
 *
 * What a node's file still needs from the package is read when the file is first used. The
 * descriptor is pinned before the node is asked whether it is partial: a copy-up on the way holds
 * ns, for which pinning waits.
 */
#include "config.h"

#include "fs/overlay/data.h"

#include <fcntl.h>
#include <string.h>

#include "fetch/file_io.h"
#include "fs/overlay/change.h"
#include "fs/overlay/marker.h"
#include "fs/overlay/node.h"
#include "fs/overlay/tree.h"
#include "src/log.h"

#define OVERLAY_LOG "overlay"
#define AT_ONCE     (UINT64_C(1) << 20) /* bytes of a file that are completed in one step */
#define RUNS        16

/* ---- pinning ---- */

static void log_damage(struct overlay *o, const struct overlay_node *node, const struct err *e)
{
    static struct log_limit limit;
    unsigned suppressed;

    if (!log_limit_allows(&limit, &suppressed))
        return;
    auto_free char *path = tree_upper_path(o, node);
    log_error(OVERLAY_LOG, "\"%s\": %s; error=%s suppressed=%u", path ? path : "?", e->text,
              err_kind_name(e->kind), suppressed);
}

/* Whether the bytes that are missing are those of the package's file. */
static int check_lower(struct overlay *o, const struct overlay_node *node,
                       const struct partial_mark *mark, struct err *e)
{
    uint8_t content[16];

    if (node->lower == NODE_NONE)
        return 0; /* reading what is missing fails, the rest is good */
    if (package_node(o->package, node->lower)->size == mark->size) {
        if (partial_fingerprint(o->package, node->lower, content))
            return err_nomem(e);
        if (!memcmp(content, mark->content, sizeof content))
            return 0;
    }
    return err_set(e, ERR_CORRUPT, "was made from other contents than the package has in \"%s\"",
                   mark->path ? mark->path : "?");
}

/* Needs ns, shared, and node->lock. */
static int open_partial(struct overlay *o, struct overlay_node *node, int fd)
{
    struct err e = { 0 };
    struct markers m = { 0 };
    struct partial *p = NULL;
    struct stat st;

    if (fstat(fd, &st))
        return -errno;
    int rc = markers_read(fd, "", &st, &m);
    if (m.has_partial) {
        rc = check_lower(o, node, &m.partial, &e);
        if (!rc)
            rc = partial_open(o->store, fd, (uint64_t)st.st_size, &m.partial, &p, &e);
        if (rc)
            log_damage(o, node, &e);
        if (rc && rc != -ENOMEM)
            rc = -EIO;
    } else if (rc == -EINVAL) {
        (void)err_set(&e, ERR_CORRUPT, "markers are damaged");
        log_damage(o, node, &e);
        rc = -EIO;
    } else if (!rc) {
        atomic_store(&node->is_partial, false);
    }
    markers_clear(&m);
    if (!rc)
        atomic_store_explicit(&node->partial, p, memory_order_release);
    return rc;
}

static int want_partial(struct overlay *o, struct overlay_node *node, int fd, struct partial **out)
{
    int rc = 0;

    *out = atomic_load_explicit(&node->partial, memory_order_acquire);
    if (*out || !atomic_load(&node->is_partial))
        return 0;
    (void)pthread_rwlock_rdlock(&o->ns);
    pthread_mutex_lock(&node->lock);
    if (!atomic_load(&node->partial) && atomic_load(&node->is_partial))
        rc = open_partial(o, node, fd);
    pthread_mutex_unlock(&node->lock);
    (void)pthread_rwlock_unlock(&o->ns);
    *out = atomic_load_explicit(&node->partial, memory_order_acquire);
    return rc;
}

/* Finds the node of a file; with WRITE one that has an upper part. */
static int find_file(struct overlay *o, uint64_t id, bool write, struct overlay_node **out)
{
    if (!overlay_find(o, id, out))
        return -ESTALE;
    mode_t type = *out                                                             ? (*out)->type
                  : package_node(o->package, (uint32_t)(id - 1))->flags & NODE_DIR ? S_IFDIR
                                                                                   : S_IFREG;
    if (type != S_IFREG)
        return type == S_IFDIR ? -EISDIR : -EINVAL;
    if (*out && atomic_load(&(*out)->has_upper))
        return 0;
    *out = NULL;
    if (!write)
        return 0;
    (void)pthread_rwlock_wrlock(&o->ns);
    int rc = copy_up_node(o, id, out);
    (void)pthread_rwlock_unlock(&o->ns);
    return rc;
}

static bool is_for_reading(int fd)
{
    return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
}

/* One that was opened before its mode let us write to it is opened anew, once nobody uses it. */
static int pin(struct overlay *o, struct overlay_node *node, bool write)
{
    int fd = tree_pin_file(o, node);

    if (fd < 0 || !write || !is_for_reading(fd))
        return fd;
    (void)pthread_rwlock_rdlock(&o->ns);
    if (node->names) /* without one it could not be opened again */
        fd_drop(o->fds, &node->slot);
    (void)pthread_rwlock_unlock(&o->ns);
    tree_unpin_file(o, node);
    fd = tree_pin_file(o, node);
    if (fd < 0 || !is_for_reading(fd))
        return fd;
    tree_unpin_file(o, node);
    return -EACCES;
}

int overlay_data_pin(struct overlay *o, uint64_t id, bool write, struct overlay_data *out)
{
    struct overlay_node *node;

    *out = (struct overlay_data){ .fd = -1, .lower = NODE_NONE };
    int rc = find_file(o, id, write, &node);
    if (rc || !node)
        return rc;
    int fd = pin(o, node, write);
    if (fd < 0)
        return fd;
    rc = want_partial(o, node, fd, &out->partial);
    if (rc) {
        tree_unpin_file(o, node);
        out->partial = NULL;
        return rc;
    }
    out->node = node;
    out->fd = fd;
    if (out->partial)
        out->lower = node->lower;
    return 0;
}

void overlay_data_unpin(struct overlay *o, struct overlay_data *d)
{
    if (d->node)
        tree_unpin_file(o, d->node);
    *d = (struct overlay_data){ .fd = -1, .lower = NODE_NONE };
}

/* ---- size and mode ---- */

int overlay_data_size(struct overlay *o, const struct overlay_data *d, uint64_t *size)
{
    struct stat st;

    (void)o;
    if (fstat(d->fd, &st))
        return -errno;
    *size = (uint64_t)st.st_size;
    return 0;
}

int overlay_data_drop_privileges(struct overlay *o, const struct overlay_data *d)
{
    struct overlay_node *node = d->node;
    struct stat st;

    if (atomic_load_explicit(&node->no_set_id, memory_order_acquire))
        return 0;
    /* Set before looking: a mode that is given meanwhile clears it again. */
    atomic_store(&node->no_set_id, true);
    (void)pthread_rwlock_rdlock(&o->ns);
    int rc = tree_stat(o, node, &st);
    (void)pthread_rwlock_unlock(&o->ns);
    bool group = (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
    if (!rc && !group && !(st.st_mode & S_ISUID))
        return 0;
    if (!rc) {
        st.st_mode &= ~(mode_t)(group ? S_ISUID | S_ISGID : S_ISUID);
        rc = overlay_setattr(o, node->id, OVERLAY_SET_MODE, &st);
    }
    if (rc)
        atomic_store(&node->no_set_id, false);
    return rc ? rc : 1;
}

int overlay_data_truncate(struct overlay *o, const struct overlay_data *d, uint64_t size)
{
    (void)o;
    if (size > INT64_MAX)
        return -EFBIG;
    if (d->partial)
        return partial_truncate(d->partial, d->fd, size);
    return ftruncate(d->fd, (off_t)size) ? -errno : 0;
}

/* ---- to the disk ---- */

/* Opens the directory of NAME for syncing. Needs ns. */
static int open_parent(struct overlay *o, const struct overlay_name *name)
{
    int dir = tree_pin_dir(o, name->dir);

    if (dir < 0)
        return dir;
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        fd = -errno;
    tree_unpin_dir(o, name->dir);
    return fd;
}

/* The lowest of NODE and the directories above it whose name may not be on the disk yet, NULL when
 * there is none. It counts as synced; FD is the directory to sync. */
static struct overlay_node *next_fresh(struct overlay *o, struct overlay_node *node, int *fd)
{
    (void)pthread_rwlock_rdlock(&o->ns);
    while (node && node != o->root && !atomic_exchange(&node->name_fresh, false))
        node = node->names ? node->names->dir : NULL;
    if (node && (node == o->root || !node->names))
        node = NULL;
    *fd = node ? open_parent(o, node->names) : -1;
    (void)pthread_rwlock_unlock(&o->ns);
    return node;
}

static int sync_names(struct overlay *o, struct overlay_node *node)
{
    struct overlay_node *fresh;
    int fd, rc = 0;

    while (!rc && (fresh = next_fresh(o, node, &fd))) {
        rc = fd < 0 ? fd : fsync(fd) ? -errno : 0;
        if (fd >= 0)
            (void)close(fd);
        if (rc)
            atomic_store(&fresh->name_fresh, true);
    }
    return rc;
}

/* With the last byte of the package gone from it, the file is plain, and that too is on the disk.
 */
static int finish(const struct overlay_data *d)
{
    int rc = partial_finish(d->partial, d->fd);

    return !rc && fsync(d->fd) ? -errno : rc;
}

int overlay_data_sync(struct overlay *o, const struct overlay_data *d, bool datasync)
{
    int rc;

    if (d->partial && !partial_is_plain(d->partial))
        rc = partial_needs_lower(d->partial) ? partial_sync(d->partial, d->fd) : finish(d);
    else
        rc = (datasync ? fdatasync(d->fd) : fsync(d->fd)) ? -errno : 0;
    return rc ? rc : sync_names(o, d->node);
}

void overlay_data_settle(struct overlay *o, struct overlay_node *node, bool sync)
{
    struct partial *p = atomic_load_explicit(&node->partial, memory_order_acquire);
    int rc = 0;

    if (!p || node->unlinked || partial_is_plain(p) ||
        (partial_needs_lower(p) && !(sync && partial_is_dirty(p))))
        return;
    int fd = tree_pin_file(o, node);
    if (fd < 0)
        return;
    rc = partial_needs_lower(p) ? partial_sync(p, fd) : partial_finish(p, fd);
    tree_unpin_file(o, node);
    if (rc)
        log_warning(OVERLAY_LOG, "a changed file could not be brought to the disk; overlay=%s: %s",
                    o->store->path, strerror(-rc));
}

/* ---- for tools ---- */

static long read_upper(int fd, uint64_t off, uint8_t *buf, size_t len, struct err *e)
{
    ssize_t n = file_read(fd, buf, len, off);

    return n < 0 ? err_sys(e, "cannot read the upper file") : (long)n;
}

static long read_package(const struct overlay_data *d, uint64_t off, void *buf, size_t len,
                         overlay_lower_fn read_lower, void *arg, struct err *e)
{
    if (d->lower == NODE_NONE)
        return err_set(e, ERR_NOT_FOUND, "the package has no file with the missing bytes");
    long n = read_lower(arg, d->lower, off, buf, len, e);
    if (n >= 0 && (size_t)n != len)
        return err_set(e, ERR_TRUNCATED, "the package's file ends too early");
    return n;
}

long overlay_data_read(struct overlay *o, const struct overlay_data *d, uint64_t off, void *buf,
                       size_t len, overlay_lower_fn read_lower, void *arg, struct err *e)
{
    struct partial_run runs[RUNS];
    uint8_t *at = buf;
    size_t done = 0;

    (void)o;
    if (!d->partial)
        return read_upper(d->fd, off, buf, len, e);
    while (done < len) {
        size_t n = partial_runs(d->partial, off + done, len - done, runs, RUNS);
        for (size_t i = 0; i < n; i++) {
            size_t want = (size_t)runs[i].len;
            long got = runs[i].lower
                           ? read_package(d, runs[i].off, at + done, want, read_lower, arg, e)
                           : read_upper(d->fd, runs[i].off, at + done, want, e);
            if (got < 0)
                return got;
            done += (size_t)got;
            if ((size_t)got < want)
                return (long)done;
        }
    }
    return (long)done;
}

int overlay_data_complete(struct overlay *o, const struct overlay_data *d,
                          overlay_lower_fn read_lower, void *arg, struct err *e)
{
    struct span64 span;
    struct stat st;
    uint64_t off = 0;

    (void)o;
    if (!d->partial)
        return 0;
    auto_free uint8_t *buf = malloc(AT_ONCE);
    if (!buf)
        return err_nomem(e);
    if (fstat(d->fd, &st))
        return err_sys(e, "cannot examine the upper file");
    while (partial_next_lower(d->partial, off, &span)) {
        span.len = min_u64(span.len, AT_ONCE);
        long n = read_package(d, span.off, buf, (size_t)span.len, read_lower, arg, e);
        if (n < 0)
            return (int)n;
        int rc = partial_fill(d->partial, d->fd, span.off, buf, (size_t)span.len);
        if (rc) {
            errno = -rc;
            return err_sys(e, "cannot write to the upper file");
        }
        off = span.off + span.len;
    }
    /* What it shows did not change. */
    const struct timespec times[2] = { st.st_atim, st.st_mtim };
    int rc = futimens(d->fd, times) ? -errno : partial_finish(d->partial, d->fd);
    if (rc) {
        errno = -rc;
        return err_sys(e, "cannot complete the upper file");
    }
    return 0;
}
