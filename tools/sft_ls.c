/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `sft ls`: lists a directory of a package, or all below it. */
#include "config.h"

#include <inttypes.h>

#include "tools/json.h"
#include "tools/sft.h"
#include "tools/sft_common.h"
#include "tools/text.h"

enum { OPT_LONG = CLI_ID_OWN, OPT_RECURSIVE };

static const struct cli_option options[] = {
    { "long", 'l', NULL,
      "Show flags, size in bytes and modification time (UTC) too. The flags are d directory, "
      "u user data, a application data, o override, r read-only, h hidden, s system.",
      OPT_LONG },
    { "recursive", 'R', NULL, "Everything below PATH, with paths from the root.", OPT_RECURSIVE },
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
    .name = "sft ls",
    .synopsis = synopsis,
    .summary = "Lists files and directories of a package.",
    .description = "PATH is looked up without regard to case; '/' and '\\' both separate.",
    .groups = groups,
};

struct ls {
    const struct package *package;
    bool long_form, recursive;
    struct json *json; /* NULL: text */
};

static const struct {
    unsigned flag;
    char letter;
    const char *name;
} flag_names[] = {
    { NODE_DIR, 'd', "directory" },
    { NODE_USER_DATA, 'u', "user-data" },
    { NODE_APPLICATION_DATA, 'a', "application-data" },
    { NODE_OVERRIDE, 'o', "override" },
    { NODE_READONLY, 'r', "read-only" },
    { NODE_HIDDEN, 'h', "hidden" },
    { NODE_SYSTEM, 's', "system" },
};

static void entry_json(const struct ls *ls, uint32_t index, const char *path)
{
    const struct node *n = package_node(ls->package, index);
    struct json *j = ls->json;
    struct guid id;

    json_object(j, NULL);
    json_string(j, "path", path);
    json_string(j, "name", package_name(ls->package, index));
    if (n->short_len)
        json_string(j, "short_name", package_short_name(ls->package, index));
    json_string(j, "type", sft_is_dir(n) ? "directory" : "file");
    json_uint(j, "node", index);
    if (!sft_is_dir(n))
        json_uint(j, "size", n->size);
    json_filetime(j, "modified", n->modified);
    json_filetime(j, "created", n->created);
    json_array(j, "flags");
    for (size_t i = 1; i < ARRAY_LEN(flag_names); i++)
        if (n->flags & flag_names[i].flag)
            json_string(j, NULL, flag_names[i].name);
    json_close_array(j);
    if (!package_file_id(ls->package, index, &id))
        json_guid(j, "file_id", &id);
    json_uint(j, "security_descriptor", n->sd);
    json_close_object(j);
}

static void entry_text(const struct ls *ls, uint32_t index, const char *shown)
{
    const struct node *n = package_node(ls->package, index);

    if (ls->long_form) {
        char flags[ARRAY_LEN(flag_names) + 1] = "", when[TEXT_TIME_SIZE];

        for (size_t i = 0; i < ARRAY_LEN(flag_names); i++)
            flags[i] = n->flags & flag_names[i].flag ? flag_names[i].letter : '-';
        if (!n->modified || !text_time(n->modified, when))
            (void)strcpy(when, "-"); /* not said, as of directories in a ZIP archive */
        (void)printf("%s %12" PRIu64 "  %-20s  ", flags, n->size, when);
    }
    text_put(stdout, shown);
    (void)puts(sft_is_dir(n) ? "/" : "");
}

static int entry(const struct ls *ls, uint32_t index, struct err *e)
{
    auto_free char *path = NULL;

    if (!ls->json && !ls->recursive) {
        entry_text(ls, index, package_name(ls->package, index));
        return 0;
    }
    path = package_path(ls->package, index);
    if (!path)
        return err_nomem(e);
    if (ls->json)
        entry_json(ls, index, path);
    else
        entry_text(ls, index, path);
    return 0;
}

static int list(const struct ls *ls, uint32_t top, struct err *e)
{
    const struct node *n = package_node(ls->package, top);
    unsigned depth = 0;
    int rc = 0;

    if (!sft_is_dir(n))
        return entry(ls, top, e);
    if (!ls->recursive) {
        for (uint32_t i = 0; !rc && i < n->child_count; i++)
            rc = entry(ls, n->first_child + i, e);
        return rc;
    }
    for (uint32_t i = sft_next_node(ls->package, top, top, true, &depth); !rc && i != NODE_NONE;
         i = sft_next_node(ls->package, top, i, true, &depth))
        rc = entry(ls, i, e);
    return rc;
}

static enum exitcode print(const struct sft_input *in, struct ls *ls, uint32_t top)
{
    struct json j = json_begin(stdout);
    struct err e = { 0 };
    int rc;

    ls->package = in->package;
    if (in->report.json) {
        ls->json = &j;
        json_object(&j, NULL);
        json_array(&j, "entries");
    }
    rc = list(ls, top, &e);
    if (ls->json) {
        json_close_array(&j);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
    }
    return rc ? report_error(&in->report, in->location, &e) : EXITCODE_OK;
}

static int run(int argc, char **argv)
{
    struct sft_input in = SFT_INPUT_INIT;
    struct ls ls = { 0 };
    enum exitcode status;
    uint32_t top;
    struct cli cli;
    int id, rc;

    cli_begin(&cli, &command, argc, argv);
    while ((id = cli_next(&cli)) > 0) {
        if (id == OPT_LONG)
            ls.long_form = true;
        else if (id == OPT_RECURSIVE)
            ls.recursive = true;
        else if ((rc = sft_common_option(&in, &cli, id)))
            return rc;
    }
    if (id < 0)
        return (int)cli.status;
    if (cli.operand_count < 1 || cli.operand_count > 2)
        return cli_usage_error(&cli, "ls needs a SOURCE and at most one PATH");

    status = sft_open(&in, cli.operands[0]);
    if (status == EXITCODE_OK)
        status = sft_find(&in, cli.operands[1], &top);
    if (status == EXITCODE_OK)
        status = print(&in, &ls, top);
    sft_close(&in);
    return (int)report_finish(&in.report, status);
}

const struct sft_subcommand sft_ls = { &command, run };
