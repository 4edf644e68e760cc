/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening a package: a source plus the container format it holds, in as few reads as possible. */
#ifndef FETCH_OPEN_H
#define FETCH_OPEN_H

#include "fetch/source.h"
#include "src/container_format.h"
#include "src/package.h"

/* Is given the ranges of the container that the metadata was read from, in ascending order. BYTES
 * are borrowed. 0, or a negative errno to stop (ERR filled). */
typedef int (*package_bytes_fn)(void *arg, uint64_t offset, const uint8_t *bytes, size_t len,
                                struct err *e);

/*
 * Reads the package metadata from S. CO and SINK may be NULL. The caller owns *out, or else *elsewhere: the
 * name of the object beside S that holds the package (see container.h); with ELSEWHERE NULL that is
 * ERR_UNSUPPORTED.
 */
int package_read(struct source *s, const struct container_options *co, package_bytes_fn sink,
                 void *arg, struct package **out, char **elsewhere, struct err *e) must_check;

/* Makes of "not a package" a better word where the name of LOCATION gives one: encrypted packages (.eappx,
 * .emsix) have a container of their own, and a key that only Windows has. */
void package_explain(const char *location, struct err *e);

/*
 * Opens LOCATION, or the object beside it that it names, and reads its package metadata: one range request
 * for most packages, two at the most for a well-formed one. On success the caller owns both; the source
 * has the package's streams (source_streams.h). Blocks up to the deadline.
 */
int package_open(const char *location, const struct source_options *o, struct source **source,
                 struct package **package, struct err *e) must_check;

/* The same; what was read is added to KEPT (NULL: to nothing), also after an error. */
int package_open_kept(const char *location, const struct source_options *o, struct container_input *kept,
                      struct source **source, struct package **package, struct err *e) must_check;

#endif
