/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that is released all at once: a document's strings and lists live and die together.
 * Single-threaded.
 */
#ifndef SRC_POOL_H
#define SRC_POOL_H

#include "src/compiler.h"

struct pool;

struct pool *pool_new(void);       /* NULL when out of memory */
void pool_free(struct pool *pool); /* NULL is fine */

/* COUNT * SIZE zeroed bytes, aligned for any type; NULL when out of memory or on overflow. */
void *pool_zalloc(struct pool *pool, size_t count, size_t size);

/* A NUL-terminated copy of LEN bytes; NULL when out of memory. */
char *pool_strndup(struct pool *pool, const char *text, size_t len);

#endif
