/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bad block with its files, as people and programs read it. */
#ifndef TOOLS_VERIFY_REPORT_H
#define TOOLS_VERIFY_REPORT_H

#include "src/package.h"
#include "tools/json.h"
#include "tools/verify.h"

/* Lines on stdout. */
void verify_print_bad(const struct package *p, const struct verify_block *bad);

/* An object of an array. */
void verify_json_bad(struct json *j, const struct package *p, const struct verify_block *bad);

/* Path of a node on stdout, and as a member of an array. */
void verify_print_path(const struct package *p, uint32_t node);
void verify_json_path(struct json *j, const struct package *p, uint32_t node);

#endif
