/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exit codes of every command: one documented table, append-only, so that a script can rely on a
 * number. The kind of an error (src/err.h) decides its code; --help and the man pages print this
 * same table.
 */
#ifndef TOOLS_EXITCODE_H
#define TOOLS_EXITCODE_H

#include "src/compiler.h"
#include "src/err.h"

enum exitcode {
    EXITCODE_OK = 0,
    EXITCODE_FAILURE = 1,
    EXITCODE_USAGE = 2,
    EXITCODE_NOT_FOUND = 3,
    EXITCODE_NOT_A_PACKAGE = 4,
    EXITCODE_DAMAGED = 5,
    EXITCODE_NETWORK = 6,
    EXITCODE_DENIED = 7,
    EXITCODE_MOUNT = 8,
    EXITCODE_GUID_MISMATCH = 9,
    EXITCODE_DOCUMENT = 10,
    EXITCODE_OLD_VERSION = 11,
    EXITCODE_TAMPERED = 12,
    EXITCODE_UNTRUSTED = 13,
    EXITCODE_UNSIGNED = 14,
    EXITCODE_RULES = 15,
    EXITCODE_INTERRUPTED = 130
};

struct exitcode_row {
    enum exitcode code;
    const char *meaning; /* one sentence */
};

/* The table in ascending order of code; *count rows. */
const struct exitcode_row *exitcode_table(size_t *count);

/* The code for a kind of error; EXITCODE_FAILURE for values outside the enum. */
enum exitcode exitcode_of(enum err_kind kind);

#endif
