/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The output file, which appears complete or not at all: encoded blocks are collected in a file
 * without a name beside it, then metadata and blocks go to a temporary file that is synced and
 * renamed. What has nothing in front is not copied: the file gets its name, where the system can do
 * that. Single-threaded.
 */
#ifndef TOOLS_PACK_OUTPUT_H
#define TOOLS_PACK_OUTPUT_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

struct pack_output;

/* Prepares to write PATH. Fails at once when the directory cannot be written, or when PATH exists
 * and REPLACE is false (ERR_INVALID). */
int pack_output_new(const char *path, bool replace, struct pack_output **out, struct err *e)
    must_check;

/* Without pack_output_finish() before, nothing is left on the disk. NULL is fine. */
void pack_output_free(struct pack_output *o);

/* Appends bytes: of an SFT the stored form of a block. */
int pack_output_append(struct pack_output *o, const uint8_t *data, size_t len, struct err *e)
    must_check;

/* Changes bytes that were appended. */
int pack_output_overwrite(struct pack_output *o, uint64_t off, const void *data, size_t len,
                          struct err *e) must_check;

/* How long what was appended is together. */
uint64_t pack_output_length(const struct pack_output *o);

/* Called between the steps of a long copy; a negative result ends it. */
typedef int (*pack_output_tick_fn)(void *arg, struct err *e);

/* Puts METADATA (LEN may be 0) in front of what was appended and makes PATH appear. */
int pack_output_finish(struct pack_output *o, const uint8_t *metadata, size_t len,
                       pack_output_tick_fn tick, void *arg, struct err *e) must_check;

/* Writes a small file in the same all-or-nothing way. */
int pack_output_file(const char *path, bool replace, const void *data, size_t len, struct err *e)
    must_check;

#endif
