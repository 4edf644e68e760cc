/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules of the format that Windows holds packages to and that can be broken while every block is right: local
 * headers and data descriptors that say something else than the archive's directory, bytes that belong to
 * no file, names that are not encoded, headers longer than the block map says, files that cannot be read
 * block by block, parts without a content type. Found while the package's bytes go by, in order. Pure;
 * single-threaded.
 */
#ifndef SRC_APPX_RULES_H
#define SRC_APPX_RULES_H

#include <stdint.h>

#include "src/appx_blockmap.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/zip.h"

#define APPX_FINDINGS_MAX 20u

/* What is wrong, in words for people; the first ones of COUNT. */
struct appx_findings {
    uint64_t count;
    char text[APPX_FINDINGS_MAX][240];
};

struct appx_rules;

/* DIRECTORY and MAP (NULL: there is none) are borrowed, as OUT, which is emptied. -ENOMEM. */
int appx_rules_new(const struct zip_directory *directory, const struct blockmap *map,
                   struct appx_findings *out, struct appx_rules **rules, struct err *e) must_check;
void appx_rules_free(struct appx_rules *r); /* NULL is fine */

/* The next bytes of the object, from its first one on; those behind the directory's beginning do not matter. */
void appx_rules_feed(struct appx_rules *r, const void *data, size_t len);

/* [Content_Types].xml, decoded, or NULL when there is none. -ENOMEM. */
int appx_rules_types(struct appx_rules *r, const void *data, size_t len, struct err *e) must_check;

#endif
