/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Does one operation on one side. What comes back holds all that must be the same on both.
 */
#include "config.h"

#include "tests/model/model.h"

#include <fcntl.h>
#include <string.h>

int open_on(const struct side *s, const char *path, int flags, mode_t mode)
{
    char real[PATH_SIZE];

    side_path(s, path, real);
    return openat(s->fd, real, flags | O_CLOEXEC, mode);
}

void run(const struct side *s, int *fds, const struct op *op, struct result *r)
{
    memset(r, 0, sizeof *r);
    errno = 0;
    if (op->kind >= OP_RENAME)
        run_name(s, fds, op, r);
    else
        run_file(s, fds, op, r);
}
