/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AppxBlockMap.xml: for each file of an AppX, MSIX or App-V 5 package the hashes of its blocks of
 * 64 KiB and how many bytes each takes in the zip. A package may hold 70,000 files, and one of them
 * 80,000 blocks, so the document is read as a stream and a block takes its hash and 4 bytes.
 *
 *     struct blockmap *map;
 *     if (!blockmap_read(data, len, &map, &e)) {
 *         const struct blockmap_file *f = blockmap_find(map, "Assets/Logo.png", 15);
 *         for (uint32_t i = 0; f && i < f->block_count; i++)
 *             use(blockmap_hash(map, f, i), blockmap_stored_size(map, f, i));
 *         blockmap_free(map);
 *     }
 *
 * Not changed after it was read: any number of threads may use one.
 */
#ifndef SRC_APPX_BLOCKMAP_H
#define SRC_APPX_BLOCKMAP_H

#include <stdint.h>

#include "src/codec.h"
#include "src/compiler.h"
#include "src/err.h"

#define BLOCKMAP_BLOCK_SIZE 65536u
#define BLOCKMAP_STORED_MAX 131072u /* bytes in the zip that a block is believed to take */
#define BLOCKMAP_BYTES_MAX  (512u * 1024u * 1024u)
#define BLOCKMAP_FILES_MAX  (4u * 1024u * 1024u)

struct blockmap_file {
    const char *name;    /* UTF-8, checked as opc_name_check() does, '/' between components */
    uint64_t size;       /* decoded; as many blocks as that makes, the last one may be short */
    uint32_t local_size; /* LfhSize: bytes of the local header of the zip entry; 0 = not given */
    uint32_t first_block;
    uint32_t block_count;
};

struct blockmap {
    enum digest digest;
    size_t hash_len;
    const struct blockmap_file *files; /* in document order; no two names are the same folded */
    uint32_t file_count;
    uint32_t block_count;
    const uint8_t *hashes; /* block_count * hash_len: of the decoded bytes */
    const uint32_t *sizes; /* stored bytes of each block; 0 = not given, as for stored entries */
    struct name_index *names;
    struct pool *pool;
};

/*
 * Reads a document of LEN bytes, of which nothing is kept. The caller frees *out with
 * blockmap_free(). Errors name the line: those of xml_stream(); ERR_XML when it is no block map;
 * ERR_UNSUPPORTED for an unknown hash method or an encrypted package; ERR_CORRUPT for a hash of the
 * wrong length, a number that is none or a wrong number of blocks; ERR_LIMIT for a stored size
 * above BLOCKMAP_STORED_MAX or too many files; ERR_BAD_NAME, ERR_DUPLICATE_NAME.
 */
int blockmap_read(const void *data, size_t len, struct blockmap **out, struct err *e) must_check;
void blockmap_free(struct blockmap *map); /* NULL is fine */

/* The file of that name ('/' between components), compared as Windows does; NULL if there is none.
 */
const struct blockmap_file *blockmap_find(const struct blockmap *map, const char *name, size_t len);

/* Of block I (below f->block_count) of a file: its hash, its stored size (0 = not given). */
const uint8_t *blockmap_hash(const struct blockmap *map, const struct blockmap_file *f, uint32_t i);
uint32_t blockmap_stored_size(const struct blockmap *map, const struct blockmap_file *f,
                              uint32_t i);

#endif
