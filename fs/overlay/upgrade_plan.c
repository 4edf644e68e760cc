/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is to be done by an upgrade. See upgrade_plan.h. */
#include "config.h"

#include "fs/overlay/upgrade_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/overlay/partial.h"
#include "fs/overlay/walk.h"
#include "src/fold.h"
#include "src/log.h"

#define OVERLAY_LOG    "overlay"
#define PATH_BYTES_MAX 65536u /* as deep as relative names can lead; not PATH_MAX */

/* A whiteout over a file that the package overrides. */
struct cover {
    uint32_t node;
    char *path;
};

struct planner {
    struct overlay_store *store;
    const struct package *package;
    bool case_sensitive;
    struct upgrade_plan *plan;
    struct upgrade_report *report;
    struct cover *covers;
    size_t cover_count, cover_room;
    struct err *e;
};

void upgrade_paths_add(struct upgrade_paths *p, const char *path)
{
    if (p->count < UPGRADE_PATHS)
        p->paths[p->count] = strdup(path);
    p->count++;
}

int upgrade_state_of(const struct package *package, const struct partial_mark *mark, uint64_t size,
                     bool following, struct upgrade_state *out)
{
    const struct package_info *info = package_info(package);
    uint8_t content[sizeof mark->content];

    *out = (struct upgrade_state){
        .node = package_resolve(package, mark->path, true),
        .untouched = !mark->map && (size == mark->size || following),
    };
    if (out->node == NODE_NONE && !info->case_sensitive)
        out->node = package_resolve(package, mark->path, false);
    if (out->node != NODE_NONE && (package_node(package, out->node)->flags & NODE_DIR))
        out->node = NODE_NONE;
    if (out->node == NODE_NONE)
        return 0;
    int rc = partial_fingerprint(package, out->node, content);
    out->same = !rc && package_node(package, out->node)->size == mark->size &&
                !memcmp(content, mark->content, sizeof content);
    return rc;
}

void upgrade_plan_free(struct upgrade_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->items[i].path);
    free(plan->items);
    *plan = (struct upgrade_plan){ .items = NULL };
}

/* Takes PATH over, also after an error. */
static int add_item(struct planner *p, enum upgrade_step step, char *path, uint32_t node,
                    uint64_t need, bool from_new)
{
    struct upgrade_plan *plan = p->plan;

    if (path && plan->count == plan->room) {
        size_t room = plan->room ? 2 * plan->room : 64;
        struct upgrade_item *more = reallocarray(plan->items, room, sizeof *more);

        if (!more) {
            free(path);
            path = NULL;
        } else {
            plan->items = more;
            plan->room = room;
        }
    }
    if (!path)
        return err_nomem(p->e);
    plan->items[plan->count++] = (struct upgrade_item){
        .step = step, .path = path, .node = node, .need = need, .from_new = from_new
    };
    return 0;
}

static char *join(const char *dir, const char *name)
{
    char *out;

    return asprintf(&out, "%s%s%s", dir, *dir ? "/" : "", name) < 0 ? NULL : out;
}

/* The child of package directory LOWER that NAME in the upper layer covers. */
static uint32_t covered(const struct planner *p, uint32_t lower, const char *name)
{
    size_t len = strlen(name);
    uint32_t child = lower == NODE_NONE
                         ? NODE_NONE
                         : package_lookup(p->package, lower, name, len, p->case_sensitive);
    const char *own = child == NODE_NONE ? "" : package_name(p->package, child);

    /* Not by its 8.3 name. */
    return child != NODE_NONE && fold_equal(own, strlen(own), name, len) ? child : NODE_NONE;
}

static bool is_dir(const struct planner *p, uint32_t node)
{
    return node != NODE_NONE && (package_node(p->package, node)->flags & NODE_DIR);
}

static bool is_override(const struct planner *p, uint32_t node)
{
    return node != NODE_NONE && !is_dir(p, node) &&
           (package_node(p->package, node)->flags & NODE_OVERRIDE);
}

/* *lower: the package directory that shows through. */
static int visit_dir(struct planner *p, const struct walk_dir *dir, const char *name,
                     const struct markers *m, uint32_t *lower)
{
    *lower = NODE_NONE;
    if (strlen(dir->path) + strlen(name) + 2 > PATH_BYTES_MAX)
        return err_set(p->e, ERR_LIMIT, "%s/files: directories are nested too deep: %.100s...",
                       p->store->path, dir->path);
    if (m->redirect) {
        *lower = package_resolve(p->package, m->redirect, p->case_sensitive);
        if (!is_dir(p, *lower)) {
            log_warning(OVERLAY_LOG,
                        "%s/files/%s%s%s: was the package's directory %s, which this version "
                        "does not have; only what was changed in it is left",
                        p->store->path, dir->path, *dir->path ? "/" : "", name, m->redirect);
            p->report->lost_dirs++;
            *lower = NODE_NONE;
        }
    } else if (!m->opaque) {
        *lower = covered(p, dir->cookie, name);
        if (!is_dir(p, *lower))
            *lower = NODE_NONE;
    }
    return 0;
}

static int visit_whiteout(struct planner *p, const struct walk_dir *dir, const char *name)
{
    uint32_t node = covered(p, dir->cookie, name);

    if (!is_override(p, node))
        return 0;
    if (p->cover_count == p->cover_room) {
        size_t room = p->cover_room ? 2 * p->cover_room : 16;
        struct cover *more = reallocarray(p->covers, room, sizeof *more);

        if (!more)
            return err_nomem(p->e);
        p->covers = more;
        p->cover_room = room;
    }
    p->covers[p->cover_count] = (struct cover){ .node = node, .path = join(dir->path, name) };
    return p->covers[p->cover_count++].path ? 0 : err_nomem(p->e);
}

static uint64_t lower_bytes(struct partial *partial)
{
    struct span64 span;
    uint64_t sum = 0;

    for (uint64_t off = 0; partial_next_lower(partial, off, &span); off = span.off + span.len)
        sum += span.len;
    return sum;
}

/* How many bytes of the package the file at DIRFD, NAME still needs. -EBADMSG: what is in it
 * cannot be told any more. */
static int missing_bytes(struct planner *p, int dirfd, const char *name, uint64_t size,
                         const struct partial_mark *mark, uint64_t *out)
{
    auto_close int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct partial *partial = NULL;
    struct err e = { 0 };
    int rc;

    if (fd < 0)
        return err_sys(p->e, "%s", name);
    rc = partial_open(p->store, fd, size, mark, &partial, &e);
    if (!rc)
        *out = lower_bytes(partial);
    partial_free(partial);
    if (rc && e.kind == ERR_CORRUPT)
        return -EBADMSG;
    if (rc && p->e)
        *p->e = e;
    return rc;
}

static int visit_partial(struct planner *p, int dirfd, const char *path, const char *name,
                         const struct stat *st, const struct markers *m, bool aside,
                         uint32_t override)
{
    struct upgrade_state state;
    uint64_t need = 0;
    auto_free char *own = NULL;
    bool following = false;
    following = xattr_get_at(dirfd, name, MARKER_FOLLOW, NULL, 0) >= 0;
    int rc = upgrade_state_of(p->package, &m->partial, (uint64_t)st->st_size, following, &state);
    if (rc)
        return err_nomem(p->e);
    if (aside && state.untouched)
        return add_item(p, STEP_ASIDE, strdup(path), override, 0, false);
    if (!aside && state.same && !following) {
        own = package_path(p->package, state.node);
        if (!own)
            return err_nomem(p->e);
        p->report->kept++;
        if (m->partial.path[0] == '/' && !strcmp(own, m->partial.path + 1))
            return 0;
        return add_item(p, STEP_RENAME, strdup(path), state.node, 0, false);
    }
    if (!aside && state.untouched && state.node != NODE_NONE)
        return add_item(p, STEP_FOLLOW, strdup(path), state.node, 0, false);
    rc = missing_bytes(p, dirfd, name, following ? m->partial.size : (uint64_t)st->st_size,
                       &m->partial, &need);
    if (rc == -EBADMSG) {
        log_warning(OVERLAY_LOG, "%s/files/%s: its map is damaged; left as it is", p->store->path,
                    path);
        p->report->damaged++;
        return aside ? add_item(p, STEP_ASIDE, strdup(path), override, 0, false) : 0;
    }
    if (rc) {
        err_wrap(p->e, "%s/files/%s", p->store->path, path);
        return rc;
    }
    return add_item(p, aside ? STEP_ASIDE : STEP_COMPLETE, strdup(path),
                    aside ? override : NODE_NONE, need, aside && state.same);
}

static int visit_file(struct planner *p, const struct walk_dir *dir, const char *name,
                      const struct stat *st, const struct markers *m)
{
    auto_free char *path = NULL;
    uint32_t override = covered(p, dir->cookie, name);

    if (m->whiteout)
        return visit_whiteout(p, dir, name);
    if (!is_override(p, override) && m->origin)
        override = package_resolve(p->package, m->origin, p->case_sensitive);
    if (!is_override(p, override) && !m->has_partial)
        return 0;
    path = join(dir->path, name);
    if (!path)
        return err_nomem(p->e);
    if (m->has_partial)
        return visit_partial(p, dir->fd, path, name, st, m, is_override(p, override), override);
    return add_item(p, STEP_ASIDE, steal_ptr(&path), override, 0, false);
}

/* The cookie of a directory is the package directory that shows through, or NODE_NONE. */
static int visit(void *arg, const struct walk_dir *dir, const char *name, const struct stat *st,
                 uint32_t *cookie)
{
    struct planner *p = arg;
    struct markers m;
    int rc;

    if ((!S_ISDIR(st->st_mode) && !S_ISREG(st->st_mode)) || st->st_dev != p->store->dev)
        return 0;
    rc = markers_read(dir->fd, name, st, &m);
    if (rc && rc != -EINVAL) {
        errno = -rc;
        rc = err_sys(p->e, "%s/files/%s/%s: markers", p->store->path, dir->path, name);
    } else if (S_ISDIR(st->st_mode)) {
        rc = visit_dir(p, dir, name, &m, cookie);
    } else {
        rc = visit_file(p, dir, name, st, &m);
    }
    markers_clear(&m);
    return rc;
}

static int compare_items(const void *a, const void *b)
{
    const struct upgrade_item *x = a, *y = b;

    return x->step != y->step ? (x->step > y->step) - (x->step < y->step)
                              : strcmp(x->path, y->path);
}

/* Where a file was renamed away that is put aside now, the package's shows again. */
static int add_reveals(struct planner *p)
{
    auto_free bool *aside = NULL;
    int rc = 0;

    if (!p->cover_count)
        return 0;
    aside = calloc(package_info(p->package)->node_count, sizeof *aside);
    if (!aside)
        return err_nomem(p->e);
    for (size_t i = 0; i < p->plan->count; i++)
        if (p->plan->items[i].step == STEP_ASIDE)
            aside[p->plan->items[i].node] = true;
    for (size_t i = 0; !rc && i < p->cover_count; i++)
        if (aside[p->covers[i].node])
            rc = add_item(p, STEP_REVEAL, steal_ptr(&p->covers[i].path), p->covers[i].node, 0,
                          false);
    return rc;
}

int upgrade_plan_make(struct overlay_store *s, const struct package *package, bool case_sensitive,
                      struct upgrade_plan *plan, struct upgrade_report *r, struct err *e)
{
    struct planner p = {
        .store = s,
        .package = package,
        .case_sensitive = case_sensitive,
        .plan = plan,
        .report = r,
        .e = e,
    };
    struct walk w = { .at = s->files_fd, .fn = visit, .arg = &p, .e = e };
    auto_free char *called = NULL;
    int rc;

    *plan = (struct upgrade_plan){ .items = NULL };
    w.called = called = join(s->path, "files");
    rc = called ? walk_tree(&w, "", NODE_ROOT) : err_nomem(e);
    if (!rc)
        rc = add_reveals(&p);
    for (size_t i = 0; i < p.cover_count; i++)
        free(p.covers[i].path);
    free(p.covers);
    if (plan->count)
        qsort(plan->items, plan->count, sizeof *plan->items, compare_items);
    return rc;
}
