/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes an MSIX (AppX) or App-V 5 package: payload, then the documents that describe it. The container
 * is tools/pack_parts.h.
 */
#ifndef TOOLS_PACK_APPX_H
#define TOOLS_PACK_APPX_H

#include "src/compiler.h"
#include "src/err.h"
#include "tools/pack_job.h"

/* Writes the package to JOB's output, finishes that, and prints the summary. */
int pack_appx_write(struct pack_job *job, struct err *e) must_check;

#endif
