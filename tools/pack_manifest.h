/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The AppxManifest.xml of a package that is made, from options and from what is known of it. */
#ifndef TOOLS_PACK_MANIFEST_H
#define TOOLS_PACK_MANIFEST_H

#include "src/appx_manifest.h"
#include "src/compiler.h"
#include "src/err.h"
#include "tools/pack_job.h"

#define PACK_LOGO "Assets/Logo.png" /* the image of a package that names none */

/* A picture for it. */
extern const unsigned char pack_logo_png[];
extern const size_t pack_logo_png_len;

struct pack_manifest;

/* For a package of JOB's format: MSIX or App-V. ERR_INVALID for what is missing or makes no manifest,
 * ERR_NOT_FOUND for programs and images that are not in the tree. JOB is borrowed. */
int pack_manifest_new(struct pack_job *job, struct pack_manifest **out, struct err *e) must_check;
void pack_manifest_free(struct pack_manifest *m); /* NULL is fine */

/* Reads TEXT, the AppxManifest.xml that somebody wrote for an MSIX. *out is for appx_manifest_free().
 * Errors of appx_manifest_read(); ERR_XML also when it is of something else. */
int pack_manifest_read(const char *text, size_t len, struct appx_manifest **out, struct err *e)
    must_check;

/* Whether the package needs the picture above under the name above. */
bool pack_manifest_needs_logo(const struct pack_manifest *m);

/* The document, for free(). VERSION: of App-V packages, else NULL. */
int pack_manifest_write(struct pack_manifest *m, const struct guid *version, char **out,
                        size_t *len, struct err *e) must_check;

/* Identity and version, for the summary. */
const struct appx_manifest *pack_manifest_says(const struct pack_manifest *m);

#endif
