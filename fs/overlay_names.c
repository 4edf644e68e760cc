/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of names. See overlay_names.h.
 *
 * When the kernel may know what is changed by a spelling that is not in the request, either because
 * such a spelling was handed out (alias.h) or because what is listed is spelled otherwise, all its
 * names are made old: it asks again for each before it is used next. That is rare and takes no lock
 * in the kernel. One that cannot do this was told to remember listed spellings only, and a thread
 * of ours has it forget that one.
 */
#include "config.h"

#include "fs/overlay_names.h"

#include <stdlib.h>
#include <string.h>

#include "fs/alias.h"
#include "fs/forgetter.h"
#include "fs/overlay_list.h"
#include "fs/overlay_ops.h"
#include "fs/session_io.h"
#include "src/fold.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE  2
#endif

/* A name that is about to be changed. */
struct target {
    uint64_t dir;
    const char *name;
    uint64_t id;                     /* what it stands for, or 0 */
    bool otherwise;                  /* that is listed under another spelling */
    char listed[NAME_MAX_BYTES + 1]; /* which, for a kernel that is told name by name; or "" */
};

struct search {
    struct target *target;
    bool short_name;
};

static bool find_spelling(void *arg, const char *name, const struct overlay_ref *ref,
                          const struct stat *st, uint64_t next)
{
    const struct search *s = arg;
    struct target *t = s->target;
    size_t len = strlen(name);

    (void)st, (void)next;
    if (ref->id != t->id || len >= sizeof t->listed ||
        (!s->short_name && !fold_equal(name, len, t->name, strlen(t->name))))
        return true;
    memcpy(t->listed, name, len + 1);
    return false;
}

/* Looks at what a change will be made to. Errors are left to the change itself. */
static void target_init(struct vfs *v, struct target *t, fuse_ino_t dir, const char *name)
{
    struct overlay_ref ref;

    t->dir = vfs_id(dir);
    t->name = name;
    t->id = 0;
    t->otherwise = false;
    t->listed[0] = 0;
    if (v->options->case_sensitive || overlay_lookup(v->overlay, t->dir, name, &ref, NULL) ||
        !ref.id)
        return;
    t->id = ref.id;
    t->otherwise = ref.other_spelling;
    struct search s = { t, ref.short_name };
    if (t->otherwise && v->forgetter &&
        overlay_list(v->overlay, t->dir, 0, false, find_spelling, &s))
        t->listed[0] = 0;
}

/* Whether the kernel may know another spelling of T, which was changed. */
static bool known_otherwise(struct vfs *v, const struct target *t)
{
    bool noted = v->aliases && alias_changed(v->aliases, t->dir, t->name, strlen(t->name));

    if (v->forgetter && t->listed[0]) {
        forgetter_add(v->forgetter, t->dir, t->listed);
        forgetter_add(v->forgetter, t->dir, t->name); /* a rename has left what is not listed */
    }
    return noted || t->otherwise;
}

static void forget_names(struct vfs *v)
{
    if (!v->aliases)
        return;
    alias_clear(v->aliases); /* first: what is noted from now on the kernel may have for longer */
    (void)session_io_forget_names(v);
}

static void target_changed(struct vfs *v, const struct target *t)
{
    if (known_otherwise(v, t))
        forget_names(v);
}

/* NAME is new in DIR; there was nothing to be found under any spelling. */
static void name_made(struct vfs *v, fuse_ino_t dir, const char *name)
{
    if (v->aliases && alias_changed(v->aliases, vfs_id(dir), name, strlen(name)))
        forget_names(v);
}

static struct overlay_caller caller_of(fuse_req_t req)
{
    const struct fuse_ctx *c = fuse_req_ctx(req);

    return (struct overlay_caller){ c->uid, c->gid };
}

/* Ends an operation that made NAME. */
static void reply_made(fuse_req_t req, fuse_ino_t parent, const char *name, int rc,
                       const struct overlay_ref *ref, const struct stat *st)
{
    struct vfs *v = vfs_of(req);
    struct fuse_entry_param entry;

    if (rc) {
        overlay_reply_error(req, vfs_id(parent), "creation in", rc);
        return;
    }
    name_made(v, parent, name);
    overlay_entry(ref, st, FOREVER_S, &entry);
    overlay_remember(v->overlay, ref->id, 1);
    if (fuse_reply_entry(req, &entry))
        overlay_forget(v->overlay, ref->id, 1);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *fi)
{
    struct vfs *v = vfs_of(req);
    const struct overlay_caller c = caller_of(req);
    struct fuse_entry_param entry;
    struct overlay_ref ref;
    struct stat st;

    if (overlay_refuses_change(req))
        return;
    int rc = overlay_create(v->overlay, vfs_id(parent), name, mode, &c, &ref, &st);
    if (rc) {
        overlay_reply_error(req, vfs_id(parent), "creation in", rc);
        return;
    }
    name_made(v, parent, name);
    overlay_entry(&ref, &st, FOREVER_S, &entry);
    fi->fh = 0;
    fi->keep_cache = 1;
    overlay_remember(v->overlay, ref.id, 1);
    if (fuse_reply_create(req, &entry, fi))
        overlay_forget(v->overlay, ref.id, 1);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    const struct overlay_caller c = caller_of(req);
    struct overlay_ref ref;
    struct stat st;

    (void)rdev; /* there are no devices */
    if (overlay_refuses_change(req))
        return;
    int rc = overlay_mknod(vfs_of(req)->overlay, vfs_id(parent), name, mode, &c, &ref, &st);
    reply_made(req, parent, name, rc, &ref, &st);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    const struct overlay_caller c = caller_of(req);
    struct overlay_ref ref;
    struct stat st;

    if (overlay_refuses_change(req))
        return;
    int rc = overlay_mkdir(vfs_of(req)->overlay, vfs_id(parent), name, mode, &c, &ref, &st);
    reply_made(req, parent, name, rc, &ref, &st);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    const struct overlay_caller c = caller_of(req);
    struct overlay_ref ref;
    struct stat st;

    if (overlay_refuses_change(req))
        return;
    int rc = overlay_symlink(vfs_of(req)->overlay, vfs_id(parent), name, target, &c, &ref, &st);
    reply_made(req, parent, name, rc, &ref, &st);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    struct overlay_ref ref;
    struct stat st;

    if (overlay_refuses_change(req))
        return;
    int rc = overlay_link(vfs_of(req)->overlay, vfs_id(ino), vfs_id(parent), name, &ref, &st);
    reply_made(req, parent, name, rc, &ref, &st);
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name,
                        int (*remove)(struct overlay *o, uint64_t parent, const char *name))
{
    struct vfs *v = vfs_of(req);
    struct target t;

    if (overlay_refuses_change(req))
        return;
    target_init(v, &t, parent, name);
    int rc = remove(v->overlay, t.dir, name);
    if (!rc)
        target_changed(v, &t);
    overlay_reply_error(req, t.dir, "removal in", rc);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    remove_name(req, parent, name, overlay_unlink);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    remove_name(req, parent, name, overlay_rmdir);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                      const char *new_name, unsigned flags)
{
    struct vfs *v = vfs_of(req);
    struct target from, to;

    if (overlay_refuses_change(req))
        return;
    if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE)) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    target_init(v, &from, parent, name);
    target_init(v, &to, new_parent, new_name);
    int rc = overlay_rename(v->overlay, from.dir, name, to.dir, new_name, flags);
    if (!rc) {
        bool from_known = known_otherwise(v, &from), to_known = known_otherwise(v, &to);
        if (from_known || to_known)
            forget_names(v);
        /* The kernel counted the lost link on the transient node (see vfs.h). Asks for attributes
         * only, which needs no lock that a change may hold. */
        if (to.id && to.id != from.id && to.otherwise)
            (void)fuse_lowlevel_notify_inval_inode(v->session, to.id, -1, 0);
    }
    overlay_reply_error(req, from.dir, "rename in", rc);
}

void overlay_names_fill(struct fuse_lowlevel_ops *ops)
{
    ops->create = op_create;
    ops->mknod = op_mknod;
    ops->mkdir = op_mkdir;
    ops->symlink = op_symlink;
    ops->link = op_link;
    ops->unlink = op_unlink;
    ops->rmdir = op_rmdir;
    ops->rename = op_rename;
}
