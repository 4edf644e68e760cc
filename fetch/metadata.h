/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes that a package was read from, kept until its place in the disk cache is known: pieces of the
 * container, each at its offset. Where the format has its metadata at the front (SFT) that is one piece;
 * a ZIP archive has it at the end and here and there. Single-threaded.
 */
#ifndef FETCH_METADATA_H
#define FETCH_METADATA_H

#include <stdint.h>

#include "fetch/cache.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

struct metadata_piece {
    uint64_t offset;
    uint8_t *bytes;
    size_t len;
};

struct metadata { /* zero is empty */
    struct metadata_piece *pieces; /* none adjacent to another */
    size_t count;
};

/* The sink for package_read(); ARG is the struct metadata. */
int metadata_keep(void *arg, uint64_t offset, const uint8_t *bytes, size_t len, struct err *e)
    must_check;

/* The bytes of [offset, offset + len) in a row, or NULL when one piece does not hold them all. */
const uint8_t *metadata_at(const struct metadata *m, uint64_t offset, uint64_t len);

/* Stores it as P's in C, unless that is there; and the blocks that came with it. ERR_INVALID when M is
 * not all of it. */
int metadata_store(const struct metadata *m, const struct package *p, struct cache *c,
                   struct err *e) must_check;

void metadata_clear(struct metadata *m);

#endif
