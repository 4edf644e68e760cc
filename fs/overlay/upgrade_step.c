/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The steps of an upgrade. Each looks at the file anew, so that one that comes twice (a file with
 * several names, or the second run after a crash) is left alone. See upgrade_step.h.
 */
#include "config.h"

#include "fs/overlay/upgrade_step.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fs/overlay/crash_point.h"
#include "fs/overlay/partial.h"
#include "fs/overlay/walk.h"
#include "src/log.h"

#define OVERLAY_LOG "overlay"
#define CHUNK       (256u * 1024u) /* a multiple of PARTIAL_UNIT */
#define ASIDE_TRIES 1000u

/* The file of an item, open. */
struct subject {
    int dir_fd, fd;
    const char *name;
    struct stat st;
    struct markers m;
    bool following;
};

static void subject_close(struct subject *s)
{
    markers_clear(&s->m);
    if (s->fd >= 0)
        (void)close(s->fd);
    if (s->dir_fd >= 0)
        (void)close(s->dir_fd);
}

static int sys_error(const struct upgrade_work *w, const struct upgrade_item *item, int rc,
                     struct err *e)
{
    errno = -rc;
    return err_sys(e, "%s/files/%s", w->store->path, item->path);
}

/* To be closed also after an error. */
static int subject_open(struct upgrade_work *w, const struct upgrade_item *item, int flags,
                        struct subject *s, struct err *e)
{
    int rc;

    *s = (struct subject){ .dir_fd = -1, .fd = -1 };
    s->dir_fd = walk_open_parent(w->store->files_fd, item->path, false, &s->name);
    if (s->dir_fd >= 0)
        s->fd = openat(s->dir_fd, s->name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &s->st))
        return err_sys(e, "%s/files/%s", w->store->path, item->path);
    rc = markers_read(s->dir_fd, s->name, &s->st, &s->m);
    if (rc && rc != -EINVAL)
        return sys_error(w, item, rc, e);
    s->following = xattr_get_at(s->dir_fd, s->name, MARKER_FOLLOW, NULL, 0) >= 0;
    return 0;
}

/* Neither the owner nor the times of the content are news. */
static void put_times_back(const struct subject *s)
{
    const struct timespec times[2] = { s->st.st_atim, s->st.st_mtim };

    (void)futimens(s->fd, times);
}

/* ---- missing bytes ---- */

static int file_with(const struct package *package, const struct partial_mark *mark, uint32_t *out,
                     struct err *e)
{
    struct upgrade_state state;

    *out = NODE_NONE;
    if (upgrade_state_of(package, mark, mark->size, false, &state))
        return err_nomem(e);
    *out = state.same ? state.node : NODE_NONE;
    return 0;
}

static int find_bytes(const struct upgrade_work *w, const struct partial_mark *mark, uint32_t *old,
                      uint32_t *from_new, struct err *e)
{
    int rc = file_with(w->package, mark, from_new, e);

    *old = NODE_NONE;
    return rc || !w->old ? rc : file_with(w->old, mark, old, e);
}

int upgrade_find_bytes(struct upgrade_work *w, const struct upgrade_item *item, uint32_t *old,
                       uint32_t *from_new, struct err *e)
{
    struct subject s;
    int rc = subject_open(w, item, O_RDONLY, &s, e);

    *old = *from_new = NODE_NONE;
    if (!rc && s.m.has_partial)
        rc = find_bytes(w, &s.m.partial, old, from_new, e);
    subject_close(&s);
    return rc;
}

struct lower_file {
    overlay_lower_fn read;
    void *arg;
    uint32_t file;
};

static int fill_all(struct partial *p, const struct subject *s, const struct lower_file *lower,
                    uint64_t *bytes, struct err *e)
{
    auto_free uint8_t *buf = malloc(CHUNK);
    struct span64 span;
    int rc = 0;

    if (!buf)
        return err_nomem(e);
    for (uint64_t off = 0; !rc && partial_next_lower(p, off, &span);) {
        size_t len = (size_t)min_u64(span.len, CHUNK - span.off % PARTIAL_UNIT);
        long n = lower->read(lower->arg, lower->file, span.off, buf, len, e);

        if (n < 0)
            return (int)n;
        if ((size_t)n != len)
            return err_set(e, ERR_CORRUPT, "the package's file is shorter than it says");
        rc = partial_fill(p, s->fd, span.off, buf, len);
        if (rc) {
            errno = -rc;
            return err_sys(e, "writing");
        }
        put_times_back(s);
        CRASH_POINT("upgrade-complete-filled");
        *bytes += len;
        off = span.off + len;
    }
    return rc;
}

/* Brings in what is missing and makes the file plain. */
static int complete(struct upgrade_work *w, const struct subject *s, const struct lower_file *lower,
                    struct err *e)
{
    struct partial *partial = NULL;
    uint64_t size = s->following ? s->m.partial.size : (uint64_t)s->st.st_size;
    int rc = 0;

    if (s->following && ftruncate(s->fd, (off_t)size))
        return err_sys(e, "setting the size");
    if (s->following)
        rc = xattr_remove_at(s->dir_fd, s->name, MARKER_FOLLOW);
    if (rc) {
        errno = -rc;
        return err_sys(e, "%s", MARKER_FOLLOW);
    }
    rc = partial_open(w->store, s->fd, size, &s->m.partial, &partial, e);
    if (!rc)
        rc = fill_all(partial, s, lower, &w->report->completed_bytes, e);
    if (!rc) {
        CRASH_POINT("upgrade-complete-all");
        rc = partial_finish(partial, s->fd);
        if (rc) {
            errno = -rc;
            rc = err_sys(e, "making it plain");
        }
        put_times_back(s);
        CRASH_POINT("upgrade-complete-plain");
    }
    partial_free(partial);
    return rc;
}

static int lower_of(const struct upgrade_work *w, const struct partial_mark *mark,
                    struct lower_file *out, struct err *e)
{
    uint32_t old = NODE_NONE, from_new = NODE_NONE;
    int rc = find_bytes(w, mark, &old, &from_new, e);

    if (rc)
        return rc;
    *out = (struct lower_file){
        .read = from_new != NODE_NONE ? w->o->read_new : w->o->read_old,
        .arg = w->o->arg,
        .file = from_new != NODE_NONE ? from_new : old,
    };
    return 0;
}

int upgrade_step_complete(struct upgrade_work *w, const struct upgrade_item *item, struct err *e)
{
    struct lower_file lower;
    struct subject s;
    int rc = subject_open(w, item, O_RDWR, &s, e);

    if (!rc && s.m.has_partial) {
        rc = lower_of(w, &s.m.partial, &lower, e);
        if (!rc)
            rc = complete(w, &s, &lower, e);
        if (rc)
            err_wrap(e, "%s/files/%s", w->store->path, item->path);
        else
            w->report->completed++;
        if (!rc)
            log_info(OVERLAY_LOG, "%s: completed from version %" PRIu32 " of the package",
                     item->path, w->report->from);
    }
    subject_close(&s);
    return rc;
}

/* ---- following the package ---- */

/* The time of modification is kept in the marker, for changing the size sets it. */
static int mark_following(struct subject *s)
{
    char text[48];
    ssize_t n;
    long long sec;
    long nsec;
    int rc;

    if (s->following) {
        n = xattr_get_at(s->dir_fd, s->name, MARKER_FOLLOW, text, sizeof text - 1);
        text[n > 0 ? n : 0] = '\0';
        if (sscanf(text, "%lld.%ld", &sec, &nsec) == 2 && nsec >= 0 && nsec < 1000000000)
            s->st.st_mtim = (struct timespec){ .tv_sec = (time_t)sec, .tv_nsec = nsec };
        return 0;
    }
    (void)snprintf(text, sizeof text, "%lld.%09ld", (long long)s->st.st_mtim.tv_sec,
                   (long)s->st.st_mtim.tv_nsec);
    rc = marker_set(s->fd, MARKER_FOLLOW, text);
    CRASH_POINT("upgrade-follow-begun");
    return rc;
}

static int follow(const struct upgrade_work *w, struct subject *s, uint32_t node)
{
    auto_free char *path = package_path(w->package, node), *full = NULL;
    struct partial_mark mark = { .size = package_node(w->package, node)->size };
    int rc;

    if (!path || asprintf(&full, "/%s", path) < 0) {
        full = NULL;
        return -ENOMEM;
    }
    mark.path = full;
    rc = partial_fingerprint(w->package, node, mark.content);
    if (rc)
        return rc;
    rc = mark_following(s);
    if (!rc && ftruncate(s->fd, (off_t)mark.size))
        rc = -errno;
    CRASH_POINT("upgrade-follow-sized");
    if (!rc)
        rc = marker_set_partial(s->fd, &mark);
    CRASH_POINT("upgrade-follow-marked");
    put_times_back(s);
    return rc ? rc : xattr_remove_at(s->dir_fd, s->name, MARKER_FOLLOW);
}

int upgrade_step_follow(struct upgrade_work *w, const struct upgrade_item *item, struct err *e)
{
    struct upgrade_state state;
    struct subject s;
    int rc = subject_open(w, item, O_RDWR, &s, e);

    if (!rc && s.m.has_partial) {
        bool due = upgrade_state_of(w->package, &s.m.partial, (uint64_t)s.st.st_size, s.following,
                                    &state) ||
                   !state.same || s.following;
        rc = due ? follow(w, &s, item->node) : 0;
        if (rc)
            rc = sys_error(w, item, rc, e);
        else if (due)
            w->report->followed++;
    }
    subject_close(&s);
    return rc;
}

int upgrade_step_rename(struct upgrade_work *w, const struct upgrade_item *item, struct err *e)
{
    auto_free char *path = package_path(w->package, item->node), *full = NULL;
    struct partial_mark mark;
    struct subject s;
    int rc;

    if (!path || asprintf(&full, "/%s", path) < 0) {
        full = NULL;
        return err_nomem(e);
    }
    rc = subject_open(w, item, O_RDWR, &s, e);
    if (!rc && s.m.has_partial) {
        mark = s.m.partial;
        mark.path = full;
        rc = marker_set_partial(s.fd, &mark);
        if (rc)
            rc = sys_error(w, item, rc, e);
    }
    subject_close(&s);
    return rc;
}

/* ---- aside ---- */

/* DIR/aside/VERSION-DATE, named after the version that the files make way for. */
static int open_aside(struct upgrade_work *w, struct err *e)
{
    char name[64], date[32];
    time_t now = time(NULL);
    struct tm tm;
    int fd;

    if (w->aside_fd >= 0)
        return 0;
    (void)strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    (void)snprintf(name, sizeof name, "%" PRIu32 "-%s", w->report->to, date);
    if (asprintf(&w->report->aside_dir, "%s/aside/%s", w->store->path, name) < 0) {
        w->report->aside_dir = NULL;
        return err_nomem(e);
    }
    if (mkdirat(w->store->dir_fd, "aside", 0700) && errno != EEXIST)
        return err_sys(e, "%s/aside", w->store->path);
    fd = openat(w->store->dir_fd, "aside", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "%s/aside", w->store->path);
    if (!mkdirat(fd, name, 0700) || errno == EEXIST)
        w->aside_fd = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    (void)close(fd);
    return w->aside_fd < 0 ? err_sys(e, "%s", w->report->aside_dir) : 0;
}

static int move_aside(const struct upgrade_work *w, const struct subject *s,
                      const struct upgrade_item *item)
{
    char target[NAME_MAX + 1];
    const char *name;
    auto_close int dir = walk_open_parent(w->aside_fd, item->path, true, &name);
    int rc = dir < 0 ? -errno : 0;

    (void)snprintf(target, sizeof target, "%s", name);
    for (unsigned i = 1; !rc; i++) {
        if (!renameat2(s->dir_fd, s->name, dir, target, RENAME_NOREPLACE))
            break;
        rc = errno == EEXIST && i < ASIDE_TRIES ? 0 : -errno;
        (void)snprintf(target, sizeof target, "%.*s.%u", NAME_MAX - 11, name, i);
    }
    CRASH_POINT("upgrade-aside-moved");
    return rc;
}

/* What cannot be completed is put aside as it is, with its map: the user's bytes are in it all the
 * same. */
static int complete_if_possible(struct upgrade_work *w, const struct upgrade_item *item,
                                struct subject *s, struct err *e)
{
    struct upgrade_state state;
    struct lower_file lower;
    struct err why = { 0 };

    if (!s->m.has_partial)
        return 0;
    if (upgrade_state_of(w->package, &s->m.partial, (uint64_t)s->st.st_size, s->following, &state))
        return err_nomem(e);
    if (state.untouched)
        return 0;
    int rc = lower_of(w, &s->m.partial, &lower, e);
    if (rc)
        return rc;
    if (lower.file == NODE_NONE && item->need)
        (void)err_set(&why, ERR_OLD_VERSION, "the version it was made from cannot be had");
    else if (!complete(w, s, &lower, &why)) {
        s->m.has_partial = false;
        return 0;
    }
    log_warning(OVERLAY_LOG, "%s: put aside with bytes missing: %s", item->path, why.text);
    return 0;
}

int upgrade_step_aside(struct upgrade_work *w, const struct upgrade_item *item, struct err *e)
{
    struct subject s;
    int rc = open_aside(w, e);

    if (rc)
        return rc;
    rc = subject_open(w, item, O_RDWR, &s, e);
    if (!rc) {
        rc = complete_if_possible(w, item, &s, e);
        int moved = rc ? 0 : move_aside(w, &s, item);
        if (moved)
            rc = sys_error(w, item, moved, e);
    }
    if (!rc) {
        upgrade_paths_add(&w->report->aside, item->path);
        log_info(OVERLAY_LOG, "%s: put aside for the package's file, into %s", item->path,
                 w->report->aside_dir);
    }
    subject_close(&s);
    return rc;
}

int upgrade_step_reveal(struct upgrade_work *w, const struct upgrade_item *item, struct err *e)
{
    const char *name;
    auto_close int dir = walk_open_parent(w->store->files_fd, item->path, false, &name);

    if (dir < 0 || (unlinkat(dir, name, 0) && errno != ENOENT))
        return err_sys(e, "%s/files/%s", w->store->path, item->path);
    return 0;
}
