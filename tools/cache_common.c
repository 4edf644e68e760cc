/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which versions in the disk cache are meant. See cache_common.h. */
#include "config.h"

#include "tools/cache_common.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "tools/target.h"

enum { PREFIX_MIN = 4 };

enum exitcode cache_run_open(struct cache_run *r)
{
    struct err e = { 0 };

    if (cache_dir_open(&r->options, &r->dir, &e))
        return report_error(&r->in.report, NULL, &e);
    return EXITCODE_OK;
}

static void item_clear(struct cache_item *item)
{
    package_free(item->package);
    item->package = NULL;
}

void cache_run_close(struct cache_run *r)
{
    for (size_t i = 0; i < r->item_count; i++)
        item_clear(&r->items[i]);
    free(r->items);
    cache_dir_close(r->dir);
    sft_close(&r->in);
}

/* --- what is there ---------------------------------------------------------------------------- */

static int add_item(void *arg, const struct cache_entry *entry)
{
    struct cache_run *r = arg;

    if (r->item_count == r->item_room) {
        size_t room = 2 * r->item_room + 16;
        struct cache_item *grown = realloc(r->items, room * sizeof *grown);

        if (!grown)
            return -ENOMEM;
        r->items = grown;
        r->item_room = room;
    }
    struct cache_item *item = &r->items[r->item_count++];
    *item = (struct cache_item){ .entry = *entry };
    if (entry->begun)
        (void)err_set(&item->why, ERR_NOT_FOUND, "nothing is in it yet");
    else if (!entry->valid)
        (void)err_set(&item->why, ERR_CORRUPT, "its index is damaged");
    else if (!entry->metadata)
        (void)err_set(&item->why, ERR_NOT_FOUND, "its metadata is not there yet");
    else
        (void)!cache_package_open(r->dir, entry->name, &item->package, &item->why);
    return 0;
}

const char *cache_item_name(const struct cache_item *item)
{
    const char *name = item->package ? package_info(item->package)->name : "";

    return *name ? name : item->entry.name;
}

void cache_item_title(const struct cache_item *item, char out[CACHE_TITLE_SIZE])
{
    char guid[GUID_TEXT_SIZE];

    if (!item->entry.valid) {
        (void)snprintf(out, CACHE_TITLE_SIZE, "%s", item->entry.name); /* fits, as all of them */
        return;
    }
    guid_format(&item->entry.header.version_guid, guid);
    (void)snprintf(out, CACHE_TITLE_SIZE, "%s, version %" PRIu32 " (%s)",
                   item->package ? cache_item_name(item) : "a package",
                   item->entry.header.version_number, guid);
}

void cache_item_json(struct json *j, const struct cache_item *item)
{
    const struct cache_entry *entry = &item->entry;

    json_string(j, "directory", entry->name);
    json_string(j, "name", item->package ? package_info(item->package)->name : NULL);
    if (!entry->valid)
        return;
    json_guid(j, "package_guid", &entry->header.package_guid);
    json_guid(j, "version_guid", &entry->header.version_guid);
    json_uint(j, "version_number", entry->header.version_number);
}

static int by_name(const void *a, const void *b)
{
    const struct cache_item *x = a, *y = b;
    int c = strcasecmp(cache_item_name(x), cache_item_name(y));
    uint32_t m = x->entry.header.version_number, n = y->entry.header.version_number;

    if (!c)
        c = (m > n) - (m < n);
    return c ? c : strcmp(x->entry.name, y->entry.name);
}

/* --- which are meant -------------------------------------------------------------------------- */

/* TEXT without braces around it. */
static bool is_prefix(const char *text, const char *of)
{
    size_t len = strlen(text);

    if (len > 1 && *text == '{' && text[len - 1] == '}') {
        text++;
        len -= 2;
    }
    return len >= PREFIX_MIN && !strncasecmp(text, of, len);
}

static bool is_package(const struct cache_item *item, const struct guid *guid)
{
    return item->entry.valid && guid_equal(&item->entry.header.package_guid, guid);
}

static bool has_version_prefix(const struct cache_item *item, const char *text)
{
    return is_prefix(text, item->entry.name);
}

static bool has_package_prefix(const struct cache_item *item, const char *text)
{
    char guid[GUID_TEXT_SIZE];

    guid_format(&item->entry.header.package_guid, guid);
    return item->entry.valid && is_prefix(text, guid);
}

static bool has_name(const struct cache_item *item, const char *text)
{
    return item->package && !strcasecmp(package_info(item->package)->name, text);
}

typedef bool (*meant_fn)(const struct cache_item *item, const char *text);

/* Marks what MEANT says; how many. ERR_INVALID in E when they are of several packages. */
static int mark(struct cache_run *r, bool *marks, meant_fn meant, const char *text, size_t *n,
                struct err *e)
{
    const struct cache_item *first = NULL;

    *n = 0;
    for (size_t i = 0; i < r->item_count; i++) {
        struct cache_item *item = &r->items[i];

        if (!meant(item, text))
            continue;
        if (first && !(first->entry.valid && is_package(item, &first->entry.header.package_guid)))
            return err_set(e, ERR_INVALID, "could be several packages; 'sft cache ls' shows them");
        first = item;
        marks[i] = true;
        ++*n;
    }
    return 0;
}

static size_t mark_directory(struct cache_run *r, bool *marks, const char *name)
{
    for (size_t i = 0; i < r->item_count; i++)
        if (!strcmp(r->items[i].entry.name, name)) {
            marks[i] = true;
            return 1;
        }
    return 0;
}

static size_t mark_package(struct cache_run *r, bool *marks, const struct guid *guid)
{
    size_t n = 0;

    for (size_t i = 0; i < r->item_count; i++)
        if (is_package(&r->items[i], guid)) {
            marks[i] = true;
            n++;
        }
    return n;
}

/* By where it was from, as a location or by way of a document. */
static size_t mark_location(struct cache_run *r, bool *marks, const char *text)
{
    const struct target_options local = { .offline = true };
    char name[CACHE_NAME_SIZE];
    struct target target;
    size_t n = 0;

    if (!cache_dir_follow(r->dir, text, name, NULL))
        return mark_directory(r, marks, name);
    if (target_find(text, &r->in.connection, &local, &target, NULL)) {
        target_free(&target);
        return 0;
    }
    for (size_t i = 0; i < target.location_count && !n; i++)
        if (!cache_dir_follow(r->dir, target.locations[i], name, NULL))
            n = mark_directory(r, marks, name);
    if (!n && target.has_guid)
        n = mark_package(r, marks, &target.guid);
    target_free(&target);
    return n;
}

static int mark_operand(struct cache_run *r, bool *marks, const char *text, struct err *e)
{
    static const meant_fn ways[] = { has_version_prefix, has_package_prefix, has_name };
    size_t n = 0;
    int rc = 0;

    for (size_t i = 0; i < ARRAY_LEN(ways) && !n && !rc; i++)
        rc = mark(r, marks, ways[i], text, &n, e);
    if (!rc && !n)
        n = mark_location(r, marks, text);
    if (!rc && !n)
        rc = err_set(e, ERR_NOT_FOUND, "not in the cache %s", cache_dir_path(r->dir));
    return rc;
}

/* Keeps what is marked. */
static void keep(struct cache_run *r, const bool *marks)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->item_count; i++) {
        if (marks[i])
            r->items[kept++] = r->items[i];
        else
            item_clear(&r->items[i]);
    }
    r->item_count = kept;
}

enum exitcode cache_run_select(struct cache_run *r)
{
    struct err e = { 0 };

    if (cache_dir_list(r->dir, CACHE_COUNT_BLOCKS, add_item, r, &e)) {
        if (e.kind == ERR_NONE)
            (void)err_nomem(&e);
        return report_error(&r->in.report, NULL, &e);
    }
    if (r->item_count)
        qsort(r->items, r->item_count, sizeof *r->items, by_name);
    if (!r->operand_count)
        return EXITCODE_OK;
    auto_free bool *marks = calloc(r->item_count + 1, sizeof *marks);
    if (!marks) {
        (void)err_nomem(&e);
        return report_error(&r->in.report, NULL, &e);
    }
    for (size_t i = 0; i < r->operand_count; i++)
        if (mark_operand(r, marks, r->operands[i], &e))
            return report_error(&r->in.report, r->operands[i], &e);
    keep(r, marks);
    return EXITCODE_OK;
}
