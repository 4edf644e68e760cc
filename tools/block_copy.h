/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stored blocks on their way from a source into a file that is being written: each is verified. */
#ifndef TOOLS_BLOCK_COPY_H
#define TOOLS_BLOCK_COPY_H

#include <stdint.h>

#include "fetch/source.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

struct block_copy {
    const struct package *package;
    struct source *source;
    uint64_t moved; /* the source has a block so many bytes (modulo 2^64) behind its offset */
    /* Takes the stored form of the next block; a negative result ends the copying. */
    int (*write)(void *arg, const uint8_t *stored, size_t len, struct err *e);
    void *arg;
};

/* Copies COUNT blocks in a row from FIRST on, in requests of about a megabyte. ERR_BLOCK_HASH or
 * ERR_BLOCK_DECODE for a bad one; errors of the source and of WRITE. Blocks. */
int block_copy(const struct block_copy *c, uint32_t first, uint32_t count,
               struct err *e) must_check;

#endif
