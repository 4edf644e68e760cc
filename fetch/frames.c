/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames of decoded blocks and their lock-free map. See frames.h.
 *
 * State word of a frame: the number of pins, or EXCLUSIVE while it is empty or being filled.
 *   free or claimed   EXCLUSIVE
 *   publish           block number, then state = 1 (release), then the map
 *   pin               state + 1 unless EXCLUSIVE (acquire), then the block number must match
 *   unpin             state - 1 (release)
 *   evict             state 0 -> EXCLUSIVE (acquire), then the map entry, if it is still ours
 * A stale map entry can lead a pin to a frame that has got another block since; the block number
 * says so and the pin is undone.
 */
#include "config.h"

#include "fetch/frames.h"

#include <sys/mman.h>

#define EXCLUSIVE 0x80000000u
#define NO_BLOCK  UINT32_MAX

enum mark {
    MARK_REFERENCED = 1, /* second chance */
    MARK_AHEAD = 2,      /* fetched ahead of need, not asked for so far */
};

struct frame {
    _Atomic uint32_t state;
    _Atomic uint32_t block;
    _Atomic uint32_t mark;
    uint32_t next_free; /* lock */
    _Atomic uint64_t hits; /* on the line that a pin has to own anyway */
};

struct frames {
    uint8_t *memory;
    size_t memory_bytes;
    struct frame *frames;
    _Atomic uint32_t *map; /* by block: frame + 1, 0 = absent */
    uint32_t count;
    uint32_t block_size;
    struct budget *budget;
    _Atomic uint32_t ahead;
    _Atomic uint32_t cached;
    _Atomic uint64_t evicted;
    pthread_mutex_t lock; /* innermost: nothing is called with it held */
    uint32_t fresh;       /* lock; frames from here on have never been used */
    uint32_t free_list;   /* lock; frame + 1 */
    uint32_t free_count;  /* lock; on the list */
    uint32_t hand;        /* lock; CLOCK */
};

int frames_new(uint32_t block_count, uint32_t block_size, uint32_t count, struct budget *budget,
               struct frames **out)
{
    size_t bytes;
    if (mul_overflows((size_t)count, (size_t)block_size, &bytes))
        return -ENOMEM;
    struct frames *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    *f = (struct frames){ .count = count, .block_size = block_size, .budget = budget };
    f->memory_bytes = bytes;
    f->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f->memory == MAP_FAILED)
        goto free_self;
    f->frames = calloc(count, sizeof *f->frames);
    f->map = calloc(block_count ? block_count : 1, sizeof *f->map);
    if (!f->frames || !f->map || pthread_mutex_init(&f->lock, NULL))
        goto free_tables;
    for (uint32_t i = 0; i < count; i++) {
        atomic_init(&f->frames[i].state, EXCLUSIVE);
        atomic_init(&f->frames[i].block, NO_BLOCK);
    }
    *out = f;
    return 0;

free_tables:
    free(f->map);
    free(f->frames);
    (void)munmap(f->memory, bytes);
free_self:
    free(f);
    return -ENOMEM;
}

void frames_free(struct frames *f)
{
    if (!f)
        return;
    budget_give(f->budget, (uint64_t)f->fresh * f->block_size);
    (void)pthread_mutex_destroy(&f->lock);
    free(f->map);
    free(f->frames);
    (void)munmap(f->memory, f->memory_bytes);
    free(f);
}

uint8_t *frames_data(const struct frames *f, uint32_t frame)
{
    return f->memory + (size_t)frame * f->block_size;
}

/* Off the hot path: the first use after publication or after the hand passed. */
static enum frames_hit mark_referenced(struct frames *f, struct frame *fr)
{
    uint32_t old = atomic_exchange_explicit(&fr->mark, MARK_REFERENCED, memory_order_relaxed);
    if (!(old & MARK_AHEAD))
        return FRAMES_HIT;
    (void)atomic_fetch_sub_explicit(&f->ahead, 1, memory_order_relaxed);
    return FRAMES_FIRST_HIT;
}

enum frames_hit frames_pin(struct frames *f, uint32_t block, uint32_t *frame)
{
    enum frames_hit hit = FRAMES_HIT;
    uint32_t slot = atomic_load_explicit(&f->map[block], memory_order_acquire);
    if (!slot)
        return FRAMES_MISS;
    struct frame *fr = &f->frames[slot - 1];
    uint32_t state = atomic_load_explicit(&fr->state, memory_order_relaxed);
    do {
        if (state & EXCLUSIVE)
            return FRAMES_MISS;
    } while (!atomic_compare_exchange_weak_explicit(&fr->state, &state, state + 1,
                                                    memory_order_acquire, memory_order_relaxed));
    if (atomic_load_explicit(&fr->block, memory_order_relaxed) != block) {
        frames_unpin(f, slot - 1);
        return FRAMES_MISS;
    }
    if (atomic_load_explicit(&fr->mark, memory_order_relaxed) != MARK_REFERENCED)
        hit = mark_referenced(f, fr);
    (void)atomic_fetch_add_explicit(&fr->hits, 1, memory_order_relaxed);
    *frame = slot - 1;
    return hit;
}

void frames_unpin(struct frames *f, uint32_t frame)
{
    (void)atomic_fetch_sub_explicit(&f->frames[frame].state, 1, memory_order_release);
}

bool frames_has(const struct frames *f, uint32_t block)
{
    return atomic_load_explicit(&f->map[block], memory_order_relaxed) != 0;
}

/* Empties FRAME if nobody uses it. Needs f->lock. */
static bool evict(struct frames *f, uint32_t frame)
{
    struct frame *fr = &f->frames[frame];
    uint32_t mark = atomic_load_explicit(&fr->mark, memory_order_relaxed);
    if (mark & MARK_REFERENCED) {
        (void)atomic_fetch_and_explicit(&fr->mark, ~(uint32_t)MARK_REFERENCED,
                                        memory_order_relaxed);
        return false;
    }
    uint32_t unpinned = 0;
    if (!atomic_compare_exchange_strong_explicit(&fr->state, &unpinned, EXCLUSIVE,
                                                 memory_order_acquire, memory_order_relaxed))
        return false;
    uint32_t block = atomic_load_explicit(&fr->block, memory_order_relaxed);
    uint32_t ours = frame + 1;
    /* The block may have been decoded anew, elsewhere, since this frame became exclusive. */
    (void)atomic_compare_exchange_strong_explicit(&f->map[block], &ours, 0, memory_order_relaxed,
                                                  memory_order_relaxed);
    if (atomic_exchange_explicit(&fr->mark, 0, memory_order_relaxed) & MARK_AHEAD)
        (void)atomic_fetch_sub_explicit(&f->ahead, 1, memory_order_relaxed);
    (void)atomic_fetch_sub_explicit(&f->cached, 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&f->evicted, 1, memory_order_relaxed);
    return true;
}

bool frames_claim(struct frames *f, uint32_t *frame)
{
    bool found = false, touched = false;

    pthread_mutex_lock(&f->lock);
    if (f->free_list) {
        *frame = f->free_list - 1;
        f->free_list = f->frames[*frame].next_free;
        f->free_count--;
        found = true;
    } else if (f->fresh < f->count) {
        *frame = f->fresh++;
        found = touched = true;
    } else {
        /* Twice round takes every second chance away; what is left then is in use. */
        for (uint64_t steps = 2 * (uint64_t)f->count; steps > 0 && !found; steps--) {
            *frame = f->hand;
            f->hand = f->hand + 1 < f->count ? f->hand + 1 : 0;
            found = evict(f, *frame);
        }
    }
    pthread_mutex_unlock(&f->lock);
    if (touched)
        budget_take(f->budget, f->block_size);
    return found;
}

void frames_publish(struct frames *f, uint32_t frame, uint32_t block)
{
    struct frame *fr = &f->frames[frame];

    atomic_store_explicit(&fr->block, block, memory_order_relaxed);
    /* No second chance yet: most blocks are read once, and then the kernel has their bytes; those
     * that many small files share are asked for again and stay. */
    atomic_store_explicit(&fr->mark, 0, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&f->cached, 1, memory_order_relaxed);
    atomic_store_explicit(&fr->state, 1, memory_order_release);
    atomic_store_explicit(&f->map[block], frame + 1, memory_order_release);
}

void frames_mark_ahead(struct frames *f, uint32_t frame)
{
    uint32_t old = atomic_exchange_explicit(&f->frames[frame].mark, MARK_AHEAD,
                                            memory_order_relaxed);
    if (!(old & MARK_AHEAD))
        (void)atomic_fetch_add_explicit(&f->ahead, 1, memory_order_relaxed);
}

void frames_abandon(struct frames *f, uint32_t frame)
{
    pthread_mutex_lock(&f->lock);
    f->frames[frame].next_free = f->free_list;
    f->free_list = frame + 1;
    f->free_count++;
    pthread_mutex_unlock(&f->lock);
}

uint32_t frames_count(const struct frames *f)
{
    return f->count;
}

uint32_t frames_vacant(struct frames *f)
{
    pthread_mutex_lock(&f->lock);
    uint32_t vacant = f->count - f->fresh + f->free_count;
    pthread_mutex_unlock(&f->lock);
    return vacant;
}

uint32_t frames_ahead(const struct frames *f)
{
    return atomic_load_explicit(&f->ahead, memory_order_relaxed);
}

void frames_get_stats(struct frames *f, struct frames_stats *out)
{
    *out = (struct frames_stats){
        .evicted = atomic_load_explicit(&f->evicted, memory_order_relaxed),
        .cached = atomic_load_explicit(&f->cached, memory_order_relaxed),
    };
    for (uint32_t i = 0; i < f->count; i++)
        out->hits += atomic_load_explicit(&f->frames[i].hits, memory_order_relaxed);
}
