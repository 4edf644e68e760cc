/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a package has and the converted one has not: counted, and told in words or JSON. */
#ifndef TOOLS_CONVERT_LOSSES_H
#define TOOLS_CONVERT_LOSSES_H

#include <stdint.h>

#include "src/compiler.h"
#include "tools/json.h"

enum loss {
    LOSS_CREATION_TIMES,
    LOSS_TIMES_ROUNDED,
    LOSS_DIRECTORY_TIMES,
    LOSS_ATTRIBUTES,
    LOSS_DATA_KINDS,
    LOSS_SECURITY,
    LOSS_FILE_IDS,
    LOSS_HISTORY,
    LOSS_PACKAGE_GUID,
    LOSS_VERSION,
    LOSS_SHORT_NAMES,
    LOSS_EMPTY_DIRECTORIES,
    LOSS_LAUNCH_SET,
    LOSS_CSIDL,
    LOSS_OWN_NAMES,
    LOSS_SIGNATURE,
    LOSS_BUNDLE,
    LOSS_CONTAINER_FILES,
    LOSS_PROGRAMS_OUTSIDE,
    LOSS_ARGUMENTS,
    LOSS_WORKING_DIRECTORIES,
    LOSS_SHORTCUTS,
    LOSS_ICONS,
    LOSS_SCRIPTS,
    LOSS_ENVIRONMENT,
    LOSS_POLICIES,
    LOSS_DEPENDENCIES,
    LOSS_SYSTEMS,
    LOSS_FILE_TYPES,
    LOSS_PROTOCOLS,
    LOSS_COMMANDS,
    LOSS_CAPABILITIES,
    LOSS_COUNT
};

struct losses {
    uint64_t count[LOSS_COUNT];
    char version[64]; /* LOSS_VERSION: which */
    char files[256];  /* LOSS_CONTAINER_FILES: names of the first ones */
};

/* As pack_job.add_to_summary, with a struct losses: "lost: ..." lines, or "lost": [ ... ]. */
void losses_print(void *losses, struct json *j);

#endif
