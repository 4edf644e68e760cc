/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The programs of a package that is converted: of an SFT from OSD files, of the others from what their
 * manifest says. Those in the package become arguments of --osd; what FORMAT, the new one, cannot keep is
 * counted.
 */
#ifndef TOOLS_CONVERT_PROGRAMS_H
#define TOOLS_CONVERT_PROGRAMS_H

#include "src/compiler.h"
#include "src/err.h"
#include "tools/convert_losses.h"
#include "tools/pack_options.h"
#include "tools/pack_package.h"

struct convert_programs {
    char **texts;     /* "PATH=NAME", of the new package; owned, as is the array */
    char **arguments; /* of each its command line; owned, as is the array */
    size_t count;
};

/* PATHS: OSD files. Those that are of another package are ERR_GUID_MISMATCH. */
int convert_programs_of_osds(struct convert_programs *to, char *const *paths, size_t count,
                             const struct pack_package *p, const struct pack_tree *tree,
                             enum pack_format format, struct losses *l, struct err *e) must_check;

/* The OSD files beside the SFT at LOCATION, if that is a local file, that are of this package: list
 * and paths are to be freed. */
int convert_find_osds(const char *location, const struct package *p, char ***paths, size_t *count,
                      struct err *e) must_check;

/* What the package's own manifest says. */
int convert_programs_of_details(struct convert_programs *to, const struct pack_package *p,
                                const struct pack_tree *tree, enum pack_format format,
                                struct losses *l, struct err *e) must_check;

void convert_programs_clear(struct convert_programs *to);

#endif
