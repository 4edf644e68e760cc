/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's side of a mount. See fuse_connection.h. */
#include "config.h"

#include "fs/fuse_connection.h"

#include <fcntl.h>
#include <stdio.h>

int fuse_connection_abort(unsigned long connection, struct err *e)
{
    char path[80];

    (void)snprintf(path, sizeof path, "/sys/fs/fuse/connections/%lu/abort", connection);
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "1\n", 2) != 2)
        return err_sys(e, "%s", path);
    return 0;
}
