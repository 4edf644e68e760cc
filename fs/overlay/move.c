/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Renaming onto something that exists and leaving a whiteout behind: overlay_move_with_whiteout()
 * in store.h. The steps:
 *
 *   1. the intent is written down and synced: from here on the move happens, if need be later
 *   2. FROM and TO are exchanged (without RENAME_EXCHANGE: TO is moved into work/, FROM to TO)
 *   3. a whiteout made before is renamed over what is at FROM now
 *   4. the intent is removed, then what TO was
 *
 * A step that fails is undone together with those before it. Inode numbers tell how far a crash let
 * it come; what they do not fit, because somebody changed the directory by hand, is left alone.
 */
#include "config.h"

#include "fs/overlay/move.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/overlay/crash_point.h"
#include "fs/overlay/intent.h"
#include "fs/overlay/marker.h"
#include "src/log.h"

/* A name in an open directory, and what was there when it was last looked at. */
struct spot {
    int dir;
    const char *name;   /* last component of the path it was made from */
    struct stat st;
    bool exists;
};

static int look(struct spot *at)
{
    at->exists = !fstatat(at->dir, at->name, &at->st, AT_SYMLINK_NOFOLLOW);
    return at->exists || errno == ENOENT ? 0 : -errno;
}

static bool is(const struct spot *at, uint64_t ino)
{
    return at->exists && at->st.st_ino == ino;
}

static bool is_whiteout(const struct spot *at)
{
    return at->exists && S_ISREG(at->st.st_mode) && !at->st.st_size &&
           xattr_get_at(at->dir, at->name, MARKER_WHITEOUT, NULL, 0) >= 0;
}

/* Opens the directory PATH is in, one component at a time: no links, no other file system, and no
 * limit to the length. at->dir is always to be closed. */
static int find(struct overlay_store *s, const char *path, struct spot *at)
{
    char part[256];
    struct stat st;

    *at = (struct spot){ .name = path };
    at->dir = fcntl(s->files_fd, F_DUPFD_CLOEXEC, 0);
    if (at->dir < 0)
        return -errno;
    for (const char *slash; (slash = strchr(at->name, '/')); at->name = slash + 1) {
        size_t n = (size_t)(slash - at->name);
        if (n >= sizeof part)
            return -ENAMETOOLONG;
        memcpy(part, at->name, n);
        part[n] = '\0';
        int next = openat(at->dir, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            return errno == ELOOP ? -ENOTDIR : -errno;
        (void)close(at->dir); /* O_PATH: there is nothing to lose */
        at->dir = next;
        if (fstat(next, &st))
            return -errno;
        if (st.st_dev != s->dev)
            return -EXDEV;
    }
    return look(at);
}

static int exchange(int a, const char *a_name, int b, const char *b_name)
{
    return renameat2(a, a_name, b, b_name, RENAME_EXCHANGE) ? -errno : 0;
}

static int move(int a, const char *a_name, int b, const char *b_name)
{
    return renameat(a, a_name, b, b_name) ? -errno : 0;
}

struct job {
    struct overlay_store *s;
    struct spot from, to;
    char whiteout[WORK_NAME_MAX]; /* in work/ */
    char aside[WORK_NAME_MAX];    /* where TO goes without RENAME_EXCHANGE */
    bool had_target;
};

/* Step 2: TO is what FROM was. */
static int swap(struct job *j)
{
    int work = j->s->work_fd;

    j->had_target = j->to.exists;
    if (!j->to.exists)
        return move(j->from.dir, j->from.name, j->to.dir, j->to.name);
    if (j->s->has_exchange)
        return exchange(j->from.dir, j->from.name, j->to.dir, j->to.name);
    int rc = move(j->to.dir, j->to.name, work, j->aside);
    if (rc)
        return rc;
    CRASH_POINT("move-target-aside");
    rc = move(j->from.dir, j->from.name, j->to.dir, j->to.name);
    if (rc && move(work, j->aside, j->to.dir, j->to.name))
        log_error("overlay", "a renamed file could not be put back; it is in work/%s", j->aside);
    return rc;
}

/* Takes step 2 back. */
static int unswap(struct job *j)
{
    if (j->had_target && j->s->has_exchange)
        return exchange(j->from.dir, j->from.name, j->to.dir, j->to.name);
    int rc = move(j->to.dir, j->to.name, j->from.dir, j->from.name);
    if (!rc && j->had_target)
        rc = move(j->s->work_fd, j->aside, j->to.dir, j->to.name);
    return rc;
}

/* Step 3: FROM is a whiteout, whatever is there; that is in work/ then, or gone. */
static int put_whiteout(struct job *j)
{
    int work = j->s->work_fd;
    int rc = look(&j->from);

    if (rc)
        return rc;
    if (!j->from.exists || !S_ISDIR(j->from.st.st_mode))
        return move(work, j->whiteout, j->from.dir, j->from.name);
    if (j->s->has_exchange)
        return exchange(work, j->whiteout, j->from.dir, j->from.name);
    rc = move(j->from.dir, j->from.name, work, j->aside);
    return rc ? rc : move(work, j->whiteout, j->from.dir, j->from.name);
}

/* What is in work/ when all is done. A failure leaves it to the next open. */
static void clear_up(struct job *j)
{
    if (overlay_remove_tree(j->s->work_fd, j->whiteout) ||
        overlay_remove_tree(j->s->work_fd, j->aside))
        log_warning("overlay", "work/ could not be cleared of what was replaced");
}

/* Steps 2 to 4. */
static int run(struct job *j, const char *intent)
{
    int rc = swap(j);

    if (!rc) {
        CRASH_POINT("move-swapped");
        rc = put_whiteout(j);
        if (rc && unswap(j)) {
            log_error("overlay", "a rename stopped half way; it is completed at the next mount");
            return rc; /* the intent stays */
        }
    }
    if (!rc)
        CRASH_POINT("move-whiteout-placed");
    if (unlinkat(j->s->work_fd, intent, 0) && errno != ENOENT)
        log_warning("overlay", "work/%s could not be removed: %s", intent, strerror(errno));
    CRASH_POINT("move-done");
    return rc;
}

/* One rename is enough where both are one file, or a whiteout is there to be exchanged. */
static bool run_short(struct job *j, int *rc)
{
    if (j->to.exists && j->to.st.st_ino == j->from.st.st_ino) {
        *rc = put_whiteout(j);
        return true;
    }
    if (!j->s->has_exchange || !is_whiteout(&j->to))
        return false;
    *rc = exchange(j->from.dir, j->from.name, j->to.dir, j->to.name);
    return true;
}

static int begin(struct job *j, const char *from, const char *to)
{
    struct intent i = { 0 };
    char intent[WORK_NAME_MAX];

    int rc = overlay_whiteout_mark_dir(j->from.dir);
    if (!rc)
        rc = overlay_whiteout_prepare(j->s, j->whiteout);
    if (rc || run_short(j, &rc))
        return rc;
    i.from = strdup(from);
    i.to = strdup(to);
    i.source = j->from.st.st_ino;
    i.target = j->to.exists ? j->to.st.st_ino : 0;
    rc = i.from && i.to ? intent_write(j->s, &i, intent) : -ENOMEM;
    intent_clear(&i);
    if (rc)
        return rc;
    CRASH_POINT("move-intent-written");
    return run(j, intent);
}

int overlay_move_with_whiteout(struct overlay_store *s, const char *from, const char *to)
{
    struct job j = { .s = s, .from.dir = -1, .to.dir = -1 };

    if (s->work_fd < 0)
        return -EROFS;
    overlay_work_name(s, j.aside);
    overlay_work_name(s, j.whiteout);
    int rc = find(s, from, &j.from);
    if (!rc)
        rc = j.from.exists ? find(s, to, &j.to) : -ENOENT;
    if (!rc)
        rc = begin(&j, from, to);
    cleanup_close(&j.from.dir);
    cleanup_close(&j.to.dir);
    clear_up(&j);
    return rc;
}

/* ---- after a crash ---- */

/* Both ends are open. How far did it come? */
static int resume(struct job *j, const struct intent *i, const char *name)
{
    if (is(&j->from, i->source) && !is(&j->to, i->source))
        return run(j, name);
    bool swapped = is(&j->to, i->source);
    bool whiteout_due = !j->from.exists || (i->target && is(&j->from, i->target));
    int rc = 0;
    if (!swapped)
        log_warning("overlay", "a rename of %s to %s that was begun fits neither any more; it is "
                               "left as it is", i->from, i->to);
    else if (whiteout_due && !is_whiteout(&j->from))
        rc = put_whiteout(j);
    if (!rc && unlinkat(j->s->work_fd, name, 0) && errno != ENOENT)
        rc = -errno;
    return rc;
}

static bool is_gone(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -EXDEV;
}

int move_complete(struct overlay_store *s, const char *name)
{
    struct job j = { .s = s, .from.dir = -1, .to.dir = -1 };
    struct intent i;
    int rc = intent_read(s, name, &i);

    if (rc == -EINVAL) {
        log_warning("overlay", "work/%s is not understood and is removed", name);
        return overlay_remove_tree(s->work_fd, name);
    }
    if (rc)
        return rc;
    overlay_work_name(s, j.aside);
    overlay_work_name(s, j.whiteout);
    rc = find(s, i.from, &j.from);
    if (!rc)
        rc = find(s, i.to, &j.to);
    if (is_gone(rc)) {
        log_warning("overlay", "a rename of %s to %s that was begun has lost its place", i.from,
                    i.to);
        rc = unlinkat(s->work_fd, name, 0) && errno != ENOENT ? -errno : 0;
    } else if (!rc) {
        rc = overlay_whiteout_mark_dir(j.from.dir);
        if (!rc)
            rc = overlay_whiteout_prepare(s, j.whiteout);
        if (!rc)
            rc = resume(&j, &i, name);
        clear_up(&j);
    }
    cleanup_close(&j.from.dir);
    cleanup_close(&j.to.dir);
    intent_clear(&i);
    return rc;
}
