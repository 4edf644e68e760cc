/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing below a target directory that may not be left: every component is opened by itself and
 * never through a symbolic link, whatever the package is called or the target already holds. Files
 * appear under their names only when they are complete.
 */
#ifndef TOOLS_UNPACK_H
#define TOOLS_UNPACK_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

/* Opens TARGET, made when missing (its parent must exist). A descriptor, or a negative errno. */
int unpack_open_target(const char *target, struct err *e) must_check;

/* Opens directory DIR of P below TARGET, following no link. A descriptor, or a negative errno. */
int unpack_open_dir(int target, const struct package *p, uint32_t dir, struct err *e) must_check;

/* The same for directory PATH ("a/b", "" = TARGET) with names of any bytes but "." and "..". */
int unpack_open_path(int target, const char *path, struct err *e) must_check;

/* Whether NAME in PARENT (or AT_FDCWD) is a directory, and not a link to one, with nothing in it.
 */
bool unpack_is_empty_dir(int parent, const char *name);

/* Makes directory NAME; one that is there already is fine, anything else is not. */
int unpack_make_dir(int parent, const char *name, struct err *e) must_check;

/* A file being written under a temporary name. */
struct unpack_file {
    int fd;
    int parent; /* borrowed */
    char temp[48];
};

int unpack_create(struct unpack_file *f, int parent, struct err *e) must_check;
int unpack_write(struct unpack_file *f, const void *data, size_t len, struct err *e) must_check;

/* Sets the times and gives the file its NAME; an existing one is replaced only with FORCE. Whether
 * it succeeds or not, F is finished. */
int unpack_commit(struct unpack_file *f, const char *name, int64_t modified, bool force,
                  struct err *e) must_check;
void unpack_abandon(struct unpack_file *f);

/* Sets the modification time (FILETIME ticks, 0 = leave) of an open directory. */
void unpack_set_time(int fd, int64_t modified);

#endif
