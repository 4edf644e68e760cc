/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names as Windows compares them: each code point mapped to upper case by a fixed one-to-one table,
 * no locale, no normalisation. The mapping is Unicode's simple upper case (libutf8proc) restricted
 * as the NTFS table is: nothing outside the BMP, nothing that would turn a non-ASCII letter into an
 * ASCII one (dotless i, long s), and sharp s stays itself.
 */
#ifndef SRC_FOLD_H
#define SRC_FOLD_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

uint32_t fold_code_point(uint32_t c);

/* Whether A and B are the same name. Bytes that are not valid UTF-8 equal only themselves. */
bool fold_equal(const char *a, size_t a_len, const char *b, size_t b_len);

/* Order of folded names by code point; for equal folded names the order of their bytes. <0, 0, >0. */
int fold_compare(const char *a, size_t a_len, const char *b, size_t b_len);

/* Keyed hash (SipHash-1-3) of the folded name: a hostile package cannot aim at collisions. */
uint64_t fold_hash(const uint64_t key[2], uint64_t salt, const char *name, size_t len);

/* Whether NAME can be a node's: 1 to 255 bytes of valid UTF-8 without '/', '\', NUL or control
 * characters, and not "." or "..". ERR_BAD_NAME with the reason otherwise. */
int name_check(const char *name, size_t len, struct err *e) must_check;

/* Whether NAME is a valid 8.3 name (upper-case ASCII, 8 + 3, the characters DOS allows). */
bool name_is_8_3(const char *name, size_t len);

#endif
