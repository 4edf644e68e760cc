/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bringing a package into the disk cache as a whole: what other versions there have, what the
 * source of a local file has, and for the rest the engine and its loader, as a mount does it. All
 * that comes is verified. What is there already is left alone, so that who is interrupted goes on
 * later.
 */
#include "config.h"

#include <string.h>
#include <time.h>

#include "fetch/loader.h"
#include "src/codec.h"
#include "tools/block_copy.h"
#include "tools/cache_common.h"

/* A link that has failed so often without a block in between is given up. */
enum { STEP_MS = 50, RESTS_MAX = 3 };

struct fill {
    struct cache_run *run;
    struct cache *cache;
    const struct package *package;
    uint32_t blocks;
    struct progress progress;
    uint64_t done_bytes; /* stored bytes of what is in the cache */
    uint32_t next;       /* of a copy: the block that comes next */
    struct cache_filled *out;
};

static int cannot_store(const struct fill *f, struct err *e)
{
    struct cache_stats s;

    cache_get_stats(f->cache, &s);
    errno = ENOSPC;
    (void)err_sys(e, "the cache %s takes no more", cache_dir_path(f->run->dir));
    if (*s.why_not && e)
        (void)err_set(e, ERR_SYSTEM, "the cache %s takes no more: %s", cache_dir_path(f->run->dir),
                      s.why_not);
    return -ENOSPC;
}

/* Stores a block that is right; not to be able to is the end here. */
static int store(struct fill *f, uint32_t block, const uint8_t *stored, struct err *e)
{
    cache_store(f->cache, block, stored);
    if (!cache_holds(f->cache, block))
        return cannot_store(f, e);
    f->done_bytes += package_block(f->package, block)->stored_len;
    progress_update(&f->progress, f->done_bytes);
    return interrupt_check(&f->run->interrupt, e);
}

/* --- from other versions ---------------------------------------------------------------------- */

static int take_block(struct fill *f, struct codec_context *ctx, uint32_t block, uint8_t *buf,
                      struct err *e)
{
    if (cache_read(f->cache, block, 1, buf, NULL))
        return 0; /* then it is fetched */
    int rc = package_decode_block(f->package, block, buf, ctx, buf + STORED_LEN_MAX, e);
    if (rc == -ENOMEM)
        return rc;
    if (rc) {
        cache_drop(f->cache, block);
        return 0;
    }
    f->out->taken_blocks++;
    return store(f, block, buf, e);
}

static int take_from_versions(struct fill *f, struct err *e)
{
    auto_free uint8_t *buf = malloc(STORED_LEN_MAX + BLOCK_SIZE_MAX);
    struct codec_context *ctx = NULL;
    int rc = buf && !codec_context_new(&ctx) ? 0 : err_nomem(e);

    for (uint32_t i = 0; !rc && i < f->blocks; i++) {
        if (cache_holds(f->cache, i))
            f->done_bytes += package_block(f->package, i)->stored_len;
        else if (cache_has(f->cache, i))
            rc = take_block(f, ctx, i, buf, e);
    }
    codec_context_free(ctx);
    return rc;
}

/* --- from a local file ------------------------------------------------------------------------ */

static int copied(void *arg, const uint8_t *stored, size_t len, struct err *e)
{
    struct fill *f = arg;

    f->out->fetched_bytes += len;
    return store(f, f->next++, stored, e);
}

static int copy_missing(struct fill *f, struct err *e)
{
    const struct block_copy copy = { .package = f->package, .source = f->run->in.source,
                                     .write = copied, .arg = f };
    int rc = 0;

    for (uint32_t i = 0, run; !rc && i < f->blocks; i += run) {
        for (run = 0; i + run < f->blocks && !cache_holds(f->cache, i + run);)
            run++;
        f->next = i;
        rc = run ? block_copy(&copy, i, run, e) : 0;
        run += !run;
    }
    return rc;
}

/* --- from a server ---------------------------------------------------------------------------- */

/* What is the matter: the loader only says that it rests. */
static int ask_for_reason(struct fill *f, struct err *e)
{
    uint32_t i = 0;

    while (i < f->blocks && cache_holds(f->cache, i))
        i++;
    if (i == f->blocks)
        return 0;
    const struct block *b = package_block(f->package, i);
    auto_free uint8_t *buf = malloc(b->stored_len + BLOCK_SIZE_MAX);
    struct codec_context *ctx = NULL;
    int rc = buf && !codec_context_new(&ctx) ? 0 : err_nomem(e);
    if (!rc)
        rc = source_read_sync(f->run->in.source, b->offset, buf, b->stored_len, e);
    if (!rc)
        rc = package_decode_block(f->package, i, buf, ctx, buf + b->stored_len, e);
    if (!rc)
        rc = store(f, i, buf, e);
    codec_context_free(ctx);
    return rc;
}

static int watch(struct fill *f, struct loader *l, uint64_t before, struct err *e)
{
    const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
    struct loader_status s;

    for (;;) {
        int rc = interrupt_check(&f->run->interrupt, e);
        if (rc)
            return rc;
        loader_get_status(l, &s);
        progress_update(&f->progress, s.bytes_done);
        f->out->fetched_bytes = before + s.bytes_done;
        if (s.state == LOADER_STOPPED)
            return cannot_store(f, e);
        if (s.state == LOADER_DONE)
            return 0;
        if (s.state == LOADER_RESTING) {
            rc = ask_for_reason(f, e);
            if (rc)
                return rc;
            loader_wake(l);
        }
        (void)nanosleep(&step, NULL); /* shorter is fine */
    }
}

static int load_missing(struct fill *f, struct err *e)
{
    const struct engine_options engine = { .cache = f->cache };
    struct cache_run *r = f->run;
    struct loader *l = NULL;
    uint64_t before = f->done_bytes;
    int rc = engine_new(f->package, r->in.source, &engine, &r->in.engine, e);

    if (rc)
        return rc;
    const struct loader_options options = { .engine = r->in.engine, .package = f->package,
                                            .cache = f->cache };
    rc = loader_new(&options, &l, e);
    if (!rc)
        rc = loader_set_goal(l, LOADER_ALL, e);
    if (!rc)
        rc = watch(f, l, 0, e);
    loader_free(l);
    engine_free(r->in.engine);
    r->in.engine = NULL;
    f->out->fetched_bytes -= min_u64(before, f->out->fetched_bytes);
    return rc;
}

/* --- all of it -------------------------------------------------------------------------------- */

int cache_fill(struct cache_run *r, struct cache *c, struct cache_filled *out, struct err *e)
{
    struct fill f = { .run = r, .cache = c, .package = r->in.package, .out = out };
    const struct package_info *info = package_info(f.package);
    int rc;

    f.blocks = info->block_count;
    *out = (struct cache_filled){ .complete = false };
    f.progress = progress_begin("cached", info->stored_bytes, sft_progress(&r->in));
    rc = take_from_versions(&f, e);
    if (!rc && f.done_bytes < info->stored_bytes)
        rc = source_is_immediate(r->in.source) ? copy_missing(&f, e) : load_missing(&f, e);
    progress_clear(&f.progress);
    if (!rc && !cache_is_complete(c))
        rc = cannot_store(&f, e);
    out->complete = !rc;
    return rc;
}
