/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The index of a cached package version: its file format, and its copy in memory. See
 * cache_index.h. */
#include "config.h"

#include "fetch/cache_index.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "fetch/cache_file.h"
#include "src/clock.h"
#include "src/codec.h"
#include "src/cursor.h"

/* One that a text editor, a transfer as text or an older layout would not have. */
static const uint8_t magic[16] = "sftfs cache 1\r\n";

enum {
    CHECKSUM_AT = 112,
    CHECKSUM_LEN = CACHE_INDEX_HEADER - CHECKSUM_AT,
    METADATA_AT = CACHE_INDEX_HEADER,
    BLOCKS_AT = METADATA_AT + 1,
    PAGE = 4096, /* blocks that are looked up again together */
    /* Values of a byte. Any other one is ABSENT. */
    ABSENT = 0,
    PRESENT = 1,
    DISTRUSTED = 2, /* in memory only: the file says so, and it is not true */
};

/* --- the header ------------------------------------------------------------------------------- */

struct cache_index_header cache_index_header_of(const struct package *p)
{
    const struct package_info *info = package_info(p);
    struct cache_index_header h = {
        .package_guid = info->package_guid,
        .version_guid = info->version_guid,
        .version_number = info->version_number,
        .block_count = info->block_count,
        .metadata_bytes = info->metadata_bytes,
        .container_bytes = info->container_bytes,
    };

    memcpy(h.root_hash, info->root_hash, sizeof h.root_hash);
    return h;
}

static uint8_t *put_le(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

int cache_index_format(const struct cache_index_header *h, uint8_t out[CACHE_INDEX_HEADER])
{
    uint8_t hash[32], *at = out;

    memset(out, 0, CACHE_INDEX_HEADER);
    memcpy(at, magic, sizeof magic);
    at += sizeof magic;
    memcpy(at, h->root_hash, sizeof h->root_hash);
    at += sizeof h->root_hash;
    memcpy(at, h->package_guid.b, sizeof h->package_guid.b);
    at += sizeof h->package_guid.b;
    memcpy(at, h->version_guid.b, sizeof h->version_guid.b);
    at += sizeof h->version_guid.b;
    at = put_le(at, h->version_number, 4);
    at = put_le(at, h->block_count, 4);
    at = put_le(at, h->metadata_bytes, 8);
    at = put_le(at, h->container_bytes, 8);
    if (codec_sha256(NULL, out, CHECKSUM_AT, hash))
        return -EIO;
    memcpy(out + CHECKSUM_AT, hash, CHECKSUM_LEN);
    return 0;
}

static void take(struct cursor *c, void *out, size_t len)
{
    const uint8_t *at = cursor_bytes(c, len);

    if (at)
        memcpy(out, at, len);
}

int cache_index_parse(const void *data, size_t len, struct cache_index_header *out, struct err *e)
{
    struct cursor c = cursor_over(data, len);
    uint8_t hash[32];

    *out = (struct cache_index_header){ .block_count = 0 };
    if (len < CACHE_INDEX_HEADER)
        return err_set(e, ERR_TRUNCATED, "the index ends inside its header");
    if (memcmp(cursor_bytes(&c, sizeof magic), magic, sizeof magic))
        return err_set(e, ERR_NOT_A_PACKAGE, "no index, or one of another version of sftfs");
    if (codec_sha256(NULL, data, CHECKSUM_AT, hash))
        return err_nomem(e);
    if (memcmp(hash, (const uint8_t *)data + CHECKSUM_AT, CHECKSUM_LEN))
        return err_set(e, ERR_CHECKSUM, "the header of the index does not match its checksum");
    take(&c, out->root_hash, sizeof out->root_hash);
    take(&c, out->package_guid.b, sizeof out->package_guid.b);
    take(&c, out->version_guid.b, sizeof out->version_guid.b);
    out->version_number = cursor_u32(&c);
    out->block_count = cursor_u32(&c);
    out->metadata_bytes = cursor_u64(&c);
    out->container_bytes = cursor_u64(&c);
    if (cursor_u64(&c))
        return err_set(e, ERR_UNSUPPORTED, "the index has something in it that is not known here");
    if (c.failed || out->container_bytes > INT64_MAX ||
        out->metadata_bytes > out->container_bytes)
        return err_set(e, ERR_CORRUPT, "the lengths in the index are impossible");
    return 0;
}

int cache_index_read_header(int fd, struct cache_index_header *out, struct err *e)
{
    uint8_t bytes[CACHE_INDEX_HEADER];
    int rc = cache_file_read(fd, 0, bytes, sizeof bytes);

    if (rc == -ENODATA)
        return err_set(e, ERR_TRUNCATED, "the index ends inside its header");
    if (rc) {
        errno = -rc;
        return err_sys(e, "index");
    }
    return cache_index_parse(bytes, sizeof bytes, out, e);
}

uint32_t cache_index_count(int fd, const struct cache_index_header *h, bool *metadata)
{
    uint8_t bytes[PAGE];
    uint32_t count = 0;

    *metadata = !cache_file_read(fd, METADATA_AT, bytes, 1) && bytes[0] == PRESENT;
    for (uint32_t at = 0, n; at < h->block_count; at += n) {
        n = (uint32_t)min_u64(h->block_count - at, sizeof bytes);
        if (cache_file_read(fd, (uint64_t)BLOCKS_AT + at, bytes, n))
            break; /* it is shorter than it should be: the rest is not there */
        for (uint32_t i = 0; i < n; i++)
            count += bytes[i] == PRESENT;
    }
    return count;
}

int cache_index_clear_metadata(int fd)
{
    const uint8_t absent = ABSENT;

    return cache_file_write(fd, METADATA_AT, &absent, 1);
}

/* --- in memory -------------------------------------------------------------------------------- */

struct cache_index {
    int fd;
    bool writable;
    uint32_t block_count;
    atomic_bool metadata;
    _Atomic uint32_t *looked; /* when a page of the file was last looked at, in ages */
    _Atomic uint8_t blocks[];
};

static uint32_t age_now(void)
{
    return (uint32_t)(monotonic_ms() / CACHE_INDEX_AGE_MS);
}

/* Takes over what the file says of the blocks of a page; blocks are only added. */
static void look(struct cache_index *ix, uint32_t page)
{
    uint8_t bytes[PAGE];
    uint32_t first = page * PAGE;
    uint32_t n = (uint32_t)min_u64(ix->block_count - first, PAGE);

    if (cache_file_read(ix->fd, (uint64_t)BLOCKS_AT + first, bytes, n))
        return; /* then nothing is known to be there */
    for (uint32_t i = 0; i < n; i++) {
        uint8_t absent = ABSENT;

        if (bytes[i] == PRESENT)
            (void)atomic_compare_exchange_strong(&ix->blocks[first + i], &absent, PRESENT);
    }
}

static void look_at_all(struct cache_index *ix)
{
    uint8_t byte;
    uint32_t now = age_now();

    atomic_store(&ix->metadata,
                 !cache_file_read(ix->fd, METADATA_AT, &byte, 1) && byte == PRESENT);
    for (uint64_t first = 0; first < ix->block_count; first += PAGE) {
        uint32_t page = (uint32_t)(first / PAGE);

        look(ix, page);
        atomic_store_explicit(&ix->looked[page], now, memory_order_relaxed);
    }
}

/* Makes the file one with header H; the bytes behind it stay, true or not. */
static int put_right(int fd, const struct cache_index_header *h, struct err *e)
{
    uint8_t want[CACHE_INDEX_HEADER], have[CACHE_INDEX_HEADER];
    int rc = cache_index_format(h, want);

    if (rc)
        return err_nomem(e);
    if (cache_file_read(fd, 0, have, sizeof have) || memcmp(have, want, sizeof have))
        rc = cache_file_write(fd, 0, want, sizeof want);
    if (!rc)
        rc = cache_file_set_length(fd, cache_index_length(h));
    errno = -rc;
    return rc ? err_sys(e, "index") : 0;
}

static int check_same(int fd, const struct cache_index_header *h, struct err *e)
{
    uint8_t want[CACHE_INDEX_HEADER], have[CACHE_INDEX_HEADER];

    if (cache_index_format(h, want))
        return err_nomem(e);
    if (cache_file_read(fd, 0, have, sizeof have) || memcmp(have, want, sizeof have))
        return err_set(e, ERR_CORRUPT, "the index is not that of this version");
    return 0;
}

int cache_index_open(int fd, bool writable, const struct cache_index_header *h,
                     struct cache_index **out, struct err *e)
{
    size_t pages = (size_t)h->block_count / PAGE + 1;
    int rc = writable ? put_right(fd, h, e) : check_same(fd, h, e);

    if (rc)
        return rc;
    struct cache_index *ix = calloc(1, sizeof *ix + h->block_count);
    if (ix)
        ix->looked = calloc(pages, sizeof *ix->looked);
    if (!ix || !ix->looked) {
        free(ix);
        return err_nomem(e);
    }
    ix->fd = fd;
    ix->writable = writable;
    ix->block_count = h->block_count;
    look_at_all(ix);
    *out = ix;
    return 0;
}

void cache_index_close(struct cache_index *ix)
{
    if (!ix)
        return;
    free(ix->looked);
    free(ix);
}

bool cache_index_knows(const struct cache_index *ix, uint32_t block)
{
    return block < ix->block_count &&
           atomic_load_explicit(&ix->blocks[block], memory_order_acquire) == PRESENT;
}

bool cache_index_has(struct cache_index *ix, uint32_t block)
{
    if (cache_index_knows(ix, block))
        return true;
    if (block >= ix->block_count)
        return false;
    uint32_t page = block / PAGE, now = age_now();
    uint32_t last = atomic_load_explicit(&ix->looked[page], memory_order_relaxed);

    if (last == now || !atomic_compare_exchange_strong(&ix->looked[page], &last, now))
        return false; /* just looked at, or being looked at by another thread */
    look(ix, page);
    return cache_index_knows(ix, block);
}

static int write_byte(struct cache_index *ix, uint64_t at, uint8_t value)
{
    return ix->writable ? cache_file_write(ix->fd, at, &value, 1) : -EROFS;
}

int cache_index_add(struct cache_index *ix, uint32_t block)
{
    if (block >= ix->block_count)
        return -EINVAL;
    int rc = write_byte(ix, (uint64_t)BLOCKS_AT + block, PRESENT);
    if (!rc)
        atomic_store_explicit(&ix->blocks[block], PRESENT, memory_order_release);
    return rc;
}

bool cache_index_remove(struct cache_index *ix, uint32_t block)
{
    if (block >= ix->block_count)
        return false;
    int rc = write_byte(ix, (uint64_t)BLOCKS_AT + block, ABSENT);

    return atomic_exchange(&ix->blocks[block], rc ? DISTRUSTED : ABSENT) == PRESENT;
}

bool cache_index_has_metadata(struct cache_index *ix)
{
    return atomic_load(&ix->metadata);
}

int cache_index_set_metadata(struct cache_index *ix, bool complete)
{
    int rc = write_byte(ix, METADATA_AT, complete ? PRESENT : ABSENT);

    if (!rc)
        atomic_store(&ix->metadata, complete);
    return rc;
}
