/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Both questions are answered by sorting: files of one size, or of one hash, come to lie together,
 * in the order of their index, so that the result does not depend on the sort. */
#include "config.h"

#include "tools/pack_content.h"

#include <string.h>

struct sort_key {
    const struct pack_content *file;
    uint32_t index;
};

static int compare_keys(const void *a, const void *b)
{
    const struct sort_key *x = a, *y = b;
    if (x->file->size != y->file->size)
        return x->file->size < y->file->size ? -1 : 1;
    int order = 0;
    if (x->file->hash_it && y->file->hash_it)
        order = memcmp(x->file->sha256, y->file->sha256, sizeof x->file->sha256);
    return order ? order : x->index < y->index ? -1 : x->index > y->index;
}

static struct sort_key *sorted_keys(const struct pack_content *files, uint32_t count)
{
    struct sort_key *keys = calloc(count + (size_t)1, sizeof *keys);
    if (!keys)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        keys[i] = (struct sort_key){ &files[i], i };
    qsort(keys, count, sizeof *keys, compare_keys);
    return keys;
}

long pack_content_find_candidates(struct pack_content *files, uint32_t count, struct err *e)
{
    for (uint32_t i = 0; i < count; i++)
        files[i].hash_it = false;
    auto_free struct sort_key *keys = sorted_keys(files, count);
    if (!keys)
        return err_nomem(e);
    long marked = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t size = keys[i].file->size;
        bool shared = (i > 0 && keys[i - 1].file->size == size) ||
                      (i + 1 < count && keys[i + 1].file->size == size);
        files[keys[i].index].hash_it = shared && size > 0;
        marked += shared && size > 0;
    }
    return marked;
}

int pack_content_match(struct pack_content *files, uint32_t count, struct err *e)
{
    auto_free struct sort_key *keys = sorted_keys(files, count);
    if (!keys)
        return err_nomem(e);
    for (uint32_t i = 0; i < count; i++) {
        struct pack_content *f = &files[keys[i].index];
        const struct sort_key *before = i > 0 ? &keys[i - 1] : NULL;
        bool same = before && f->hash_it && before->file->hash_it &&
                    before->file->size == f->size &&
                    memcmp(before->file->sha256, f->sha256, sizeof f->sha256) == 0;
        f->same_as = same ? before->file->same_as : keys[i].index;
    }
    return 0;
}
