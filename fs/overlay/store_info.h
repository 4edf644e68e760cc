/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DIR/overlay: which package an overlay belongs to. A text file of lines "key: value", the first of
 * which is the version of the layout; format.md lists the keys. Lines with other keys are kept.
 * It is replaced as a whole, never written in place. Only for fs/overlay/.
 */
#ifndef FS_OVERLAY_STORE_INFO_H
#define FS_OVERLAY_STORE_INFO_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/guid.h"

#define INFO_NAME     "overlay"
#define INFO_NEW_NAME "overlay.new"
#define INFO_MAX      (64u << 10)
#define INFO_FORMAT   1

struct store_info {
    struct guid package, version;
    uint32_t number;
    char *name;     /* owned; "" if unknown, as the next two */
    char *source;   /* owned */
    char *others;   /* owned; lines that were not understood, each with its newline */
};

void store_info_clear(struct store_info *i);

/* LEN bytes of text. ERR_CORRUPT, ERR_UNSUPPORTED (newer layout). *out is always to be cleared. */
int store_info_parse(const char *text, size_t len, struct store_info *out,
                     struct err *e) must_check;

/* The text; caller frees. Control characters in values become '?'. NULL without memory. */
char *store_info_format(const struct store_info *i);

/* Of directory DIRFD. -ENOENT when there is none (ERR_NOT_FOUND). *out is always to be cleared. */
int store_info_read(int dirfd, struct store_info *out, struct err *e) must_check;
int store_info_write(int dirfd, const struct store_info *i, struct err *e) must_check;

#endif
