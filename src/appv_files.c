/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The readers of FilesystemMetadata.xml and StreamMap.xml. Elements count at their place and are
 * passed over elsewhere. See appv_files.h.
 */
#include "config.h"

#include "src/appv_files.h"

#include <string.h>

#include "src/fold.h"
#include "src/list.h"
#include "src/name_index.h"
#include "src/opc_name.h"
#include "src/pool.h"
#include "src/xml.h"
#include "src/xml_stream.h"

/* A copy of an attribute's value in the pool, "" when there is none; NULL when out of memory. */
static char *keep_attr(struct pool *pool, const struct xml_tag *tag, const char *name, size_t *len)
{
    const char *value = xml_tag_attr(tag, name, len);
    return pool_strndup(pool, value ? value : "", *len);
}

static int keep_text(struct pool *pool, const struct xml_tag *tag, const char *name,
                     const char **out, struct err *e)
{
    size_t len;
    *out = keep_attr(pool, tag, name, &len);
    return *out ? 0 : err_nomem(e);
}

/* A path of the document, checked; if it may be missing it may be "". */
static int keep_path(struct pool *pool, const struct xml_tag *tag, const char *name, bool needed,
                     const char **out, struct err *e)
{
    size_t len;
    char *path = keep_attr(pool, tag, name, &len);
    *out = path;
    if (!path)
        return err_nomem(e);
    return !len && !needed ? 0 : opc_name_from_windows(path, len, e);
}

static int check_root(const struct xml_tag *tag, const char *name, struct err *e)
{
    if (xml_tag_is(tag, name))
        return 0;
    return err_set(e, ERR_XML, "the root element is %.60s, not %s", tag->name, name);
}

static int check_count(size_t count, size_t max, const char *what, struct err *e)
{
    return count < max ? 0 : err_set(e, ERR_LIMIT, "more than %zu %s", max, what);
}

/* --- FilesystemMetadata.xml ---------------------------------------------------------------- */

enum part { PART_NONE, PART_ENTRIES, PART_EMPTY, PART_OPAQUE };

struct metadata_building {
    struct appv_metadata *m; /* has the counts already */
    struct list entries, empty, opaque;
    enum part part;
    uint32_t open[XML_DEPTH_MAX]; /* entry at each depth, APPV_NO_ENTRY = another element */
};

static int start_part(struct metadata_building *b, const struct xml_tag *tag, struct err *e)
{
    struct appv_metadata *m = b->m;

    b->part = xml_tag_is(tag, "Filesystem")          ? PART_ENTRIES
              : xml_tag_is(tag, "EmptyDirectories")  ? PART_EMPTY
              : xml_tag_is(tag, "OpaqueDirectories") ? PART_OPAQUE
                                                     : PART_NONE;
    if (b->part != PART_ENTRIES || *m->root)
        return 0;
    int rc = keep_text(m->pool, tag, "Root", &m->root, e);
    return rc ? rc : keep_text(m->pool, tag, "Short", &m->short_root, e);
}

static int add_entry(struct metadata_building *b, const struct xml_tag *tag, uint32_t parent,
                     uint32_t *number, struct err *e)
{
    struct appv_metadata *m = b->m;
    struct appv_entry entry = { .parent = parent };

    int rc = check_count(m->entry_count, APPV_LIST_MAX, "entries", e);
    if (!rc)
        rc = keep_text(m->pool, tag, "Long", &entry.name, e);
    if (!rc)
        rc = keep_text(m->pool, tag, "Short", &entry.short_name, e);
    if (!rc)
        rc = name_check(entry.name, strlen(entry.name), e);
    if (!rc && *entry.short_name)
        rc = name_check(entry.short_name, strlen(entry.short_name), e);
    if (!rc)
        rc = list_make_room(&b->entries, m->entry_count, sizeof entry, e);
    if (!rc)
        rc = name_index_add(m->names, parent, entry.name, strlen(entry.name), m->entry_count,
                            number, e);
    if (rc)
        return rc;
    struct appv_entry *entries = b->entries.items;
    if (*number == m->entry_count)
        entries[m->entry_count++] = entry;
    if (parent != APPV_NO_ENTRY)
        entries[parent].is_directory = true;
    return 0;
}

static int add_directory(struct pool *pool, struct list *list, uint32_t *count,
                         const struct xml_tag *tag, struct err *e)
{
    struct appv_directory d;

    int rc = check_count(*count, APPV_LIST_MAX, "directories", e);
    if (!rc)
        rc = keep_path(pool, tag, "Long", true, &d.path, e);
    if (!rc)
        rc = keep_path(pool, tag, "Short", false, &d.short_path, e);
    if (!rc)
        rc = list_make_room(list, *count, sizeof d, e);
    if (rc)
        return rc;
    struct appv_directory *all = list->items;
    all[(*count)++] = d;
    return 0;
}

static int on_metadata(void *arg, const struct xml_tag *tag, struct err *e)
{
    struct metadata_building *b = arg;
    struct appv_metadata *m = b->m;

    b->open[tag->depth] = APPV_NO_ENTRY;
    if (tag->depth == 0)
        return check_root(tag, "Metadata", e);
    if (tag->depth == 1)
        return start_part(b, tag, e);
    if (!xml_tag_is(tag, "Entry"))
        return 0;
    uint32_t parent = b->open[tag->depth - 1];
    if (b->part == PART_ENTRIES && (tag->depth == 2 || parent != APPV_NO_ENTRY))
        return add_entry(b, tag, parent, &b->open[tag->depth], e);
    if (b->part == PART_EMPTY && tag->depth == 2)
        return add_directory(m->pool, &b->empty, &m->empty_count, tag, e);
    if (b->part == PART_OPAQUE && tag->depth == 2)
        return add_directory(m->pool, &b->opaque, &m->opaque_count, tag, e);
    return 0;
}

int appv_metadata_read(const void *data, size_t len, struct appv_metadata **out, struct err *e)
{
    static const struct xml_stream_reader reader = { .start = on_metadata };
    struct appv_metadata *m = calloc(1, sizeof *m);
    struct metadata_building b = { .m = m };

    if (!m)
        return err_nomem(e);
    m->root = m->short_root = "";
    m->pool = pool_new();
    int rc = m->pool ? name_index_new(&m->names, e) : err_nomem(e);
    if (!rc)
        rc = xml_stream(data, len, APPV_BYTES_MAX, &reader, &b, e);
    m->entries = list_finish(&b.entries, m->entry_count, sizeof *m->entries);
    m->empty_directories = list_finish(&b.empty, m->empty_count, sizeof *m->empty_directories);
    m->opaque_directories = list_finish(&b.opaque, m->opaque_count, sizeof *m->opaque_directories);
    if (rc) {
        err_wrap(e, "file system metadata");
        appv_metadata_free(m);
        return rc;
    }
    *out = m;
    return 0;
}

void appv_metadata_free(struct appv_metadata *m)
{
    if (!m)
        return;
    free((void *)(uintptr_t)m->entries);
    free((void *)(uintptr_t)m->empty_directories);
    free((void *)(uintptr_t)m->opaque_directories);
    name_index_free(m->names);
    pool_free(m->pool);
    free(m);
}

uint32_t appv_entry_find(const struct appv_metadata *m, uint32_t parent, const char *name,
                         size_t len)
{
    return name_index_find(m->names, parent, name, len); /* NAME_INDEX_NONE is APPV_NO_ENTRY */
}

uint32_t appv_path_find(const struct appv_metadata *m, const char *path, size_t len)
{
    uint32_t at = APPV_NO_ENTRY;

    for (;;) {
        const char *slash = memchr(path, '/', len);
        size_t part = slash ? (size_t)(slash - path) : len;
        at = appv_entry_find(m, at, path, part);
        if (at == APPV_NO_ENTRY || part == len)
            return at;
        path += part + 1;
        len -= part + 1;
    }
}

/* --- StreamMap.xml ------------------------------------------------------------------------- */

struct stream_building {
    struct appv_stream_map *m; /* has the counts already */
    struct list blocks, files, ranges;
    bool in_block, in_file;
};

static bool is_true(const struct xml_tag *tag, const char *name)
{
    char text[8];
    size_t len;
    const char *value = xml_tag_attr(tag, name, &len);

    if (!value || len >= sizeof text)
        return false;
    memcpy(text, value, len);
    text[len] = '\0';
    return xml_truth(text);
}

static int start_block(struct stream_building *b, const struct xml_tag *tag, struct err *e)
{
    struct appv_stream_map *m = b->m;
    struct appv_feature_block block = { .load_all = is_true(tag, "LoadAll"),
                                        .first_file = m->file_count };

    int rc = check_count(m->block_count, APPV_BLOCKS_MAX, "feature blocks", e);
    if (!rc)
        rc = keep_text(m->pool, tag, "Id", &block.id, e);
    if (!rc)
        rc = list_make_room(&b->blocks, m->block_count, sizeof block, e);
    if (rc)
        return rc;
    struct appv_feature_block *blocks = b->blocks.items;
    blocks[m->block_count++] = block;
    b->in_block = true;
    return 0;
}

static int start_file(struct stream_building *b, const struct xml_tag *tag, struct err *e)
{
    struct appv_stream_map *m = b->m;
    struct appv_stream_file file = { .first_range = m->range_count };

    int rc = check_count(m->file_count, APPV_LIST_MAX, "files", e);
    if (!rc)
        rc = keep_path(m->pool, tag, "Name", true, &file.path, e);
    if (!rc)
        rc = list_make_room(&b->files, m->file_count, sizeof file, e);
    if (rc)
        return rc;
    struct appv_stream_file *files = b->files.items;
    struct appv_feature_block *blocks = b->blocks.items;
    files[m->file_count++] = file;
    blocks[m->block_count - 1].file_count++;
    b->in_file = true;
    return 0;
}

/* <Blocks Index="3" Count="2"/>; one block if the count is missing. */
static int add_range(struct stream_building *b, const struct xml_tag *tag, struct err *e)
{
    struct appv_stream_map *m = b->m;
    uint64_t first, count;

    int rc = xml_tag_number(tag, "Index", UINT32_MAX, &first, e);
    if (rc <= 0) /* has none: a list of those that have */
        return rc;
    rc = xml_tag_number(tag, "Count", UINT32_MAX, &count, e);
    if (rc < 0)
        return rc;
    if (!rc)
        count = 1;
    if (first + count > UINT32_MAX)
        return err_set(e, ERR_CORRUPT, "blocks end behind %u", UINT32_MAX);
    if (!count)
        return 0;
    rc = list_make_room(&b->ranges, m->range_count, sizeof(struct appv_range), e);
    if (rc)
        return rc;
    struct appv_range *ranges = b->ranges.items;
    struct appv_stream_file *files = b->files.items;
    ranges[m->range_count++] = (struct appv_range){ (uint32_t)first, (uint32_t)count };
    files[m->file_count - 1].range_count++;
    return 0;
}

static int on_stream_map(void *arg, const struct xml_tag *tag, struct err *e)
{
    struct stream_building *b = arg;

    if (tag->depth == 0)
        return check_root(tag, "StreamMap", e);
    if (tag->depth == 1)
        return xml_tag_is(tag, "FeatureBlock") ? start_block(b, tag, e) : 0;
    if (tag->depth == 2)
        return b->in_block && xml_tag_is(tag, "File") ? start_file(b, tag, e) : 0;
    if (b->in_file && (xml_tag_is(tag, "Blocks") || xml_tag_is(tag, "Block")))
        return add_range(b, tag, e);
    return 0;
}

static int on_stream_map_end(void *arg, unsigned depth, struct err *e)
{
    struct stream_building *b = arg;

    (void)e;
    if (depth == 1)
        b->in_block = false;
    if (depth == 2)
        b->in_file = false;
    return 0;
}

int appv_stream_map_read(const void *data, size_t len, struct appv_stream_map **out, struct err *e)
{
    static const struct xml_stream_reader reader = { .start = on_stream_map,
                                                     .end = on_stream_map_end };
    struct appv_stream_map *m = calloc(1, sizeof *m);
    struct stream_building b = { .m = m };

    if (!m)
        return err_nomem(e);
    m->pool = pool_new();
    int rc = m->pool ? 0 : err_nomem(e);
    if (!rc)
        rc = xml_stream(data, len, APPV_BYTES_MAX, &reader, &b, e);
    m->blocks = list_finish(&b.blocks, m->block_count, sizeof *m->blocks);
    m->files = list_finish(&b.files, m->file_count, sizeof *m->files);
    m->ranges = list_finish(&b.ranges, m->range_count, sizeof *m->ranges);
    if (rc) {
        err_wrap(e, "stream map");
        appv_stream_map_free(m);
        return rc;
    }
    *out = m;
    return 0;
}

void appv_stream_map_free(struct appv_stream_map *m)
{
    if (!m)
        return;
    free((void *)(uintptr_t)m->blocks);
    free((void *)(uintptr_t)m->files);
    free((void *)(uintptr_t)m->ranges);
    pool_free(m->pool);
    free(m);
}
