/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Going through what is in a directory, or in a directory and all below it.
 *
 * No links are followed and nothing but directories is opened, so that an upper layer made by
 * anybody can be gone through. Depth costs neither stack nor descriptors: a directory yet to be
 * read is a path, of any length. No state of its own; one walk is for one thread.
 */
#ifndef FS_OVERLAY_WALK_H
#define FS_OVERLAY_WALK_H

#include <stdint.h>
#include <sys/stat.h>

#include "src/compiler.h"
#include "src/err.h"

/* Opens the directory that PATH, relative to AT, is in (O_PATH), following no links; *name is the
 * last part of PATH. With MAKE missing directories are made. -1 and errno. */
int walk_open_parent(int at, const char *path, bool make, const char **name);

/* Told of a name in the directory open as FD. Other than 0 ends the reading. */
typedef int (*walk_name_fn)(void *arg, int fd, const char *name);

/*
 * Tells FN of all that is in directory NAME of AT ("." is AT itself, which may be O_PATH) but "."
 * and "..", in the order the file system has. What FN ended the reading with, or a negative errno.
 */
int walk_names(int at, const char *name, walk_name_fn fn, void *arg) must_check;

/* The directory being read. */
struct walk_dir {
    int fd;
    const char *path; /* from walk.at: "a/b", "" for that one itself */
    uint32_t cookie;  /* the caller's */
};

/* Told of a name in DIR; ST is its lstat(2). If it is a directory that will be read, *cookie, 0 so
 * far, goes with it. Other than 0 ends the walk; negative: an error told in walk.e. */
typedef int (*walk_fn)(void *arg, const struct walk_dir *dir, const char *name,
                       const struct stat *st, uint32_t *cookie);

struct walk {
    int at;
    const char *called; /* name of AT for messages */
    walk_fn fn;
    void *arg;
    struct err *e; /* may be NULL */
};

/*
 * Tells W->fn of all that is below directory PATH, which goes with COOKIE. Each directory is read
 * to its end before another one is. Those on another file system than W->at are not read; what
 * disappears meanwhile, or PATH itself if it is not there, is left out. What W->fn ended the walk
 * with, or a negative errno.
 */
int walk_tree(const struct walk *w, const char *path, uint32_t cookie) must_check;

#endif
