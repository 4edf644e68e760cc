/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lock of an overlay directory: one process may write to it. DIR/lock is locked as a whole with
 * an open file description lock, which holds on local file systems and over NFS, ends with the
 * process however that ends, and is not lost when something else in the process closes the file.
 *
 * The file says who holds it, as lines "key: value". Whoever gives it back in good order empties
 * it: text in a file that nobody has locked is the mark of an unclean end. Only for fs/overlay/.
 */
#ifndef FS_OVERLAY_STORE_LOCK_H
#define FS_OVERLAY_STORE_LOCK_H

#include "src/compiler.h"
#include "src/err.h"

#define LOCK_NAME "lock"

/*
 * Takes the lock of directory DIRFD, called PATH in messages, and writes who has it. *unclean:
 * there was text. 0 with the descriptor in *out, which holds the lock until it is closed. ERR_BUSY
 * names the holder; one that has been unmounted and is about to end is waited for, some seconds. ERR_DENIED or -EROFS: the file cannot be written here.
 */
int store_lock_take(int dirfd, const char *path, const char *mountpoint, bool temporary,
                    int *out, bool *unclean, struct err *e) must_check;

/* Gives the lock back in good order and closes FD. */
void store_lock_release(int fd);

/*
 * Takes the lock of DIRFD if its text says that it is of a temporary overlay and its holder is
 * gone. Touches nothing else: a directory in the making has no such text yet.
 */
bool store_lock_take_stale_temporary(int dirfd, int *out);

#endif
