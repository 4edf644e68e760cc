/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: the container reader. Reads the input as it is, the same in small steps, and once more
 * with all checksums made right so that mutations reach what lies behind them; walks everything in
 * each package that is accepted.
 */
#include "config.h"

#include <string.h>

#include "src/container.h"
#include "src/sft_hash.h"
#include "tests/fuzz/fuzz.h"

static void walk_file(const struct package *p, uint32_t i)
{
    const struct package_info *info = package_info(p);
    uint64_t off = 0, size = package_node(p, i)->size;
    struct piece pieces[16];

    for (unsigned round = 0; off < size && round < 256; round++) {
        size_t n = package_map(p, i, off, size - off, pieces, 16);
        FUZZ_CHECK(n > 0 && n <= 16);
        for (size_t k = 0; k < n; k++) {
            FUZZ_CHECK(pieces[k].block < info->block_count && pieces[k].len);
            FUZZ_CHECK((uint64_t)pieces[k].from + pieces[k].len <=
                       package_block(p, pieces[k].block)->len);
            off += pieces[k].len;
        }
    }
    FUZZ_CHECK(off <= size);
    FUZZ_CHECK(package_map(p, i, size, 1, pieces, 1) == 0);
}

static void walk_nodes(const struct package *p)
{
    const struct package_info *info = package_info(p);
    struct guid id;
    size_t len;

    for (uint32_t i = 0; i < info->node_count; i++) {
        const struct node *n = package_node(p, i);
        const char *name = package_name(p, i);
        FUZZ_CHECK(strlen(name) == n->name_len && n->parent < info->node_count);
        FUZZ_CHECK(i == NODE_ROOT || n->parent < i);
        FUZZ_CHECK(i == NODE_ROOT || package_lookup(p, n->parent, name, n->name_len, true) == i);
        FUZZ_CHECK(i == NODE_ROOT || package_lookup(p, n->parent, name, n->name_len, false) == i);
        if (n->short_len)
            FUZZ_CHECK(package_lookup(p, n->parent, package_short_name(p, i), n->short_len,
                                      false) != NODE_NONE);
        if (i < 64) {
            char *path = package_path(p, i);
            FUZZ_CHECK(path && package_resolve(p, path, true) == i);
            free(path);
            FUZZ_CHECK(package_file_id(p, i, &id) == 0);
        }
        FUZZ_CHECK(!n->sd || package_security_descriptor(p, n->sd, &len));
        if (n->flags & NODE_DIR)
            FUZZ_CHECK(!n->child_count || n->first_child + n->child_count <= info->node_count);
        else
            walk_file(p, i);
    }
}

static void walk_blocks(const struct package *p, const uint8_t *data, size_t size)
{
    static uint8_t out[BLOCK_SIZE_MAX];
    const struct package_info *info = package_info(p);
    struct codec_context *ctx;
    const uint32_t *files;

    FUZZ_CHECK(codec_context_new(&ctx) == 0);
    for (uint32_t i = 0; i < info->block_count; i++) {
        const struct block *b = package_block(p, i);
        FUZZ_CHECK(b->len && b->len <= info->block_size && b->offset >= info->metadata_bytes);
        FUZZ_CHECK(b->offset + b->stored_len <= size);
        size_t n = package_block_files(p, i, &files);
        for (size_t k = 0; k < n; k++)
            FUZZ_CHECK(files[k] < info->node_count);
        struct err e;
        if (i >= 16)
            continue;
        int rc = package_decode_block(p, i, data + b->offset, ctx, out, &e);
        FUZZ_CHECK(rc == 0 || e.kind == ERR_BLOCK_HASH || e.kind == ERR_BLOCK_DECODE);
    }
    codec_context_free(ctx);
}

static void walk(struct package *p, const uint8_t *data, size_t size)
{
    walk_nodes(p);
    walk_blocks(p, data, size);
    FUZZ_CHECK(package_memory(p) > 0);
    package_free(p);
}

/* The kind of error, or ERR_NONE; a package that comes out is walked. */
static enum err_kind read_whole(const uint8_t *data, size_t size)
{
    struct err e = { .kind = ERR_NONE };
    struct package *p = NULL;

    int rc = container_read_memory(data, size, &p, &e);
    FUZZ_CHECK((rc == 0) == (p != NULL) && (rc == 0) == (e.kind == ERR_NONE));
    if (p)
        walk(p, data, size);
    return e.kind;
}

static enum err_kind read_in_steps(const uint8_t *data, size_t size, size_t step)
{
    struct err e = { .kind = ERR_NONE };
    struct container_reader *r;
    struct byte_range want;
    int rc;

    FUZZ_CHECK(container_reader_new(size, &r, NULL) == 0);
    while ((rc = container_reader_next(r, &want, &e)) > 0) {
        FUZZ_CHECK(want.length && want.offset <= size && want.length <= size - want.offset);
        FUZZ_CHECK(container_reader_feed(r, want.offset, data + want.offset,
                                         (size_t)min_u64(want.length, step), NULL) == 0);
    }
    struct package *p = container_reader_take(r);
    FUZZ_CHECK((rc == 0) == (p != NULL));
    package_free(p);
    container_reader_free(r);
    return e.kind;
}

static void ignore_line(void *arg, const char *text)
{
    *(size_t *)arg += strlen(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t text = 0;
    enum err_kind kind = read_whole(data, size);

    FUZZ_CHECK(read_in_steps(data, size, size / 7 + 1) == kind);
    container_describe(data, size, size, ignore_line, &text);

    struct codec_context *ctx;
    uint8_t *sealed = malloc(size ? size : 1);
    FUZZ_CHECK(sealed && codec_context_new(&ctx) == 0);
    if (size)
        memcpy(sealed, data, size);
    FUZZ_CHECK(sft_seal(ctx, sealed, size) == 0);
    (void)read_whole(sealed, size); /* either is right */
    codec_context_free(ctx);
    free(sealed);
    return 0;
}
