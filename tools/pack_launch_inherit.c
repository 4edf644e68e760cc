/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the launch set of a package, which is blocks, to bytes of files. See pack_launch.h. */
#include "config.h"

#include "tools/pack_launch.h"

#include "src/package.h"

#define PIECES 64

struct launch_file {
    uint32_t place, from, node;
};

static int compare_launch(const void *a, const void *b)
{
    const struct launch_file *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->from < y->from ? -1 : x->from > y->from;
}

/* For each block its place in the launch set, from 1 on, or 0. Caller frees; NULL when out of
 * memory. */
static uint32_t *launch_places(const struct package_info *info)
{
    uint32_t *places = calloc(info->block_count + (size_t)1, sizeof *places), last = 0;
    for (uint32_t i = 0; places && i < info->launch_run_count; i++)
        for (uint32_t b = 0; b < info->launch_runs[i].count; b++)
            places[info->launch_runs[i].first + b] = ++last;
    return places;
}

/* The pieces of a file that lie in launch blocks, and nothing of the others. */
struct launch_pieces {
    struct pack_range *ranges; /* free() it */
    uint32_t count;
    bool all; /* there are no others */
    struct launch_file first;
};

static int find_launch_pieces(const struct package *p, const uint32_t *places, uint32_t node,
                              struct launch_pieces *out, struct err *e)
{
    uint64_t size = package_node(p, node)->size;
    struct piece pieces[PIECES];
    size_t n = 1;
    *out = (struct launch_pieces){ .all = true };
    for (uint64_t off = 0; off < size && n > 0;) {
        n = package_map(p, node, off, size - off, pieces, PIECES);
        for (size_t i = 0; i < n; off += pieces[i++].len) {
            if (!places[pieces[i].block]) {
                out->all = false;
                continue;
            }
            if (!out->count)
                out->first = (struct launch_file){ places[pieces[i].block], pieces[i].from, node };
            if (!(out->count & (out->count - 1))) {
                size_t room = out->count ? 2 * (size_t)out->count : 1;
                struct pack_range *grown = realloc(out->ranges, room * sizeof *grown);
                if (!grown)
                    return err_nomem(e);
                out->ranges = grown;
            }
            out->ranges[out->count++] = (struct pack_range){ off, pieces[i].len };
        }
    }
    return 0;
}

/* What the launch set has of the file at NODE becomes wanted of the one at ENTRY of the tree. */
static int inherit_file(const struct package *p, const uint32_t *places, uint32_t node,
                        const struct pack_tree *tree, uint32_t entry, struct pack_launch *launch,
                        struct err *e)
{
    uint32_t file = entry == PACK_NO_RANK ? PACK_NO_RANK : tree->entries[entry].file;
    if (file == PACK_NO_RANK || launch->files[file].rank != PACK_NO_RANK)
        return 0;
    struct launch_pieces pieces;
    int rc = find_launch_pieces(p, places, node, &pieces, e);
    if (!rc && pieces.all)
        pack_launch_add_file(launch, file);
    uint64_t size = tree->entries[entry].size;
    for (uint32_t i = 0; !rc && !pieces.all && i < pieces.count; i++) {
        const struct pack_range *r = &pieces.ranges[i];
        if (r->offset < size)
            rc = pack_launch_add_range(launch, file, r->offset, r->len, e);
    }
    free(pieces.ranges);
    return rc;
}

/* The entry at the path of NODE. */
static int find_entry(const struct package *p, uint32_t node, const struct pack_tree *tree,
                      uint32_t *entry, struct err *e)
{
    auto_free char *path = package_path(p, node);
    if (!path)
        return err_nomem(e);
    *entry = pack_tree_find(tree, path);
    return 0;
}

int pack_launch_inherit(struct pack_launch *launch, const struct package *p,
                        const struct pack_tree *tree, const uint32_t *entries, struct err *e)
{
    const struct package_info *info = package_info(p);
    auto_free struct launch_file *found = calloc(info->file_count + (size_t)1, sizeof *found);
    auto_free uint32_t *places = launch_places(info);
    if (!found || !places)
        return err_nomem(e);
    uint32_t count = 0;
    int rc = 0;
    for (uint32_t i = 0; !rc && info->launch_run_count && i < info->node_count; i++) {
        struct launch_pieces pieces;
        if (package_node(p, i)->flags & NODE_DIR)
            continue;
        rc = find_launch_pieces(p, places, i, &pieces, e);
        free(pieces.ranges);
        if (!rc && pieces.count)
            found[count++] = pieces.first;
    }
    qsort(found, count, sizeof *found, compare_launch);
    for (uint32_t i = 0; !rc && i < count; i++) {
        uint32_t entry = entries ? entries[found[i].node] : PACK_NO_RANK;
        if (!entries)
            rc = find_entry(p, found[i].node, tree, &entry, e);
        if (!rc)
            rc = inherit_file(p, places, found[i].node, tree, entry, launch, e);
    }
    if (!rc)
        pack_launch_finish(launch);
    return rc;
}
