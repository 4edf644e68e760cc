/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `sft info` shows of an AppX, MSIX or App-V package beyond what every package has. */
#ifndef SRC_APPX_DETAILS_H
#define SRC_APPX_DETAILS_H

#include "src/appv_files.h"
#include "src/appx_bundle.h"
#include "src/appx_manifest.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package_builder.h"

/* Adds what the manifest says, and the bundle that the package is in (or NULL), to the package that B builds. */
int appx_details_add(const struct appx_manifest *m, const struct appx_bundle *bundle,
                     struct package_builder *b, struct err *e) must_check;

#endif
