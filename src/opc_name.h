/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of parts in an OPC package (AppX, MSIX, App-V 5): the paths of its zip entries, which are
 * percent-encoded UTF-8 with '/' between components.
 *
 *     "VFS/AppData/Notepad%2B%2B/Black%20board.xml" -> "VFS/AppData/Notepad++/Black board.xml"
 *
 * Each component must be one that name_check() accepts, so a decoded name holds no "." or "..", no
 * backslash, no control character and no component that is empty: a name that begins or ends with
 * '/' or holds "//" is refused. So is one that begins as a drive does ("C:"). The entry of a
 * directory ends in '/'; its reader takes that off first.
 */
#ifndef SRC_OPC_NAME_H
#define SRC_OPC_NAME_H

#include "src/compiler.h"
#include "src/err.h"

/*
 * Decodes the name of LEN bytes into OUT (room for LEN + 1 bytes, may be NAME itself), terminated.
 * A '%' without two hexadecimal digits stays; what is decoded is not decoded again. Returns the
 * length of the result or ERR_BAD_NAME.
 */
long opc_name_decode(const char *name, size_t len, char *out, struct err *e) must_check;

/* Encodes as makeappx does: everything but ASCII letters and digits, '-', '.', '_', '~' and '/'.
 * OUT has room for 3 * LEN + 1 bytes and is terminated. Returns the length of the result. */
size_t opc_name_encode(const char *name, size_t len, char *out);

/* Whether the decoded name PATH follows the rules above. ERR_BAD_NAME. */
int opc_name_check(const char *path, size_t len, struct err *e) must_check;

/* The same for a path of a document, of LEN bytes, in which components are separated by '\' (or
 * '/'): changes it in place to have '/'. ERR_BAD_NAME. */
int opc_name_from_windows(char *path, size_t len, struct err *e) must_check;

#endif
