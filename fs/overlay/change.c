/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the changes have in common. See change.h. */
#include "config.h"

#include "fs/overlay/change.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/overlay/crash_point.h"
#include "fs/overlay/walk.h"
#include "src/fold.h"
#include "src/log.h"

int change_begin(struct overlay *o)
{
    if (o->store->access != OVERLAY_WRITE || o->store->read_only)
        return -EROFS;
    return -pthread_rwlock_wrlock(&o->ns);
}

void change_end(struct overlay *o)
{
    (void)pthread_rwlock_unlock(&o->ns);
}

/* ---- names ---- */

static void look(struct overlay *o, struct change_place *place, const char *name)
{
    tree_find(o, &place->dir, name, &place->entry);
    if (!place->entry.ref.id)
        return;
    const char *spelling = tree_spelling(o, &place->entry);
    if (spelling != place->name)
        (void)snprintf(place->name, sizeof place->name, "%s", spelling); /* names fit */
    /* An 8.3 name only leads to the long one: it is that name which is changed. */
    if (place->entry.ref.short_name)
        tree_find(o, &place->dir, place->name, &place->entry);
}

int change_find(struct overlay *o, uint64_t parent, const char *name, struct change_place *out)
{
    size_t len = strlen(name);

    *out = (struct change_place){ .dir.lower = NODE_NONE };
    int rc = tree_dir(o, parent, &out->dir);
    if (rc)
        return rc;
    if (len > NAME_MAX_BYTES)
        return -ENAMETOOLONG;
    memcpy(out->name, name, len + 1);
    look(o, out, name);
    return 0;
}

void change_find_again(struct overlay *o, struct change_place *place)
{
    char name[NAME_MAX_BYTES + 1];

    memcpy(name, place->name, sizeof name);
    if (!place->dir.node && place->dir.lower != NODE_NONE)
        place->dir.node = overlay_node_of(o, place->dir.lower);
    look(o, place, name);
}

int change_name_check(const char *name)
{
    return name_check(name, strlen(name), NULL) ? -EINVAL : 0;
}

mode_t change_type(const struct overlay *o, const struct overlay_ref *ref)
{
    if (ref->node)
        return ref->node->type;
    return package_node(o->package, ref->lower)->flags & NODE_DIR ? S_IFDIR : S_IFREG;
}

/* ---- attributes ---- */

mode_t change_physical_mode(const struct overlay *o, mode_t type, mode_t wanted)
{
    wanted &= 07777;
    if (o->privileged)
        return wanted;
    if (S_ISDIR(type))
        return wanted | 0700;
    /* Our writes would clear set-user-ID and set-group-ID bits, also those on behalf of a mapping,
     * which clear none. */
    return S_ISREG(type) ? (wanted & ~(mode_t)(S_ISUID | S_ISGID)) | 0600 : wanted;
}

static int mark_mode(int fd, mode_t mode)
{
    char text[8];

    (void)snprintf(text, sizeof text, "%04o", (unsigned)mode);
    return marker_set(fd, MARKER_MODE, text);
}

/* The marker as it was: a file of somebody else's may let us set it, but not the mode itself. */
static void unmark_mode(int fd, const struct overlay_node *node)
{
    int rc = node && node->has_mode ? mark_mode(fd, node->mode)
                                    : marker_remove_at(fd, "", MARKER_MODE);
    if (rc)
        log_warning("overlay", "the mode of a file could not be put back: %s", strerror(-rc));
}

int change_set_mode(struct overlay *o, int fd, mode_t type, mode_t physical, mode_t wanted,
                    struct overlay_node *node)
{
    mode_t next = change_physical_mode(o, type, wanted);

    wanted &= 07777;
    /* While there is a marker it is what counts, so it comes first and goes last. */
    if (next != wanted) {
        int rc = mark_mode(fd, wanted);
        if (rc)
            return rc;
    }
    if (next != (physical & 07777) && fchmod(fd, next)) {
        int rc = -errno;
        if (next != wanted)
            unmark_mode(fd, node);
        return rc;
    }
    if (next != wanted && node) {
        node->has_mode = true;
        node->mode = wanted;
    }
    if (next == wanted && node && node->has_mode) {
        int rc = marker_remove_at(fd, "", MARKER_MODE);
        if (rc)
            return rc;
        node->has_mode = false;
    }
    return 0;
}

void change_keep_times(int dirfd, struct timespec times[2])
{
    struct stat st;

    times[0].tv_nsec = times[1].tv_nsec = UTIME_OMIT;
    if (fstatat(dirfd, "", &st, AT_EMPTY_PATH))
        return;
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
}

void change_restore_times(int dirfd, const struct timespec times[2])
{
    /* Of what is not ours the times cannot be set; then they show that something was written. */
    if (times[1].tv_nsec != UTIME_OMIT)
        (void)utimensat(dirfd, ".", times, 0);
}

/* ---- what loses its name ---- */

bool change_is_used(const struct overlay *o, const struct overlay_ref *ref)
{
    if (ref->lower != NODE_NONE)
        return atomic_load(&o->lower_lookups[ref->lower]) > 0;
    return ref->node && atomic_load(&ref->node->lookups) > 0;
}

static void release(struct overlay *o, struct change_doom *d)
{
    if (!d->pinned)
        return;
    if (S_ISDIR(d->node->type))
        tree_unpin_dir(o, d->node);
    else
        tree_unpin_file(o, d->node);
    d->pinned = false;
}

/* What is in use stays usable without a name: its descriptor is kept. */
static int hold(struct overlay *o, struct change_doom *d, int dirfd, const char *name)
{
    int fd;

    if (S_ISREG(d->node->type)) {
        fd = tree_pin_file_locked(o, d->node);
        d->pinned = fd >= 0;
    } else if (S_ISDIR(d->node->type)) {
        fd = tree_pin_dir(o, d->node);
        d->pinned = fd >= 0;
    } else {
        fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            fd = -errno;
        else
            fd_give(o->fds, &d->node->slot, fd);
    }
    if (fd < 0)
        return fd;
    fd_keep(o->fds, &d->node->slot, true);
    return 0;
}

int change_doom(struct overlay *o, const struct overlay_ref *ref, int dirfd, const char *name,
                struct change_doom *out)
{
    struct stat st;

    *out = (struct change_doom){ .ref = *ref, .last = true, .used = change_is_used(o, ref) };
    if (!ref->node || !ref->node->has_upper)
        return 0;
    out->node = ref->node;
    if (!S_ISDIR(ref->node->type)) {
        if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
            return -errno;
        out->last = st.st_nlink <= 1;
    }
    /* What is partial has a map, which is found through the file. */
    if (!out->used && !(out->last && ref->node->is_partial))
        return 0;
    int rc = hold(o, out, dirfd, name);
    /* What we cannot open nobody can have open through us: it needs no descriptor. */
    if (rc == -EACCES || rc == -EPERM)
        return 0;
    return rc;
}

int change_doomed(struct overlay *o, struct change_doom *d)
{
    struct overlay_node *node = d->node;

    if (!node) {
        if (!d->used)
            return 0;
        int rc = tree_add_node(o, change_type(o, &d->ref), d->ref.lower, 0, &node);
        if (rc)
            return rc;
        node->has_upper = false;
        node->unlinked = true;
        return 0;
    }
    node->unlinked = d->last;
    release(o, d);
    if (!node->names)
        tree_let_go(o, node);
    return 0;
}

void change_spared(struct overlay *o, struct change_doom *d)
{
    if (!d->node)
        return;
    fd_keep(o->fds, &d->node->slot, false);
    release(o, d);
}

struct shows {
    struct overlay *o;
    struct tree_dir dir;
};

static int check_whiteout(void *arg, int fd, const char *name)
{
    const struct shows *s = arg;
    struct tree_entry entry;

    (void)fd;
    tree_find(s->o, &s->dir, name, &entry);
    return entry.name && !entry.name->node ? 0 : -ENOTEMPTY;
}

int change_only_whiteouts(struct overlay *o, struct overlay_node *dir)
{
    struct shows s = { .o = o, .dir = { .lower = dir->lower, .node = dir } };
    int fd = tree_pin_dir(o, dir);

    if (fd < 0)
        return fd;
    int rc = walk_names(fd, ".", check_whiteout, &s);
    tree_unpin_dir(o, dir);
    return rc;
}

int change_move(struct overlay *o, int from_fd, const char *from, int to_fd, const char *to)
{
    unsigned flags = o->store->has_exchange ? RENAME_NOREPLACE : 0;

    return renameat2(from_fd, from, to_fd, to, flags) ? -errno : 0;
}

/* A directory in place of WHITEOUT where names cannot be exchanged. */
static int put_by_steps(struct overlay *o, int dirfd, const char *work, const char *whiteout)
{
    if (unlinkat(dirfd, whiteout, 0))
        return -errno;
    int rc = change_move(o, o->store->work_fd, work, dirfd, whiteout);
    if (rc && overlay_whiteout_create(o->store, dirfd, whiteout))
        log_error("overlay", "%s: \"%s\", which was deleted, is there again", o->store->path,
                  whiteout);
    return rc;
}

int change_put(struct overlay *o, const struct change_place *place, int dirfd, const char *work,
               bool is_dir)
{
    const char *whiteout = place->entry.name ? place->entry.name->text : NULL;
    int work_fd = o->store->work_fd;

    if (whiteout && !strcmp(whiteout, place->name)) {
        if (!is_dir)
            return renameat(work_fd, work, dirfd, whiteout) ? -errno : 0;
        if (o->store->has_exchange) {
            if (renameat2(work_fd, work, dirfd, whiteout, RENAME_EXCHANGE))
                return -errno;
            CRASH_POINT("put-exchanged");
            (void)unlinkat(work_fd, work, 0); /* a leftover otherwise */
            return 0;
        }
        return put_by_steps(o, dirfd, work, whiteout);
    }
    int rc = change_move(o, work_fd, work, dirfd, place->name);
    if (rc || !whiteout)
        return rc;
    CRASH_POINT("put-beside-whiteout");
    /* Under another spelling. What shows goes before it, so it may as well stay. */
    (void)unlinkat(dirfd, whiteout, 0);
    return 0;
}

void change_clear_work(struct overlay *o, const char *work)
{
    int rc = overlay_remove_tree(o->store->work_fd, work);

    if (rc)
        log_warning("overlay", "%s/work/%s could not be removed: %s", o->store->path, work,
                    strerror(-rc));
}

int change_show(struct overlay *o, struct change_place *place, struct overlay_node *node)
{
    struct overlay_name *added;

    if (place->entry.name)
        tree_remove_name(o, place->entry.name);
    place->entry.name = NULL;
    if (node)
        overlay_node_named(node);
    return tree_add_name(o, place->dir.node, place->name, node, &added);
}

int change_chmod_at(int dirfd, const char *name, mode_t mode)
{
    char path[sizeof "/proc/self/fd/" + 12];
    auto_close int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return chmod(path, mode) ? -errno : 0;
}
