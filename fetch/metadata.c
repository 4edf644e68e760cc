/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a package was read from. See metadata.h. */
#include "config.h"

#include "fetch/metadata.h"

#include "src/codec.h"

int metadata_keep(void *arg, uint64_t offset, const uint8_t *bytes, size_t len, struct err *e)
{
    return container_input_add(arg, offset, bytes, len, len, e);
}

static void store_blocks(const struct container_input *kept, const struct package *p, struct cache *c)
{
    uint32_t count = package_info(p)->block_count;
    struct codec_context *codec;

    if (codec_context_new(&codec))
        return; /* they are fetched again, then */
    for (uint32_t i = 0; i < count; i++) {
        const struct block *b = package_block(p, i);
        const uint8_t *stored = container_input_at(kept, b->offset, b->stored_len);
        if (stored && !cache_holds(c, i) && !package_check_block(p, i, stored, codec, NULL))
            cache_store(c, i, stored);
    }
    codec_context_free(codec);
}

int metadata_store(const struct container_input *kept, const struct package *p, struct cache *c,
                   struct err *e)
{
    uint64_t front = package_info(p)->metadata_bytes;
    const uint8_t *bytes = container_input_at(kept, 0, front);
    int rc = 0;

    if (!kept->count)
        return 0;
    if (front && !bytes)
        return err_set(e, ERR_INVALID, "cache: the metadata is not complete");
    if (front)
        rc = cache_put_metadata(c, 0, bytes, (size_t)front, e);
    for (unsigned i = 0; !front && !rc && i < kept->count; i++)
        rc = cache_put_piece(c, kept->pieces[i].offset, kept->pieces[i].data, kept->pieces[i].len,
                             e);
    if (!front && !rc)
        rc = cache_end_pieces(c, e);
    if (!rc)
        store_blocks(kept, p, c);
    return rc;
}
