/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `sft info` shows of an AppX, MSIX or App-V package beyond what every package has. */
#ifndef SRC_APPX_DETAILS_H
#define SRC_APPX_DETAILS_H

#include "src/compiler.h"
#include "src/err.h"
#include "src/package_builder.h"

struct appx_contents; /* src/appx_build.h */

/* Adds what manifest, bundle and FilesystemMetadata.xml say to the package that B builds, and whether there is a
 * signature, whatever that is worth. */
int appx_details_add(const struct appx_contents *c, struct package_builder *b, struct err *e) must_check;

#endif
