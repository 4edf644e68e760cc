/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines. One table describes the options of a command; from it come the parsing, --help,
 * and the OPTIONS section of the man page (--help=man, used by the build), so that the three cannot
 * differ. Typical use:
 *
 *     struct cli cli;
 *     cli_begin(&cli, &command, argc, argv);
 *     while ((id = cli_next(&cli)) > 0)
 *         switch (id) { case OPT_OUTPUT: output = cli.arg; break; … }
 *     if (id < 0)
 *         return cli.status;           // --help, --version, or an error that has been reported
 *     for (i = 0; i < cli.operand_count; i++) … cli.operands[i] …
 *
 * Built on getopt_long(), which keeps its place in globals: one command line at a time.
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include <stdint.h>
#include <stdio.h>

#include "src/compiler.h"
#include "src/err.h"
#include "tools/exitcode.h"

/* Ids of a command's own options; each shared table has a range of its own. */
enum cli_id {
    CLI_ID_OWN = 256,
    CLI_ID_CONNECTION = 1024, /* tools/connection.h */
    CLI_ID_MOUNT = 2048,      /* tools/mount_common.h */
    CLI_ID_DELIVERY = 3072,   /* tools/delivery_setup.h */
    CLI_ID_STANDARD = 4096,   /* --help, --version: handled here */
};

struct cli_option {
    const char *name; /* long name without "--"; NULL ends a table */
    char letter;      /* 0 = none */
    const char *arg;  /* name of the argument, in capitals; NULL = takes none; "[=NAME]" = it may
                       * be left out, and needs the '=' */
    const char *help; /* plain sentences; wrapped for --help and for the man page alike */
    int id;           /* what cli_next() returns; at least CLI_ID_OWN */
};

enum cli_style {
    CLI_STYLE_LONG,   /* --name=ARG */
    CLI_STYLE_COMMON, /* the same; many subcommands have it, and their man page shows it once */
    CLI_STYLE_SUB,    /* name=ARG, written after -o, comma separated; not parsed by cli_next() */
};

struct cli_group {
    const char *title; /* heading such as "Connection"; NULL = none */
    enum cli_style style;
    const struct cli_option *options; /* NULL ends a list of groups */
};

/* Which options of a command: those of CLI_STYLE_COMMON, the others with a word about these, or all. */
enum cli_man { CLI_MAN_ALL, CLI_MAN_OWN, CLI_MAN_COMMON };

struct cli_command {
    const char *name;            /* "sft info", "sftfs" */
    const char *const *synopsis; /* what follows the name, one line each; NULL-terminated */
    const char *summary;         /* one sentence */
    const char *description;     /* further text for --help or NULL; '\n' starts a paragraph */
    const struct cli_group *groups;
};

struct cli_state;

struct cli {
    const struct cli_command *command;
    const char *arg; /* argument of the option just returned; NULL if it takes or got none */
    char **operands; /* what is left, once cli_next() returned 0; NULL-terminated */
    int operand_count;
    enum exitcode status;    /* meaningful after cli_next() returned a negative value */
    FILE *out, *err;         /* stdout, stderr unless the caller puts others here */
    struct cli_state *state; /* cli.c */
    int argc;
    char **argv;
};

/* ARGV[0] is the program or subcommand name. COMMAND and ARGV are borrowed. */
void cli_begin(struct cli *cli, const struct cli_command *command, int argc, char **argv);

/*
 * The id of the next option; 0 when all are read (operands may stand between options and follow
 * "--"); negative when the command should return cli->status now. Releases what it holds before it
 * returns 0 or less.
 */
int cli_next(struct cli *cli) must_check;

/* Ends early, when the caller stops calling cli_next() because of an error of its own. */
void cli_end(struct cli *cli);

/* Prints "PROGRAM: text", points to --help, and returns EXITCODE_USAGE. Calls cli_end(). */
int cli_usage_error(struct cli *cli, const char *fmt, ...) printf_like(2, 3) cold_path;

/* Text of --help, and the roff of the man page's SYNOPSIS, OPTIONS and EXIT STATUS sections
 * (--help=synopsis, --help=man, --help=man-own, --help=man-common, --help=exit-status; see man-fill.sh). */
void cli_print_help(const struct cli_command *command, FILE *out);
void cli_print_man_synopsis(const struct cli_command *command, FILE *out);
void cli_print_man_options(const struct cli_command *command, enum cli_man which, FILE *out);
void cli_print_man_exit_status(FILE *out);

/* First word of the command name, for messages. */
void cli_program_name(const struct cli_command *command, char out[32]);

/*
 * The next NAME or NAME=VALUE of the comma-separated list *LIST (modified; "\," stands for a comma
 * inside a value). Returns false at the end. *value is NULL when there is no '='.
 */
bool cli_next_suboption(char **list, char **name, char **value);

/* Whether the argument of O may be left out. */
static inline bool cli_arg_is_optional(const struct cli_option *o)
{
    return o->arg && o->arg[0] == '[';
}

/* The row of TABLE called NAME, or NULL. */
const struct cli_option *cli_find(const struct cli_option *table, const char *name);

/* PATH as it is from anywhere, since a daemon changes its directory. Caller frees *out. */
int cli_absolute_path(const char *what, const char *path, char **out, struct err *e) must_check;

/* Numbers as arguments: decimal, whole text. ERR_INVALID says what was expected. */
int cli_parse_number(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *out,
                     struct err *e) must_check;

/* The same with an optional binary suffix K, M, G or T ("128M"; also "KiB"-style spellings). */
int cli_parse_size(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *out,
                   struct err *e) must_check;

#endif
