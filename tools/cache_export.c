/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft cache export`: a package out of the disk cache, to carry it to another machine: the package
 * itself when all of it is there, else an archive of what is. The file appears complete or not at
 * all.
 */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/codec.h"
#include "tools/block_copy.h"
#include "tools/block_file.h"
#include "tools/cache_common.h"
#include "tools/text.h"

enum { STEP_BYTES = 1 << 20 }; /* more than any block takes */

struct export
{
    struct cache_run *run;
    const struct cache_item *item;
    struct cache *cache;
    uint64_t blocks;
};

/* Block by block, so that only a good package comes out. */
static int write_sft(struct export *x, struct err *e)
{
    const struct package *p = x->item->package;
    const struct package_info *info = package_info(p);
    struct block_file file = { .interrupt = &x->run->interrupt };
    struct source *source = NULL;
    int rc = source_open(cache_container_path(x->cache), &x->run->in.connection, 0, &source, e);

    if (rc)
        return rc;
    const struct block_copy copy = {
        .package = p, .source = source, .write = block_file_write, .arg = &file
    };
    size_t metadata_len = (size_t)info->metadata_bytes;
    file.metadata = malloc(metadata_len);
    rc = file.metadata ? source_read_sync(source, 0, file.metadata, metadata_len, e)
                       : err_nomem(e);
    if (!rc)
        rc = block_file_open(&file, x->run->output, x->run->force, e);
    block_file_begin(&file, "exported", info->stored_bytes, sft_progress(&x->run->in));
    if (!rc)
        rc = block_copy(&copy, 0, info->block_count, e);
    rc = block_file_finish(&file, rc, metadata_len, e);
    x->blocks = info->block_count;
    block_file_close(&file);
    source_close(source);
    return rc;
}

/* The bytes from AT up to END as they are. */
static int copy_between(struct source *s, uint64_t at, uint64_t end, uint8_t *buf, struct block_file *file,
                        struct err *e)
{
    int rc = 0;

    while (!rc && at < end) {
        size_t n = (size_t)min_u64(end - at, STEP_BYTES);
        rc = source_read_sync(s, at, buf, n, e);
        if (!rc)
            rc = block_file_write(file, buf, n, e);
        at += n;
    }
    return rc;
}

static int copy_object(const struct package *p, struct source *s, struct block_file *file, struct err *e)
{
    const struct package_info *info = package_info(p);
    auto_free uint8_t *buf = malloc(STEP_BYTES);
    struct codec_context *ctx = NULL;
    uint64_t at = 0;
    int rc = buf && !codec_context_new(&ctx) ? 0 : err_nomem(e);

    for (uint32_t i = 0; !rc && i < info->block_count; i++) {
        const struct block *b = package_block(p, i);
        if (b->offset >= PACKAGE_STREAM_BASE)
            continue;
        rc = copy_between(s, at, b->offset, buf, file, e);
        if (!rc)
            rc = source_read_sync(s, b->offset, buf, b->stored_len, e);
        if (!rc)
            rc = package_check_block(p, i, buf, ctx, e);
        if (!rc)
            rc = block_file_write(file, buf, b->stored_len, e);
        at = b->offset + b->stored_len;
    }
    codec_context_free(ctx);
    return rc ? rc : copy_between(s, at, info->container_bytes, buf, file, e);
}

/* A package with things between its blocks. */
static int write_object(struct export *x, struct err *e)
{
    const struct package_info *info = package_info(x->item->package);
    struct block_file file = { .interrupt = &x->run->interrupt };
    struct source *source = NULL;
    int rc = source_open(cache_container_path(x->cache), &x->run->in.connection, 0, &source, e);

    if (rc)
        return rc;
    rc = block_file_open(&file, x->run->output, x->run->force, e);
    block_file_begin(&file, "exported", info->container_bytes, sft_progress(&x->run->in));
    if (!rc)
        rc = copy_object(x->item->package, source, &file, e);
    rc = block_file_finish(&file, rc, 0, e);
    x->blocks = info->block_count;
    block_file_close(&file);
    source_close(source);
    return rc;
}

/* The archive under a name of its own first. */
static int write_archive(struct export *x, struct err *e)
{
    struct cache_run *r = x->run;
    const char *target = r->output;
    auto_free char *temp = NULL;

    if (!r->force && !access(target, F_OK))
        return err_set(e, ERR_INVALID, "exists; --force replaces it");
    if (asprintf(&temp, "%s.sft-export-%ld", target, (long)getpid()) < 0) {
        temp = NULL;
        return err_nomem(e);
    }
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_sys(e, "%s", target);
    r->output = temp;
    int rc = cache_archive_write(r, x->item, x->cache, &x->blocks, e);
    r->output = target;
    if (!rc && fsync(fd))
        rc = err_sys(e, "%s", target);
    if (close(fd) && !rc)
        rc = err_sys(e, "%s", target);
    if (!rc && rename(temp, target))
        rc = err_sys(e, "%s", target);
    if (rc)
        (void)unlink(temp);
    return rc;
}

static void print_result(const struct export *x, bool archive)
{
    const struct cache_run *r = x->run;
    uint32_t all = package_info(x->item->package)->block_count;

    if (r->in.report.json) {
        struct json j = json_begin(stdout);

        json_object(&j, NULL);
        json_string(&j, "output", r->output);
        cache_item_json(&j, x->item);
        json_bool(&j, "archive", archive);
        json_uint(&j, "blocks", all);
        json_uint(&j, "exported_blocks", x->blocks);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
    } else if (!r->in.quiet) {
        char title[CACHE_TITLE_SIZE];

        cache_item_title(x->item, title);
        text_put(stdout, title);
        (void)printf(": %" PRIu64 " of %" PRIu32 " blocks to %s\n", x->blocks, all, r->output);
    }
}

static int export(struct export *x, struct err *e)
{
    struct cache_run *r = x->run;

    if (!x->item->package) {
        if (e)
            *e = x->item->why;
        return -EIO;
    }
    int rc = cache_open(r->dir, x->item->package, &x->cache, e);
    if (rc)
        return rc;
    bool complete = cache_is_complete(x->cache);
    if (!complete && !r->partial)
        rc = err_set(e, ERR_OFFLINE,
                     "not all of it is in the cache; 'sft cache load' brings the rest, --partial "
                     "exports what there is");
    else if (r->partial)
        rc = write_archive(x, e);
    else if (package_info(x->item->package)->metadata_bytes)
        rc = write_sft(x, e);
    else if (cache_is_whole(x->cache))
        rc = write_object(x, e);
    else
        rc = err_set(e, ERR_OFFLINE,
                     "the files of the package are in the cache, but not what lies between them; 'sft cache "
                     "load --whole' brings that, --partial exports what there is");
    if (!rc)
        print_result(x, r->partial);
    cache_close(x->cache);
    return rc;
}

enum exitcode cache_export(struct cache_run *r)
{
    struct export x = { .run = r };
    enum exitcode status = cache_run_select(r);
    struct err e = { 0 };

    if (status != EXITCODE_OK)
        return status;
    /* Several versions of one package: the newest, which is the last. */
    x.item = &r->items[r->item_count - 1];
    if (export(&x, &e)) {
        char title[CACHE_TITLE_SIZE];
        cache_item_title(x.item, title);
        return report_error(&r->in.report, e.kind == ERR_INVALID ? r->output : title, &e);
    }
    return EXITCODE_OK;
}
