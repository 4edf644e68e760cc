/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the changes have in common (create.c, remove.c, rename.c, attributes.c): copy-up, what has
 * to be true before a directory is written to, and what becomes of a node whose name is taken away.
 * All need ns alone. Only for fs/overlay/.
 *
 * Every change has the same shape: look at the tables, refuse what cannot be, make room in memory,
 * change the disk in steps of which one decides, then change the tables.
 */
#ifndef FS_OVERLAY_CHANGE_H
#define FS_OVERLAY_CHANGE_H

#include "fs/overlay/tree.h"

/* ---- copy_up.c ---- */

/* The upper directory of DIR, made together with those above it where they are missing (with the
 * attributes shown so far). Updates dir->node. */
int copy_up_dir(struct overlay *o, struct tree_dir *dir) must_check;

/*
 * Gives the package node ID something in upper: a directory, or a file whose bytes all stay in the
 * package (partial). Nothing is fetched. Shown attributes stay as they are, also those of the
 * directory above. A node that is deleted but in use gets a nameless file. Does nothing for a node
 * that has an upper part.
 */
int copy_up_node(struct overlay *o, uint64_t id, struct overlay_node **out) must_check;

/* Gives files/ of a new overlay the attributes of the package's root, once: MARKER_ORIGIN "/" says that
 * it was done. At open, so without ns. */
int copy_up_root(struct overlay *o) must_check;

/* ---- change.c ---- */

/* Takes ns alone; -EROFS, without it, when the overlay is open for reading only. */
int change_begin(struct overlay *o) must_check;
void change_end(struct overlay *o);

/* A name in a directory. */
struct change_place {
    struct tree_dir dir;
    struct tree_entry entry;
    /* Spelling of what shows; as it was asked for when nothing does. */
    char name[NAME_MAX_BYTES + 1];
};

/* Looks NAME up in directory PARENT. -ENAMETOOLONG, or what tree_dir() says. */
int change_find(struct overlay *o, uint64_t parent, const char *name,
                struct change_place *out) must_check;

/* Looks again, after a copy-up. */
void change_find_again(struct overlay *o, struct change_place *place);

/* Whether a name that does not exist may be made: -EINVAL for what a package could not hold either
 * (not UTF-8, control characters, backslash), as an upper layer read again would not show it. */
int change_name_check(const char *name) must_check;

static inline bool change_shows(const struct change_place *place)
{
    return place->entry.ref.id != 0;
}

/* Type bits of what shows. */
mode_t change_type(const struct overlay *o, const struct overlay_ref *ref);

/* A package name would come back if the upper name went: a whiteout is needed then. */
static inline bool change_covers(const struct change_place *place)
{
    return place->entry.child != NODE_NONE;
}

/* Permission bits of the upper file for those wanted, so that an unprivileged process can go on
 * using it. */
mode_t change_physical_mode(const struct overlay *o, mode_t type, mode_t wanted);

/* Gives FD (not O_PATH) of TYPE, whose bits are PHYSICAL now, the bits WANTED, by a marker where it
 * must be; a crash leaves the old or the new ones. NODE (may be NULL) is told. */
int change_set_mode(struct overlay *o, int fd, mode_t type, mode_t physical, mode_t wanted,
                    struct overlay_node *node) must_check;

/* Times of the directory DIRFD, to be put back after something was done that users do not see. */
void change_keep_times(int dirfd, struct timespec times[2]);
void change_restore_times(int dirfd, const struct timespec times[2]);

/* References the kernel has on what REF stands for. */
bool change_is_used(const struct overlay *o, const struct overlay_ref *ref);

/*
 * Something that is about to lose a name. Call order: doom before the disk is changed; then either
 * doomed or spared. DIRFD and NAME say where it is in upper, if it is there.
 */
struct change_doom {
    struct overlay_ref ref;
    struct overlay_node *node; /* upper part, or NULL */
    bool last;                 /* no other link to it */
    bool used;                 /* by the kernel */
    bool pinned;
};
int change_doom(struct overlay *o, const struct overlay_ref *ref, int dirfd, const char *name,
                struct change_doom *out) must_check;
/* The name is gone from disk and table. Only for an unchanged package node can it fail (-ENOMEM),
 * and nothing has happened then. */
int change_doomed(struct overlay *o, struct change_doom *d) must_check;
void change_spared(struct overlay *o, struct change_doom *d);

/* Whether the upper directory DIR, which shows nothing, holds nothing but whiteouts: -ENOTEMPTY
 * when it has something that is not shown (put there by other means): not ours to delete. */
int change_only_whiteouts(struct overlay *o, struct overlay_node *dir) must_check;

/* renameat2(2) with RENAME_NOREPLACE where the file system has it. */
int change_move(struct overlay *o, int from_fd, const char *from, int to_fd,
                const char *to) must_check;

/* Moves WORK, which is in work/ and complete, to PLACE, where nothing shows (a whiteout may be), in
 * the pinned upper directory DIRFD. The tables are the caller's. */
int change_put(struct overlay *o, const struct change_place *place, int dirfd, const char *work,
               bool is_dir) must_check;

/* Replaces what the tables have at PLACE by NODE (NULL: a whiteout). There is room for it. */
int change_show(struct overlay *o, struct change_place *place,
                struct overlay_node *node) must_check;

/* Removes what was moved to work/ with all below it. What cannot be removed is left to the next
 * open. */
void change_clear_work(struct overlay *o, const char *work);

/* chmod(2) of what is no symbolic link, by name, without following one that came there. */
int change_chmod_at(int dirfd, const char *name, mode_t mode) must_check;

#endif
