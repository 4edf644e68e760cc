/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parts of the FUSE protocol that libfuse 3.14 does not know, spoken beside it on the session's
 * descriptor. All are optional: where the kernel does not offer one, nothing changes.
 */
#ifndef FS_SESSION_IO_H
#define FS_SESSION_IO_H

#include "fs/vfs.h"

/*
 * Between mounting and the session's loop: counts the kernel's requests, and with an overlay has
 * INIT answered with FUSE_HANDLE_KILLPRIV_V2 as well. Without that the kernel asks for the
 * attribute security.capability before every WRITE; with it, this process clears set-user-ID and
 * set-group-ID bits. 0 or a negative errno.
 */
int session_io_install(struct vfs *v) must_check;

/* Name of a kind of request, such as "lookup"; NUMBER has room for one that has none. */
const char *session_io_opcode_name(unsigned opcode, char number[16]);

/* Makes the kernel ask again for every name before it uses it next. Takes no lock there, so it may
 * be called by a handler, before it replies. False: the kernel (before 6.16) does not know it. */
bool session_io_forget_names(struct vfs *v);

#endif
