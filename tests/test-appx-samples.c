/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the documents of real packages, made by several of Microsoft's tools. SFTFS_SAMPLES names
 * their directory, by default ../shared/samples beside the source; they are not part of it, and
 * without them the test is skipped.
 */
#include "config.h"

#include <stdio.h>

#include "src/appv_files.h"
#include "src/appx_blockmap.h"
#include "src/appx_bundle.h"
#include "src/appx_manifest.h"
#include "src/appx_parts.h"
#include "tests/unit.h"

#define FILE_MAX (64u << 20)

static char samples[4096];

struct archive {
    struct container_input in;
    struct zip_directory zip;
    struct appx_parts parts;
};

static bool open_archive(const char *name, struct archive *a)
{
    char path[8192];
    struct err e = { .kind = ERR_NONE };

    *a = (struct archive){ .in = { .count = 1 } };
    (void)snprintf(path, sizeof path, "%s/msix/%s", samples, name);
    FILE *f = fopen(path, "rb");
    uint8_t *data = f ? malloc(FILE_MAX) : NULL;
    size_t len = data ? fread(data, 1, FILE_MAX, f) : 0;
    if (f)
        (void)fclose(f);
    a->in.size = len;
    a->in.pieces[0] = (struct container_piece){ .data = data, .len = len, .cap = FILE_MAX };
    int rc = len ? zip_read(&a->in, &a->zip, &e) : -1;
    if (!rc)
        appx_parts_find(&a->zip, APPX_PARTS_TO_MOUNT, &a->parts);
    else
        printf("\n    %s: %s", name, e.text);
    return !rc;
}

static void close_archive(struct archive *a)
{
    zip_directory_free(&a->zip);
    free(a->in.pieces[0].data);
}

/* A document of a sample; NULL when there is none, or it is damaged. */
static uint8_t *part_of(const char *name, enum appx_part part, size_t *len)
{
    struct archive a;
    struct err e = { .kind = ERR_NONE };
    uint8_t *text = NULL;

    *len = 0;
    if (open_archive(name, &a) && appx_part_read(&a.in, &a.parts, part, &text, len, &e))
        printf("\n    %s: %s", name, e.text);
    close_archive(&a);
    return text;
}

static void block_maps_are_read(void)
{
    static const struct {
        const char *name;
        uint32_t files, blocks;
    } rows[] = {
        { "NotepadPlusPlus.appx", 80, 192 },
        { "HelloWorld.appx", 122, 251 },
        { "TestAppxPackage_Win32.appx", 11, 13 },
        { "SignedUntrustedCert-CERT_E_CHAINING.appx", 5, 7 },
        { "BlockMap/ContentTypes_in_blockmap.appx", 5, 5 }, /* in UTF-16 */
        { "flat/scale-140.appx", 10, 10 },
        { "bundles/ContainsNeutralAndX86AppPackages.appxbundle", 1, 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct blockmap *map = NULL;
        struct err e = { .kind = ERR_NONE };
        size_t len;
        uint8_t *text = part_of(rows[i].name, APPX_BLOCK_MAP, &len);
        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        if (blockmap_read(text, len, &map, &e))
            printf("\n    %s: %s", rows[i].name, e.text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(map);
        CU_ASSERT_EQUAL(map->file_count, rows[i].files);
        CU_ASSERT_EQUAL(map->block_count, rows[i].blocks);
        blockmap_free(map);
        free(text);
    }
}

static void a_block_map_with_an_unknown_prefix_is_refused(void)
{
    struct blockmap *map = NULL;
    struct err e = { .kind = ERR_NONE };
    size_t len;
    uint8_t *text = part_of("BlockMap/Bad_Namespace_Blockmap.appx", APPX_BLOCK_MAP, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT(blockmap_read(text, len, &map, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_XML);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "fake"));
    free(text);
}

static void manifests_are_read(void)
{
    static const struct {
        const char *name;
        enum appx_schema schema;
        const char *display_name, *application;
    } rows[] = {
        { "NotepadPlusPlus.appx", APPX_SCHEMA_MSIX, "notepadplus", "App1" },
        { "HelloWorld.appx", APPX_SCHEMA_MSIX, "People Graph", "App" },
        { "TestAppxPackage_Win32.appx", APPX_SCHEMA_MSIX, "ms-resource:appName", "App" },
        { "BlockMap/ContentTypes_in_blockmap.appx", APPX_SCHEMA_WINDOWS_8, "HelloWorld",
          "HelloWorld.Web.Application" },
        { "BlockMap/Bad_Namespace_Blockmap.appx", APPX_SCHEMA_WINDOWS_8, "Google IE Toolbar", "" },
        { "flat/language-de.appx", APPX_SCHEMA_MSIX, "PhotoLab", "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct appx_manifest *m = NULL;
        struct err e = { .kind = ERR_NONE };
        size_t len;
        uint8_t *text = part_of(rows[i].name, APPX_MANIFEST, &len);
        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        if (appx_manifest_read(text, len, &m, &e))
            printf("\n    %s: %s", rows[i].name, e.text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(m);
        CU_ASSERT_EQUAL(m->schema, rows[i].schema);
        CU_ASSERT_STRING_EQUAL(m->display_name, rows[i].display_name);
        CU_ASSERT_STRING_EQUAL(m->application_count ? m->applications[0].id : "",
                               rows[i].application);
        appx_manifest_free(m);
        free(text);
    }
}

static void bundles_are_read(void)
{
    static const struct {
        const char *name;
        size_t packages;
        uint64_t offset; /* of the first */
    } rows[] = {
        { "bundles/ContainsNeutralAndX86AppPackages.appxbundle", 2, 53 },
        { "bundles/PayloadPackageIsCompressed.appxbundle", 1, 53 },
        { "flat/FlatBundleWithAsset.appxbundle", 19, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct appx_bundle *b = NULL;
        struct err e = { .kind = ERR_NONE };
        size_t len;
        uint8_t *text = part_of(rows[i].name, APPX_BUNDLE_MANIFEST, &len);
        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        if (appx_bundle_read(text, len, &b, &e))
            printf("\n    %s: %s", rows[i].name, e.text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(b);
        CU_ASSERT_EQUAL_FATAL(b->package_count, rows[i].packages);
        CU_ASSERT_EQUAL(b->packages[0].offset, rows[i].offset);
        appx_bundle_free(b);
        free(text);
    }
}

static void appv_documents_are_read(void)
{
    struct appv_metadata *m = NULL;
    struct appv_stream_map *s = NULL;
    struct err e = { .kind = ERR_NONE };
    size_t len;
    uint8_t *text = part_of("NotepadPlusPlus.appx", APPX_FILESYSTEM_METADATA, &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL_FATAL(appv_metadata_read(text, len, &m, &e), 0);
    CU_ASSERT_STRING_EQUAL(m->root, "c:\\notepadplus");
    CU_ASSERT_EQUAL(m->entry_count, 82);
    CU_ASSERT_EQUAL(m->empty_count, 2);
    CU_ASSERT_EQUAL(m->opaque_count, 2);
    uint32_t at = appv_path_find(m, "VFS/ProgramFilesX86/Notepad++/notepad++.exe", 43);
    CU_ASSERT_NOT_EQUAL_FATAL(at, APPV_NO_ENTRY);
    CU_ASSERT_STRING_EQUAL(m->entries[at].short_name, "NOTEPA~1.EXE");
    appv_metadata_free(m);
    free(text);

    text = part_of("NotepadPlusPlus.appx", APPX_STREAM_MAP, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL_FATAL(appv_stream_map_read(text, len, &s, &e), 0);
    CU_ASSERT_EQUAL(s->block_count, 1);
    CU_ASSERT_EQUAL_FATAL(s->file_count, 1);
    CU_ASSERT_STRING_EQUAL(s->files[0].path,
                           "Root/VFS/ProgramFilesX86/Notepad++/notepad++.exe.0.ico");
    appv_stream_map_free(s);
    free(text);
}

int main(void)
{
    static const struct unit_test tests[] = {
        TEST(block_maps_are_read),     TEST(a_block_map_with_an_unknown_prefix_is_refused),
        TEST(manifests_are_read),      TEST(bundles_are_read),
        TEST(appv_documents_are_read),
    };
    const char *given = getenv("SFTFS_SAMPLES"), *source = getenv("srcdir");
    if (given && *given)
        (void)snprintf(samples, sizeof samples, "%s", given);
    else
        (void)snprintf(samples, sizeof samples, "%s/../shared/samples", source ? source : ".");
    char probe[8192];
    (void)snprintf(probe, sizeof probe, "%s/msix/HelloWorld.appx", samples);
    if (access(probe, R_OK)) {
        printf("SKIP: no packages in %s/msix\n", samples);
        return 77;
    }
    return unit_run("appx_samples", tests, ARRAY_LEN(tests));
}
