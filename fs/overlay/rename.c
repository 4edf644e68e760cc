/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rename in all combinations of package and upper layer. See overlay.h.
 *
 * What moves is first brought into the upper layer where it is, with the markers its new place
 * needs; nobody can see that. Then one system call decides, or, where a whiteout must stay behind
 * and something is replaced, overlay_move_with_whiteout(), which a crash does not part. A target
 * keeps its spelling, as in a case-folding directory of ext4. Takes ns alone.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/overlay/change.h"
#include "fs/overlay/crash_point.h"
#include "src/fold.h"

struct renaming {
    struct overlay *o;
    struct change_place from, to;
    int from_fd, to_fd; /* the upper directories, pinned */
    bool is_dir, exchange;
    bool same;       /* another spelling of the same name */
    bool short_name; /* to what was its 8.3 name */
    bool leaves_whiteout;
};

/* ---- what is refused ---- */

static bool same_ref(const struct overlay_ref *a, const struct overlay_ref *b)
{
    return a->id == b->id;
}

/* Whether what REF stands for is DIR or above it. */
static bool is_above(struct overlay *o, const struct overlay_ref *ref, struct tree_dir dir)
{
    for (;;) {
        if (dir.node ? dir.node->id == ref->id : (uint64_t)dir.lower + 1 == ref->id)
            return true;
        if (dir.node == o->root || (!dir.node && dir.lower == NODE_ROOT))
            return false;
        if (dir.node && !dir.node->names)
            return false;
        if (dir.node)
            dir.node = dir.node->names->dir;
        else
            dir.node = overlay_node_of(o, package_node(o->package, dir.lower)->parent);
        if (dir.node)
            dir.lower = dir.node->lower;
        else
            dir.lower = package_node(o->package, dir.lower)->parent;
    }
}

/* As the kernel checks, in its order. 1 when there is nothing to do. */
static int check(struct renaming *r, unsigned flags)
{
    struct overlay *o = r->o;
    const struct overlay_ref *from = &r->from.entry.ref, *to = &r->to.entry.ref;
    struct tree_dir dir;

    if (!from->id)
        return -ENOENT;
    if ((flags & RENAME_NOREPLACE) && to->id && !r->same)
        return -EEXIST;
    if (r->exchange && !to->id)
        return -ENOENT;
    r->is_dir = S_ISDIR(change_type(o, from));
    if (r->is_dir && is_above(o, from, r->to.dir))
        return -EINVAL;
    bool to_dir = to->id && S_ISDIR(change_type(o, to));
    if (to_dir && is_above(o, to, r->from.dir))
        return r->exchange ? -EINVAL : -ENOTEMPTY;
    if (!to->id)
        return change_name_check(r->to.name);
    if (same_ref(from, to) && !r->same)
        return 1;
    if (r->exchange || r->same)
        return 0;
    if (r->is_dir != to_dir)
        return to_dir ? -EISDIR : -ENOTDIR;
    if (!to_dir)
        return 0;
    int rc = tree_dir(o, to->id, &dir);
    if (rc)
        return rc;
    return tree_is_empty(o, &dir) ? 0 : -ENOTEMPTY;
}

/* ---- what must be true before it moves ---- */

/* The directory at FROM goes to TO: what of the package shows through it must not depend on its
 * name. */
static int mark_dir(struct overlay *o, const struct change_place *from,
                    const struct change_place *to)
{
    struct overlay_node *node = from->entry.ref.node;
    auto_free char *path = NULL;
    int rc = 0;

    if (node->lower == NODE_NONE && !change_covers(to))
        return 0;
    if (node->lower != NODE_NONE) {
        rc = tree_package_path(o, node->lower, &path);
        if (rc)
            return rc == -ENAMETOOLONG ? -EXDEV : rc; /* programs copy then */
    }
    int fd = tree_pin_dir(o, node);
    if (fd < 0)
        return fd;
    if (path)
        rc = marker_set_at(fd, "", MARKER_REDIRECT, path);
    else
        rc = marker_set_at(fd, "", MARKER_OPAQUE, "y");
    tree_unpin_dir(o, node);
    return rc;
}

static int bring_up(struct renaming *r, const struct change_place *place)
{
    struct overlay_node *node;

    return copy_up_node(r->o, place->entry.ref.id, &node);
}

static int prepare(struct renaming *r)
{
    struct overlay *o = r->o;
    const struct overlay_ref *to = &r->to.entry.ref;

    int rc = copy_up_dir(o, &r->from.dir);
    if (!rc)
        rc = copy_up_dir(o, &r->to.dir);
    if (!rc)
        rc = bring_up(r, &r->from);
    r->leaves_whiteout = change_covers(&r->from) && !r->exchange && !r->same;
    /* A package file under the target is covered by what comes, unless that takes more than one
     * step. */
    if (!rc && to->id && !r->same && (r->exchange || r->leaves_whiteout))
        rc = bring_up(r, &r->to);
    if (rc)
        return rc;
    change_find_again(o, &r->from);
    if (!r->same && !r->short_name)
        change_find_again(o, &r->to);
    if (S_ISDIR(r->from.entry.ref.node->type) && !r->same)
        rc = mark_dir(o, &r->from, &r->to);
    if (!rc && r->exchange && S_ISDIR(r->to.entry.ref.node->type))
        rc = mark_dir(o, &r->to, &r->from);
    if (!rc)
        rc = tree_reserve(o, r->from.dir.node, NAME_MAX_BYTES);
    if (!rc)
        rc = tree_reserve(o, r->to.dir.node, NAME_MAX_BYTES);
    CRASH_POINT("rename-prepared");
    return rc;
}

/* ---- the move on disk ---- */

static int move_plain(const struct renaming *r)
{
    return renameat(r->from_fd, r->from.name, r->to_fd, r->to.name) ? -errno : 0;
}

static int move_exchange(const struct renaming *r)
{
    return renameat2(r->from_fd, r->from.name, r->to_fd, r->to.name, RENAME_EXCHANGE) ? -errno : 0;
}

/* In several steps, of which a crash leaves none or all. Leaves a whiteout behind. */
static int move_by_intent(const struct renaming *r)
{
    struct overlay *o = r->o;
    auto_free char *from_dir = tree_upper_path(o, r->from.dir.node);
    auto_free char *to_dir = tree_upper_path(o, r->to.dir.node);
    auto_free char *from = NULL, *to = NULL;

    if (!from_dir || !to_dir ||
        asprintf(&from, "%s%s%s", from_dir, *from_dir ? "/" : "", r->from.name) < 0) {
        from = NULL;
        return -ENOMEM;
    }
    if (asprintf(&to, "%s%s%s", to_dir, *to_dir ? "/" : "", r->to.name) < 0) {
        to = NULL;
        return -ENOMEM;
    }
    if (r->leaves_whiteout) {
        int rc = overlay_whiteout_mark_dir(r->from_fd);
        if (rc)
            return rc;
    }
    int rc = overlay_move_with_whiteout(o->store, from, to);
    if (!rc && !r->leaves_whiteout)
        (void)unlinkat(r->from_fd, r->from.name, 0); /* hides nothing, so it does no harm */
    return rc;
}

/* Removes the whiteout that the new name makes superfluous, when it has another spelling. */
static void tidy_whiteout(const struct renaming *r)
{
    const struct overlay_name *w = r->to.entry.name;

    if (w && !w->node && strcmp(w->text, r->to.name) != 0)
        (void)unlinkat(r->to_fd, w->text, 0); /* what shows goes before it */
}

/* To where nothing shows. */
static int move_to_nothing(const struct renaming *r)
{
    struct overlay *o = r->o;
    const struct overlay_name *w = r->to.entry.name;
    bool in_the_way = w && !strcmp(w->text, r->to.name);
    int rc;

    if (!r->leaves_whiteout && (!in_the_way || !r->is_dir)) {
        rc = in_the_way ? move_plain(r)
                        : change_move(o, r->from_fd, r->from.name, r->to_fd, r->to.name);
    } else if (!o->store->has_exchange) {
        rc = move_by_intent(r);
    } else {
        rc = r->leaves_whiteout ? overlay_whiteout_mark_dir(r->from_fd) : 0;
        if (!rc && !in_the_way)
            rc = overlay_whiteout_create(o->store, r->to_fd, r->to.name);
        if (rc)
            return rc;
        CRASH_POINT("rename-whiteout-placed");
        rc = move_exchange(r);
        if (rc && !in_the_way)
            (void)unlinkat(r->to_fd, r->to.name, 0);
        CRASH_POINT("rename-exchanged");
        if (!rc && !r->leaves_whiteout)
            (void)unlinkat(r->from_fd, r->from.name, 0); /* hides nothing */
    }
    if (!rc)
        tidy_whiteout(r);
    return rc;
}

/* Onto something that shows and goes. */
static int move_onto(const struct renaming *r)
{
    struct overlay_node *target = r->to.entry.ref.node;
    int rc = 0;

    if (!target || !target->has_upper)
        return change_move(r->o, r->from_fd, r->from.name, r->to_fd, r->to.name);
    if (!r->leaves_whiteout) {
        rc = move_plain(r);
        if (!r->is_dir || (rc != -ENOTEMPTY && rc != -EEXIST))
            return rc;
    }
    /* A directory that shows nothing may hold whiteouts, which no single step takes away. */
    rc = r->is_dir ? change_only_whiteouts(r->o, target) : 0;
    return rc ? rc : move_by_intent(r);
}

/* ---- the same in memory ---- */

/* There is room for all names, so none of this fails. */
static int swap_names(struct renaming *r)
{
    struct overlay_node *from = r->from.entry.ref.node, *to = r->to.entry.ref.node;

    /* Out of the tables first: a directory has one name at most. */
    tree_remove_name(r->o, r->from.entry.name);
    tree_remove_name(r->o, r->to.entry.name);
    r->from.entry.name = r->to.entry.name = NULL;
    int rc = change_show(r->o, &r->from, to);
    return rc ? rc : change_show(r->o, &r->to, from);
}

static int move_name(struct renaming *r)
{
    struct overlay_node *node = r->from.entry.ref.node;

    if (r->same)
        r->to.entry.name = NULL;
    tree_remove_name(r->o, r->from.entry.name);
    r->from.entry.name = NULL;
    int rc = change_show(r->o, &r->to, node);
    if (!rc && r->leaves_whiteout)
        rc = change_show(r->o, &r->from, NULL);
    return rc;
}

/* ---- the kinds ---- */

static int exchange(struct renaming *r)
{
    if (!r->o->store->has_exchange)
        return -EINVAL; /* what a file system without it says */
    int rc = move_exchange(r);
    CRASH_POINT("rename-swapped");
    return rc ? rc : swap_names(r);
}

/* "a" becomes "A". What it covers it covers as before. A crash may have left a whiteout beside it,
 * which hides nothing. */
static int respell(struct renaming *r)
{
    if (xattr_get_at(r->to_fd, r->to.name, MARKER_WHITEOUT, NULL, 0) >= 0 &&
        unlinkat(r->to_fd, r->to.name, 0))
        return -errno;
    int rc = change_move(r->o, r->from_fd, r->from.name, r->to_fd, r->to.name);

    CRASH_POINT("rename-respelled");
    return rc ? rc : move_name(r);
}

static int replace(struct renaming *r)
{
    struct change_doom doom;

    int rc = change_doom(r->o, &r->to.entry.ref, r->to_fd, r->to.name, &doom);
    if (rc)
        return rc;
    rc = move_onto(r);
    if (rc) {
        change_spared(r->o, &doom);
        return rc;
    }
    CRASH_POINT("rename-replaced");
    if (!doom.node) {
        rc = change_doomed(r->o, &doom);
        if (!rc)
            return move_name(r);
        /* The package's file shows again; what came goes back. */
        (void)renameat(r->to_fd, r->to.name, r->from_fd, r->from.name);
        return rc;
    }
    rc = move_name(r);
    return rc ? rc : change_doomed(r->o, &doom);
}

static int move(struct renaming *r)
{
    int rc = move_to_nothing(r);

    CRASH_POINT("rename-moved");
    return rc ? rc : move_name(r);
}

static int rename_pinned(struct renaming *r)
{
    if (r->exchange)
        return exchange(r);
    if (r->same)
        return respell(r);
    return r->to.entry.ref.id ? replace(r) : move(r);
}

/* The same entry: of the same directory, the same upper name, or the same package name. */
static bool same_entry(const struct renaming *r)
{
    const struct change_place *a = &r->from, *b = &r->to;

    return a->dir.node == b->dir.node && a->dir.lower == b->dir.lower && a->entry.ref.id &&
           a->entry.ref.id == b->entry.ref.id && a->entry.name == b->entry.name &&
           a->entry.child == b->entry.child;
}

static int rename_locked(struct renaming *r, uint64_t parent, const char *name, uint64_t new_parent,
                         const char *new_name, unsigned flags)
{
    struct overlay *o = r->o;

    int rc = change_find(o, parent, name, &r->from);
    if (!rc)
        rc = change_find(o, new_parent, new_name, &r->to);
    if (rc)
        return rc;
    change_find_again(o, &r->from); /* reading the other directory may have changed it */
    if (same_entry(r)) {
        if (r->exchange || !strcmp(r->from.name, new_name))
            return flags & RENAME_NOREPLACE ? -EEXIST : 0;
        r->same = fold_equal(r->from.name, strlen(r->from.name), new_name, strlen(new_name));
        r->short_name = !r->same;
        (void)snprintf(r->to.name, sizeof r->to.name, "%s", new_name);
        if (r->short_name) /* a name of its own from now on, which nothing has */
            r->to.entry = (struct tree_entry){ .child = NODE_NONE, .ref.lower = NODE_NONE };
    }
    rc = check(r, flags);
    if (rc)
        return rc > 0 ? 0 : rc;
    rc = prepare(r);
    if (rc)
        return rc;
    r->from_fd = tree_pin_dir(o, r->from.dir.node);
    if (r->from_fd < 0)
        return r->from_fd;
    r->to_fd = tree_pin_dir(o, r->to.dir.node);
    rc = r->to_fd < 0 ? r->to_fd : rename_pinned(r);
    if (r->to_fd >= 0)
        tree_unpin_dir(o, r->to.dir.node);
    tree_unpin_dir(o, r->from.dir.node);
    return rc;
}

int overlay_rename(struct overlay *o, uint64_t parent, const char *name, uint64_t new_parent,
                   const char *new_name, unsigned flags)
{
    struct renaming r = { .o = o, .exchange = flags & RENAME_EXCHANGE };

    if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
        flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    int rc = change_begin(o);
    if (rc)
        return rc;
    rc = rename_locked(&r, parent, name, new_parent, new_name, flags);
    change_end(o);
    return rc;
}
