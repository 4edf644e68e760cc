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

enum { TEXT_MAX = 8192, VALUE_MAX = 120, WAIT_STEPS = 100, WAIT_STEP_MS = 50 };

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

/* Takes back what mountinfo(5) does to the characters of a path, in place, and what lock files do
 * to control characters. */
static void plain_path(char *path)
{
    char *to = path;

    for (const char *from = path; *from; from++, to++) {
        unsigned code;

        if (*from == '\\' && sscanf(from + 1, "%3o", &code) == 1) {
            *to = (char)code;
            from += 3;
        } else {
            *to = *from;
        }
        if ((unsigned char)*to < 0x20 || *to == 0x7f)
            *to = '?';
    }
    *to = '\0';
}

/* Whether something is mounted on WHERE, cut to VALUE_MAX; true if that is not known. */
static bool is_mounted(const char *where)
{
    auto_free char *line = NULL, *path = NULL;
    size_t size = 0;
    bool found = false;
    FILE *f = fopen("/proc/self/mountinfo", "re");

    if (!f)
        return true;
    while (!found && getline(&line, &size, f) > 0) {
        free(path);
        path = NULL;
        if (sscanf(line, "%*s %*s %*s %*s %ms", &path) != 1)
            continue;
        plain_path(path);
        found = !strncmp(path, where, VALUE_MAX - 1);
    }
    (void)fclose(f); /* only read */
    return found;
}

/* Whether the holder of the lock of FD, on this machine, has been unmounted and is about to end. */
static bool is_ending(int fd)
{
    char text[TEXT_MAX], pid[VALUE_MAX], host[VALUE_MAX], where[VALUE_MAX], here[VALUE_MAX] = "";

    read_text(fd, text);
    if (!*text)
        return true; /* it writes that when it begins, and empties the file before it ends */
    value_of(text, "pid", pid);
    value_of(text, "host", host);
    value_of(text, "mountpoint", where);
    (void)gethostname(here, sizeof here - 1); /* then no host is this one */
    return *where == '/' && !strcmp(host, here) && strtol(pid, NULL, 10) != (long)getpid() &&
           !is_mounted(where);
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
    if (is_ending(fd))
        return err_set(e, ERR_BUSY,
                       "the overlay %s is in use by process %s on %s, which had it mounted on %s "
                       "and waits for programs that still have files open there: end those, or "
                       "choose another directory (overlay=DIR)",
                       path, pid, host, where);
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

/* unmount(2) returns before the daemon has ended: whoever mounts again at once waits for it. */
static int wait_for_lock(int fd)
{
    const struct timespec step = { .tv_nsec = WAIT_STEP_MS * 1000000L };

    for (int i = 0;; i++) {
        if (lock_whole(fd))
            return 0;
        int rc = -errno;
        if ((rc != -EAGAIN && rc != -EACCES) || i == WAIT_STEPS || !is_ending(fd))
            return rc;
        (void)nanosleep(&step, NULL); /* shorter is fine */
    }
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
    int rc = wait_for_lock(fd);
    if (rc == -EAGAIN || rc == -EACCES)
        return say_busy(fd, path, e);
    if (rc) {
        errno = -rc;
        return err_sys(e, "%s/" LOCK_NAME " cannot be locked (the file system must support file "
                          "locks): choose another directory (overlay=DIR)", path);
    }
    CRASH_POINT("lock-taken");
    read_text(fd, text);
    *unclean = *text != '\0';
    rc = write_text(fd, mountpoint, temporary);
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
