/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks a package everything there is to ask, for fuzz targets and tests of bad input. */
#ifndef TESTS_WALK_PACKAGE_H
#define TESTS_WALK_PACKAGE_H

#include "src/package.h"

/* NULL when every answer agrees with every other, else the condition that does not hold. DATA holds
 * the whole container. */
const char *walk_package(const struct package *p, const uint8_t *data, size_t size);

#endif
