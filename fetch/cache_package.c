/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a package from its sparse copy in the disk cache. See cache_package.h. */
#include "config.h"

#include "fetch/cache_package.h"

#include <string.h>
#include <sys/stat.h>

#include "fetch/cache_file.h"
#include "fetch/cache_note.h"
#include "src/container.h"

static int feed(int fd, struct container_reader *r, struct byte_range want, struct err *e)
{
    if (want.length > SIZE_MAX)
        return err_nomem(e);
    auto_free uint8_t *bytes = malloc(want.length ? (size_t)want.length : 1);
    if (!bytes)
        return err_nomem(e);
    int rc = cache_file_read(fd, want.offset, bytes, (size_t)want.length);
    if (rc == -ENODATA)
        return err_set(e, ERR_TRUNCATED, "it was cut short");
    if (rc) {
        errno = -rc;
        return err_sys(e, CACHE_CONTAINER_NAME);
    }
    return container_reader_feed(r, want.offset, bytes, (size_t)want.length, e);
}

int cache_package_read(int dir, int fd, const char *name, struct package **out, struct err *e)
{
    auto_free char *part = NULL;
    struct container_options options = { .arch = NULL };
    struct container_reader *r;
    struct byte_range want;
    struct stat st;

    *out = NULL;
    if (fstat(fd, &st))
        return err_sys(e, CACHE_CONTAINER_NAME);
    int rc = cache_note_read(dir, CACHE_PART_NAME, &part, e);
    if (!rc)
        rc = container_reader_new((uint64_t)st.st_size, &r, e);
    if (rc)
        return rc;
    options.part = part;
    container_reader_set_options(r, &options);
    while ((rc = container_reader_next(r, &want, e)) == 1) {
        rc = feed(fd, r, want, e);
        if (rc)
            break;
    }
    if (rc > 0) /* what was stored had its package in itself */
        rc = err_set(e, ERR_CORRUPT, "it is not what it was");
    if (!rc)
        *out = container_reader_take(r);
    container_reader_free(r);
    if (rc)
        return rc;

    struct cache_index_header h = cache_index_header_of(*out);
    char is[CACHE_NAME_SIZE];
    cache_name_of(&h, is);
    if (!strcmp(is, name))
        return 0;
    package_free(steal_ptr(out));
    return err_set(e, ERR_CORRUPT, "it holds the metadata of another version");
}

int cache_package_open(struct cache_dir *d, const char *name, struct package **out, struct err *e)
{
    auto_close int dir = cache_file_open_dir(d->fd, name, 0, e);
    auto_close int fd = dir < 0 ? dir : cache_file_open_read(dir, CACHE_CONTAINER_NAME, e);
    int rc = fd < 0 ? fd : cache_package_read(dir, fd, name, out, e);

    if (rc)
        err_wrap(e, "cache: %s/%s/" CACHE_CONTAINER_NAME, d->path, name);
    return rc;
}

/* --- how much --------------------------------------------------------------------------------- */

static void add(const struct package *p, const struct cache_index *ix, uint32_t block,
                uint32_t *blocks, uint32_t *present, uint64_t *bytes, uint64_t *bytes_present)
{
    uint32_t len = package_block(p, block)->stored_len;
    bool there = cache_index_knows(ix, block);

    *blocks += 1;
    *present += there;
    *bytes += len;
    *bytes_present += there ? len : 0;
}

int cache_progress_of(struct cache_dir *d, const char *name, const struct package *p,
                      struct cache_progress *out, struct err *e)
{
    const struct package_info *info = package_info(p);
    struct cache_index_header h = cache_index_header_of(p);
    struct cache_index *ix = NULL;
    auto_close int dir = cache_file_open_dir(d->fd, name, 0, e);
    auto_close int fd = dir < 0 ? dir : cache_file_open_read(dir, CACHE_INDEX_NAME, e);

    *out = (struct cache_progress){ .blocks = 0 };
    if (fd < 0)
        return fd;
    int rc = cache_index_open(fd, false, &h, &ix, e);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < info->block_count; i++)
        add(p, ix, i, &out->blocks, &out->blocks_present, &out->bytes, &out->bytes_present);
    for (uint32_t r = 0; r < info->launch_run_count; r++)
        for (uint32_t i = 0; i < info->launch_runs[r].count; i++)
            add(p, ix, info->launch_runs[r].first + i, &out->launch_blocks,
                &out->launch_blocks_present, &out->launch_bytes, &out->launch_bytes_present);
    cache_index_close(ix);
    return 0;
}
