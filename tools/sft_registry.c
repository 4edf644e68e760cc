/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft registry`: the registry of a package as regedit imports it. Hives are files of the package:
 * Registry.dat of App-V 5, and Registry.dat, User.dat and UserClasses.dat of MSIX.
 */
#include "config.h"

#include <inttypes.h>
#include <pwd.h>
#include <string.h>

#include "src/appv_tokens.h"
#include "src/hive_check.h"
#include "src/utf16.h"
#include "tools/hive.h"
#include "tools/pack_output.h"
#include "tools/registry_output.h"
#include "tools/sft.h"
#include "tools/sft_common.h"

enum { OPT_OUTPUT = CLI_ID_OWN, OPT_FORCE, OPT_ROOT, OPT_USER, OPT_TOKEN, OPT_UTF8 };

static const struct cli_option options[] = {
    { "output", 'o', "FILE",
      "Write FILE, which appears when it is complete, in place of standard output.", OPT_OUTPUT },
    { "force", 'f', NULL, "Overwrite FILE if it exists.", OPT_FORCE },
    { "root", 'r', "PATH",
      "Where the program sees the package: a Windows path such as Q:\\, or the mount point itself "
      "(/mnt/app is Z:\\mnt\\app for Wine). Without it [{AppVPackageRoot}] cannot be replaced, and "
      "other tokens stand for the folders of the machine also where the package has files for "
      "them.",
      OPT_ROOT },
    { "user", 'u', "NAME",
      "Name of the user's directory in C:\\users. Default: your user name, as in Wine.", OPT_USER },
    { "token", 't', "NAME=VALUE",
      "Replace [{NAME}] with VALUE, whatever it stands for otherwise. May be repeated.",
      OPT_TOKEN },
    { "utf8", 0, NULL,
      "Write UTF-8, for reading and comparing. Default: UTF-16 with a byte order mark, which is "
      "what regedit of Windows and of Wine reads.",
      OPT_UTF8 },
    SFT_JSON_OPTION,
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_group groups[] = {
    { NULL, CLI_STYLE_LONG, options },
    CONNECTION_GROUP,
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const synopsis[] = { "[OPTION]... SOURCE", NULL };
static const struct cli_command command = {
    .name = "sft registry",
    .synopsis = synopsis,
    .summary = "Writes the registry of an App-V 5 or MSIX package as a .reg file.",
    .description =
        "Tokens for folders, such as [{ProgramFilesX86}], become the folders' paths as they are "
        "in Wine. Load it with 'wine regedit /S FILE'.",
    .groups = groups,
};

struct registry {
    struct sft_input in;
    struct appv_token_options token_options;
    struct appv_tokens *tokens; /* owned */
    char *root;                 /* owned */
    const char *path;           /* of the output, or NULL */
    bool force;
    struct pack_output *file; /* owned; NULL: standard output */
    struct registry_output out;
    struct hive_file {
        uint8_t *data; /* owned; NULL: the package has none */
        size_t len;    /* read so far */
    } hives[REGISTRY_HIVE_COUNT];
};

/* --- hives ----------------------------------------------------------------------------------- */

static int take_bytes(void *arg, const void *data, size_t len, struct err *e)
{
    struct hive_file *f = arg;

    (void)e;
    memcpy(f->data + f->len, data, len); /* sft_stream() gives no more than the file's size */
    f->len += len;
    return 0;
}

static int load_hive(struct registry *r, enum registry_hive which, uint32_t node, struct err *e)
{
    struct hive_file *f = &r->hives[which];
    uint64_t size = package_node(r->in.package, node)->size;

    if (size > HIVE_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "larger than %u bytes", HIVE_BYTES_MAX);
    auto_free void *buf = malloc(SFT_STREAM_BYTES);
    f->data = malloc(size ? (size_t)size : 1);
    if (!f->data || !buf)
        return err_nomem(e);
    int rc = sft_stream(&r->in, node, buf, take_bytes, f, e);
    if (!rc)
        rc = hive_check(f->data, f->len, e);
    return rc ? rc : hive_supported(e);
}

/* All of them are read and checked before anything is written. */
static int load_hives(struct registry *r, struct err *e)
{
    unsigned count = 0;

    for (unsigned i = 0; i < REGISTRY_HIVE_COUNT; i++) {
        const char *name = registry_hive_name(i);
        uint32_t node = package_lookup(r->in.package, NODE_ROOT, name, strlen(name), false);
        if (node == NODE_NONE || sft_is_dir(package_node(r->in.package, node)))
            continue;
        count++;
        int rc = load_hive(r, i, node, e);
        if (rc) {
            err_wrap(e, "%s", name);
            return rc;
        }
    }
    if (!count)
        return err_set(e, ERR_NOT_FOUND,
                       "the package has no registry (none of Registry.dat, User.dat, "
                       "UserClasses.dat)");
    return 0;
}

static int write_hives(struct registry *r, struct err *e)
{
    int rc = registry_output_begin(&r->out, e);

    for (unsigned i = 0; !rc && i < REGISTRY_HIVE_COUNT; i++)
        if (r->hives[i].data)
            rc = registry_output_hive(&r->out, i, r->hives[i].data, r->hives[i].len, e);
    registry_output_end(&r->out, !rc);
    return rc;
}

/* --- the output ------------------------------------------------------------------------------ */

static int write_out(void *arg, const void *data, size_t len, struct err *e)
{
    struct registry *r = arg;

    if (r->file)
        return pack_output_append(r->file, data, len, e);
    return fwrite(data, 1, len, stdout) == len ? 0 : err_sys(e, "standard output");
}

static int write_all(struct registry *r, struct err *e)
{
    int rc = 0;

    r->out.tokens = r->tokens;
    r->out.json_to = r->in.report.json ? stdout : NULL; /* report_finish() looks */
    r->out.text.write = write_out;
    r->out.text.arg = r;
    if (r->path)
        rc = pack_output_new(r->path, r->force, &r->file, e);
    if (!rc)
        rc = write_hives(r, e);
    if (!rc && r->file)
        rc = pack_output_finish(r->file, (const uint8_t *)"", 0, NULL, NULL, e);
    return rc;
}

static void print_notes(const struct registry *r)
{
    const char *const *names;
    uint64_t unknown = appv_tokens_unknown(r->tokens, &names);
    char list[APPV_UNKNOWN_MAX * (APPV_TOKEN_NAME_MAX + 2) + 1] = "";
    size_t n = 0;

    for (; *names; names++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", *names);
    if (unknown)
        report_note(&r->in.report,
                    "tokens that stay as they are: %" PRIu64 " (%s); --root=PATH says what "
                    "AppVPackageRoot is, --token=NAME=VALUE what another is",
                    unknown, list);
    if (r->out.left_out)
        report_note(&r->in.report,
                    "keys and values left out, because regedit could not read their names or they "
                    "belong nowhere: %" PRIu64,
                    r->out.left_out);
}

static enum exitcode write_registry(struct registry *r)
{
    struct err e = { 0 };
    struct report report = r->in.report;

    r->token_options.package = r->in.package;
    r->token_options.top = appv_payload(r->in.package, true);
    appv_tokens_configure(r->tokens, &r->token_options);
    int rc = load_hives(r, &e);
    if (!rc) {
        rc = write_all(r, &e);
        report.json = false; /* there is an object on standard output already */
    }
    if (rc)
        return report_error(&report, r->in.location, &e);
    print_notes(r);
    return EXITCODE_OK;
}

/* --- the command ----------------------------------------------------------------------------- */

/* TEXT will stand in what we write. */
static int check_text(const char *what, const char *text, struct err *e)
{
    auto_free uint8_t *wide = NULL;
    size_t n;

    if (!reg_text_can_name(text, false) || utf16_from_utf8(text, strlen(text), &wide, &n))
        return err_set(e, ERR_INVALID, "%s: control characters, or not UTF-8", what);
    return 0;
}

/* "C:", "C:\dir" or "\\server\share". */
static bool is_windows_path(const char *path)
{
    bool drive = ((*path | 0x20) >= 'a' && (*path | 0x20) <= 'z') && path[1] == ':';
    return drive ? !path[2] || path[2] == '\\' || path[2] == '/' : path[0] == '\\' && path[1] == '\\';
}

/* "/mnt/app/" is "Z:\mnt\app" for Wine; of a Windows path the backslash at the end goes. */
static int set_root(struct registry *r, const char *path, struct err *e)
{
    bool unix_path = *path == '/';
    char *root;
    int rc = check_text("--root", path, e);

    if (!rc && !unix_path && !is_windows_path(path))
        rc = err_set(e, ERR_INVALID,
                     "--root is where the program sees the package, from the root on: Q:\\ or "
                     "/mnt/app, not '%.200s'", path);
    if (rc)
        return rc;
    if (asprintf(&root, "%s%s", unix_path ? "Z:" : "", path) < 0)
        return err_nomem(e);
    for (char *c = root; unix_path && *c; c++)
        if (*c == '/')
            *c = '\\';
    for (size_t n = strlen(root); n && root[n - 1] == '\\'; n--)
        root[n - 1] = '\0';
    free(r->root);
    r->token_options.root = r->root = root;
    return 0;
}

static int set_user(struct registry *r, const char *name, struct err *e)
{
    if (!*name || strpbrk(name, "\\/:"))
        return err_set(e, ERR_INVALID, "--user: '%s' is not the name of a directory", name);
    r->token_options.user = name;
    return check_text("--user", name, e);
}

/* As Wine does. */
static const char *default_user(void)
{
    const struct passwd *me = getpwuid(getuid());
    const char *name = me ? me->pw_name : getenv("USER");

    return name && *name ? name : "user";
}

static int set_token(struct registry *r, const char *assignment, struct err *e)
{
    int rc = check_text("--token", assignment, e);

    return rc ? rc : appv_tokens_set(r->tokens, assignment, e);
}

/* 0, or the exit code after a message. */
static int option(struct registry *r, struct cli *cli, int id)
{
    struct err e = { 0 };
    int rc = 0;

    switch (id) {
    case OPT_OUTPUT:
        r->path = cli->arg;
        break;
    case OPT_FORCE:
        r->force = true;
        break;
    case OPT_UTF8:
        r->out.text.utf8 = true;
        break;
    case OPT_ROOT:
        rc = set_root(r, cli->arg, &e);
        break;
    case OPT_USER:
        rc = set_user(r, cli->arg, &e);
        break;
    case OPT_TOKEN:
        rc = set_token(r, cli->arg, &e);
        break;
    default:
        return sft_common_option(&r->in, cli, id);
    }
    return rc ? cli_usage_error(cli, "%s", e.text) : 0;
}

static void release(struct registry *r)
{
    sft_close(&r->in);
    pack_output_free(r->file);
    for (unsigned i = 0; i < REGISTRY_HIVE_COUNT; i++)
        free(r->hives[i].data);
    appv_tokens_free(r->tokens);
    free(r->root);
}

static int parse(struct registry *r, struct cli *cli)
{
    int id, rc;

    while ((id = cli_next(cli)) > 0)
        if ((rc = option(r, cli, id)))
            return rc;
    if (id < 0)
        return (int)cli->status;
    if (cli->operand_count != 1)
        return cli_usage_error(cli, "registry needs a SOURCE");
    if (r->in.report.json && (r->path || r->out.text.utf8))
        return cli_usage_error(cli, "--json goes to standard output and is UTF-8 always");
    return -1;
}

static int run(int argc, char **argv)
{
    struct registry r = { .in = SFT_INPUT_INIT,
                          .token_options.user = default_user(),
                          .tokens = appv_tokens_new() };
    enum exitcode status = EXITCODE_FAILURE;
    struct cli cli;

    if (!r.tokens) {
        struct err e;

        (void)err_nomem(&e);
        return (int)report_error(&r.in.report, NULL, &e);
    }
    cli_begin(&cli, &command, argc, argv);
    int rc = parse(&r, &cli);
    if (rc < 0) {
        /* App-V's hive is one of the container's files. */
        r.in.connection.container.metadata = true;
        status = sft_open(&r.in, cli.operands[0]);
        if (status == EXITCODE_OK)
            status = sft_start_engine(&r.in);
        if (status == EXITCODE_OK)
            status = write_registry(&r);
        status = report_finish(&r.in.report, status);
    }
    release(&r);
    return rc < 0 ? (int)status : rc;
}

const struct sft_subcommand sft_registry = { &command, run };
