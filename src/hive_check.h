/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registry hives (regf), checked before libhivex sees them. libhivex trusts some lengths (the list
 * of the parts of a large value, the fixed part of a key at the end of the file), follows lists of
 * lists as deep as they go, and would list the same key as often as it is named. What passes here
 * is a tree whose every cell lies in the file, holds what it claims, and is no larger than the file
 * has room for. The layout is that of libhivex (lib/hivex-internal.h). Pure; no allocation but a bit
 * map of the cells.
 */
#ifndef SRC_HIVE_CHECK_H
#define SRC_HIVE_CHECK_H

#include "src/compiler.h"
#include "src/err.h"

#define HIVE_BYTES_MAX (128u * 1024u * 1024u)
#define HIVE_DEPTH_MAX 512u /* what Windows allows */

/*
 * Checks the LEN bytes of a hive. 0; ERR_UNSUPPORTED: no hive, or of another version; ERR_LIMIT:
 * larger than HIVE_BYTES_MAX or deeper than HIVE_DEPTH_MAX, which a cycle of keys is, too;
 * ERR_TRUNCATED, ERR_CORRUPT with the offset of the cell.
 */
int hive_check(const void *data, size_t len, struct err *e) must_check;

#endif
