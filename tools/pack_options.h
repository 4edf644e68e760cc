/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command line of `sft pack`, checked: numbers in range, GUIDs parsed, no option without effect. */
#ifndef TOOLS_PACK_OPTIONS_H
#define TOOLS_PACK_OPTIONS_H

#include <stdint.h>

#include "src/codec.h"
#include "src/guid.h"
#include "tools/cli.h"
#include "tools/pack_tree.h"
#include "tools/progress.h"

enum pack_format { PACK_SFT, PACK_MSIX, PACK_APPV };

/* What only packages with an AppxManifest.xml have. */
struct pack_app_options {
    const char *publisher; /* distinguished name; NULL = not given */
    const char *version;   /* "1.2.3.4"; NULL = not given */
    const char *arch;      /* as in manifests; NULL = not given */
    const char *logo;      /* path of an image in the package; NULL = not given */
};

struct pack_options {
    enum pack_format format;
    struct pack_app_options app;
    const char *dir;
    const char *output;
    const char *name;         /* NULL = from the output's name, or the old version's */
    const char *root_name;    /* NULL = none */
    const char *launch_list;
    const char *upgrade;
    const char *href;         /* NULL = the package beside the document */
    const char *icon;         /* ICO file; NULL = taken from the program */
    uint32_t block_size;      /* 0 = default, or the old version's */
    enum codec codec;
    int level;
    bool has_guid, has_version_guid;
    struct guid guid, version_guid;
    uint32_t version_number;  /* 0 = 1, or one more than the old version's */
    bool has_epoch;
    int64_t epoch;            /* SOURCE_DATE_EPOCH, seconds */
    unsigned jobs;            /* at least 1 */
    enum progress_mode progress;
    bool case_sensitive, no_short_names, no_dictionary, strict, manifest, quiet, json, force;
    char **exclude;           /* the array is owned; strings are argv's */
    size_t exclude_count;
    struct pack_flag_rule *flags; /* owned */
    size_t flag_count;
    char **osds;              /* EXE or EXE=NAME; the array is owned */
    size_t osd_count;
    char **arguments;         /* command line of each program, borrowed; NULL: none has one */
};

extern const struct cli_command pack_command;

/* "sft", "msix", "appv". */
const char *pack_format_name(enum pack_format format);

/* By its name. By the ending of an output: SFT unless it says otherwise. ERR_INVALID: no such format, or
 * one that cannot be written. */
int pack_format_parse(const char *name, enum pack_format *out, struct err *e) must_check;
int pack_format_of(const char *output, enum pack_format *out, struct err *e) must_check;

/* Checks of single options, for every command that has them. ERR_INVALID. */
int pack_check_version(const char *text, struct err *e) must_check;
int pack_check_arch(const char *text, struct err *e) must_check;

/* Fills in, once the format is known, codec and level (NULL and -1 for what is usual), threads unless
 * given, and SOURCE_DATE_EPOCH. ERR_INVALID. */
int pack_options_settle(struct pack_options *o, const char *codec, long level, struct err *e)
    must_check;

/* Fills in *out. False when the command should end now with *status; nothing is left to clear. */
bool pack_options_parse(int argc, char **argv, struct pack_options *out, int *status);

void pack_options_clear(struct pack_options *o);

#endif
