/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a registry hive with libhivex, after hive_check(). Single-threaded. */
#ifndef TOOLS_HIVE_H
#define TOOLS_HIVE_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

struct hive_value {
    const char *name;    /* UTF-8; "" is the default value */
    uint32_t type;       /* as stored, with bits that Windows does not know */
    const uint8_t *data; /* never NULL */
    size_t len;
};

/* Each returns 0, or a negative errno (and fills E) to end the reading. What is given is borrowed.
 */
struct hive_reader {
    /* A key, before its values and the keys below it. PATH begins below the root key, which has "".
     */
    int (*key)(void *arg, const char *path, struct err *e);
    int (*value)(void *arg, const struct hive_value *v, struct err *e); /* of the last key */
    void *arg;
    uint64_t unnamed; /* counts keys (with all below them) and values that are left out because
                       * regedit could not read their names: control characters, no valid UTF-16 */
};

/* 0, or ERR_UNSUPPORTED if this program was built without libhivex. */
int hive_supported(struct err *e) must_check;

/*
 * Reads the LEN bytes of a hive in its own order. Errors: those of R, of hive_check(), ERR_CORRUPT
 * where libhivex refuses something; ERR_LIMIT for what is too much for libhivex (70,000 keys or
 * 110,000 values in one key, a value of 8,000,000 bytes); that of hive_supported(). libhivex wants
 * a file: a temporary one, without a name, in $TMPDIR or /tmp.
 */
int hive_read(const void *data, size_t len, struct hive_reader *r, struct err *e) must_check;

#endif
