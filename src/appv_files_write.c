/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The writers of FilesystemMetadata.xml and StreamMap.xml. See appv_files.h. */
#include "config.h"

#include "src/appv_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/xml.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"utf-8\"?>"

static int finish(struct xml_out *o, const char *what, char **out, size_t *len, struct err *e)
{
    int rc = o->len > APPV_BYTES_MAX
                 ? err_set(e, ERR_LIMIT, "longer than %u bytes", APPV_BYTES_MAX) : 0;
    if (rc)
        free(o->text);
    else
        rc = xml_finish(o, out, len, e);
    if (rc)
        err_wrap(e, "%s", what);
    return rc;
}

/* A path with '\' between its components. */
static int put_path(struct xml_out *o, const char *name, const char *path, struct err *e)
{
    auto_free char *windows = strdup(path);
    if (!windows)
        return err_nomem(e);
    for (char *c = windows; *c; c++)
        if (*c == '/')
            *c = '\\';
    xml_put_attr(o, name, windows);
    return 0;
}

static int check_count(uint32_t count, const char *what, struct err *e)
{
    return count <= APPV_LIST_MAX
               ? 0 : err_set(e, ERR_LIMIT, "%" PRIu32 " %s, of at most %u", count, what, APPV_LIST_MAX);
}

/* --- FilesystemMetadata.xml ---------------------------------------------------------------- */

static void close_to(struct xml_out *o, const struct appv_metadata *m, uint32_t *open,
                     uint32_t parent)
{
    for (; *open != parent && *open != APPV_NO_ENTRY; *open = m->entries[*open].parent)
        xml_put(o, "</Entry>");
}

static void put_entries(struct xml_out *o, const struct appv_metadata *m)
{
    uint32_t open = APPV_NO_ENTRY; /* the innermost element that is open */

    for (uint32_t i = 0; i < m->entry_count; i++) {
        const struct appv_entry *entry = &m->entries[i];
        close_to(o, m, &open, entry->parent);
        xml_put(o, "<Entry");
        xml_put_attr(o, "Long", entry->name);
        xml_put_attr_if(o, "Short", entry->short_name);
        bool inside = i + 1 < m->entry_count && m->entries[i + 1].parent == i;
        xml_put(o, inside ? ">" : "/>");
        if (inside)
            open = i;
    }
    close_to(o, m, &open, APPV_NO_ENTRY);
}

static int put_directories(struct xml_out *o, const char *element,
                           const struct appv_directory *list, uint32_t count, struct err *e)
{
    int rc = 0;

    xml_put(o, "<");
    xml_put(o, element);
    xml_put(o, ">");
    for (uint32_t i = 0; i < count && !rc; i++) {
        xml_put(o, "<Entry");
        rc = put_path(o, "Long", list[i].path, e);
        if (!rc && list[i].short_path && *list[i].short_path)
            rc = put_path(o, "Short", list[i].short_path, e);
        xml_put(o, "/>");
    }
    xml_put(o, "</");
    xml_put(o, element);
    xml_put(o, ">");
    return rc;
}

int appv_metadata_write(const struct appv_metadata *m, char **out, size_t *len, struct err *e)
{
    struct xml_out o = { .text = NULL };
    int rc = check_count(m->entry_count, "entries", e);

    if (!rc)
        rc = check_count(m->empty_count, "directories", e);
    if (rc)
        return rc;
    xml_put(&o, DECLARATION "<Metadata xmlns=\"http://schemas.microsoft.com/appv/2010/"
                            "FilesystemMetadata\"><Filesystem");
    xml_put_attr(&o, "Root", m->root);
    xml_put_attr(&o, "Short", m->short_root);
    xml_put(&o, ">");
    put_entries(&o, m);
    xml_put(&o, "</Filesystem>");
    rc = put_directories(&o, "EmptyDirectories", m->empty_directories, m->empty_count, e);
    if (!rc)
        rc = put_directories(&o, "OpaqueDirectories", m->opaque_directories, m->opaque_count, e);
    xml_put(&o, "<StaticDependencies/></Metadata>");
    if (rc) {
        free(o.text);
        return rc;
    }
    return finish(&o, "FilesystemMetadata.xml", out, len, e);
}

/* --- StreamMap.xml ------------------------------------------------------------------------- */

static int put_file(struct xml_out *o, const struct appv_stream_map *m,
                    const struct appv_stream_file *file, struct err *e)
{
    char text[80];

    xml_put_indent(o, 2);
    xml_put(o, "<File");
    int rc = put_path(o, "Name", file->path, e);
    xml_put(o, file->range_count ? ">" : "/>\n");
    for (uint32_t i = 0; i < file->range_count; i++) {
        const struct appv_range *r = &m->ranges[file->first_range + i];
        (void)snprintf(text, sizeof text, "<Blocks Index=\"%" PRIu32 "\" Count=\"%" PRIu32 "\"/>",
                       r->first, r->count);
        xml_put(o, text);
    }
    if (file->range_count)
        xml_put(o, "</File>\n");
    return rc;
}

int appv_stream_map_write(const struct appv_stream_map *m, char **out, size_t *len, struct err *e)
{
    struct xml_out o = { .text = NULL };
    int rc = check_count(m->file_count, "files", e);

    if (rc)
        return rc;
    xml_put(&o, DECLARATION "\n<StreamMap xmlns=\"http://schemas.microsoft.com/appv/2010/"
                            "streammap\">\n");
    for (uint32_t i = 0; i < m->block_count && !rc; i++) {
        const struct appv_feature_block *b = &m->blocks[i];
        xml_put_indent(&o, 1);
        xml_put(&o, "<FeatureBlock");
        xml_put_attr(&o, "Id", b->id);
        if (b->load_all)
            xml_put_attr(&o, "LoadAll", "true");
        xml_put(&o, b->file_count ? ">\n" : "/>\n");
        for (uint32_t k = 0; k < b->file_count && !rc; k++)
            rc = put_file(&o, m, &m->files[b->first_file + k], e);
        if (b->file_count)
            xml_put_line(&o, 1, "</FeatureBlock>");
    }
    xml_put(&o, "</StreamMap>\n");
    if (rc) {
        free(o.text);
        return rc;
    }
    return finish(&o, "StreamMap.xml", out, len, e);
}
