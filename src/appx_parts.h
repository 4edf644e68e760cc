/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The documents in a package's ZIP archive that have to be read before it can be mounted: which they
 * are, where they lie, and their bytes. Pure; single-threaded.
 */
#ifndef SRC_APPX_PARTS_H
#define SRC_APPX_PARTS_H

#include "src/compiler.h"
#include "src/container_format.h"
#include "src/err.h"
#include "src/zip.h"

enum appx_part {
    APPX_MANIFEST,            /* AppxManifest.xml */
    APPX_BUNDLE_MANIFEST,     /* AppxMetadata/AppxBundleManifest.xml */
    APPX_BLOCK_MAP,           /* AppxBlockMap.xml */
    APPX_FILESYSTEM_METADATA, /* FilesystemMetadata.xml, of App-V 5 */
    APPX_STREAM_MAP,          /* StreamMap.xml, of App-V 5 */
    APPX_SIGNATURE_FILE,      /* AppxSignature.p7x; this and the next for checking it only */
    APPX_CONTENT_TYPES,       /* [Content_Types].xml */
    APPX_CODE_INTEGRITY,      /* AppxMetadata/CodeIntegrity.cat */
    APPX_PARTS
};

/* Name of a part in the archive. */
const char *appx_part_name(enum appx_part part);

/* The entries of the parts, NULL where there is none. */
struct appx_parts {
    const struct zip_entry *entries[APPX_PARTS];
};

#define APPX_PARTS_TO_MOUNT ((1u << APPX_SIGNATURE_FILE) - 1)
#define APPX_PARTS_ALL      ((1u << APPX_PARTS) - 1)

/* Those of WHICH, a bit each. */
void appx_parts_find(const struct zip_directory *d, unsigned which, struct appx_parts *out);

/* As container_format.need(), for the bytes of all parts that are there. ERR_LIMIT for a part that is
 * too large to be one. */
int appx_parts_need(const struct container_input *in, const struct appx_parts *parts,
                    struct byte_range *want, struct err *e) must_check;

/* The decoded bytes of a part, to be freed by the caller; its checksum has been compared. Needs what
 * appx_parts_need() asks for. NULL and 0 when there is no such part. */
int appx_part_read(const struct container_input *in, const struct appx_parts *parts,
                   enum appx_part part, uint8_t **out, size_t *len, struct err *e) must_check;

#endif
