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
#include "src/appx_digester.h"
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
        appx_parts_find(&a->zip, APPX_PARTS_ALL, &a->parts);
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

/* The digests of a package, fed in pieces as of a download. */
static bool digest_archive(const struct archive *a, enum digest which, struct appx_digests *out)
{
    static const struct {
        enum appx_part part;
        enum appx_signed_part signed_part;
    } documents[] = { { APPX_BLOCK_MAP, APPX_AXBM },
                      { APPX_CONTENT_TYPES, APPX_AXCT },
                      { APPX_CODE_INTEGRITY, APPX_AXCI } };
    const uint8_t *data = a->in.pieces[0].data;
    struct appx_digester *d = NULL;
    struct appx_layout layout;
    int rc = appx_layout_find(&a->in, &a->zip, a->parts.entries[APPX_SIGNATURE_FILE], &layout, NULL);

    if (!rc)
        rc = appx_digester_new(&layout, which, &d, NULL);
    for (uint64_t at = 0; !rc && at < a->in.size; at += 65536)
        rc = appx_digester_feed(d, data + at, (size_t)min_u64(a->in.size - at, 65536), NULL);
    for (size_t i = 0; !rc && i < ARRAY_LEN(documents); i++) {
        uint8_t *bytes = NULL;
        size_t len;
        rc = appx_part_read(&a->in, &a->parts, documents[i].part, &bytes, &len, NULL);
        if (!rc && bytes)
            rc = appx_digester_document(d, documents[i].signed_part, bytes, len, NULL);
        free(bytes);
    }
    if (!rc)
        rc = appx_digester_finish(d, out, NULL);
    appx_digester_free(d);
    appx_layout_clear(&layout);
    return !rc;
}

static struct appx_signature *signature_of(const struct archive *a)
{
    struct appx_signature *s = NULL;
    struct err e = { .kind = ERR_NONE };
    uint8_t *bytes = NULL;
    size_t len;

    if (appx_part_read(&a->in, &a->parts, APPX_SIGNATURE_FILE, &bytes, &len, &e) || !bytes ||
        appx_signature_read(bytes, len, &s, &e))
        printf("\n    %s", e.text);
    free(bytes);
    return s;
}

static void check_publisher(const struct archive *a, const struct appx_signature *s)
{
    struct appx_manifest *m = NULL;
    uint8_t *text = NULL;
    size_t len;

    if (!a->parts.entries[APPX_MANIFEST])
        return;
    CU_ASSERT_EQUAL_FATAL(appx_part_read(&a->in, &a->parts, APPX_MANIFEST, &text, &len, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(appx_manifest_read(text, len, &m, NULL), 0);
    if (!appx_signature_subject_matches(s, m->identity.publisher))
        printf("\n    %s is not %s", s->signer, m->identity.publisher);
    CU_ASSERT(appx_signature_subject_matches(s, m->identity.publisher));
    appx_manifest_free(m);
    free(text);
}

static void what_was_signed_is_what_is_there_but_where_it_was_tampered_with(void)
{
    static const struct {
        const char *name;
        unsigned differ;
        bool is_publisher;
        const char *timestamp;
    } rows[] = {
        { "NotepadPlusPlus.appx", 0, true, "" },
        { "TestAppxPackage_Win32.appx", 0, true, "" },
        { "SignedUntrustedCert-CERT_E_CHAINING.appx", 0, true, "" },
        { "flat/FlatBundleWithAsset.appxbundle", 0, true, "" },
        { "flat/language-de.appx", 0, true, "" },
        { "flat/scale-140.appx", 0, true, "" },
        { "SignedTamperedBlockMap-TRUST_E_BAD_DIGEST.appx", 1u << APPX_AXBM, true,
          "2011-03-26T19:36:01Z" },
        { "SignedTamperedContentTypes-TRUST_E_BAD_DIGEST.appx", 1u << APPX_AXCT, true,
          "2011-03-26T19:38:36Z" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct appx_verification v;
        struct appx_digests have;
        struct archive a;
        CU_ASSERT_FATAL(open_archive(rows[i].name, &a));
        struct appx_signature *s = signature_of(&a);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        CU_ASSERT_FATAL(digest_archive(&a, s->signed_parts.digest, &have));
        CU_ASSERT_EQUAL(appx_digests_differ(&have, &s->signed_parts), rows[i].differ);
        CU_ASSERT_EQUAL(appx_signature_verify(s, NULL, &v, NULL), 0);
        CU_ASSERT_EQUAL(v.verdict, APPX_VERDICT_UNCHECKED); /* the signature itself is the signer's */
        CU_ASSERT_STRING_EQUAL(s->timestamp, rows[i].timestamp);
        if (rows[i].is_publisher)
            check_publisher(&a, s);
        appx_signature_free(s);
        close_archive(&a);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        TEST(block_maps_are_read),     TEST(a_block_map_with_an_unknown_prefix_is_refused),
        TEST(manifests_are_read),      TEST(bundles_are_read),
        TEST(appv_documents_are_read),
        TEST(what_was_signed_is_what_is_there_but_where_it_was_tampered_with),
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
