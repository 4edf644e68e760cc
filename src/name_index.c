/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An open-addressing hash table of at most half its slots in use. See name_index.h. */
#include "config.h"

#include "src/name_index.h"

#include <unistd.h>

#include "src/fold.h"

#define FIRST_SLOTS 64u

struct slot {
    const char *name; /* NULL = free */
    uint64_t hash;
    size_t len;
    uint32_t parent, value;
};

struct name_index {
    uint64_t key[2];
    struct slot *slots;
    size_t slot_count; /* a power of two */
    size_t used;
};

int name_index_new(struct name_index **out, struct err *e)
{
    struct name_index *x = calloc(1, sizeof *x);
    if (!x)
        return err_nomem(e);
    x->slot_count = FIRST_SLOTS;
    x->slots = calloc(x->slot_count, sizeof *x->slots);
    int rc = x->slots ? 0 : err_nomem(e);
    if (!rc && getentropy(x->key, sizeof x->key))
        rc = err_sys(e, "no random numbers");
    if (rc) {
        name_index_free(x);
        return rc;
    }
    *out = x;
    return 0;
}

void name_index_free(struct name_index *x)
{
    if (!x)
        return;
    free(x->slots);
    free(x);
}

/* The slot that holds the name, or the free one where it belongs. */
static struct slot *slot_for(const struct name_index *x, uint64_t hash, uint32_t parent, const char *name,
                             size_t len)
{
    size_t mask = x->slot_count - 1;

    for (size_t at = (size_t)hash & mask;; at = (at + 1) & mask) {
        struct slot *s = &x->slots[at];
        if (!s->name ||
            (s->hash == hash && s->parent == parent && fold_equal(s->name, s->len, name, len)))
            return s;
    }
}

static int grow(struct name_index *x, struct err *e)
{
    struct name_index more = *x;

    more.slot_count = x->slot_count * 2;
    more.slots = calloc(more.slot_count, sizeof *more.slots);
    if (!more.slots)
        return err_nomem(e);
    for (size_t i = 0; i < x->slot_count; i++) {
        const struct slot *s = &x->slots[i];
        size_t at = (size_t)s->hash & (more.slot_count - 1);
        if (!s->name)
            continue;
        while (more.slots[at].name)
            at = (at + 1) & (more.slot_count - 1);
        more.slots[at] = *s;
    }
    free(x->slots);
    *x = more;
    return 0;
}

int name_index_add(struct name_index *x, uint32_t parent, const char *name, size_t len,
                   uint32_t value, uint32_t *found, struct err *e)
{
    if (x->used >= x->slot_count / 2) {
        int rc = grow(x, e);
        if (rc)
            return rc;
    }
    uint64_t hash = fold_hash(x->key, parent, name, len);
    struct slot *s = slot_for(x, hash, parent, name, len);
    if (!s->name) {
        *s = (struct slot){ .name = name, .hash = hash, .len = len, .parent = parent, .value = value };
        x->used++;
    }
    *found = s->value;
    return 0;
}

uint32_t name_index_find(const struct name_index *x, uint32_t parent, const char *name, size_t len)
{
    const struct slot *s = slot_for(x, fold_hash(x->key, parent, name, len), parent, name, len);
    return s->name ? s->value : NAME_INDEX_NONE;
}
