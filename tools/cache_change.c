/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `sft cache lock`, `unlock` and `evict`: what stays in the disk cache, and what goes. */
#include "config.h"

#include <inttypes.h>
#include <time.h>

#include "tools/cache_common.h"
#include "tools/text.h"

/* --- lock and unlock -------------------------------------------------------------------------- */

static enum exitcode set_locked(struct cache_run *r, bool locked)
{
    enum exitcode status = cache_run_select(r);
    struct err e = { 0 };

    for (size_t i = 0; i < r->item_count && status == EXITCODE_OK; i++)
        if (cache_dir_set_locked(r->dir, r->items[i].entry.name, locked, &e))
            status = report_error(&r->in.report, NULL, &e);
    if (status != EXITCODE_OK || !r->in.report.json)
        return status;

    struct json j = json_begin(stdout);
    json_object(&j, NULL);
    json_string(&j, "cache", cache_dir_path(r->dir));
    json_bool(&j, "locked", locked);
    json_array(&j, "versions");
    for (size_t i = 0; i < r->item_count; i++) {
        json_object(&j, NULL);
        cache_item_json(&j, &r->items[i]);
        json_close_object(&j);
    }
    json_close_array(&j);
    json_close_object(&j);
    json_end(&j); /* report_finish() looks */
    return EXITCODE_OK;
}

enum exitcode cache_lock(struct cache_run *r)
{
    return set_locked(r, true);
}

enum exitcode cache_unlock(struct cache_run *r)
{
    return set_locked(r, false);
}

/* --- evict ------------------------------------------------------------------------------------ */

struct evicted {
    struct cache_run *run;
    struct json json;
    uint64_t versions, bytes, refused;
    enum exitcode status;
};

static bool is_old_enough(const struct cache_run *r, const struct cache_item *item)
{
    return !r->has_days ||
           item->entry.last_use.tv_sec < time(NULL) - (time_t)(r->days * 24 * 60 * 60);
}

static void print_evicted(struct evicted *x, const struct cache_item *item)
{
    char title[CACHE_TITLE_SIZE], bytes[TEXT_SIZE_SIZE];

    x->versions++;
    x->bytes += item->entry.allocated_bytes;
    if (x->run->in.report.json) {
        json_object(&x->json, NULL);
        cache_item_json(&x->json, item);
        json_uint(&x->json, "allocated_bytes", item->entry.allocated_bytes);
        json_close_object(&x->json);
        return;
    }
    cache_item_title(item, title);
    text_size(item->entry.allocated_bytes, bytes);
    text_put(stdout, title);
    (void)printf(": evicted, %s\n", bytes);
}

static void evict_one(struct evicted *x, const struct cache_item *item)
{
    struct err e = { 0 };
    char title[CACHE_TITLE_SIZE];

    if (!cache_dir_remove(x->run->dir, item->entry.name, &e)) {
        print_evicted(x, item);
        return;
    }
    if (e.kind == ERR_NOT_FOUND)
        return; /* somebody else was quicker */
    cache_item_title(item, title);
    x->refused++;
    report_note(&x->run->in.report, "%s: %s", title, e.text);
    if (x->status == EXITCODE_OK)
        x->status = exitcode_of(e.kind);
}

static int by_last_use(const void *a, const void *b)
{
    const struct timespec *x = &((const struct cache_item *)a)->entry.last_use;
    const struct timespec *y = &((const struct cache_item *)b)->entry.last_use;

    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* The least recently used first, until no more than the target is left. Those that are to stay are
 * passed over, as when room is made. */
static void evict_to_target(struct evicted *x)
{
    struct cache_run *r = x->run;
    struct cache_usage u;
    struct err e = { 0 };

    if (cache_space_measure(r->dir->space, &u, &e)) {
        x->status = report_error(&r->in.report, NULL, &e);
        return;
    }
    uint64_t used = u.used_bytes;
    qsort(r->items, r->item_count, sizeof *r->items, by_last_use);
    for (size_t i = 0; i < r->item_count && used > r->target_bytes; i++) {
        const struct cache_item *item = &r->items[i];
        uint64_t before = x->versions;

        if (item->entry.locked || item->entry.in_use)
            continue;
        evict_one(x, item);
        used -= x->versions > before ? min_u64(used, item->entry.allocated_bytes) : 0;
    }
    if (used > r->target_bytes) {
        report_note(&r->in.report, "%" PRIu64 " bytes are left; what is locked or in use stays",
                    used);
        x->status = exitcode_of(ERR_BUSY);
    }
}

enum exitcode cache_evict(struct cache_run *r)
{
    struct evicted x = { .run = r, .status = cache_run_select(r) };

    if (x.status != EXITCODE_OK)
        return x.status;
    if (r->in.report.json) {
        x.json = json_begin(stdout);
        json_object(&x.json, NULL);
        json_string(&x.json, "cache", cache_dir_path(r->dir));
        json_array(&x.json, "evicted");
    }
    if (r->has_target && r->item_count)
        evict_to_target(&x);
    for (size_t i = 0; !r->has_target && i < r->item_count; i++)
        if (is_old_enough(r, &r->items[i]))
            evict_one(&x, &r->items[i]);
    if (r->in.report.json) {
        json_close_array(&x.json);
        json_uint(&x.json, "versions", x.versions);
        json_uint(&x.json, "bytes", x.bytes);
        json_uint(&x.json, "refused", x.refused);
        json_close_object(&x.json);
        json_end(&x.json); /* report_finish() looks */
    }
    return x.status;
}
