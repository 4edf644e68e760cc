/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Damaged and hostile SFT files, made from good ones: the rows of the bad-input table that
 * test-bad-sft checks and that the fuzzer starts from.
 */
#ifndef TESTS_BAD_SFT_H
#define TESTS_BAD_SFT_H

#include "src/err.h"
#include "tests/make-sft.h"

struct bad_sft {
    char name[80];       /* of the row; fit for a file name */
    const uint8_t *data; /* valid during the call */
    size_t len;
    enum err_kind expected; /* ERR_NONE: must be accepted */
    bool in_block;          /* opens, and the error comes when its blocks are decoded */
};

typedef void (*bad_sft_fn)(void *arg, const struct bad_sft *row);

/* Calls FN for each row. False when a row could not be made. */
bool bad_sft_each(bad_sft_fn fn, void *arg);

/* The good packages the rows are made from: sections and blocks not encoded (RAW) or zstd. */
bool bad_sft_base(bool raw, struct made_sft *out);

#endif
