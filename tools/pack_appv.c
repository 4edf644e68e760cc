/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Documents of App-V 5 packages. See pack_appv.h. */
#include "config.h"

#include "tools/pack_appv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/appv_files.h"
#include "src/list.h"
#include "src/pack_plan.h"
#include "src/pool.h"

/* --- FilesystemMetadata.xml ------------------------------------------------------------------- */

/* The entry after I, depth-first; INTO false leaves out what is below it. 0 at the end. */
static uint32_t next_entry(const struct pack_tree *t, uint32_t i, bool into, unsigned *depth)
{
    const struct pack_entry *x = &t->entries[i];
    if (into && x->child_count) {
        ++*depth;
        return x->first_child;
    }
    while (i != NODE_ROOT) {
        const struct pack_entry *parent = &t->entries[t->entries[i].parent];
        if (i + 1 < parent->first_child + parent->child_count)
            return i + 1;
        i = t->entries[i].parent;
        --*depth;
    }
    return NODE_ROOT;
}

static bool is_empty_directory(const struct pack_entry *x)
{
    return x->flags & NODE_DIR && !x->child_count;
}

/* The path of an entry with 8.3 names where there are some. */
static char *short_path(const struct pack_tree *t, uint32_t entry, struct pool *pool)
{
    size_t len = 0;
    for (uint32_t i = entry; i != NODE_ROOT; i = t->entries[i].parent)
        len += strlen(t->entries[i].name) + SHORT_NAME_SIZE; /* enough for either */
    char *path = pool_zalloc(pool, 1, len + 1), *at = path ? path + len : NULL;
    for (uint32_t i = entry; at && i != NODE_ROOT; i = t->entries[i].parent) {
        const struct pack_entry *x = &t->entries[i];
        const char *name = *x->short_name ? x->short_name : x->name;
        at -= strlen(name);
        memcpy(at, name, strlen(name));
        if (x->parent != NODE_ROOT)
            *--at = '/';
    }
    return at;
}

static int add_empty(const struct pack_tree *t, uint32_t entry, struct appv_metadata *m,
                     struct list *list, struct err *e)
{
    int rc = list_make_room(list, m->empty_count, sizeof(struct appv_directory), e);
    if (rc)
        return rc;
    auto_free char *path = pack_tree_path(t, entry);
    struct appv_directory *d = (struct appv_directory *)list->items + m->empty_count;
    *d = (struct appv_directory){
        .path = path ? pool_strndup(m->pool, path, strlen(path)) : NULL,
        .short_path = short_path(t, entry, m->pool),
    };
    if (!d->path || !d->short_path)
        return err_nomem(e);
    m->empty_count++;
    return 0;
}

/* Entries depth-first, and empty directories. NUMBERS: of each entry of the tree in the document. */
static int collect(const struct pack_tree *t, uint32_t left_out, struct appv_metadata *m,
                   struct appv_entry *entries, struct list *empty, uint32_t *too_deep,
                   struct err *e)
{
    auto_free uint32_t *numbers = malloc(t->count * sizeof *numbers);
    unsigned depth = 0;
    int rc = numbers ? 0 : err_nomem(e);
    if (numbers)
        numbers[NODE_ROOT] = APPV_NO_ENTRY;
    for (uint32_t i = next_entry(t, NODE_ROOT, true, &depth); !rc && i != NODE_ROOT;
         i = next_entry(t, i, true, &depth)) {
        const struct pack_entry *x = &t->entries[i];
        if (i == left_out)
            continue;
        if (is_empty_directory(x)) {
            rc = add_empty(t, i, m, empty, e);
        } else if (depth > APPV_DEPTH_MAX) {
            ++*too_deep;
        } else {
            numbers[i] = m->entry_count;
            entries[m->entry_count++] =
                (struct appv_entry){ .name = x->name, .short_name = x->short_name,
                                     .parent = numbers[x->parent] };
        }
    }
    return rc;
}

static const char *short_root(const char *root, struct pool *pool, struct err *e)
{
    const char *name = strrchr(root, '\\') + 1;
    char made[1][SHORT_NAME_SIZE];
    if (short_names_make(&name, 1, made, e) || !*made[0])
        return root;
    size_t before = (size_t)(name - root);
    char *out = pool_zalloc(pool, 1, before + SHORT_NAME_SIZE);
    if (out) {
        memcpy(out, root, before);
        memcpy(out + before, made[0], SHORT_NAME_SIZE);
    }
    return out;
}

int pack_appv_metadata(const struct pack_tree *t, uint32_t left_out, const char *root,
                       uint32_t *too_deep, char **out, size_t *len, struct err *e)
{
    struct appv_metadata m = { .root = root, .pool = pool_new() };
    struct list empty = { .items = NULL };
    auto_free struct appv_entry *entries = calloc(t->count, sizeof *entries);
    *too_deep = 0;
    int rc = m.pool && entries ? collect(t, left_out, &m, entries, &empty, too_deep, e)
                               : err_nomem(e);
    m.entries = entries;
    m.empty_directories = empty.items;
    if (!rc) {
        m.short_root = short_root(root, m.pool, e);
        rc = m.short_root ? appv_metadata_write(&m, out, len, e) : err_nomem(e);
    }
    free(empty.items);
    pool_free(m.pool);
    return rc;
}

/* --- StreamMap.xml ---------------------------------------------------------------------------- */

struct wanted {
    uint32_t rank, file;
};

static int by_rank(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

/* The ranges of a file, which ascend, as units; none when they are all of it. */
static int add_units(const struct pack_launch_file *f, uint64_t size, struct appv_stream_map *m,
                     struct list *list, struct appv_stream_file *file, struct err *e)
{
    uint64_t units = (size + APPV_UNIT - 1) / APPV_UNIT;
    file->first_range = m->range_count;
    for (uint32_t i = 0; i < f->range_count && f->ranges[i].offset < size; i++) {
        const struct pack_range *r = &f->ranges[i];
        uint64_t first = r->offset / APPV_UNIT;
        uint64_t end = min_u64(units, (min_u64(r->len, size - r->offset) + r->offset + APPV_UNIT - 1) /
                                          APPV_UNIT);
        int rc = list_make_room(list, m->range_count, sizeof(struct appv_range), e);
        if (rc)
            return rc;
        struct appv_range *all = list->items, *last = &all[m->range_count - 1];
        if (file->range_count && first <= (uint64_t)last->first + last->count) {
            last->count = (uint32_t)(max_u64(end, (uint64_t)last->first + last->count) - last->first);
            continue;
        }
        all[m->range_count++] = (struct appv_range){ (uint32_t)first, (uint32_t)(end - first) };
        file->range_count++;
    }
    const struct appv_range *all = list->items;
    if (file->range_count == 1 && all[m->range_count - 1].count == units) {
        m->range_count--;
        file->range_count = 0;
    }
    return 0;
}

static const char *root_path(const struct pack_tree *t, uint32_t entry, struct pool *pool)
{
    auto_free char *path = pack_tree_path(t, entry);
    size_t size = path ? strlen(path) + sizeof "Root/" : 0;
    char *out = path ? pool_zalloc(pool, 1, size) : NULL;
    if (out)
        (void)snprintf(out, size, "Root/%s", path);
    return out;
}

static int collect_files(const struct pack_tree *t, const struct pack_launch *launch,
                         const struct wanted *wanted, uint32_t count, struct appv_stream_map *m,
                         struct appv_stream_file *files, struct list *ranges, struct err *e)
{
    int rc = 0;
    for (uint32_t i = 0; !rc && i < count; i++) {
        uint32_t entry = t->files[wanted[i].file];
        struct appv_stream_file *file = &files[m->file_count++];
        file->path = root_path(t, entry, m->pool);
        rc = file->path ? add_units(&launch->files[wanted[i].file], t->entries[entry].size, m,
                                    ranges, file, e)
                        : err_nomem(e);
    }
    return rc;
}

int pack_appv_stream_map(const struct pack_tree *t, const struct pack_launch *launch, char **out,
                         size_t *len, struct err *e)
{
    struct appv_feature_block blocks[] = { { .id = "PublishingFeatureBlock" },
                                           { .id = "PrimaryFeatureBlock" } };
    struct appv_stream_map m = { .blocks = blocks, .pool = pool_new() };
    struct list ranges = { .items = NULL };
    auto_free struct wanted *wanted = calloc(t->file_count + (size_t)1, sizeof *wanted);
    auto_free struct appv_stream_file *files = calloc(t->file_count + (size_t)1, sizeof *files);
    uint32_t count = 0;
    for (uint32_t i = 0; wanted && i < t->file_count; i++)
        if (launch->files[i].rank != PACK_NO_RANK)
            wanted[count++] = (struct wanted){ launch->files[i].rank, i };
    int rc = wanted && files && m.pool ? 0 : err_nomem(e);
    if (!rc) {
        qsort(wanted, count, sizeof *wanted, by_rank);
        rc = collect_files(t, launch, wanted, count, &m, files, &ranges, e);
    }
    m.files = files;
    m.ranges = ranges.items;
    m.block_count = count ? 2 : 1;
    blocks[1].file_count = m.file_count;
    if (!rc)
        rc = appv_stream_map_write(&m, out, len, e);
    free(ranges.items);
    pool_free(m.pool);
    return rc;
}
