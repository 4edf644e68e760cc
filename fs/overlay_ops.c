/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations of a mount with an overlay. See overlay_ops.h. */
#include "config.h"

#include "fs/overlay_ops.h"

#include <linux/fs.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "fs/alias.h"
#include "fs/forgetter.h"
#include "fs/overlay/data.h"
#include "fs/overlay_list.h"
#include "fs/overlay_names.h"
#include "fs/overlay_read.h"
#include "fs/overlay_write.h"
#include "fs/root_attributes.h"
#include "fs/session_io.h"
#include "src/log.h"

void overlay_reply_error(fuse_req_t req, uint64_t id, const char *what, int rc)
{
    static struct log_limit limit;
    struct vfs *v = vfs_of(req);
    unsigned suppressed;

    if (rc == -EIO)
        counters_io_error(&v->counters, ERR_SYSTEM);
    if (rc == -EIO && log_limit_allows(&limit, &suppressed)) {
        char *path = overlay_shown_path(v->overlay, id);
        log_error(FS_LOG, "%s \"%s\" failed in the overlay: %s; suppressed=%u", what,
                  path ? path : "?", strerror(-rc), suppressed);
        free(path);
    }
    fuse_reply_err(req, -rc);
}

bool overlay_refuses_change(fuse_req_t req)
{
    if (!vfs_of(req)->options->read_only)
        return false;
    fuse_reply_err(req, EROFS);
    return true;
}

int overlay_drop_privileges(fuse_req_t req, uint64_t id, const struct overlay_data *d)
{
    struct vfs *v = vfs_of(req);

    if (!fuse_req_ctx(req)->uid)
        return 0;
    int rc = overlay_data_drop_privileges(v->overlay, d);
    /* The kernel does not look at the mode again after it has written. Asking for the attributes to
     * be read again needs no lock that it may hold for the caller. */
    if (rc > 0)
        (void)fuse_lowlevel_notify_inval_inode(v->session, id, -1, 0);
    return rc < 0 ? rc : 0;
}

/* ---- attributes ---- */

static int attributes(struct vfs *v, uint64_t id, struct stat *st)
{
    struct overlay_node *node;

    if (!overlay_find(v->overlay, id, &node))
        return -ESTALE;
    if (node)
        return overlay_getattr(v->overlay, id, st);
    attr_fill(&v->rules, vfs_index(id), st);
    return 0;
}

static void reply_attributes(fuse_req_t req, fuse_ino_t ino)
{
    struct stat st;
    int rc = attributes(vfs_of(req), vfs_id(ino), &st);

    if (rc)
        overlay_reply_error(req, vfs_id(ino), "stat of", rc);
    else
        fuse_reply_attr(req, &st, ino & VFS_TRANSIENT ? 0 : FOREVER_S);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)fi;
    reply_attributes(req, ino);
}

static int set_size(fuse_req_t req, uint64_t id, off_t size)
{
    struct overlay *o = vfs_of(req)->overlay;
    struct overlay_data d;
    int rc = size < 0 ? -EINVAL : overlay_data_pin(o, id, true, &d);

    if (rc)
        return rc;
    rc = overlay_drop_privileges(req, id, &d);
    if (!rc)
        rc = overlay_data_truncate(o, &d, (uint64_t)size);
    overlay_data_unpin(o, &d);
    return rc;
}

/* The owner of a program is not changed without taking its privileges; the kernel leaves that to
 * us (FUSE_HANDLE_KILLPRIV). */
static int drop_privileges_of_old_owner(struct vfs *v, uint64_t id, unsigned *what,
                                        struct stat *attr)
{
    struct stat st;
    int rc = attributes(v, id, &st);

    if (rc || !S_ISREG(st.st_mode))
        return rc;
    mode_t kept = st.st_mode & ~(mode_t)S_ISUID;
    if (st.st_mode & S_IXGRP)
        kept &= ~(mode_t)S_ISGID;
    if (kept == st.st_mode || *what & OVERLAY_SET_MODE)
        return 0;
    attr->st_mode = kept;
    *what |= OVERLAY_SET_MODE;
    return 0;
}

/* What of TO_SET the overlay knows; *attr gets UTIME_NOW where that is asked for. */
static unsigned wanted(int to_set, struct stat *attr)
{
    unsigned what = 0;

    if (to_set & FUSE_SET_ATTR_MODE)
        what |= OVERLAY_SET_MODE;
    if (to_set & FUSE_SET_ATTR_UID)
        what |= OVERLAY_SET_UID;
    if (to_set & FUSE_SET_ATTR_GID)
        what |= OVERLAY_SET_GID;
    if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW))
        what |= OVERLAY_SET_ATIME;
    if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW))
        what |= OVERLAY_SET_MTIME;
    if (to_set & FUSE_SET_ATTR_ATIME_NOW)
        attr->st_atim.tv_nsec = UTIME_NOW;
    if (to_set & FUSE_SET_ATTR_MTIME_NOW)
        attr->st_mtim.tv_nsec = UTIME_NOW;
    return what;
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                       struct fuse_file_info *fi)
{
    struct vfs *v = vfs_of(req);
    uint64_t id = vfs_id(ino);
    struct stat set = *attr;
    unsigned what = wanted(to_set, &set);
    int rc = 0;

    (void)fi;
    if (overlay_refuses_change(req))
        return;
    if (to_set & FUSE_SET_ATTR_SIZE)
        rc = set_size(req, id, attr->st_size);
    if (!rc && what & (OVERLAY_SET_UID | OVERLAY_SET_GID))
        rc = drop_privileges_of_old_owner(v, id, &what, &set);
    if (!rc && what)
        rc = overlay_setattr(v->overlay, id, what, &set);
    if (rc)
        overlay_reply_error(req, id, "change of", rc);
    else
        reply_attributes(req, ino);
}

/* ---- extended attributes ---- */

/* security.capability means nothing where nosuid is set, but the kernel asks for it before it
 * writes. The rest of these name spaces (labels, access control lists) is not for users to see. */
static int xattr_refused(const char *name)
{
    if (!strcmp(name, "security.capability"))
        return -ENODATA;
    return !strncmp(name, "security.", 9) || !strncmp(name, "system.", 7) ? -EOPNOTSUPP : 0;
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct overlay *o = vfs_of(req)->overlay;
    uint64_t id = vfs_id(ino);
    ssize_t n = xattr_refused(name);

    if (root_attribute_is(name)) {
        root_attribute_reply(vfs_of(req), req, ino, name, size);
        return;
    }
    if (size > XATTR_SIZE_MAX)
        size = XATTR_SIZE_MAX;
    auto_free char *value = n || !size ? NULL : malloc(size);
    if (!n && size && !value)
        n = -ENOMEM;
    if (!n)
        n = overlay_getxattr(o, id, name, value, size);
    if (n < 0)
        overlay_reply_error(req, id, "extended attribute of", (int)n);
    else if (!size)
        fuse_reply_xattr(req, (size_t)n);
    else
        fuse_reply_buf(req, value, (size_t)n);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    struct overlay *o = vfs_of(req)->overlay;
    uint64_t id = vfs_id(ino);

    if (size > XATTR_LIST_MAX)
        size = XATTR_LIST_MAX;
    auto_free char *names = size ? malloc(size) : NULL, *more = NULL;
    ssize_t n = size && !names ? -ENOMEM : overlay_listxattr(o, id, names, size);
    ssize_t m = n < 0 ? n : root_attribute_list(vfs_of(req), req, ino, &more);
    if (m >= 0 && size && (size_t)(n + m) > size)
        m = -ERANGE;
    if (m < 0) {
        overlay_reply_error(req, id, "extended attributes of", (int)m);
    } else if (!size) {
        fuse_reply_xattr(req, (size_t)(n + m));
    } else {
        if (m)
            memcpy(names + n, more, (size_t)m);
        fuse_reply_buf(req, names, (size_t)(n + m));
    }
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                        size_t size, int flags)
{
    if (overlay_refuses_change(req))
        return;
    int rc = xattr_refused(name)
                 ? -EOPNOTSUPP
                 : overlay_setxattr(vfs_of(req)->overlay, vfs_id(ino), name, value, size, flags);
    overlay_reply_error(req, vfs_id(ino), "extended attribute of", rc);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    if (overlay_refuses_change(req))
        return;
    int rc = xattr_refused(name);
    if (!rc)
        rc = overlay_removexattr(vfs_of(req)->overlay, vfs_id(ino), name);
    overlay_reply_error(req, vfs_id(ino), "extended attribute of", rc);
}

/* ---- the rest ---- */

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    if (vfs_of(req)->kernel_skips_open) {
        fuse_reply_err(req, ENOSYS);
    } else {
        fi->keep_cache = 1;
        fuse_reply_open(req, fi);
    }
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    char target[PATH_MAX + 1];
    ssize_t n = overlay_readlink(vfs_of(req)->overlay, vfs_id(ino), target, sizeof target - 1);

    if (n < 0) {
        overlay_reply_error(req, vfs_id(ino), "readlink of", (int)n);
        return;
    }
    target[n] = 0;
    fuse_reply_readlink(req, target);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct statvfs st;
    int rc = overlay_statfs(vfs_of(req)->overlay, &st);

    if (rc)
        overlay_reply_error(req, vfs_id(ino), "statfs of", rc);
    else
        fuse_reply_statfs(req, &st);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    struct overlay *o = vfs_of(req)->overlay;
    uint64_t id = vfs_id(ino);
    struct overlay_data d;
    int rc = overlay_data_pin(o, id, false, &d);

    (void)fi;
    if (!rc && d.node) {
        rc = overlay_data_sync(o, &d, datasync);
        overlay_data_unpin(o, &d);
    }
    overlay_reply_error(req, id, "sync of", rc);
}

static void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    (void)fi;
    overlay_reply_error(req, vfs_id(ino), "sync of",
                        overlay_fsyncdir(vfs_of(req)->overlay, vfs_id(ino), datasync));
}

/* ---- the session ---- */

void overlay_ops_fill(struct fuse_lowlevel_ops *ops)
{
    ops->getattr = op_getattr;
    ops->setattr = op_setattr;
    ops->getxattr = op_getxattr;
    ops->listxattr = op_listxattr;
    ops->setxattr = op_setxattr;
    ops->removexattr = op_removexattr;
    ops->open = op_open;
    ops->readlink = op_readlink;
    ops->statfs = op_statfs;
    ops->fsync = op_fsync;
    ops->fsyncdir = op_fsyncdir;
    overlay_list_fill(ops);
    overlay_names_fill(ops);
    overlay_read_fill(ops);
    overlay_write_fill(ops);
    /* No FLUSH: ENOSYS once, and the kernel never asks again. No locks: the kernel's own do. */
}

int overlay_ops_start(struct vfs *v)
{
    uint64_t key[2] = { 0 };
    int rc = writer_new(v, &v->writer);

    if (rc || v->options->case_sensitive)
        return rc;
    if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
        return -errno;
    return alias_table_new(key, ALIAS_SLOTS, &v->aliases);
}

void overlay_ops_free(struct vfs *v)
{
    writer_free(v->writer);
    forgetter_free(v->forgetter);
    alias_table_free(v->aliases);
}

/* Whether to do without the notification of newer kernels, to test what is done for older ones. */
static bool as_older_kernel(void)
{
#ifdef ENABLE_CRASH_POINTS
    return getenv("SFTFS_NO_EPOCH") != NULL;
#else
    return false;
#endif
}

void overlay_ops_init(struct vfs *v, struct fuse_conn_info *conn)
{
    unsigned wanted_here = FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_HANDLE_KILLPRIV;
    unsigned unwanted = FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_WRITEBACK_CACHE |
                        FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK |
                        FUSE_CAP_SPLICE_READ;

    conn->want |= conn->capable & wanted_here;
    conn->want &= ~unwanted;
    conn->time_gran = 1; /* of the upper layer */
    if (!v->aliases || (!as_older_kernel() && session_io_forget_names(v)))
        return;
    alias_table_free(v->aliases);
    v->aliases = NULL;
    if (forgetter_new(v, &v->forgetter))
        log_warning(FS_LOG, "the kernel may go on showing a name after it was changed by another "
                            "spelling: no thread to tell it");
}
