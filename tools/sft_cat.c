/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `sft cat`: writes the contents of files of a package to standard output. */
#include "config.h"

#include <stdio.h>

#include "tools/sft.h"
#include "tools/sft_common.h"

static const struct cli_group groups[] = {
    CONNECTION_GROUP,
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const synopsis[] = { "[OPTION]... SOURCE PATH...", NULL };
static const struct cli_command command = {
    .name = "sft cat",
    .synopsis = synopsis,
    .summary = "Writes files of a package to standard output.",
    .description = "PATH is looked up without regard to case; '/' and '\\' both separate.",
    .groups = groups,
};

static int write_out(void *arg, const void *data, size_t len, struct err *e)
{
    return fwrite(data, 1, len, arg) == len ? 0 : err_sys(e, "standard output");
}

static enum exitcode cat(const struct sft_input *in, const char *path, void *buf)
{
    struct err e = { 0 };
    enum exitcode status;
    uint32_t node;

    status = sft_find(in, path, &node);
    if (status != EXITCODE_OK)
        return status;
    if (sft_is_dir(package_node(in->package, node))) {
        (void)err_set(&e, ERR_INVALID, "%s: is a directory", path);
        return report_error(&in->report, in->location, &e);
    }
    if (!sft_stream(in, node, buf, write_out, stdout, &e))
        return EXITCODE_OK;
    if (ferror(stdout))
        return EXITCODE_FAILURE; /* report_finish() says why */
    err_wrap(&e, "%s", path);
    return report_error(&in->report, in->location, &e);
}

static int run(int argc, char **argv)
{
    struct sft_input in = SFT_INPUT_INIT;
    auto_free void *buf = NULL;
    enum exitcode status;
    struct cli cli;
    int id, rc;

    cli_begin(&cli, &command, argc, argv);
    while ((id = cli_next(&cli)) > 0)
        if ((rc = sft_common_option(&in, &cli, id)))
            return rc;
    if (id < 0)
        return (int)cli.status;
    if (cli.operand_count < 2)
        return cli_usage_error(&cli, "cat needs a SOURCE and at least one PATH");

    status = sft_open(&in, cli.operands[0]);
    if (status == EXITCODE_OK)
        status = sft_start_engine(&in);
    if (status == EXITCODE_OK) {
        buf = malloc(SFT_STREAM_BYTES);
        if (!buf) {
            struct err e;

            (void)err_nomem(&e);
            status = report_error(&in.report, NULL, &e);
        }
    }
    /* As cat(1): the files that can be read are written, the first failure gives the exit code. */
    for (int i = 1; buf && i < cli.operand_count; i++) {
        enum exitcode one = cat(&in, cli.operands[i], buf);

        if (status == EXITCODE_OK)
            status = one;
    }
    sft_close(&in);
    return (int)report_finish(&in.report, status);
}

const struct sft_subcommand sft_cat = { &command, run };
