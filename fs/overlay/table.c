/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The upper names of one directory. See table.h.
 *
 * Removing leaves a gap in the array; gaps at its end go at once and those inside when the array
 * would have to grow, so that it stays in proportion to the names.
 */
#include "config.h"

#include "fs/overlay/table.h"

#include <string.h>

#include "src/fold.h"

enum { FIRST_BUCKETS = 8, FIRST_PLACES = 8 };

struct overlay_table *table_new(void)
{
    return calloc(1, sizeof(struct overlay_table));
}

void table_free(struct overlay_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->place_count; i++)
        free(t->places[i].name);
    for (size_t i = 0; i < TABLE_SPARES; i++)
        free(t->spares[i]);
    free(t->places);
    free(t->buckets);
    free(t);
}

static uint32_t hash_of(const struct overlay *o, const char *name, size_t len)
{
    uint64_t hash = fold_hash(o->fold_key, 0, name, len);
    return (uint32_t)(hash ^ hash >> 32);
}

static struct overlay_name **bucket_of(const struct overlay_table *t, uint32_t hash)
{
    return &t->buckets[hash & (t->bucket_count - 1)];
}

static int grow_buckets(struct overlay_table *t, size_t names)
{
    size_t count = t->bucket_count ? t->bucket_count : FIRST_BUCKETS;

    while (count < names)
        count *= 2;
    if (count == t->bucket_count)
        return 0;
    struct overlay_name **old = t->buckets, **buckets = calloc(count, sizeof *buckets);
    if (!buckets)
        return -ENOMEM;
    t->buckets = buckets;
    t->bucket_count = count;
    for (size_t i = 0; i < t->place_count; i++) {
        struct overlay_name *n = t->places[i].name;
        if (!n)
            continue;
        n->next_hash = *bucket_of(t, n->hash);
        *bucket_of(t, n->hash) = n;
    }
    free(old);
    return 0;
}

static void close_gaps(struct overlay_table *t)
{
    size_t to = 0;

    for (size_t i = 0; i < t->place_count; i++)
        if (t->places[i].name)
            t->places[to++] = t->places[i];
    t->place_count = to;
}

static int grow_places(struct overlay_table *t, size_t more)
{
    if (t->place_room - t->place_count >= more)
        return 0;
    if (t->place_room >= 2 * (t->names + more)) {
        close_gaps(t);
        return 0;
    }
    size_t room = t->place_room ? 2 * t->place_room : FIRST_PLACES;
    struct table_place *places = realloc(t->places, room * sizeof *places);
    if (!places)
        return -ENOMEM;
    t->places = places;
    t->place_room = room;
    return 0;
}

int table_reserve(struct overlay_table *t)
{
    if (grow_buckets(t, t->names + TABLE_SPARES) || grow_places(t, TABLE_SPARES))
        return -ENOMEM;
    for (size_t i = 0; i < TABLE_SPARES; i++) {
        if (!t->spares[i])
            t->spares[i] = malloc(sizeof *t->spares[i] + NAME_MAX_BYTES + 1);
        if (!t->spares[i])
            return -ENOMEM;
    }
    return 0;
}

static struct overlay_name *new_name(struct overlay_table *t, size_t len)
{
    struct overlay_name *n = malloc(sizeof *n + len + 1);

    for (size_t i = 0; !n && len <= NAME_MAX_BYTES && i < TABLE_SPARES; i++)
        n = steal_ptr(&t->spares[i]);
    return n;
}

struct overlay_name *table_insert(const struct overlay *o, struct overlay_table *t,
                                  const char *text, size_t len, uint32_t covers)
{
    /* A larger bucket array only makes it faster, once there is one. */
    if ((grow_buckets(t, t->names + 1) && !t->buckets) || grow_places(t, 1))
        return NULL;
    struct overlay_name *n = new_name(t, len);
    if (!n)
        return NULL;
    *n = (struct overlay_name){
        .serial = t->next_serial++,
        .hash = hash_of(o, text, len),
        .covers = covers,
        .len = (uint16_t)len,
    };
    memcpy(n->text, text, len);
    n->text[len] = '\0';
    n->next_hash = *bucket_of(t, n->hash);
    *bucket_of(t, n->hash) = n;
    t->places[t->place_count++] = (struct table_place){ .serial = n->serial, .name = n };
    t->names++;
    t->covering += covers != NODE_NONE;
    return n;
}

void table_show(struct overlay_table *t, struct overlay_name *name, struct overlay_node *node)
{
    name->node = node;
    t->shown++;
    if (name->covers == NODE_NONE)
        return;
    name->at_child = true;
    for (const struct overlay_name *n = *bucket_of(t, name->hash); n; n = n->next_hash)
        if (n != name && n->covers == name->covers && n->at_child)
            name->at_child = false;
}

void table_remove(struct overlay_table *t, struct overlay_name *name)
{
    struct overlay_name **link = bucket_of(t, name->hash);

    while (*link != name)
        link = &(*link)->next_hash;
    *link = name->next_hash;
    t->places[table_place_from(t, name->serial)].name = NULL;
    while (t->place_count && !t->places[t->place_count - 1].name)
        t->place_count--;
    t->names--;
    t->shown -= name->node != NULL;
    t->covering -= name->covers != NODE_NONE;
    free(name);
}

/* How well a name that matches answers: the larger the better. */
static unsigned rank(const struct overlay_name *n, const char *name, size_t len)
{
    return (n->node ? 2 : 0) + (n->len == len && !memcmp(n->text, name, len) ? 1 : 0);
}

struct overlay_name *table_find(const struct overlay *o, const struct overlay_table *t,
                                const char *name, size_t len)
{
    struct overlay_name *best = NULL;
    uint32_t hash;

    if (!t->names)
        return NULL;
    hash = hash_of(o, name, len);
    for (struct overlay_name *n = *bucket_of(t, hash); n; n = n->next_hash) {
        if (n->hash != hash)
            continue;
        if (o->case_sensitive ? n->len != len || memcmp(n->text, name, len)
                              : !fold_equal(n->text, n->len, name, len))
            continue;
        unsigned this = rank(n, name, len), other = best ? rank(best, name, len) : 0;
        if (!best || this > other || (this == other && strcmp(n->text, best->text) < 0))
            best = n;
    }
    return best;
}

struct overlay_name *table_covering(const struct overlay *o, const struct overlay_table *t,
                                    uint32_t child)
{
    struct overlay_name *found = NULL;
    uint32_t hash;

    if (!t->covering)
        return NULL;
    hash = hash_of(o, package_name(o->package, child), package_node(o->package, child)->name_len);
    for (struct overlay_name *n = *bucket_of(t, hash); n; n = n->next_hash)
        if (n->covers == child && (!found || n->at_child))
            found = n;
    return found;
}

size_t table_place_from(const struct overlay_table *t, uint64_t serial)
{
    size_t low = 0, high = t->place_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->places[middle].serial < serial)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
