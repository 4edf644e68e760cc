/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A partial file: an upper file some of whose bytes are still those of the package. The upper file
 * has its true size and holes where nothing was written; a map says for every unit of 4096 bytes
 * where its content is:
 *
 *   LOWER    in the package (below lower_limit; beyond it the unit reads as zeros)
 *   WRITTEN  in the upper file, written since the machine started; not yet known to be on its disk
 *   UPPER    in the upper file, whatever is there
 *
 * Bytes at or beyond lower_limit are always in the upper file, also those of a LOWER unit that the
 * limit divides.
 *
 * The map is a file in maps/ (block_map.h), made when the first unit is written: a file that was
 * only renamed, touched, cut off or appended to has none. A unit is marked after its data was
 * written, so the map survives the death of the process exactly. After a power cut a WRITTEN unit
 * counts only if its whole range is data in the upper file (the map remembers the boot id);
 * partial_sync() turns WRITTEN into UPPER.
 *
 * lower_limit only ever falls: cutting a file off and extending it again must not bring old bytes
 * back.
 *
 * All functions take the upper file's descriptor FD (O_RDWR) from the caller and may be called from
 * any thread: a lock of the partial file's own orders writers and is held over the local writes,
 * never over fetching lower bytes, which is the caller's part.
 */
#ifndef FS_OVERLAY_PARTIAL_H
#define FS_OVERLAY_PARTIAL_H

#include <stdint.h>
#include <sys/types.h>

#include "fs/overlay/marker.h"
#include "fs/overlay/store.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

#define PARTIAL_UNIT 4096u

struct partial;

/* Fingerprint of the content of package file INDEX: the same exactly (but for the hashes' strength)
 * when size and bytes are the same in the same blocks. SHA-256 over size and (block hash, from,
 * length) of its pieces, 16 bytes of it. Work proportional to the file's blocks, no I/O. Fails when
 * there is no memory: what is in *out then must not get into a mark. */
int partial_fingerprint(const struct package *p, uint32_t index, uint8_t out[16]) must_check;

/*
 * For an upper file with marker MARK. SIZE is its present size. Reads the map if MARK names one:
 * ERR_CORRUPT when it is missing or damaged. Applies the rule for WRITTEN units after a reboot.
 */
int partial_open(struct overlay_store *s, int fd, uint64_t size, const struct partial_mark *mark,
                 struct partial **out, struct err *e) must_check;

/* For a file just copied up, with everything still in the package: no file is touched. */
int partial_new(struct overlay_store *s, const struct partial_mark *mark,
                struct partial **out) must_check;
void partial_free(struct partial *p); /* NULL is fine; syncs nothing */

struct span64 {
    uint64_t off, len;
};
struct partial_run {
    uint64_t off, len;
    bool lower;
};

/*
 * Where bytes [off, off + len) are, as runs in order that cover it; at most MAX of them, fewer
 * bytes then. `lower` runs never reach beyond lower_limit. A caller that reads an upper run may
 * find a unit changed in between: as with any two concurrent operations, either content is right.
 */
size_t partial_runs(struct partial *p, uint64_t off, uint64_t len, struct partial_run *out,
                    size_t max);

/* Bytes that a write to [off, off + len) of a file of SIZE bytes needs from the package first: the
 * parts of its first and last unit that are LOWER and not wholly overwritten. Returns 0, 1 or 2
 * spans, each a whole unit cut at lower_limit. */
unsigned partial_write_needs(struct partial *p, uint64_t off, uint64_t len, struct span64 need[2]);

/* Stores lower bytes of whole units (a span from partial_write_needs(), or any number of them as
 * partial_next_lower() gives) unless they are there already. What the limit has passed since is
 * left out. */
int partial_fill(struct partial *p, int fd, uint64_t off, const void *data, size_t len) must_check;

/* Writes, after the needs are filled (a need that has come up since is -EAGAIN: ask and fill
 * again). Returns bytes written or a negative errno. Copies nothing. */
ssize_t partial_write(struct partial *p, int fd, const void *data, size_t len,
                      uint64_t off) must_check;

/* Sets the size. Down: lower_limit falls; a file of size 0 is plain at once. Up: a hole. Never
 * needs lower bytes. */
int partial_truncate(struct partial *p, int fd, uint64_t size) must_check;

/* fallocate(2) with MODE; for PUNCH_HOLE and ZERO_RANGE fill the needs first as for a write
 * (-EAGAIN). -EOPNOTSUPP for what moves bytes about. */
int partial_fallocate(struct partial *p, int fd, int mode, uint64_t off, uint64_t len) must_check;

/* SEEK_DATA and SEEK_HOLE: what is still in the package is data. */
off_t partial_seek(struct partial *p, int fd, off_t off, int whence);

/* Brings data, then map, then the map's name to the disk. */
int partial_sync(struct partial *p, int fd) must_check;

/* Whether a byte of the package is still needed. */
bool partial_needs_lower(struct partial *p);

/* Whether nothing but metadata was ever changed (no map, size as it was). May be false for a file
 * that was changed back. */
bool partial_is_untouched(struct partial *p);

/* Whether something was changed since the last partial_sync(). */
bool partial_is_dirty(struct partial *p);

/* Whether partial_finish() was done. */
bool partial_is_plain(struct partial *p);

/* For a file that needs the package no more: syncs its data, removes marker and map. The file is
 * plain now; P stays usable (others may be at it) and goes on as a file without lower bytes.
 * Idempotent. -EINVAL while bytes are missing. */
int partial_finish(struct partial *p, int fd) must_check;

/* Removes the map of a file that has no name (any more). P stays usable: changes are kept in memory
 * alone. */
void partial_discard(struct partial *p);

/* The next LOWER run at or after the unit of OFF, for completing a file; it begins with a unit and
 * may be as long as the file. False when there is none. */
bool partial_next_lower(struct partial *p, uint64_t off, struct span64 *out);

/* Bytes that are in the upper file, for people. */
uint64_t partial_upper_bytes(struct partial *p, uint64_t size);

#endif
