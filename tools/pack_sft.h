/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes an SFT. The steps: find equal contents (among each other and in the old version), plan the
 * blocks, encode and write them, put the metadata in front.
 */
#ifndef TOOLS_PACK_SFT_H
#define TOOLS_PACK_SFT_H

#include "src/compiler.h"
#include "src/err.h"
#include "tools/pack_job.h"

struct pack_sft;

/* Settles in JOB's options what is not given, by the version that is upgraded, if any, which is opened.
 * Before the tree is walked. JOB is borrowed. */
int pack_sft_new(struct pack_job *job, struct pack_sft **out, struct err *e) must_check;

/* Writes the package and what lies beside it, and prints the summary. */
int pack_sft_write(struct pack_sft *p, struct err *e) must_check;

void pack_sft_free(struct pack_sft *p); /* NULL is fine */

#endif
