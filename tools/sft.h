/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Subcommands of sft. Each is one file tools/sft_NAME.c with its option table and a main-like
 * function, and one row in sft.c. ARGV[0] is the subcommand's name; the result is an exit code
 * (tools/exitcode.h). A subcommand returns; it never calls exit().
 */
#ifndef TOOLS_SFT_H
#define TOOLS_SFT_H

#include "tools/cli.h"

struct sft_subcommand {
    const struct cli_command *command;
    int (*run)(int argc, char **argv);
};

extern const struct sft_subcommand sft_info;
extern const struct sft_subcommand sft_ls;
extern const struct sft_subcommand sft_tree;
extern const struct sft_subcommand sft_cat;
extern const struct sft_subcommand sft_extract;
extern const struct sft_subcommand sft_verify;
extern const struct sft_subcommand sft_pack;
extern const struct sft_subcommand sft_convert;
extern const struct sft_subcommand sft_diff;
extern const struct sft_subcommand sft_patch;
extern const struct sft_subcommand sft_overlay;
extern const struct sft_subcommand sft_cache;
extern const struct sft_subcommand sft_registry;

#endif
