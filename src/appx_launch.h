/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The launch set of an App-V 5 package: the blocks that its StreamMap.xml wants before a program
 * starts. Pure; single-threaded.
 */
#ifndef SRC_APPX_LAUNCH_H
#define SRC_APPX_LAUNCH_H

#include <stdint.h>

#include "src/appv_files.h"
#include "src/appx_files.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"
#include "src/path_tree.h"

struct launch_runs { /* zero is empty */
    struct block_run *runs; /* in the order of need, none overlapping; owned */
    uint32_t count;
};

/*
 * The blocks of the publishing and the primary feature block. TREE has the files by their path in the
 * archive or below Root, each with its index in FILES, and is not ordered yet. Files that the map names and the package has
 * not are passed over, as are ranges beyond their end. out->runs is to be freed also after an error.
 */
int appx_launch_runs(const struct appv_stream_map *map, const struct appx_files *files,
                     struct path_tree *tree, struct launch_runs *out, struct err *e) must_check;

#endif
