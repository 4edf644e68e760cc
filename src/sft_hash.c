/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hashes of an SFT's metadata. See sft_hash.h; pure functions. */
#include "config.h"

#include "src/sft_hash.h"

#include <string.h>

#include "src/sftlayout.h"

int sft_hash_smff(struct codec_context *ctx, const uint8_t *payload, uint8_t out[32])
{
    uint8_t copy[SFT_SMFF_SIZE];
    memcpy(copy, payload, sizeof copy);
    memset(copy + SFT_SMFF_ROOT_AT, 0, 32);
    return codec_sha256(ctx, copy, sizeof copy, out);
}

int sft_hash_root(struct codec_context *ctx, const uint8_t *fixed, const uint8_t *headers,
                  size_t headers_len, uint8_t out[32])
{
    auto_free uint8_t *all = malloc(SFT_FIXED_SIZE + headers_len);
    if (!all)
        return -ENOMEM;
    memcpy(all, fixed, SFT_FIXED_SIZE);
    memset(all + SFT_SECTION_SIZE + SFT_SMFF_ROOT_AT, 0, 32);
    if (headers_len)
        memcpy(all + SFT_FIXED_SIZE, headers, headers_len);
    return codec_sha256(ctx, all, SFT_FIXED_SIZE + headers_len, out);
}

int sft_seal(struct codec_context *ctx, uint8_t *data, size_t len)
{
    struct cursor c = cursor_over(data, len);
    struct sft_buf headers = { .data = NULL };
    struct sft_section s;
    int rc;

    if (len < SFT_FIXED_SIZE)
        return 0;
    (void)cursor_bytes(&c, SFT_FIXED_SIZE);
    while (cursor_left(&c)) {
        uint8_t *header = data + cursor_offset(&c);
        uint8_t *payload = header + SFT_SECTION_SIZE;
        if (!sft_read_section(&c, &s) || !cursor_bytes(&c, s.stored_len))
            break;
        rc = codec_sha256(ctx, payload, (size_t)s.stored_len, header + SFT_SECTION_HASH_AT);
        if (rc) {
            free(headers.data);
            return rc;
        }
        sft_put_bytes(&headers, header, SFT_SECTION_SIZE);
    }
    uint8_t *smff = data + SFT_SECTION_SIZE;
    rc = headers.failed ? -ENOMEM : sft_hash_smff(ctx, smff, data + SFT_SECTION_HASH_AT);
    if (!rc)
        rc = sft_hash_root(ctx, data, headers.data, headers.len, smff + SFT_SMFF_ROOT_AT);
    free(headers.data);
    return rc;
}
