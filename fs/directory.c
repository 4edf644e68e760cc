/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LOOKUP, READDIR and READDIRPLUS on the immutable layer. See directory.h. */
#include "config.h"

#include "fs/directory.h"

#include <string.h>

#include "fs/attr.h"
#include "fs/push.h"

/* Largest listing answered at once. The kernel asks with 32 KiB today; a larger wish gets as much,
 * which is always legal. */
#define LISTING_MAX (64u * 1024)

void directory_entry(const struct vfs *v, uint32_t index, struct fuse_entry_param *entry)
{
    *entry = (struct fuse_entry_param){
        .ino = vfs_ino(index),
        .generation = 1, /* node ids are never used again for something else */
        .attr_timeout = FOREVER_S,
        .entry_timeout = FOREVER_S,
    };
    attr_fill(&v->rules, index, &entry->attr);
}

void directory_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct vfs *v = vfs_of(req);
    struct fuse_entry_param entry;

    if (!vfs_has(v, parent)) {
        fuse_reply_err(req, ESTALE);
        return;
    }
    uint32_t dir = vfs_index(parent), index;
    const struct node *n = package_node(v->package, dir);
    if (!strcmp(name, ".")) {
        index = dir; /* a file handle of NFS or open_by_handle_at(2): of any node */
    } else if (!(n->flags & NODE_DIR)) {
        fuse_reply_err(req, ENOTDIR);
        return;
    } else if (!strcmp(name, "..")) {
        index = n->parent;
    } else {
        index = package_lookup(v->package, dir, name, strlen(name), v->options->case_sensitive);
    }
    if (index == NODE_NONE) {
        /* Node id 0: the kernel remembers that the name does not exist. */
        entry = (struct fuse_entry_param){ .entry_timeout = FOREVER_S };
    } else {
        directory_entry(v, index, &entry);
        push_note_known(v->pusher, index);
    }
    fuse_reply_entry(req, &entry);
}

/* Entry number POS of a directory: ".", "..", then the children. */
static const char *entry_at(const struct vfs *v, uint32_t dir, uint64_t pos, uint32_t *index)
{
    const struct node *n = package_node(v->package, dir);

    if (pos == 0) {
        *index = dir;
        return ".";
    }
    if (pos == 1) {
        *index = n->parent;
        return "..";
    }
    *index = n->first_child + (uint32_t)(pos - 2);
    return package_name(v->package, *index);
}

static size_t add_entry(fuse_req_t req, const struct vfs *v, bool plus, uint64_t pos,
                        const char *name, uint32_t index, char *buf, size_t room)
{
    struct fuse_entry_param entry;

    if (plus) {
        directory_entry(v, index, &entry);
        return fuse_add_direntry_plus(req, buf, room, name, &entry, (off_t)(pos + 1));
    }
    entry.attr = (struct stat){
        .st_ino = vfs_ino(index),
        .st_mode = package_node(v->package, index)->flags & NODE_DIR ? S_IFDIR : S_IFREG,
    };
    return fuse_add_direntry(req, buf, room, name, &entry.attr, (off_t)(pos + 1));
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, bool plus)
{
    struct vfs *v = vfs_of(req);
    char buf[LISTING_MAX];
    size_t used = 0;

    if (!vfs_has(v, ino)) {
        fuse_reply_err(req, ESTALE);
        return;
    }
    uint32_t dir = vfs_index(ino);
    const struct node *n = package_node(v->package, dir);
    if (!(n->flags & NODE_DIR)) {
        fuse_reply_err(req, ENOTDIR);
        return;
    }
    if (size > sizeof buf)
        size = sizeof buf;
    uint64_t pos = off < 0 ? 0 : (uint64_t)off, end = (uint64_t)n->child_count + 2, first = pos;
    for (; pos < end; pos++) {
        uint32_t index;
        const char *name = entry_at(v, dir, pos, &index);
        size_t need = add_entry(req, v, plus, pos, name, index, buf + used, size - used);
        if (need > size - used)
            break;
        used += need;
        if (plus && pos >= 2)
            push_note_known(v->pusher, index);
    }
    fuse_reply_buf(req, buf, used);
    if (plus && first <= 2 && pos > 2)
        push_after_listing(v->pusher, n->first_child, (uint32_t)(pos - 2));
}

void directory_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    (void)fi;
    list(req, ino, size, off, false);
}

void directory_read_plus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                         struct fuse_file_info *fi)
{
    (void)fi;
    list(req, ino, size, off, true);
}
