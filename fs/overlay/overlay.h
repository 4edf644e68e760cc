/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The overlay: a package (lower layer, immutable) and a directory of the user's (upper layer) shown
 * as one tree. No FUSE here: fs/ serves it to the kernel, tools/ look into it.
 *
 * Node ids are what the kernel knows nodes by. A node of the package keeps index + 1, wherever it
 * is moved and whatever is written to it; a node of the upper layer alone has an id above
 * OVERLAY_UPPER_ID. st_ino of the former is its id, of the latter its upper inode number +
 * OVERLAY_UPPER_INO, so both survive copy-up, rename and remount.
 *
 * A package node that nobody changed has no state here at all: overlay_node_of() is one atomic
 * load, and its attributes and bytes come from the package as on a mount without overlay.
 *
 * Locking. `ns`, a reader-writer lock, guards the tree of names in memory and orders changes to the
 * upper layer's names: looking up and listing share it, changes hold it alone, also over their
 * (local, short) system calls, as the kernel holds the directory then. Reading and writing file
 * data never takes it. Order: ns, then a node's lock, then that of the descriptor cache.
 */
#ifndef FS_OVERLAY_OVERLAY_H
#define FS_OVERLAY_OVERLAY_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "fs/attr.h"
#include "fs/overlay/store.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

#define OVERLAY_UPPER_ID  (UINT64_C(1) << 40)
#define OVERLAY_UPPER_INO (UINT64_C(1) << 32)
#define OVERLAY_ROOT_ID   1

struct overlay;
struct overlay_node;

/* Borrows STORE, PACKAGE and RULES until overlay_close(). Recovers what an unclean end left
 * (orphaned maps) when STORE is writable. */
int overlay_open(struct overlay_store *store, const struct package *package,
                 const struct attr_rules *rules, bool case_sensitive, struct overlay **out,
                 struct err *e) must_check;

/* Syncs partial files that changed and makes complete ones plain; frees. NULL is fine. */
void overlay_close(struct overlay *o);

/* Who asks: the owner of what is made. */
struct overlay_caller { uid_t uid; gid_t gid; };

/* What a name stands for. */
struct overlay_ref {
    uint64_t id;                /* 0: no such name */
    uint32_t lower;             /* the package node whose id it has, or NODE_NONE */
    struct overlay_node *node;  /* NULL: an unchanged package node */
    bool other_spelling;        /* found under another spelling than its own, or by its 8.3 name */
    bool short_name;            /* found by its 8.3 name */
};

/* False for an id nobody can have got. *node is NULL for an unchanged package node. Lock-free. */
bool overlay_find(const struct overlay *o, uint64_t id, struct overlay_node **node);

/* ---- looking (take ns shared) ---- */

/* The child NAME of directory PARENT. 0 with out->id 0 when there is none; -ENOTDIR, -ESTALE, -EIO
 * when the upper directory cannot be read. "." and ".." work. With ST its attributes too. */
int overlay_lookup(struct overlay *o, uint64_t parent, const char *name, struct overlay_ref *out,
                   struct stat *st) must_check;

int overlay_getattr(struct overlay *o, uint64_t id, struct stat *st) must_check;

/* Path of node ID as the mount shows it, for messages; NULL when it has none or without memory.
 * Caller frees. */
char *overlay_shown_path(struct overlay *o, uint64_t id);

/*
 * Calls FN for the entries of directory ID from position POS (0 = start) on, "." and ".." first,
 * until it returns false. NEXT is the position after the entry. Positions stay valid while the
 * directory changes: an entry that is there all the time is listed exactly once. ST is complete
 * with ATTR, else only st_ino and the type. FN runs with ns held shared and must not call into the
 * overlay.
 */
typedef bool (*overlay_list_fn)(void *arg, const char *name, const struct overlay_ref *ref,
                                const struct stat *st, uint64_t next);
int overlay_list(struct overlay *o, uint64_t id, uint64_t pos, bool attr, overlay_list_fn fn,
                 void *arg) must_check;

ssize_t overlay_readlink(struct overlay *o, uint64_t id, char *buf, size_t size);

/* getxattr(2) and listxattr(2); of unchanged package nodes user.DOSATTRIB where there is one.
 * Reserved names do not exist. */
ssize_t overlay_getxattr(struct overlay *o, uint64_t id, const char *name, void *buf, size_t size);
ssize_t overlay_listxattr(struct overlay *o, uint64_t id, char *buf, size_t size);

/* Whether getxattr may be refused for good (nothing has any, nothing can get any). */
int overlay_statfs(struct overlay *o, struct statvfs *st) must_check;

/* ---- the kernel's references: n more, n fewer; at 0 what was deleted is let go ---- */
/* Both may take ns. */
void overlay_remember(struct overlay *o, uint64_t id, uint64_t n);
void overlay_forget(struct overlay *o, uint64_t id, uint64_t n);

/* ---- changes (take ns alone); negative errno. *out as overlay_lookup() would give it ---- */

/* New names are those a package could have too (name_check(): UTF-8 without control characters and
 * backslashes), -EINVAL for others, for the upper layer read again would not show them. -EROFS when
 * the overlay is open for reading only. */

/* A regular file. -EEXIST when the name (folded) exists. */
int overlay_create(struct overlay *o, uint64_t parent, const char *name, mode_t mode,
                   const struct overlay_caller *c, struct overlay_ref *out,
                   struct stat *st) must_check;
int overlay_mkdir(struct overlay *o, uint64_t parent, const char *name, mode_t mode,
                  const struct overlay_caller *c, struct overlay_ref *out,
                  struct stat *st) must_check;
/* FIFOs and sockets, and regular files; devices are -EPERM. */
int overlay_mknod(struct overlay *o, uint64_t parent, const char *name, mode_t mode,
                  const struct overlay_caller *c, struct overlay_ref *out,
                  struct stat *st) must_check;
int overlay_symlink(struct overlay *o, uint64_t parent, const char *name, const char *target,
                    const struct overlay_caller *c, struct overlay_ref *out,
                    struct stat *st) must_check;
int overlay_link(struct overlay *o, uint64_t id, uint64_t parent, const char *name,
                 struct overlay_ref *out, struct stat *st) must_check;
int overlay_unlink(struct overlay *o, uint64_t parent, const char *name) must_check;
int overlay_rmdir(struct overlay *o, uint64_t parent, const char *name) must_check;
/* FLAGS: 0, RENAME_NOREPLACE, RENAME_EXCHANGE. A rename to another spelling of the same name
 * changes the spelling. */
int overlay_rename(struct overlay *o, uint64_t parent, const char *name, uint64_t new_parent,
                   const char *new_name, unsigned flags) must_check;

enum {
    OVERLAY_SET_MODE = 1,
    OVERLAY_SET_UID = 2,
    OVERLAY_SET_GID = 4,
    OVERLAY_SET_ATIME = 8,
    OVERLAY_SET_MTIME = 16,
};
/* Times of UTIME_NOW are taken by the upper file system. Copies metadata up, never data. */
int overlay_setattr(struct overlay *o, uint64_t id, unsigned what,
                    const struct stat *attr) must_check;
int overlay_setxattr(struct overlay *o, uint64_t id, const char *name, const void *value,
                     size_t size, int flags) must_check;
int overlay_removexattr(struct overlay *o, uint64_t id, const char *name) must_check;
int overlay_fsyncdir(struct overlay *o, uint64_t id, bool datasync) must_check;

/* ---- file data: see data.h ---- */

#endif
