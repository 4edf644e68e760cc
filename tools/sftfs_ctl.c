/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sftfs ctl`: what a mount does, and a few orders to it, by its control socket. Command line, and
 * the commands that ask; ctl_end.c has those that end a mount. The mount itself is never touched,
 * so that all of this works when it is stuck.
 */
#include "config.h"

#include "tools/sftfs_ctl.h"

#include <stdio.h>
#include <string.h>

#include "tools/ctl_common.h"
#include "tools/ctl_show.h"
#include "tools/json.h"
#include "tools/subcommand.h"
#include "tools/text.h"

enum {
    OPT_JSON = CLI_ID_OWN,
    OPT_FORMAT,
    OPT_FOLLOW,
    OPT_LINES,
    OPT_LAZY,
    OPT_FORCE,
    OPT_TIMEOUT,
};

static const struct cli_option options[] = {
    { "json", 0, NULL,
      "Print JSON, errors too; with log and progress one object a line.", OPT_JSON },
    { "format", 0, "FORMAT",
      "stats: text, json or prometheus (for a node exporter's textfile collector and the like). "
      "Default: text.",
      OPT_FORMAT },
    { "follow", 'f', NULL, "log: go on with new lines until the mount ends.", OPT_FOLLOW },
    { "lines", 'n', "N", "log: only the last N lines.", OPT_LINES },
    { "lazy", 'z', NULL, "unmount: detach at once, also when the mount is in use.", OPT_LAZY },
    { "force", 0, NULL,
      "unmount: abort what is waited for, detach, and end a daemon that does not end by itself.",
      OPT_FORCE },
    { "timeout", 0, "SECONDS", "How long to wait for an answer. Default: 5.", OPT_TIMEOUT },
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_group groups[] = {
    { NULL, CLI_STYLE_LONG, options },
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const synopsis[] = {
    "MOUNTPOINT status [--json]",
    "MOUNTPOINT stats [--json | --format=FORMAT]",
    "MOUNTPOINT log [--follow] [--lines=N] [--json]",
    "MOUNTPOINT loglevel [LEVEL]",
    "MOUNTPOINT progress [--json]",
    "MOUNTPOINT prefetch [launch | all | stop]",
    "MOUNTPOINT offline",
    "MOUNTPOINT online",
    "MOUNTPOINT unmount [--lazy | --force]",
    "MOUNTPOINT abort",
    NULL,
};
static const struct cli_command command = {
    .name = "sftfs ctl",
    .synopsis = synopsis,
    .summary = "Asks a mount how it is, and gives it orders.",
    .description =
        "status says what is mounted and how it is; stats shows all numbers; log shows the last "
        "lines of its log and loglevel how much goes there (error, warning, info, debug), or "
        "changes it. progress prints a line a second while blocks are fetched ahead; prefetch "
        "asks for that: the launch set (the default), everything, or no more. offline has the "
        "mount ask no server from now on, online undoes that. unmount ends the mount. abort has "
        "every read that waits fail at once, and all later ones: for a mount that is stuck beyond "
        "help.\n"
        "All of it works when the mount is stuck, and never touches it. Only root and the user "
        "who mounted may. To mount a package called ctl, write ./ctl.",
    .groups = groups,
};

static const struct ctl_command {
    struct subcommand is;
    enum exitcode (*run)(struct ctl *c);
    enum control_verb verb; /* of those that ask */
    const char *argument;   /* that it may have, or NULL */
} commands[] = {
    { { "status", { OPT_JSON } }, ctl_status, CONTROL_STATUS, NULL },
    { { "stats", { OPT_JSON, OPT_FORMAT } }, ctl_status, CONTROL_STATS, NULL },
    { { "log", { OPT_JSON, OPT_FOLLOW, OPT_LINES } }, ctl_log, CONTROL_LOG, NULL },
    { { "loglevel", { OPT_JSON } }, ctl_order, CONTROL_LOGLEVEL, "level" },
    { { "progress", { OPT_JSON } }, ctl_progress, CONTROL_PROGRESS, NULL },
    { { "prefetch", { OPT_JSON } }, ctl_order, CONTROL_PREFETCH, "launch, all or stop" },
    { { "offline", { OPT_JSON } }, ctl_order, CONTROL_OFFLINE, NULL },
    { { "online", { OPT_JSON } }, ctl_order, CONTROL_ONLINE, NULL },
    { { "unmount", { OPT_JSON, OPT_LAZY, OPT_FORCE } }, ctl_unmount, CONTROL_PING, NULL },
    { { "abort", { OPT_JSON } }, ctl_abort, CONTROL_PING, NULL },
};

/* ---- asking ---- */

/* What to say of a daemon that does not answer, and what to do about it. */
static void explain(const struct ctl *c, struct err *e)
{
    const struct control_process *p = &c->link.process;
    bool stopped = false, lives = p->pid && control_process_lives(p, c->id.uid, &stopped);

    if (c->link.state == CONTROL_LINK_DENIED)
        (void)err_set(e, ERR_DENIED, "only root and the user who mounted may ask");
    else if (stopped)
        (void)err_set(e, ERR_TIMEOUT, "its daemon, process %ld, is stopped; 'unmount --force' ends "
                                      "the mount",
                      (long)p->pid);
    else if (c->link.state == CONTROL_LINK_OPEN || lives)
        (void)err_set(e, ERR_TIMEOUT,
                      "its daemon%s does not answer; 'unmount --force' ends the mount",
                      lives ? ", which is there," : "");
    else if (c->link.state == CONTROL_LINK_DEAD)
        (void)err_set(e, ERR_NOT_FOUND, "its daemon is gone; 'unmount' removes the mount");
    else
        (void)err_set(e, ERR_NOT_FOUND, "it has no control socket");
}

/* Sends the request and hands the lines of the reply to EACH. */
static enum exitcode ask(struct ctl *c, control_line_fn each, void *arg)
{
    struct err e = { 0 };

    if (c->link.state != CONTROL_LINK_OPEN) {
        explain(c, &e);
        return ctl_error(c, &e);
    }
    int rc = control_ask(&c->link, &c->request, c->timeout_ms, each, arg, &e);
    if (rc && e.kind == ERR_TIMEOUT)
        explain(c, &e);
    return rc ? ctl_error(c, &e) : report_finish(&c->report, EXITCODE_OK);
}

struct collecting {
    struct show_rows rows;
    struct err e;
};

static int collect(char *line, void *arg)
{
    struct collecting *c = arg;

    return show_rows_add(&c->rows, line, &c->e);
}

enum exitcode ctl_status(struct ctl *c)
{
    struct collecting got = { .rows = { .count = 0 } };
    enum exitcode status = ask(c, collect, &got);

    if (status == EXITCODE_OK) {
        if (c->format == CTL_PROMETHEUS)
            show_prometheus(stdout, &got.rows, c->id.mountpoint);
        else if (c->format == CTL_JSON)
            show_json(stdout, &got.rows, false);
        else
            show_text(stdout, &got.rows);
        status = report_finish(&c->report, EXITCODE_OK);
    }
    show_rows_free(&got.rows);
    return status;
}

static int print_log_line(char *line, void *arg)
{
    const struct ctl *c = arg;
    char time[LOG_TIME_SIZE];
    enum log_level level;
    const char *text;
    uint64_t number;
    int64_t time_ms;
    int rc = control_parse_log(line, &number, &time_ms, &level, &text, NULL);

    if (rc)
        return rc;
    log_format_time(time_ms, time);
    if (c->format == CTL_JSON) {
        struct json j = json_begin_line(stdout);

        json_object(&j, NULL);
        json_uint(&j, "number", number);
        json_string(&j, "time", time);
        json_string(&j, "level", log_level_name(level));
        json_string(&j, "text", text);
        json_close_object(&j);
        return json_end(&j);
    }
    (void)printf("%s %-7s ", time, log_level_name(level));
    text_put(stdout, text);
    (void)putchar('\n');
    return c->request.follow && fflush(stdout) ? -EPIPE : 0;
}

enum exitcode ctl_log(struct ctl *c)
{
    return ask(c, print_log_line, c);
}

static int print_plain(char *line, void *arg)
{
    const struct ctl *c = arg;

    if (c->format == CTL_JSON) {
        struct json j = json_begin(stdout);

        json_object(&j, NULL);
        json_string(&j, c->command, line);
        json_close_object(&j);
        return json_end(&j);
    }
    text_put(stdout, line);
    return putchar('\n') == EOF ? -EIO : 0;
}

enum exitcode ctl_order(struct ctl *c)
{
    return ask(c, print_plain, c);
}

struct progress {
    const struct ctl *ctl;
    struct show_rows rows;
};

/* An empty line ends a group of rows. */
static int print_progress(char *line, void *arg)
{
    struct progress *p = arg;

    if (*line)
        return show_rows_add(&p->rows, line, NULL);
    if (p->ctl->format == CTL_JSON)
        show_json(stdout, &p->rows, true);
    else
        show_progress(stdout, &p->rows);
    show_rows_free(&p->rows);
    return fflush(stdout) ? -EPIPE : 0;
}

enum exitcode ctl_progress(struct ctl *c)
{
    struct progress p = { .ctl = c };

    c->request.follow = true;
    enum exitcode status = ask(c, print_progress, &p);
    show_rows_free(&p.rows);
    return status;
}

/* ---- the command line ---- */

struct parsed {
    struct cli cli;
    const struct ctl_command *command;
    struct subcommand_given given;
};

static int set_format(struct ctl *c, struct cli *cli)
{
    static const char *const names[] = { [CTL_TEXT] = "text",
                                         [CTL_JSON] = "json",
                                         [CTL_PROMETHEUS] = "prometheus" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(cli->arg, names[i])) {
            c->format = (enum ctl_format)i;
            c->report.json = c->format == CTL_JSON;
            return 0;
        }
    return cli_usage_error(cli, "formats are text, json and prometheus, not '%s'", cli->arg);
}

/* 0, or the exit code after a message. */
static int set_option(struct ctl *c, struct parsed *p, int id)
{
    struct err e = { 0 };
    uint64_t n;

    if (id < OPT_TIMEOUT)
        subcommand_note(&p->given, id);
    switch (id) {
    case OPT_JSON:
        c->format = CTL_JSON;
        c->report.json = true;
        return 0;
    case OPT_FORMAT:
        return set_format(c, &p->cli);
    case OPT_FOLLOW:
        c->request.follow = true;
        return 0;
    case OPT_LINES:
        return cli_parse_number("--lines", p->cli.arg, 0, UINT32_MAX, &c->request.lines, &e)
                   ? cli_usage_error(&p->cli, "%s", e.text)
                   : 0;
    case OPT_LAZY:
        c->lazy = true;
        return 0;
    case OPT_FORCE:
        c->force = true;
        return 0;
    default:
        if (cli_parse_number("--timeout", p->cli.arg, 1, 3600, &n, &e))
            return cli_usage_error(&p->cli, "%s", e.text);
        c->timeout_ms = (int)n * 1000;
        return 0;
    }
}

static int check_options(struct parsed *p)
{
    const struct subcommand *c = &p->command->is;
    const struct cli_option *stray = subcommand_stray(&p->given, c, options);

    return stray ? cli_usage_error(&p->cli, "--%s has no effect on %s", stray->name, c->name) : 0;
}

/* The argument of loglevel and prefetch, by the rules that the daemon has, too. */
static int set_argument(struct ctl *c, struct parsed *p, const char *word)
{
    char line[CONTROL_REQUEST_MAX];
    struct err e = { 0 };
    int n = snprintf(line, sizeof line, "%s %s", p->command->is.name, word);

    if (n >= (int)sizeof line || control_parse_request(line, (size_t)n, &c->request, &e))
        return cli_usage_error(&p->cli, "'%s': %s expected", word, p->command->argument);
    return 0;
}

static int set_operands(struct ctl *c, struct parsed *p)
{
    char **at = p->cli.operands;

    if (p->cli.operand_count < 2)
        return cli_usage_error(&p->cli, "needs a MOUNTPOINT and a command");
    c->path = at[0];
    p->command = subcommand_find(commands, ARRAY_LEN(commands), sizeof *commands, at[1]);
    if (!p->command)
        return cli_usage_error(&p->cli, "unknown command '%s'", at[1]);
    c->command = p->command->is.name;
    c->request.verb = p->command->verb;
    int most = 2 + (p->command->argument != NULL);
    if (p->cli.operand_count > most)
        return cli_usage_error(&p->cli, "too many arguments: '%s'", at[most]);
    return at[2] ? set_argument(c, p, at[2]) : 0;
}

enum exitcode ctl_error(const struct ctl *c, const struct err *e)
{
    return report_error(&c->report, c->path, e);
}

int sftfs_ctl(int argc, char **argv)
{
    struct ctl c = { .report = { .program = "sftfs" },
                     .timeout_ms = 5000,
                     .request = { .lines = UINT64_MAX } };
    struct parsed p = { .command = NULL };
    struct err e = { 0 };
    int id, status;

    cli_begin(&p.cli, &command, argc, argv);
    while ((id = cli_next(&p.cli)) > 0)
        if ((status = set_option(&c, &p, id)))
            return status;
    if (id < 0)
        return (int)p.cli.status;
    if ((status = set_operands(&c, &p)) || (status = check_options(&p)))
        return status;
    if (c.lazy && c.force)
        return cli_usage_error(&p.cli, "--lazy and --force exclude each other");
    if (mount_table_identify(c.path, &c.id, &e))
        return (int)ctl_error(&c, &e);
    control_link_open(&c.id, &c.link);
    status = (int)p.command->run(&c);
    control_link_close(&c.link);
    mount_identity_free(&c.id);
    return status;
}
