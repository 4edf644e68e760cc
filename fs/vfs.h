/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of fs/ share: one struct vfs for a mount. The lower layer is immutable, so nothing
 * here needs a lock but the list of waiting requests and the pusher's queue, which keep their own.
 *
 * FUSE node id = package node index + 1, for the life of the package: without an overlay nothing is
 * remembered at LOOKUP and nothing is forgotten at FORGET. With one (overlay_ops.h), node ids are
 * the overlay's, which gives others to what is not the package's and counts what the kernel knows.
 */
#ifndef FS_VFS_H
#define FS_VFS_H

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <stdatomic.h>

#include "fetch/engine.h"
#include "fs/attr.h"
#include "fs/control_rows.h"
#include "fs/counters.h"
#include "fs/mount.h"
#include "src/package.h"

/* The package cannot change, so the kernel may keep what it learnt as long as it likes. */
#define FOREVER_S (365.0 * 86400)

/* Subsystem name in log lines. */
#define FS_LOG "fs"

struct alias_table;
struct control;
struct forgetter;
struct parked_list;
struct pusher;
struct recorder;
struct writer;

/* See session_io.h. */
struct session_io {
    _Atomic enum { SESSION_IO_START, SESSION_IO_INIT_SEEN, SESSION_IO_RUNNING } state;
    uint64_t init_unique;
    uint32_t offered; /* by the kernel, at INIT */
};

struct vfs {
    const struct package *package;
    const struct package_info *info;
    struct engine *engine;
    const struct mount_options *options;
    struct fuse_session *session;
    struct parked_list *parked;   /* requests that wait for blocks */
    struct pusher *pusher;        /* NULL when pushing is off */
    struct recorder *recorder;    /* NULL unless a start is recorded */
    bool source_immediate;        /* reads do not wait, so they need no way to be interrupted */
    bool kernel_skips_open, kernel_skips_opendir; /* after ENOSYS; set at INIT */
    struct attr_rules rules;
    struct overlay *overlay;      /* NULL: the package alone */
    struct alias_table *aliases;  /* NULL: names are exact, or the kernel cannot forget them */
    struct forgetter *forgetter;  /* NULL unless the kernel is told name by name */
    struct writer *writer;        /* of the overlay */
    struct session_io io;
    struct counters counters;
    struct control_parts told;    /* what the mount tells of itself; filled when it is mounted */
    struct control *control;      /* NULL: there is no socket */
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

/*
 * With an overlay: a second id of a node, which the kernel is given for the target of a rename that
 * is found under another spelling, so that it does not take source and target for the same file.
 * Nothing is remembered of it; every operation takes it for the node's own id.
 */
#define VFS_TRANSIENT (UINT64_C(1) << 62)

static inline uint64_t vfs_id(fuse_ino_t ino)
{
    return ino & ~VFS_TRANSIENT;
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
