/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See walk-package.h. */
#include "config.h"

#include "tests/walk-package.h"

#include <string.h>

#include "src/codec.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return #condition;                                                                     \
    } while (0)

/* Bounds that keep a hostile package from making the walk long; every kind of item is seen. */
#define PATHS_WALKED  64u
#define BLOCKS_WALKED 16u
#define ROUNDS_A_FILE 256u

static const char *walk_file(const struct package *p, uint32_t i)
{
    const struct package_info *info = package_info(p);
    uint64_t off = 0, size = package_node(p, i)->size;
    struct piece pieces[16];

    for (unsigned round = 0; off < size && round < ROUNDS_A_FILE; round++) {
        size_t n = package_map(p, i, off, size - off, pieces, 16);
        HOLDS(n > 0 && n <= 16);
        for (size_t k = 0; k < n; k++) {
            HOLDS(pieces[k].block < info->block_count && pieces[k].len);
            HOLDS((uint64_t)pieces[k].from + pieces[k].len <=
                  package_block(p, pieces[k].block)->len);
            off += pieces[k].len;
        }
    }
    HOLDS(off <= size);
    HOLDS(package_map(p, i, size, 1, pieces, 1) == 0);
    return NULL;
}

static const char *walk_path(const struct package *p, uint32_t i)
{
    auto_free char *path = package_path(p, i);
    struct guid id;

    HOLDS(path);
    HOLDS(package_resolve(p, path, true) == i);
    HOLDS(package_file_id(p, i, &id) == 0);
    return NULL;
}

static const char *walk_node(const struct package *p, uint32_t i)
{
    const struct node *n = package_node(p, i);
    const char *name = package_name(p, i), *bad;
    size_t len;

    HOLDS(strlen(name) == n->name_len);
    if (i == NODE_ROOT) {
        HOLDS(n->parent == NODE_ROOT && (n->flags & NODE_DIR));
    } else {
        HOLDS(n->parent < i);
        const struct node *parent = package_node(p, n->parent);
        HOLDS((parent->flags & NODE_DIR) && i >= parent->first_child &&
              i - parent->first_child < parent->child_count);
        HOLDS(package_lookup(p, n->parent, name, n->name_len, true) == i);
        HOLDS(package_lookup(p, n->parent, name, n->name_len, false) == i);
    }
    HOLDS(strlen(package_short_name(p, i)) == n->short_len);
    HOLDS(!n->short_len ||
          package_lookup(p, n->parent, package_short_name(p, i), n->short_len, false) != NODE_NONE);
    HOLDS(!n->sd || package_security_descriptor(p, n->sd, &len));
    if (i < PATHS_WALKED && (bad = walk_path(p, i)))
        return bad;
    return n->flags & NODE_DIR ? NULL : walk_file(p, i);
}

static const char *walk_block(const struct package *p, uint32_t i, const uint8_t *data, size_t size,
                              struct codec_context *ctx)
{
    static uint8_t out[BLOCK_SIZE_MAX];
    const struct package_info *info = package_info(p);
    const struct block *b = package_block(p, i);
    const uint32_t *files;
    struct err e;

    HOLDS(b->len && b->len <= info->block_size && b->offset >= info->metadata_bytes);
    HOLDS(b->stored_len <= STORED_LEN_MAX && b->offset <= size &&
          b->stored_len <= size - b->offset);
    size_t n = package_block_files(p, i, &files);
    for (size_t k = 0; k < n; k++)
        HOLDS(files[k] < info->node_count && !(package_node(p, files[k])->flags & NODE_DIR));
    if (i >= BLOCKS_WALKED)
        return NULL;
    int rc = package_decode_block(p, i, data + b->offset, ctx, out, &e);
    HOLDS(rc == 0 || e.kind == ERR_BLOCK_HASH || e.kind == ERR_BLOCK_DECODE);
    return NULL;
}

const char *walk_package(const struct package *p, const uint8_t *data, size_t size)
{
    const struct package_info *info = package_info(p);
    struct codec_context *ctx;
    const char *bad = NULL;

    HOLDS(info->node_count && info->node_count == info->file_count + info->dir_count);
    HOLDS(info->container_bytes == size && package_memory(p) > 0);
    for (uint32_t i = 0; i < info->launch_run_count; i++)
        HOLDS(info->launch_runs[i].first < info->block_count &&
              info->launch_runs[i].count <= info->block_count - info->launch_runs[i].first);
    for (uint32_t i = 0; i < info->node_count && !bad; i++)
        bad = walk_node(p, i);
    if (bad)
        return bad;
    HOLDS(codec_context_new(&ctx) == 0);
    for (uint32_t i = 0; i < info->block_count && !bad; i++)
        bad = walk_block(p, i, data, size, ctx);
    codec_context_free(ctx);
    return bad;
}
