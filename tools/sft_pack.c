/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft pack`: makes a package from a directory tree. Walks it, settles the launch set, and leaves the
 * rest to the writer of the format.
 *
 * SIGINT, SIGTERM and SIGHUP are looked for between the steps of the work, so that an interrupted
 * run leaves nothing behind.
 */
#include "config.h"

#include "tools/pack_appx.h"
#include "tools/pack_job.h"
#include "tools/pack_sft.h"
#include "tools/sft.h"

static int choose_launch(struct pack_job *job, struct err *e)
{
    size_t unknown = 0;
    int rc = pack_launch_init(&job->launch, job->tree.file_count, e);
    if (!rc && job->o.launch_list)
        rc = pack_launch_read(job->o.launch_list, &job->tree, &job->launch, &unknown, e);
    if (!rc && unknown)
        pack_job_note(job, "%s: %zu uses are of files that are not packed", job->o.launch_list,
                      unknown);
    return rc;
}

static int walk(struct pack_job *job, struct err *e)
{
    const struct pack_options *o = &job->o;
    const struct pack_walk w = {
        .root_name = o->root_name,
        .exclude = o->exclude,
        .exclude_count = o->exclude_count,
        .output = o->output,
        .flags = o->flags,
        .flag_count = o->flag_count,
        .case_sensitive = o->case_sensitive,
        .strict = o->strict,
        .short_names = !o->no_short_names,
        .warn = pack_job_warn,
        .arg = job,
    };
    int rc = pack_tree_walk(o->dir, &w, &job->tree, e);
    return rc ? rc : choose_launch(job, e);
}

static int pack_as_sft(struct pack_job *job, struct err *e)
{
    struct pack_sft *p = NULL;
    int rc = pack_sft_new(job, &p, e);
    if (!rc)
        rc = pack_output_new(job->o.output, job->o.force, &job->output, e);
    if (!rc)
        rc = walk(job, e);
    if (!rc)
        rc = pack_sft_write(p, e);
    pack_sft_free(p);
    return rc;
}

static int pack_as_appx(struct pack_job *job, struct err *e)
{
    int rc = pack_output_new(job->o.output, job->o.force, &job->output, e);
    if (!rc)
        rc = walk(job, e);
    return rc ? rc : pack_appx_write(job, e);
}

static int run(int argc, char **argv)
{
    struct pack_job job = { .tree = { .fd = -1 } };
    int status;
    if (!pack_options_parse(argc, argv, &job.o, &status))
        return status;
    job.report = (struct report){ .program = "sft", .json = job.o.json };
    pack_job_begin(&job);
    struct err e = { 0 };
    int rc = job.o.format == PACK_SFT ? pack_as_sft(&job, &e) : pack_as_appx(&job, &e);
    progress_clear(&job.progress); /* the line must be gone before a message */
    enum exitcode code = rc ? report_error(&job.report, NULL, &e) : EXITCODE_OK;
    code = report_finish(&job.report, code);
    pack_job_clear(&job);
    return (int)code;
}

const struct sft_subcommand sft_pack = { &pack_command, run };
