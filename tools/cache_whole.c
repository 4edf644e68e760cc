/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft cache load --whole`: all bytes of an object, also those that lie between the blocks of a ZIP
 * archive: headers, signature, what the block map does not have. Only so can the object be made again. It is
 * read in pieces by several threads, as a server likes it.
 */
#include "config.h"

#include <stdatomic.h>
#include <string.h>

#include "src/list.h"
#include "tools/cache_common.h"
#include "tools/parallel.h"

enum { PIECE = 1 << 20, READERS = 4 };

/* A range of the object, of at most PIECE bytes, with the blocks that lie wholly in it. */
struct piece_of {
    uint64_t offset;
    uint32_t len, first, count;
};

struct whole {
    struct cache_run *run;
    struct cache *cache;
    const struct package *package;
    struct list pieces;
    size_t count;
    atomic_uint_fast64_t fetched;
    struct progress progress;
};

/* Whether BLOCK lies in the object itself. */
static bool is_there(const struct whole *w, uint32_t block)
{
    return block < package_info(w->package)->block_count &&
           package_block(w->package, block)->offset < PACKAGE_STREAM_BASE;
}

/* The first block from I on that lies in the object: those of streams stand between others. */
static uint32_t skip_streams(const struct whole *w, uint32_t i)
{
    while (i < package_info(w->package)->block_count && !is_there(w, i))
        i++;
    return i;
}

/* Cuts the object into pieces so that no block is in two. */
static int plan(struct whole *w, struct err *e)
{
    uint64_t size = package_info(w->package)->container_bytes;
    uint32_t next = skip_streams(w, 0);

    for (uint64_t at = 0, end; at < size; at = end) {
        struct piece_of p = { .offset = at, .first = next };
        end = at;
        while (is_there(w, next)) {
            const struct block *b = package_block(w->package, next);
            if (b->offset < end)
                return err_set(e, ERR_UNSUPPORTED, "blocks that are not in order");
            if (b->offset + b->stored_len - at > PIECE)
                break;
            end = b->offset + b->stored_len;
            next++;
        }
        p.count = next - p.first;
        next = skip_streams(w, next);
        uint64_t limit = next < package_info(w->package)->block_count
                             ? package_block(w->package, next)->offset : size;
        end = max_u64(end, min_u64(limit, at + PIECE));
        p.len = (uint32_t)(end - at);
        int rc = list_make_room(&w->pieces, (uint32_t)w->count, sizeof p, e);
        if (rc)
            return rc;
        ((struct piece_of *)w->pieces.items)[w->count++] = p;
    }
    return 0;
}

static int store_block(const struct whole *w, struct codec_context *ctx, uint32_t block,
                       const uint8_t *stored, struct err *e)
{
    struct cache_stats s;
    int rc = package_check_block(w->package, block, stored, ctx, e);

    if (rc)
        return rc;
    cache_store(w->cache, block, stored);
    if (cache_holds(w->cache, block))
        return 0;
    cache_get_stats(w->cache, &s);
    return err_set(e, ERR_SYSTEM, "the cache %s takes no more: %s", cache_dir_path(w->run->dir),
                   *s.why_not ? s.why_not : "a block could not be written");
}

static int store(struct whole *w, const struct piece_of *p, struct codec_context *ctx, const uint8_t *buf,
                 struct err *e)
{
    uint64_t at = p->offset;
    int rc = 0;

    for (uint32_t i = p->first; i < p->first + p->count && !rc; i++) {
        const struct block *b = package_block(w->package, i);
        rc = cache_put_between(w->cache, at, buf + (at - p->offset), (size_t)(b->offset - at), e);
        if (!rc && !cache_holds(w->cache, i))
            rc = store_block(w, ctx, i, buf + (b->offset - p->offset), e);
        at = b->offset + b->stored_len;
    }
    return rc ? rc : cache_put_between(w->cache, at, buf + (at - p->offset),
                                       (size_t)(p->offset + p->len - at), e);
}

static int load_piece(void *arg, struct codec_context *ctx, size_t index, struct err *e)
{
    struct whole *w = arg;
    const struct piece_of *p = &((const struct piece_of *)w->pieces.items)[index];
    auto_free uint8_t *buf = malloc(p->len);
    int rc = buf ? source_read_sync(w->run->in.source, p->offset, buf, p->len, e) : err_nomem(e);

    if (!rc)
        rc = store(w, p, ctx, buf, e);
    atomic_fetch_add(&w->fetched, p->len);
    return rc;
}

static int tick(void *arg, size_t done, struct err *e)
{
    struct whole *w = arg;

    (void)done;
    progress_update(&w->progress, atomic_load(&w->fetched));
    return interrupt_check(&w->run->interrupt, e);
}

int cache_load_whole(struct cache_run *r, struct cache *c, uint64_t *fetched, struct err *e)
{
    struct whole w = { .run = r, .cache = c, .package = r->in.package };
    int rc;

    *fetched = 0;
    if (cache_is_whole(c))
        return 0;
    rc = plan(&w, e);
    w.progress = progress_begin("fetched", package_info(w.package)->container_bytes, sft_progress(&r->in));
    if (!rc)
        rc = parallel_for(source_is_immediate(r->in.source) ? 1 : READERS, w.count, load_piece, tick, &w, e);
    if (!rc)
        rc = cache_set_whole(c, e);
    progress_clear(&w.progress);
    free(w.pieces.items);
    *fetched = atomic_load(&w.fetched);
    return rc;
}
