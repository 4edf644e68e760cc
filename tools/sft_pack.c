/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `sft pack`: makes a package from a directory tree. */
#include "config.h"

#include "tools/sft.h"

static const char *const synopsis[] = { "[OPTION]... DIR -o FILE.sft", NULL };
static const struct cli_group groups[] = { { NULL, CLI_STYLE_LONG, NULL } };
static const struct cli_command command = {
    .name = "sft pack",
    .synopsis = synopsis,
    .summary = "Makes a package from a directory tree.",
    .groups = groups,
};

static int run(int argc, char **argv)
{
    struct cli cli;
    int id;

    cli_begin(&cli, &command, argc, argv);
    while ((id = cli_next(&cli)) > 0)
        ;
    if (id < 0)
        return (int)cli.status;
    return cli_usage_error(&cli, "not available in this build");
}

const struct sft_subcommand sft_pack = { &command, run };
