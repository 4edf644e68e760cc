/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Placement in one pass over the files in their final order. Besides the blocks that belong to one
 * file there are a few open shared blocks; a small file goes into the fullest of them that still
 * holds it. A block keeps the number it got when it was opened, so the few open ones bound how far
 * a file's place can lie from its turn.
 *
 * What was tried on a gigabyte of programs and data with 64 KiB blocks of zstd and left out, since
 * it changes the size of the package by a thousandth at the most: grouping by extension, keeping
 * small files apart from large ones, putting the rest of large files into shared blocks.
 */
#include "config.h"

#include "src/pack_plan.h"

#include <string.h>

#include "src/fold.h"

#define OPEN_BLOCKS 4u
#define BLOCKS_MAX  (UINT32_MAX / 2)

struct open_block {
    uint32_t block;
    uint32_t used;
};

/* A file of which the launch set wants some blocks only. */
struct division {
    uint32_t count;   /* of the file's blocks */
    uint32_t *blocks; /* where each was placed */
    bool *wanted;
};

/* A file to be placed; of a divided one the wanted blocks, or the rest. */
struct turn {
    uint32_t file;
    bool rest;
};

struct planner {
    const struct pack_file *files;
    uint32_t file_count;
    uint32_t block_size;
    uint32_t *launch;            /* effective rank: the best one of all files with this content */
    struct division *divisions;  /* one a file; count 0 = not divided */
    struct turn *order;          /* in which files are placed */
    uint32_t order_count;
    struct open_block open[OPEN_BLOCKS];
    unsigned open_count;
    struct pack_plan *plan;
};

static int compare_names(const char *a, const char *b)
{
    return fold_compare(a, strlen(a), b, strlen(b));
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static uint32_t rank_of(const struct planner *pl, struct turn t)
{
    return t.rest ? PACK_NO_RANK : pl->launch[t.file];
}

static int compare_order(const struct planner *pl, struct turn ta, struct turn tb)
{
    uint32_t a = ta.file, b = tb.file;
    const struct pack_file *fa = &pl->files[a], *fb = &pl->files[b];
    int order = compare_u64(rank_of(pl, ta), rank_of(pl, tb));
    if (!order && rank_of(pl, ta) != PACK_NO_RANK)
        return compare_u64(a, b);
    if (!order)
        order = compare_u64(fa->dir, fb->dir);
    if (!order)
        order = compare_names(fa->name, fb->name);
    return order ? order : compare_u64(a, b);
}

/* Merge sort: qsort() has no argument for the comparison, and qsort_r() is not the same everywhere.
 * TMP has room for COUNT. */
static void sort_order(const struct planner *pl, struct turn *a, struct turn *tmp, uint32_t count)
{
    if (count < 2)
        return;
    uint32_t half = count / 2;
    sort_order(pl, a, tmp, half);
    sort_order(pl, a + half, tmp, count - half);
    memcpy(tmp, a, half * sizeof *a);
    uint32_t i = 0, j = half, to = 0;
    while (i < half && j < count)
        a[to++] = compare_order(pl, tmp[i], a[j]) <= 0 ? tmp[i++] : a[j++];
    while (i < half)
        a[to++] = tmp[i++];
}

/* Whether the launch set wants all of a content for the sake of file I, which is in it. */
static bool wants_all(const struct planner *pl, uint32_t i)
{
    return !pl->files[i].range_count || pl->files[i].size <= pl->block_size;
}

static void mark_wanted(const struct planner *pl, uint32_t i, struct division *d)
{
    for (uint32_t k = 0; k < pl->files[i].range_count; k++) {
        const struct pack_range *r = &pl->files[i].ranges[k];
        uint64_t end;
        if (add_overflows(r->offset, r->len, &end))
            end = UINT64_MAX;
        for (uint64_t b = r->offset / pl->block_size; r->len && b < d->count; b++) {
            if (b > (end - 1) / pl->block_size)
                break;
            d->wanted[b] = true;
        }
    }
}

static void clear_division(struct division *d)
{
    free(d->blocks);
    free(d->wanted);
    *d = (struct division){ 0 };
}

/* One that is wanted whole, or not at all, is none. */
static void judge_division(struct planner *pl, uint32_t file)
{
    struct division *d = &pl->divisions[file];
    uint32_t wanted = 0;
    for (uint32_t b = 0; b < d->count; b++)
        wanted += d->wanted[b];
    if (wanted && wanted < d->count)
        return;
    if (!wanted)
        pl->launch[file] = PACK_NO_RANK;
    clear_division(d);
}

/* Files with the same content are divided together, unless one of them is wanted whole. */
static int divide(struct planner *pl, struct err *e)
{
    const struct pack_file *f = pl->files;
    auto_free bool *whole = calloc(pl->file_count + (size_t)1, sizeof *whole);
    if (!whole)
        return err_nomem(e);
    for (uint32_t i = 0; i < pl->file_count; i++)
        if (f[i].launch != PACK_NO_RANK && wants_all(pl, i))
            whole[f[i].same_as] = true;
    for (uint32_t i = 0; i < pl->file_count; i++) {
        uint32_t file = f[i].same_as;
        struct division *d = &pl->divisions[file];
        uint64_t count = f[file].size / pl->block_size + (f[file].size % pl->block_size != 0);
        if (f[i].launch == PACK_NO_RANK || whole[file] || f[file].placed || count > BLOCKS_MAX)
            continue;
        if (!d->count) {
            d->count = (uint32_t)count;
            d->blocks = calloc(d->count, sizeof *d->blocks);
            d->wanted = calloc(d->count, sizeof *d->wanted);
            if (!d->blocks || !d->wanted)
                return err_nomem(e);
        }
        mark_wanted(pl, i, d);
    }
    for (uint32_t i = 0; i < pl->file_count; i++)
        if (pl->divisions[i].count)
            judge_division(pl, i);
    return 0;
}

static int choose_order(struct planner *pl, struct err *e)
{
    const struct pack_file *f = pl->files;
    uint32_t n = pl->file_count;
    for (uint32_t i = 0; i < n; i++) {
        if (f[i].same_as >= n || f[f[i].same_as].same_as != f[i].same_as ||
            f[f[i].same_as].size != f[i].size)
            return err_set(e, ERR_INVALID, "file %u cannot share content with file %u", i,
                           f[i].same_as);
        pl->launch[i] = PACK_NO_RANK;
    }
    for (uint32_t i = 0; i < n; i++)
        if (f[i].launch < pl->launch[f[i].same_as])
            pl->launch[f[i].same_as] = f[i].launch;
    int rc = divide(pl, e);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < n; i++) {
        if (f[i].same_as != i || f[i].size == 0 || f[i].placed)
            continue;
        pl->order[pl->order_count++] = (struct turn){ .file = i };
        if (pl->divisions[i].count)
            pl->order[pl->order_count++] = (struct turn){ .file = i, .rest = true };
    }
    auto_free struct turn *tmp = malloc((pl->order_count + (size_t)1) * sizeof *tmp);
    if (!tmp)
        return err_nomem(e);
    sort_order(pl, pl->order, tmp, pl->order_count);
    return 0;
}

/* Upper bounds of what placing takes, so that it cannot fail half-way. */
static int reserve(struct planner *pl, struct err *e)
{
    uint64_t blocks = 0, divided = 0;
    for (uint32_t i = 0; i < pl->order_count; i++) {
        if (pl->order[i].rest)
            continue;
        uint64_t size = pl->files[pl->order[i].file].size;
        divided += pl->divisions[pl->order[i].file].count;
        uint64_t full = size / pl->block_size, rest = size % pl->block_size != 0;
        if (full > BLOCKS_MAX || blocks + full + rest > BLOCKS_MAX)
            return err_set(e, ERR_LIMIT, "too much content for blocks of %u bytes", pl->block_size);
        blocks += full + rest;
    }
    struct pack_plan *plan = pl->plan;
    plan->blocks = calloc(blocks + 1, sizeof *plan->blocks);
    plan->parts = calloc(blocks + 1, sizeof *plan->parts);
    plan->extents = calloc(pl->order_count + divided + 1, sizeof *plan->extents);
    plan->files = calloc(pl->file_count + (size_t)1, sizeof *plan->files);
    return plan->blocks && plan->parts && plan->extents && plan->files ? 0 : err_nomem(e);
}

static void add_part(struct planner *pl, uint32_t file, uint64_t offset, uint32_t block,
                     uint32_t from, uint32_t len)
{
    struct pack_plan *plan = pl->plan;
    plan->parts[plan->part_count++] = (struct pack_part){
        .offset = offset, .file = file, .block = block, .from = from, .len = len
    };
    plan->blocks[block].part_count++;
    plan->blocks[block].len = from + len;
}

/* The fullest open block with room for LEN bytes, or a new one in the place of the fullest. */
static struct open_block *find_room(struct planner *pl, uint32_t len)
{
    struct open_block *best = NULL, *fullest = NULL;
    for (unsigned i = 0; i < pl->open_count; i++) {
        struct open_block *o = &pl->open[i];
        if (!fullest || o->used > fullest->used)
            fullest = o;
        if (o->used + len <= pl->block_size && (!best || o->used > best->used))
            best = o;
    }
    if (best)
        return best;
    struct open_block *slot =
        pl->open_count < OPEN_BLOCKS ? &pl->open[pl->open_count++] : fullest;
    *slot = (struct open_block){ .block = pl->plan->block_count++ };
    return slot;
}

static void place_divided(struct planner *pl, struct turn t)
{
    const struct division *d = &pl->divisions[t.file];
    uint64_t size = pl->files[t.file].size;
    for (uint32_t i = 0; i < d->count; i++) {
        if (d->wanted[i] == t.rest)
            continue;
        uint64_t offset = (uint64_t)i * pl->block_size;
        uint32_t len = (uint32_t)min_u64(size - offset, pl->block_size);
        d->blocks[i] = pl->plan->block_count++;
        add_part(pl, t.file, offset, d->blocks[i], 0, len);
        pl->plan->unique_bytes += len;
    }
}

/* Extents of a divided file, once all its blocks are placed: in the order of its bytes. */
static void join_divided(struct planner *pl, uint32_t file)
{
    const struct division *d = &pl->divisions[file];
    struct pack_plan *plan = pl->plan;
    uint64_t left = pl->files[file].size;
    plan->files[file] = (struct pack_extents){ .first = plan->extent_count };
    for (uint32_t i = 0; i < d->count; i++) {
        uint64_t len = min_u64(left, pl->block_size);
        if (!i || d->blocks[i] != d->blocks[i - 1] + 1) {
            plan->extents[plan->extent_count++] = (struct extent){ .block = d->blocks[i] };
            plan->files[file].count++;
        }
        plan->extents[plan->extent_count - 1].length += len;
        left -= len;
    }
}

static void place(struct planner *pl, struct turn t)
{
    struct pack_plan *plan = pl->plan;
    uint32_t file = t.file;
    uint64_t size = pl->files[file].size;
    if (pl->divisions[file].count) {
        place_divided(pl, t);
        return;
    }
    struct extent *x = &plan->extents[plan->extent_count];
    plan->files[file] = (struct pack_extents){ .first = plan->extent_count++, .count = 1 };
    plan->unique_bytes += size;
    if (size < pl->block_size) {
        struct open_block *o = find_room(pl, (uint32_t)size);
        *x = (struct extent){ .length = size, .block = o->block, .from = o->used };
        add_part(pl, file, 0, o->block, o->used, (uint32_t)size);
        o->used += (uint32_t)size;
        return;
    }
    *x = (struct extent){ .length = size, .block = plan->block_count };
    for (uint64_t done = 0; done < size;) {
        uint32_t len = (uint32_t)min_u64(size - done, pl->block_size);
        add_part(pl, file, done, plan->block_count++, 0, len);
        done += len;
    }
}

/* Brings the parts of each block together: a counting sort that keeps their order. */
static int group_parts(struct pack_plan *plan, struct err *e)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < plan->block_count; i++) {
        plan->blocks[i].first_part = at;
        at += plan->blocks[i].part_count;
        plan->blocks[i].part_count = 0;
    }
    struct pack_part *sorted = calloc(plan->part_count + (size_t)1, sizeof *sorted);
    if (!sorted)
        return err_nomem(e);
    for (uint32_t i = 0; i < plan->part_count; i++) {
        struct pack_block *b = &plan->blocks[plan->parts[i].block];
        sorted[b->first_part + b->part_count++] = plan->parts[i];
    }
    free(plan->parts);
    plan->parts = sorted;
    return 0;
}

static int run(struct planner *pl, struct err *e)
{
    int rc = choose_order(pl, e);
    if (!rc)
        rc = reserve(pl, e);
    if (rc)
        return rc;
    struct pack_plan *plan = pl->plan;
    bool launching = pl->order_count > 0 && rank_of(pl, pl->order[0]) != PACK_NO_RANK;
    for (uint32_t i = 0; i < pl->order_count; i++) {
        if (launching && rank_of(pl, pl->order[i]) == PACK_NO_RANK) {
            launching = false;
            plan->launch_blocks = plan->block_count;
            pl->open_count = 0;
        }
        place(pl, pl->order[i]);
    }
    if (launching)
        plan->launch_blocks = plan->block_count;
    for (uint32_t i = 0; i < pl->file_count; i++)
        if (pl->divisions[i].count)
            join_divided(pl, i);
    for (uint32_t i = 0; i < pl->file_count; i++)
        plan->files[i] = plan->files[pl->files[i].same_as];
    return group_parts(plan, e);
}

int pack_plan_make(const struct pack_file *files, uint32_t count, uint32_t block_size,
                   struct pack_plan *out, struct err *e)
{
    *out = (struct pack_plan){ 0 };
    auto_free uint32_t *launch = malloc((count + (size_t)1) * sizeof *launch);
    auto_free struct turn *order = malloc(2 * (count + (size_t)1) * sizeof *order);
    auto_free struct division *divisions = calloc(count + (size_t)1, sizeof *divisions);
    if (!launch || !order || !divisions)
        return err_nomem(e);
    struct planner pl = {
        .files = files, .file_count = count, .block_size = block_size,
        .launch = launch, .divisions = divisions, .order = order,
        .plan = out,
    };
    int rc = run(&pl, e);
    for (uint32_t i = 0; i < count; i++)
        clear_division(&divisions[i]);
    if (rc)
        pack_plan_clear(out);
    return rc;
}

void pack_plan_clear(struct pack_plan *plan)
{
    free(plan->blocks);
    free(plan->parts);
    free(plan->extents);
    free(plan->files);
    *plan = (struct pack_plan){ 0 };
}
