/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tree.c, tree_load.c and tree_paths.c share. All need ns alone. Nobody else includes this. */
#ifndef FS_OVERLAY_TREE_PRIVATE_H
#define FS_OVERLAY_TREE_PRIVATE_H

#include "fs/overlay/table.h"
#include "fs/overlay/tree.h"

/* A name in TABLE, of DIR, so far a whiteout. NULL without memory. */
struct overlay_name *tree_insert_name(struct overlay *o, struct overlay_node *dir,
                                      struct overlay_table *table, const char *text,
                                      size_t len) must_check;
/* Makes it stand for NODE. */
void tree_show_name(struct overlay_table *table, struct overlay_name *name,
                    struct overlay_node *node);
/* Takes it out of TABLE and from its node, and frees it. */
void tree_forget_name(struct overlay_table *table, struct overlay_name *name);

/* Forgets which names wait for their nodes, of all directories. Only before everything is freed. */
void tree_load_cancel(struct overlay *o);

/* lstat of an upper node as it is there. ns shared is enough. */
int tree_lstat(struct overlay *o, struct overlay_node *node, struct stat *st) must_check;

#endif
