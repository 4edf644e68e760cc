/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of fs/ share: one struct vfs for a mount. The lower layer is immutable, so nothing
 * here needs a lock but the list of reads that wait and the pusher's queue, which keep their own.
 *
 * FUSE node id = package node index + 1, for the life of the package: nothing is remembered at
 * LOOKUP and nothing is forgotten at FORGET.
 */
#ifndef FS_VFS_H
#define FS_VFS_H

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <stdatomic.h>

#include "fetch/engine.h"
#include "fs/attr.h"
#include "fs/mount.h"
#include "src/package.h"

/* The package cannot change, so the kernel may keep what it learnt as long as it likes. */
#define FOREVER_S (365.0 * 86400)

/* Subsystem name in log lines. */
#define FS_LOG "fs"

struct pending_list;
struct pusher;

struct vfs {
    const struct package *package;
    const struct package_info *info;
    struct engine *engine;
    const struct mount_options *options;
    struct fuse_session *session;
    struct pending_list *pending; /* reads that wait for blocks */
    struct pusher *pusher;        /* NULL when pushing is off */
    bool source_immediate;        /* reads do not wait, so they need no way to be interrupted */
    bool kernel_skips_open, kernel_skips_opendir; /* after ENOSYS; set at INIT */
    struct attr_rules rules;
    void (*ready)(void *arg);
    void *ready_arg;
};

static inline uint32_t vfs_index(fuse_ino_t ino)
{
    return (uint32_t)(ino - 1);
}

static inline fuse_ino_t vfs_ino(uint32_t index)
{
    return (fuse_ino_t)index + 1;
}

/* False for a node id the kernel cannot have from us; every operation checks it first. */
static inline bool vfs_has(const struct vfs *v, fuse_ino_t ino)
{
    return ino >= 1 && ino <= v->info->node_count;
}

static inline struct vfs *vfs_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

#endif
