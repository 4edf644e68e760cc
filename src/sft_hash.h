/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The three hashes that protect an SFT's metadata: of each payload, of the header, and the root. */
#ifndef SRC_SFT_HASH_H
#define SRC_SFT_HASH_H

#include <stdint.h>

#include "src/codec.h"
#include "src/compiler.h"

/* SHA-256 over the SMFF payload (SFT_SMFF_SIZE bytes) with its root hash taken as zero. */
int sft_hash_smff(struct codec_context *ctx, const uint8_t *payload, uint8_t out[32]) must_check;

/*
 * The root hash: SHA-256 over SMFF (header, payload with the root hash taken as zero) and the
 * headers of all further sections in file order. As each header holds the hash of its payload,
 * the root covers every byte of the metadata. FIXED is SFT_FIXED_SIZE bytes; HEADERS holds the
 * further headers, one after another.
 */
int sft_hash_root(struct codec_context *ctx, const uint8_t *fixed, const uint8_t *headers,
                  size_t headers_len, uint8_t out[32]) must_check;

/* Computes all hashes of the metadata in DATA and puts them into their places: the last step of
 * writing. Stops at a section that does not fit. 0 or -ENOMEM. */
int sft_seal(struct codec_context *ctx, uint8_t *data, size_t len) must_check;

#endif
