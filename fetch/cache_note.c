/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Notes in the disk cache. See cache_note.h. */
#include "config.h"

#include "fetch/cache_note.h"

#include <string.h>
#include <sys/stat.h>

#include "fetch/cache_file.h"

int cache_note_write(int dir, const char *file, mode_t mode, const char *text, struct err *e)
{
    size_t len = strlen(text);
    bool writable;
    struct stat st;
    auto_close int fd = cache_file_open(dir, file, mode, &writable, e);

    if (fd < 0)
        return fd;
    if (len > CACHE_NOTE_MAX)
        return err_set(e, ERR_LIMIT, "%s: %zu bytes are too many", file, len);
    if (fstat(fd, &st))
        return err_sys(e, "%s", file);
    if (!writable || (uint64_t)st.st_size == len)
        return 0;
    errno = -cache_file_write(fd, 0, text, len);
    return errno ? err_sys(e, "%s", file) : 0;
}

int cache_note_read(int dir, const char *file, char **out, struct err *e)
{
    struct err own;
    auto_close int fd = cache_file_open_read(dir, file, &own);
    struct stat st;

    *out = NULL;
    if (fd < 0 && own.kind == ERR_NOT_FOUND)
        return 0;
    if (fd < 0 && e)
        *e = own;
    if (fd < 0)
        return fd;
    if (fstat(fd, &st))
        return err_sys(e, "%s", file);
    if (!st.st_size)
        return 0;
    if (st.st_size > CACHE_NOTE_MAX)
        return err_set(e, ERR_CORRUPT, "%s: damaged", file);
    *out = calloc(1, (size_t)st.st_size + 1);
    if (!*out)
        return err_nomem(e);
    errno = -cache_file_read(fd, 0, *out, (size_t)st.st_size);
    if (!errno)
        return 0;
    int rc = err_sys(e, "%s", file);
    free(steal_ptr(out));
    return rc;
}
