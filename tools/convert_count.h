/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts what the nodes, the identity and the container of a package have that another format has not. */
#ifndef TOOLS_CONVERT_COUNT_H
#define TOOLS_CONVERT_COUNT_H

#include "fetch/source.h"
#include "src/compiler.h"
#include "src/err.h"
#include "tools/convert_losses.h"
#include "tools/pack_options.h"
#include "tools/pack_package.h"

/* Into L, for the conversion of P to format TO. */
int convert_count(const struct pack_package *p, enum pack_format to, struct losses *l, struct err *e)
    must_check;

/* What lies in the container at LOCATION beside the payload and what every container has. */
int convert_count_container(const char *location, const struct source_options *o, struct losses *l,
                            struct err *e) must_check;

#endif
