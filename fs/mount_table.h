/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's mount table as /proc/self/mountinfo shows it. Reading it never touches a mount. */
#ifndef FS_MOUNT_TABLE_H
#define FS_MOUNT_TABLE_H

#include <stddef.h>

#include "src/compiler.h"

/* "major:minor" of the topmost mount of ours at PATH. False if there is none. */
bool mount_table_device(const char *path, char *out, size_t size);

#endif
