/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a differential SFT to a version in the disk cache. See cache_dsft.h. */
#include "config.h"

#include "fetch/cache_dsft.h"

#include "fetch/dsft_open.h"
#include "src/codec.h"

#define BATCH_BYTES (1u << 20) /* above STORED_LEN_MAX, so that one block always fits */

struct import {
    struct source *source;
    struct package *package;
    struct cache *cache;
    struct codec_context *ctx;
    uint8_t *stored, *decoded;
    cache_dsft_step_fn step;
    void *arg;
    struct cache_dsft_result *out;
};

static int put_metadata(struct import *im, struct err *e)
{
    size_t len = (size_t)im->out->header.metadata_bytes;
    auto_free uint8_t *bytes = NULL;
    struct package *again = NULL;
    int rc;

    if (cache_has_metadata(im->cache))
        return 0;
    bytes = malloc(len);
    if (!bytes)
        return err_nomem(e);
    rc = source_read_sync(im->source, DSFT_HEAD_BYTES, bytes, len, e);
    if (!rc) /* read a second time: it must be what was checked the first time */
        rc = dsft_read_package(&im->out->header, bytes, len, &again, e);
    package_free(again);
    return rc ? rc : cache_put_metadata(im->cache, 0, bytes, len, e);
}

/* Stores a verified block; the cache does not say by itself that it could not. */
static int store(struct import *im, uint32_t block, const uint8_t *stored, struct err *e)
{
    struct cache_stats stats;

    cache_store(im->cache, block, stored);
    if (cache_holds(im->cache, block))
        return 0;
    cache_get_stats(im->cache, &stats);
    errno = ENOSPC; /* what it mostly comes to */
    return err_set(e, ERR_SYSTEM, "the disk cache takes no more: %s",
                   stats.why_not && *stats.why_not ? stats.why_not : "it could not be written");
}

static int step(struct import *im, uint32_t done, struct err *e)
{
    return im->step ? im->step(im->arg, done, package_info(im->package)->block_count, e) : 0;
}

/* A block that the differential SFT leaves out: from another version, if one is cached. */
static int keep_block(struct import *im, uint32_t block, struct err *e)
{
    if (cache_holds(im->cache, block)) {
        im->out->kept_blocks++;
        return 0;
    }
    if (!cache_has(im->cache, block) || cache_read(im->cache, block, 1, im->stored, NULL)) {
        im->out->missing_blocks++;
        return 0;
    }
    struct err bad;
    if (package_decode_block(im->package, block, im->stored, im->ctx, im->decoded, &bad)) {
        cache_drop(im->cache, block);
        im->out->missing_blocks++;
        return 0;
    }
    im->out->kept_blocks++;
    return store(im, block, im->stored, e);
}

static int keep_blocks(struct import *im, struct err *e)
{
    uint32_t count = im->out->header.first_block;
    int rc = 0;

    for (uint32_t i = 0; !rc && i < count; i++) {
        rc = keep_block(im, i, e);
        if (!rc)
            rc = step(im, i + 1, e);
    }
    return rc;
}

/* Stored bytes of blocks from FIRST on, which are neighbours, that one read brings: up to one that
 * is cached already. */
static size_t batch_bytes(const struct import *im, uint32_t first, uint32_t end, uint32_t *count)
{
    size_t bytes = 0;

    for (*count = 0; first + *count < end; ++*count) {
        uint32_t len = package_block(im->package, first + *count)->stored_len;
        if (bytes + len > BATCH_BYTES || cache_holds(im->cache, first + *count))
            break;
        bytes += len;
    }
    return bytes;
}

static int new_blocks(struct import *im, struct err *e)
{
    const struct sft_dsft *h = &im->out->header;
    uint32_t end = h->first_block + h->block_count, count;
    int rc = 0;

    for (uint32_t i = h->first_block; !rc && i < end; i += count) {
        size_t bytes = batch_bytes(im, i, end, &count), at = 0;
        if (!count) {
            count = 1;
            im->out->new_blocks++;
            continue;
        }
        rc = source_read_sync(im->source, dsft_block_offset(h, im->package, i), im->stored, bytes,
                              e);
        for (uint32_t k = 0; !rc && k < count; k++) {
            rc = package_decode_block(im->package, i + k, im->stored + at, im->ctx, im->decoded, e);
            if (!rc)
                rc = store(im, i + k, im->stored + at, e);
            at += package_block(im->package, i + k)->stored_len;
            im->out->new_blocks += !rc;
        }
        if (!rc)
            rc = step(im, i + count, e);
    }
    return rc;
}

static int import(struct import *im, struct cache_dir *d, struct err *e)
{
    int rc = cache_open(d, im->package, &im->cache, e);

    if (rc)
        return rc;
    im->stored = malloc(BATCH_BYTES);
    im->decoded = malloc(BLOCK_SIZE_MAX);
    if (!im->stored || !im->decoded || codec_context_new(&im->ctx))
        return err_nomem(e);
    rc = put_metadata(im, e);
    /* First what could go away: room for new blocks may be made by giving up the old version. */
    if (!rc)
        rc = keep_blocks(im, e);
    return rc ? rc : new_blocks(im, e);
}

int cache_dsft_import(struct cache_dir *d, const char *location,
                      const struct source_options *connection, cache_dsft_step_fn step_fn,
                      void *arg, struct cache_dsft_result *out, struct err *e)
{
    struct import im = { .step = step_fn, .arg = arg, .out = out };
    int rc;

    *out = (struct cache_dsft_result){ .new_blocks = 0 };
    rc = dsft_open(location, connection, &im.source, &out->header, &im.package, e);
    if (!rc)
        rc = import(&im, d, e);
    codec_context_free(im.ctx);
    free(im.stored);
    free(im.decoded);
    cache_close(im.cache);
    package_free(im.package);
    source_close(im.source);
    return rc;
}
