/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of `sft pack`: what is made of its options. */
#include "config.h"

#include "tools/pack_options.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "src/deflate_block.h"
#include "tools/pack_option_table.h"

#define JOBS_MAX 256u

struct parser {
    struct cli cli;
    struct pack_options *o;
    bool has_format, has_level;
    const char *codec; /* NULL: not given */
    uint64_t level;
    uint64_t given; /* a bit for each option, from CLI_ID_OWN on */
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

/* Four numbers of 16 bits. */
int pack_check_version(const char *text, struct err *e)
{
    unsigned long part;
    char *end;
    const char *at = text;
    for (unsigned i = 0; i < 4; i++, at = end + 1) {
        part = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : ULONG_MAX;
        if (part > UINT16_MAX || *end != (i < 3 ? '.' : '\0'))
            return err_set(e, ERR_INVALID,
                           "--app-version is four numbers up to 65535 with dots, not '%s'", text);
    }
    return 0;
}

int pack_check_arch(const char *text, struct err *e)
{
    static const char *const known[] = { "x86", "x64", "arm", "arm64", "neutral" };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!strcmp(text, known[i]))
            return 0;
    return err_set(e, ERR_INVALID, "--arch is x86, x64, arm, arm64 or neutral, not '%s'", text);
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
    case OPT_FORMAT:
        p->has_format = true;
        return pack_format_parse(arg, &o->format, e);
    case OPT_BLOCK_SIZE:
        return parse_block_size(arg, &o->block_size, e);
    case OPT_CODEC:
        p->codec = arg;
        return 0;
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
    case OPT_PUBLISHER:
        o->app.publisher = arg;
        return 0;
    case OPT_APP_VERSION:
        o->app.version = arg;
        return pack_check_version(arg, e);
    case OPT_ARCH:
        o->app.arch = arg;
        return pack_check_arch(arg, e);
    case OPT_LOGO:
        o->app.logo = arg;
        return 0;
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

/* --- formats ---------------------------------------------------------------------------------- */

const char *pack_format_name(enum pack_format format)
{
    static const char *const names[] = { "sft", "msix", "appv" };
    return names[format];
}

int pack_format_parse(const char *name, enum pack_format *out, struct err *e)
{
    for (enum pack_format f = PACK_SFT; f <= PACK_APPV; f++)
        if (!strcmp(name, pack_format_name(f))) {
            *out = f;
            return 0;
        }
    return err_set(e, ERR_INVALID, "--format is sft, msix or appv, not '%s'", name);
}

int pack_format_of(const char *output, enum pack_format *out, struct err *e)
{
    static const struct {
        const char *ending;
        enum pack_format format;
    } known[] = { { ".msix", PACK_MSIX }, { ".appx", PACK_MSIX }, { ".appv", PACK_APPV } };
    static const char *const bundles[] = { ".msixbundle", ".appxbundle" };
    const char *dot = strrchr(output, '.');
    *out = PACK_SFT;
    for (size_t i = 0; dot && i < ARRAY_LEN(known); i++)
        if (!strcasecmp(dot, known[i].ending))
            *out = known[i].format;
    for (size_t i = 0; dot && i < ARRAY_LEN(bundles); i++)
        if (!strcasecmp(dot, bundles[i]))
            return err_set(e, ERR_INVALID,
                           "%s: bundles cannot be written; write a package, such as %.*s.msix", output,
                           (int)(dot - output), output);
    return 0;
}

static int check_format(const struct parser *p, struct err *e)
{
    const char *stray = pack_option_stray(p->given, p->o->format);
    return stray ? err_set(e, ERR_INVALID, "--%s has no effect on format %s", stray,
                           pack_format_name(p->o->format))
                 : 0;
}

/* --- together --------------------------------------------------------------------------------- */

static int choose_codec(struct pack_options *o, const char *name, int *min, int *max,
                        struct err *e)
{
    if (o->format == PACK_SFT) {
        o->codec = CODEC_ZSTD;
        if (name && codec_parse(name, &o->codec))
            return err_set(e, ERR_INVALID, "--codec is none, zlib, bzip2 or zstd, not '%s'", name);
        codec_levels(o->codec, min, max, &o->level);
        return 0;
    }
    if (name && strcmp(name, "none") && strcmp(name, "deflate"))
        return err_set(e, ERR_INVALID, "--codec of format %s is none or deflate, not '%s'",
                       pack_format_name(o->format), name);
    bool none = name && !strcmp(name, "none");
    o->codec = none ? CODEC_NONE : CODEC_DEFLATE;
    *min = none ? 0 : DEFLATE_LEVEL_MIN;
    *max = none ? 0 : DEFLATE_LEVEL_MAX;
    o->level = DEFLATE_LEVEL_NORMAL;
    return 0;
}

static int choose_level(struct pack_options *o, const char *codec, long level, struct err *e)
{
    int min, max;
    int rc = choose_codec(o, codec, &min, &max, e);
    if (rc || level < 0)
        return rc;
    if (max == 0)
        return err_set(e, ERR_INVALID, "--codec none has no levels");
    if (level < min || level > max)
        return err_set(e, ERR_INVALID, "--level of %s is %d to %d", codec_name(o->codec), min, max);
    o->level = (int)level;
    return 0;
}

int pack_options_settle(struct pack_options *o, const char *codec, long level, struct err *e)
{
    int rc = choose_level(o, codec, level, e);
    if (rc)
        return rc;
    if (!o->jobs) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        o->jobs = n > 0 ? (unsigned)n : 1;
    }
    if (o->jobs > JOBS_MAX)
        o->jobs = JOBS_MAX;
    return parse_epoch(o, e);
}

static int check_output(struct parser *p, struct err *e)
{
    struct pack_options *o = p->o;
    if (!o->output || !*o->output)
        return err_set(e, ERR_INVALID, "no output: give -o FILE");
    if (!strcmp(o->output, "-"))
        return err_set(e, ERR_INVALID,
                       "a package cannot be written to standard output: give -o FILE");
    int rc = p->has_format ? 0 : pack_format_of(o->output, &o->format, e);
    return rc ? rc : check_format(p, e);
}

/* What no single option shows to be wrong. */
static int check_together(struct parser *p, struct err *e)
{
    struct pack_options *o = p->o;
    if (p->cli.operand_count != 1)
        return err_set(e, ERR_INVALID, "one directory is needed, %d were given",
                       p->cli.operand_count);
    o->dir = p->cli.operands[0];
    int rc = check_output(p, e);
    if (rc)
        return rc;
    if (o->upgrade && o->has_guid)
        return err_set(e, ERR_INVALID, "--guid cannot be given with --upgrade, which keeps it");
    if (o->osd_count == 0 && (o->href || o->icon))
        return err_set(e, ERR_INVALID, "--href and --ico have no effect without --osd");
    return pack_options_settle(o, p->codec, p->has_level ? (long)p->level : -1, e);
}

bool pack_options_parse(int argc, char **argv, struct pack_options *out, int *status)
{
    *out = (struct pack_options){ .progress = PROGRESS_AUTO };
    struct parser p = { .o = out };
    struct err e = { 0 };
    int id, rc = 0;
    cli_begin(&p.cli, &pack_command, argc, argv);
    while (!rc && (id = cli_next(&p.cli)) > 0) {
        p.given |= pack_option_bit(id);
        rc = take_option(&p, id, &e);
    }
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
