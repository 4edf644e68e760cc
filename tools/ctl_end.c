/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The commands of `sftfs ctl` that end a mount. They ask the kernel, not the daemon, which may be
 * stopped or gone; a process is ended only when it is the very one that served the mount.
 */
#include "config.h"

#include "fs/fuse_connection.h"
#include "fs/mount.h"
#include "tools/ctl_common.h"
#include "tools/json.h"
#include "tools/runtime_dir.h"

enum { END_MS = 5000 }; /* that a daemon has to end by itself once its mount is gone */

static enum exitcode done(const struct ctl *c)
{
    if (c->report.json) {
        struct json j = json_begin(stdout);

        json_object(&j, NULL);
        json_string(&j, "done", c->command);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
    }
    return report_finish(&c->report, EXITCODE_OK);
}

/* Ends the daemon if it is known, and waits for that. False if it may still be there. */
static bool end_daemon(const struct ctl *c)
{
    const struct control_process *p = &c->link.process;
    struct err e = { 0 };

    if (!p->pid)
        return false;
    if (control_process_wait(p, END_MS))
        return true;
    if (control_process_kill(p, c->id.uid, &e)) {
        report_note(&c->report, "%s", e.text);
        return false;
    }
    report_note(&c->report, "note: process %ld did not end by itself and was killed", (long)p->pid);
    return control_process_wait(p, END_MS);
}

/* Detaches the mount from the tree, and ends its daemon: what can be done without the kernel's
 * abort, and after it. */
static int detach(struct ctl *c, struct err *e)
{
    int rc = mount_unmount(c->id.mountpoint, true, e);

    if (rc && e->kind != ERR_NOT_FOUND) /* the daemon has unmounted it in the meantime */
        return rc;
    if (end_daemon(c))
        control_link_clean(&c->id, &c->link); /* it may not have come to that */
    runtime_dir_remove(c->id.mountpoint);
    return 0;
}

enum exitcode ctl_abort(struct ctl *c)
{
    struct err e = { 0 };

    if (!fuse_connection_abort(c->id.connection, &e))
        return done(c);
    if (e.kind == ERR_DENIED) {
        (void)err_set(&e, ERR_DENIED, "only root and the user who mounted may do this");
        return ctl_error(c, &e);
    }
    /* Without /sys/fs/fuse/connections; readers that wait are let go when the daemon ends. */
    report_note(&c->report, "note: %s; the mount is detached and its daemon ended instead", e.text);
    return detach(c, &e) ? ctl_error(c, &e) : done(c);
}

enum exitcode ctl_unmount(struct ctl *c)
{
    struct err e = { 0 };

    if (c->force) {
        if (fuse_connection_abort(c->id.connection, &e) && e.kind == ERR_DENIED) {
            (void)err_set(&e, ERR_DENIED, "only root and the user who mounted may do this");
            return ctl_error(c, &e);
        }
        return detach(c, &e) ? ctl_error(c, &e) : done(c);
    }
    if (mount_unmount(c->path, c->lazy, &e))
        return ctl_error(c, &e);
    /* What uses the overlay or the mount point next should not meet the daemon that is just
     * ending. */
    const struct control_process *p = &c->link.process;
    if (!c->lazy && p->pid && !control_process_wait(p, END_MS))
        report_note(&c->report, "note: unmounted; its daemon, process %ld, is still ending",
                    (long)p->pid);
    runtime_dir_remove(c->id.mountpoint);
    return done(c);
}
