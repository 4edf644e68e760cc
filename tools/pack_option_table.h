/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of `sft pack` and which formats they mean something to. For pack_options.c. */
#ifndef TOOLS_PACK_OPTION_TABLE_H
#define TOOLS_PACK_OPTION_TABLE_H

#include <stdint.h>

#include "tools/cli.h"
#include "tools/pack_options.h"

enum pack_option {
    OPT_OUTPUT = CLI_ID_OWN,
    OPT_FORCE,
    OPT_FORMAT,
    OPT_BLOCK_SIZE,
    OPT_CODEC,
    OPT_LEVEL,
    OPT_NAME,
    OPT_GUID,
    OPT_VERSION_GUID,
    OPT_VERSION_NUMBER,
    OPT_PUBLISHER,
    OPT_APP_VERSION,
    OPT_ARCH,
    OPT_LOGO,
    OPT_ROOT_NAME,
    OPT_LAUNCH_LIST,
    OPT_UPGRADE,
    OPT_EXCLUDE,
    OPT_USER_DATA,
    OPT_APP_DATA,
    OPT_OVERRIDE,
    OPT_CASE_SENSITIVE,
    OPT_NO_SHORT_NAMES,
    OPT_NO_DICTIONARY,
    OPT_STRICT,
    OPT_OSD,
    OPT_HREF,
    OPT_ICO,
    OPT_MANIFEST,
    OPT_JOBS,
    OPT_PROGRESS,
    OPT_QUIET,
    OPT_JSON,
};

/* Options that were given are collected as bits. */
static inline uint64_t pack_option_bit(int id)
{
    return UINT64_C(1) << (id - CLI_ID_OWN);
}

/* Name of the first option among GIVEN that means nothing to FORMAT, or NULL. */
const char *pack_option_stray(uint64_t given, enum pack_format format);

#endif
