/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two maps of nodes: from id to node for those of the upper layer alone, and from upper inode
 * number to node for the same, by which a second name of a file finds it.
 *
 * An id is a slot and how often the slot was used, so that an id is not used again for another
 * node. ids_find() takes no lock and may run at any time; the rest needs ns: shared for
 * inos_find(), alone to change.
 */
#ifndef FS_OVERLAY_IDS_H
#define FS_OVERLAY_IDS_H

#include "fs/overlay/node.h"

int ids_new(struct overlay_id_table **out) must_check;
void ids_free(struct overlay_id_table *t); /* not the nodes; NULL is fine */

/* Gives NODE an id, which is stored in it. */
int ids_add(struct overlay_id_table *t, struct overlay_node *node) must_check;
void ids_remove(struct overlay_id_table *t, struct overlay_node *node);
struct overlay_node *ids_find(const struct overlay_id_table *t, uint64_t id);

/* The node in slot *AT or the next one that has one, NULL after the last. Starts with *at 0. */
struct overlay_node *ids_next(const struct overlay_id_table *t, uint64_t *at);

int inos_new(struct overlay_ino_map **out) must_check;
void inos_free(struct overlay_ino_map *m); /* not the nodes; NULL is fine */

/* By node->upper_ino. */
int inos_add(struct overlay_ino_map *m, struct overlay_node *node) must_check;
/* Also one that is not in it. */
void inos_remove(struct overlay_ino_map *m, struct overlay_node *node);
struct overlay_node *inos_find(const struct overlay_ino_map *m, uint64_t upper_ino);

#endif
