/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a file whole. See read_file.h. */
#include "config.h"

#include "tools/read_file.h"

#include <fcntl.h>

#define ROOM_BYTES 65536u

int read_whole_file(const char *path, size_t max, char **data, size_t *len, struct err *e)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    auto_free char *all = NULL;
    size_t room = 0, have = 0;

    if (fd < 0)
        return err_sys(e, "%s", path);
    for (;;) {
        if (have == room) {
            char *grown = realloc(all, room = room ? 2 * room : ROOM_BYTES);
            if (!grown)
                return err_nomem(e);
            all = grown;
        }
        ssize_t n = read(fd, all + have, room - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "%s", path);
        if (n == 0)
            break;
        have += (size_t)n;
        if (have > max)
            return err_set(e, ERR_LIMIT, "%s: more than %zu bytes", path, max);
    }
    *data = steal_ptr(&all);
    *len = have;
    return 0;
}
