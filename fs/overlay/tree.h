/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tree of names in memory: for each directory that exists in the upper layer a table of its
 * upper names (files, directories, whiteouts), read from disk when the directory is first used and
 * authoritative from then on. Lookups in the rest are the package's own.
 *
 * Invariant: before the kernel learns of a node, the tables of all directories above it that have
 * an upper directory are loaded; so "no overlay_node" means "nothing in upper".
 *
 * Every function needs ns: shared where it says so, alone otherwise. Only for fs/overlay/.
 */
#ifndef FS_OVERLAY_TREE_H
#define FS_OVERLAY_TREE_H

#include "fs/overlay/marker.h"
#include "fs/overlay/node.h"

int tree_new(struct overlay *o) must_check;   /* ids, inos, by_lower, root node */
void tree_free(struct overlay *o);

/* Reads the upper directory of DIR unless that was done. A redirect or origin that leads
 * nowhere, is taken, or whose package node still shows at its own place is ignored with one
 * warning: the entry is then an upper-only node (a partial file keeps its lower bytes all the
 * same). */
int tree_load(struct overlay *o, struct overlay_node *dir) must_check;

/* For a package node that the kernel may know from an earlier mount (a file handle): reads the
 * upper directories on the way to its own place, so that what was changed shows. -ESTALE when it
 * is not there and was not met elsewhere. */
int tree_reach(struct overlay *o, uint32_t index) must_check;

/* The directory ID as (package dir index or NODE_NONE, node or NULL), its table loaded.
 * -ENOTDIR, -ESTALE; -ENOENT for one that was removed. */
struct tree_dir { uint32_t lower; struct overlay_node *node; };
int tree_dir(struct overlay *o, uint64_t id, struct tree_dir *out) must_check;

/* The same with ns shared: -EAGAIN when the table must be loaded first. */
int tree_dir_shared(struct overlay *o, uint64_t id, struct tree_dir *out) must_check;

/* What NAME is in DIR. ns shared is enough. */
struct tree_entry {
    struct overlay_name *name;  /* upper name (also a whiteout), or NULL */
    uint32_t child;             /* child of dir.lower of that name, covered or not, or NODE_NONE */
    struct overlay_ref ref;     /* what shows; id 0 = nothing */
};
void tree_find(struct overlay *o, const struct tree_dir *dir, const char *name,
               struct tree_entry *out);

/* The spelling under which what ENTRY shows is listed. ns shared is enough. */
const char *tree_spelling(const struct overlay *o, const struct tree_entry *entry);

/* Whether package node CHILD of DIR is shown there, unchanged. ns shared is enough. */
bool tree_shows_child(struct overlay *o, const struct tree_dir *dir, uint32_t child);

/* What stands for NODE, or for the unchanged package node INDEX. */
struct overlay_ref tree_ref_of(struct overlay_node *node);
struct overlay_ref tree_ref_of_package(uint32_t index);

/* Whether directory DIR shows nothing (rmdir, rename over it). Its table is loaded. */
bool tree_is_empty(struct overlay *o, const struct tree_dir *dir);

/* ---- changing the tables: memory only ---- */

/* Adds NAME for NODE (NULL: whiteout) to the loaded table of DIR; sets covers. -ENOMEM only. An
 * upper name that is there must have been removed. */
int tree_add_name(struct overlay *o, struct overlay_node *dir, const char *name,
                  struct overlay_node *node, struct overlay_name **out) must_check;
void tree_remove_name(struct overlay *o, struct overlay_name *name); /* frees it */

/* Makes room for one more name in DIR so that the next tree_add_name() there with at most LEN
 * bytes cannot fail. A change reserves before it touches the disk, so that disk and memory do
 * not part. */
int tree_reserve(struct overlay *o, struct overlay_node *dir, size_t len) must_check;

/* A node for package node IDENTITY (NODE_NONE: upper only, found by UPPER_INO too, which it
 * needs then; else 0 if it is not known). It is found by id from now on; it has an upper part,
 * no name, and `lower` as IDENTITY for a directory, NODE_NONE for others, until the caller says
 * otherwise. */
int tree_add_node(struct overlay *o, mode_t type, uint32_t identity, uint64_t upper_ino,
                  struct overlay_node **out) must_check;
/* Takes back a node that never had a name, or frees one that is unlinked and forgotten. */
void tree_free_node(struct overlay *o, struct overlay_node *node);

/* For a node that has become `unlinked`, or whose last reference may have gone: when it is
 * unlinked and the kernel knows it no more, its descriptor and map are let go, and the node is
 * freed unless it stands for a package node, of which a mark stays that it was deleted. Does
 * nothing otherwise. */
void tree_let_go(struct overlay *o, struct overlay_node *node);

/* An empty table for a directory just made. */
int tree_new_table(struct overlay *o, struct overlay_node *dir) must_check;

/* ---- descriptors and paths ---- */

/* O_PATH descriptor of an upper directory, pinned. ns shared is enough. */
int tree_pin_dir(struct overlay *o, struct overlay_node *dir) must_check;
void tree_unpin_dir(struct overlay *o, struct overlay_node *dir);

/* Descriptor of an upper regular file for I/O, pinned. Takes ns shared itself when it has to open;
 * not to be called with ns held. */
int tree_pin_file(struct overlay *o, struct overlay_node *file) must_check;
/* The same for a caller that holds ns (shared or alone). */
int tree_pin_file_locked(struct overlay *o, struct overlay_node *file) must_check;
void tree_unpin_file(struct overlay *o, struct overlay_node *file);

/* Path of an upper node below files/ ("a/b", "" for the root); NULL without memory or name. Caller
 * frees. ns shared is enough. */
char *tree_upper_path(const struct overlay *o, const struct overlay_node *node);
/* Path as shown in the mount, of any node that is in the tree, for messages. */
char *tree_shown_path(const struct overlay *o, const struct overlay_ref *ref);
/* Path of a package node as markers hold it: "/a/b". -ENAMETOOLONG beyond MARKER_PATH_MAX. */
int tree_package_path(const struct overlay *o, uint32_t index, char **out) must_check;

/* Attributes of an upper node as shown: lstat of it, with node's id, mode override, st_nlink 1 for
 * directories. ns shared. */
int tree_stat(struct overlay *o, struct overlay_node *node, struct stat *st) must_check;

/* Makes of ST, as lstat(2) gave it for the upper file of NODE, what tree_stat() gives. */
void tree_show_stat(const struct overlay_node *node, struct stat *st);

#endif
