/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The directory that a user's mounts have for what lasts as long as they do: control sockets, and
 * mount points that were made on demand. The first of these that can be had:
 *
 *     $XDG_RUNTIME_DIR/sftfs    if that directory is the user's own
 *     /run/user/UID/sftfs       likewise
 *     /run/sftfs                root only
 *     /tmp/sftfs-UID
 *
 * It is the user's own and closed to others, which is checked: /tmp belongs to everybody.
 */
#ifndef FS_RUNTIME_BASE_H
#define FS_RUNTIME_BASE_H

#include <sys/types.h>

#include "src/compiler.h"
#include "src/err.h"

/* Makes the directory of the effective user if needed. Caller frees *out, an absolute path without
 * links. ERR_DENIED when the place is not safe. */
int runtime_base_make(char **out, struct err *e) must_check;

/* The same without making anything: NULL when it does not exist. Caller frees. */
char *runtime_base_find(void);

/* Where the directory of user UID may be; each may be missing or somebody else's. The caller frees
 * them. Returns how many there are. */
#define RUNTIME_BASES_MAX 4u
size_t runtime_base_places(uid_t uid, char *places[RUNTIME_BASES_MAX]);

#endif
