/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a ZIP archive holds, for `sft info --sections`: its directory in numbers, and which documents of a
 * package are in it. Nothing of the packaged files, not even their names, because it is sent to others. */
#ifndef TOOLS_ZIP_SECTIONS_H
#define TOOLS_ZIP_SECTIONS_H

#include "fetch/source.h"
#include "src/compiler.h"

/* Calls LINE for each line, if the object is such an archive, in whatever state. Reads its directory, of at
 * most 64 MiB. Blocks. */
void zip_sections(struct source *s, void (*line)(void *arg, const char *text), void *arg);

#endif
