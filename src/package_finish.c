/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The end of building a package: the checks that need all of it, and the indexes. See
 * package_builder.h for the rules.
 *
 * Every step takes time in proportion to what was added (blocks that are not in ascending order and
 * files inside one block are sorted): the number of blocks an extent spans, for one, is never
 * walked, because a hostile package can have many extents that all span all blocks.
 */
#include "config.h"

#include "src/package_builder.h"

#include <string.h>

#include "src/fold.h"
#include "src/package_private.h"

/* Names of one directory that differ in case only; they share a chain of the lookup table. */
#define CASE_VARIANTS_MAX 64

static int check_complete(const struct package_builder *b, struct err *e)
{
    const struct package_counts *c = &b->counts;
    const struct package_info *info = &b->p->info;
    const struct {
        const char *what;
        uint32_t announced, have;
    } rows[] = {
        { "blocks", c->blocks, info->block_count },
        { "extents", c->extents, b->p->extent_count },
        { "launch runs", c->launch_runs, info->launch_run_count },
        { "versions", c->versions, info->version_count },
        { "security descriptors", c->sds, info->sd_count },
        { "file ids", c->file_ids, b->p->file_id_count },
    };

    if (!b->has_info)
        return err_set(e, ERR_INVALID, "package information is missing");
    if (info->node_count != c->nodes || b->children != c->nodes - 1)
        return err_set(e, ERR_BAD_TREE, "%u nodes announced, %u found, %llu in directories",
                       c->nodes, info->node_count, (unsigned long long)b->children);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].announced != rows[i].have)
            return err_set(e, ERR_CORRUPT, "%u %s announced, %u found", rows[i].announced,
                           rows[i].what, rows[i].have);
    if (b->extents != c->extents)
        return err_set(e, ERR_BAD_EXTENT, "%u extents of which files use %llu", c->extents,
                       (unsigned long long)b->extents);
    return 0;
}

static int check_versions(const struct package *p, struct err *e)
{
    const struct package_info *info = &p->info;

    if (!info->version_count)
        return 0;
    const struct package_version *last = &p->versions[info->version_count - 1];
    if (last->number != info->version_number || !guid_equal(&last->guid, &info->version_guid))
        return err_set(e, ERR_CORRUPT, "the last version of the history is not this package's");
    return 0;
}

struct range {
    uint64_t start, end;
    uint32_t index;
};

static int compare_ranges(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* Sorts RANGES and gives the index in it of one that overlaps the one before, or 0. */
static size_t find_overlap(struct range *ranges, size_t count)
{
    qsort(ranges, count, sizeof *ranges, compare_ranges);
    for (size_t i = 1; i < count; i++)
        if (ranges[i].start < ranges[i - 1].end)
            return i;
    return 0;
}

static int check_launch_runs(const struct package *p, struct err *e)
{
    size_t count = p->info.launch_run_count;
    auto_free struct range *ranges = calloc(count + 1, sizeof *ranges);

    if (!ranges)
        return err_nomem(e);
    for (uint32_t i = 0; i < count; i++)
        ranges[i] =
            (struct range){ .start = p->launch_runs[i].first,
                            .end = (uint64_t)p->launch_runs[i].first + p->launch_runs[i].count,
                            .index = i };
    size_t bad = find_overlap(ranges, count);
    return bad ? err_set(e, ERR_CORRUPT, "launch runs %u and %u overlap", ranges[bad - 1].index,
                         ranges[bad].index)
               : 0;
}

static int check_blocks(struct package *p, struct err *e)
{
    uint32_t count = p->info.block_count;
    uint64_t at = 0;
    bool ascending = true;

    for (uint32_t i = 0; i < count; i++) {
        const struct block *b = &p->blocks[i];
        ascending = ascending && b->offset >= at;
        at = b->offset + b->stored_len;
        p->info.stored_bytes += b->stored_len; /* 2^32 blocks of 2^17 bytes fit */
    }
    if (ascending)
        return 0;

    auto_free struct range *ranges = calloc(count, sizeof *ranges);
    if (!ranges)
        return err_nomem(e);
    for (uint32_t i = 0; i < count; i++)
        ranges[i] = (struct range){ .start = p->blocks[i].offset,
                                    .end = p->blocks[i].offset + p->blocks[i].stored_len,
                                    .index = i };
    size_t bad = find_overlap(ranges, count);
    return bad ? err_set(e, ERR_CORRUPT, "blocks %u and %u overlap", ranges[bad - 1].index,
                         ranges[bad].index)
               : 0;
}

/* Number of the last block of an extent that begins at X and has LENGTH bytes. */
static uint32_t last_block(const struct package *p, const struct placed_extent *x, uint64_t length)
{
    return x->block + (uint32_t)((x->from + length - 1) / p->info.block_size);
}

/*
 * Checks the extents of one file; LENGTHS are those of all extents, PARTIAL[i] is the number of
 * blocks below i that are shorter than the block size.
 */
static int check_file(const struct package *p, const struct node *n, const uint64_t *lengths,
                      const uint32_t *partial, struct err *e)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < n->extent_count; i++) {
        const struct placed_extent *x = &p->extents[n->first_extent + i];
        uint64_t length = lengths[n->first_extent + i];
        uint32_t last = last_block(p, x, length);
        uint64_t end = x->from + length - (uint64_t)(last - x->block) * p->info.block_size;

        if (partial[last] != partial[x->block])
            return err_set(e, ERR_BAD_EXTENT, "extent %u goes on after a short block",
                           n->first_extent + i);
        if (end > p->blocks[last].len)
            return err_set(e, ERR_BAD_EXTENT,
                           "extent %u ends at byte %llu of block %u, which has %u",
                           n->first_extent + i, (unsigned long long)end, last, p->blocks[last].len);
        if (add_overflows(total, length, &total) || total > n->size)
            return err_set(e, ERR_BAD_EXTENT, "extents hold more than the %llu bytes of the file",
                           (unsigned long long)n->size);
    }
    if (total != n->size)
        return err_set(e, ERR_BAD_EXTENT, "extents hold %llu of %llu bytes",
                       (unsigned long long)total, (unsigned long long)n->size);
    return 0;
}

static int check_files(struct package *p, const uint64_t *lengths, struct err *e)
{
    uint32_t count = p->info.block_count;
    auto_free uint32_t *partial = calloc((size_t)count + 1, sizeof *partial);
    char path[PATH_TEXT_SIZE];

    if (!partial)
        return err_nomem(e);
    for (uint32_t i = 0; i < count; i++)
        partial[i + 1] = partial[i] + (p->blocks[i].len != p->info.block_size);

    for (uint32_t i = 0; i < p->info.node_count; i++) {
        const struct node *n = &p->nodes[i];
        if (n->flags & NODE_DIR)
            continue;
        int rc = check_file(p, n, lengths, partial, e);
        if (rc) {
            err_wrap(e, "%s", package_path_text(p, i, path));
            return rc;
        }
        if (add_overflows(p->info.file_bytes, n->size, &p->info.file_bytes) ||
            p->info.file_bytes > INT64_MAX)
            return err_set(e, ERR_LIMIT, "files are larger than 2^63 bytes together");
    }
    return 0;
}

/* An extent inside one block, for the index of files by block. */
struct inside {
    uint32_t from, len;
    uint32_t node;
};

static int compare_inside(const void *a, const void *b)
{
    const struct inside *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

/* Goes over the extents inside one block, in node order: counts each at COUNT[block], or if INTO is
 * given puts it at INTO[COUNT[block]++]. */
static void each_inside(const struct package *p, const uint64_t *lengths, uint32_t *count,
                        struct inside *into)
{
    for (uint32_t i = 0; i < p->info.node_count; i++) {
        const struct node *n = &p->nodes[i];
        if (n->flags & NODE_DIR)
            continue;
        for (uint32_t k = n->first_extent; k < n->first_extent + n->extent_count; k++) {
            const struct placed_extent *x = &p->extents[k];
            if (last_block(p, x, lengths[k]) != x->block)
                continue;
            if (into)
                into[count[x->block]] =
                    (struct inside){ .from = x->from, .len = (uint32_t)lengths[k], .node = i };
            count[x->block]++;
        }
    }
}

/*
 * Two extents inside one block that do not cover it whole hold the same bytes or none in common:
 * anything else is no packer's doing. The COUNT ones of a block are sorted by position.
 */
static int check_sharing(const struct package *p, uint32_t block, const struct inside *x,
                         size_t count, struct err *e)
{
    const struct inside *before = NULL;
    char path[PATH_TEXT_SIZE], other[PATH_TEXT_SIZE];

    for (size_t i = 0; i < count; i++) {
        if (!x[i].from && x[i].len == p->blocks[block].len)
            continue;
        if (before && x[i].from < before->from + before->len &&
            (x[i].from != before->from || x[i].len != before->len))
            return err_set(e, ERR_BAD_EXTENT, "%.200s and %.200s overlap in block %u",
                           package_path_text(p, x[i].node, path),
                           package_path_text(p, before->node, other), block);
        before = &x[i];
    }
    return 0;
}

/* Sorts the extents INSIDE each block, checks them, and keeps the files of one extent. START[i] is
 * where those of block i begin. */
static int fill_block_files(struct package *p, struct inside *inside, const uint32_t *start,
                            struct err *e)
{
    uint32_t used = 0;

    for (uint32_t block = 0; block < p->info.block_count; block++) {
        struct inside *x = inside + start[block];
        size_t count = start[block + 1] - start[block];
        bool sorted = true;

        for (size_t i = 1; sorted && i < count; i++)
            sorted = compare_inside(&x[i - 1], &x[i]) <= 0;
        if (!sorted)
            qsort(x, count, sizeof *x, compare_inside);
        int rc = check_sharing(p, block, x, count, e);
        if (rc)
            return rc;
        p->block_start[block] = used;
        for (size_t i = 0; i < count; i++)
            if (p->nodes[x[i].node].extent_count == 1)
                p->block_files[used++] = x[i].node;
    }
    p->block_start[p->info.block_count] = used;
    return 0;
}

static int index_blocks(struct package *p, const uint64_t *lengths, struct err *e)
{
    uint32_t count = p->info.block_count, total = 0;
    auto_free uint32_t *start = calloc((size_t)count + 2, sizeof *start);

    if (!start)
        return err_nomem(e);
    each_inside(p, lengths, start + 1, NULL); /* start[i + 1]: how many block i has */
    for (uint32_t i = 0; i <= count; i++) {
        total += start[i];
        start[i] = total;
    }
    auto_free struct inside *inside = calloc((size_t)total + 1, sizeof *inside);
    auto_free uint32_t *next = calloc((size_t)count + 1, sizeof *next);
    p->block_start = calloc((size_t)count + 1, sizeof *p->block_start);
    p->block_files = calloc((size_t)total + 1, sizeof *p->block_files);
    if (!inside || !next || !p->block_start || !p->block_files)
        return err_nomem(e);
    memcpy(next, start, count * sizeof *next);
    each_inside(p, lengths, next, inside);
    return fill_block_files(p, inside, start, e);
}

/* Brings the extents of files that have several to the front and gives these their positions. */
static int arrange_extents(struct package *p, const uint64_t *lengths, struct err *e)
{
    uint32_t several = 0;

    for (uint32_t i = 0; i < p->info.node_count; i++)
        if (!(p->nodes[i].flags & NODE_DIR) && p->nodes[i].extent_count > 1)
            several += p->nodes[i].extent_count;
    struct placed_extent *to = calloc((size_t)p->extent_count + 1, sizeof *to);
    p->positions = calloc((size_t)several + 1, sizeof *p->positions);
    if (!to || !p->positions) {
        free(to);
        return err_nomem(e);
    }
    p->position_count = several;

    uint32_t front = 0, back = several;
    for (uint32_t i = 0; i < p->info.node_count; i++) {
        struct node *n = &p->nodes[i];
        if (n->flags & NODE_DIR)
            continue;
        uint32_t *next = n->extent_count > 1 ? &front : &back, from = n->first_extent;
        uint64_t position = 0;
        n->first_extent = *next;
        for (uint32_t k = from; k < from + n->extent_count; k++) {
            if (n->extent_count > 1)
                p->positions[*next] = position;
            position += lengths[k];
            to[(*next)++] = p->extents[k];
        }
    }
    free(p->extents);
    p->extents = to;
    return 0;
}

static int refuse_duplicate(const struct package *p, uint32_t index, uint32_t other,
                            const char *name, struct err *e)
{
    char path[PATH_TEXT_SIZE];

    return err_set(e, ERR_DUPLICATE_NAME, "%s: the name \"%.128s\" is also %s of node %u",
                   package_path_text(p, index, path), name,
                   !strcmp(name, package_name(p, index)) ? "the name" : "the 8.3 name", other);
}

/* Whether node OTHER of the same directory may stand beside INDEX. VARIANTS counts its likes. */
static int check_neighbour(const struct package *p, uint32_t index, uint32_t other,
                           unsigned *variants, struct err *e)
{
    const struct node *n = &p->nodes[index], *o = &p->nodes[other];
    const char *name = package_name(p, index), *its = package_name(p, other);

    if (!fold_equal(name, n->name_len, its, o->name_len))
        return 0;
    if (!p->info.case_sensitive || (n->name_len == o->name_len && !memcmp(name, its, n->name_len)))
        return refuse_duplicate(p, index, other, name, e);
    if (++*variants < CASE_VARIANTS_MAX)
        return 0;
    char path[PATH_TEXT_SIZE];
    return err_set(e, ERR_LIMIT, "%s: more than %u names that differ in case only",
                   package_path_text(p, index, path), CASE_VARIANTS_MAX);
}

static int insert_name(struct package *p, uint32_t index, struct err *e)
{
    struct name_table *t = &p->table;
    const struct node *n = &p->nodes[index];
    uint64_t hash = fold_hash(t->key, n->parent, package_name(p, index), n->name_len);
    uint8_t tag = table_tag(hash);
    uint32_t slot = table_slot(t, hash);
    unsigned variants = 0;

    for (; t->tags[slot]; slot = table_next(t, slot)) {
        if (t->tags[slot] != tag || p->nodes[t->nodes[slot]].parent != n->parent)
            continue;
        int rc = check_neighbour(p, index, t->nodes[slot], &variants, e);
        if (rc)
            return rc;
    }
    t->tags[slot] = tag;
    t->nodes[slot] = index;
    return 0;
}

/* An 8.3 name may be another node's name (which then wins), but not another's 8.3 name. */
static int insert_short_name(struct package *p, uint32_t index, struct err *e)
{
    struct name_table *t = &p->table;
    const struct node *n = &p->nodes[index];
    const char *name = package_short_name(p, index);
    uint64_t hash = fold_hash(t->key, n->parent, name, n->short_len);
    uint8_t tag = table_tag(hash);
    uint32_t slot = table_slot(t, hash);

    for (; t->tags[slot]; slot = table_next(t, slot)) {
        const struct node *other = &p->nodes[t->nodes[slot]];
        if (t->tags[slot] == tag && other != n && other->parent == n->parent &&
            other->short_len == n->short_len &&
            !memcmp(package_short_name(p, t->nodes[slot]), name, n->short_len))
            return refuse_duplicate(p, index, t->nodes[slot], name, e);
    }
    t->tags[slot] = tag;
    t->nodes[slot] = index;
    return 0;
}

static int index_names(struct package *p, uint32_t short_count, struct err *e)
{
    struct name_table *t = &p->table;
    uint64_t entries = (uint64_t)p->info.node_count - 1 + short_count;

    /* At most 70 % full, and never quite. Every entry has two bytes or more of the name pool, whose
     * size has 32 bits, and so has this. */
    t->slots = (uint32_t)(entries * 10 / 7 + 2);
    t->tags = calloc(t->slots, sizeof *t->tags);
    t->nodes = calloc(t->slots, sizeof *t->nodes);
    if (!t->tags || !t->nodes)
        return err_nomem(e);
    for (uint32_t i = 1; i < p->info.node_count; i++) {
        int rc = insert_name(p, i, e);
        if (rc)
            return rc;
    }
    for (uint32_t i = 1; short_count && i < p->info.node_count; i++) {
        const struct node *n = &p->nodes[i];
        if (!n->short_len ||
            fold_equal(package_name(p, i), n->name_len, package_short_name(p, i), n->short_len))
            continue;
        int rc = insert_short_name(p, i, e);
        if (rc)
            return rc;
    }
    return 0;
}

/* Gives back what was reserved and not used; that this fails is no reason to fail. */
static void shrink(struct package_builder *b)
{
    struct package *p = b->p;
    char *names = realloc(p->names, p->name_bytes);
    uint32_t files = p->block_start[p->info.block_count];
    uint32_t *block_files = realloc(p->block_files, ((size_t)files + 1) * sizeof *block_files);
    size_t sd_bytes = p->sd_end[p->info.sd_count];
    uint8_t *sds = sd_bytes ? realloc(p->sds, sd_bytes) : NULL;

    if (names)
        p->names = names;
    if (block_files)
        p->block_files = block_files;
    if (sds)
        p->sds = sds;
}

int package_builder_finish(struct package_builder *b, struct package **out, struct err *e)
{
    struct package *p = b->p;

    if (!p)
        return err_set(e, ERR_INVALID, "package is finished already");
    int rc = check_complete(b, e);
    if (!rc)
        rc = check_versions(p, e);
    if (!rc)
        rc = check_launch_runs(p, e);
    if (!rc)
        rc = check_blocks(p, e);
    if (!rc)
        rc = check_files(p, b->lengths, e);
    if (!rc)
        rc = index_blocks(p, b->lengths, e);
    if (!rc)
        rc = arrange_extents(p, b->lengths, e);
    if (!rc)
        rc = index_names(p, b->short_count, e);
    if (rc)
        return rc;
    shrink(b);
    *out = steal_ptr(&b->p);
    return 0;
}
