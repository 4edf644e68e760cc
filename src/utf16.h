/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UTF-16, little-endian, as Windows' registry has it, from and to UTF-8. NUL is a character like
 * others. */
#ifndef SRC_UTF16_H
#define SRC_UTF16_H

#include <stdint.h>

#include "src/compiler.h"

/*
 * LEN bytes of UTF-16 as UTF-8 in *out, with a NUL behind its *out_len bytes; the caller frees it.
 * -EILSEQ: half a pair of surrogates, or half a unit. -ENOMEM.
 */
int utf16_to_utf8(const uint8_t *data, size_t len, char **out, size_t *out_len) must_check;

/* The other way: *out_len bytes, -EILSEQ for what is not valid UTF-8. */
int utf16_from_utf8(const char *text, size_t len, uint8_t **out, size_t *out_len) must_check;

#endif
