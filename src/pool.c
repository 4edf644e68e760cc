/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that is released all at once. Small pieces are cut from chunks, large ones get a chunk of
 * their own; the chunks form a list. See pool.h.
 */
#include "config.h"

#include "src/pool.h"

#include <stdalign.h>
#include <string.h>

#define CHUNK_BYTES 4096u

struct chunk {
    struct chunk *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

struct pool {
    struct chunk *first; /* the one being cut */
};

struct pool *pool_new(void)
{
    return calloc(1, sizeof(struct pool));
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    for (struct chunk *c = pool->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(pool);
}

static struct chunk *add_chunk(struct pool *pool, size_t size)
{
    size_t total;
    if (add_overflows(sizeof(struct chunk), size, &total))
        return NULL;
    struct chunk *c = calloc(1, total);
    if (!c)
        return NULL;
    c->size = size;
    c->next = pool->first;
    pool->first = c;
    return c;
}

void *pool_zalloc(struct pool *pool, size_t count, size_t size)
{
    size_t want;
    if (mul_overflows(count, size, &want) ||
        add_overflows(want, alignof(max_align_t) - 1, &want))
        return NULL;
    want &= ~(alignof(max_align_t) - 1);

    struct chunk *c = pool->first;
    if (!c || want > c->size - c->used)
        c = add_chunk(pool, want > CHUNK_BYTES ? want : CHUNK_BYTES);
    if (!c)
        return NULL;
    void *at = c->bytes + c->used;
    c->used += want;
    return at;
}

char *pool_strndup(struct pool *pool, const char *text, size_t len)
{
    size_t size;
    if (add_overflows(len, 1u, &size))
        return NULL;
    char *copy = pool_zalloc(pool, size, 1);
    if (copy)
        memcpy(copy, text, len);
    return copy;
}
