/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lock of an overlay directory. See store_lock.h. */
#include "config.h"

#include "fs/overlay/store_lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fs/overlay/crash_point.h"
#include "src/log.h"

enum { TEXT_MAX = 8192, VALUE_MAX = 120 };

/* Reads the text of a lock file; "" when there is none. Whatever it holds, it is one string. */
static void read_text(int fd, char text[TEXT_MAX])
{
    ssize_t n = pread(fd, text, TEXT_MAX - 1, 0);

    text[n > 0 ? n : 0] = '\0';
}

/* The value of KEY in TEXT, cut to what a message can hold; "unknown" when there is none. */
static void value_of(const char *text, const char *key, char out[VALUE_MAX])
{
    size_t len = strlen(key);

    (void)snprintf(out, VALUE_MAX, "unknown");
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line ? 1 : 0) {
        if (strncmp(line, key, len) || strncmp(line + len, ": ", 2))
            continue;
        line += len + 2;
        (void)snprintf(out, VALUE_MAX, "%.*s", (int)strcspn(line, "\n"), line); /* cut is fine */
        break;
    }
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

static int say_busy(int fd, const char *path, struct err *e)
{
    char text[TEXT_MAX], pid[VALUE_MAX], host[VALUE_MAX], where[VALUE_MAX], since[VALUE_MAX];

    read_text(fd, text);
    if (!*text)
        return err_set(e, ERR_BUSY, "the overlay %s is in use by another process", path);
    value_of(text, "pid", pid);
    value_of(text, "host", host);
    value_of(text, "mountpoint", where);
    value_of(text, "started", since);
    return err_set(e, ERR_BUSY,
                   "the overlay %s is in use by process %s on %s, mounted on %s since %s: unmount "
                   "that, or choose another directory (overlay=DIR)",
                   path, pid, host, where, since);
}

static bool lock_whole(int fd)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return !fcntl(fd, F_OFD_SETLK, &whole);
}

static void one_line(const char *value, char *out, size_t size)
{
    (void)snprintf(out, size, "%s", value); /* cut is fine */
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

/* Before anything is changed, and to the disk: after a power cut it must still be there. */
static int write_text(int fd, const char *mountpoint, bool temporary)
{
    char text[TEXT_MAX], host[256] = "", where[4096], started[64];
    time_t now = time(NULL);
    struct tm tm;

    if (gethostname(host, sizeof host - 1))
        host[0] = '\0';
    one_line(mountpoint ? mountpoint : "nowhere", where, sizeof where);
    if (!gmtime_r(&now, &tm) || !strftime(started, sizeof started, "%Y-%m-%d %H:%M:%S UTC", &tm))
        started[0] = '\0';
    int n = snprintf(text, sizeof text,
                     "sftfs: %s\npid: %ld\nhost: %s\nmountpoint: %s\nstarted: %s\n%s",
                     PACKAGE_VERSION, (long)getpid(), host, where, started,
                     temporary ? "temporary: yes\n" : "");
    if (n < 0 || (size_t)n >= sizeof text)
        return -EINVAL;
    if (ftruncate(fd, 0))
        return -errno;
    ssize_t done = pwrite(fd, text, (size_t)n, 0);
    if (done != n)
        return done < 0 ? -errno : -ENOSPC;
    return fsync(fd) ? -errno : 0;
}

int store_lock_take(int dirfd, const char *path, const char *mountpoint, bool temporary,
                    int *out, bool *unclean, struct err *e)
{
    char text[TEXT_MAX];
    auto_close int fd = openat(dirfd, LOCK_NAME,
                               O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_sys(e, "%s/" LOCK_NAME, path);
    if (!lock_whole(fd)) {
        if (errno == EAGAIN || errno == EACCES)
            return say_busy(fd, path, e);
        return err_sys(e, "%s/" LOCK_NAME " cannot be locked (the file system must support file "
                          "locks): choose another directory (overlay=DIR)", path);
    }
    CRASH_POINT("lock-taken");
    read_text(fd, text);
    *unclean = *text != '\0';
    int rc = write_text(fd, mountpoint, temporary);
    if (rc == -ENOSPC || rc == -EDQUOT) {
        /* Whoever has a full disk must be able to mount, to delete something. */
        log_warning("overlay", "%s: no space left to note who uses it", path);
    } else if (rc) {
        errno = -rc;
        return err_sys(e, "%s/" LOCK_NAME, path);
    }
    CRASH_POINT("lock-written");
    *out = fd;
    fd = -1;
    return 0;
}

void store_lock_release(int fd)
{
    if (ftruncate(fd, 0))
        log_warning("overlay", "the lock could not be emptied: %s", strerror(errno));
    (void)close(fd); /* gives the lock back */
}

bool store_lock_take_stale_temporary(int dirfd, int *out)
{
    char text[TEXT_MAX], temporary[VALUE_MAX];
    auto_close int fd = openat(dirfd, LOCK_NAME, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return false;
    read_text(fd, text);
    value_of(text, "temporary", temporary);
    if (strcmp(temporary, "yes") || !lock_whole(fd))
        return false;
    *out = fd;
    fd = -1;
    return true;
}
