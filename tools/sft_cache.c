/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft cache`: looks into the disk cache, checks and empties it, and brings packages in and out.
 * Command line and dispatch; cache_*.c do the work.
 */
#include "config.h"

#include "src/log.h"
#include "tools/cache_common.h"
#include "tools/sft.h"
#include "tools/subcommand.h"

enum {
    OPT_CACHE_DIR = CLI_ID_OWN,
    OPT_CACHE_SIZE,
    OPT_CACHE_FREE,
    OPT_REPAIR,
    OPT_ALL,
    OPT_OLDER_THAN,
    OPT_TO,
    OPT_OUTPUT,
    OPT_FORCE,
    OPT_PARTIAL,
    OPT_WHOLE,
    OPT_LOCATION,
};

static const struct cli_option options[] = {
    { "cache-dir", 0, "DIR",
      "The cache. The default is where mounts keep it: sftfs below $XDG_CACHE_HOME or ~/.cache, or "
      "/var/cache/sftfs without a home directory.",
      OPT_CACHE_DIR },
    { "cache-size", 0, "SIZE",
      "What all versions in the cache may take up together. Default: 4G.", OPT_CACHE_SIZE },
    { "cache-free", 0, "PERCENT", "Part of the file system that stays free. Default: 5.",
      OPT_CACHE_FREE },
    { "repair", 0, NULL, "verify: drop what is wrong, so that it is fetched again.", OPT_REPAIR },
    { "all", 0, NULL, "evict: everything.", OPT_ALL },
    { "older-than", 0, "DAYS", "evict: what was last used more than so many days ago.",
      OPT_OLDER_THAN },
    { "to", 0, "SIZE", "evict: the least recently used, until no more than SIZE is left.", OPT_TO },
    { "output", 'o', "FILE", "export: write to this file (required). It appears complete or not at "
                             "all.",
      OPT_OUTPUT },
    { "force", 'f', NULL, "export: replace FILE if it exists.", OPT_FORCE },
    { "partial", 0, NULL,
      "export: a tar archive of what there is, with where it came from, instead of the package.",
      OPT_PARTIAL },
    { "whole", 0, NULL,
      "load: also what lies between the files of a package that is a ZIP archive, so that it can be exported "
      "as it is.",
      OPT_WHOLE },
    { "location", 0, "LOCATION",
      "load, import: what the package will be mounted from, if not SOURCE or FILE.", OPT_LOCATION },
    SFT_QUIET_OPTION,
    SFT_JSON_OPTION,
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_group groups[] = {
    { NULL, CLI_STYLE_LONG, options },
    CONNECTION_GROUP,
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const synopsis[] = {
    "ls [OPTION]... [VERSION]...",
    "du [OPTION]...",
    "verify [OPTION]... [VERSION]...",
    "lock [OPTION]... VERSION...",
    "unlock [OPTION]... VERSION...",
    "evict [OPTION]... {VERSION... | --all | --older-than=DAYS | --to=SIZE}",
    "load [OPTION]... SOURCE",
    "import [OPTION]... FILE",
    "export [OPTION]... VERSION -o FILE",
    NULL,
};
static const struct cli_command command = {
    .name = "sft cache",
    .synopsis = synopsis,
    .summary = "Works on the disk cache, in which mounts keep what they have fetched.",
    .description =
        "ls lists what is in it, du says how much; verify checks it; lock keeps versions from "
        "being evicted, unlock lets them go again, evict removes them; load brings a package in as "
        "a whole, import does so from a file, and export takes it to a file.\n"
        "VERSION is the GUID of a package or of a version, or its first characters; the name of a "
        "package; or what it was mounted or loaded from: a location, an OSD or a manifest.",
    .groups = groups,
};

enum operands { NONE, ANY, SOME, ONE };

static const struct cache_command {
    struct subcommand is;
    enum exitcode (*run)(struct cache_run *r);
    enum operands operands;
    const char *operand;
} commands[] = {
    { { "ls", { 0 } }, cache_ls, ANY, "VERSION" },
    { { "du", { 0 } }, cache_du, NONE, NULL },
    { { "verify", { OPT_REPAIR } }, cache_verify, ANY, "VERSION" },
    { { "lock", { 0 } }, cache_lock, SOME, "VERSION" },
    { { "unlock", { 0 } }, cache_unlock, SOME, "VERSION" },
    { { "evict", { OPT_ALL, OPT_OLDER_THAN, OPT_TO } }, cache_evict, ANY, "VERSION" },
    { { "load", { OPT_WHOLE, OPT_LOCATION } }, cache_load, ONE, "SOURCE" },
    { { "import", { OPT_LOCATION } }, cache_import, ONE, "FILE" },
    { { "export", { OPT_OUTPUT, OPT_FORCE, OPT_PARTIAL } }, cache_export, ONE, "VERSION" },
};

struct parsed {
    struct cli cli;
    const struct cache_command *command;
    struct subcommand_given given;
};

/* Those that every command has. 0, or the exit code after a message; -1: another option. */
static int set_common(struct cache_run *r, struct parsed *p, int id)
{
    const char *arg = p->cli.arg;
    struct err e = { 0 };
    uint64_t n = 0;
    int rc = 0;

    switch (id) {
    case OPT_CACHE_DIR:
        if (!*arg)
            return cli_usage_error(&p->cli, "--cache-dir needs a directory");
        r->options.dir = arg;
        break;
    case OPT_CACHE_SIZE:
        rc = cli_parse_size("the size of the cache", arg, UINT64_C(1) << 20, UINT64_C(1) << 50,
                            &r->options.quota_bytes, &e);
        break;
    case OPT_CACHE_FREE:
        rc = cli_parse_number("the part that stays free", arg, 1, 99, &n, &e);
        r->options.free_percent = (unsigned)n;
        break;
    default:
        return id < CLI_ID_OWN || id > OPT_LOCATION ? sft_common_option(&r->in, &p->cli, id) : -1;
    }
    return rc ? cli_usage_error(&p->cli, "%s", e.text) : 0;
}

static int set_own(struct cache_run *r, struct parsed *p, int id)
{
    const char *arg = p->cli.arg;
    struct err e = { 0 };
    int rc = 0;

    subcommand_note(&p->given, id);
    switch (id) {
    case OPT_REPAIR:
        r->repair = true;
        break;
    case OPT_ALL:
        r->all = true;
        break;
    case OPT_OLDER_THAN:
        r->has_days = true;
        rc = cli_parse_number("the number of days", arg, 0, 36500, &r->days, &e);
        break;
    case OPT_TO:
        r->has_target = true;
        rc = cli_parse_size("the size that is left", arg, 0, UINT64_C(1) << 50, &r->target_bytes,
                            &e);
        break;
    case OPT_OUTPUT:
        r->output = arg;
        break;
    case OPT_FORCE:
        r->force = true;
        break;
    case OPT_PARTIAL:
        r->partial = true;
        break;
    case OPT_WHOLE:
        r->whole = true;
        break;
    default: /* OPT_LOCATION */
        r->location = arg;
        break;
    }
    return rc ? cli_usage_error(&p->cli, "%s", e.text) : 0;
}

static int check_options(struct parsed *p)
{
    const struct subcommand *c = &p->command->is;
    const struct cli_option *stray = subcommand_stray(&p->given, c, options);

    return stray ? cli_usage_error(&p->cli, "--%s has no effect on 'sft cache %s'", stray->name,
                                   c->name)
                 : 0;
}

static int check_operands(const struct cache_run *r, struct parsed *p)
{
    const struct cache_command *c = p->command;
    enum operands wanted = c->operands;

    if (r->operand_count && wanted == NONE)
        return cli_usage_error(&p->cli, "too many arguments: '%s'", r->operands[0]);
    if (!r->operand_count && wanted >= SOME)
        return cli_usage_error(&p->cli, "%s needs a %s", c->is.name, c->operand);
    if (r->operand_count > 1 && wanted == ONE)
        return cli_usage_error(&p->cli, "too many arguments: '%s'", r->operands[1]);
    if (c->run == cache_evict &&
        (r->operand_count > 0) + r->all + r->has_days + r->has_target != 1)
        return cli_usage_error(&p->cli,
                               "evict needs either VERSIONs, --all, --older-than or --to");
    if (c->run == cache_export && (!r->output || !*r->output))
        return cli_usage_error(&p->cli, "no output: give -o FILE");
    return check_options(p);
}

static int set_operands(struct cache_run *r, struct parsed *p)
{
    char **at = p->cli.operands;

    if (!p->cli.operand_count)
        return cli_usage_error(&p->cli, "no command given: ls, du, verify, lock, unlock, evict, "
                                        "load, import or export");
    p->command = subcommand_find(commands, ARRAY_LEN(commands), sizeof *commands, *at);
    if (!p->command)
        return cli_usage_error(&p->cli, "unknown command '%s'", *at);
    r->operands = at + 1;
    r->operand_count = (size_t)p->cli.operand_count - 1;
    return check_operands(r, p);
}

static int run(int argc, char **argv)
{
    struct cache_run r = { .in = SFT_INPUT_INIT };
    struct parsed p = { .command = NULL };
    enum exitcode status;
    int id, rc;

    cli_begin(&p.cli, &command, argc, argv);
    while ((id = cli_next(&p.cli)) > 0) {
        rc = set_common(&r, &p, id);
        if (rc < 0)
            rc = set_own(&r, &p, id);
        if (rc)
            return rc;
    }
    if (id < 0)
        return (int)p.cli.status;
    rc = set_operands(&r, &p);
    if (rc)
        return rc;

    log_set_level(LOG_LEVEL_WARNING); /* what goes well is said by the commands themselves */
    interrupt_begin(&r.interrupt);
    status = cache_run_open(&r);
    if (status == EXITCODE_OK)
        status = p.command->run(&r);
    cache_run_close(&r);
    interrupt_end(&r.interrupt);
    return (int)report_finish(&r.in.report, status);
}

const struct sft_subcommand sft_cache = { &command, run };
