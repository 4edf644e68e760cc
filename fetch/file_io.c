/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading, writing and making local files. See file_io.h. */
#include "config.h"

#include "fetch/file_io.h"

#include <string.h>
#include <sys/stat.h>

ssize_t file_read(int fd, void *buf, size_t len, uint64_t off)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(off + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int file_write(int fd, const void *data, size_t len, uint64_t off, size_t *done)
{
    size_t written = 0;
    int rc = 0;

    while (written < len) {
        ssize_t n = pwrite(fd, (const char *)data + written, len - written,
                           (off_t)(off + written));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = EIO;
            rc = -errno;
            break;
        }
        written += (size_t)n;
    }
    if (done)
        *done = written;
    return rc;
}

int file_make_parents(const char *path, struct err *e)
{
    auto_free char *copy = strdup(path);

    if (!copy)
        return err_nomem(e);
    for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(copy, 0700) && errno != EEXIST)
            return err_sys(e, "%s", copy);
        *p = '/';
    }
    return 0;
}
