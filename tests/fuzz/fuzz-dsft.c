/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: differential SFTs. Reads the input as it is, and once more with the checksums of
 * header and metadata, the length and the root hash made right. What is accepted must have its
 * blocks inside the file and agree with its header.
 */
#include "config.h"

#include <string.h>

#include "src/container.h"
#include "src/dsft.h"
#include "src/sft_hash.h"
#include "tests/fuzz/fuzz.h"

static void read_whole(const uint8_t *data, size_t size)
{
    struct err e = { .kind = ERR_NONE };
    struct package *p = NULL;
    struct sft_dsft h;

    int rc = dsft_read_memory(data, size, &h, &p, &e);
    FUZZ_CHECK((rc == 0) == (p != NULL) && (rc == 0) == (e.kind == ERR_NONE));
    if (!p)
        return;
    const struct package_info *info = package_info(p);
    uint64_t at = DSFT_HEAD_BYTES + h.metadata_bytes;
    FUZZ_CHECK(h.file_bytes == size && h.first_block + h.block_count == info->block_count);
    for (uint32_t i = h.first_block; i < info->block_count; i++) {
        FUZZ_CHECK(dsft_block_offset(&h, p, i) == at);
        at += package_block(p, i)->stored_len;
    }
    FUZZ_CHECK(at == size);
    package_free(p);
}

static void ignore_line(void *arg, const char *text)
{
    *(size_t *)arg += strlen(text);
}

static void put_header(uint8_t *data, const struct sft_dsft *h)
{
    struct sft_buf b = { .data = NULL };

    sft_put_dsft(&b, h);
    FUZZ_CHECK(!b.failed && b.len == SFT_DSFT_SIZE);
    memcpy(data + SFT_SECTION_SIZE, b.data, b.len);
    free(b.data);
    FUZZ_CHECK(!codec_sha256(NULL, data + SFT_SECTION_SIZE, SFT_DSFT_SIZE,
                             data + SFT_SECTION_HASH_AT));
}

static void mend(uint8_t *data, size_t size)
{
    struct sft_dsft h;
    struct codec_context *ctx;

    if (size < DSFT_HEAD_BYTES + SFT_FIXED_SIZE)
        return;
    uint8_t *sft = data + DSFT_HEAD_BYTES;
    struct cursor c = cursor_over(data + SFT_SECTION_SIZE, SFT_DSFT_SIZE);
    FUZZ_CHECK(sft_read_dsft(&c, &h));
    h.metadata_bytes = min_u64(h.metadata_bytes, size - DSFT_HEAD_BYTES);
    h.file_bytes = size;
    h.features = 0;
    FUZZ_CHECK(codec_context_new(&ctx) == 0);
    FUZZ_CHECK(sft_seal(ctx, sft, (size_t)h.metadata_bytes) == 0);
    codec_context_free(ctx);
    memcpy(h.root_hash, sft + SFT_SECTION_SIZE + SFT_SMFF_ROOT_AT, sizeof h.root_hash);
    put_header(data, &h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t text = 0;

    read_whole(data, size);
    container_describe(data, size, size, ignore_line, &text);
    uint8_t *mended = malloc(size ? size : 1);
    FUZZ_CHECK(mended);
    if (size)
        memcpy(mended, data, size);
    mend(mended, size);
    read_whole(mended, size);
    free(mended);
    return 0;
}
