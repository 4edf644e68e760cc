/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The package whose sparse copy lies in the disk cache, read from that copy. */
#ifndef FETCH_CACHE_PACKAGE_H
#define FETCH_CACHE_PACKAGE_H

#include "fetch/cache_dir.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

/* Reads the metadata in container FD in directory DIR, which must be that of the version whose directory is
 * NAME. ERR_CORRUPT if it is another one's, and the errors of reading a container. */
int cache_package_read(int dir, int fd, const char *name, struct package **out, struct err *e)
    must_check;

/* The same by the name of the directory alone. ERR_NOT_FOUND. */
int cache_package_open(struct cache_dir *d, const char *name, struct package **out, struct err *e)
    must_check;

/* How much of a package is there: all of it, and its launch set. Bytes are stored bytes. */
struct cache_progress {
    uint32_t blocks, blocks_present, launch_blocks, launch_blocks_present;
    uint64_t bytes, bytes_present, launch_bytes, launch_bytes_present;
};

/* Of P, whose version has its directory NAME; nothing is held or changed. */
int cache_progress_of(struct cache_dir *d, const char *name, const struct package *p,
                      struct cache_progress *out, struct err *e) must_check;

#endif
