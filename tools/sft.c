/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sft: looks into packages, checks, unpacks and makes them. Dispatch to the subcommands. */
#include "config.h"

#include "tools/sft.h"

#include <locale.h>
#include <signal.h>
#include <string.h>

static const struct sft_subcommand *const subcommands[] = {
    &sft_info, &sft_ls, &sft_tree, &sft_cat, &sft_extract, &sft_verify, &sft_pack,
    &sft_convert, &sft_diff, &sft_patch, &sft_overlay, &sft_cache, &sft_registry,
};

static void print_subcommands(void)
{
    (void)fputs("\nSubcommands ('sft SUBCOMMAND --help' describes each):\n", stdout);
    for (size_t i = 0; i < ARRAY_LEN(subcommands); i++)
        (void)printf("  %-10s %s\n", subcommands[i]->command->name + strlen("sft "),
                     subcommands[i]->command->summary);
}

static int own_options(int argc, char **argv)
{
    static const char *const synopsis[] = { "SUBCOMMAND [OPTION]... [ARGUMENT]...", NULL };
    static const struct cli_command command = {
        .name = "sft",
        .synopsis = synopsis,
        .summary = "Looks into App-V, MSIX and AppX packages, checks, unpacks, converts and makes them.",
    };
    struct cli cli;

    cli_begin(&cli, &command, argc, argv);
    if (cli_next(&cli) < 0) { /* there are no options beside --help and --version */
        bool help = argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));

        if (cli.status == EXITCODE_OK && help)
            print_subcommands();
        return (int)cli.status;
    }
    return cli_usage_error(&cli, "no subcommand given");
}

int main(int argc, char **argv)
{
    (void)setlocale(LC_CTYPE, "");
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is a write error, reported as such */
    if (argc < 2 || argv[1][0] == '-')
        return own_options(argc, argv);
    for (size_t i = 0; i < ARRAY_LEN(subcommands); i++)
        if (!strcmp(argv[1], subcommands[i]->command->name + strlen("sft ")))
            return subcommands[i]->run(argc - 1, argv + 1);
    (void)fprintf(stderr, "sft: unknown subcommand '%s'\nTry 'sft --help'.\n", argv[1]);
    return EXITCODE_USAGE;
}
