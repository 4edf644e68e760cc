/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The end records of a ZIP archive: where its directory is, and the marks of all its records. For
 * src/zip.c and src/zip_write.c only, which are what others use. Pure, over what is known of an object.
 */
#ifndef SRC_ZIP_END_H
#define SRC_ZIP_END_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/container_format.h"
#include "src/err.h"

enum {
    ZIP_END_SIZE = 22,
    ZIP_LOCATOR_SIZE = 20,
    ZIP_END64_SIZE = 56, /* of version 1; longer ones are possible */
    ZIP_CENTRAL_SIZE = 46,
};

#define ZIP_SIGNATURE_CENTRAL 0x02014b50u
#define ZIP_SIGNATURE_LOCAL   0x04034b50u
#define ZIP_SIGNATURE_END     0x06054b50u
#define ZIP_SIGNATURE_END64   0x06064b50u
#define ZIP_SIGNATURE_LOCATOR 0x07064b50u

/* What the end records say. */
struct zip_end {
    uint64_t at;             /* of the first of them */
    uint64_t entries;        /* that fit into LENGTH; at most ZIP_ENTRIES_MAX */
    uint64_t length, offset; /* of the directory, PREFIX not counted; it ends at AT or before */
    uint64_t prefix;         /* bytes before the archive */
    bool zip64;
    bool leads; /* the directory's signature was seen */
};

/* 1: *want is needed, inside the object and not at hand; 0: *end is filled. Errors as zip_need(). */
int zip_locate(const struct container_input *in, struct zip_end *end, struct byte_range *want,
               struct err *e) must_check;

#endif
