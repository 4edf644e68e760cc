/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether the thread that asks for a name is about to rename something to it.
 *
 * rename(2) does nothing when both names lead to one inode, before the file system is asked; so
 * changing only the case of a name would be lost. LOOKUP does not say what it is for, but the
 * kernel looks the target of a rename up every time, and /proc tells what system call a thread is
 * in. Reading that takes the rights a debugger needs: the same user or root, and no stricter rule
 * (Yama's ptrace_scope). Where it cannot be read, the answer is no.
 */
#ifndef FS_CALLER_H
#define FS_CALLER_H

#include <sys/types.h>

#include "src/compiler.h"

enum caller_rename {
    CALLER_NO_RENAME,
    CALLER_RENAME, /* onto whatever has the name */
    CALLER_RENAME_NOREPLACE,
};

/* Whether thread TID (0: unknown) is in a rename to NAME of what may be another spelling of it,
 * which stands for a directory or not. Takes some system calls: not for the ordinary lookup. */
enum caller_rename caller_renames_to(pid_t tid, const char *name, bool is_dir);

/* The text of /proc/TID/syscall: number and arguments. False when it is none of the renames.
 * For tests. */
struct caller_call {
    unsigned long from, to; /* addresses of the paths, in the caller */
    unsigned long flags;    /* of renameat2(2) */
};
bool caller_parse(const char *text, struct caller_call *out);

#endif
