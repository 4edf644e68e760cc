/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A directory of a test's own on a file system with user extended attributes, in $TMPDIR or
 * /var/tmp. Where neither has them, overlay_dir_make() says so and returns false, and the test is
 * passed over.
 */
#ifndef TESTS_OVERLAY_DIR_H
#define TESTS_OVERLAY_DIR_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs/overlay/store.h"

struct overlay_dir {
    char path[256];
    int fd;
};

static bool overlay_dir_make(struct overlay_dir *d)
{
    const char *bases[] = { getenv("TMPDIR"), "/tmp", "/var/tmp" };

    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        if (!bases[i] || strlen(bases[i]) > 200)
            continue;
        (void)snprintf(d->path, sizeof d->path, "%s/sftfs-test-XXXXXX", bases[i]);
        if (!mkdtemp(d->path))
            continue;
        d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (d->fd >= 0 && !fsetxattr(d->fd, "user.sftfs.test", "1", 1, 0) &&
            !fremovexattr(d->fd, "user.sftfs.test"))
            return true;
        if (d->fd >= 0)
            (void)close(d->fd);
        (void)rmdir(d->path);
    }
    printf("no directory with user extended attributes: not tested ");
    return false;
}

static void overlay_dir_remove(struct overlay_dir *d)
{
    (void)close(d->fd);
    if (overlay_remove_tree(AT_FDCWD, d->path))
        printf("%s was left behind ", d->path);
}

#endif
