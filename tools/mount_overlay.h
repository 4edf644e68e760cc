/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The overlay of a mount: from what -o overlay says to an open overlay that fits the package, and
 * back. In the process that serves the mount, because the overlay's lock is that process's.
 */
#ifndef TOOLS_MOUNT_OVERLAY_H
#define TOOLS_MOUNT_OVERLAY_H

#include "fs/overlay/overlay.h"
#include "tools/mount_common.h"

struct mount_overlay {
    struct attr_rules rules;
    struct overlay_store *store;
    struct overlay *overlay; /* NULL: none was asked for */
};

/*
 * Opens the overlay that S asks for, for PACKAGE (read by ENGINE, from SOURCE) to be mounted at
 * MOUNTPOINT, both as people see them, and puts it into S->mount, which is made read_only when the
 * overlay cannot be written. Changes made with another version of the package are carried over
 * first. Gives notes. *out is to be closed also after an error. May block on the network.
 *
 * ERR_INVALID when overlay and mount point lie inside each other, and the errors of
 * overlay_store_open(), overlay_upgrade() and overlay_open().
 */
int mount_overlay_open(struct mount_setup *s, const struct package *package, struct engine *engine,
                       const char *source, const char *mountpoint, struct mount_overlay *out,
                       struct err *e) must_check;

/* After the mount has ended. */
void mount_overlay_close(struct mount_overlay *o);

/*
 * Whether an overlay at PATH (absolute; need not exist) and a mount point can go together: neither
 * may lie in the other, and the overlay in no mount of a package.
 */
int mount_overlay_check_place(const char *path, const char *mountpoint, struct err *e) must_check;

#endif
