/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the user changed: an upper layer (upper.h) against the package it lies over. The package may
 * be missing: then what was put in the place of a file of the package (rather than written into it)
 * counts as added, and whether names in markers exist is not known.
 *
 * A rename is told by the markers (where a file or directory of the package is now); it counts only
 * if the thing does not show at its own place any more, as on a mount. Immutable once made; no
 * I/O but diff_written().
 */
#ifndef FS_OVERLAY_DIFF_H
#define FS_OVERLAY_DIFF_H

#include "fs/overlay/upper.h"
#include "src/package.h"

enum diff_kind {
    DIFF_ADDED,
    DIFF_CHANGED, /* content; with `was` something else took the place of the package's */
    DIFF_DELETED,
    DIFF_RENAMED,    /* and changed, with `content` */
    DIFF_ATTRIBUTES, /* only time, permissions, owner or extended attributes */
    DIFF_KIND_COUNT
};

struct diff_change {
    enum diff_kind kind;
    uint32_t entry;      /* of the upper layer; for DIFF_DELETED the whiteout */
    const char *path;    /* as in the mount: "a/b" */
    const char *from;    /* DIFF_RENAMED: path in the package, else NULL */
    const char *link_of; /* a further name of this file, or NULL */
    mode_t type;         /* S_IFMT bits; 0 when not known (deleted, package missing) */
    mode_t was;          /* S_IFMT bits of what the package has there, if it was replaced; else 0 */
    uint32_t node;       /* the package node it was, or NODE_NONE */
    uint64_t size;       /* bytes now; of what was deleted: before */
    bool content;        /* the content was written to or cut off */
    bool odd;            /* a marker leads nowhere or is damaged; it is left out, as on a mount */
};

struct diff;

/* PACKAGE may be NULL. Borrows both until diff_free(). */
int diff_new(const struct upper *u, const struct package *package, struct diff **out,
             struct err *e) must_check;
void diff_free(struct diff *d); /* NULL is fine */

/* Calls FN for every change in the order of the paths' components until it returns other than 0,
 * which is then the result. The strings are FN's during the call. */
typedef int (*diff_fn)(void *arg, const struct diff_change *change, struct err *e);
int diff_each(const struct diff *d, diff_fn fn, void *arg, struct err *e) must_check;

/*
 * Where in the upper layer it is decided that the package's PATH ("/a/b") does not show at its own
 * place: the whiteout there, what covers it, what covers or hides a directory above. UPPER_NONE: it
 * shows there. *in_place: an entry of the upper layer is it, at its place.
 */
uint32_t diff_hider(const struct diff *d, const char *path, bool *in_place);

/* The package path that ENTRY has come from when it counts as renamed or is in place, else NULL.
 * Borrowed. */
const char *diff_home(const struct diff *d, uint32_t entry);

/* The package directory that shows through ENTRY ("" for the root), or NULL. Borrowed. */
const char *diff_lower(const struct diff *d, uint32_t entry);

/* Bytes of regular file ENTRY that are in the upper layer, for people: all of a plain file. */
int diff_written(struct overlay_store *s, const struct upper *u, uint32_t entry, uint64_t *bytes,
                 struct err *e) must_check;

#endif
