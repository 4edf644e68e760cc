/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A whole upper layer read into memory, for the tools: every name with its attributes and markers.
 * It is taken from the disk alone, so it is there without the package, and does not change when the
 * overlay does. The mount has a tree of its own (tree.h), which is read as far as it is used.
 *
 * Entries are numbered from the root (0) on; an entry's number is larger than its directory's, and
 * the names of one directory stand side by side in the order of fold_compare(). Not thread-safe.
 */
#ifndef FS_OVERLAY_UPPER_H
#define FS_OVERLAY_UPPER_H

#include <stdint.h>
#include <sys/stat.h>

#include "fs/overlay/marker.h"
#include "fs/overlay/store.h"
#include "src/compiler.h"
#include "src/err.h"

#define UPPER_ROOT 0u
#define UPPER_NONE UINT32_MAX

struct upper_entry {
    char *name;           /* owned; "" for the root */
    uint32_t parent;      /* of the root: UPPER_ROOT */
    uint32_t first_child; /* directories */
    uint32_t child_count;
    struct stat st; /* permission bits as the owner gave them */
    struct markers markers;
    bool bad_marker; /* one was not of its form and is left out */
};

struct upper {
    struct upper_entry *entries;
    uint32_t count;
    bool case_sensitive; /* names that differ in case are different names */
};

/* Called before each directory is read; what it returns other than 0 ends the reading. */
typedef int (*upper_step_fn)(void *arg, struct err *e);

/* Reads the upper layer of S. STEP may be NULL. What disappears meanwhile (the overlay is mounted)
 * is left out. */
int upper_read(const struct overlay_store *s, bool case_sensitive, upper_step_fn step, void *arg,
               struct upper **out, struct err *e) must_check;
void upper_free(struct upper *u); /* NULL is fine */

/* The entry NAME (LEN bytes) of directory DIR, or UPPER_NONE. An exact match wins. */
uint32_t upper_find(const struct upper *u, uint32_t dir, const char *name, size_t len);

/* Path of an entry, as below files/ and as in the mount: "a/b", "" for the root. Caller frees; NULL
 * when there is no memory. */
char *upper_path(const struct upper *u, uint32_t entry);

/* Whether ENTRY is TOP or below it. */
bool upper_is_below(const struct upper *u, uint32_t entry, uint32_t top);

/* The entry after ENTRY in depth-first order below TOP, or UPPER_NONE. INTO false leaves out what
 * is below ENTRY. */
uint32_t upper_next(const struct upper *u, uint32_t top, uint32_t entry, bool into);

/* Opens a directory or regular file of the upper layer with FLAGS (O_CLOEXEC and O_NOFOLLOW are
 * added), never through a link. A descriptor, or a negative errno. */
int upper_open(const struct overlay_store *s, const struct upper *u, uint32_t entry, int flags,
               struct err *e) must_check;

static inline bool upper_is_dir(const struct upper_entry *e)
{
    return S_ISDIR(e->st.st_mode);
}

#endif
