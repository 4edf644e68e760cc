/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Everything that is taken from the old version is verified block by block on the way: a damaged
 * package gives an error and never a damaged successor. */
#include "config.h"

#include "tools/pack_old.h"

#include <openssl/evp.h>
#include <string.h>

#include "fetch/open.h"
#include "fetch/source.h"
#include "src/pack_plan.h"

#define PIECES 64

int pack_old_open(const char *location, struct pack_old **out, struct err *e)
{
    struct pack_old *old = calloc(1, sizeof *old);
    if (!old)
        return err_nomem(e);
    struct source_options so = { 0 };
    int rc = package_open(location, &so, &old->source, &old->package, e);
    if (rc) {
        free(old);
        return rc;
    }
    const struct package_info *info = package_info(old->package);
    old->files = calloc(info->file_count + (size_t)1, sizeof *old->files);
    old->new_index = malloc((info->block_count + (size_t)1) * sizeof *old->new_index);
    if (!old->files || !old->new_index) {
        rc = err_nomem(e);
    } else if (strcmp(info->format, "sft") != 0) {
        rc = err_set(e, ERR_UNSUPPORTED, "%s is not an SFT (%s)", location, info->format);
    }
    if (rc) {
        pack_old_free(old);
        return rc;
    }
    for (uint32_t i = 0; i < info->node_count; i++)
        if (!(package_node(old->package, i)->flags & NODE_DIR))
            old->files[old->file_count++] = i;
    *out = old;
    return 0;
}

void pack_old_free(struct pack_old *old)
{
    if (!old)
        return;
    source_close(old->source);
    package_free(old->package);
    free(old->files);
    free(old->new_index);
    free(old);
}

/* Reads and decodes a block. RAW has room for its stored form, OUT for the decoded one. */
static int load_block(const struct pack_old *old, uint32_t index, struct codec_context *ctx,
                      uint8_t *raw, uint8_t *out, struct err *e)
{
    const struct block *b = package_block(old->package, index);
    int rc = source_read_sync(old->source, b->offset, raw, b->stored_len, e);
    return rc ? rc : package_decode_block(old->package, index, raw, ctx, out, e);
}

static int hash_pieces(const struct pack_old *old, uint32_t node, struct codec_context *ctx,
                       EVP_MD_CTX *md, uint8_t *memory, struct err *e)
{
    uint8_t *decoded = memory + STORED_LEN_MAX;
    uint64_t size = package_node(old->package, node)->size;
    struct piece pieces[PIECES];
    for (uint64_t off = 0; off < size;) {
        size_t n = package_map(old->package, node, off, size - off, pieces, PIECES);
        if (n == 0)
            return err_set(e, ERR_BAD_EXTENT, "a file of the old version has no bytes at %llu",
                           (unsigned long long)off);
        for (size_t i = 0; i < n; i++) {
            int rc = load_block(old, pieces[i].block, ctx, memory, decoded, e);
            if (rc)
                return rc;
            if (EVP_DigestUpdate(md, decoded + pieces[i].from, pieces[i].len) != 1)
                return err_nomem(e);
            off += pieces[i].len;
        }
    }
    return 0;
}

int pack_old_hash(const struct pack_old *old, uint32_t file, struct codec_context *ctx,
                  uint8_t out[32], struct err *e)
{
    auto_free uint8_t *memory = malloc(STORED_LEN_MAX + BLOCK_SIZE_MAX);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int rc = -ENOMEM;
    if (memory && md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1) {
        rc = hash_pieces(old, old->files[file], ctx, md, memory, e);
        if (!rc && EVP_DigestFinal_ex(md, out, NULL) != 1)
            rc = err_nomem(e);
    } else {
        (void)err_nomem(e);
    }
    EVP_MD_CTX_free(md);
    return rc;
}

int pack_old_keep(struct pack_old *old, const uint32_t *kept, uint32_t count, struct err *e)
{
    const struct package_info *info = package_info(old->package);
    auto_free bool *wanted = calloc(info->block_count + (size_t)1, sizeof *wanted);
    if (!wanted)
        return err_nomem(e);
    struct piece pieces[PIECES];
    for (uint32_t i = 0; i < count; i++) {
        if (kept[i] == NODE_NONE)
            continue;
        uint64_t size = package_node(old->package, kept[i])->size;
        size_t n = 1;
        for (uint64_t off = 0; off < size && n > 0;) {
            n = package_map(old->package, kept[i], off, size - off, pieces, PIECES);
            for (size_t p = 0; p < n; p++) {
                wanted[pieces[p].block] = true;
                off += pieces[p].len;
            }
        }
    }
    old->kept_blocks = 0;
    for (uint32_t b = 0; b < info->block_count; b++)
        old->new_index[b] = wanted[b] ? old->kept_blocks++ : NODE_NONE;
    return 0;
}

static int copy_one(const struct pack_old *old, uint32_t index, struct codec_context *ctx,
                    uint8_t *memory, struct err *e)
{
    int rc = load_block(old, index, ctx, memory, memory + STORED_LEN_MAX, e);
    if (rc)
        err_wrap(e, "old version");
    return rc;
}

int pack_old_copy(const struct pack_old *old, struct block *blocks,
                  int (*write)(void *arg, const uint8_t *stored, size_t len, struct err *e),
                  void *arg, struct err *e)
{
    const struct package_info *info = package_info(old->package);
    auto_free uint8_t *memory = malloc(STORED_LEN_MAX + BLOCK_SIZE_MAX);
    struct codec_context *ctx = NULL;
    int rc = memory ? codec_context_new(&ctx) : -ENOMEM;
    if (rc)
        return err_nomem(e);
    uint64_t offset = 0;
    for (uint32_t i = 0; !rc && i < info->block_count; i++) {
        if (old->new_index[i] == NODE_NONE)
            continue;
        struct block *b = &blocks[old->new_index[i]];
        *b = *package_block(old->package, i);
        b->offset = offset;
        offset += b->stored_len;
        rc = copy_one(old, i, ctx, memory, e);
        if (!rc)
            rc = write(arg, memory, b->stored_len, e);
    }
    codec_context_free(ctx);
    return rc;
}

/* Consecutive old blocks of a kept file are all kept, so they are consecutive again. */
uint32_t pack_old_extents(const struct pack_old *old, uint32_t node, struct extent *out,
                          uint32_t max)
{
    uint64_t size = package_node(old->package, node)->size;
    uint32_t block_size = package_info(old->package)->block_size;
    uint32_t count = 0;
    struct piece pieces[PIECES], last = { 0 };
    size_t n = 1;
    for (uint64_t off = 0; off < size && n > 0;) {
        n = package_map(old->package, node, off, size - off, pieces, PIECES);
        for (size_t i = 0; i < n; i++) {
            const struct piece *p = &pieces[i];
            bool goes_on = count > 0 && p->from == 0 && p->block == last.block + 1 &&
                           last.from + last.len == block_size;
            if (!goes_on && count++ < max)
                out[count - 1] = (struct extent){ 0, old->new_index[p->block], p->from };
            if (count <= max)
                out[count - 1].length += p->len;
            last = *p;
            off += p->len;
        }
    }
    return count;
}
