/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Short texts beside a version in the disk cache, each in a file of its own. */
#ifndef FETCH_CACHE_NOTE_H
#define FETCH_CACHE_NOTE_H

#include <sys/types.h>

#include "src/compiler.h"
#include "src/err.h"

#define CACHE_NOTE_MAX 4096u /* bytes */

/* Writes TEXT (not empty) to FILE in directory DIR, unless it has a text of that length already: who writes
 * another one for the same version is not thought of. */
int cache_note_write(int dir, const char *file, mode_t mode, const char *text, struct err *e) must_check;

/* The text of FILE, to be freed by the caller; NULL when there is none, or an empty one, as a process
 * that died leaves it. ERR_CORRUPT for one that is too long. */
int cache_note_read(int dir, const char *file, char **out, struct err *e) must_check;

#endif
