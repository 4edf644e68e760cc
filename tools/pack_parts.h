/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the container of AppX, MSIX and App-V 5: a ZIP archive whose files can be read block by block,
 * the block map and [Content_Types].xml. Files are deflated by all threads and written in order. What
 * does not get smaller is stored. The bytes depend on the input only.
 */
#ifndef TOOLS_PACK_PARTS_H
#define TOOLS_PACK_PARTS_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "tools/pack_job.h"

struct pack_parts;

/* Writes to JOB's output; JOB is borrowed. */
int pack_parts_new(struct pack_job *job, struct pack_parts **out, struct err *e) must_check;
void pack_parts_free(struct pack_parts *p); /* NULL is fine */

/* Adds files of the tree, ENTRIES, in this order, each as PREFIX and its path. ERR_INVALID for names
 * that a package cannot have, ERR_LIMIT. Blocks. */
int pack_parts_add_files(struct pack_parts *p, const uint32_t *entries, uint32_t count,
                         const char *prefix, struct err *e) must_check;

/* Adds a document. */
int pack_parts_add_document(struct pack_parts *p, const char *name, const void *data, size_t len,
                            struct err *e) must_check;

/* SHA-256 over all that was added. */
int pack_parts_digest(const struct pack_parts *p, uint8_t out[32]) must_check;

/* The block map, [Content_Types].xml and the archive's directory. */
int pack_parts_finish(struct pack_parts *p, struct err *e) must_check;

#endif
