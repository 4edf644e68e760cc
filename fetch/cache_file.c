/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of the disk cache: opened with care, locked, read and written in full. See cache_file.h. */
#include "config.h"

#include "fetch/cache_file.h"

#include <fcntl.h>
#include <string.h>
#ifndef F_OFD_SETLK
#include <sys/file.h>
#endif

#include "fetch/file_io.h"

/* O_NONBLOCK: the name may turn out to be a FIFO, which would hang the open. */
#define OPEN_FLAGS (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

enum { OPEN_TRIES = 8 };

static int open_once(int dirfd, const char *name, int flags, mode_t mode)
{
    int fd;

    do
        fd = openat(dirfd, name, flags | OPEN_FLAGS, mode);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/* Makes the file or opens the one that is there; others may make or remove it meanwhile. */
static int open_or_make(int dirfd, const char *name, mode_t mode)
{
    int fd = -ENOENT;

    for (int i = 0; i < OPEN_TRIES && fd == -ENOENT; i++) {
        fd = open_once(dirfd, name, O_RDWR, 0);
        if (fd != -ENOENT || !mode)
            break;
        fd = open_once(dirfd, name, O_RDWR | O_CREAT | O_EXCL, mode);
        if (fd >= 0)
            (void)fchmod(fd, mode); /* against the umask; a stricter mode is less sharing only */
        else if (fd == -EEXIST)
            fd = -ENOENT;
    }
    return fd;
}

/*
 * One name: a file with a second one may be somebody's own, linked here by another user so that we
 * write into it.
 */
static int check_plain(int fd, const char *name, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st))
        return err_sys(e, "%s", name);
    if (S_ISREG(st.st_mode) && !st.st_nlink) {
        errno = ENOENT;
        return err_sys(e, "%s", name);
    }
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(e, ERR_CORRUPT, "%s is no plain file of its own", name);
    return 0;
}

static int checked(int fd, const char *name, struct err *e)
{
    if (fd == -ELOOP)
        return err_set(e, ERR_CORRUPT, "%s is a symbolic link", name);
    if (fd < 0) {
        errno = -fd;
        return err_sys(e, "%s", name);
    }
    int rc = check_plain(fd, name, e);
    if (rc)
        (void)close(fd); /* nothing was done with it */
    return rc ? rc : fd;
}

int cache_file_open(int dirfd, const char *name, mode_t mode, bool *writable, struct err *e)
{
    int fd = open_or_make(dirfd, name, mode);

    *writable = fd >= 0;
    if (fd == -EACCES || fd == -EPERM || fd == -EROFS)
        fd = open_once(dirfd, name, O_RDONLY, 0);
    return checked(fd, name, e);
}

int cache_file_open_read(int dirfd, const char *name, struct err *e)
{
    return checked(open_once(dirfd, name, O_RDONLY, 0), name, e);
}

int cache_file_open_dir(int dirfd, const char *name, mode_t mode, struct err *e)
{
    bool made = false;
    int fd = -ENOENT, why = EEXIST;

    /* Once more when another process removed what was there a moment ago. */
    for (int i = 0; i < OPEN_TRIES && fd == -ENOENT && why == EEXIST; i++) {
        made = mode && !mkdirat(dirfd, name, mode);
        why = made || !mode ? 0 : errno;
        fd = open_once(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
    }
    if (fd == -ENOENT && why && why != EEXIST)
        fd = -why; /* why it could not be made says more */
    if (fd == -ELOOP || fd == -ENOTDIR)
        return err_set(e, ERR_CORRUPT, "%s is no directory", name);
    if (fd < 0) {
        errno = -fd;
        return err_sys(e, "%s", name);
    }
    if (made)
        (void)fchmod(fd, mode); /* against the umask; a stricter mode is less sharing only */
    return fd;
}

bool cache_file_is_named(int dirfd, const char *name, int fd)
{
    struct stat by_name, open;

    return !fstatat(dirfd, name, &by_name, AT_SYMLINK_NOFOLLOW) && !fstat(fd, &open) &&
           by_name.st_dev == open.st_dev && by_name.st_ino == open.st_ino;
}

int cache_file_read(int fd, uint64_t offset, void *buf, size_t len)
{
    ssize_t n = file_read(fd, buf, len, offset);

    if (n < 0)
        return (int)n;
    return (size_t)n < len ? -ENODATA : 0;
}

int cache_file_write(int fd, uint64_t offset, const void *buf, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, (const char *)buf + done, len - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? -errno : -ENOSPC;
        done += (size_t)n;
    }
    return 0;
}

int cache_file_set_length(int fd, uint64_t len)
{
    struct stat st;

    if (len > INT64_MAX)
        return -EFBIG;
    if (fstat(fd, &st))
        return -errno;
    if ((uint64_t)st.st_size == len)
        return 0;
    return ftruncate(fd, (off_t)len) ? -errno : 0;
}

#ifdef F_OFD_SETLK

int cache_file_lock(int fd, bool exclusive)
{
    struct flock whole = { .l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };

    if (!fcntl(fd, F_OFD_SETLK, &whole))
        return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}

bool cache_file_is_locked(int fd)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return !fcntl(fd, F_OFD_GETLK, &whole) && whole.l_type != F_UNLCK;
}

#else

int cache_file_lock(int fd, bool exclusive)
{
    if (!flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB))
        return 0;
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

bool cache_file_is_locked(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK;
    (void)flock(fd, LOCK_UN); /* our own, just taken */
    return false;
}

#endif
