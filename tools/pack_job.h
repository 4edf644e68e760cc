/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One run of `sft pack` or `sft convert`: what the writers of all formats work with. The tree and the
 * launch set are there before a writer begins; it fills the output, finishes it and prints the
 * summary. Single-threaded but for what the writers do inside.
 */
#ifndef TOOLS_PACK_JOB_H
#define TOOLS_PACK_JOB_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "tools/interrupt.h"
#include "tools/json.h"
#include "tools/pack_launch.h"
#include "tools/pack_options.h"
#include "tools/pack_output.h"
#include "tools/pack_tree.h"
#include "tools/progress.h"
#include "tools/report.h"

struct appx_manifest;

struct pack_job {
    struct pack_options o;
    struct report report;
    struct progress progress;
    struct interrupt interrupt;
    struct pack_tree tree;
    struct pack_launch launch;
    struct pack_output *output;
    double started; /* pack_job_now() */
    /* What is known of the package beside the options, which have precedence: names, publisher,
     * version, architecture, description. NULL for nothing; borrowed. */
    const struct appx_manifest *known;
    const char *install_root; /* where the package was installed, for App-V; NULL: C:\\NAME */
    /* Adds to the summary: to J, or with NULL as lines on stdout. NULL for nothing. */
    void (*add_to_summary)(void *arg, struct json *j);
    void *summary_arg;
};

double pack_job_now(void); /* seconds */

/* Of an empty job: the start of its clock, and SIGINT and its like are looked for from now on. */
void pack_job_begin(struct pack_job *job);
void pack_job_clear(struct pack_job *job);

/* The signals that ask to stop, as an error. */
int pack_job_check(struct pack_job *job, struct err *e);

/* The same, after DONE bytes. */
int pack_job_tick(struct pack_job *job, uint64_t done, struct err *e);

/* As pack_output_tick_fn, with a job. */
int pack_job_tick_copy(void *job, struct err *e);

void pack_job_begin_progress(struct pack_job *job, uint64_t bytes);

/* Unless --quiet. As pack_walk.warn, with a job. */
void pack_job_warn(void *job, const char *text);
void pack_job_note(const struct pack_job *job, const char *fmt, ...) printf_like(2, 3);

/* A random GUID (RFC 9562, version 4). */
int pack_job_random_guid(struct guid *out, struct err *e) must_check;

/* T, or SOURCE_DATE_EPOCH if that is earlier. */
struct timespec pack_job_time(const struct pack_options *o, struct timespec t);

/* "OUTPUT: N files, A -> B (x %), s": the first line of a summary. */
void pack_job_print_sizes(const struct pack_job *job, uint64_t bytes);

/* The last lines or members. */
void pack_job_print_rest(const struct pack_job *job, struct json *j);

#endif
