/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands below a command, such as those of `sft cache`: one table has them, and for each the
 * options that mean something to it. A row is a struct of the caller's that begins with a struct
 * subcommand. Typical use:
 *
 *     while ((id = cli_next(&cli)) > 0) { subcommand_note(&given, id); … }
 *     row = subcommand_find(rows, ARRAY_LEN(rows), sizeof *rows, cli.operands[0]);
 *     if (row && (stray = subcommand_stray(&given, &row->is, options)))
 *         return cli_usage_error(&cli, "--%s has no effect on %s", stray->name, row->is.name);
 */
#ifndef TOOLS_SUBCOMMAND_H
#define TOOLS_SUBCOMMAND_H

#include "tools/cli.h"

struct subcommand {
    const char *name;
    int options[5]; /* ids of those that are its own, or that it shares with some others; 0: none */
};

/* Options of such kinds that were given, without repetitions. */
struct subcommand_given {
    int ids[8];
    size_t count;
};

void subcommand_note(struct subcommand_given *given, int id);

/* The row of ROWS called NAME, or NULL. */
const void *subcommand_find(const void *rows, size_t count, size_t row_bytes, const char *name);

/* The first of GIVEN that C has not, as it stands in OPTIONS, or NULL. */
const struct cli_option *subcommand_stray(const struct subcommand_given *given,
                                          const struct subcommand *c,
                                          const struct cli_option *options);

#endif
