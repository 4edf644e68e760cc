/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft extract`: writes a package, or parts of it, into a directory. Directories are handled in
 * node order, each with all its children, so that one descriptor is open however deep the tree is.
 * Blocks of the files to come are asked for ahead and decoded by the engine's threads meanwhile.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "tools/interrupt.h"
#include "tools/json.h"
#include "tools/progress.h"
#include "tools/sft.h"
#include "tools/sft_common.h"
#include "tools/unpack.h"

enum { OPT_DIRECTORY = CLI_ID_OWN, OPT_FORCE };
enum { WANT_PART = 1, WANT_WHOLE = 2 }; /* part: a directory on the way to something wanted */

#define AHEAD_BYTES (8u << 20)

static const struct cli_option options[] = {
    { "directory", 'C', "DIR",
      "Write below DIR, which is made when it is missing. Nothing outside DIR is touched: links "
      "that are found in it are never followed.",
      OPT_DIRECTORY },
    { "force", 'f', NULL, "Overwrite files that exist.", OPT_FORCE },
    SFT_QUIET_OPTION,
    SFT_JSON_OPTION,
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_group groups[] = {
    { NULL, CLI_STYLE_LONG, options },
    CONNECTION_GROUP,
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const synopsis[] = { "[OPTION]... SOURCE -C DIR [PATH]...", NULL };
static const struct cli_command command = {
    .name = "sft extract",
    .synopsis = synopsis,
    .summary = "Writes the files of a package into a directory.",
    .description = "With PATHs, only these files and directories. Modification times are kept. "
                   "Each file appears under its name only when it is complete.",
    .groups = groups,
};

struct extract {
    struct sft_input *in;
    struct interrupt interrupt;
    struct progress progress;
    struct unpack_file file;
    uint8_t *wanted; /* one a node */
    void *buf;
    bool force;
    int target;
    uint32_t ahead;       /* nodes below have been asked for */
    uint64_t ahead_bytes; /* of files asked for and not yet written */
    uint64_t files, dirs, bytes;
};

static void mark(struct extract *x, uint32_t node)
{
    x->wanted[node] = WANT_WHOLE;
    while (node != NODE_ROOT) {
        node = package_node(x->in->package, node)->parent;
        if (!x->wanted[node])
            x->wanted[node] = WANT_PART;
    }
}

/* Parents precede children, so one pass hands "whole" down. Returns the bytes to be written. */
static uint64_t spread(struct extract *x)
{
    const struct package *p = x->in->package;
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < package_info(p)->node_count; i++) {
        const struct node *n = package_node(p, i);

        if (i != NODE_ROOT && x->wanted[n->parent] == WANT_WHOLE)
            x->wanted[i] = WANT_WHOLE;
        if (x->wanted[i] && !sft_is_dir(n))
            bytes += n->size;
    }
    return bytes;
}

static void ask_ahead(struct extract *x, uint32_t current)
{
    const struct package *p = x->in->package;

    if (x->ahead <= current)
        x->ahead = current + 1;
    for (; x->ahead < package_info(p)->node_count && x->ahead_bytes < AHEAD_BYTES; x->ahead++) {
        const struct node *n = package_node(p, x->ahead);

        if (!x->wanted[x->ahead] || sft_is_dir(n))
            continue;
        sft_prefetch(x->in, x->ahead, 0, min_u64(n->size, SFT_STREAM_BYTES));
        x->ahead_bytes += n->size;
    }
}

static int sink(void *arg, const void *data, size_t len, struct err *e)
{
    struct extract *x = arg;
    int rc = unpack_write(&x->file, data, len, e);

    x->bytes += len;
    progress_update(&x->progress, x->bytes);
    return rc ? rc : interrupt_check(&x->interrupt, e);
}

static int extract_file(struct extract *x, int parent, uint32_t index, struct err *e)
{
    const struct node *n = package_node(x->in->package, index);
    int rc;

    ask_ahead(x, index);
    rc = unpack_create(&x->file, parent, e);
    if (rc)
        return rc;
    rc = sft_stream(x->in, index, x->buf, sink, x, e);
    x->ahead_bytes -= min_u64(x->ahead_bytes, n->size);
    if (rc) {
        unpack_abandon(&x->file);
        err_wrap(e, "%s", package_name(x->in->package, index));
        return rc;
    }
    x->files++;
    return unpack_commit(&x->file, package_name(x->in->package, index), n->modified, x->force, e);
}

static int extract_dir(struct extract *x, uint32_t index, struct err *e)
{
    const struct package *p = x->in->package;
    const struct node *n = package_node(p, index);
    auto_close int fd = unpack_open_dir(x->target, p, index, e);
    int rc = 0;

    if (fd < 0)
        return fd;
    for (uint32_t i = n->first_child; !rc && i < n->first_child + n->child_count; i++) {
        if (!x->wanted[i])
            continue;
        rc = interrupt_check(&x->interrupt, e);
        if (rc)
            break;
        if (!sft_is_dir(package_node(p, i))) {
            rc = extract_file(x, fd, i, e);
        } else {
            rc = unpack_make_dir(fd, package_name(p, i), e);
            x->dirs += !rc;
        }
    }
    return rc;
}

/* Children come after their parents, so that going backwards no time is touched again. */
static int set_dir_times(struct extract *x, struct err *e)
{
    const struct package *p = x->in->package;

    for (uint32_t i = package_info(p)->node_count; i-- > 1;) {
        const struct node *n = package_node(p, i);

        if (!sft_is_dir(n) || x->wanted[i] != WANT_WHOLE || !n->modified)
            continue;
        auto_close int fd = unpack_open_dir(x->target, p, i, e);
        if (fd < 0)
            return fd;
        unpack_set_time(fd, n->modified);
    }
    return 0;
}

static int extract_all(struct extract *x, struct err *e)
{
    const struct package *p = x->in->package;
    int rc = 0;

    for (uint32_t i = 0; !rc && i < package_info(p)->node_count; i++) {
        if (!x->wanted[i] || !sft_is_dir(package_node(p, i)))
            continue;
        rc = extract_dir(x, i, e);
        if (rc) {
            auto_free char *path = package_path(p, i);

            if (path && *path)
                err_wrap(e, "%s", path);
        }
    }
    return rc ? rc : set_dir_times(x, e);
}

static enum exitcode select_paths(struct extract *x, char **paths, int count)
{
    struct err e;

    x->wanted = calloc(package_info(x->in->package)->node_count, 1);
    x->buf = malloc(SFT_STREAM_BYTES);
    if (!x->wanted || !x->buf) {
        (void)err_nomem(&e);
        return report_error(&x->in->report, NULL, &e);
    }
    if (!count)
        mark(x, NODE_ROOT);
    for (int i = 0; i < count; i++) {
        uint32_t node;
        enum exitcode status = sft_find(x->in, paths[i], &node);

        if (status != EXITCODE_OK)
            return status;
        mark(x, node);
    }
    return EXITCODE_OK;
}

static void print_result(const struct extract *x)
{
    struct json j = json_begin(stdout);

    json_object(&j, NULL);
    json_uint(&j, "files", x->files);
    json_uint(&j, "directories", x->dirs);
    json_uint(&j, "bytes", x->bytes);
    json_close_object(&j);
    json_end(&j); /* report_finish() looks */
}

static enum exitcode extract(struct extract *x, const char *dir, char **paths, int count)
{
    enum exitcode status = select_paths(x, paths, count);
    struct err e = { 0 };
    int rc;

    if (status == EXITCODE_OK)
        status = sft_start_engine(x->in);
    if (status != EXITCODE_OK)
        return status;
    x->target = unpack_open_target(dir, &e);
    if (x->target < 0)
        return report_error(&x->in->report, dir, &e);
    x->progress = progress_begin("extracted", spread(x), sft_progress(x->in));
    rc = extract_all(x, &e);
    progress_clear(&x->progress);
    (void)close(x->target); /* a directory: nothing to lose */
    if (rc) {
        bool about_target = e.kind == ERR_UNSAFE_PATH || e.kind == ERR_INVALID ||
                            e.kind == ERR_SYSTEM || e.kind == ERR_DENIED;

        return report_error(&x->in->report, about_target ? dir : x->in->location, &e);
    }
    if (x->in->report.json)
        print_result(x);
    return EXITCODE_OK;
}

static int run(int argc, char **argv)
{
    struct sft_input in = SFT_INPUT_INIT;
    struct extract x = { .in = &in, .target = -1 };
    const char *dir = NULL;
    enum exitcode status;
    struct cli cli;
    int id, rc;

    cli_begin(&cli, &command, argc, argv);
    while ((id = cli_next(&cli)) > 0) {
        if (id == OPT_DIRECTORY)
            dir = cli.arg;
        else if (id == OPT_FORCE)
            x.force = true;
        else if ((rc = sft_common_option(&in, &cli, id)))
            return rc;
    }
    if (id < 0)
        return (int)cli.status;
    if (cli.operand_count < 1 || !dir)
        return cli_usage_error(&cli, "extract needs a SOURCE and -C DIR");

    interrupt_begin(&x.interrupt);
    status = sft_open(&in, cli.operands[0]);
    if (status == EXITCODE_OK)
        status = extract(&x, dir, cli.operands + 1, cli.operand_count - 1);
    sft_close(&in);
    interrupt_end(&x.interrupt);
    free(x.wanted);
    free(x.buf);
    return (int)report_finish(&in.report, status);
}

const struct sft_subcommand sft_extract = { &command, run };
