/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the disk cache needs from files. Other users may be able to write where the cache is, so
 * nothing is opened through a symbolic link, what was opened is looked at before it is used (a
 * plain file with one name), and nothing is mapped into memory: a file may become shorter at any
 * moment.
 *
 * Locks belong to the open file, not to the process: two openings in one process exclude each other
 * as two processes do, and the end of a process, however it comes, gives its locks back.
 */
#ifndef FETCH_CACHE_FILE_H
#define FETCH_CACHE_FILE_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "src/compiler.h"
#include "src/err.h"

/*
 * Opens the file NAME of directory DIRFD for reading and writing; MODE 0: it must exist, else it is
 * made with that mode if missing, whatever the umask is. Where writing is not permitted it is
 * opened for reading, and *writable says so. A descriptor, or a negative errno: ERR_NOT_FOUND,
 * ERR_DENIED, ERR_CORRUPT for what is no plain file.
 */
int cache_file_open(int dirfd, const char *name, mode_t mode, bool *writable, struct err *e)
    must_check;

/* The same for reading only. */
int cache_file_open_read(int dirfd, const char *name, struct err *e) must_check;

/* Opens the directory NAME of DIRFD; MODE as above. */
int cache_file_open_dir(int dirfd, const char *name, mode_t mode, struct err *e) must_check;

/* Whether NAME in DIRFD still is what FD was opened as. */
bool cache_file_is_named(int dirfd, const char *name, int fd);

/* All LEN bytes at OFFSET: 0, -ENODATA when the file ends before, or a negative errno. */
int cache_file_read(int fd, uint64_t offset, void *buf, size_t len) must_check;
int cache_file_write(int fd, uint64_t offset, const void *buf, size_t len) must_check;

/* Makes FD LEN bytes long if it is not; what is added is a hole. 0 or a negative errno. */
int cache_file_set_length(int fd, uint64_t len) must_check;

/* Takes the lock of FD without waiting: 0, or -EAGAIN when others stand in the way, or another
 * negative errno. An exclusive lock needs a descriptor that can write. */
int cache_file_lock(int fd, bool exclusive) must_check;

/* Whether some other opening holds a lock, of either kind. */
bool cache_file_is_locked(int fd);

#endif
