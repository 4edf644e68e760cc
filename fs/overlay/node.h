/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the modules of the overlay share: the structures behind overlay.h. Nobody outside
 * fs/overlay/ includes this.
 */
#ifndef FS_OVERLAY_NODE_H
#define FS_OVERLAY_NODE_H

#include <pthread.h>
#include <stdatomic.h>

#include "fs/overlay/fd_cache.h"
#include "fs/overlay/overlay.h"
#include "fs/overlay/partial.h"
#include "src/log.h"

struct overlay_table;

/* A name in the upper layer; of one directory's table. */
struct overlay_name {
    struct overlay_node *dir;        /* directory it is in */
    struct overlay_node *node;       /* NULL: a whiteout */
    struct overlay_name *next_link;  /* further names of the same node, as far as they were met */
    struct overlay_name *next_hash;  /* chain of the table */
    uint32_t hash;                   /* of the folded name */
    bool at_child;                   /* listed at the place of the package node it covers */
    uint64_t serial;                 /* place in listings; grows, never used again */
    uint32_t covers;                 /* child of dir->lower of the same (folded) name, if any */
    uint16_t len;
    char text[];                     /* NUL-terminated */
};

/*
 * A file or directory that has something in the upper layer, or a package node that was deleted.
 * Fields are guarded by ns unless they say otherwise; id, ino, type, identity never change.
 */
struct overlay_node {
    uint64_t id, ino;
    uint64_t upper_ino;          /* inode number in the upper file system; 0: none or not known */
    mode_t type;                 /* S_IFMT bits */
    uint32_t identity;           /* package node whose id it has, or NODE_NONE */
    uint32_t lower;              /* directory: the package directory that shows through, if any;
                                    file: the package file its missing bytes are in. Or NODE_NONE */
    _Atomic bool has_upper;      /* false: a deleted package node, nothing of it is in upper.
                                    Read without ns by I/O; set when slot can be opened */
    _Atomic bool unlinked;       /* has no name any more, here or (by st_nlink) anywhere */
    bool has_mode;               /* MARKER_MODE overrides the upper file's permission bits */
    mode_t mode;
    struct overlay_name *names;  /* of a directory at most one; root, unlinked: NULL */
    struct overlay_table *table; /* directory: NULL until it is loaded */
    struct overlay_node *next_ino;   /* chain of the map by upper inode number */
    struct fd_slot slot;         /* directory: O_PATH; file: O_RDWR, or O_RDONLY if need be */
    pthread_mutex_t lock;        /* guards opening of `partial` */
    struct partial *_Atomic partial; /* NULL: plain, or not opened; set once (see is_partial) */
    _Atomic bool is_partial;     /* has MARKER_PARTIAL as of loading or copy-up; read without ns */
    _Atomic bool no_set_id;      /* neither set-user-ID nor set-group-ID; whoever changes the mode
                                    clears this afterwards. No lock */
    _Atomic bool name_fresh;     /* copied up, made or renamed since its directory was last synced
                                    (overlay_node_named()). No lock */
    _Atomic uint64_t lookups;    /* kernel references; with an identity see lower_lookups */
};

struct overlay_id_table;
struct overlay_ino_map;

struct overlay {
    struct overlay_store *store;
    const struct package *package;
    const struct package_info *info;
    const struct attr_rules *rules;
    bool case_sensitive;
    bool privileged;             /* effective uid 0: may chown, needs no MARKER_MODE */
    uint64_t fold_key[2];
    pthread_rwlock_t ns;
    struct fd_cache *fds;
    struct overlay_node *root;
    struct overlay_node *_Atomic *by_lower;     /* info->node_count; NULL = unchanged */
    _Atomic uint32_t *lower_lookups;            /* info->node_count */
    struct overlay_id_table *ids;               /* upper-only nodes by id */
    struct overlay_ino_map *inos;               /* upper-only nodes by upper inode number */
    struct overlay_node *pending; /* directories whose names were read, but not all nodes found */
    struct log_limit warnings;
};

/* To be called when NODE gets a name in the upper layer: syncing it will sync that too. */
static inline void overlay_node_named(struct overlay_node *node)
{
    atomic_store_explicit(&node->name_fresh, true, memory_order_relaxed);
}

/* Package node INDEX has state here, or NULL. */
static inline struct overlay_node *overlay_node_of(const struct overlay *o, uint32_t index)
{
    return atomic_load_explicit(&o->by_lower[index], memory_order_acquire);
}

#endif
