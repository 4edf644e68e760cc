/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Equal blocks: a sorted array. See block_match.h. Not a hash table: the hashes are what a package
 * claims, and one made with care could make that slow. */
#include "config.h"

#include "src/block_match.h"

#include <string.h>

struct entry {
    uint8_t hash[BLOCK_HASH_SIZE];
    uint32_t block;
};

struct block_match {
    const struct package *package;
    size_t count;
    struct entry entries[]; /* by hash, then number */
};

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int c = memcmp(x->hash, y->hash, sizeof x->hash);

    return c ? c : (x->block > y->block) - (x->block < y->block);
}

int block_match_new(const struct package *p, struct block_match **out)
{
    uint32_t count = package_info(p)->block_count;
    struct block_match *m = malloc(sizeof *m + count * sizeof *m->entries);

    if (!m)
        return -ENOMEM;
    m->package = p;
    m->count = count;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(m->entries[i].hash, package_block(p, i)->hash, BLOCK_HASH_SIZE);
        m->entries[i].block = i;
    }
    qsort(m->entries, count, sizeof *m->entries, compare);
    *out = m;
    return 0;
}

void block_match_free(struct block_match *m)
{
    free(m);
}

uint32_t block_match_find(const struct block_match *m, const struct block *want)
{
    size_t low = 0, high = m->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(m->entries[middle].hash, want->hash, BLOCK_HASH_SIZE) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    /* Of several with this hash the first will do: if it differs otherwise, a package lies. */
    if (low == m->count || memcmp(m->entries[low].hash, want->hash, BLOCK_HASH_SIZE))
        return BLOCK_MATCH_NONE;
    const struct block *b = package_block(m->package, m->entries[low].block);
    return b->stored_len == want->stored_len && b->len == want->len && b->codec == want->codec
               ? m->entries[low].block
               : BLOCK_MATCH_NONE;
}
