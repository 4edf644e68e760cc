/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Option table of `sft pack` and what is made of it. */
#include "config.h"

#include "tools/pack_options.h"

#include <limits.h>
#include <string.h>

#define JOBS_MAX 256u

enum {
    OPT_OUTPUT = CLI_ID_OWN,
    OPT_FORCE,
    OPT_BLOCK_SIZE,
    OPT_CODEC,
    OPT_LEVEL,
    OPT_NAME,
    OPT_GUID,
    OPT_VERSION_GUID,
    OPT_VERSION_NUMBER,
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

static const struct cli_option output_options[] = {
    { "output", 'o', "FILE",
      "Write the package to FILE (required). It appears complete or not at all.",
      OPT_OUTPUT },
    { "force", 'f', NULL, "Replace files that exist already.", OPT_FORCE },
    { "block-size", 'b', "KIB",
      "Decoded size of a block: 4, 16, 32 or 64 KiB. The default is 64.",
      OPT_BLOCK_SIZE },
    { "codec", 'c', "NAME",
      "How blocks are stored: none, zlib, bzip2 or zstd (the default). Blocks that do not "
      "get smaller are stored as they are.",
      OPT_CODEC },
    { "level", 'l', "N", "Level of the codec; the range depends on it.", OPT_LEVEL },
    { "jobs", 'j', "N", "Use N threads. The default is one for each processor.", OPT_JOBS },
    { 0 },
};

static const struct cli_option identity_options[] = {
    { "name", 'n', "NAME",
      "Name of the package. The default is the output's name without .sft.",
      OPT_NAME },
    { "guid", 0, "GUID",
      "Package GUID, the same for all versions. The default is a random one, or the old "
      "version's.",
      OPT_GUID },
    { "version-guid", 0, "GUID",
      "GUID of this version. The default is derived from the content.",
      OPT_VERSION_GUID },
    { "version-number", 0, "N",
      "Number of this version. The default is 1, or one more than the old version's.",
      OPT_VERSION_NUMBER },
    { "upgrade", 'u', "OLD.sft",
      "Make the next version of this package: its GUID, block size and history are kept, "
      "and files that did not change keep their blocks as they are stored.",
      OPT_UPGRADE },
    { 0 },
};

static const struct cli_option content_options[] = {
    { "root-name", 'r', "NAME",
      "Put the content below one top directory of this name (the asset directory).",
      OPT_ROOT_NAME },
    { "exclude", 'x', "GLOB",
      "Leave out what matches, directories with all that is in them. Repeatable. A pattern "
      "without a slash is compared with the last part of the path; case does not matter.",
      OPT_EXCLUDE },
    { "launch-list", 'L', "FILE",
      "Store what a start of the program needs first and together. FILE is a recording that a "
      "mount with -o record made, of which only the parts of files are taken that were used; or it "
      "names files, one path a line: either slash, any case; a directory stands for all that is in it; "
      "lines that begin with # are comments.",
      OPT_LAUNCH_LIST },
    { "user-data", 0, "GLOB",
      "Mark the files that match as User Data. Repeatable.",
      OPT_USER_DATA },
    { "app-data", 0, "GLOB",
      "Mark the files that match as Application Data. Repeatable.",
      OPT_APP_DATA },
    { "override", 0, "GLOB", "Mark the files that match as Override. Repeatable.", OPT_OVERRIDE },
    { "case-sensitive", 0, NULL,
      "Allow names in one directory that differ only in case.",
      OPT_CASE_SENSITIVE },
    { "no-short-names", 0, NULL, "Make no 8.3 names.", OPT_NO_SHORT_NAMES },
    { "no-dictionary", 0, NULL,
      "Make no zstd dictionary for the blocks of a large package: it grows by two to three "
      "percent, and its blocks decode a little faster.",
      OPT_NO_DICTIONARY },
    { "strict", 0, NULL,
      "Fail on symbolic links, devices, fifos and sockets instead of leaving them out.",
      OPT_STRICT },
    { 0 },
};

static const struct cli_option document_options[] = {
    { "osd", 0, "EXE[=NAME]",
      "Write NAME.osd (default: the program's name) beside the output, and its icon, for "
      "this program of the package. Repeatable.",
      OPT_OSD },
    { "href", 0, "URL",
      "Where the OSD says that the package is. The default is beside the OSD.",
      OPT_HREF },
    { "ico", 0, "FILE", "Icon for the programs. The default is the one in the program.", OPT_ICO },
    { "manifest", 0, NULL,
      "Write NAME_manifest.xml beside the output; it lists the programs given with --osd.",
      OPT_MANIFEST },
    { 0 },
};

static const struct cli_option message_options[] = {
    { "progress", 0, "WHEN",
      "Show progress: auto (on a terminal, the default), always or never.",
      OPT_PROGRESS },
    { "quiet", 'q', NULL, "Print errors only.", OPT_QUIET },
    { "json", 0, NULL, "Print the summary as JSON.", OPT_JSON },
    { 0 },
};

static const char *const synopsis[] = { "[OPTION]... DIR -o FILE.sft", NULL };

static const struct cli_group groups[] = {
    { "Output", CLI_STYLE_LONG, output_options },
    { "Identity", CLI_STYLE_LONG, identity_options },
    { "Content", CLI_STYLE_LONG, content_options },
    { "Documents", CLI_STYLE_LONG, document_options },
    { "Messages", CLI_STYLE_LONG, message_options },
    { NULL, CLI_STYLE_LONG, NULL },
};

const struct cli_command pack_command = {
    .name = "sft pack",
    .synopsis = synopsis,
    .summary = "Makes a package from a directory tree.",
    .description =
        "The same input with the same --guid and SOURCE_DATE_EPOCH in the environment gives the "
        "same bytes. SOURCE_DATE_EPOCH also limits the times of the files: later ones are set to "
        "it.",
    .groups = groups,
};

struct parser {
    struct cli cli;
    struct pack_options *o;
    bool has_codec, has_level;
    uint64_t level;
};

/* Makes room for one more element of SIZE bytes in an array of COUNT. */
static bool grow(void *array, size_t count, size_t size)
{
    void *p = realloc(*(void **)array, (count + 1) * size);
    if (p)
        *(void **)array = p;
    return p != NULL;
}

static int add_string(char ***list, size_t *count, const char *text, struct err *e)
{
    if (!grow(list, *count, sizeof **list))
        return err_nomem(e);
    union { /* argv is not const; getopt's argument is */
        const char *c;
        char *m;
    } u = { .c = text };
    (*list)[(*count)++] = u.m;
    return 0;
}

static int add_flag(struct pack_options *o, const char *pattern, uint16_t flag, struct err *e)
{
    if (!grow(&o->flags, o->flag_count, sizeof *o->flags))
        return err_nomem(e);
    o->flags[o->flag_count++] = (struct pack_flag_rule){ pattern, flag };
    return 0;
}

static int parse_guid(const char *what, const char *text, struct guid *out, struct err *e)
{
    if (guid_parse(text, out) || guid_is_zero(out))
        return err_set(e, ERR_INVALID, "%s: '%s' is not a GUID", what, text);
    return 0;
}

static int parse_block_size(const char *text, uint32_t *out, struct err *e)
{
    uint64_t kib;
    int rc = cli_parse_number("--block-size", text, 4, 64, &kib, e);
    if (!rc && kib != 4 && kib != 16 && kib != 32 && kib != 64)
        rc = err_set(e, ERR_INVALID, "--block-size is 4, 16, 32 or 64, not %s", text);
    if (!rc)
        *out = (uint32_t)kib * 1024;
    return rc;
}

static int parse_number32(const char *what, const char *text, uint32_t *out, struct err *e)
{
    uint64_t n;
    int rc = cli_parse_number(what, text, 1, INT32_MAX, &n, e);
    if (!rc)
        *out = (uint32_t)n;
    return rc;
}

static int take_content_option(struct parser *p, int id, struct err *e)
{
    struct pack_options *o = p->o;
    const char *arg = p->cli.arg;
    switch (id) {
    case OPT_ROOT_NAME:
        o->root_name = arg;
        return 0;
    case OPT_EXCLUDE:
        return add_string(&o->exclude, &o->exclude_count, arg, e);
    case OPT_LAUNCH_LIST:
        o->launch_list = arg;
        return 0;
    case OPT_USER_DATA:
        return add_flag(o, arg, NODE_USER_DATA, e);
    case OPT_APP_DATA:
        return add_flag(o, arg, NODE_APPLICATION_DATA, e);
    case OPT_OVERRIDE:
        return add_flag(o, arg, NODE_OVERRIDE, e);
    case OPT_CASE_SENSITIVE:
        o->case_sensitive = true;
        return 0;
    case OPT_NO_SHORT_NAMES:
        o->no_short_names = true;
        return 0;
    case OPT_NO_DICTIONARY:
        o->no_dictionary = true;
        return 0;
    case OPT_STRICT:
        o->strict = true;
        return 0;
    case OPT_OSD:
        return add_string(&o->osds, &o->osd_count, arg, e);
    case OPT_HREF:
        o->href = arg;
        return 0;
    case OPT_ICO:
        o->icon = arg;
        return 0;
    case OPT_MANIFEST:
        o->manifest = true;
        return 0;
    default:
        return err_set(e, ERR_INVALID, "option %d is not handled", id);
    }
}

static int take_option(struct parser *p, int id, struct err *e)
{
    struct pack_options *o = p->o;
    const char *arg = p->cli.arg;
    switch (id) {
    case OPT_OUTPUT:
        o->output = arg;
        return 0;
    case OPT_FORCE:
        o->force = true;
        return 0;
    case OPT_BLOCK_SIZE:
        return parse_block_size(arg, &o->block_size, e);
    case OPT_CODEC:
        p->has_codec = true;
        return codec_parse(arg, &o->codec)
                   ? err_set(e, ERR_INVALID, "--codec is none, zlib, bzip2 or zstd, not '%s'", arg)
                   : 0;
    case OPT_LEVEL:
        p->has_level = true;
        return cli_parse_number("--level", arg, 0, 1000, &p->level, e);
    case OPT_NAME:
        o->name = arg;
        return 0;
    case OPT_GUID:
        o->has_guid = true;
        return parse_guid("--guid", arg, &o->guid, e);
    case OPT_VERSION_GUID:
        o->has_version_guid = true;
        return parse_guid("--version-guid", arg, &o->version_guid, e);
    case OPT_VERSION_NUMBER:
        return parse_number32("--version-number", arg, &o->version_number, e);
    case OPT_UPGRADE:
        o->upgrade = arg;
        return 0;
    case OPT_JOBS:
        return parse_number32("--jobs", arg, &o->jobs, e);
    case OPT_PROGRESS:
        return progress_parse(arg, &o->progress)
                   ? err_set(e, ERR_INVALID, "--progress is auto, always or never, not '%s'", arg)
                   : 0;
    case OPT_QUIET:
        o->quiet = true;
        return 0;
    case OPT_JSON:
        o->json = true;
        return 0;
    default:
        return take_content_option(p, id, e);
    }
}

static int parse_epoch(struct pack_options *o, struct err *e)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    uint64_t seconds;
    if (!text || !*text)
        return 0;
    int rc = cli_parse_number("SOURCE_DATE_EPOCH", text, 0, INT64_C(1) << 36, &seconds, e);
    if (rc)
        return rc;
    o->has_epoch = true;
    o->epoch = (int64_t)seconds;
    return 0;
}

/* What no single option shows to be wrong. */
static int check_together(struct parser *p, struct err *e)
{
    struct pack_options *o = p->o;
    if (p->cli.operand_count != 1)
        return err_set(e, ERR_INVALID, "one directory is needed, %d were given",
                       p->cli.operand_count);
    o->dir = p->cli.operands[0];
    if (!o->output || !*o->output)
        return err_set(e, ERR_INVALID, "no output: give -o FILE.sft");
    if (!strcmp(o->output, "-"))
        return err_set(e, ERR_INVALID,
                       "a package cannot be written to standard output: give -o FILE.sft");
    if (o->upgrade && o->has_guid)
        return err_set(e, ERR_INVALID, "--guid cannot be given with --upgrade, which keeps it");
    if (o->osd_count == 0 && (o->href || o->icon))
        return err_set(e, ERR_INVALID, "--href and --ico have no effect without --osd");
    if (!p->has_codec)
        o->codec = CODEC_ZSTD;
    int min, max, normal;
    codec_levels(o->codec, &min, &max, &normal);
    o->level = normal;
    if (p->has_level && max == 0)
        return err_set(e, ERR_INVALID, "--codec none has no levels");
    if (p->has_level && ((int)p->level < min || (int)p->level > max))
        return err_set(e, ERR_INVALID, "--level of %s is %d to %d", codec_name(o->codec), min, max);
    if (p->has_level)
        o->level = (int)p->level;
    if (!o->jobs) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        o->jobs = n > 0 ? (unsigned)n : 1;
    }
    if (o->jobs > JOBS_MAX)
        o->jobs = JOBS_MAX;
    return parse_epoch(o, e);
}

bool pack_options_parse(int argc, char **argv, struct pack_options *out, int *status)
{
    *out = (struct pack_options){ .progress = PROGRESS_AUTO };
    struct parser p = { .o = out };
    struct err e = { 0 };
    int id, rc = 0;
    cli_begin(&p.cli, &pack_command, argc, argv);
    while (!rc && (id = cli_next(&p.cli)) > 0)
        rc = take_option(&p, id, &e);
    if (!rc && id < 0) {
        *status = (int)p.cli.status;
    } else {
        if (!rc)
            rc = check_together(&p, &e);
        if (!rc)
            return true;
        *status = cli_usage_error(&p.cli, "%s", e.text);
    }
    pack_options_clear(out);
    return false;
}

void pack_options_clear(struct pack_options *o)
{
    free(o->exclude);
    free(o->flags);
    free(o->osds);
    o->exclude = NULL;
    o->flags = NULL;
    o->osds = NULL;
}
