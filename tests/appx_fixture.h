/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small AppX packages in memory: stored files, each with its digests in the block map. */
#ifndef TESTS_APPX_FIXTURE_H
#define TESTS_APPX_FIXTURE_H

#include <stdio.h>

#include <openssl/evp.h>

#include "src/appx_blockmap.h"
#include "tests/zip_fixture.h"

struct appx_part_spec {
    const char *name;
    const void *data;
    size_t len;
};

#define APPX_FIXTURE_MANIFEST                                                                      \
    "<Package xmlns='http://schemas.microsoft.com/appx/manifest/foundation/windows10'>"            \
    "<Identity Name='Try' Publisher='CN=Sample' Version='1.0.0.0'/></Package>"

static inline size_t appx_map_file(char *out, size_t size, const struct appx_part_spec *part)
{
    size_t n = (size_t)snprintf(out, size, "<File Name='%s' Size='%zu' LfhSize='%zu'>", part->name,
                                part->len, ZIP_LOCAL_MIN + strlen(part->name));

    for (size_t at = 0; at < part->len; at += BLOCKMAP_BLOCK_SIZE) {
        size_t len = part->len - at < BLOCKMAP_BLOCK_SIZE ? part->len - at : BLOCKMAP_BLOCK_SIZE;
        uint8_t hash[32];
        char text[64];
        if (codec_sha256(NULL, (const uint8_t *)part->data + at, len, hash))
            abort();
        (void)EVP_EncodeBlock((unsigned char *)text, hash, sizeof hash);
        n += (size_t)snprintf(out + n, size - n, "<Block Hash='%s'/>", text);
    }
    return n + (size_t)snprintf(out + n, size - n, "</File>");
}

/* PARTS, a manifest (unless one of them is one) and the block map. Free with zip_image_free(). */
static inline void make_appx(struct zip_image *z, const struct appx_part_spec *parts, size_t count)
{
    enum { ROOM = 65536 };
    struct appx_part_spec manifest = { "AppxManifest.xml", APPX_FIXTURE_MANIFEST,
                                       strlen(APPX_FIXTURE_MANIFEST) };
    char *map = malloc(ROOM);
    size_t n;

    if (!map)
        abort();
    n = (size_t)snprintf(map, ROOM,
                         "<BlockMap xmlns='http://schemas.microsoft.com/appx/2010/blockmap' "
                         "HashMethod='http://www.w3.org/2001/04/xmlenc#sha256'>");
    bool has_manifest = false;
    for (size_t i = 0; i < count; i++)
        has_manifest |= !strcmp(parts[i].name, manifest.name);
    for (size_t i = 0; i < count + !has_manifest; i++) {
        const struct appx_part_spec *part = i < count ? &parts[i] : &manifest;
        (void)zip_put_stored(z, part->name, part->data, part->len);
        n += appx_map_file(map + n, ROOM - n, part);
    }
    n += (size_t)snprintf(map + n, ROOM - n, "</BlockMap>");
    (void)zip_put_stored(z, "AppxBlockMap.xml", map, n);
    zip_end(z, NULL, 0);
    free(map);
}

#endif
