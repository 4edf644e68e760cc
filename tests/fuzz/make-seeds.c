/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * make-seeds DIR: writes the binary seeds of the fuzz targets into DIR/NAME/, so that none of them
 * lies in the repository. Good packages of every codec and flag, every row of tests/bad-sft.c,
 * differential packages likewise, maps of partial files, indexes of the disk cache, documents in
 * UTF-16, ZIP archives, signatures of packages and registry hives.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fetch/cache_index.h"
#include "fs/overlay/block_map.h"
#include "tests/appx_fixture.h"
#include "tests/bad-dsft.h"
#include "tests/bad-sft.h"
#include "tests/hive_fixture.h"
#include "tests/make-sft.h"
#include "tests/signature_fixture.h"

static int write_file(const char *dir, const char *target, const char *name, const void *data,
                      size_t len)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s/%s", dir, target, name) >= (int)sizeof path)
        return 1;
    FILE *f = fopen(path, "wb");
    if (!f)
        return 1;
    size_t n = len ? fwrite(data, 1, len, f) : 0;
    return fclose(f) || n != len;
}

static int write_seed(const char *dir, const char *name, const struct made_sft *made)
{
    return write_file(dir, "container", name, made->data, made->len);
}

/* Maps of partial files: of none to a few units, with every state, blank and cut off. */
static int map_seeds(const char *dir)
{
    static const uint64_t sizes[] = { 0, 1, 4096, 40000 };
    uint8_t map[BLOCK_MAP_HEADER + 16] = { 0 };
    int rc = write_file(dir, "overlay-map", "blank", map, sizeof map);

    for (unsigned i = 0; i < 4 && !rc; i++) {
        struct block_map_header h = { .lower_size = sizes[i], .lower_limit = sizes[i] / 2,
                                      .boot_id = "boot", .content = "content" };
        char name[64];
        rc = block_map_format(&h, map);
        for (unsigned u = 0; u < 16; u++)
            map[BLOCK_MAP_HEADER + u] = (uint8_t)(u % 3);
        (void)snprintf(name, sizeof name, "good-%u", (unsigned)sizes[i]);
        rc |= write_file(dir, "overlay-map", name, map, (size_t)block_map_length(sizes[i]));
    }
    return rc ? rc : write_file(dir, "overlay-map", "cut", map, BLOCK_MAP_HEADER - 1);
}

/* Indexes of versions in the disk cache: some blocks, none, too short, impossible lengths. */
static int cache_seeds(const char *dir)
{
    struct cache_index_header h = { .root_hash = { 1 }, .version_number = 2, .block_count = 20,
                                    .metadata_bytes = 300, .container_bytes = 9000 };
    uint8_t index[CACHE_INDEX_HEADER + 21];
    int rc = cache_index_format(&h, index);

    for (unsigned i = CACHE_INDEX_HEADER; i < sizeof index; i++)
        index[i] = (uint8_t)(i % 3);
    rc |= write_file(dir, "cache-index", "good", index, sizeof index);
    rc |= write_file(dir, "cache-index", "short", index, CACHE_INDEX_HEADER + 7);
    rc |= write_file(dir, "cache-index", "cut", index, CACHE_INDEX_HEADER - 1);
    h.block_count = UINT32_MAX;
    rc |= cache_index_format(&h, index);
    rc |= write_file(dir, "cache-index", "many", index, sizeof index);
    h.container_bytes = 299;
    rc |= cache_index_format(&h, index);
    return rc | write_file(dir, "cache-index", "impossible", index, sizeof index);
}

static int good_seeds(const char *dir)
{
    static const uint32_t sizes[] = { 4096, 65536 };
    int rc = 0;

    for (unsigned i = 0; i < 2 * (CODEC_SFT_LAST + 1) && !rc; i++) {
        struct make_options o = {
            .codec = (enum codec)(i / 2),
            .block_size = sizes[i % 2],
            .sd_count = i,
            .case_sensitive = i % 3 == 1,
            .version_number = 1 + i,
        };
        struct made_sft made;
        char name[64];
        (void)snprintf(name, sizeof name, "good-%s-%u", codec_name(o.codec), o.block_size);
        rc = make_sft(make_sft_tree, make_sft_tree_count - 2, &o, &made, NULL)
                 ? 1
                 : write_seed(dir, name, &made);
        free(made.data);
    }
    return rc;
}

struct seeds {
    const char *dir, *target;
    int rc;
};

static void bad_seed(void *arg, const struct bad_sft *row)
{
    struct seeds *s = arg;
    struct made_sft made = { .data = (uint8_t *)(uintptr_t)row->data, .len = row->len };
    char name[96];
    (void)snprintf(name, sizeof name, "bad-%s", row->name);
    s->rc |= write_file(s->dir, s->target, name, made.data, made.len);
}

/* Differential packages against either older version, with and without kept blocks. */
static int dsft_seeds(const char *dir)
{
    static const uint32_t kept[] = { 0, 1, 5 };
    struct seeds bad = { .dir = dir, .target = "dsft" };
    int rc = 0;

    for (unsigned i = 0; i < 2 * ARRAY_LEN(kept) && !rc; i++) {
        struct made_sft sft, dsft;
        char name[64];
        if (!dsft_base(kept[i / 2], &sft))
            return 1;
        (void)snprintf(name, sizeof name, "good-%u-%u", kept[i / 2], i % 2);
        rc = make_dsft(&sft, i % 2, &dsft) ? write_file(dir, "dsft", name, dsft.data, dsft.len) : 1;
        free(sft.data);
        free(dsft.data);
    }
    return rc || !bad_dsft_each(bad_seed, &bad) || bad.rc;
}

/* Documents in UTF-16, which Microsoft's tools write now and then: TEXT, little-endian. */
static int utf16_seed(const char *dir, const char *target, const char *text)
{
    char wide[1024] = "\xff\xfe";
    size_t len = 2;
    for (; *text && len < sizeof wide; len += 2)
        wide[len] = *text++;
    return write_file(dir, target, "utf16", wide, len);
}

static int utf16_seeds(const char *dir)
{
    return utf16_seed(dir, "appv-files",
                      "<StreamMap><FeatureBlock><File Name='a'/></FeatureBlock></StreamMap>") |
           utf16_seed(dir, "appx-blockmap",
                      "<?xml version='1.0' encoding='utf-16'?>"
                      "<BlockMap xmlns='http://schemas.microsoft.com/appx/2010/blockmap' "
                      "HashMethod='http://www.w3.org/2001/04/xmlenc#sha256'>"
                      "<File Name='a' Size='0'/></BlockMap>");
}

/* ZIP archives of some forms, and packages in them. */
static int zip_seeds(const char *dir)
{
    static const char text[] = "some text";
    int rc = 0;

    for (unsigned form = 0; form < 8 && !rc; form++) {
        struct zip_image z = { .zip64 = form & 1, .descriptors = form & 2, .extra = form & 4 ? 5 : 0,
                               .prefix = form & 4 ? 11 : 0 };
        char name[32];
        zip_raw(&z, "in front of", z.prefix);
        (void)zip_put_stored(&z, "a", text, sizeof text);
        (void)zip_put_stored(&z, "dir/b%20c", text, 3);
        zip_end(&z, text, form);
        (void)snprintf(name, sizeof name, "form-%u", form);
        rc = write_file(dir, "zip", name, z.data, z.len);
        zip_image_free(&z);
    }
    struct zip_image ends = { .data = NULL }; /* the comment is an end record, too */
    (void)zip_put_stored(&ends, "a", text, sizeof text);
    zip_end(&ends, "PK\005\006\0\0\0\0\1\0\1\0\56\0\0\0\4\0\0\0\0", 22);
    rc |= write_file(dir, "zip", "two-ends", ends.data, ends.len);
    zip_image_free(&ends);
    const struct appx_part_spec parts[] = { { "dir/b", text, sizeof text },
                                            { "empty", "", 0 },
                                            { "FilesystemMetadata.xml", "<Metadata/>", 11 } };
    for (unsigned form = 0; form < 2 && !rc; form++) {
        struct zip_image z = { .zip64 = form };
        make_appx(&z, parts, ARRAY_LEN(parts));
        rc = write_file(dir, "container", form ? "appx-zip64" : "appx", z.data, z.len);
        zip_image_free(&z);
    }
    return rc;
}

/* A document whose local header says that it is longer than its place. */
static int long_header_seed(const char *dir)
{
    struct zip_image z = { .data = NULL };

    make_appx(&z, NULL, 0);
    for (size_t i = 0; i + ZIP_LOCAL_MIN + 16 <= z.len; i++)
        if (!memcmp(z.data + i, "PK\003\004", 4) &&
            !memcmp(z.data + i + ZIP_LOCAL_MIN, "AppxBlockMap.xml", 16))
            memset(z.data + i + 28, 0xff, 2); /* the length of its extra fields */
    int rc = write_file(dir, "container", "appx-long-header", z.data, z.len);
    zip_image_free(&z);
    return rc;
}

/* Signatures of packages: without and with time stamps of both kinds, and such as are refused. */
static int signature_seeds(const char *dir)
{
    const struct identity_spec spec = { .name = "Sample", .uses = "codeSigning,timeStamping" };
    struct identity id = make_identity(&spec, NULL);
    const struct signature_spec specs[] = {
        { .signer = &id },
        { .signer = &id, .tags = "AXPCAXCDAXCTAXBMAXCI", .md = EVP_sha512(), .digest_len = 64,
          .digest_oid = "2.16.840.1.101.3.4.2.3" },
        { .signer = &id, .stamper = &id, .stamped = 1600000000 },
        { .signer = &id, .stamper = &id, .stamped = 1600000000, .counter = true },
        { .signer = &id, .stamper = &id, .stamped = 1600000000, .stamp_of_another = true },
        { .signer = &id, .wrong_digest = true },
        { .signer = &id, .two_signers = true },
        { .signer = &id, .no_attributes = true },
        { .signer = &id, .tags = "AXPCAXCDAXCTAXBMAXPC" },
    };
    int rc = 0;

    for (unsigned i = 0; i < ARRAY_LEN(specs) && !rc; i++) {
        struct made_bytes p7x = make_signature(&specs[i]);
        char name[32];
        (void)snprintf(name, sizeof name, "signature-%u", i);
        rc = write_file(dir, "appx-signature", name, p7x.data, p7x.len);
        free(p7x.data);
    }
    identity_free(&id);
    return rc;
}

/* A key with values of most types; more keys in lists of KIND, one of lists if NESTED. */
static void make_hive(struct hive_image *h, const char *kind, bool nested)
{
    static uint8_t big[20000];
    uint32_t values[7], keys[2];

    hive_begin(h);
    values[0] = hive_text(h, "", 0x440001, "[{ProgramFilesX86}]\\a.exe", 25);
    values[1] = hive_text(h, "list", 0x400007, "a\0[{AppVPackageRoot}]\0", 22);
    values[2] = hive_value(h, "number", 4, "\1\2\3\4", 4);
    values[3] = hive_value(h, "long", 11, "\1\2\3\4\5\6\7\10", 8);
    values[4] = hive_value(h, "Größe", 3, "", 0);
    values[5] = hive_value(h, "文", 6, "\0\xd8", 2);
    values[6] = hive_value(h, "big", 3, big, nested ? sizeof big : 100);
    keys[0] = hive_key(h, "Ключ", NULL, 0, values, 7);
    keys[1] = hive_key(h, "MACHINE", NULL, 0, values, 1);
    uint32_t list = hive_list(h, kind, keys, 2);
    if (nested)
        list = hive_list(h, "ri", &list, 1);
    uint32_t registry = hive_key_over(h, "REGISTRY", list, 2, NULL, 0);
    hive_end(h, hive_key(h, "root", &registry, 1, NULL, 0));
}

static int hive_seeds(const char *dir)
{
    static const char *const kinds[] = { "lf", "lh", "li" };
    int rc = 0;

    for (unsigned i = 0; i < 2 * ARRAY_LEN(kinds) && !rc; i++) {
        struct hive_image h;
        char name[32];
        make_hive(&h, kinds[i / 2], i % 2);
        (void)snprintf(name, sizeof name, "%s-%u", kinds[i / 2], i % 2);
        rc = write_file(dir, "registry", name, h.data, h.len);
        hive_image_free(&h);
    }
    return rc;
}

/* Sections that are not encoded are where a fuzzer's changes mean something. */
static int raw_seed(const char *dir)
{
    struct made_sft made;
    int rc = bad_sft_base(true, &made) ? write_seed(dir, "good-raw", &made) : 1;
    free(made.data);
    return rc;
}

int main(int argc, char **argv)
{
    static const char *const targets[] = { "appv-files",  "appx-blockmap", "appx-signature",
                                           "cache-index", "container",     "dsft",
                                           "overlay-map", "registry",      "zip" };
    char path[4096];
    if (argc != 2 || strlen(argv[1]) > sizeof path - 64) {
        fprintf(stderr, "usage: make-seeds DIR\n");
        return 2;
    }
    (void)mkdir(argv[1], 0777); /* if they are there, all the better; if not, writing fails */
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], targets[i]);
        (void)mkdir(path, 0777);
    }
    struct seeds bad = { .dir = argv[1], .target = "container" };
    if (good_seeds(argv[1]) || raw_seed(argv[1]) || !bad_sft_each(bad_seed, &bad) || bad.rc ||
        dsft_seeds(argv[1]) || map_seeds(argv[1]) || cache_seeds(argv[1]) ||
        utf16_seeds(argv[1]) || zip_seeds(argv[1]) || long_header_seed(argv[1]) ||
        signature_seeds(argv[1]) || hive_seeds(argv[1])) {
        fprintf(stderr, "make-seeds: cannot write to %s\n", argv[1]);
        return 1;
    }
    return 0;
}
