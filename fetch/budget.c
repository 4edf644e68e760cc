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
    *p = (struct buffers){ .budget = budget, .keep = share / 5, .ceiling = share - share / 5 };
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

int buffers_take(struct buffers *p, size_t size, uint8_t **out)
{
    unsigned class = class_of(size);
    if (class >= BUFFER_CLASSES || class_bytes(class) > p->ceiling)
        return -EFBIG;
    size_t bytes = class_bytes(class);
    void *buf = NULL;
    bool fits;

    pthread_mutex_lock(&p->lock);
    fits = bytes <= p->ceiling - p->used;
    if (fits) {
        p->used += bytes;
        buf = p->spare[class];
        if (buf) {
            memcpy(&p->spare[class], buf, sizeof(void *));
            p->kept -= bytes;
        }
    }
    pthread_mutex_unlock(&p->lock);
    if (!fits)
        return -EAGAIN;
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
    size_t bytes = class_bytes(class);
    bool keep;

    pthread_mutex_lock(&p->lock);
    keep = bytes <= p->keep - p->kept;
    if (keep) {
        p->used -= bytes;
        p->kept += bytes;
        memcpy(buf, &p->spare[class], sizeof(void *));
        p->spare[class] = buf;
    }
    pthread_mutex_unlock(&p->lock);
    if (keep)
        return;
    (void)munmap(buf, bytes); /* cannot fail for what mmap() gave */
    budget_give(p->budget, bytes);
    /* Only now: the next one's memory must not be counted on top of this one's. */
    pthread_mutex_lock(&p->lock);
    p->used -= bytes;
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
