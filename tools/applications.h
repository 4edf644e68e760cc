/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The programs that a package, or an OSD, says it has, as paths in a mount: what a script needs to
 * start them. Nothing is started here.
 */
#ifndef TOOLS_APPLICATIONS_H
#define TOOLS_APPLICATIONS_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"
#include "tools/target.h"

/* What to say of the programs of a mount. */
struct applications {
    const struct package *package;
    uint32_t top;                /* where the payload begins; see appv_payload() */
    const char *mountpoint;      /* absolute */
    const struct target *target; /* the programs of OSDs; those of the package come first */
    bool json;
    bool with_mountpoint; /* text: it is the first line (JSON has it always) */
};

/*
 * Text in *out, which the caller frees; "" if there is nothing to say. A line for each program,
 * five fields with a tab between: KIND (P: in the package; S: of the system), EXECUTABLE, WORKING
 * DIRECTORY (paths in the mount; of what is not in the package as the document has it), ARGUMENTS,
 * NAME. An empty field is
 * "-"; backslashes and control characters are escaped as printf(1) %b reads them.
 */
int applications_describe(const struct applications *a, char **out, struct err *e) must_check;

#endif
