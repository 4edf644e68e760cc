/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GUIDs as the documents write them: XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX, upper case, with or
 * without braces. Kept as 16 bytes in the order of the text (big-endian fields, RFC 9562), not in
 * the mixed-endian order of the Windows structure.
 */
#ifndef SRC_GUID_H
#define SRC_GUID_H

#include <stdint.h>

#include "src/compiler.h"

struct guid {
    uint8_t b[16];
};

#define GUID_TEXT_SIZE 37 /* 36 characters and the NUL */

/* Parses TEXT (braces optional, either case, surrounding white space ignored). 0 or -EINVAL. */
int guid_parse(const char *text, struct guid *out) must_check;

/* Writes the upper-case form without braces. */
void guid_format(const struct guid *g, char out[GUID_TEXT_SIZE]);

bool guid_equal(const struct guid *a, const struct guid *b);
bool guid_is_zero(const struct guid *g);

/* Makes a version 8 GUID from a digest: same input, same GUID (reproducible packages). */
void guid_from_digest(const uint8_t digest[16], struct guid *out);

#endif
