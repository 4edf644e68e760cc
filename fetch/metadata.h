/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes that a package was read from, kept (struct container_input) until its place in the disk cache
 * is known. Where the format has its metadata at the front (SFT) that is one piece; a ZIP archive has it
 * at the end and here and there. Single-threaded.
 */
#ifndef FETCH_METADATA_H
#define FETCH_METADATA_H

#include <stdint.h>

#include "fetch/cache.h"
#include "src/compiler.h"
#include "src/container_format.h"
#include "src/err.h"
#include "src/package.h"

/* The sink for package_read(); ARG is a struct container_input, to be cleared with
 * container_input_clear(). */
int metadata_keep(void *arg, uint64_t offset, const uint8_t *bytes, size_t len, struct err *e)
    must_check;

/* Stores what was kept as P's in C, unless that is there; and the blocks that came with it. ERR_INVALID
 * when it is not all of it. */
int metadata_store(const struct container_input *kept, const struct package *p, struct cache *c,
                   struct err *e) must_check;

#endif
