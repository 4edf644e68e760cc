/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last step of reading a package that is a ZIP archive: a struct package of what was found. Pure. */
#ifndef SRC_APPX_BUILD_H
#define SRC_APPX_BUILD_H

#include <stdint.h>

#include "src/appv_files.h"
#include "src/appx_bundle.h"
#include "src/appx_files.h"
#include "src/appx_launch.h"
#include "src/appx_manifest.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"
#include "src/path_tree.h"

/* All borrowed; nothing of it is needed afterwards. */
struct appx_contents {
    const struct package_info *info;
    uint64_t base; /* of the archive in the object */
    const struct blockmap *map;
    const struct appx_files *files;
    const struct path_tree *tree; /* ordered; items are files */
    const struct appx_manifest *manifest;
    const struct appx_bundle *bundle; /* that the package is in, or NULL */
    const struct appv_metadata *names; /* of an App-V package, or NULL */
    bool has_signature; /* the bundle's, if there is one: that is what is verified */
    const struct launch_runs *launch;
};

/* The errors of package_builder.h: nothing found is taken for right. */
int appx_build(const struct appx_contents *c, struct package **out, struct err *e) must_check;

#endif
