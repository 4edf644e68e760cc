/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AppxBundleManifest.xml: which packages a bundle (.appxbundle, .msixbundle) holds and where. A
 * package lies in the bundle as a stored zip entry, so that it is a plain range of the bundle's
 * bytes; or, in a "flat" bundle, beside it as a file of its own. Strings as in appx_manifest.h.
 */
#ifndef SRC_APPX_BUNDLE_H
#define SRC_APPX_BUNDLE_H

#include <stdint.h>

#include "src/appx_manifest.h"

struct appx_bundle_package {
    const char *file_name; /* checked as opc_name_check() does, '/' between components */
    uint64_t offset;       /* of its first byte in the bundle; 0 = a file beside the bundle */
    uint64_t size;         /* 0 = not given; OFFSET + SIZE is at most INT64_MAX */
    const char *type;      /* "application" or "resource" */
    bool is_application;
    const char *version;
    const char *architecture; /* "neutral" if not given and an application's */
    const char *resource_id;
    const struct appx_resource *resources;
    size_t resource_count;
};

struct appx_bundle {
    struct appx_identity identity;              /* architecture and resource_id are "" */
    const struct appx_bundle_package *packages; /* in document order; no file name comes twice */
    size_t package_count;
    struct pool *storage;
};

/*
 * Reads a document of LEN bytes; root Bundle with an Identity that has a Name. The caller frees
 * *out with appx_bundle_free(). Errors as appx_manifest_read(), and ERR_CORRUPT for a number that
 * is none, ERR_BAD_NAME, ERR_DUPLICATE_NAME.
 */
int appx_bundle_read(const void *data, size_t len, struct appx_bundle **out,
                     struct err *e) must_check;
void appx_bundle_free(struct appx_bundle *b); /* NULL is fine */

#endif
