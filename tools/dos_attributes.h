/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DOS attributes of files as Wine and Samba keep them: extended attribute user.DOSATTRIB. */
#ifndef TOOLS_DOS_ATTRIBUTES_H
#define TOOLS_DOS_ATTRIBUTES_H

#include <stdint.h>

#include "src/compiler.h"

/* Node flags (read-only, hidden, system) that the text of the attribute, LEN bytes beginning with
 * a hexadecimal number such as "0x22", stands for; 0 for anything else. */
uint16_t dos_attributes_parse(const char *text, size_t len);

/* The same for the entry NAME of directory DIR_FD; 0 when it has no such attribute, cannot be
 * opened, or the system has none. Symbolic links are not followed. */
uint16_t dos_attributes_read(int dir_fd, const char *name);

#endif
