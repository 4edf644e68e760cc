/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Local files: what the system calls leave to their callers. Interrupted and partial reads and
 * writes go on; a negative errno that is returned stands in errno, too. All may block.
 */
#ifndef FETCH_FILE_IO_H
#define FETCH_FILE_IO_H

#include <stdint.h>
#include <sys/types.h>

#include "src/compiler.h"
#include "src/err.h"

/* Reads until LEN bytes or the end of the file: how many, or a negative errno. */
ssize_t file_read(int fd, void *buf, size_t len, uint64_t off) must_check;

/* Writes LEN bytes: 0, or why it did not go on. *done (may be NULL) is how many are written then. */
int file_write(int fd, const void *data, size_t len, uint64_t off, size_t *done) must_check;

/* Makes the directories that PATH lies below, mode 0700; with a '/' at the end, PATH itself. */
int file_make_parents(const char *path, struct err *e) must_check;

#endif
