/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a stream map to runs of blocks. See appx_launch.h. */
#include "config.h"

#include "src/appx_launch.h"

#include <string.h>

#include "src/list.h"

struct collecting {
    struct list list; /* of runs */
    uint32_t count;
    uint64_t *taken; /* a bit a block */
};

static bool take(struct collecting *c, uint32_t block)
{
    uint64_t bit = UINT64_C(1) << block % 64;
    bool is_new = !(c->taken[block / 64] & bit);

    c->taken[block / 64] |= bit;
    return is_new;
}

static int add_block(struct collecting *c, uint32_t block, struct err *e)
{
    struct block_run *runs = c->list.items, *last = c->count ? &runs[c->count - 1] : NULL;

    if (!take(c, block))
        return 0;
    if (last && last->first + last->count == block) {
        last->count++;
        return 0;
    }
    int rc = list_make_room(&c->list, c->count, sizeof *runs, e);
    if (rc)
        return rc;
    runs = c->list.items;
    runs[c->count++] = (struct block_run){ block, 1 };
    return 0;
}

static int add_blocks(struct collecting *c, uint32_t first, uint32_t count, struct err *e)
{
    int rc = 0;

    for (uint32_t i = 0; i < count && !rc; i++)
        rc = add_block(c, first + i, e);
    return rc;
}

static int add_file(struct collecting *c, const struct appv_stream_map *map,
                    const struct appv_stream_file *file, const struct appx_file *f, struct err *e)
{
    int rc = 0;

    if (!file->range_count)
        return add_blocks(c, f->first_block, f->block_count, e);
    for (uint32_t i = 0; i < file->range_count && !rc; i++) {
        const struct appv_range *range = &map->ranges[file->first_range + i];
        if (range->first < f->block_count)
            rc = add_blocks(c, f->first_block + range->first,
                            (uint32_t)min_u64(range->count, f->block_count - range->first), e);
    }
    return rc;
}

static int add_feature_block(struct collecting *c, const struct appv_stream_map *map,
                             const struct appv_feature_block *fb, const struct appx_files *files,
                             struct path_tree *tree, struct err *e)
{
    static const char root[] = "Root/";
    int rc = 0;

    if (fb->load_all)
        return add_blocks(c, 0, files->block_count, e);
    for (uint32_t i = 0; i < fb->file_count && !rc; i++) {
        const struct appv_stream_file *file = &map->files[fb->first_file + i];
        const char *path = file->path;
        const struct path_node *n = path_tree_find(tree, path, strlen(path));
        if (!n && !strncmp(path, root, sizeof root - 1)) {
            path += sizeof root - 1;
            n = path_tree_find(tree, path, strlen(path));
        }
        if (n && !n->is_dir)
            rc = add_file(c, map, file, &files->files[n->item], e);
    }
    return rc;
}

int appx_launch_runs(const struct appv_stream_map *map, const struct appx_files *files,
                     struct path_tree *tree, struct launch_runs *out, struct err *e)
{
    static const char *const ids[] = { "PublishingFeatureBlock", "PrimaryFeatureBlock" };
    auto_free uint64_t *taken = calloc((size_t)files->block_count / 64 + 1, sizeof *taken);
    struct collecting c = { .taken = taken };
    int rc = taken ? 0 : err_nomem(e);

    for (size_t id = 0; id < ARRAY_LEN(ids); id++)
        for (uint32_t i = 0; i < map->block_count && !rc; i++)
            if (!strcmp(map->blocks[i].id, ids[id]))
                rc = add_feature_block(&c, map, &map->blocks[i], files, tree, e);
    out->runs = list_finish(&c.list, c.count, sizeof *out->runs);
    out->count = c.count;
    return rc;
}
