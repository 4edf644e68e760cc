/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the lock of an overlay. See holder.h. */
#include "config.h"

#include "fs/overlay/holder.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static void value_of(const char *text, const char *key, char *out, size_t size)
{
    size_t len = strlen(key);

    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");

        if (n > len + 1 && !strncmp(line, key, len) && line[len] == ':' && line[len + 1] == ' ')
            (void)snprintf(out, size, "%.*s", (int)(n - len - 2), line + len + 2); /* cut is fine */
        line += n + (line[n] == '\n');
    }
}

int overlay_holder(int dirfd, struct overlay_holder *out)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char text[8192];
    ssize_t n;

    *out = (struct overlay_holder){ .in_use = false };
    auto_close int fd = openat(dirfd, "lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (fcntl(fd, F_OFD_GETLK, &lock))
        return -errno;
    n = pread(fd, text, sizeof text - 1, 0);
    if (n < 0)
        return -errno;
    text[n] = '\0';
    out->in_use = lock.l_type != F_UNLCK;
    out->unclean = !out->in_use && n > 0;
    value_of(text, "pid", out->pid, sizeof out->pid);
    value_of(text, "host", out->host, sizeof out->host);
    value_of(text, "started", out->started, sizeof out->started);
    value_of(text, "mountpoint", out->mountpoint, sizeof out->mountpoint);
    return 0;
}
