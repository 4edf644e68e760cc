/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft cache verify`: every block that is in the disk cache against its hash, and the metadata;
 * what is wrong is named with the files it belongs to, and with --repair dropped, so that it is
 * fetched again.
 */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "src/codec.h"
#include "tools/cache_common.h"
#include "tools/parallel.h"
#include "tools/text.h"
#include "tools/verify.h"
#include "tools/verify_report.h"

/* Blocks that one thread takes at a time. */
enum { BATCH = 64, THREADS_MAX = 8 };

struct check {
    struct cache_run *run;
    const struct cache_item *item;
    struct cache *cache;
    struct progress progress;
    uint32_t blocks;
    pthread_mutex_t lock;
    struct verify_result result; /* lock */
    uint32_t checked;            /* lock; blocks */
    struct err metadata;         /* what is wrong with it; kind ERR_NONE = nothing */
    bool incomplete;             /* the metadata is not there: nothing can be checked */
};

static int record(struct check *c, uint32_t block, const struct err *fault, struct err *e)
{
    (void)pthread_mutex_lock(&c->lock);
    int rc = verify_add_bad(&c->result, block, fault, e);
    (void)pthread_mutex_unlock(&c->lock);
    return rc;
}

static int check_block(struct check *c, struct codec_context *ctx, uint32_t block, uint8_t *buf,
                       struct err *e)
{
    struct err fault = { 0 };
    int rc = cache_read(c->cache, block, 1, buf, &fault);

    if (rc && fault.kind == ERR_NOT_FOUND)
        return 0; /* dropped by somebody else just now */
    if (!rc)
        rc = package_decode_block(c->item->package, block, buf, ctx, buf + STORED_LEN_MAX, &fault);
    if (rc == -ENOMEM)
        return err_nomem(e);
    if (!rc)
        return 0;
    if (c->run->repair)
        cache_drop(c->cache, block);
    return record(c, block, &fault, e);
}

static int check_batch(void *arg, struct codec_context *ctx, size_t index, struct err *e)
{
    struct check *c = arg;
    uint32_t first = (uint32_t)index * BATCH, checked = 0;
    auto_free uint8_t *buf = malloc(STORED_LEN_MAX + BLOCK_SIZE_MAX);
    int rc = buf ? 0 : err_nomem(e);

    for (uint32_t i = first; !rc && i < c->blocks && i - first < BATCH; i++)
        if (cache_holds(c->cache, i)) {
            rc = check_block(c, ctx, i, buf, e);
            checked++;
        }
    (void)pthread_mutex_lock(&c->lock);
    c->checked += checked;
    (void)pthread_mutex_unlock(&c->lock);
    return rc;
}

static int tick(void *arg, size_t done, struct err *e)
{
    struct check *c = arg;
    const struct package_info *info = package_info(c->item->package);

    progress_update(&c->progress, (uint64_t)((double)info->stored_bytes * (double)done * BATCH /
                                             (double)max_u64(c->blocks, 1)));
    return interrupt_check(&c->run->interrupt, e);
}

static int check_blocks(struct check *c, struct err *e)
{
    const struct package_info *info = package_info(c->item->package);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned jobs = processors > 1 ? (unsigned)min_u64((uint64_t)processors, THREADS_MAX) : 1;
    int rc = cache_open(c->run->dir, c->item->package, &c->cache, e);

    if (rc)
        return rc;
    c->blocks = info->block_count;
    c->progress = progress_begin("checked", info->stored_bytes, sft_progress(&c->run->in));
    rc = parallel_for(jobs, ((size_t)c->blocks + BATCH - 1) / BATCH, check_batch, tick, c, e);
    progress_clear(&c->progress);
    if (!rc)
        rc = verify_blame(c->item->package, &c->result, e);
    cache_close(c->cache);
    c->cache = NULL;
    return rc;
}

/* A version whose metadata or index is damaged. */
static int check_rest(struct check *c, struct err *e)
{
    auto_free char *path = NULL;
    const struct cache_entry *entry = &c->item->entry;

    c->incomplete = entry->begun || (entry->valid && !entry->metadata);
    if (c->incomplete)
        return 0;
    c->metadata = c->item->why;
    if (!c->run->repair)
        return 0;
    if (!entry->valid) /* nothing can be made of the blocks either */
        return cache_dir_remove(c->run->dir, entry->name, e);
    if (asprintf(&path, "%s/%s/" CACHE_CONTAINER_NAME, cache_dir_path(c->run->dir), entry->name) <
        0) {
        path = NULL;
        return err_nomem(e);
    }
    cache_lookup_failed(c->run->dir, path);
    return 0;
}

/* --- results ---------------------------------------------------------------------------------- */

static bool is_damaged(const struct check *c)
{
    return c->result.bad_count || c->metadata.kind != ERR_NONE;
}

static void print_text(const struct check *c)
{
    char title[CACHE_TITLE_SIZE];

    cache_item_title(c->item, title);
    for (size_t i = 0; i < c->result.bad_count; i++)
        verify_print_bad(c->item->package, &c->result.bad[i]);
    text_put(stdout, title);
    if (c->metadata.kind != ERR_NONE)
        (void)printf(": %s", c->metadata.text);
    else if (c->incomplete)
        (void)printf(": cannot be checked, its metadata is not there yet");
    else
        (void)printf(": %" PRIu32 " of %" PRIu32 " blocks checked", c->checked, c->blocks);
    if (c->result.bad_count)
        (void)printf(", %zu bad, %" PRIu64 " files affected", c->result.bad_count,
                     c->result.files_affected);
    (void)puts(!is_damaged(c) ? "" : c->run->repair ? "; dropped" : "");
}

static void print_json(const struct check *c, struct json *j)
{
    json_object(j, NULL);
    cache_item_json(j, c->item);
    json_bool(j, "ok", !is_damaged(c));
    json_bool(j, "repaired", is_damaged(c) && c->run->repair);
    json_uint(j, "blocks", c->item->entry.valid ? c->item->entry.header.block_count : 0);
    json_uint(j, "checked_blocks", c->checked);
    json_uint(j, "files_affected", c->result.files_affected);
    json_string(j, "metadata", c->metadata.kind != ERR_NONE ? err_kind_name(c->metadata.kind)
                               : c->incomplete              ? "missing"
                                                            : "good");
    json_array(j, "bad_blocks");
    for (size_t i = 0; i < c->result.bad_count; i++)
        verify_json_bad(j, c->item->package, &c->result.bad[i]);
    json_close_array(j);
    json_close_object(j);
}

static enum exitcode verify_item(struct cache_run *r, const struct cache_item *item, struct json *j)
{
    struct check c = { .run = r, .item = item, .lock = PTHREAD_MUTEX_INITIALIZER };
    enum exitcode status = EXITCODE_OK;
    struct err e = { 0 };

    if (item->package ? check_blocks(&c, &e) : check_rest(&c, &e)) {
        char title[CACHE_TITLE_SIZE];
        cache_item_title(item, title);
        report_note(&r->in.report, "%s: %s", title, e.text);
        status = exitcode_of(e.kind);
    } else if (r->in.report.json) {
        print_json(&c, j);
    } else {
        print_text(&c);
    }
    if (status == EXITCODE_OK && is_damaged(&c))
        status = EXITCODE_DAMAGED;
    verify_result_free(&c.result);
    return status;
}

enum exitcode cache_verify(struct cache_run *r)
{
    enum exitcode status = cache_run_select(r);
    struct json j = { .out = NULL };

    if (status != EXITCODE_OK)
        return status;
    if (r->in.report.json) {
        j = json_begin(stdout);
        json_object(&j, NULL);
        json_string(&j, "cache", cache_dir_path(r->dir));
        json_array(&j, "versions");
    }
    for (size_t i = 0; i < r->item_count && status != EXITCODE_INTERRUPTED; i++) {
        enum exitcode one = verify_item(r, &r->items[i], &j);
        if (status == EXITCODE_OK || one == EXITCODE_INTERRUPTED)
            status = one;
    }
    if (r->in.report.json) {
        json_close_array(&j);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
    }
    return status;
}
