/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What FilesystemMetadata.xml knows of a tree and the archive does not: 8.3 names and directories without
 * files. Pure; single-threaded.
 */
#ifndef SRC_APPV_TREE_H
#define SRC_APPV_TREE_H

#include "src/appv_files.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/path_tree.h"

/* Adds the directories without files that TREE has not, below its root. NAMES is borrowed. */
int appv_tree_add_directories(struct path_tree *tree, const struct appv_metadata *names,
                              struct err *e) must_check;

/*
 * Gives nodes of TREE, which is not ordered yet, the 8.3 names that they have in NAMES, from ROOT on, a
 * path in TREE. Names that are not 8.3 are not used. NAMES must outlive TREE.
 */
int appv_tree_set_short_names(struct path_tree *tree, const struct appv_metadata *names,
                              const char *root, struct err *e) must_check;

#endif
