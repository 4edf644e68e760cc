/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names taken away: unlink and rmdir. See overlay.h. A name the package has too is replaced by a
 * whiteout in one step. Takes ns alone.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/overlay/change.h"
#include "fs/overlay/crash_point.h"
#include "src/log.h"

/* A whiteout in work/, to replace something in DIRFD. */
static int prepare_whiteout(struct overlay *o, int dirfd, char work[WORK_NAME_MAX])
{
    int rc = overlay_whiteout_mark_dir(dirfd);

    return rc ? rc : overlay_whiteout_prepare(o->store, work);
}

/* The upper file at PLACE. */
static int remove_file(struct overlay *o, const struct change_place *place, int dirfd)
{
    char work[WORK_NAME_MAX];

    if (!change_covers(place))
        return unlinkat(dirfd, place->name, 0) ? -errno : 0;
    int rc = prepare_whiteout(o, dirfd, work);
    if (rc)
        return rc;
    CRASH_POINT("remove-whiteout-made");
    if (!renameat(o->store->work_fd, work, dirfd, place->name))
        return 0;
    rc = -errno;
    (void)unlinkat(o->store->work_fd, work, 0);
    return rc;
}

/* Moves the upper directory at PLACE to work/, a whiteout to its place if one is needed, and
 * removes it there. */
static int remove_dir_aside(struct overlay *o, const struct change_place *place, int dirfd)
{
    char work[WORK_NAME_MAX];
    int rc, work_fd = o->store->work_fd;

    if (change_covers(place) && o->store->has_exchange) {
        rc = prepare_whiteout(o, dirfd, work);
        if (rc)
            return rc;
        CRASH_POINT("remove-whiteout-made");
        if (renameat2(work_fd, work, dirfd, place->name, RENAME_EXCHANGE)) {
            rc = -errno;
            (void)unlinkat(work_fd, work, 0);
            return rc;
        }
    } else {
        overlay_work_name(o->store, work);
        rc = change_move(o, dirfd, place->name, work_fd, work);
        if (!rc && change_covers(place)) {
            rc = overlay_whiteout_create(o->store, dirfd, place->name);
            if (rc && renameat(work_fd, work, dirfd, place->name))
                log_error("overlay", "%s: the deleted \"%s\" is there again", o->store->path,
                          place->name);
        }
        if (rc)
            return rc;
    }
    CRASH_POINT("remove-dir-aside");
    change_clear_work(o, work);
    return 0;
}

/* The upper directory at PLACE, which shows nothing. */
static int remove_dir(struct overlay *o, const struct change_place *place, int dirfd)
{
    if (!change_covers(place)) {
        if (!unlinkat(dirfd, place->name, AT_REMOVEDIR))
            return 0;
        if (errno != ENOTEMPTY && errno != EEXIST)
            return -errno;
    }
    int rc = change_only_whiteouts(o, place->entry.ref.node);
    return rc ? rc : remove_dir_aside(o, place, dirfd);
}

/* Takes back the whiteout of an unchanged package node. */
static int undo(struct overlay *o, const struct change_place *place, int dirfd, int rc)
{
    (void)o;
    (void)unlinkat(dirfd, place->name, 0);
    return rc;
}

static int remove_there(struct overlay *o, struct change_place *place, int dirfd, bool is_dir)
{
    struct change_doom doom;

    int rc = change_doom(o, &place->entry.ref, dirfd, place->name, &doom);
    if (rc)
        return rc;
    if (!doom.node)
        rc = overlay_whiteout_create(o->store, dirfd, place->name);
    else
        rc = is_dir ? remove_dir(o, place, dirfd) : remove_file(o, place, dirfd);
    if (rc) {
        change_spared(o, &doom);
        return rc;
    }
    CRASH_POINT("remove-done");
    if (!doom.node) {
        rc = change_doomed(o, &doom);
        return rc ? undo(o, place, dirfd, rc) : change_show(o, place, NULL);
    }
    if (change_covers(place))
        rc = change_show(o, place, NULL);
    else
        tree_remove_name(o, place->entry.name);
    return rc ? rc : change_doomed(o, &doom);
}

static int check(struct overlay *o, const struct change_place *place, bool is_dir)
{
    struct tree_dir dir;

    if (!change_shows(place))
        return -ENOENT;
    if (is_dir != S_ISDIR(change_type(o, &place->entry.ref)))
        return is_dir ? -ENOTDIR : -EISDIR;
    if (!is_dir)
        return 0;
    int rc = tree_dir(o, place->entry.ref.id, &dir);
    if (rc)
        return rc;
    return tree_is_empty(o, &dir) ? 0 : -ENOTEMPTY;
}

static int remove_locked(struct overlay *o, uint64_t parent, const char *name, bool is_dir)
{
    struct change_place place;

    int rc = change_find(o, parent, name, &place);
    if (!rc)
        rc = check(o, &place, is_dir);
    if (!rc)
        rc = copy_up_dir(o, &place.dir);
    if (!rc)
        rc = tree_reserve(o, place.dir.node, strlen(place.name));
    if (rc)
        return rc;
    int dirfd = tree_pin_dir(o, place.dir.node);
    if (dirfd < 0)
        return dirfd;
    rc = remove_there(o, &place, dirfd, is_dir);
    tree_unpin_dir(o, place.dir.node);
    return rc;
}

int overlay_unlink(struct overlay *o, uint64_t parent, const char *name)
{
    int rc = change_begin(o);

    if (rc)
        return rc;
    rc = remove_locked(o, parent, name, false);
    change_end(o);
    return rc;
}

int overlay_rmdir(struct overlay *o, uint64_t parent, const char *name)
{
    int rc = change_begin(o);

    if (rc)
        return rc;
    rc = remove_locked(o, parent, name, true);
    change_end(o);
    return rc;
}
