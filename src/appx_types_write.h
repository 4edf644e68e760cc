/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes [Content_Types].xml: for every part of an OPC package a media type, by the ending of its name
 * or by the name itself. Nobody looks at the types of payload. Pure; single-threaded.
 */
#ifndef SRC_APPX_TYPES_WRITE_H
#define SRC_APPX_TYPES_WRITE_H

#include "src/compiler.h"
#include "src/err.h"

struct types_writer;

int types_writer_new(struct types_writer **out, struct err *e) must_check;
void types_writer_free(struct types_writer *w); /* NULL is fine */

/* A part: its name in the archive, percent-encoded. */
int types_add_part(struct types_writer *w, const char *name, struct err *e) must_check;

/* Hands the document out, for free(). It also has types for manifest, block map, signature and
 * catalogue, which need not be there. */
int types_write_finish(struct types_writer *w, char **out, size_t *len, struct err *e) must_check;

#endif
