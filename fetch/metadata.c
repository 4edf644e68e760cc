/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a package was read from. See metadata.h. */
#include "config.h"

#include "fetch/metadata.h"

#include <string.h>

#include "src/codec.h"

/* The piece that ends at OFFSET, or a new one. NULL without memory. */
static struct metadata_piece *piece_for(struct metadata *m, uint64_t offset)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->pieces[i].offset + m->pieces[i].len == offset)
            return &m->pieces[i];
    struct metadata_piece *more = realloc(m->pieces, (m->count + 1) * sizeof *more);
    if (!more)
        return NULL;
    m->pieces = more;
    more[m->count] = (struct metadata_piece){ .offset = offset };
    return &more[m->count++];
}

int metadata_keep(void *arg, uint64_t offset, const uint8_t *bytes, size_t len, struct err *e)
{
    struct metadata_piece *p = piece_for(arg, offset);
    size_t all;

    if (!p || add_overflows(p->len, len, &all))
        return err_nomem(e);
    uint8_t *grown = realloc(p->bytes, all ? all : 1);
    if (!grown)
        return err_nomem(e);
    memcpy(grown + p->len, bytes, len);
    p->bytes = grown;
    p->len = all;
    return 0;
}

const uint8_t *metadata_at(const struct metadata *m, uint64_t offset, uint64_t len)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct metadata_piece *p = &m->pieces[i];
        if (offset >= p->offset && offset - p->offset <= p->len &&
            len <= p->len - (offset - p->offset))
            return p->bytes + (offset - p->offset);
    }
    return NULL;
}

static void store_blocks(const struct metadata *m, const struct package *p, struct cache *c)
{
    uint32_t count = package_info(p)->block_count;
    struct codec_context *codec;

    if (codec_context_new(&codec))
        return; /* they are fetched again, then */
    for (uint32_t i = 0; i < count; i++) {
        const struct block *b = package_block(p, i);
        const uint8_t *stored = metadata_at(m, b->offset, b->stored_len);
        if (stored && !cache_holds(c, i) && !package_check_block(p, i, stored, codec, NULL))
            cache_store(c, i, stored);
    }
    codec_context_free(codec);
}

int metadata_store(const struct metadata *m, const struct package *p, struct cache *c,
                   struct err *e)
{
    uint64_t front = package_info(p)->metadata_bytes;
    const uint8_t *bytes = metadata_at(m, 0, front);
    int rc = 0;

    if (!m->count)
        return 0;
    if (front && !bytes)
        return err_set(e, ERR_INVALID, "cache: the metadata is not complete");
    if (front)
        rc = cache_put_metadata(c, 0, bytes, (size_t)front, e);
    for (size_t i = 0; !front && !rc && i < m->count; i++)
        rc = cache_put_piece(c, m->pieces[i].offset, m->pieces[i].bytes, m->pieces[i].len, e);
    if (!front && !rc)
        rc = cache_end_pieces(c, e);
    if (!rc)
        store_blocks(m, p, c);
    return rc;
}

void metadata_clear(struct metadata *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->pieces[i].bytes);
    free(m->pieces);
    *m = (struct metadata){ .pieces = NULL };
}
