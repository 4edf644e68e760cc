/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small files that a user names, read whole. */
#ifndef TOOLS_READ_FILE_H
#define TOOLS_READ_FILE_H

#include "src/compiler.h"
#include "src/err.h"

/* Reads what is at PATH, which may be a pipe: *data (for free(), not NULL) has *len bytes.
 * ERR_LIMIT when there are more than MAX. Messages name PATH. Blocks. */
int read_whole_file(const char *path, size_t max, char **data, size_t *len,
                    struct err *e) must_check;

#endif
