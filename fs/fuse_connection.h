/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's side of a mount, as /sys/fs/fuse/connections shows it. */
#ifndef FS_FUSE_CONNECTION_H
#define FS_FUSE_CONNECTION_H

#include "src/compiler.h"
#include "src/err.h"

/*
 * Ends the connection: every request fails at once, those that wait included, whatever state the
 * daemon is in. Root and the user who mounted may. ERR_DENIED; ERR_NOT_FOUND when the connection is
 * gone already or the control file system is not mounted.
 */
int fuse_connection_abort(unsigned long connection, struct err *e) must_check;

#endif
