/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel remembers of names under other spellings. See alias.h. */
#include "config.h"

#include "fs/alias.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "src/fold.h"

struct slot {
    uint64_t key;      /* of directory and folded name */
    uint64_t spelling; /* of the exact bytes */
    uint32_t epoch;    /* free unless the table's */
    bool several;      /* spellings */
};

struct alias_table {
    uint64_t key[2];
    pthread_mutex_t lock;
    _Atomic uint64_t changes; /* grows with each change */
    uint32_t epoch;           /* lock; never 0 */
    uint32_t mask;
    struct slot slots[]; /* lock */
};

int alias_table_new(const uint64_t key[2], uint32_t slots, struct alias_table **out)
{
    struct alias_table *t = calloc(1, sizeof *t + slots * sizeof t->slots[0]);

    if (!t)
        return -ENOMEM;
    t->key[0] = key[0];
    t->key[1] = key[1];
    t->epoch = 1;
    t->mask = slots - 1;
    pthread_mutex_init(&t->lock, NULL);
    *out = t;
    return 0;
}

void alias_table_free(struct alias_table *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* FNV-1a with a random start: tells spellings of one name apart. */
static uint64_t spelling_hash(const struct alias_table *t, const char *name, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ t->key[0];

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
    return h;
}

static struct slot *slot_of(struct alias_table *t, uint64_t key)
{
    return &t->slots[key & t->mask];
}

uint64_t alias_begin(const struct alias_table *t)
{
    return atomic_load(&t->changes);
}

bool alias_note(struct alias_table *t, uint64_t ticket, uint64_t dir, const char *name, size_t len)
{
    uint64_t key = fold_hash(t->key, dir, name, len), spelling = spelling_hash(t, name, len);
    struct slot *s = slot_of(t, key);
    bool noted = false;

    pthread_mutex_lock(&t->lock);
    if (ticket != atomic_load(&t->changes)) {
        /* What was found may be over; the kernel shall ask again next time. */
    } else if (s->epoch != t->epoch) {
        *s = (struct slot){ .key = key, .spelling = spelling, .epoch = t->epoch };
        noted = true;
    } else if (s->key == key) {
        s->several = s->several || s->spelling != spelling;
        noted = true;
    }
    pthread_mutex_unlock(&t->lock);
    return noted;
}

bool alias_changed(struct alias_table *t, uint64_t dir, const char *name, size_t len)
{
    uint64_t key = fold_hash(t->key, dir, name, len), spelling = spelling_hash(t, name, len);
    struct slot *s = slot_of(t, key);
    bool others = false;

    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->changes, 1);
    if (s->epoch == t->epoch && s->key == key) {
        others = s->several || s->spelling != spelling;
        if (!others)
            s->epoch = 0; /* the kernel has changed this one entry itself */
    }
    pthread_mutex_unlock(&t->lock);
    return others;
}

void alias_clear(struct alias_table *t)
{
    pthread_mutex_lock(&t->lock);
    if (++t->epoch == 0)
        t->epoch =
            1; /* 4 billion clearings ago somebody may still be noted: one request too many */
    pthread_mutex_unlock(&t->lock);
}
