/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory ceiling: counting, and buffers under a share of it. See budget.h. */
#include "config.h"

#include "fetch/budget.h"

#include <string.h>
#include <sys/mman.h>

void budget_take(struct budget *b, uint64_t bytes)
{
    uint64_t now = atomic_fetch_add_explicit(&b->used, bytes, memory_order_relaxed) + bytes;
    uint64_t peak = atomic_load_explicit(&b->peak, memory_order_relaxed);
    while (now > peak && !atomic_compare_exchange_weak_explicit(
                             &b->peak, &peak, now, memory_order_relaxed, memory_order_relaxed))
        ;
}

void budget_give(struct budget *b, uint64_t bytes)
{
    (void)atomic_fetch_sub_explicit(&b->used, bytes, memory_order_relaxed);
}

static unsigned class_of(size_t size)
{
    unsigned shift = BUFFER_SHIFT_MIN;
    while (shift <= BUFFER_SHIFT_MAX && ((size_t)1 << shift) < size)
        shift++;
    return shift - BUFFER_SHIFT_MIN;
}

static size_t class_bytes(unsigned class)
{
    return (size_t)1 << (class + BUFFER_SHIFT_MIN);
}

int buffers_init(struct buffers *p, struct budget *budget, uint64_t share)
{
    *p = (struct buffers){ .budget = budget, .ceiling = share };
    return -pthread_mutex_init(&p->lock, NULL);
}

void buffers_destroy(struct buffers *p)
{
    for (unsigned class = 0; class < BUFFER_CLASSES; class++) {
        while (p->spare[class]) {
            void *buf = p->spare[class];
            memcpy(&p->spare[class], buf, sizeof(void *));
            (void)munmap(buf, class_bytes(class)); /* cannot fail for what mmap() gave */
            budget_give(p->budget, class_bytes(class));
        }
    }
    (void)pthread_mutex_destroy(&p->lock);
}

/* Takes the first spare buffer of CLASS off its list; NULL if there is none. Needs p->lock. */
static void *pop_spare(struct buffers *p, unsigned class)
{
    void *buf = p->spare[class];

    if (buf) {
        memcpy(&p->spare[class], buf, sizeof(void *));
        p->kept -= class_bytes(class);
        p->used += class_bytes(class);
    }
    return buf;
}

/* Gives BYTES at BUF back to the system. They count as used until they are gone, so that what
 * takes their place is not counted on top of them. */
static void unmap(struct buffers *p, void *buf, size_t bytes)
{
    (void)munmap(buf, bytes); /* cannot fail for what mmap() gave */
    budget_give(p->budget, bytes);
    pthread_mutex_lock(&p->lock);
    p->used -= bytes;
    pthread_mutex_unlock(&p->lock);
}

/*
 * Claims room for a buffer of CLASS. 0: *spare is one, or NULL and the room is there to map one.
 * 1: *spare of *spare_class is in the way; unmap it and try again. -EAGAIN: the share is used up.
 */
static int claim(struct buffers *p, unsigned class, void **spare, unsigned *spare_class)
{
    size_t bytes = class_bytes(class);
    int rc = 0;

    pthread_mutex_lock(&p->lock);
    *spare = pop_spare(p, class);
    if (!*spare && bytes > p->ceiling - p->used) {
        rc = -EAGAIN;
    } else if (!*spare && bytes > p->ceiling - p->used - p->kept) {
        for (*spare_class = 0; !*spare; ++*spare_class)
            *spare = pop_spare(p, *spare_class); /* something is kept, or there would be room */
        --*spare_class;
        rc = 1;
    } else if (!*spare) {
        p->used += bytes;
    }
    pthread_mutex_unlock(&p->lock);
    return rc;
}

int buffers_take(struct buffers *p, size_t size, uint8_t **out)
{
    unsigned class = class_of(size), other;
    void *buf;
    int rc;

    if (class >= BUFFER_CLASSES || class_bytes(class) > p->ceiling)
        return -EFBIG;
    size_t bytes = class_bytes(class);
    while ((rc = claim(p, class, &buf, &other)) > 0)
        unmap(p, buf, class_bytes(other));
    if (rc)
        return rc;
    if (!buf) {
        buf = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (buf == MAP_FAILED) {
            pthread_mutex_lock(&p->lock);
            p->used -= bytes;
            pthread_mutex_unlock(&p->lock);
            return -ENOMEM;
        }
        budget_take(p->budget, bytes);
    }
    *out = buf;
    return 0;
}

void buffers_give(struct buffers *p, uint8_t *buf, size_t size)
{
    if (!buf)
        return;
    unsigned class = class_of(size);

    pthread_mutex_lock(&p->lock);
    p->used -= class_bytes(class);
    p->kept += class_bytes(class);
    memcpy(buf, &p->spare[class], sizeof(void *));
    p->spare[class] = buf;
    pthread_mutex_unlock(&p->lock);
}

size_t buffers_largest(const struct buffers *p, unsigned parts)
{
    unsigned class = BUFFER_CLASSES - 1;
    while (class > 0 && class_bytes(class) > p->ceiling / parts)
        class--;
    return class_bytes(class);
}

uint64_t buffers_used(struct buffers *p)
{
    pthread_mutex_lock(&p->lock);
    uint64_t used = p->used;
    pthread_mutex_unlock(&p->lock);
    return used;
}
