/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft overlay`: looks into what users changed on a mount with an overlay, carries it elsewhere,
 * throws it away, or makes a tree of it. Command line and dispatch; overlay_*.c do the work.
 */
#include "config.h"

#include "tools/overlay_common.h"
#include "tools/sft.h"
#include "tools/subcommand.h"

enum {
    OPT_OVERLAY = CLI_ID_OWN,
    OPT_LONG,
    OPT_BYTES,
    OPT_FORCE,
    OPT_REPLACE,
    OPT_UNSAFE_LINKS,
    OPT_ALL,
    OPT_DRY_RUN,
};

static const struct cli_option options[] = {
    { "overlay", 0, "DIR",
      "The overlay. The default is the place where a mount keeps that of the package SOURCE: "
      "sftfs/overlays/GUID below $XDG_DATA_HOME or ~/.local/share.",
      OPT_OVERLAY },
    { "long", 'l', NULL, "ls: show sizes in bytes, too; of what was deleted, the size it had.",
      OPT_LONG },
    { "bytes", 0, NULL,
      "diff: compare changed files with the package's and count the bytes that really differ, "
      "instead of those that are in the overlay.",
      OPT_BYTES },
    { "force", 'f', NULL, "export: replace TAR if it exists.", OPT_FORCE },
    { "replace", 0, NULL, "import: replace what is in the overlay.", OPT_REPLACE },
    { "unsafe-links", 0, NULL,
      "import: take symbolic links that lead out of the mount, too. They are never followed here, "
      "but programs that use the mount would.",
      OPT_UNSAFE_LINKS },
    { "all", 0, NULL, "reset: everything, what an upgrade of the package put aside included.",
      OPT_ALL },
    { "dry-run", 'n', NULL, "reset: only say what would be thrown away.", OPT_DRY_RUN },
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
    "status [OPTION]... [SOURCE]",
    "ls [OPTION]... [SOURCE]",
    "diff [OPTION]... [SOURCE]",
    "export [OPTION]... [SOURCE] TAR",
    "import [OPTION]... [SOURCE] TAR",
    "apply [OPTION]... [SOURCE] DIR",
    "reset [OPTION]... SOURCE {PATH... | --all}",
    "reset [OPTION]... --overlay=DIR {PATH... | --all}",
    NULL,
};
static const struct cli_command command = {
    .name = "sft overlay",
    .synopsis = synopsis,
    .summary = "Works on overlays: what was changed on mounts made with the option overlay.",
    .description =
        "status shows what an overlay is and who uses it; ls lists what was changed; diff says how "
        "much, against the package; export writes the overlay to a tar archive, import makes one "
        "from it; apply writes package and changes together as a plain tree; reset throws changes "
        "away. SOURCE is the package. It may be left out with --overlay (import: always); where "
        "the package is needed, it is then read from where the overlay was last used with. TAR "
        "may be '-'.",
    .groups = groups,
};

static const struct overlay_command {
    struct subcommand is;
    enum exitcode (*run)(struct overlay_run *r);
    const char *operand; /* after SOURCE, or NULL */
} commands[] = {
    { { "status", { 0 } }, overlay_status, NULL },
    { { "ls", { OPT_LONG } }, overlay_ls, NULL },
    { { "diff", { OPT_BYTES } }, overlay_diff, NULL },
    { { "export", { OPT_FORCE } }, overlay_export, "TAR" },
    { { "import", { OPT_REPLACE, OPT_UNSAFE_LINKS } }, overlay_import, "TAR" },
    { { "reset", { OPT_ALL, OPT_DRY_RUN } }, overlay_reset, "PATH" },
    { { "apply", { 0 } }, overlay_apply, "DIR" },
};

struct parsed {
    struct cli cli;
    const struct overlay_command *command;
    struct subcommand_given given;
};

/* 0, or the exit code after a message. */
static int set_option(struct overlay_run *r, struct parsed *p, int id)
{
    switch (id) {
    case OPT_OVERLAY:
        if (!*p->cli.arg)
            return cli_usage_error(&p->cli, "--overlay needs a directory");
        r->place = p->cli.arg;
        return 0;
    case OPT_LONG:
        r->long_form = true;
        break;
    case OPT_BYTES:
        r->bytes = true;
        break;
    case OPT_FORCE:
        r->force = true;
        break;
    case OPT_REPLACE:
        r->replace = true;
        break;
    case OPT_UNSAFE_LINKS:
        r->unsafe_links = true;
        break;
    case OPT_ALL:
        r->all = true;
        break;
    case OPT_DRY_RUN:
        r->dry_run = true;
        break;
    default:
        return sft_common_option(&r->in, &p->cli, id);
    }
    subcommand_note(&p->given, id);
    return 0;
}

static int check_options(struct parsed *p)
{
    const struct subcommand *c = &p->command->is;
    const struct cli_option *stray = subcommand_stray(&p->given, c, options);

    return stray ? cli_usage_error(&p->cli, "--%s has no effect on 'sft overlay %s'", stray->name,
                                   c->name)
                 : 0;
}

/* COMMAND, and what follows it, into R. */
static int set_operands(struct overlay_run *r, struct parsed *p)
{
    char **at = p->cli.operands;
    int left = p->cli.operand_count, last;

    if (!left)
        return cli_usage_error(&p->cli, "no command given: status, ls, diff, export, import, apply "
                                        "or reset");
    p->command = subcommand_find(commands, ARRAY_LEN(commands), sizeof *commands, *at);
    const struct overlay_command *c = p->command;
    if (!c)
        return cli_usage_error(&p->cli, "unknown command '%s'", *at);
    at++;
    left--;
    if (c->run == overlay_reset) {
        if (!r->place && left) {
            r->source = *at++;
            left--;
        }
        r->paths = at;
        r->path_count = (size_t)left;
        if ((!left && !r->all) || (left && r->all))
            return cli_usage_error(&p->cli, "reset needs either PATHs or --all");
    } else {
        last = c->operand != NULL;
        if (left < last)
            return cli_usage_error(&p->cli, "%s needs %s", c->is.name, c->operand);
        if (left > last + 1)
            return cli_usage_error(&p->cli, "too many arguments: '%s'", at[last + 1]);
        if (left > last)
            r->source = *at++;
        if (last)
            r->target = *at;
    }
    if (!r->source && !r->place && c->run != overlay_import)
        return cli_usage_error(&p->cli, "%s needs a SOURCE or --overlay=DIR%s%s", c->is.name,
                               c->operand ? " besides " : "", c->operand ? c->operand : "");
    return check_options(p);
}

static int run(int argc, char **argv)
{
    struct overlay_run r = { .in = SFT_INPUT_INIT };
    struct parsed p = { .command = NULL };
    enum exitcode status;
    int id, rc;

    cli_begin(&p.cli, &command, argc, argv);
    while ((id = cli_next(&p.cli)) > 0)
        if ((rc = set_option(&r, &p, id)))
            return rc;
    if (id < 0)
        return (int)p.cli.status;
    rc = set_operands(&r, &p);
    if (rc)
        return rc;

    interrupt_begin(&r.interrupt);
    status = r.source || r.place ? overlay_locate(&r) : EXITCODE_OK;
    if (status == EXITCODE_OK)
        status = p.command->run(&r);
    overlay_release(&r);
    interrupt_end(&r.interrupt);
    return (int)report_finish(&r.in.report, status);
}

const struct sft_subcommand sft_overlay = { &command, run };
