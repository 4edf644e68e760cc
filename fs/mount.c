/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The FUSE session of a mount: options, the table of operations, start and orderly end. Operations
 * are in directory.c, read.c and below (the short ones).
 *
 * The immutable layer needs no file handles: where the kernel allows, OPEN and OPENDIR are answered
 * with ENOSYS once and never asked again, READDIRPLUS brings all attributes with the names, and
 * everything is cached without end. A second pass over the package causes no request at all.
 */
#include "config.h"

#include "fs/mount.h"

#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/attr.h"
#include "fs/control.h"
#include "fs/directory.h"
#include "fs/forgetter.h"
#include "fs/mount_table.h"
#include "fs/overlay_ops.h"
#include "fs/overlay_write.h"
#include "fs/parked.h"
#include "fs/push.h"
#include "fs/read.h"
#include "fs/readahead.h"
#include "fs/root_attributes.h"
#include "fs/record.h"
#include "fs/session_io.h"
#include "fs/vfs.h"
#include "src/clock.h"
#include "src/log.h"

#ifndef FS_CASEFOLD_FL
#define FS_CASEFOLD_FL 0x40000000 /* linux/fs.h of old kernels */
#endif

enum {
    MAX_BACKGROUND = 64, /* reads ahead of need under way at once; the kernel's default is 12 */
    IDLE_THREADS = 10,
    STOP_POLL_MS = 20,
    SOURCE_MAX = 4000, /* mount(2) refuses a longer one */
};

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    struct vfs *v = userdata;
    unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
                      FUSE_CAP_NO_OPEN_SUPPORT | FUSE_CAP_NO_OPENDIR_SUPPORT |
                      FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_IOCTL_DIR;
    /* ASYNC_DIO would make a killed reader of an O_DIRECT file wait for the answer. */
    unsigned unwanted = FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_AUTO_INVAL_DATA |
                        FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_ASYNC_DIO;

    conn->want |= conn->capable & wanted;
    conn->want &= ~unwanted;
    v->kernel_skips_open = conn->capable & FUSE_CAP_NO_OPEN_SUPPORT;
    v->kernel_skips_opendir = conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT;
    conn->max_read = READ_MAX; /* libfuse wants it here and as an option */
    conn->max_readahead = readahead_bytes(v->options);
    conn->max_background = MAX_BACKGROUND;
    conn->time_gran = 100; /* FILETIME ticks, in ns */
    if (v->overlay)
        overlay_ops_init(v, conn);
    if (v->ready)
        v->ready(v->ready_arg);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct vfs *v = vfs_of(req);
    struct stat st;

    (void)fi;
    if (!vfs_has(v, ino)) {
        fuse_reply_err(req, ESTALE);
        return;
    }
    attr_fill(&v->rules, vfs_index(ino), &st);
    fuse_reply_attr(req, &st, FOREVER_S);
}

/* ENOSYS tells the kernel never to ask again; one that does not know this keeps its pages. */
static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    if ((fi->flags & O_ACCMODE) != O_RDONLY) {
        fuse_reply_err(req, EROFS);
    } else if (vfs_of(req)->kernel_skips_open) {
        fuse_reply_err(req, ENOSYS);
    } else {
        fi->keep_cache = 1;
        fi->noflush = 1;
        fuse_reply_open(req, fi);
    }
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    if (vfs_of(req)->kernel_skips_opendir) {
        fuse_reply_err(req, ENOSYS);
    } else {
        fi->keep_cache = 1;
        fi->cache_readdir = 1;
        fuse_reply_open(req, fi);
    }
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct statvfs st;

    (void)ino;
    attr_statfs(&vfs_of(req)->rules, &st);
    fuse_reply_statfs(req, &st);
}

static void reply_value(fuse_req_t req, const char *value, size_t len, size_t size)
{
    if (size == 0)
        fuse_reply_xattr(req, len);
    else if (size < len)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, value, len);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct vfs *v = vfs_of(req);
    char text[ATTR_DOS_MAX];

    if (!v->info->has_dos_attributes && v->options->status == MOUNT_STATUS_NONE) {
        fuse_reply_err(req, ENOSYS); /* the kernel never asks again */
        return;
    }
    if (root_attribute_is(name)) {
        root_attribute_reply(v, req, ino, name, size);
        return;
    }
    int len = vfs_has(v, ino) && !strcmp(name, ATTR_DOS)
                  ? attr_dos(v->package, vfs_index(ino), text)
                  : -ENODATA;
    if (len < 0)
        fuse_reply_err(req, -len);
    else
        reply_value(req, text, (size_t)len, size);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    static const char names[] = ATTR_DOS;
    struct vfs *v = vfs_of(req);
    char text[ATTR_DOS_MAX];
    auto_free char *listed = NULL;
    ssize_t len = root_attribute_list(v, req, ino, &listed);

    /* The root of a package has no attributes of its own. */
    if (len < 0)
        fuse_reply_err(req, (int)-len);
    else if (len > 0)
        reply_value(req, listed, (size_t)len, size);
    else if (!v->info->has_dos_attributes && v->options->status != MOUNT_STATUS_LISTED)
        fuse_reply_err(req, ENOSYS);
    else if (!vfs_has(v, ino) || attr_dos(v->package, vfs_index(ino), text) < 0)
        reply_value(req, "", 0, size);
    else
        reply_value(req, names, sizeof names, size);
}

/* Wine asks each directory whether its names are looked up without regard to case. */
static void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg,
                     struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
                     size_t out_size)
{
    struct vfs *v = vfs_of(req);
    union {
        uint32_t narrow;
        uint64_t wide;
    } value;

    (void)arg, (void)fi, (void)in, (void)in_size;
    if (cmd != FS_IOC_GETFLAGS || !(flags & FUSE_IOCTL_DIR) || !vfs_has(v, ino) ||
        !v->options->casefold_flag || v->options->case_sensitive) {
        fuse_reply_err(req, ENOTTY);
        return;
    }
    if (out_size >= sizeof value.wide) {
        value.wide = FS_CASEFOLD_FL;
        fuse_reply_ioctl(req, 0, &value, sizeof value.wide);
    } else {
        value.narrow = FS_CASEFOLD_FL;
        fuse_reply_ioctl(req, 0, &value, min_u64(out_size, sizeof value.narrow));
    }
}

/* The kernel forgets nodes; there is nothing remembered for them here. */
static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    (void)ino;
    (void)count;
    fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    (void)count;
    (void)forgets;
    fuse_reply_none(req);
}

static const struct fuse_lowlevel_ops operations = {
    .init = op_init,
    .lookup = directory_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .open = op_open,
    .read = read_file,
    .opendir = op_opendir,
    .readdir = directory_read,
    .readdirplus = directory_read_plus,
    .statfs = op_statfs,
    .getxattr = op_getxattr,
    .listxattr = op_listxattr,
    .ioctl = op_ioctl,
};

static int add_options(struct fuse_args *args, const struct mount_options *o, struct err *e)
{
    char *opts = NULL, fsname[sizeof "fsname=" + SOURCE_MAX], max_read[32];
    int rc;

    (void)snprintf(fsname, sizeof fsname, "fsname=%s",
                   o->fsname && *o->fsname ? o->fsname : "sftfs");
    (void)snprintf(max_read, sizeof max_read, "max_read=%u", READ_MAX);
    rc = fuse_opt_add_opt(&opts, o->overlay && !o->read_only ? "rw" : "ro") ||
         fuse_opt_add_opt(&opts, "nosuid,nodev,default_permissions,subtype=sftfs") ||
         fuse_opt_add_opt(&opts, max_read) || fuse_opt_add_opt_escaped(&opts, fsname) ||
         (o->allow_other && fuse_opt_add_opt(&opts, "allow_other")) ||
         (o->debug && fuse_opt_add_opt(&opts, "debug")) ||
         (o->fuse_options && *o->fuse_options && fuse_opt_add_opt(&opts, o->fuse_options)) ||
         fuse_opt_add_arg(args, "sftfs") || fuse_opt_add_arg(args, "-o") ||
         fuse_opt_add_arg(args, opts);
    free(opts);
    return rc ? err_nomem(e) : 0;
}

/* What libfuse or the kernel would only say with one word. */
static int check_mountpoint(const char *path, struct err *e)
{
    struct stat st;

    if (mount_is_ours(path))
        return err_set(e, ERR_BUSY,
                       "%s: a package is mounted here already; 'sftfs ctl MOUNTPOINT status' says "
                       "which and how it is",
                       path);
    if (stat(path, &st) < 0)
        return err_sys(e, "mount point %s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_MOUNT, "mount point %s: not a directory", path);
    return 0;
}

static int serve(struct vfs *v, struct err *e)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    int rc;

    if (!config)
        return err_nomem(e);
    fuse_loop_cfg_set_idle_threads(config, IDLE_THREADS);
    rc = v->options->single_thread ? fuse_session_loop(v->session)
                                   : fuse_session_loop_mt(v->session, config);
    fuse_loop_cfg_destroy(config);
    /* Positive: the number of the signal that ended it. */
    return rc < 0 ? err_set(e, ERR_MOUNT, "serving the mount ended: %s", strerror(-rc)) : 0;
}

/* Serves what is still asked for until the threads that talk to the kernel have ended (see push.h).
 * What they wait for may also be a page of a read that is parked, for as long as a server takes. */
static void end_threads(struct vfs *v)
{
    struct fuse_buf buf = { .mem = NULL };

    push_stop(v->pusher);
    forgetter_stop(v->forgetter);
    while (!push_has_stopped(v->pusher) || !forgetter_has_stopped(v->forgetter)) {
        parked_cancel(v);
        struct pollfd ready = { .fd = fuse_session_fd(v->session), .events = POLLIN };
        if (poll(&ready, 1, STOP_POLL_MS) <= 0 || !(ready.revents & POLLIN))
            continue;
        int n = fuse_session_receive_buf(v->session, &buf);
        if (n > 0)
            fuse_session_process_buf(v->session, &buf);
    }
    free(buf.mem);
}

/* Makes the mount findable for `sftfs ctl`. Without a socket it is served all the same. */
static void start_control(struct vfs *v)
{
    const struct mount_options *o = v->options;
    struct mount_identity id;
    struct err e = { 0 };

    v->told = (struct control_parts){
        .package = v->package,
        .engine = v->engine,
        .source = o->source,
        .cache = o->cache,
        .loader = o->loader,
        .counters = &v->counters,
        .mountpoint = o->mountpoint,
        .source_name = o->fsname && *o->fsname ? o->fsname : "sftfs",
        .overlay = o->overlay,
        .read_only = o->read_only,
        .started_ms = monotonic_ms(),
    };
    int rc = mount_table_identify(o->mountpoint, &id, &e);
    if (!rc) {
        v->told.connection = id.connection;
        (void)snprintf(v->told.device, sizeof v->told.device, "%s", id.device);
        mount_identity_free(&id);
        rc = control_start(&v->told, &v->control, &e);
    }
    if (rc)
        log_warning(FS_LOG, "no control socket: %s", e.text);
}

/* libfuse takes a connection that was aborted for one that is unmounted, and leaves the mount.
 * What is at its place may also be the next mount already, even with the same device number:
 * that one is not dead. */
static void unmount_aborted(const struct vfs *v)
{
    struct err e = { 0 };

    if (mount_is_dead(v->options->mountpoint) && mount_unmount(v->options->mountpoint, true, &e))
        log_warning(FS_LOG, "%s", e.text);
}

static int session_run(struct vfs *v, struct err *e)
{
    const struct mount_options *o = v->options;
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    int rc = add_options(&args, o, e);

    if (rc)
        goto out_args;
    struct fuse_lowlevel_ops ops = operations;
    if (v->overlay)
        overlay_ops_fill(&ops);
    v->session = fuse_session_new(&args, &ops, sizeof ops, v);
    if (!v->session) {
        rc = err_set(e, ERR_INVALID, "mount options refused by libfuse: %s",
                     o->fuse_options ? o->fuse_options : "");
        goto out_args;
    }
    if (fuse_set_signal_handlers(v->session)) {
        rc = err_set(e, ERR_MOUNT, "signal handlers could not be set");
        goto out_session;
    }
    if (fuse_session_mount(v->session, o->mountpoint)) {
        rc = err_set(e, ERR_MOUNT,
                     "%s: mounting failed (is /dev/fuse there and permitted, and "
                     "fusermount3 installed?)",
                     o->mountpoint);
        goto out_signals;
    }
    if (session_io_install(v))
        log_warning(FS_LOG, "libfuse lets nobody beside it: requests are not counted, and with an "
                            "overlay writes take one more than they need");
    /* A file that grows beyond the limit (setrlimit) this process was started with is an error of
     * that write, not the end of the mount. */
    if (v->overlay)
        (void)signal(SIGXFSZ, SIG_IGN);
    readahead_raise(o);
    start_control(v);
    rc = serve(v, e);
    end_threads(v);
    writer_stop(v->writer);
    parked_drain(v); /* the pusher is freed after it: completions tell it of files read */
    control_stop(v->control);
    fuse_session_unmount(v->session);
    unmount_aborted(v);
out_signals:
    fuse_remove_signal_handlers(v->session);
out_session:
    fuse_session_destroy(v->session);
out_args:
    fuse_opt_free_args(&args);
    return rc;
}

int mount_run(const struct package *package, struct engine *engine, const struct mount_options *o,
              void (*ready)(void *arg), void *arg, struct err *e)
{
    struct vfs v = {
        .package = package,
        .info = package_info(package),
        .engine = engine,
        .options = o,
        .overlay = o->overlay,
        .source_immediate = engine_is_immediate(engine),
        .ready = ready,
        .ready_arg = arg,
    };
    int rc = check_mountpoint(o->mountpoint, e);

    if (rc)
        return rc;
    attr_rules_init(&v.rules, package, o->uid, o->gid, o->umask);
    /* With an overlay nothing is pushed: a store could overwrite what was written just before. */
    bool push = o->push && !o->overlay && !o->record;
    if (parked_list_new(&v.parked) || (push && push_new(&v, &v.pusher)) ||
        (o->overlay && overlay_ops_start(&v)))
        rc = err_nomem(e);
    if (!rc && o->record)
        rc = record_start(package, o->record, &v.recorder, e);
    if (!rc)
        rc = session_run(&v, e);
    record_stop(v.recorder);
    overlay_ops_free(&v);
    push_free(v.pusher);
    parked_list_free(v.parked);
    return rc;
}
