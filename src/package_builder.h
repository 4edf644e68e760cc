/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Builds a struct package from what a container format found, and checks there, once for all
 * formats, what every package must hold: valid and unique names, one tree, extents inside blocks,
 * and that no count takes memory the input does not justify.
 *
 * Order of calls: builder_new, set_info, add_* (each kind of item in index order, nodes in
 * breadth-first order), finish. After an error the builder can only be freed. Single-threaded.
 *
 * The rules, and the kind of error for what breaks them:
 *
 *   Counts. Exactly as many items as announced (ERR_CORRUPT); names no longer together than
 *   announced (ERR_CORRUPT); at most 2^31 nodes and 4 GiB of names with terminators (ERR_LIMIT).
 *   Information. Block size one of the four (ERR_CORRUPT); known codec (ERR_UNSUPPORTED); package
 *   and root name valid UTF-8 of up to 255 bytes without control characters, the root name usable
 *   as a directory name (ERR_BAD_NAME); metadata_bytes <= container_bytes (ERR_CORRUPT) < 2^63
 *   (ERR_LIMIT).
 *   Names. name_check() for names, name_is_8_3() for 8.3 names (ERR_BAD_NAME). No two names of a
 *   directory equal under folding, in a case_sensitive package none the same bytes; no two 8.3
 *   names of a directory the same (ERR_DUPLICATE_NAME). An 8.3 name may be another node's name,
 *   which then wins. At most 64 names that differ in case only; paths of at most 4095 bytes
 *   (ERR_LIMIT).
 *   Tree. Node 0 is a directory without name; each other node belongs to exactly one directory
 *   before it, and the child counts sum up to the nodes less one (ERR_BAD_TREE). Known flags only,
 *   directories without size, security descriptor 0 to sds (ERR_CORRUPT); file and file id agree
 *   (ERR_INVALID). Any times.
 *   Blocks. 1 to block size decoded bytes, stored length not 0 and for CODEC_NONE the decoded one,
 *   stored bytes in [metadata_bytes, container_bytes) or in a stream, and no byte in two blocks, in any
 *   order (ERR_CORRUPT); known codec (ERR_UNSUPPORTED); stored length up to STORED_LEN_MAX (ERR_LIMIT).
 *   Extents (ERR_BAD_EXTENT). Not empty; inside the decoded bytes of existing blocks, of which all
 *   but the last have the full block size; used by the files in order, each exactly once; those of
 *   a file as long as the file together, none for an empty one. Two extents that lie inside one
 *   block and do not cover all of it are either the same bytes or have none in common; extents over
 *   whole blocks may share them freely (identical blocks are stored once). File sizes below 2^63,
 *   also together (ERR_LIMIT).
 *   Launch runs. Not empty, inside the blocks, not overlapping (ERR_CORRUPT).
 *   Versions. Numbers ascending, first new blocks not descending and within the blocks; the last
 *   one has the package's version GUID and number (ERR_CORRUPT). There may be none.
 *   Security descriptors. Not empty (ERR_CORRUPT), up to 1 MiB each (ERR_LIMIT).
 */
#ifndef SRC_PACKAGE_BUILDER_H
#define SRC_PACKAGE_BUILDER_H

#include <stdint.h>

#include "src/codec.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

struct package_builder;

/* Counts as announced by the container, which has checked them against its input's length. */
struct package_counts {
    uint32_t nodes, extents, blocks, launch_runs, versions, sds, file_ids;
    size_t name_bytes; /* all names and short names together, without terminators */
};

int package_builder_new(const struct package_counts *counts, struct package_builder **out,
                        struct err *e) must_check;
void package_builder_free(struct package_builder *b); /* NULL is fine */

/* Copies what INFO says of identity, block size, codec, layout; pointers and counts are ignored. */
int package_builder_set_info(struct package_builder *b, const struct package_info *info,
                             struct err *e) must_check;

/* Whether TEXT can stand in the header: up to 255 bytes of valid UTF-8 without control characters.
 * NULL is an empty text. WHAT names it in the message. Fails with ERR_BAD_NAME. */
int package_text_check(const char *text, const char *what, struct err *e) must_check;

/* A stretch of LEN stored bytes at OFFSET that decodes to DECODED bytes. Its blocks can be added then, from
 * *begin on. ERR_CORRUPT when it lies outside the container or claims more than deflate can give. */
int package_builder_add_stream(struct package_builder *b, uint64_t offset, uint64_t len, uint64_t decoded,
                               uint64_t *begin, struct err *e) must_check;

int package_builder_add_block(struct package_builder *b, const struct block *block, struct err *e)
    must_check;
int package_builder_add_extent(struct package_builder *b, const struct extent *x, struct err *e)
    must_check;

/*
 * NODE supplies size, times, flags, sd, and child_count or extent_count; parent, first_child,
 * first_extent, name and the lengths are derived (breadth-first order makes them unambiguous, so
 * a loop cannot be expressed). NAME is empty for the root only; SHORT_NAME may be empty, and one
 * that equals NAME is dropped. FILE_ID is given exactly when the flags say NODE_FILE_ID.
 */
int package_builder_add_node(struct package_builder *b, const struct node *node, const char *name,
                             size_t name_len, const char *short_name, size_t short_len,
                             const struct guid *file_id, struct err *e) must_check;

int package_builder_add_launch_run(struct package_builder *b, struct block_run run, struct err *e)
    must_check;
int package_builder_add_version(struct package_builder *b, const struct package_version *v,
                                struct err *e) must_check;
int package_builder_add_sd(struct package_builder *b, const uint8_t *sd, size_t len, struct err *e)
    must_check;

/* Dictionary of the package's zstd blocks; copied. At most once. */
int package_builder_set_dictionary(struct package_builder *b, const uint8_t *data, size_t len,
                                   struct err *e) must_check;

/* Copies; an empty VALUE is left out. LIST and KEY are constants that outlive the package. */
int package_builder_add_detail(struct package_builder *b, const char *list, uint32_t item,
                               const char *key, const char *value, struct err *e) must_check;

/* Final checks and indexes. On success *out owns everything and the builder is empty. */
int package_builder_finish(struct package_builder *b, struct package **out, struct err *e)
    must_check;

#endif
