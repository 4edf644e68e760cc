/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all writers of packages need of the command. See pack_job.h. */
#include "config.h"

#include "tools/pack_job.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "tools/text.h"

double pack_job_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void pack_job_begin(struct pack_job *job)
{
    job->tree.fd = -1;
    job->started = pack_job_now();
    interrupt_begin(&job->interrupt);
}

void pack_job_clear(struct pack_job *job)
{
    progress_clear(&job->progress);
    pack_output_free(job->output);
    pack_launch_clear(&job->launch);
    pack_tree_clear(&job->tree);
    pack_options_clear(&job->o);
    interrupt_end(&job->interrupt);
}

int pack_job_check(struct pack_job *job, struct err *e)
{
    return interrupt_check(&job->interrupt, e);
}

int pack_job_tick(struct pack_job *job, uint64_t done, struct err *e)
{
    progress_update(&job->progress, done);
    return pack_job_check(job, e);
}

int pack_job_tick_copy(void *job, struct err *e)
{
    return pack_job_check(job, e);
}

void pack_job_begin_progress(struct pack_job *job, uint64_t bytes)
{
    bool silent = job->o.quiet && job->o.progress == PROGRESS_AUTO;
    job->progress = progress_begin("packed", bytes, silent ? PROGRESS_NEVER : job->o.progress);
}

void pack_job_warn(void *arg, const char *text)
{
    const struct pack_job *job = arg;
    pack_job_note(job, "%s", text);
}

void pack_job_note(const struct pack_job *job, const char *fmt, ...)
{
    va_list ap;
    char text[1024];
    if (job->o.quiet)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    report_note(&job->report, "%s", text);
}

int pack_job_random_guid(struct guid *out, struct err *e)
{
    if (getentropy(out->b, sizeof out->b) != 0)
        return err_sys(e, "no random GUID");
    out->b[6] = (uint8_t)((out->b[6] & 0x0F) | 0x40); /* RFC 9562: version 4, variant */
    out->b[8] = (uint8_t)((out->b[8] & 0x3F) | 0x80);
    return 0;
}

struct timespec pack_job_time(const struct pack_options *o, struct timespec t)
{
    if (o->has_epoch && (t.tv_sec > o->epoch || (t.tv_sec == o->epoch && t.tv_nsec > 0)))
        t = (struct timespec){ .tv_sec = (time_t)o->epoch };
    return t;
}

void pack_job_print_sizes(const struct pack_job *job, uint64_t bytes)
{
    char from[TEXT_SIZE_SIZE], to[TEXT_SIZE_SIZE];
    const struct pack_tree *tree = &job->tree;
    text_size(tree->file_bytes, from);
    text_size(bytes, to);
    (void)printf("%s: %u files, %s -> %s", job->o.output, tree->file_count, from, to);
    if (tree->file_bytes)
        (void)printf(" (%.1f %%)", (double)bytes * 100 / (double)tree->file_bytes);
    (void)printf(", %.1f s\n", pack_job_now() - job->started);
}

void pack_job_print_rest(const struct pack_job *job, struct json *j)
{
    if (!j && job->tree.skipped)
        (void)printf("%u links and special files skipped\n", job->tree.skipped);
    if (job->add_to_summary)
        job->add_to_summary(job->summary_arg, j);
}
