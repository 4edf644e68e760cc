/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The central directory of a ZIP archive (APPNOTE.TXT 6.3.10), as far as packages need it: ZIP64, bytes in
 * front of the archive, comments; no split and no encrypted archives. What is inside the entries is the
 * caller's. Pure, over what is known of an object (container_format.h): says what it needs, then reads.
 */
#ifndef SRC_ZIP_H
#define SRC_ZIP_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/container_format.h"
#include "src/err.h"

#define ZIP_LOCAL_MIN 30u         /* bytes of a local header without name and extra fields */
#define ZIP_ENTRIES_MAX   (1u << 24)
#define ZIP_DIRECTORY_MAX (UINT64_C(2) << 30)

enum zip_method { ZIP_STORED = 0, ZIP_DEFLATED = 8 };

#define ZIP_FLAG_DESCRIPTOR (1u << 3) /* sizes and checksum follow the data */

struct zip_entry {
    const char *name; /* bytes as stored, not terminated; borrowed from the input; '/' at the end of
                       * directories. Two entries may have the same. */
    uint16_t name_len;
    uint16_t flags;   /* general purpose bits */
    uint16_t method;  /* enum zip_method or any other */
    uint32_t crc;
    uint32_t dos_time; /* date << 16 | time */
    uint64_t csize, size;
    uint64_t local;   /* offset of the local header in the object */
    uint64_t room;    /* bytes from there to the next one, or to the directory: at least
                       * ZIP_LOCAL_MIN + name_len + csize */
};

struct zip_directory {
    uint64_t offset, length; /* in the object */
    uint64_t prefix;         /* bytes before the archive, which the offsets in it do not count */
    bool zip64;
    struct zip_entry *entries; /* in the directory's order; owned */
    uint32_t count;
};

/* Whether the object can be a ZIP archive by its first bytes. */
bool zip_begins(const struct container_input *in);

/* As container_format.need(); after 0, zip_read() has what it needs. ERR_NOT_A_PACKAGE when there is
 * no end record, ERR_TRUNCATED when there is none of what begins like an archive, or when its comment is
 * cut off, ERR_CORRUPT also when bytes follow it,
 * ERR_LIMIT, ERR_UNSUPPORTED. */
int zip_need(const struct container_input *in, struct byte_range *want, struct err *e) must_check;

/* Entries lie one behind another, in any order, inside the object and before the directory, or it is
 * ERR_CORRUPT: no byte belongs to two. Stored ones have csize == size. ERR_UNSUPPORTED: encrypted,
 * split, or with flags that are reserved. Free with zip_directory_free(), also what failed. */
int zip_read(const struct container_input *in, struct zip_directory *out, struct err *e) must_check;
void zip_directory_free(struct zip_directory *d);

/*
 * The directory and the end records as they would be if OMITTED, the last thing before them with
 * OMITTED_LEN bytes (at most its room), were not in the archive: what a signature that is added to an
 * archive can be over. Owned by the caller. Needs the end of the object to be at hand. ERR_UNSUPPORTED with
 * bytes before the archive.
 */
int zip_directory_without(const struct container_input *in, const struct zip_directory *d,
                          const struct zip_entry *omitted, uint64_t omitted_len, uint8_t **out,
                          size_t *len, struct err *e) must_check;

/*
 * Looks at the local header in BYTES, which are LEN bytes from entry->local on, the name included:
 * *data_at is where the data begins, counted from there; the data ends within entry->room.
 * ERR_TRUNCATED, ERR_CORRUPT.
 */
int zip_local_header(const struct zip_entry *entry, const uint8_t *bytes, size_t len,
                     uint32_t *data_at, struct err *e) must_check;

/* FILETIME ticks of entry->dos_time, which has no zone and is taken as UTC; 0 for an impossible one. */
int64_t zip_time(uint32_t dos_time);

#endif
