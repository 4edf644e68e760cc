/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The upper names of one directory: a hash by folded name, and an array in the order they were
 * added, in which a listing finds its place again by serial number. Several names may fold alike
 * (made while the mount was case-sensitive, or by hand).
 *
 * Needs ns: shared to look, alone to change. Only for tree*.c and look.c.
 */
#ifndef FS_OVERLAY_TABLE_H
#define FS_OVERLAY_TABLE_H

#include "fs/overlay/node.h"

/* A place in the order of serial numbers; of a removed name only the number is left. */
struct table_place {
    uint64_t serial;
    struct overlay_name *name;
};

enum { TABLE_SPARES = 2 };

struct tree_pending;

struct overlay_table {
    struct overlay_name **buckets;
    size_t bucket_count;      /* 0 or a power of two */
    struct table_place *places;
    size_t place_count, place_room;
    size_t names;             /* all */
    size_t shown;             /* with a node: no whiteouts */
    size_t covering;          /* with `covers` */
    uint64_t next_serial;
    struct overlay_name *spares[TABLE_SPARES]; /* of any length, for when memory runs out */
    struct tree_pending *pending; /* names whose node is yet to be found, see tree_load.c */
    size_t pending_count;
    struct overlay_node *next_pending;
};

struct overlay_table *table_new(void);
/* Frees the names too, without telling their nodes. NULL is fine. */
void table_free(struct overlay_table *t);

/* Afterwards so many table_insert() as there are spares cannot fail. */
int table_reserve(struct overlay_table *t) must_check;

/* Adds a name, so far a whiteout, that covers package node COVERS or NODE_NONE. NULL without
 * memory. */
struct overlay_name *table_insert(const struct overlay *o, struct overlay_table *t,
                                  const char *text, size_t len, uint32_t covers) must_check;
/* The name stands for NODE from now on. Decides where it is listed. */
void table_show(struct overlay_table *t, struct overlay_name *name, struct overlay_node *node);
void table_remove(struct overlay_table *t, struct overlay_name *name); /* frees it */

/* The name that NAME finds: what shows something before whiteouts, then the exact spelling, then
 * the first in byte order. NULL if none. */
struct overlay_name *table_find(const struct overlay *o, const struct overlay_table *t,
                                const char *name, size_t len);

/* A name that covers package node CHILD: the one listed in its place if there is one, else any, or
 * NULL. */
struct overlay_name *table_covering(const struct overlay *o, const struct overlay_table *t,
                                    uint32_t child);

/* Index in places of the first with at least that serial number. */
size_t table_place_from(const struct overlay_table *t, uint64_t serial);

#endif
