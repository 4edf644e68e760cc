/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Throwing changes away. See reset.h. */
#include "config.h"

#include "fs/overlay/reset.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "fs/overlay/crash_point.h"
#include "fs/overlay/walk.h"

/* The entry PATH leads to, or the deleted or replaced directory on the way. */
static uint32_t resolve(const struct upper *u, const char *path, bool *through, struct err *e)
{
    uint32_t at = UPPER_ROOT;

    *through = false;
    while (*path) {
        size_t len = strcspn(path, "/\\");

        if (len == 2 && path[0] == '.' && path[1] == '.') {
            (void)err_set(e, ERR_INVALID, "'..' is not possible in a path inside the package");
            return UPPER_NONE;
        }
        if (len && !(len == 1 && *path == '.')) {
            if (!upper_is_dir(&u->entries[at])) {
                *through = true;
                return at;
            }
            at = upper_find(u, at, path, len);
            if (at == UPPER_NONE) {
                (void)err_set(e, ERR_NOT_FOUND, "nothing is changed there");
                return UPPER_NONE;
            }
        }
        path += len + (path[len] != '\0');
    }
    return at;
}

static int plan_path(const struct upper *u, const char *path, struct reset_plan *out, struct err *e)
{
    bool through;
    uint32_t top = resolve(u, path, &through, e);

    if (top == UPPER_NONE) {
        err_wrap(e, "%s", path);
        return -err_kind_errno(e->kind);
    }
    if (top == UPPER_ROOT)
        return err_set(e, ERR_INVALID, "'%s' is everything; --all resets that", path);
    if (through) {
        auto_free char *above = upper_path(u, top);

        return err_set(e, ERR_INVALID, "%s: %s was %s; reset that", path, above ? above : "?",
                       u->entries[top].markers.whiteout ? "deleted or moved" : "replaced");
    }
    for (uint32_t i = top; i != UPPER_NONE; i = upper_next(u, top, i, true))
        out->remove[i] = true;
    return 0;
}

/* Whether entry I, which stays, is another name of a file that goes. */
static bool shares_file(const struct upper_entry *a, const struct upper_entry *b)
{
    return a->st.st_nlink > 1 && a->st.st_ino == b->st.st_ino && a->st.st_dev == b->st.st_dev;
}

/* Whether a name of ENTRY's file stays. */
static bool has_other_name(const struct upper *u, const struct reset_plan *p, uint32_t entry)
{
    const struct upper_entry *n = &u->entries[entry];

    if (n->st.st_nlink < 2 || !S_ISREG(n->st.st_mode))
        return false;
    for (uint32_t i = 1; i < u->count; i++)
        if (!p->remove[i] && shares_file(n, &u->entries[i]))
            return true;
    return false;
}

/* What goes and has a home elsewhere: the whiteout there goes, too. What stays must not be shown
 * twice. */
static int plan_homes(const struct upper *u, const struct diff *d, struct reset_plan *p,
                      struct err *e)
{
    for (uint32_t i = 1; i < u->count; i++) {
        const char *home = diff_home(d, i);
        uint32_t hider;
        bool in_place;

        if (!home)
            continue;
        hider = diff_hider(d, home, &in_place);
        if (hider == UPPER_NONE || in_place)
            continue;
        if (!p->remove[i] && p->remove[hider]) {
            auto_free char *to = upper_path(u, i);

            return err_set(
                e, ERR_INVALID,
                "%s of the package is %s now; reset that, too, or it would be there twice",
                home + 1, to ? to : "?");
        }
        if (p->remove[i] && !p->remove[hider] && u->entries[hider].markers.whiteout &&
            !has_other_name(u, p, i)) {
            const char *parent = diff_lower(d, u->entries[hider].parent);
            const char *slash = strrchr(home, '/');

            /* Only its own whiteout: a directory above that was deleted stays so. */
            if (parent && slash && strlen(parent) == (size_t)(slash - home))
                p->unhide[hider] = true;
        }
    }
    return 0;
}

int reset_plan(const struct upper *u, const struct diff *d, char *const *paths, size_t path_count,
               struct reset_plan *out, struct err *e)
{
    int rc = 0;

    *out = (struct reset_plan){ .count = u->count };
    out->remove = calloc(u->count, sizeof *out->remove);
    out->unhide = calloc(u->count, sizeof *out->unhide);
    if (!out->remove || !out->unhide)
        rc = err_nomem(e);
    for (size_t i = 0; !rc && i < path_count; i++)
        rc = plan_path(u, paths[i], out, e);
    if (!rc)
        rc = plan_homes(u, d, out, e);
    if (rc)
        reset_plan_clear(out);
    return rc;
}

void reset_plan_clear(struct reset_plan *p)
{
    free(p->remove);
    free(p->unhide);
    *p = (struct reset_plan){ 0 };
}

/* Takes NAME out of DIR; the directory's time stays, since the user did not change it. */
static int take_out(struct overlay_store *s, int dir, const char *name, struct err *e)
{
    char work[WORK_NAME_MAX];
    struct stat before;
    int rc;

    if (fstat(dir, &before))
        return err_sys(e, "%s", name);
    overlay_work_name(s, work);
    if (renameat(dir, name, s->work_fd, work))
        return err_sys(e, "%s", name);
    (void)futimens(dir, (struct timespec[2]){ before.st_atim, before.st_mtim }); /* a nicety */
    CRASH_POINT("reset-taken-out");
    rc = overlay_remove_tree(s->work_fd, work);
    if (rc) {
        errno = -rc;
        return err_sys(e, "%s", name);
    }
    return 0;
}

static int take_out_entry(struct overlay_store *s, const struct upper *u, uint32_t entry,
                          struct err *e)
{
    auto_close int dir = upper_open(s, u, u->entries[entry].parent, O_RDONLY | O_DIRECTORY, e);

    return dir < 0 ? dir : take_out(s, dir, u->entries[entry].name, e);
}

static void remove_map(struct overlay_store *s, uint64_t number)
{
    char name[20];

    (void)snprintf(name, sizeof name, "%016" PRIx64, number);
    if (s->maps_fd >= 0)
        (void)unlinkat(s->maps_fd, name, 0); /* one that is left is found at the next unclean end */
}

int reset_paths(struct overlay_store *s, const struct upper *u, const struct reset_plan *p,
                struct err *e)
{
    int rc = 0;

    /* First the old places: in between a thing shows twice, which is better than not at all. */
    for (uint32_t i = 1; !rc && i < u->count; i++)
        if (p->unhide[i])
            rc = take_out_entry(s, u, i, e);
    CRASH_POINT("reset-unhidden");
    for (uint32_t i = 1; !rc && i < u->count; i++)
        if (p->remove[i] && !p->remove[u->entries[i].parent])
            rc = take_out_entry(s, u, i, e);
    for (uint32_t i = 1; !rc && i < u->count; i++) {
        const struct markers *m = &u->entries[i].markers;

        if (p->remove[i] && m->has_partial && m->partial.map && !has_other_name(u, p, i))
            remove_map(s, m->partial.map);
    }
    return rc;
}

static int remove_name(void *arg, int fd, const char *name)
{
    (void)arg;
    return overlay_remove_tree(fd, name);
}

/* Removes all that is in directory FD. */
static int empty_dir(int fd, struct err *e)
{
    int rc = walk_names(fd, ".", remove_name, NULL);

    errno = -rc;
    return rc ? err_sys(e, "overlay directory") : 0;
}

static int remove_rest(struct overlay_store *s, struct err *e)
{
    int rc = overlay_remove_tree(s->dir_fd, "aside");

    if (rc) {
        errno = -rc;
        return err_sys(e, "%s", s->path);
    }
    return s->maps_fd >= 0 ? empty_dir(s->maps_fd, e) : 0;
}

/* On a full disk, where not even an empty directory can be made: name by name. What is left on the
 * way is an overlay, too, and resetting it again goes on. */
static int reset_in_place(struct overlay_store *s, struct err *e)
{
    int rc = empty_dir(s->files_fd, e);

    (void)fremovexattr(s->files_fd, MARKER_OPAQUE); /* it need not be there */
    return rc ? rc : remove_rest(s, e);
}

/*
 * A new, empty upper layer takes the old one's place in one step where the file system can; the
 * rest is leftovers. The store's descriptor still leads to the old one: nothing but closing may
 * follow.
 */
int reset_all(struct overlay_store *s, struct err *e)
{
    char work[WORK_NAME_MAX];
    struct stat st;
    int rc;

    if (fstat(s->files_fd, &st))
        return err_sys(e, "%s/files", s->path);
    overlay_work_name(s, work);
    if (mkdirat(s->work_fd, work, 0700)) {
        if (errno == ENOSPC || errno == EDQUOT)
            return reset_in_place(s, e);
        return err_sys(e, "%s/work", s->path);
    }
    if (fchmodat(s->work_fd, work, (st.st_mode & 0777) | 0700, 0))
        return err_sys(e, "%s/work", s->path);
    if (renameat2(s->work_fd, work, s->dir_fd, "files", RENAME_EXCHANGE)) {
        char old[WORK_NAME_MAX];

        overlay_work_name(s, old);
        if (renameat(s->dir_fd, "files", s->work_fd, old) ||
            renameat(s->work_fd, work, s->dir_fd, "files"))
            return err_sys(e, "%s/files", s->path);
        memcpy(work, old, sizeof work);
    }
    CRASH_POINT("reset-exchanged");
    rc = overlay_remove_tree(s->work_fd, work);
    if (rc) {
        errno = -rc;
        return err_sys(e, "%s", s->path);
    }
    return remove_rest(s, e);
}
