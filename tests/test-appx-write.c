/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The documents of packages that are written: what the readers make of them. */
#include "config.h"

#include <stdio.h>

#include "src/appv_files.h"
#include "src/appx_blockmap.h"
#include "src/appx_blockmap_write.h"
#include "src/appx_manifest.h"
#include "src/appx_types_write.h"
#include "src/xml.h"
#include "tests/unit.h"

static void block_maps_are_read_back(void)
{
    struct blockmap_writer *w = NULL;
    struct blockmap *map = NULL;
    uint8_t hash[32] = { 1, 2, 3 };
    uint8_t before[32], after[32];
    char *text = NULL;
    size_t len = 0;

    CU_ASSERT_EQUAL_FATAL(blockmap_writer_new(&w, NULL), 0);
    CU_ASSERT_EQUAL(blockmap_write_file(w, "dir/a & \"b\".txt", 65537, 45, NULL), 0);
    blockmap_write_block(w, hash, 1000);
    hash[31] = 9;
    blockmap_write_block(w, hash, 5);
    CU_ASSERT_EQUAL(blockmap_write_file(w, "empty", 0, 35, NULL), 0);
    CU_ASSERT_EQUAL(blockmap_writer_digest(w, before), 0);
    CU_ASSERT_EQUAL(blockmap_write_file(w, "stored", 7, 36, NULL), 0);
    blockmap_write_block(w, hash, 0);
    CU_ASSERT_EQUAL(blockmap_writer_digest(w, after), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(before, after, 32), 0);
    CU_ASSERT_EQUAL_FATAL(blockmap_write_finish(w, &text, &len, NULL), 0);
    blockmap_writer_free(w);

    CU_ASSERT_EQUAL_FATAL(blockmap_read(text, len, &map, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(map->file_count, 3);
    CU_ASSERT_STRING_EQUAL(map->files[0].name, "dir/a & \"b\".txt");
    CU_ASSERT_EQUAL(map->files[0].size, 65537);
    CU_ASSERT_EQUAL(map->files[0].local_size, 45);
    CU_ASSERT_EQUAL(map->files[0].block_count, 2);
    CU_ASSERT_EQUAL(blockmap_stored_size(map, &map->files[0], 0), 1000);
    CU_ASSERT_EQUAL(blockmap_hash(map, &map->files[0], 1)[31], 9);
    CU_ASSERT_EQUAL(map->files[1].block_count, 0);
    CU_ASSERT_EQUAL(blockmap_stored_size(map, &map->files[2], 0), 0);
    blockmap_free(map);
    free(text);
}

static void names_that_xml_cannot_hold_are_refused(void)
{
    struct blockmap_writer *w = NULL;
    struct err e = { .kind = ERR_NONE };

    CU_ASSERT_EQUAL_FATAL(blockmap_writer_new(&w, NULL), 0);
    CU_ASSERT(blockmap_write_file(w, "\xef\xbf\xbf", 0, 30, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    blockmap_writer_free(w);
}

static unsigned occurrences(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

static void each_ending_has_one_type(void)
{
    static const char *const parts[] = { "a.txt", "b.TXT", "dir.d/none", "dir.d/x.exe", "c.txt",
                                         "dot.", ".hidden", "odd.a%20b", "a.verylongendingthatisnoneatallbutwords" };
    struct types_writer *w = NULL;
    char *text = NULL;
    size_t len = 0;
    xmlDoc *doc = NULL;

    CU_ASSERT_EQUAL_FATAL(types_writer_new(&w, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        CU_ASSERT_EQUAL(types_add_part(w, parts[i], NULL), 0);
    CU_ASSERT_EQUAL_FATAL(types_write_finish(w, &text, &len, NULL), 0);
    types_writer_free(w);
    CU_ASSERT_EQUAL(xml_parse(text, len, &doc, NULL), 0);
    xmlFreeDoc(doc);
    CU_ASSERT_EQUAL(occurrences(text, "Extension=\"txt\""), 1);
    CU_ASSERT_EQUAL(occurrences(text, "Extension=\"exe\""), 1);
    CU_ASSERT_EQUAL(occurrences(text, "Extension=\"hidden\""), 1);
    CU_ASSERT_EQUAL(occurrences(text, "PartName=\"/dir.d/none\""), 1);
    CU_ASSERT_EQUAL(occurrences(text, "PartName=\"/dot.\""), 1);
    CU_ASSERT_EQUAL(occurrences(text, "PartName=\"/odd.a%20b\""), 1);
    CU_ASSERT_EQUAL(occurrences(text, "PartName=\"/a.verylong"), 1);
    CU_ASSERT_EQUAL(occurrences(text, "Extension="), 3);
    free(text);
}

static struct appx_manifest *round_trip(const struct appx_manifest *m)
{
    struct appx_manifest *out = NULL;
    struct err e = { .kind = ERR_NONE };
    char *text = NULL;
    size_t len = 0;

    CU_ASSERT_EQUAL_FATAL(appx_manifest_write(m, &text, &len, &e), 0);
    CU_ASSERT_EQUAL_FATAL(appx_manifest_read(text, len, &out, &e), 0);
    free(text);
    return out;
}

static void msix_manifests_are_read_back(void)
{
    const struct appx_application app = { .id = "App1", .executable = "VFS\\a&b.exe",
                                          .display_name = "<Try>" };
    const struct appx_manifest m = {
        .schema = APPX_SCHEMA_MSIX,
        .identity = { .name = "Try.It", .publisher = "CN=\"A, B\"", .version = "1.2.3.4",
                      .architecture = "x64" },
        .display_name = "Try it", .publisher_display_name = "A, B", .logo = "Assets\\Logo.png",
        .applications = &app, .application_count = 1,
    };
    struct appx_manifest *r = round_trip(&m);

    CU_ASSERT_EQUAL(r->schema, APPX_SCHEMA_MSIX);
    CU_ASSERT_STRING_EQUAL(r->identity.name, "Try.It");
    CU_ASSERT_STRING_EQUAL(r->identity.publisher, "CN=\"A, B\"");
    CU_ASSERT_STRING_EQUAL(r->identity.version, "1.2.3.4");
    CU_ASSERT_STRING_EQUAL(r->identity.architecture, "x64");
    CU_ASSERT_STRING_EQUAL(r->display_name, "Try it");
    CU_ASSERT_STRING_EQUAL(r->logo, "Assets\\Logo.png");
    CU_ASSERT_EQUAL_FATAL(r->application_count, 1);
    CU_ASSERT_STRING_EQUAL(r->applications[0].executable, "VFS\\a&b.exe");
    CU_ASSERT_STRING_EQUAL(r->applications[0].display_name, "<Try>");
    CU_ASSERT_EQUAL_FATAL(r->capability_count, 1);
    CU_ASSERT_TRUE(r->capabilities[0].restricted);
    appx_manifest_free(r);
}

static void appv_manifests_are_read_back(void)
{
    const struct appx_application app = { .id = "[{ProgramFilesX86}]\\a.exe",
                                          .executable = "[{ProgramFilesX86}]\\a.exe",
                                          .display_name = "A", .version = "2.0" };
    const struct appx_shortcut link = { .file = "[{Common Programs}]\\A.lnk",
                                        .target = "[{ProgramFilesX86}]\\a.exe", .arguments = "-x",
                                        .application = "[{ProgramFilesX86}]\\a.exe" };
    const struct appx_manifest m = {
        .schema = APPX_SCHEMA_APPV,
        .identity = { .name = "Try", .publisher = "CN=Reserved", .version = "0.0.0.1" },
        .package_guid = "11111111-2222-3333-4444-555555555555",
        .version_guid = "66666666-7777-8888-9999-AAAAAAAAAAAA",
        .sequencer_architecture = "x86", .display_name = "Try", .publisher_display_name = "Me",
        .applications = &app, .application_count = 1, .shortcuts = &link, .shortcut_count = 1,
    };
    struct appx_manifest *r = round_trip(&m);

    CU_ASSERT_EQUAL(r->schema, APPX_SCHEMA_APPV);
    CU_ASSERT_STRING_EQUAL(r->package_guid, m.package_guid);
    CU_ASSERT_STRING_EQUAL(r->version_guid, m.version_guid);
    CU_ASSERT_STRING_EQUAL(r->sequencer_architecture, "x86");
    CU_ASSERT_EQUAL_FATAL(r->application_count, 1);
    CU_ASSERT_STRING_EQUAL(r->applications[0].executable, app.executable);
    CU_ASSERT_STRING_EQUAL(r->applications[0].version, "2.0");
    CU_ASSERT_EQUAL_FATAL(r->shortcut_count, 1);
    CU_ASSERT_STRING_EQUAL(r->shortcuts[0].file, link.file);
    CU_ASSERT_STRING_EQUAL(r->shortcuts[0].arguments, "-x");
    CU_ASSERT_STRING_EQUAL(r->shortcuts[0].application, link.application);
    appx_manifest_free(r);
}

static void file_system_metadata_is_read_back(void)
{
    const struct appv_entry entries[] = {
        { .name = "a", .short_name = "", .parent = APPV_NO_ENTRY },
        { .name = "deep & <long>", .short_name = "DEEP&L~1", .parent = 0 },
        { .name = "file.txt", .short_name = "", .parent = 1 },
        { .name = "z.txt", .short_name = "", .parent = 0 },
        { .name = "b", .short_name = "", .parent = APPV_NO_ENTRY },
    };
    const struct appv_directory empty[] = { { .path = "a/void", .short_path = "a/VOID~1" } };
    const struct appv_metadata m = { .root = "C:\\Try it", .short_root = "C:\\TRYIT~1",
                                     .entries = entries, .entry_count = ARRAY_LEN(entries),
                                     .empty_directories = empty, .empty_count = 1 };
    struct appv_metadata *r = NULL;
    char *text = NULL;
    size_t len = 0;

    CU_ASSERT_EQUAL_FATAL(appv_metadata_write(&m, &text, &len, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(appv_metadata_read(text, len, &r, NULL), 0);
    CU_ASSERT_STRING_EQUAL(r->root, m.root);
    CU_ASSERT_STRING_EQUAL(r->short_root, m.short_root);
    CU_ASSERT_EQUAL_FATAL(r->entry_count, m.entry_count);
    for (uint32_t i = 0; i < m.entry_count; i++) {
        CU_ASSERT_STRING_EQUAL(r->entries[i].name, entries[i].name);
        CU_ASSERT_STRING_EQUAL(r->entries[i].short_name, entries[i].short_name);
        CU_ASSERT_EQUAL(r->entries[i].parent, entries[i].parent);
    }
    CU_ASSERT_EQUAL_FATAL(r->empty_count, 1);
    CU_ASSERT_STRING_EQUAL(r->empty_directories[0].path, "a/void");
    CU_ASSERT_STRING_EQUAL(r->empty_directories[0].short_path, "a/VOID~1");
    appv_metadata_free(r);
    free(text);
}

static void metadata_may_be_as_deep_as_is_promised(void)
{
    enum { DEPTH = APPV_DEPTH_MAX };
    struct appv_entry entries[DEPTH];
    struct appv_metadata m = { .root = "C:\\x", .short_root = "C:\\x", .entries = entries,
                               .entry_count = DEPTH };
    struct appv_metadata *r = NULL;
    char *text = NULL;
    size_t len = 0;

    for (uint32_t i = 0; i < DEPTH; i++)
        entries[i] = (struct appv_entry){ .name = "d", .short_name = "",
                                          .parent = i ? i - 1 : APPV_NO_ENTRY };
    CU_ASSERT_EQUAL_FATAL(appv_metadata_write(&m, &text, &len, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(appv_metadata_read(text, len, &r, NULL), 0);
    CU_ASSERT_EQUAL(r->entry_count, DEPTH);
    appv_metadata_free(r);
    free(text);
    m.entry_count = APPV_LIST_MAX + 1;
    CU_ASSERT(appv_metadata_write(&m, &text, &len, NULL) < 0);
}

static void stream_maps_are_read_back(void)
{
    const struct appv_range ranges[] = { { 0, 2 }, { 5, 1 } };
    const struct appv_stream_file files[] = {
        { .path = "Root/a & b.txt", .first_range = 0, .range_count = 0 },
        { .path = "Root/VFS/x.dll", .first_range = 0, .range_count = 2 },
    };
    const struct appv_feature_block blocks[] = {
        { .id = "PublishingFeatureBlock" },
        { .id = "PrimaryFeatureBlock", .first_file = 0, .file_count = 2 },
    };
    const struct appv_stream_map m = { .blocks = blocks, .block_count = 2, .files = files,
                                       .file_count = 2, .ranges = ranges, .range_count = 2 };
    struct appv_stream_map *r = NULL;
    char *text = NULL;
    size_t len = 0;

    CU_ASSERT_EQUAL_FATAL(appv_stream_map_write(&m, &text, &len, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(appv_stream_map_read(text, len, &r, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(r->block_count, 2);
    CU_ASSERT_STRING_EQUAL(r->blocks[1].id, "PrimaryFeatureBlock");
    CU_ASSERT_EQUAL_FATAL(r->blocks[1].file_count, 2);
    CU_ASSERT_STRING_EQUAL(r->files[0].path, "Root/a & b.txt");
    CU_ASSERT_EQUAL(r->files[0].range_count, 0);
    CU_ASSERT_EQUAL_FATAL(r->files[1].range_count, 2);
    CU_ASSERT_EQUAL(r->ranges[r->files[1].first_range + 1].first, 5);
    CU_ASSERT_EQUAL(r->ranges[r->files[1].first_range + 1].count, 1);
    appv_stream_map_free(r);
    free(text);
}

UNIT_MAIN("appx_write", TEST(block_maps_are_read_back),
          TEST(names_that_xml_cannot_hold_are_refused), TEST(each_ending_has_one_type),
          TEST(msix_manifests_are_read_back), TEST(appv_manifests_are_read_back),
          TEST(file_system_metadata_is_read_back), TEST(metadata_may_be_as_deep_as_is_promised),
          TEST(stream_maps_are_read_back))
