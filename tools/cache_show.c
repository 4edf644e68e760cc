/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `sft cache ls` and `sft cache du`: what is in the disk cache, and how much. */
#include "config.h"

#include <inttypes.h>

#include "tools/cache_common.h"
#include "tools/text.h"

static void percent_text(uint64_t part, uint64_t of, char out[8])
{
    /* All of it is 100 only when nothing is missing. */
    (void)snprintf(out, 8, "%u%%", of ? (unsigned)(part / (double)of * 100) : 100u);
}

static bool get_progress(struct cache_run *r, const struct cache_item *item,
                         struct cache_progress *out)
{
    return item->package && !cache_progress_of(r->dir, item->entry.name, item->package, out, NULL);
}

static void print_row(struct cache_run *r, const struct cache_item *item)
{
    char cached[8] = "?", launch[8] = "?", size[TEXT_SIZE_SIZE] = "?", disk[TEXT_SIZE_SIZE];
    char used[TEXT_TIME_SIZE], guid[GUID_TEXT_SIZE] = "damaged", number[16] = "?";
    const struct cache_entry *entry = &item->entry;
    struct cache_progress p;

    if (get_progress(r, item, &p)) {
        percent_text(p.bytes_present, p.bytes, cached);
        percent_text(p.launch_bytes_present, p.launch_bytes, launch);
    }
    if (entry->valid) {
        text_size(entry->header.container_bytes, size);
        guid_format(&entry->header.version_guid, guid);
        (void)snprintf(number, sizeof number, "%" PRIu32, entry->header.version_number);
    }
    text_size(entry->allocated_bytes, disk);
    if (!text_time(filetime_from_timespec(entry->last_use), used))
        used[0] = '\0';
    (void)printf("%7s %6s %6s %6s %6s %c%c %-20s %-36s ", number, size, disk, cached, launch,
                 entry->locked ? 'L' : '-', entry->in_use ? 'U' : '-', used, guid);
    text_put(stdout, item->package ? cache_item_name(item) : "");
    (void)putchar('\n');
}

static void json_row(struct cache_run *r, struct json *j, const struct cache_item *item)
{
    const struct cache_entry *entry = &item->entry;
    struct cache_progress p;

    json_object(j, NULL);
    cache_item_json(j, item);
    json_bool(j, "damaged", (!entry->valid && !entry->begun) || (entry->metadata && !item->package));
    json_bool(j, "metadata", entry->metadata);
    json_uint(j, "allocated_bytes", entry->allocated_bytes);
    json_bool(j, "locked", entry->locked);
    json_bool(j, "in_use", entry->in_use);
    json_filetime(j, "last_use", filetime_from_timespec(entry->last_use));
    if (entry->valid) {
        json_uint(j, "bytes", entry->header.container_bytes);
        json_uint(j, "blocks", entry->header.block_count);
        json_uint(j, "cached_blocks", entry->present);
    }
    if (get_progress(r, item, &p)) {
        json_uint(j, "stored_bytes", p.bytes);
        json_uint(j, "cached_bytes", p.bytes_present);
        json_uint(j, "launch_blocks", p.launch_blocks);
        json_uint(j, "launch_cached_blocks", p.launch_blocks_present);
        json_uint(j, "launch_bytes", p.launch_bytes);
        json_uint(j, "launch_cached_bytes", p.launch_bytes_present);
        json_bool(j, "complete", entry->metadata && p.blocks_present == p.blocks);
    }
    json_close_object(j);
}

enum exitcode cache_ls(struct cache_run *r)
{
    enum exitcode status = cache_run_select(r);

    if (status != EXITCODE_OK)
        return status;
    if (r->in.report.json) {
        struct json j = json_begin(stdout);

        json_object(&j, NULL);
        json_string(&j, "cache", cache_dir_path(r->dir));
        json_array(&j, "versions");
        for (size_t i = 0; i < r->item_count; i++)
            json_row(r, &j, &r->items[i]);
        json_close_array(&j);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
        return EXITCODE_OK;
    }
    if (r->item_count)
        (void)printf("%7s %6s %6s %6s %6s %2s %-20s %-36s %s\n", "version", "size", "disk",
                     "cached", "launch", "LU", "last use", "version GUID", "name");
    for (size_t i = 0; i < r->item_count; i++)
        print_row(r, &r->items[i]);
    return EXITCODE_OK;
}

/* --- du --------------------------------------------------------------------------------------- */

static void print_usage(const struct cache_run *r, const struct cache_usage *u)
{
    char used[TEXT_SIZE_SIZE], quota[TEXT_SIZE_SIZE], available[TEXT_SIZE_SIZE],
        least[TEXT_SIZE_SIZE], total[TEXT_SIZE_SIZE];

    text_size(u->used_bytes, used);
    text_size(r->dir->quota_bytes, quota);
    text_size(u->free_bytes, available);
    text_size(u->floor_bytes, least);
    text_size(u->total_bytes, total);
    (void)printf("%s: %s in %" PRIu32 " version%s, of a quota of %s\n", cache_dir_path(r->dir),
                 used, u->versions, u->versions == 1 ? "" : "s", quota);
    (void)printf("the file system has %s free of %s; %s (%u%%) stay free\n", available, total,
                 least, r->dir->free_percent);
}

enum exitcode cache_du(struct cache_run *r)
{
    struct cache_usage u;
    struct err e = { 0 };

    if (cache_space_measure(r->dir->space, &u, &e))
        return report_error(&r->in.report, NULL, &e);
    if (r->in.report.json) {
        struct json j = json_begin(stdout);

        json_object(&j, NULL);
        json_string(&j, "cache", cache_dir_path(r->dir));
        json_uint(&j, "versions", u.versions);
        json_uint(&j, "used_bytes", u.used_bytes);
        json_uint(&j, "quota_bytes", r->dir->quota_bytes);
        json_uint(&j, "free_bytes", u.free_bytes);
        json_uint(&j, "keep_free_bytes", u.floor_bytes);
        json_uint(&j, "total_bytes", u.total_bytes);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
    } else {
        print_usage(r, &u);
    }
    return EXITCODE_OK;
}
