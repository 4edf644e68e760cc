/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: the documents of App-V packages about files. What they accept hangs together. */
#include "config.h"

#include <string.h>

#include "src/appv_files.h"
#include "src/fold.h"
#include "src/opc_name.h"
#include "tests/fuzz/fuzz.h"

static void check_path(const char *path)
{
    FUZZ_CHECK(!opc_name_check(path, strlen(path), NULL));
}

static void check_directories(const struct appv_directory *d, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        check_path(d[i].path);
        if (*d[i].short_path)
            check_path(d[i].short_path);
    }
}

static void walk_metadata(const struct appv_metadata *m)
{
    FUZZ_CHECK(m->root && m->short_root);
    for (uint32_t i = 0; i < m->entry_count; i++) {
        const struct appv_entry *n = &m->entries[i];
        FUZZ_CHECK(!name_check(n->name, strlen(n->name), NULL));
        FUZZ_CHECK(!*n->short_name || !name_check(n->short_name, strlen(n->short_name), NULL));
        FUZZ_CHECK(n->parent == APPV_NO_ENTRY ||
                   (n->parent < i && m->entries[n->parent].is_directory));
        FUZZ_CHECK(appv_entry_find(m, n->parent, n->name, strlen(n->name)) == i);
    }
    check_directories(m->empty_directories, m->empty_count);
    check_directories(m->opaque_directories, m->opaque_count);
}

static void walk_stream_map(const struct appv_stream_map *m)
{
    uint32_t files = 0, ranges = 0;

    for (uint32_t i = 0; i < m->block_count; i++) {
        FUZZ_CHECK(m->blocks[i].id && m->blocks[i].first_file == files);
        files += m->blocks[i].file_count;
    }
    FUZZ_CHECK(files == m->file_count);
    for (uint32_t i = 0; i < files; i++) {
        check_path(m->files[i].path);
        FUZZ_CHECK(m->files[i].first_range == ranges);
        ranges += m->files[i].range_count;
    }
    FUZZ_CHECK(ranges == m->range_count);
    for (uint32_t i = 0; i < ranges; i++)
        FUZZ_CHECK(m->ranges[i].count && m->ranges[i].first <= UINT32_MAX - m->ranges[i].count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { .kind = ERR_NONE };
    struct appv_metadata *m = NULL;
    struct appv_stream_map *s = NULL;
    int rc = appv_metadata_read(data, size, &m, &e);

    FUZZ_CHECK((rc == 0) == (m != NULL) && (rc == 0) == (e.kind == ERR_NONE));
    if (m)
        walk_metadata(m);
    appv_metadata_free(m);
    e.kind = ERR_NONE;
    rc = appv_stream_map_read(data, size, &s, &e);
    FUZZ_CHECK((rc == 0) == (s != NULL) && (rc == 0) == (e.kind == ERR_NONE));
    if (s)
        walk_stream_map(s);
    appv_stream_map_free(s);
    return 0;
}
