/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One package version in the disk cache: reading, storing and dropping blocks. See cache.h.
 *
 * A block is stored by writing its bytes and then one byte of the index: whoever is killed between
 * the two has lost that block and nothing else. Nothing waits for the disk to have it, since every
 * block is verified when it is read back.
 */
#include "config.h"

#include "fetch/cache.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "fetch/cache_dir.h"
#include "fetch/cache_donor.h"
#include "fetch/cache_file.h"
#include "fetch/cache_index.h"
#include "fetch/cache_note.h"
#include "fetch/cache_space.h"
#include "src/clock.h"
#include "src/log.h"
#include "src/opc_name.h"

/* Why blocks are not stored at the moment. */
enum why {
    WHY_NONE,
    WHY_READ_ONLY,
    WHY_LARGE,
    WHY_QUOTA,
    WHY_FLOOR,
    WHY_FULL,
    WHY_ERROR,
    WHY_COUNT
};

static const char *const why_texts[WHY_COUNT] = {
    [WHY_NONE] = "",
    [WHY_READ_ONLY] = "no permission to write there",
    [WHY_LARGE] = "the package is larger than the quota of the cache",
    [WHY_QUOTA] = "the quota of the cache is used up, and nothing in it can be removed",
    [WHY_FLOOR] = "the file system is nearly full, and nothing in the cache can be removed",
    [WHY_FULL] = "the file system is full",
    [WHY_ERROR] = "a block could not be written",
};

/* A block may begin in the middle of a page of the file system and end in another one. */
enum { PAGE_SPARE = 8192 };

struct cache {
    struct cache_dir *dir;
    const struct package *package;
    uint32_t block_count;
    char name[CACHE_NAME_SIZE];
    char *path; /* of container.sft */
    int dir_fd, lock_fd, index_fd, container_fd;
    int decoded_fd; /* -1 unless the package has streams */
    bool writable;
    struct cache_index *index;
    struct cache_donors *donors; /* NULL = none */
    uint64_t metadata_have;      /* bytes from the start that cache_put_metadata() has written */

    _Atomic unsigned why;        /* enum why */
    _Atomic unsigned said;       /* bits of enum why that the log has had */
    atomic_uint_fast64_t rest_until_ms;
    atomic_uint_fast64_t read_blocks, read_bytes, donated_blocks, donated_bytes;
    atomic_uint_fast64_t stored_blocks, stored_bytes, bad_blocks, read_errors, write_errors;
};

static void count(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Growing a file beyond this limit would end the process by a signal. */
static int check_size_limit(uint64_t bytes, struct err *e)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY ||
        bytes <= limit.rlim_cur)
        return 0;
    errno = EFBIG;
    return err_sys(e, "the limit on the size of files (ulimit -f)");
}

/* Blocks of streams have no place in the container: they lie in a file of their own. */
static int open_decoded(struct cache *c, bool *writable, struct err *e)
{
    size_t count;
    const struct package_stream *last = package_streams(c->package, &count);

    if (!count)
        return 0;
    last += count - 1;
    int rc = check_size_limit(last->begin + last->len - PACKAGE_STREAM_BASE, e);
    if (rc)
        return rc;
    bool is_writable = false;
    c->decoded_fd = cache_file_open(c->dir_fd, CACHE_DECODED_NAME, c->dir->file_mode, &is_writable, e);
    *writable = *writable && is_writable;
    return c->decoded_fd < 0 ? c->decoded_fd : 0;
}

/* The file that has the byte of the container at *offset, which becomes an offset in that file. */
static int file_of(const struct cache *c, uint64_t *offset)
{
    if (*offset < PACKAGE_STREAM_BASE)
        return c->container_fd;
    *offset -= PACKAGE_STREAM_BASE;
    return c->decoded_fd;
}

/* What cache_package_read() has to know, before anything else is written. */
static int note_part(const struct cache *c, struct err *e)
{
    const char *part = package_info(c->package)->part;

    return *part ? cache_note_write(c->dir_fd, CACHE_PART_NAME, c->dir->file_mode, part, e) : 0;
}

static int open_files(struct cache *c, const struct cache_index_header *h, struct err *e)
{
    bool index_writable = false, container_writable = false;

    c->index_fd = cache_file_open(c->dir_fd, CACHE_INDEX_NAME, c->dir->file_mode,
                                  &index_writable, e);
    if (c->index_fd < 0)
        return c->index_fd;
    c->container_fd = cache_file_open(c->dir_fd, CACHE_CONTAINER_NAME, c->dir->file_mode,
                                      &container_writable, e);
    if (c->container_fd < 0)
        return c->container_fd;
    int rc = open_decoded(c, &container_writable, e);
    if (rc)
        return rc;
    c->writable = index_writable && container_writable;
    if (c->writable && (rc = note_part(c, e)))
        return rc;
    if (c->writable) {
        rc = check_size_limit(h->container_bytes, e);
        if (rc)
            return rc;
        rc = cache_file_set_length(c->container_fd, h->container_bytes);
        errno = -rc;
        if (rc)
            return err_sys(e, CACHE_CONTAINER_NAME);
    } else {
        atomic_store(&c->why, WHY_READ_ONLY);
    }
    return cache_index_open(c->index_fd, index_writable, h, &c->index, e);
}

/* When it was used last decides what is evicted first. */
static void touch(const struct cache *c)
{
    if (c->lock_fd >= 0)
        (void)futimens(c->lock_fd, NULL); /* if it cannot be written, its owner's use counts */
}

static int open_version(struct cache *c, struct err *e)
{
    struct cache_index_header h = cache_index_header_of(c->package);

    cache_name_of(&h, c->name);
    if (asprintf(&c->path, "%s/%s/" CACHE_CONTAINER_NAME, c->dir->path, c->name) < 0) {
        c->path = NULL;
        return err_nomem(e);
    }
    int rc = cache_dir_hold(c->dir, c->name, true, &c->dir_fd, &c->lock_fd, e);
    if (rc)
        return rc;
    touch(c);
    rc = open_files(c, &h, e);
    if (rc)
        err_wrap(e, "cache: %s/%s", c->dir->path, c->name);
    return rc ? rc : cache_donors_open(c->dir, c->package, c->name, c->index, &c->donors, e);
}

int cache_open(struct cache_dir *d, const struct package *p, struct cache **out, struct err *e)
{
    struct cache *c = calloc(1, sizeof *c);

    if (!c)
        return err_nomem(e);
    c->dir = d;
    c->package = p;
    c->block_count = package_info(p)->block_count;
    c->dir_fd = c->lock_fd = c->index_fd = c->container_fd = c->decoded_fd = -1;
    int rc = open_version(c, e);
    if (rc) {
        cache_close(c);
        return rc;
    }
    *out = c;
    return 0;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        (void)close(fd); /* what could not be written is found out when it is read */
}

void cache_close(struct cache *c)
{
    if (!c)
        return;
    touch(c);
    cache_donors_close(c->donors);
    cache_index_close(c->index);
    close_fd(c->index_fd);
    close_fd(c->container_fd);
    close_fd(c->decoded_fd);
    close_fd(c->dir_fd);
    close_fd(c->lock_fd); /* the last one: gives back the lock */
    free(c->path);
    free(c);
}

int cache_note_beside(struct cache *c, const char *name, struct err *e)
{
    return cache_note_write(c->dir_fd, CACHE_BESIDE_NAME, c->dir->file_mode, name, e);
}

int cache_beside(struct cache_dir *d, const char *container_path, char **out, struct err *e)
{
    char name[CACHE_NAME_SIZE];

    *out = NULL;
    if (!cache_version_of(container_path, name))
        return err_set(e, ERR_INVALID, "%s: not a version in the disk cache", container_path);
    auto_close int dir = cache_file_open_dir(d->fd, name, 0, e);
    int rc = dir < 0 ? dir : cache_note_read(dir, CACHE_BESIDE_NAME, out, e);
    if (!rc && *out)
        rc = opc_name_check(*out, strlen(*out), e); /* it becomes part of a location */
    if (rc)
        free(steal_ptr(out));
    return rc;
}

const char *cache_container_path(const struct cache *c)
{
    return c->path;
}

int cache_remember(struct cache *c, const char *location, struct err *e)
{
    return cache_dir_remember(c->dir, location, c->name, e);
}

/* --- whether and why not to write ------------------------------------------------------------- */

static bool may_write(struct cache *c)
{
    unsigned why = atomic_load_explicit(&c->why, memory_order_relaxed);

    return why == WHY_NONE ||
           (why != WHY_READ_ONLY &&
            monotonic_ms() >= atomic_load_explicit(&c->rest_until_ms, memory_order_relaxed));
}

static void rest(struct cache *c, enum why why, int rc)
{
    atomic_store(&c->rest_until_ms, monotonic_ms() + c->dir->retry_ms);
    atomic_store(&c->why, (unsigned)why);
    if (!(atomic_fetch_or(&c->said, 1u << why) & 1u << why))
        log_warning("cache", "%s: %s%s%s; going on without storing more for now", c->path,
                    why_texts[why], rc ? ": " : "", rc ? strerror(-rc) : "");
}

/* Room for BYTES, by the rules; else writing rests. */
static bool take_room(struct cache *c, uint64_t bytes)
{
    bool large = package_info(c->package)->container_bytes > c->dir->quota_bytes;

    switch (cache_space_take(c->dir->space, bytes + PAGE_SPARE)) {
    case CACHE_ROOM_YES:
        return true;
    case CACHE_ROOM_QUOTA:
        rest(c, large ? WHY_LARGE : WHY_QUOTA, 0);
        return false;
    case CACHE_ROOM_FLOOR:
    default:
        rest(c, WHY_FLOOR, 0);
        return false;
    }
}

/* Writes what lies at OFFSET of the container; when the disk is full, once more after something has been evicted. */
static int write_container(struct cache *c, uint64_t offset, const void *bytes, size_t len)
{
    int fd = file_of(c, &offset), rc = cache_file_write(fd, offset, bytes, len);

    if ((rc == -ENOSPC || rc == -EDQUOT) && cache_space_make(c->dir->space, len + PAGE_SPARE))
        rc = cache_file_write(fd, offset, bytes, len);
    return rc;
}

static void failed_to_write(struct cache *c, int rc)
{
    count(&c->write_errors, 1);
    rest(c, rc == -ENOSPC || rc == -EDQUOT ? WHY_FULL : WHY_ERROR, rc);
}

/* --- metadata --------------------------------------------------------------------------------- */

/* Writes what nobody may read before the metadata is said to be there. */
static int put(struct cache *c, uint64_t offset, const void *bytes, size_t len, struct err *e)
{
    if (!c->writable)
        return err_set(e, ERR_DENIED, "cache: %s: %s", c->path, why_texts[WHY_READ_ONLY]);
    if (!take_room(c, len)) {
        errno = ENOSPC;
        return err_sys(e, "cache: %s", c->path);
    }
    int rc = write_container(c, offset, bytes, len);
    if (rc) {
        failed_to_write(c, rc);
        errno = -rc;
        return err_sys(e, "cache: %s", c->path);
    }
    return 0;
}

int cache_end_pieces(struct cache *c, struct err *e)
{
    int rc = cache_index_has_metadata(c->index) ? 0 : cache_index_set_metadata(c->index, true);

    errno = -rc;
    return rc ? err_sys(e, "cache: %s", c->path) : 0;
}

int cache_put_between(struct cache *c, uint64_t offset, const void *bytes, size_t len, struct err *e)
{
    uint64_t size = package_info(c->package)->container_bytes;

    if (offset > size || len > size - offset)
        return err_set(e, ERR_INVALID, "cache: %zu bytes at %llu are beyond the package", len,
                       (unsigned long long)offset);
    return put(c, offset, bytes, len, e);
}

int cache_set_whole(struct cache *c, struct err *e)
{
    bool writable;
    auto_close int fd = cache_file_open(c->dir_fd, CACHE_WHOLE_NAME, c->dir->file_mode, &writable, e);

    return fd < 0 ? fd : 0;
}

bool cache_is_whole(const struct cache *c)
{
    return !faccessat(c->dir_fd, CACHE_WHOLE_NAME, F_OK, AT_SYMLINK_NOFOLLOW);
}

int cache_put_piece(struct cache *c, uint64_t offset, const void *bytes, size_t len, struct err *e)
{
    return cache_index_has_metadata(c->index) ? 0 : cache_put_between(c, offset, bytes, len, e);
}

int cache_put_metadata(struct cache *c, uint64_t offset, const void *bytes, size_t len,
                       struct err *e)
{
    uint64_t all = package_info(c->package)->metadata_bytes, end;

    if (cache_index_has_metadata(c->index))
        return 0;
    if (offset > c->metadata_have || add_overflows(offset, (uint64_t)len, &end))
        return err_set(e, ERR_INVALID, "cache: metadata must come from the start on");
    end = min_u64(end, all);
    if (end > c->metadata_have) {
        uint64_t skip = c->metadata_have - offset;
        int rc = put(c, c->metadata_have, (const uint8_t *)bytes + skip,
                     (size_t)(end - c->metadata_have), e);
        if (rc)
            return rc;
        c->metadata_have = end;
    }
    return c->metadata_have < all ? 0 : cache_end_pieces(c, e);
}

bool cache_has_metadata(const struct cache *c)
{
    return cache_index_has_metadata(c->index);
}

/* --- reading ---------------------------------------------------------------------------------- */

bool cache_has(struct cache *c, uint32_t block)
{
    return block < c->block_count &&
           (cache_index_has(c->index, block) || cache_donors_have(c->donors, block));
}

bool cache_holds(struct cache *c, uint32_t block)
{
    return cache_index_has(c->index, block);
}

uint32_t cache_run(struct cache *c, uint32_t first, uint32_t max, size_t max_bytes)
{
    uint32_t n = 0;
    uint64_t start = 0, end = 0;

    for (; n < max && first < c->block_count && n < c->block_count - first; n++) {
        const struct block *b = package_block(c->package, first + n);

        if (!n)
            start = end = b->offset;
        if (b->offset < end || b->offset + b->stored_len - start > max_bytes ||
            !cache_has(c, first + n))
            break;
        end = b->offset + b->stored_len;
    }
    return n;
}

/* Blocks from FIRST on, COUNT at the most, that one read of one file brings; 0 = FIRST is gone. */
static uint32_t segment(struct cache *c, uint32_t first, uint32_t max, bool *own)
{
    uint32_t n = 0;

    *own = cache_index_knows(c->index, first);
    while (n < max && cache_index_knows(c->index, first + n) == *own)
        n++;
    return *own ? n : cache_donors_run(c->donors, first, n);
}

static size_t span(const struct cache *c, uint32_t first, uint32_t n)
{
    const struct block *last = package_block(c->package, first + n - 1);

    return (size_t)(last->offset + last->stored_len - package_block(c->package, first)->offset);
}

static int read_segment(struct cache *c, uint32_t first, uint32_t n, bool own, uint8_t *buf)
{
    size_t len = span(c, first, n);
    uint64_t offset = package_block(c->package, first)->offset;
    int fd = file_of(c, &offset);

    return own ? cache_file_read(fd, offset, buf, len)
               : cache_donors_read(c->donors, first, len, buf);
}

static void forget(struct cache *c, uint32_t block, bool own)
{
    if (own)
        (void)cache_index_remove(c->index, block);
    else
        (void)cache_donors_drop(c->donors, block);
}

/* A segment that could not be read as a whole: block by block, so that only those are forgotten
 * that are to blame. */
static int read_singly(struct cache *c, uint32_t first, uint32_t n, bool own, uint8_t *buf)
{
    uint64_t base = package_block(c->package, first)->offset;
    int status = 0;

    for (uint32_t i = first; i < first + n; i++) {
        int rc = read_segment(c, i, 1, own,
                              buf + (package_block(c->package, i)->offset - base));
        if (rc) {
            count(&c->read_errors, 1);
            forget(c, i, own);
            status = rc;
        }
    }
    return status;
}

int cache_read(struct cache *c, uint32_t first, uint32_t blocks, uint8_t *buf, struct err *e)
{
    uint64_t base = first < c->block_count ? package_block(c->package, first)->offset : 0;

    if (first >= c->block_count || blocks > c->block_count - first)
        return err_set(e, ERR_INVALID, "cache: there is no such block");
    for (uint32_t i = first, n; i < first + blocks; i += n) {
        uint8_t *to = buf + (package_block(c->package, i)->offset - base);
        bool own;

        n = segment(c, i, first + blocks - i, &own);
        if (!n)
            return err_set(e, ERR_NOT_FOUND, "cache: block %u is not there", i);
        int rc = read_segment(c, i, n, own, to);
        if (rc)
            rc = read_singly(c, i, n, own, to);
        if (rc == -ENODATA)
            return err_set(e, ERR_TRUNCATED, "cache: %s was cut short", c->path);
        if (rc) {
            errno = -rc;
            return err_sys(e, "cache: %s", c->path);
        }
        count(&c->read_blocks, n);
        count(&c->read_bytes, span(c, i, n));
        if (!own) {
            count(&c->donated_blocks, n);
            count(&c->donated_bytes, span(c, i, n));
        }
    }
    return 0;
}

void cache_drop(struct cache *c, uint32_t block)
{
    if (block >= c->block_count)
        return;
    count(&c->bad_blocks, 1);
    if (cache_index_knows(c->index, block))
        (void)cache_index_remove(c->index, block);
    else
        (void)cache_donors_drop(c->donors, block);
}

/* --- storing ---------------------------------------------------------------------------------- */

void cache_store(struct cache *c, uint32_t block, const uint8_t *stored)
{
    if (block >= c->block_count || !may_write(c) || cache_index_knows(c->index, block) ||
        package_info(c->package)->unverified) /* the cache is others', too */
        return;
    const struct block *b = package_block(c->package, block);
    if (!take_room(c, b->stored_len))
        return;
    int rc = write_container(c, b->offset, stored, b->stored_len);
    if (!rc)
        rc = cache_index_add(c->index, block);
    if (rc) {
        failed_to_write(c, rc);
        return;
    }
    atomic_store_explicit(&c->why, WHY_NONE, memory_order_relaxed);
    count(&c->stored_blocks, 1);
    count(&c->stored_bytes, b->stored_len);
}

/* --- looking ---------------------------------------------------------------------------------- */

bool cache_is_complete(struct cache *c)
{
    for (uint32_t i = 0; i < c->block_count; i++)
        if (!cache_index_has(c->index, i))
            return false;
    return cache_has_metadata(c);
}

void cache_get_stats(struct cache *c, struct cache_stats *out)
{
    unsigned why = atomic_load(&c->why);

    *out = (struct cache_stats){
        .blocks = c->block_count,
        .metadata = cache_has_metadata(c),
        .read_blocks = atomic_load(&c->read_blocks),
        .read_bytes = atomic_load(&c->read_bytes),
        .donated_blocks = atomic_load(&c->donated_blocks),
        .donated_bytes = atomic_load(&c->donated_bytes),
        .stored_blocks = atomic_load(&c->stored_blocks),
        .stored_bytes = atomic_load(&c->stored_bytes),
        .bad_blocks = atomic_load(&c->bad_blocks),
        .read_errors = atomic_load(&c->read_errors),
        .write_errors = atomic_load(&c->write_errors),
        .writing = why == WHY_NONE,
        .why_not = why_texts[why],
    };
    cache_space_evicted(c->dir->space, &out->evicted_versions, &out->evicted_bytes);
    for (uint32_t i = 0; i < c->block_count; i++) {
        uint32_t len = package_block(c->package, i)->stored_len;

        if (cache_index_knows(c->index, i)) {
            out->present_blocks++;
            out->present_bytes += len;
        } else if (cache_donors_have(c->donors, i)) {
            out->borrowed_blocks++;
            out->borrowed_bytes += len;
        }
    }
}
