/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control socket of a mount: a Unix socket that answers questions about the mount and takes a
 * few orders, in the protocol of control-protocol.md. A thread of its own serves it. The thread
 * waits for nothing but its sockets, takes no lock that is held over I/O and never touches the
 * mount, so that it answers when the server is silent and every reader hangs.
 */
#ifndef FS_CONTROL_H
#define FS_CONTROL_H

#include "fs/control_rows.h"
#include "src/compiler.h"
#include "src/err.h"

struct control;

/*
 * To be called when the mount is in the mount table: makes socket and state file in the directory
 * of the effective user, in place of what a killed daemon left under this name, and starts the
 * thread. PARTS is copied; what it points to must outlive control_stop().
 */
int control_start(const struct control_parts *parts, struct control **out, struct err *e)
    must_check;

/* Ends the conversations, removes both files and frees. NULL is fine. Does not wait for a
 * client. */
void control_stop(struct control *c);

#endif
