/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking up and listing with an overlay. See overlay_list.h.
 *
 * Each entry the kernel is given counts as one reference to the node until it forgets it; one that
 * did not reach the kernel, because the request was interrupted, is taken back.
 */
#include "config.h"

#include "fs/overlay_list.h"

#include <linux/fs.h>
#include <string.h>

#include "fs/alias.h"
#include "fs/caller.h"
#include "fs/overlay_ops.h"

#ifndef FS_CASEFOLD_FL
#define FS_CASEFOLD_FL 0x40000000 /* linux/fs.h of old kernels */
#endif

enum {
    LISTING_MAX = 64 * 1024,
    ENTRY_MIN = 128, /* bytes an entry of READDIRPLUS takes at least */
};

void overlay_entry(const struct overlay_ref *ref, const struct stat *st, double timeout,
                   struct fuse_entry_param *entry)
{
    *entry = (struct fuse_entry_param){
        .ino = ref->id,
        .generation = 1,
        .attr = *st,
        .attr_timeout = FOREVER_S,
        .entry_timeout = timeout,
    };
}

/* How long the kernel may remember what NAME stands for when it is not listed by that spelling.
 * An 8.3 name stands for another file when files come and go; nothing is noted of those. */
static double other_spelling_timeout(struct vfs *v, uint64_t ticket, uint64_t dir, const char *name,
                                     bool short_name)
{
    if (v->options->case_sensitive && !short_name)
        return FOREVER_S;
    if (short_name || strchr(name, '~') || !v->aliases)
        return 0;
    return alias_note(v->aliases, ticket, dir, name, strlen(name)) ? FOREVER_S : 0;
}

static void reply_nothing(fuse_req_t req, double timeout)
{
    /* Node id 0: the kernel remembers that the name does not exist. */
    const struct fuse_entry_param entry = { .entry_timeout = timeout };

    fuse_reply_entry(req, &entry);
}

static void reply_something(fuse_req_t req, const struct fuse_entry_param *entry)
{
    struct overlay *o = vfs_of(req)->overlay;
    uint64_t id = vfs_id(entry->ino);

    overlay_remember(o, id, 1);
    if (fuse_reply_entry(req, entry))
        overlay_forget(o, id, 1);
}

/* NAME is another spelling of what is listed as something else. */
static void reply_other_spelling(fuse_req_t req, struct fuse_entry_param *entry, const char *name)
{
    switch (caller_renames_to(fuse_req_ctx(req)->pid, name, S_ISDIR(entry->attr.st_mode))) {
    case CALLER_NO_RENAME:
        break;
    case CALLER_RENAME:
        entry->ino |= VFS_TRANSIENT;
        entry->entry_timeout = entry->attr_timeout = 0;
        break;
    case CALLER_RENAME_NOREPLACE:
        /* The kernel would refuse; RENAME does so itself when it is not the same file. */
        reply_nothing(req, 0);
        return;
    }
    reply_something(req, entry);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct vfs *v = vfs_of(req);
    uint64_t dir = vfs_id(parent), ticket = v->aliases ? alias_begin(v->aliases) : 0;
    struct overlay_ref ref;
    struct fuse_entry_param entry;
    struct stat st;
    double timeout = FOREVER_S;
    int rc = overlay_lookup(v->overlay, dir, name, &ref, &st);

    if (rc) {
        overlay_reply_error(req, dir, "lookup in", rc);
        return;
    }
    if (!ref.id || ref.other_spelling)
        timeout = other_spelling_timeout(v, ticket, dir, name, ref.id && ref.short_name);
    if (!ref.id) {
        reply_nothing(req, timeout);
        return;
    }
    overlay_entry(&ref, &st, timeout, &entry);
    if (ref.other_spelling)
        reply_other_spelling(req, &entry, name);
    else
        reply_something(req, &entry);
}

/* ---- listing ---- */

struct listing {
    fuse_req_t req;
    bool plus;
    size_t used, size, count;
    uint64_t ids[LISTING_MAX / ENTRY_MIN]; /* what the kernel is told of */
    char buf[LISTING_MAX];
};

static bool is_dots(const char *name)
{
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static bool add_entry(void *arg, const char *name, const struct overlay_ref *ref,
                      const struct stat *st, uint64_t next)
{
    struct listing *l = arg;
    size_t room = l->size - l->used, need;
    struct fuse_entry_param entry;

    if (l->plus && l->count == ARRAY_LEN(l->ids))
        return false;
    if (l->plus) {
        overlay_entry(ref, st, FOREVER_S, &entry);
        need = fuse_add_direntry_plus(l->req, l->buf + l->used, room, name, &entry, (off_t)next);
    } else {
        need = fuse_add_direntry(l->req, l->buf + l->used, room, name, st, (off_t)next);
    }
    if (need > room)
        return false;
    l->used += need;
    if (l->plus && !is_dots(name))
        l->ids[l->count++] = ref->id;
    return true;
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, bool plus)
{
    struct overlay *o = vfs_of(req)->overlay;
    struct listing l;

    l.req = req;
    l.plus = plus;
    l.used = l.count = 0;
    l.size = size < sizeof l.buf ? size : sizeof l.buf;
    int rc = overlay_list(o, vfs_id(ino), off < 0 ? 0 : (uint64_t)off, plus, add_entry, &l);
    if (rc) {
        overlay_reply_error(req, vfs_id(ino), "listing of", rc);
        return;
    }
    /* The kernel holds the directory: none of these can have been removed in the meantime. */
    for (size_t i = 0; i < l.count; i++)
        overlay_remember(o, l.ids[i], 1);
    if (!fuse_reply_buf(req, l.buf, l.used))
        return;
    for (size_t i = 0; i < l.count; i++)
        overlay_forget(o, l.ids[i], 1);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
    (void)fi;
    list(req, ino, size, off, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                           struct fuse_file_info *fi)
{
    (void)fi;
    list(req, ino, size, off, true);
}

/* ---- forgetting ---- */

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    overlay_forget(vfs_of(req)->overlay, vfs_id(ino), count);
    fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        overlay_forget(vfs_of(req)->overlay, vfs_id(forgets[i].ino), forgets[i].nlookup);
    fuse_reply_none(req);
}

/* Wine asks each directory whether its names are looked up without regard to case. */
static void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg,
                     struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
                     size_t out_size)
{
    const struct mount_options *options = vfs_of(req)->options;
    const uint64_t wide = FS_CASEFOLD_FL;
    const uint32_t narrow = FS_CASEFOLD_FL;

    (void)ino, (void)arg, (void)fi, (void)in, (void)in_size;
    if (cmd != FS_IOC_GETFLAGS || !(flags & FUSE_IOCTL_DIR) || !options->casefold_flag ||
        options->case_sensitive) {
        fuse_reply_err(req, ENOTTY);
        return;
    }
    if (out_size >= sizeof wide)
        fuse_reply_ioctl(req, 0, &wide, sizeof wide);
    else
        fuse_reply_ioctl(req, 0, &narrow, min_u64(out_size, sizeof narrow));
}

void overlay_list_fill(struct fuse_lowlevel_ops *ops)
{
    ops->lookup = op_lookup;
    ops->readdir = op_readdir;
    ops->readdirplus = op_readdirplus;
    ops->forget = op_forget;
    ops->forget_multi = op_forget_multi;
    ops->ioctl = op_ioctl;
}
