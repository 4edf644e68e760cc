/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the commands of `sftfs ctl` share. */
#ifndef TOOLS_CTL_COMMON_H
#define TOOLS_CTL_COMMON_H

#include "fs/control_client.h"
#include "fs/mount_table.h"
#include "tools/cli.h"
#include "tools/report.h"

enum ctl_format { CTL_TEXT, CTL_JSON, CTL_PROMETHEUS };

struct ctl {
    struct report report;
    const char *path, *command; /* as given */
    enum ctl_format format;
    int timeout_ms;
    bool lazy, force;           /* unmount */
    struct control_request request;
    struct mount_identity id;
    struct control_link link;
};

/* Says what went wrong with the mount at c->path. */
enum exitcode ctl_error(const struct ctl *c, const struct err *e);

enum exitcode ctl_status(struct ctl *c);
enum exitcode ctl_log(struct ctl *c);
enum exitcode ctl_order(struct ctl *c);
enum exitcode ctl_progress(struct ctl *c);
enum exitcode ctl_unmount(struct ctl *c);
enum exitcode ctl_abort(struct ctl *c);

#endif
