/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is written beside the data of an upper layer to say how it lies over the package: extended
 * attributes in the user namespace. format.md describes them for people; the user.overlay.* ones
 * mean what they mean to the kernel's overlayfs mounted with userxattr.
 *
 * An upper layer may have been made by anybody: values that are too long, not of the stated form or
 * that lead nowhere are errors or are left out, never trusted. No state, any thread.
 */
#ifndef FS_OVERLAY_MARKER_H
#define FS_OVERLAY_MARKER_H

#include <stdint.h>
#include <sys/stat.h>

#include "src/compiler.h"
#include "src/err.h"

/* An empty regular file: the name does not exist, whatever the package has there. */
#define MARKER_WHITEOUT "user.overlay.whiteout"
/* Directory: "y" nothing of the package shows through; "x" there may be whiteouts inside. */
#define MARKER_OPAQUE   "user.overlay.opaque"
/* Directory: the package directory that shows through, from the root: "/a/b". */
#define MARKER_REDIRECT "user.overlay.redirect"
/* Regular file: the package file whose place (and inode number) it has taken, "/a/b". */
#define MARKER_ORIGIN   "user.sftfs.origin"
/* Regular file that still needs bytes of the package file it was made from: struct partial_mark. */
#define MARKER_PARTIAL  "user.sftfs.partial"
/* The permission bits the owner gave, where the file itself has more so that an unprivileged
 * daemon can go on using it: octal. */
#define MARKER_MODE     "user.sftfs.mode"

/* Bytes of a package path in a marker; ext4 has 4 KiB for all of them. */
#define MARKER_PATH_MAX 3500u

/* Value of MARKER_PARTIAL as text: "1 size=N content=HEX32 map=HEX16|none path=/a/b". */
struct partial_mark {
    uint64_t size;        /* of the package file when it was copied up, bytes */
    uint8_t content[16];  /* fingerprint of the package file's content (partial.h) */
    uint64_t map;         /* number of the map file; 0: no block was written, no map */
    char *path;           /* of the package file that has the bytes, from the root "/a/b"; owned */
};

struct markers {
    bool whiteout;
    bool opaque;          /* "y" */
    bool has_whiteouts;   /* "x" */
    bool has_partial, has_mode;
    char *redirect;       /* owned, or NULL */
    char *origin;         /* owned, or NULL */
    struct partial_mark partial;
    mode_t mode;          /* 07777 bits, with has_mode */
};

void markers_clear(struct markers *m);

/*
 * The text of a partial mark, LEN bytes (no NUL needed), into *out (its path to be freed). Only the
 * one way of writing each value is taken: what is parsed is formatted to the same text again.
 * -EINVAL, -ENOMEM; *out is zeroed then.
 */
int partial_mark_parse(const char *text, size_t len, struct partial_mark *out) must_check;

/* Length of the text put into BUF, NUL-terminated; -EINVAL for a path or size no mark may hold. */
#define PARTIAL_MARK_MAX (MARKER_PATH_MAX + 128u)
int partial_mark_format(const struct partial_mark *mark, char buf[PARTIAL_MARK_MAX]) must_check;

/* Whether PATH (LEN bytes) is one that markers may hold: "/a/b", each name one that a package may
 * have, at most MARKER_PATH_MAX bytes. */
bool marker_path_ok(const char *path, size_t len);

/*
 * Reads the markers of NAME in directory DIRFD (may be O_PATH; "" is DIRFD itself). ST is its
 * lstat. Only directories and regular files have any. A value that is not of its form is left out
 * and counted as -EINVAL after all others have been read, so that a caller may go on with them.
 * Returns 0 or a negative errno; *out is always to be cleared.
 */
int markers_read(int dirfd, const char *name, const struct stat *st,
                 struct markers *out) must_check;

/* Cheap question for a listing: whether NAME has markers at all. */
int markers_any(int dirfd, const char *name, bool *any) must_check;

/* Set or remove one on an open file or directory (not O_PATH), or by name in a directory with the
 * _at form. Removing one that is absent is fine. */
int marker_set(int fd, const char *marker, const char *value) must_check;
int marker_set_at(int dirfd, const char *name, const char *marker, const char *value) must_check;
int marker_remove_at(int dirfd, const char *name, const char *marker) must_check;
int marker_set_partial(int fd, const struct partial_mark *mark) must_check;

/* Whether an attribute is one of ours, which users neither see nor set: user.overlay.* and
 * user.sftfs.*. */
bool marker_is_reserved(const char *xattr_name);

/* getxattr/setxattr/listxattr/removexattr on NAME in DIRFD without following links and without
 * opening it (through /proc/self/fd); negative errno. */
ssize_t xattr_get_at(int dirfd, const char *name, const char *xattr, void *buf, size_t size);
ssize_t xattr_list_at(int dirfd, const char *name, char *buf, size_t size);
int xattr_set_at(int dirfd, const char *name, const char *xattr, const void *value, size_t size,
                 int flags) must_check;
int xattr_remove_at(int dirfd, const char *name, const char *xattr) must_check;

#endif
