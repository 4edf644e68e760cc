/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the text that regedit imports, "Windows Registry Editor Version 5.00": in UTF-16 with a
 * byte order mark, as Windows writes it and Windows and Wine read it; or in UTF-8, for people and
 * diff. A string is text only where reading it gives the same bytes again, anything else is
 * hexadecimal with the number of its type. Single-threaded.
 *
 *     struct reg_text r = { .write = write_out, .arg = stdout };
 *     reg_text_begin(&r, &e);
 *     reg_text_key(&r, "HKEY_LOCAL_MACHINE\\Software\\Try", &e);
 *     reg_text_value(&r, "Size", REG_DWORD, data, 4, &e);
 */
#ifndef TOOLS_REG_TEXT_H
#define TOOLS_REG_TEXT_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

/* Types of values (Windows SDK, winnt.h). */
enum reg_type {
    REG_NONE,
    REG_SZ,
    REG_EXPAND_SZ,
    REG_BINARY,
    REG_DWORD,
    REG_DWORD_BIG_ENDIAN,
    REG_LINK,
    REG_MULTI_SZ,
    REG_RESOURCE_LIST,
    REG_FULL_RESOURCE_DESCRIPTOR,
    REG_RESOURCE_REQUIREMENTS_LIST,
    REG_QWORD,
    REG_TYPE_COUNT
};

/* Of all that is written, in UTF-8: keys that are deep in one another could make a small hive a
 * huge text. */
#define REG_TEXT_BYTES_MAX (512u * 1024u * 1024u)

struct reg_text {
    int (*write)(void *arg, const void *data, size_t len,
                 struct err *e); /* 0 or a negative errno */
    void *arg;
    bool utf8;
    uint64_t bytes; /* written so far, as UTF-8 */
};

/* "REG_SZ"; NULL for types that have no name. */
const char *reg_type_name(uint32_t type);

/* Whether values of TYPE are text in UTF-16. */
bool reg_type_is_text(uint32_t type);

/* Whether regedit can read NAME (UTF-8) as the name of a value, or of a key (which is not empty,
 * and has no backslash): no control characters. */
bool reg_text_can_name(const char *name, bool key);

/* These return 0, or a negative errno: that of write(), ERR_LIMIT, ERR_NO_MEMORY. */
int reg_text_begin(struct reg_text *r, struct err *e) must_check;
int reg_text_key(struct reg_text *r, const char *path, struct err *e) must_check;

/* A value of the last key; NAME "" is its default value. DATA as in a hive: text is UTF-16. */
int reg_text_value(struct reg_text *r, const char *name, uint32_t type, const uint8_t *data,
                   size_t len, struct err *e) must_check;

#endif
