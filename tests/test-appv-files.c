/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/appv_files.c. */
#include "config.h"

#include <stdio.h>

#include "src/appv_files.h"
#include "tests/unit.h"

#define METADATA(inside)                                                                           \
    "<Metadata xmlns='http://schemas.microsoft.com/appv/2010/FilesystemMetadata'>" inside          \
    "</Metadata>"
#define ENTRIES(inside) METADATA("<Filesystem Root='c:\\r'>" inside "</Filesystem>")
#define MAP(inside)                                                                                \
    "<StreamMap xmlns='http://schemas.microsoft.com/appv/2010/streammap'>" inside "</StreamMap>"

static struct appv_metadata *read_metadata(const char *text)
{
    struct err e = { .kind = ERR_NONE };
    struct appv_metadata *m = NULL;
    if (appv_metadata_read(text, strlen(text), &m, &e))
        printf("\n    %.200s: %s", text, e.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    return m;
}

static struct appv_stream_map *read_map(const char *text)
{
    struct err e = { .kind = ERR_NONE };
    struct appv_stream_map *m = NULL;
    if (appv_stream_map_read(text, strlen(text), &m, &e))
        printf("\n    %.200s: %s", text, e.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    return m;
}

static void check_refused(const char *text, enum err_kind kind, const char *says)
{
    struct err e = { .kind = ERR_NONE };
    struct appv_metadata *m = NULL;
    struct appv_stream_map *s = NULL;
    int rc = strstr(text, "StreamMap") ? appv_stream_map_read(text, strlen(text), &s, &e)
                                       : appv_metadata_read(text, strlen(text), &m, &e);
    if (rc >= 0 || e.kind != kind || !strstr(e.text, says))
        printf("\n    %.200s: %s: %s", text, err_kind_name(e.kind), e.text);
    CU_ASSERT_EQUAL(rc, -err_kind_errno(kind));
    CU_ASSERT_EQUAL(e.kind, kind);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, says));
    CU_ASSERT(!m && !s);
}

static uint32_t find(const struct appv_metadata *m, const char *path)
{
    return appv_path_find(m, path, strlen(path));
}

static void metadata_has_short_names_and_directories(void)
{
    struct appv_metadata *m =
        read_metadata("\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>" METADATA(
            "<Filesystem Root='c:\\notepadplus' Short='c:\\NOTEPA~1'><Entry Long='VFS'>"
            "<Entry Long='Notepad++' Short='NOTEPA~1'><Entry Long='LICENSE'/>"
            "<Entry Long='a.exe.0.ico' Short='bq4qxchu.0vf'/></Entry></Entry>"
            "<Entry Long='&#228;'/></Filesystem>"
            "<EmptyDirectories><Entry Long='VFS\\Common Programs' Short='VFS\\03l3yb3v.kwx'/>"
            "<Entry Long='x'/></EmptyDirectories>"
            "<OpaqueDirectories><Entry Long='VFS\\Notepad++'/></OpaqueDirectories>"
            "<StaticDependencies/>"));
    CU_ASSERT_STRING_EQUAL(m->root, "c:\\notepadplus");
    CU_ASSERT_STRING_EQUAL(m->short_root, "c:\\NOTEPA~1");
    CU_ASSERT_EQUAL_FATAL(m->entry_count, 5);
    CU_ASSERT_EQUAL(find(m, "VFS"), 0);
    CU_ASSERT_EQUAL(find(m, "vfs/notepad++"), 1);
    CU_ASSERT_EQUAL(find(m, "VFS/Notepad++/license"), 2);
    CU_ASSERT_EQUAL(find(m, "VFS/Notepad++/a.exe.0.ico"), 3);
    CU_ASSERT_EQUAL(find(m, "\xc3\x84"), 4);
    CU_ASSERT_EQUAL(find(m, "LICENSE"), APPV_NO_ENTRY);
    CU_ASSERT_EQUAL(find(m, ""), APPV_NO_ENTRY);
    CU_ASSERT_EQUAL(find(m, "VFS/"), APPV_NO_ENTRY);
    CU_ASSERT_EQUAL(appv_entry_find(m, 1, "License", 7), 2);
    CU_ASSERT(m->entries[0].is_directory && m->entries[1].is_directory);
    CU_ASSERT(!m->entries[2].is_directory && !m->entries[4].is_directory);
    CU_ASSERT_EQUAL(m->entries[0].parent, APPV_NO_ENTRY);
    CU_ASSERT_EQUAL(m->entries[3].parent, 1);
    CU_ASSERT_STRING_EQUAL(m->entries[1].short_name, "NOTEPA~1");
    CU_ASSERT_STRING_EQUAL(m->entries[2].short_name, "");
    CU_ASSERT_STRING_EQUAL(m->entries[3].short_name, "bq4qxchu.0vf");
    CU_ASSERT_EQUAL_FATAL(m->empty_count, 2);
    CU_ASSERT_STRING_EQUAL(m->empty_directories[0].path, "VFS/Common Programs");
    CU_ASSERT_STRING_EQUAL(m->empty_directories[0].short_path, "VFS/03l3yb3v.kwx");
    CU_ASSERT_STRING_EQUAL(m->empty_directories[1].short_path, "");
    CU_ASSERT_EQUAL_FATAL(m->opaque_count, 1);
    CU_ASSERT_STRING_EQUAL(m->opaque_directories[0].path, "VFS/Notepad++");
    appv_metadata_free(m);
}

static void metadata_merges_entries_of_one_name(void)
{
    struct appv_metadata *m = read_metadata(
        ENTRIES("<Entry Long='Dir' Short='A'><Entry Long='a'/></Entry>"
                "<Entry Long='DIR' Short='B'><Entry Long='b'/><Entry Long='A'/></Entry>"));
    CU_ASSERT_EQUAL(m->entry_count, 3);
    CU_ASSERT_EQUAL(find(m, "dir/a"), 1);
    CU_ASSERT_EQUAL(find(m, "dir/b"), 2);
    CU_ASSERT_EQUAL(m->entries[2].parent, 0);
    CU_ASSERT_STRING_EQUAL(m->entries[0].short_name, "A");
    appv_metadata_free(m);
}

static void metadata_passes_over_what_it_does_not_know(void)
{
    struct appv_metadata *m = read_metadata(
        METADATA("<Entry Long='..'/><Other><Entry Long='..'/></Other><Filesystem>"
                 "<Other><Entry Long='..'/></Other><Entry Long='a' New='1'><New/></Entry>"
                 "</Filesystem><StaticDependencies><Entry Long='..'/></StaticDependencies>"));
    CU_ASSERT_EQUAL(m->entry_count, 1);
    CU_ASSERT(!m->entries[0].is_directory);
    CU_ASSERT_STRING_EQUAL(m->root, "");
    appv_metadata_free(m);
    m = read_metadata("<Metadata/>");
    CU_ASSERT_EQUAL(m->entry_count, 0);
    CU_ASSERT_EQUAL(find(m, "a"), APPV_NO_ENTRY);
    appv_metadata_free(m);
    appv_metadata_free(NULL);
}

static void bad_metadata_is_refused(void)
{
    check_refused("", ERR_XML, "file system metadata");
    check_refused("<BlockMap/>", ERR_XML, "not Metadata");
    check_refused(ENTRIES("\n<Entry/>"), ERR_BAD_NAME, "line 2");
    check_refused(ENTRIES("<Entry Long='..'/>"), ERR_BAD_NAME, "line 1");
    check_refused(ENTRIES("<Entry Long='a\\b'/>"), ERR_BAD_NAME, "separator");
    check_refused(ENTRIES("<Entry Long='a' Short='b/c'/>"), ERR_BAD_NAME, "separator");
    check_refused(METADATA("<EmptyDirectories><Entry/></EmptyDirectories>"), ERR_BAD_NAME, "");
    check_refused(METADATA("<EmptyDirectories><Entry Long='a\\..'/></EmptyDirectories>"),
                  ERR_BAD_NAME, "..");
    check_refused(METADATA("<OpaqueDirectories><Entry Long='C:\\a'/></OpaqueDirectories>"),
                  ERR_BAD_NAME, "drive");
    check_refused("<!DOCTYPE M>" ENTRIES(""), ERR_XML_ENTITY, "line 1");
    check_refused(ENTRIES("<Entry Long='a'>"), ERR_XML, "line 1");
}

static void metadata_of_a_large_package_is_read(void)
{
    enum { DIRS = 700, FILES = 100 };
    char *text = malloc(DIRS * (FILES + 2) * 50ul), path[40];
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    size_t n = (size_t)sprintf(text, "<Metadata><Filesystem Root='Q:\\'>");
    for (unsigned d = 0; d < DIRS; d++) {
        n += (size_t)sprintf(text + n, "<Entry Long='Dir%u'>", d);
        for (unsigned f = 0; f < FILES; f++)
            n += (size_t)sprintf(text + n, "<Entry Long='File%u' Short='F~%u'/>\n", f, f);
        n += (size_t)sprintf(text + n, "</Entry>");
    }
    (void)sprintf(text + n, "</Filesystem></Metadata>");
    struct appv_metadata *m = read_metadata(text);
    free(text);
    CU_ASSERT_EQUAL(m->entry_count, DIRS * (FILES + 1));
    for (unsigned d = 0; d < DIRS; d++) {
        (void)sprintf(path, "DIR%u/file%u", d, d % FILES);
        CU_ASSERT_EQUAL(find(m, path), d * (FILES + 1) + 1 + d % FILES);
    }
    appv_metadata_free(m);
}

static void stream_map_has_files_and_ranges(void)
{
    struct appv_stream_map *m =
        read_map(MAP("<FeatureBlock Id='PublishingFeatureBlock'><File Name='Root\\VFS\\a%20.ico'/>"
                     "</FeatureBlock><FeatureBlock Id='PrimaryFeatureBlock' LoadAll='True'>"
                     "<File Name='Root\\b.exe'><Blocks Index='0' Count='1'/><Blocks Index='79'/>"
                     "<Blocks Index='5' Count='0'/><Blocks Index='4294967290' Count='5'/></File>"
                     "<File Name='Root\\c'><Other/></File></FeatureBlock><FeatureBlock/>"));
    CU_ASSERT_EQUAL_FATAL(m->block_count, 3);
    CU_ASSERT_EQUAL_FATAL(m->file_count, 3);
    CU_ASSERT_EQUAL_FATAL(m->range_count, 3);
    CU_ASSERT_STRING_EQUAL(m->blocks[0].id, "PublishingFeatureBlock");
    CU_ASSERT(!m->blocks[0].load_all && m->blocks[1].load_all && !m->blocks[2].load_all);
    CU_ASSERT_EQUAL(m->blocks[0].file_count, 1);
    CU_ASSERT_EQUAL(m->blocks[1].first_file, 1);
    CU_ASSERT_EQUAL(m->blocks[1].file_count, 2);
    CU_ASSERT_EQUAL(m->blocks[2].file_count, 0);
    CU_ASSERT_STRING_EQUAL(m->files[0].path, "Root/VFS/a%20.ico");
    CU_ASSERT_EQUAL(m->files[0].range_count, 0);
    CU_ASSERT_EQUAL(m->files[1].first_range, 0);
    CU_ASSERT_EQUAL(m->files[1].range_count, 3);
    CU_ASSERT_EQUAL(m->files[2].range_count, 0);
    CU_ASSERT(m->ranges[1].first == 79 && m->ranges[1].count == 1);
    CU_ASSERT(m->ranges[2].first == 4294967290u && m->ranges[2].count == 5);
    appv_stream_map_free(m);
}

static void stream_map_may_be_empty(void)
{
    struct appv_stream_map *m = read_map(MAP("<File Name='..'/><X><File Name='..'/></X>"));
    CU_ASSERT_EQUAL(m->block_count + m->file_count + m->range_count, 0);
    appv_stream_map_free(m);
    appv_stream_map_free(NULL);
}

static void bad_stream_maps_are_refused(void)
{
    check_refused("<x>StreamMap</x>", ERR_XML, "stream map: line 1: the root element is x");
    check_refused(MAP("<FeatureBlock><File/></FeatureBlock>"), ERR_BAD_NAME, "line 1");
    check_refused(MAP("<FeatureBlock><File Name='..\\a'/></FeatureBlock>"), ERR_BAD_NAME, "..");
    check_refused(MAP("<FeatureBlock><File Name='a'><Blocks Index='x'/></File></FeatureBlock>"),
                  ERR_CORRUPT, "Index");
    check_refused(MAP("<FeatureBlock><File Name='a'>\n<Blocks Index='4294967295' Count='1'/>"
                      "</File></FeatureBlock>"),
                  ERR_CORRUPT, "line 2");
}

UNIT_MAIN("appv_files", TEST(metadata_has_short_names_and_directories),
          TEST(metadata_merges_entries_of_one_name),
          TEST(metadata_passes_over_what_it_does_not_know), TEST(bad_metadata_is_refused),
          TEST(metadata_of_a_large_package_is_read), TEST(stream_map_has_files_and_ranges),
          TEST(stream_map_may_be_empty), TEST(bad_stream_maps_are_refused))
