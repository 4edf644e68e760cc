/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of a package that is a ZIP archive: what the directory of the archive and the block map say
 * of them, brought together. Both must name the same files. Pure; single-threaded.
 */
#ifndef SRC_APPX_FILES_H
#define SRC_APPX_FILES_H

#include <stdint.h>

#include "src/appx_blockmap.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/zip.h"

struct appx_file {
    const struct zip_entry *entry;
    const struct blockmap_file *map;
    const char *path;     /* decoded, '/' between components, terminated */
    uint32_t path_len;
    uint32_t data_at;     /* from entry->local to the data */
    uint32_t first_block; /* of the package */
    uint32_t block_count;
    bool whole;           /* one block, although the map has no usable sizes */
    bool sequential;      /* several, and the map does not say where they begin */
    bool guessed;         /* DATA_AT: the local header is not at hand, and the map is wrong about it */
};

struct appx_files {
    struct appx_file *files; /* in the order of their data in the archive; owned */
    uint32_t count;
    uint32_t block_count;
    char *paths;             /* owned */
};

/*
 * DIRECTORY and MAP are borrowed and must outlive *out. IN has local headers that are known, which are
 * preferred to what the map says of their length. ERR_CORRUPT when archive and map do not agree,
 * ERR_BAD_NAME, ERR_UNSUPPORTED for other compression than deflate.
 */
int appx_files_join(const struct container_input *in, const struct zip_directory *directory,
                    const struct blockmap *map, struct appx_files *out, struct err *e) must_check;
void appx_files_free(struct appx_files *f);

/* Stored bytes of block I of a file; of a sequential one decoded bytes. */
uint32_t appx_stored_len(const struct blockmap *map, const struct appx_file *f, uint32_t i);

/* Whether PATH is the container's own and no part of the payload: manifest, block map, signature, …
 * or, in App-V 5 packages (IS_APPV), what is not below Root/. */
bool appx_is_footprint(const char *path, size_t len, bool is_appv);

#endif
