/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft convert`: makes a package of another format from one. The writers are those of `sft pack`; they
 * are given the package's own tree, whose bytes come through an engine from wherever the package is.
 * So nothing is extracted to the disk in between, names need not suit the file system, and attributes,
 * 8.3 names and times are those of the package. What the new format cannot hold is counted and told.
 */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "src/appx_manifest.h"
#include "src/fold.h"
#include "tools/convert_count.h"
#include "tools/convert_programs.h"
#include "tools/pack_appx.h"
#include "tools/pack_job.h"
#include "tools/pack_package.h"
#include "tools/pack_sft.h"
#include "tools/sft.h"
#include "tools/sft_common.h"

enum {
    OPT_OUTPUT = CLI_ID_OWN,
    OPT_FORCE,
    OPT_FORMAT,
    OPT_CODEC,
    OPT_LEVEL,
    OPT_JOBS,
    OPT_NAME,
    OPT_PUBLISHER,
    OPT_APP_VERSION,
    OPT_LOGO,
    OPT_FROM_OSD,
};

static const struct cli_option options[] = {
    { "output", 'o', "FILE",
      "Write the package to FILE (required). It appears complete or not at all.", OPT_OUTPUT },
    { "force", 'f', NULL, "Replace files that exist already.", OPT_FORCE },
    { "format", 'F', "FORMAT",
      "What to write: sft, msix or appv. The default goes by the ending of FILE, as of sft pack.",
      OPT_FORMAT },
    { "codec", 'c', "NAME", "How blocks are stored, as of sft pack.", OPT_CODEC },
    { "level", 'l', "N", "Level of the codec; the range depends on it.", OPT_LEVEL },
    { "jobs", 'j', "N", "Use N threads. The default is one for each processor.", OPT_JOBS },
    { "name", 'n', "NAME", "Name of the new package. The default is that of the old one.", OPT_NAME },
    { "publisher", 0, "NAME",
      "Publisher in the manifest of msix and appv. The default is that of the old package; msix needs "
      "one.", OPT_PUBLISHER },
    { "app-version", 0, "A.B.C.D",
      "Version in the manifest of msix and appv. The default is that of the old package, of an SFT "
      "0.0.0 and its number.", OPT_APP_VERSION },
    { "logo", 0, "PATH", "Image of the package (PNG) in the manifest of msix, as of sft pack.",
      OPT_LOGO },
    { "from-osd", 0, "FILE",
      "Take a program of the SFT from this OSD file. Repeatable. The default is all OSD files beside a "
      "local SFT that are of its package.", OPT_FROM_OSD },
    SFT_QUIET_OPTION,
    SFT_JSON_OPTION,
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_group groups[] = {
    { NULL, CLI_STYLE_LONG, options },
    CONNECTION_GROUP,
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const synopsis[] = { "[OPTION]... SOURCE -o FILE", NULL };
static const struct cli_command command = {
    .name = "sft convert",
    .synopsis = synopsis,
    .summary = "Makes a package of another format, and says what is lost.",
    .description = "From SFT to MSIX or App-V 5 (appv), and from any of these, and bundles, to another. "
                   "Contents, names and the launch set are kept as far as the new format has them.",
    .groups = groups,
};

struct convert {
    struct sft_input in;
    struct pack_job job;
    struct pack_package origin;
    struct losses losses;
    struct convert_programs programs;
    char **osds; /* files; the array is owned */
    size_t osd_count;
    bool osds_found; /* and the names, too */
    const char *codec;
    uint64_t level;
    bool has_level, has_format;
    struct appx_manifest known;
    char version[24];
};

/* --- the command line ------------------------------------------------------------------------- */

static int add_osd_file(struct convert *c, const char *path, struct err *e)
{
    char **grown = realloc(c->osds, (c->osd_count + 1) * sizeof *grown);
    if (!grown)
        return err_nomem(e);
    c->osds = grown;
    grown[c->osd_count] = strdup(path);
    return grown[c->osd_count++] ? 0 : err_nomem(e);
}

static int take_option(struct convert *c, int id, const char *arg, struct err *e)
{
    struct pack_options *o = &c->job.o;
    uint64_t n = 0;
    int rc;
    switch (id) {
    case OPT_OUTPUT:
        o->output = arg;
        return 0;
    case OPT_FORCE:
        o->force = true;
        return 0;
    case OPT_FORMAT:
        c->has_format = true;
        return pack_format_parse(arg, &o->format, e);
    case OPT_CODEC:
        c->codec = arg;
        return 0;
    case OPT_LEVEL:
        c->has_level = true;
        return cli_parse_number("--level", arg, 0, 1000, &c->level, e);
    case OPT_JOBS:
        rc = cli_parse_number("--jobs", arg, 1, 1000000, &n, e);
        o->jobs = (unsigned)n;
        return rc;
    case OPT_NAME:
        o->name = arg;
        return 0;
    case OPT_PUBLISHER:
        o->app.publisher = arg;
        return 0;
    case OPT_APP_VERSION:
        o->app.version = arg;
        return pack_check_version(arg, e);
    case OPT_LOGO:
        o->app.logo = arg;
        return 0;
    case OPT_FROM_OSD:
        return add_osd_file(c, arg, e);
    default:
        return err_set(e, ERR_INVALID, "option %d is not handled", id);
    }
}

static int check_together(struct convert *c, const struct cli *cli, struct err *e)
{
    struct pack_options *o = &c->job.o;
    if (cli->operand_count != 1)
        return err_set(e, ERR_INVALID, "one SOURCE is needed, %d were given", cli->operand_count);
    if (!o->output || !*o->output || !strcmp(o->output, "-"))
        return err_set(e, ERR_INVALID, "no output: give -o FILE");
    if (c->in.connection.container.metadata)
        return err_set(e, ERR_INVALID, "--metadata has no effect on convert");
    int rc = c->has_format ? 0 : pack_format_of(o->output, &o->format, e);
    if (rc)
        return rc;
    if (o->format == PACK_SFT && (o->app.publisher || o->app.version || o->app.logo))
        return err_set(e, ERR_INVALID,
                       "--publisher, --app-version and --logo have no effect on format sft");
    if (o->format != PACK_MSIX && o->app.logo)
        return err_set(e, ERR_INVALID, "--logo has no effect on format appv");
    o->progress = sft_progress(&c->in);
    o->json = c->in.report.json;
    return pack_options_settle(o, c->codec, c->has_level ? (long)c->level : -1, e);
}

/* --- from one to the other -------------------------------------------------------------------- */

static bool is_sft(const struct convert *c)
{
    return !strcmp(package_info(c->in.package)->format, "sft");
}

static int check_formats(const struct convert *c, struct err *e)
{
    static const char *const formats[] = { "sft", "appx", "appv" };
    const char *from = package_info(c->in.package)->format;
    if (!strcmp(from, formats[c->job.o.format]))
        return err_set(e, ERR_INVALID, "%s is of the format %s already; --format or the ending of the "
                       "output names another", c->in.location, pack_format_name(c->job.o.format));
    if (c->osd_count && !is_sft(c))
        return err_set(e, ERR_INVALID, "--from-osd has an effect on SFT files only");
    return 0;
}

/* App-V 4 had packages at Q:\ROOT, and what App-V 5 calls Root is what was there. */
static const char *asset_directory(const struct convert *c)
{
    const char *root = package_find_detail(c->in.package, "install_root");
    bool old = root && !strncasecmp(root, "Q:\\", 3);
    return old && !strchr(root + 3, '\\') && !name_check(root + 3, strlen(root + 3), NULL) ? root + 3
                                                                                           : NULL;
}

/* The asset directory, which a header that names one does not prove to be there, and nothing else beside it. */
static uint32_t content_of(const struct package *p)
{
    const struct node *root = package_node(p, NODE_ROOT);
    bool one = root->child_count == 1 && sft_is_dir(package_node(p, root->first_child));
    return one ? root->first_child : NODE_ROOT;
}

static int make_tree(struct convert *c, struct err *e)
{
    const struct package_info *info = package_info(c->in.package);
    bool to_sft = c->job.o.format == PACK_SFT;
    struct pack_package_options o = {
        .top = NODE_ROOT,
        .root_name = to_sft ? asset_directory(c) : NULL,
        .make_short_names = !strcmp(info->format, "appx"),
        .case_sensitive = to_sft && info->case_sensitive,
    };
    if (is_sft(c) && *info->root_name)
        o.top = content_of(c->in.package);
    c->job.o.case_sensitive = o.case_sensitive;
    return pack_package_tree(&c->in, &o, &c->origin, &c->job.tree, e);
}

static int find_programs(struct convert *c, struct err *e)
{
    struct pack_options *o = &c->job.o;
    int rc = 0;
    if (!is_sft(c)) {
        rc = convert_programs_of_details(&c->programs, &c->origin, &c->job.tree, o->format,
                                         &c->losses, e);
    } else {
        if (!c->osd_count)
            rc = convert_find_osds(c->in.location, c->in.package, &c->osds, &c->osd_count, e);
        if (!rc)
            rc = convert_programs_of_osds(&c->programs, c->osds, c->osd_count, &c->origin,
                                          &c->job.tree, o->format, &c->losses, e);
    }
    /* Lent; clear() takes it back before pack_options_clear(). */
    o->osds = c->programs.texts;
    o->arguments = c->programs.arguments;
    o->osd_count = c->programs.count;
    o->manifest = o->format == PACK_SFT && o->osd_count;
    return rc;
}

static const char *detail(const struct convert *c, const char *key)
{
    const char *value = package_find_detail(c->in.package, key);
    return value && strncasecmp(value, "ms-resource:", 12) ? value : NULL;
}

static void set_known(struct convert *c)
{
    const struct package_info *info = package_info(c->in.package);
    const char *name = detail(c, "display_name");
    struct pack_options *o = &c->job.o;
    bool fits = is_sft(c) && info->version_number <= UINT16_MAX;
    if (fits)
        (void)snprintf(c->version, sizeof c->version, "0.0.0.%u", info->version_number);
    c->known = (struct appx_manifest){
        .identity = { .name = info->name, .publisher = detail(c, "publisher"),
                      .version = fits ? c->version : detail(c, "package_version"),
                      .architecture = detail(c, "architecture") },
        .display_name = name ? name : info->name,
        .publisher_display_name = detail(c, "publisher_display_name"),
        .description = detail(c, "description"),
    };
    c->job.known = &c->known;
    if (o->format != PACK_MSIX) {
        o->guid = info->package_guid;
        o->has_guid = true;
    }
    if (o->format == PACK_SFT && !o->name && *c->known.display_name)
        o->name = c->known.display_name;
}

static int set_root(struct convert *c, char **root, struct err *e)
{
    const char *name = package_info(c->in.package)->root_name;
    if (!is_sft(c) || !*name)
        return 0;
    size_t size = strlen(name) + sizeof "Q:\\";
    *root = malloc(size);
    if (!*root)
        return err_nomem(e);
    (void)snprintf(*root, size, "Q:\\%s", name);
    c->job.install_root = *root;
    return 0;
}

static int write_package(struct convert *c, struct err *e)
{
    struct pack_job *job = &c->job;
    struct pack_sft *sft = NULL;
    if (job->o.format != PACK_SFT)
        return pack_appx_write(job, e);
    int rc = pack_sft_new(job, &sft, e);
    if (!rc)
        rc = pack_sft_write(sft, e);
    pack_sft_free(sft);
    return rc;
}

static int convert(struct convert *c, struct err *e)
{
    struct pack_job *job = &c->job;
    auto_free char *root = NULL;
    int rc = check_formats(c, e);
    if (!rc)
        rc = pack_output_new(job->o.output, job->o.force, &job->output, e);
    if (!rc)
        rc = make_tree(c, e);
    if (!rc)
        rc = pack_launch_init(&job->launch, job->tree.file_count, e);
    if (!rc && job->o.format != PACK_MSIX)
        rc = pack_launch_inherit(&job->launch, c->in.package, &job->tree, c->origin.entries, e);
    if (!rc)
        rc = find_programs(c, e);
    if (rc)
        return rc;
    set_known(c);
    rc = convert_count(&c->origin, job->o.format, &c->losses, e);
    if (!rc && !is_sft(c))
        rc = convert_count_container(c->in.location, &c->in.connection, &c->losses, e);
    if (!rc)
        rc = set_root(c, &root, e);
    job->add_to_summary = losses_print;
    job->summary_arg = &c->losses;
    return rc ? rc : write_package(c, e);
}

static void clear(struct convert *c)
{
    convert_programs_clear(&c->programs);
    c->job.o.osds = NULL;
    for (size_t i = 0; i < c->osd_count; i++)
        free(c->osds[i]);
    free(c->osds);
    pack_job_clear(&c->job);
    pack_package_clear(&c->origin);
    sft_close(&c->in);
}

static enum exitcode run_job(struct convert *c, const char *location)
{
    struct err e = { 0 };
    enum exitcode status = sft_open(&c->in, location);
    if (status == EXITCODE_OK)
        status = sft_start_engine(&c->in);
    if (status != EXITCODE_OK)
        return status;
    int rc = convert(c, &e);
    progress_clear(&c->job.progress); /* the line must be gone before a message */
    return rc ? report_error(&c->job.report, NULL, &e) : EXITCODE_OK;
}

static int run(int argc, char **argv)
{
    struct convert c = { .in = SFT_INPUT_INIT, .job = { .tree = { .fd = -1 } } };
    struct err e = { 0 };
    struct cli cli;
    int id = 0, rc = 0, status = 0;
    cli_begin(&cli, &command, argc, argv);
    while (!rc && !status && (id = cli_next(&cli)) > 0) {
        if (id == SFT_OPT_JSON || id == SFT_OPT_QUIET || connection_has(id))
            status = sft_common_option(&c.in, &cli, id);
        else
            rc = take_option(&c, id, cli.arg, &e);
    }
    if (!rc && !status && id < 0)
        status = (int)cli.status;
    else if (!rc && !status)
        rc = check_together(&c, &cli, &e);
    if (rc)
        status = cli_usage_error(&cli, "%s", e.text);
    bool go_on = !rc && !status && id == 0;
    c.job.report = (struct report){ .program = "sft", .json = c.job.o.json };
    pack_job_begin(&c.job);
    if (go_on)
        status = (int)report_finish(&c.job.report, run_job(&c, cli.operands[0]));
    clear(&c);
    return status;
}

const struct sft_subcommand sft_convert = { &command, run };
