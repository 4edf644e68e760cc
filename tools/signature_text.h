/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was found of a package's signature, for `sft verify` and `sft info`. */
#ifndef TOOLS_SIGNATURE_TEXT_H
#define TOOLS_SIGNATURE_TEXT_H

#include "fetch/archive_check.h"
#include "tools/json.h"

/* Lines with the verdict and who signed; nothing where there is nothing to say. */
void signature_print(const struct archive_report *r);

/* The object "signature". */
void signature_json(struct json *j, const struct archive_report *r);

#endif
