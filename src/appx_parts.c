/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The documents of a package that is a ZIP archive. See appx_parts.h. */
#include "config.h"

#include "src/appx_parts.h"

#include <inttypes.h>
#include <string.h>

#include "src/codec.h"

#define PART_MAX (512u * 1024u * 1024u) /* decoded; a block map of a million files has 200 MB */
#define NEAR_GAP (256u * 1024u)         /* between two parts, worth reading to save a request */

static const char *const names[APPX_PARTS] = {
    [APPX_MANIFEST] = "AppxManifest.xml",
    [APPX_BUNDLE_MANIFEST] = "AppxMetadata/AppxBundleManifest.xml",
    [APPX_BLOCK_MAP] = "AppxBlockMap.xml",
    [APPX_FILESYSTEM_METADATA] = "FilesystemMetadata.xml",
    [APPX_STREAM_MAP] = "StreamMap.xml",
    [APPX_SIGNATURE_FILE] = "AppxSignature.p7x",
    [APPX_CONTENT_TYPES] = "[Content_Types].xml",
    [APPX_CODE_INTEGRITY] = "AppxMetadata/CodeIntegrity.cat",
};

const char *appx_part_name(enum appx_part part)
{
    return names[part];
}

void appx_parts_find(const struct zip_directory *d, unsigned which, struct appx_parts *out)
{
    *out = (struct appx_parts){ .entries = { NULL } };
    for (uint32_t i = 0; i < d->count; i++) {
        const struct zip_entry *entry = &d->entries[i];
        for (unsigned part = 0; part < APPX_PARTS; part++)
            if (which >> part & 1 && !out->entries[part] && entry->name_len == strlen(names[part]) &&
                !memcmp(entry->name, names[part], entry->name_len))
                out->entries[part] = entry;
    }
}

/* --- where they lie --------------------------------------------------------------------------- */

static int check_size(const struct zip_entry *entry, enum appx_part part, struct err *e)
{
    if (entry->size > PART_MAX || entry->room > PART_MAX)
        return err_at(e, ERR_LIMIT, names[part], entry->local, "%" PRIu64 " bytes are too many",
                      entry->size);
    if (entry->size > codec_inflate_max(entry->csize))
        return err_at(e, ERR_CORRUPT, names[part], entry->local,
                      "%" PRIu64 " bytes cannot be in %" PRIu64, entry->size, entry->csize);
    return 0;
}

static bool is_missing(const struct container_input *in, const struct zip_entry *entry)
{
    return entry && !container_input_at(in, entry->local, entry->room);
}

int appx_parts_need(const struct container_input *in, const struct appx_parts *parts,
                    struct byte_range *want, struct err *e)
{
    uint64_t from = UINT64_MAX, to = 0;

    for (unsigned part = 0; part < APPX_PARTS; part++) {
        const struct zip_entry *entry = parts->entries[part];
        int rc = entry ? check_size(entry, (enum appx_part)part, e) : 0;
        if (rc)
            return rc;
        if (is_missing(in, entry) && entry->local < from) {
            from = entry->local;
            to = from + entry->room;
        }
    }
    if (!to)
        return 0;
    for (bool grown = true; grown;) { /* what lies near comes with it */
        grown = false;
        for (unsigned part = 0; part < APPX_PARTS; part++) {
            const struct zip_entry *entry = parts->entries[part];
            if (is_missing(in, entry) && entry->local + entry->room > to &&
                entry->local <= to + NEAR_GAP) {
                to = entry->local + entry->room;
                grown = true;
            }
        }
    }
    from += container_input_run(in, from); /* goes on where a piece ends */
    *want = (struct byte_range){ from, to - from };
    return 1;
}

/* --- their bytes ------------------------------------------------------------------------------ */

static int decode(const struct zip_entry *entry, const uint8_t *data, uint8_t *out, struct err *e)
{
    if (entry->method == ZIP_DEFLATED)
        return codec_inflate(data, (size_t)entry->csize, out, (size_t)entry->size, entry->crc, e);
    if (entry->method != ZIP_STORED)
        return err_set(e, ERR_UNSUPPORTED, "compression method %u", entry->method);
    memcpy(out, data, (size_t)entry->size);
    return codec_crc32(out, (size_t)entry->size) == entry->crc
               ? 0
               : err_set(e, ERR_CORRUPT, "the checksum (CRC-32) is wrong");
}

int appx_part_read(const struct container_input *in, const struct appx_parts *parts,
                   enum appx_part part, uint8_t **out, size_t *len, struct err *e)
{
    const struct zip_entry *entry = parts->entries[part];
    uint32_t data_at;

    *out = NULL;
    *len = 0;
    if (!entry)
        return 0;
    const uint8_t *bytes = container_input_at(in, entry->local, entry->room);
    if (!bytes)
        return err_set(e, ERR_INVALID, "%s was not asked for", names[part]);
    int rc = zip_local_header(entry, bytes, (size_t)entry->room, &data_at, e);
    if (rc)
        return rc;
    uint8_t *decoded = malloc(entry->size ? (size_t)entry->size : 1);
    if (!decoded)
        return err_nomem(e);
    rc = decode(entry, bytes + data_at, decoded, e);
    if (rc) {
        free(decoded);
        err_wrap(e, "%s", names[part]);
        return rc;
    }
    *out = decoded;
    *len = (size_t)entry->size;
    return 0;
}
