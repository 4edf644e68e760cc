/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `sft tree`: draws the directory tree of a package. */
#include "config.h"

#include <inttypes.h>
#include <langinfo.h>
#include <string.h>

#include "tools/json.h"
#include "tools/sft.h"
#include "tools/sft_common.h"
#include "tools/text.h"

enum { OPT_DEPTH = CLI_ID_OWN, OPT_DIRS, DRAWN_DEPTH = 64 };

static const struct cli_option options[] = {
    { "depth", 'L', "N", "Go no deeper than N levels.", OPT_DEPTH },
    { "directories", 'd', NULL, "Show directories only.", OPT_DIRS },
    SFT_JSON_OPTION,
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_group groups[] = {
    { NULL, CLI_STYLE_LONG, options },
    CONNECTION_GROUP,
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const synopsis[] = { "[OPTION]... SOURCE [PATH]", NULL };
static const struct cli_command command = {
    .name = "sft tree",
    .synopsis = synopsis,
    .summary = "Draws the directory tree of a package.",
    .groups = groups,
};

struct tree {
    const struct package *package;
    uint64_t max_depth;
    bool dirs_only;
    bool utf8;
    uint64_t dirs, files;
};

static bool is_last(const struct tree *t, uint32_t index)
{
    const struct node *parent = package_node(t->package, package_node(t->package, index)->parent);

    for (uint32_t i = index + 1; i < parent->first_child + parent->child_count; i++)
        if (!t->dirs_only || sft_is_dir(package_node(t->package, i)))
            return false;
    return true;
}

/* The lines left of a name. Levels beyond DRAWN_DEPTH are counted instead of drawn. */
static void draw_prefix(const struct tree *t, uint32_t index, unsigned depth)
{
    bool last[DRAWN_DEPTH];
    unsigned drawn = depth < DRAWN_DEPTH ? depth : DRAWN_DEPTH;

    if (depth > drawn)
        (void)printf("[%u] ", depth);
    for (unsigned i = drawn; i-- > 0; index = package_node(t->package, index)->parent)
        last[i] = is_last(t, index);
    for (unsigned i = 0; i + 1 < drawn; i++)
        (void)fputs(last[i] ? "    " : t->utf8 ? "│   " : "|   ", stdout);
    if (drawn && t->utf8)
        (void)fputs(last[drawn - 1] ? "└── " : "├── ", stdout);
    else if (drawn)
        (void)fputs(last[drawn - 1] ? "`-- " : "|-- ", stdout);
}

/* The nodes that the options leave, in depth-first order, the top left out. */
static uint32_t next(const struct tree *t, uint32_t top, uint32_t node, unsigned *depth)
{
    do
        node = sft_next_node(t->package, top, node, *depth < t->max_depth, depth);
    while (node != NODE_NONE && t->dirs_only && !sft_is_dir(package_node(t->package, node)));
    return node;
}

static void print_text(struct tree *t, uint32_t top)
{
    const char *name = package_name(t->package, top);
    unsigned depth = 0;

    text_put(stdout, *name ? name : "/");
    (void)putchar('\n');
    for (uint32_t i = next(t, top, top, &depth); i != NODE_NONE; i = next(t, top, i, &depth)) {
        bool dir = sft_is_dir(package_node(t->package, i));

        draw_prefix(t, i, depth);
        text_put(stdout, package_name(t->package, i));
        (void)puts(dir ? "/" : "");
        t->dirs += dir;
        t->files += !dir;
    }
    (void)printf("\n%" PRIu64 " directories, %" PRIu64 " files\n", t->dirs, t->files);
}

static void json_open_node(const struct tree *t, struct json *j, uint32_t index)
{
    const struct node *n = package_node(t->package, index);

    json_object(j, NULL);
    json_string(j, "name", package_name(t->package, index));
    json_string(j, "type", sft_is_dir(n) ? "directory" : "file");
    if (sft_is_dir(n))
        json_array(j, "children");
    else
        json_uint(j, "size", n->size);
}

static void json_close_node(const struct tree *t, struct json *j, uint32_t index)
{
    if (sft_is_dir(package_node(t->package, index)))
        json_close_array(j);
    json_close_object(j);
}

static void print_json(const struct tree *t, uint32_t top)
{
    struct json j = json_begin(stdout);
    unsigned depth = 0, open = 0;
    uint32_t last = top;

    json_open_node(t, &j, top);
    for (uint32_t i = next(t, top, top, &depth); i != NODE_NONE; i = next(t, top, i, &depth)) {
        for (; open >= depth; open--) {
            json_close_node(t, &j, last);
            last = package_node(t->package, last)->parent;
        }
        json_open_node(t, &j, i);
        open = depth;
        last = i;
    }
    for (;; last = package_node(t->package, last)->parent) {
        json_close_node(t, &j, last);
        if (!open--)
            break;
    }
    json_end(&j); /* report_finish() looks */
}

static int run(int argc, char **argv)
{
    struct sft_input in = SFT_INPUT_INIT;
    struct tree t = { .max_depth = UINT64_MAX };
    enum exitcode status;
    struct err e;
    uint32_t top;
    struct cli cli;
    int id, rc;

    cli_begin(&cli, &command, argc, argv);
    while ((id = cli_next(&cli)) > 0) {
        if (id == OPT_DIRS)
            t.dirs_only = true;
        else if (id == OPT_DEPTH &&
                 cli_parse_number("the depth", cli.arg, 1, UINT32_MAX, &t.max_depth, &e))
            return cli_usage_error(&cli, "%s", e.text);
        else if (id != OPT_DEPTH && (rc = sft_common_option(&in, &cli, id)))
            return rc;
    }
    if (id < 0)
        return (int)cli.status;
    if (cli.operand_count < 1 || cli.operand_count > 2)
        return cli_usage_error(&cli, "tree needs a SOURCE and at most one PATH");

    status = sft_open(&in, cli.operands[0]);
    if (status == EXITCODE_OK)
        status = sft_find(&in, cli.operands[1], &top);
    if (status == EXITCODE_OK) {
        t.package = in.package;
        t.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
        if (in.report.json)
            print_json(&t, top);
        else
            print_text(&t, top);
    }
    sft_close(&in);
    return (int)report_finish(&in.report, status);
}

const struct sft_subcommand sft_tree = { &command, run };
