/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening a package: a source plus the container format it holds, in as few reads as possible. */
#ifndef FETCH_OPEN_H
#define FETCH_OPEN_H

#include "fetch/source.h"
#include "src/package.h"

/* Opens LOCATION and reads its package metadata: one range request for most packages, two at the
 * most for a well-formed one. On success the caller owns both. Blocks up to the deadline. */
int package_open(const char *location, const struct source_options *o, struct source **source,
                 struct package **package, struct err *e) must_check;

#endif
