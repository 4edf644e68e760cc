/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lies beside a package: an OSD and an icon for each program, the manifest. */
#ifndef TOOLS_PACK_DOCUMENTS_H
#define TOOLS_PACK_DOCUMENTS_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/sft_write.h"
#include "tools/pack_options.h"
#include "tools/pack_tree.h"

struct pack_documents;

/* Finds the programs that --osd names and takes their icons, before the long work begins.
 * ERR_NOT_FOUND for a program that is not in the tree, ERR_INVALID for a document that exists and
 * may not be replaced. */
int pack_documents_new(const struct pack_options *o, const struct pack_tree *tree,
                       struct pack_documents **out, struct err *e) must_check;
void pack_documents_free(struct pack_documents *d); /* NULL is fine */

/* Writes all documents of the finished package, which is PACKAGE_BYTES long. */
int pack_documents_write(const struct pack_documents *d, const struct sft_image *image,
                         uint64_t package_bytes, struct err *e) must_check;

/* What TEXT, the argument of --osd, means: the program's entry in the tree, and its name, for free().
 * ERR_NOT_FOUND. */
int pack_program_find(const struct pack_tree *tree, const char *text, uint32_t *entry, char **name,
                      struct err *e) must_check;

/* Paths of the documents written, for the summary. */
size_t pack_documents_count(const struct pack_documents *d);
const char *pack_documents_path(const struct pack_documents *d, size_t index);

#endif
