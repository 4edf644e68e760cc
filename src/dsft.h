/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Differential SFT: what a new version of a package has and an older one (its base) has not, cut
 * from the new version's SFT. It holds the new version's metadata whole and the stored bytes of its
 * last blocks, so that with the base, or a cache of it, there is the whole new version. Layout:
 * src/sft-format.md, section 12.
 *
 *     dsft_read_header(head, len, file_size, &h, e);          // head: DSFT_HEAD_BYTES
 *     dsft_read_package(&h, metadata, h.metadata_bytes, &package, e);
 *                                         // metadata: from offset DSFT_HEAD_BYTES of the file on
 *     for (i = h.first_block; i < h.first_block + h.block_count; i++)
 *         ... package_block(package, i)->stored_len bytes at dsft_block_offset(&h, package, i)
 *
 * After both calls everything agrees: hashes, GUIDs, numbers, lengths, and the base is in the
 * package's history with these blocks behind it. Blocks are verified when they are read, with
 * package_decode_block(). Pure: memory in, memory out. fetch/dsft_open.h does the reading.
 */
#ifndef SRC_DSFT_H
#define SRC_DSFT_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/container_format.h"
#include "src/err.h"
#include "src/package.h"
#include "src/sftlayout.h"

#define DSFT_HEAD_BYTES SFT_DSFT_FIXED_SIZE

/* Whether a file that begins with these bytes is a differential SFT, of whatever layout. */
bool dsft_begins(const void *head, size_t len);

/*
 * Reads and checks the header. HEAD holds the first LEN bytes of a file of FILE_SIZE bytes:
 * DSFT_HEAD_BYTES, or all there are. ERR_NOT_A_PACKAGE, ERR_FOREIGN_LAYOUT, ERR_UNSUPPORTED,
 * ERR_TRUNCATED, ERR_CHECKSUM, ERR_CORRUPT, ERR_LIMIT.
 */
int dsft_read_header(const void *head, size_t len, uint64_t file_size, struct sft_dsft *out,
                     struct err *e) must_check;

/*
 * The new version, with the offsets that blocks have in its SFT. METADATA are LEN bytes of the file
 * from DSFT_HEAD_BYTES on; LEN must be H->metadata_bytes. Errors as of an SFT, and ERR_CORRUPT when
 * header and metadata disagree. The caller owns *out.
 */
int dsft_read_package(const struct sft_dsft *h, const void *metadata, size_t len,
                      struct package **out, struct err *e) must_check;

/* Both of them over memory holding a whole file (tests, fuzzers). */
int dsft_read_memory(const void *data, size_t len, struct sft_dsft *h, struct package **out,
                     struct err *e) must_check;

/* Where the stored bytes of BLOCK are in the differential SFT. It must be one that it has. */
uint64_t dsft_block_offset(const struct sft_dsft *h, const struct package *p, uint32_t block);

/*
 * What takes package P from version info->versions[BASE] to itself: fills *out, and HEAD, which is
 * to be followed by P's metadata and the stored bytes of these blocks. BASE is below
 * info->version_count - 1. 0 or ERR_NO_MEMORY.
 */
int dsft_make_header(const struct package *p, uint32_t base, struct sft_dsft *out,
                     uint8_t head[DSFT_HEAD_BYTES], struct err *e) must_check;

/* For the table in container.c: knows a differential SFT, describes it, and refuses to open it as
 * a package with advice. */
extern const struct container_format container_dsft;

#endif
