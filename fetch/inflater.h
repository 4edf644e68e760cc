/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random access to deflate streams whose blocks nobody knows the places of (struct package_stream). Decoding
 * goes from the beginning; what has been gone through is remembered at points, so that going back costs a
 * stretch of at most a 64th of the stream or 1 MiB, whichever is more; where several large streams are read,
 * they share the points, and the stretches are longer. Memory: up to 128 points of 43 KiB, 64 bytes a stream,
 * and 4 readers in order with 300 KiB each. Single-threaded.
 */
#ifndef FETCH_INFLATER_H
#define FETCH_INFLATER_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

#define INFLATER_RESTARTS 8u

struct inflater;

/* Reads LEN bytes at OFFSET of the container. */
typedef int (*inflater_input_fn)(void *arg, uint64_t offset, uint8_t *buf, size_t len, struct err *e);

/* STREAMS are copied. 0 or -ENOMEM. */
int inflater_new(const struct package_stream *streams, size_t count, inflater_input_fn input, void *arg,
                 struct inflater **out) must_check;
void inflater_free(struct inflater *d); /* NULL is fine */

/*
 * Bytes [at, at + len) of a stream, AT as in struct package_stream. ERR_INVALID when they are not all in
 * one; ERR_CORRUPT for invalid data; the errors of INPUT. After an error what was remembered of the
 * place is forgotten.
 */
int inflater_read(struct inflater *d, uint64_t at, uint8_t *buf, size_t len, struct err *e) must_check;

/*
 * Forgets all that was remembered of the stream that AT is in: its bytes may come from elsewhere now. False, and
 * nothing is forgotten, when there is none or that has been done INFLATER_RESTARTS times: what stays wrong would
 * be decoded from its beginning for each of its blocks.
 */
bool inflater_forget(struct inflater *d, uint64_t at);

/* A word of the caller's for the stream that AT is in, 0 at first; NULL when it is in none. */
uint64_t *inflater_note(struct inflater *d, uint64_t at);

#endif
