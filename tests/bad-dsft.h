/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Differential SFTs for tests and fuzzing: good ones in memory, and the rows of the bad-input table
 * made from one.
 */
#ifndef TESTS_BAD_DSFT_H
#define TESTS_BAD_DSFT_H

#include "tests/bad-sft.h"

/* A package of three versions, the last of which brought the blocks from KEPT on. */
bool dsft_base(uint32_t kept, struct made_sft *out);

/* Cuts the differential SFT against info->versions[BASE] from SFT. */
bool make_dsft(const struct made_sft *sft, uint32_t base, struct made_sft *out);

/* Puts the checksum of the header right. */
bool dsft_seal(uint8_t *data, size_t len);

/* Calls FN for each row; none of them may open but those whose error is in a block. False when a
 * row could not be made. */
bool bad_dsft_each(bad_sft_fn fn, void *arg);

#endif
