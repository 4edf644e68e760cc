/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes by id and by upper inode number. See ids.h.
 *
 * Slots live in chunks that never move and are freed last, so a reader needs no lock: it loads the
 * chunk, the use count and the node. Id = OVERLAY_UPPER_ID + slot + 1 + uses << USES_SHIFT.
 */
#include "config.h"

#include "fs/overlay/ids.h"

enum {
    CHUNK_SLOTS = 4096,
    CHUNKS_MAX = 32768,
    USES_SHIFT = 41, /* above OVERLAY_UPPER_ID */
    USES_MASK = (1 << 20) - 1,
    FIRST_INOS = 64,
};

#define SLOT_NONE UINT32_MAX
#define SLOT_MASK (OVERLAY_UPPER_ID - 1)

struct slot {
    struct overlay_node *_Atomic node;
    _Atomic uint32_t uses;
    uint32_t next_free;
};

struct overlay_id_table {
    struct slot *_Atomic chunks[CHUNKS_MAX];
    uint32_t count; /* slots ever used */
    uint32_t free;  /* first of those to use again */
};

int ids_new(struct overlay_id_table **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return -ENOMEM;
    (*out)->free = SLOT_NONE;
    return 0;
}

void ids_free(struct overlay_id_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < CHUNKS_MAX; i++)
        free(atomic_load_explicit(&t->chunks[i], memory_order_relaxed));
    free(t);
}

static struct slot *slot_at(const struct overlay_id_table *t, uint64_t slot)
{
    if (slot / CHUNK_SLOTS >= CHUNKS_MAX)
        return NULL;
    struct slot *chunk =
        atomic_load_explicit(&t->chunks[slot / CHUNK_SLOTS], memory_order_acquire);
    return chunk ? &chunk[slot % CHUNK_SLOTS] : NULL;
}

static int new_slot(struct overlay_id_table *t, uint32_t *out)
{
    if (t->free != SLOT_NONE) {
        *out = t->free;
        t->free = slot_at(t, *out)->next_free;
        return 0;
    }
    if (t->count == (uint32_t)CHUNK_SLOTS * CHUNKS_MAX)
        return -ENOMEM;
    if (t->count % CHUNK_SLOTS == 0) {
        struct slot *chunk = calloc(CHUNK_SLOTS, sizeof *chunk);
        if (!chunk)
            return -ENOMEM;
        atomic_store_explicit(&t->chunks[t->count / CHUNK_SLOTS], chunk, memory_order_release);
    }
    *out = t->count++;
    return 0;
}

int ids_add(struct overlay_id_table *t, struct overlay_node *node)
{
    uint32_t at;
    int rc = new_slot(t, &at);

    if (rc)
        return rc;
    struct slot *slot = slot_at(t, at);
    uint32_t uses = atomic_load_explicit(&slot->uses, memory_order_relaxed);
    node->id = OVERLAY_UPPER_ID + at + 1 + ((uint64_t)(uses & USES_MASK) << USES_SHIFT);
    atomic_store_explicit(&slot->node, node, memory_order_release);
    return 0;
}

void ids_remove(struct overlay_id_table *t, struct overlay_node *node)
{
    uint32_t at = (uint32_t)(node->id & SLOT_MASK) - 1;
    struct slot *slot = slot_at(t, at);

    atomic_store_explicit(&slot->node, NULL, memory_order_release);
    atomic_fetch_add_explicit(&slot->uses, 1, memory_order_release);
    slot->next_free = t->free;
    t->free = at;
}

struct overlay_node *ids_find(const struct overlay_id_table *t, uint64_t id)
{
    struct slot *slot = id & OVERLAY_UPPER_ID ? slot_at(t, (id & SLOT_MASK) - 1) : NULL;

    if (!slot)
        return NULL;
    /* The count first: a node put there since has a higher one. */
    uint32_t uses = atomic_load_explicit(&slot->uses, memory_order_acquire);
    struct overlay_node *node = atomic_load_explicit(&slot->node, memory_order_acquire);
    return (uses & USES_MASK) == id >> USES_SHIFT ? node : NULL;
}

struct overlay_node *ids_next(const struct overlay_id_table *t, uint64_t *at)
{
    while (*at < t->count) {
        struct slot *slot = slot_at(t, (*at)++);
        struct overlay_node *node = atomic_load_explicit(&slot->node, memory_order_acquire);
        if (node)
            return node;
    }
    return NULL;
}

struct overlay_ino_map {
    struct overlay_node **buckets;
    size_t bucket_count; /* a power of two */
    size_t nodes;
};

int inos_new(struct overlay_ino_map **out)
{
    struct overlay_ino_map *m = calloc(1, sizeof *m);
    struct overlay_node **buckets = calloc(FIRST_INOS, sizeof(struct overlay_node *));

    if (!m || !buckets) {
        free(m);
        free(buckets);
        return -ENOMEM;
    }
    m->buckets = buckets;
    m->bucket_count = FIRST_INOS;
    *out = m;
    return 0;
}

void inos_free(struct overlay_ino_map *m)
{
    if (!m)
        return;
    free(m->buckets);
    free(m);
}

/* Inode numbers come in rows, so the low bits spread well; multiplied in case they do not. */
static struct overlay_node **ino_bucket(const struct overlay_ino_map *m, uint64_t ino)
{
    return &m->buckets[(ino * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (m->bucket_count - 1)];
}

static int grow_inos(struct overlay_ino_map *m)
{
    size_t old_count = m->bucket_count;
    struct overlay_node **old = m->buckets, **buckets = calloc(2 * old_count, sizeof *buckets);

    if (!buckets)
        return -ENOMEM;
    m->buckets = buckets;
    m->bucket_count = 2 * old_count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct overlay_node *n = old[i], *next; n; n = next) {
            struct overlay_node **bucket = ino_bucket(m, n->upper_ino);
            next = n->next_ino;
            n->next_ino = *bucket;
            *bucket = n;
        }
    }
    free(old);
    return 0;
}

int inos_add(struct overlay_ino_map *m, struct overlay_node *node)
{
    if (m->nodes >= m->bucket_count && grow_inos(m))
        return -ENOMEM;
    struct overlay_node **bucket = ino_bucket(m, node->upper_ino);
    node->next_ino = *bucket;
    *bucket = node;
    m->nodes++;
    return 0;
}

void inos_remove(struct overlay_ino_map *m, struct overlay_node *node)
{
    struct overlay_node **link = ino_bucket(m, node->upper_ino);

    while (*link && *link != node)
        link = &(*link)->next_ino;
    if (!*link)
        return;
    *link = node->next_ino;
    node->next_ino = NULL;
    m->nodes--;
}

struct overlay_node *inos_find(const struct overlay_ino_map *m, uint64_t upper_ino)
{
    struct overlay_node *n = *ino_bucket(m, upper_ino);

    while (n && n->upper_ino != upper_ino)
        n = n->next_ino;
    return n;
}
