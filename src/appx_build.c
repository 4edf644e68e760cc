/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what was found to a package. See appx_build.h. */
#include "config.h"

#include "src/appx_build.h"

#include <string.h>

#include "src/appx_details.h"
#include "src/codec.h"
#include "src/package_builder.h"

/* Where the first stored byte of F is, in the object or in a stream made for it. */
static int begin_of(const struct appx_contents *c, const struct appx_file *f, struct package_builder *b,
                    uint64_t *at, struct err *e)
{
    *at = c->base + f->entry->local + f->data_at;
    return f->sequential ? package_builder_add_stream(b, *at, f->entry->csize, f->entry->size, at, e) : 0;
}

static int add_file_blocks(const struct appx_contents *c, const struct appx_file *f,
                           struct package_builder *b, struct err *e)
{
    uint64_t at, left = f->entry->size;
    bool deflated = f->entry->method == ZIP_DEFLATED && !f->sequential;
    int rc = f->block_count ? begin_of(c, f, b, &at, e) : 0;

    for (uint32_t k = 0; k < f->block_count && !rc; k++) {
        struct block block = {
            .offset = at,
            .stored_len = appx_stored_len(c->map, f, k),
            .len = (uint32_t)min_u64(left, BLOCKMAP_BLOCK_SIZE),
            .codec = deflated ? CODEC_DEFLATE : CODEC_NONE,
        };
        memcpy(block.hash, blockmap_hash(c->map, f->map, k), BLOCK_HASH_SIZE);
        rc = package_builder_add_block(b, &block, e);
        at += block.stored_len;
        left -= block.len;
    }
    if (rc)
        err_wrap(e, "'%s'", f->path);
    return rc;
}

static int add_blocks(const struct appx_contents *c, struct package_builder *b, struct err *e)
{
    int rc = 0;

    for (uint32_t i = 0; i < c->files->count && !rc; i++)
        rc = add_file_blocks(c, &c->files->files[i], b, e);
    return rc;
}

static int add_extents(const struct appx_contents *c, struct package_builder *b, struct err *e)
{
    int rc = 0;

    for (uint32_t i = 0; i < path_tree_count(c->tree) && !rc; i++) {
        const struct path_node *n = path_tree_at(c->tree, i);
        const struct appx_file *f = n->is_dir ? NULL : &c->files->files[n->item];
        if (f && f->block_count)
            rc = package_builder_add_extent(
                b, &(struct extent){ .length = f->entry->size, .block = f->first_block }, e);
    }
    return rc;
}

/*
 * Times by number in the order of the tree. An archive knows none of directories: they get that of the newest
 * in them, and those with nothing in them that of the newest of all. In breadth-first order the children
 * of a directory are a run behind it, and behind the children of those before.
 */
static void fill_times(const struct appx_contents *c, int64_t *times)
{
    uint32_t count = path_tree_count(c->tree), children = count;

    for (uint32_t i = count; i-- > 0;) {
        const struct path_node *n = path_tree_at(c->tree, i);
        children -= n->child_count;
        times[i] = n->is_dir ? INT64_MIN : zip_time(c->files->files[n->item].entry->dos_time);
        for (uint32_t k = children; k < children + n->child_count; k++)
            times[i] = times[k] > times[i] ? times[k] : times[i];
    }
    for (uint32_t i = count; i-- > 0;)
        if (times[i] == INT64_MIN)
            times[i] = times[0] == INT64_MIN ? 0 : times[0];
}

static int add_nodes(const struct appx_contents *c, struct package_builder *b, struct err *e)
{
    uint32_t count = path_tree_count(c->tree);
    auto_free int64_t *times = malloc(count * sizeof *times);
    int rc = times ? 0 : err_nomem(e);

    if (times)
        fill_times(c, times);
    for (uint32_t i = 0; i < count && !rc; i++) {
        const struct path_node *n = path_tree_at(c->tree, i);
        struct node node = { .flags = NODE_DIR, .child_count = n->child_count };
        if (!n->is_dir) {
            const struct appx_file *f = &c->files->files[n->item];
            node = (struct node){ .size = f->entry->size, .extent_count = f->block_count > 0 };
        }
        node.modified = node.created = times[i];
        rc = package_builder_add_node(b, &node, n->name, n->name_len,
                                      n->short_name ? n->short_name : "", n->short_len, NULL, e);
    }
    return rc;
}

static struct package_counts count(const struct appx_contents *c)
{
    struct package_counts counts = { .nodes = path_tree_count(c->tree),
                                     .blocks = c->files->block_count,
                                     .launch_runs = c->launch->count };

    for (uint32_t i = 0; i < counts.nodes; i++) {
        const struct path_node *n = path_tree_at(c->tree, i);
        counts.name_bytes += n->name_len + (size_t)n->short_len;
        counts.extents += !n->is_dir && c->files->files[n->item].block_count;
    }
    return counts;
}

int appx_build(const struct appx_contents *c, struct package **out, struct err *e)
{
    struct package_counts counts = count(c);
    struct package_builder *b;
    int rc = package_builder_new(&counts, &b, e);

    if (rc)
        return rc;
    rc = package_builder_set_info(b, c->info, e);
    if (!rc)
        rc = add_blocks(c, b, e);
    if (!rc)
        rc = add_extents(c, b, e);
    if (!rc)
        rc = add_nodes(c, b, e);
    if (!rc)
        rc = appx_details_add(c, b, e);
    for (uint32_t i = 0; i < c->launch->count && !rc; i++)
        rc = package_builder_add_launch_run(b, c->launch->runs[i], e);
    if (!rc)
        rc = package_builder_finish(b, out, e);
    package_builder_free(b);
    return rc;
}
