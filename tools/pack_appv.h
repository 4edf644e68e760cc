/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The documents of an App-V 5 package about its files, from the tree and the launch set. */
#ifndef TOOLS_PACK_APPV_H
#define TOOLS_PACK_APPV_H

#include "src/compiler.h"
#include "src/err.h"
#include "tools/pack_job.h"

/*
 * FilesystemMetadata.xml, for free(): 8.3 names and directories without files. ROOT: where the package
 * was installed, "C:\\name". LEFT_OUT: an entry of the tree that does not lie in Root; PACK_NO_RANK
 * for none. *too_deep counts entries too deep for the document. ERR_LIMIT, ERR_INVALID.
 */
int pack_appv_metadata(const struct pack_tree *tree, uint32_t left_out, const char *root,
                       uint32_t *too_deep, char **out, size_t *len, struct err *e) must_check;

/* StreamMap.xml, for free(): the launch set, in units of 64 KiB. ERR_LIMIT. */
int pack_appv_stream_map(const struct pack_tree *tree, const struct pack_launch *launch, char **out,
                         size_t *len, struct err *e) must_check;

#endif
