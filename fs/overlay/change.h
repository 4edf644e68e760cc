/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the changes have in common (create.c, remove.c, rename.c, attributes.c): copy-up, and what has
 * to be true before a directory is written to. All need ns alone. Only for fs/overlay/.
 */
#ifndef FS_OVERLAY_CHANGE_H
#define FS_OVERLAY_CHANGE_H

#include "fs/overlay/tree.h"

/* The upper directory of DIR, made together with those above it where they are missing (with the attributes shown so
 * far). Updates dir->node. */
int copy_up_dir(struct overlay *o, struct tree_dir *dir) must_check;

/*
 * Gives the package node ID something in upper: a directory, or a file whose bytes all stay in the package (partial). Nothing
 * is fetched. Shown attributes stay as they are, also those of the directory above. A node that is
 * deleted but in use gets a nameless file. Does nothing for a node that has an upper part.
 */
int copy_up_node(struct overlay *o, uint64_t id, struct overlay_node **out) must_check;

#endif
