/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sftmount: mounts the package that an OSD or a manifest names (or a package itself), unmounts, and
 * lists what is mounted. All work on the network happens in the process that becomes the daemon.
 */
#include "config.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "src/appv_tokens.h"
#include "src/log.h"
#include "tools/applications.h"
#include "tools/json.h"
#include "tools/mount_common.h"
#include "tools/runtime_dir.h"
#include "tools/target.h"
#include "tools/text.h"

enum {
    OPT_OPTIONS = CLI_ID_OWN,
    OPT_FOREGROUND,
    OPT_DEBUG,
    OPT_UNMOUNT,
    OPT_LAZY,
    OPT_LIST,
    OPT_JSON,
    OPT_APP,
    OPT_OVERRIDE_URL,
    OPT_SOURCE_ROOT,
    OPT_SOURCE,
    OPT_OVERLAY,
    OPT_APPLICATIONS,
};

static const struct cli_option options[] = {
    { "unmount", 'u', NULL,
      "Unmount MOUNTPOINT; works on one whose daemon has died, too. A directory that sftmount had "
      "made is removed.",
      OPT_UNMOUNT },
    { "lazy", 'z', NULL, "With -u: detach at once, also when the mount is in use.", OPT_LAZY },
    { "list", 'l', NULL, "List the mounted packages.", OPT_LIST },
    { "print-applications", 'p', NULL,
      "When it is mounted, print a line for each program that the package or the OSD names: P if it is "
      "in the package, S if it is one of the system; its path in the mount; working directory, arguments "
      "and name, with tabs between.",
      OPT_APPLICATIONS },
    { "json", 0, NULL, "With --list and --print-applications: print JSON, errors too.", OPT_JSON },
    { "options", 'o', "LIST",
      "Options separated by commas; see below. A comma in a value is written \\,. May be repeated.",
      OPT_OPTIONS },
    { "overlay", 0, "[=DIR]",
      "Let files be changed; the same as -o overlay. DIR may also be temporary or none.",
      OPT_OVERLAY },
    { "foreground", 'f', NULL, "Stay in the foreground; log to stderr.", OPT_FOREGROUND },
    { "debug", 'd', NULL, "The same, and trace what the kernel asks.", OPT_DEBUG },
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_option place_options[] = {
    { "source", 0, "PLACE",
      "Take the package from this path or URL, whatever the document says. Its GUID is checked all "
      "the same.",
      OPT_SOURCE },
    { "override-url", 0, "URL", "Take the package from URL, as OverrideURL of the App-V client.",
      OPT_OVERRIDE_URL },
    { "application-source-root", 0, "ROOT",
      "Replace server and scheme of the document's HREF by ROOT, as ApplicationSourceRoot of the "
      "App-V client. Default: the environment variable SFTFS_APPLICATION_SOURCE_ROOT.",
      OPT_SOURCE_ROOT },
    { "app", 0, "NAME",
      "Which application of a manifest, by name or by OSD file; needed when they are in different "
      "packages.",
      OPT_APP },
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_group groups[] = {
    { NULL, CLI_STYLE_LONG, options },
    { "Where the package is", CLI_STYLE_LONG, place_options },
    CONNECTION_GROUP,
    MOUNT_GROUPS,
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const synopsis[] = {
    "[OPTION]... APP.osd|MANIFEST.xml|PACKAGE|URL [MOUNTPOINT]",
    "-u [--lazy] MOUNTPOINT",
    "--list [--json]",
    NULL,
};
static const struct cli_command command = {
    .name = "sftmount",
    .synopsis = synopsis,
    .summary = "Mounts a package (SFT, .appv, .msix, .appx, bundles), or the one that an OSD or manifest names.",
    .description = "Without MOUNTPOINT one is made under the user's runtime directory and printed. "
                   "Scripts in an OSD are never executed.",
    .groups = groups,
};

struct sftmount {
    struct mount_setup setup;
    struct target_options place;
    struct target target;
    const char *named, *mountpoint;
    char *made; /* a mount point of our own making, NULL if none */
    bool foreground, unmount, lazy, list, applications;
};

static int take_option(struct sftmount *m, int id, const char *arg, struct err *e)
{
    switch (id) {
    case OPT_OPTIONS:
        return mount_setup_options(&m->setup, arg, e);
    case OPT_DEBUG:
        m->setup.mount.debug = true;
        log_set_level(LOG_LEVEL_DEBUG);
        m->foreground = true;
        return 0;
    case OPT_FOREGROUND:
        m->foreground = true;
        return 0;
    case OPT_UNMOUNT:
        m->unmount = true;
        return 0;
    case OPT_LAZY:
        m->lazy = true;
        return 0;
    case OPT_LIST:
        m->list = true;
        return 0;
    case OPT_JSON:
        m->setup.report.json = true;
        return 0;
    case OPT_APPLICATIONS:
        m->applications = true;
        return 0;
    case OPT_OVERLAY:
        return mount_setup_overlay(&m->setup, arg, e);
    case OPT_APP:
        m->place.app = arg;
        return 0;
    case OPT_OVERRIDE_URL:
        m->place.override_url = arg;
        return 0;
    case OPT_SOURCE_ROOT:
        m->place.source_root = arg;
        return 0;
    case OPT_SOURCE:
        m->place.source = arg;
        return 0;
    default:
        return connection_set(&m->setup.connection, id, arg, e);
    }
}

static int check_guid(const struct sftmount *m, const struct package_info *info, struct err *e)
{
    auto_free char *package = NULL, *document = NULL;
    char has[GUID_TEXT_SIZE], wanted[GUID_TEXT_SIZE];

    if (!m->target.has_guid || guid_equal(&m->target.guid, &info->package_guid))
        return 0;
    package = report_place(m->setup.locations[0]);
    document = report_place(m->target.document);
    if (!package || !document)
        return err_nomem(e);
    guid_format(&info->package_guid, has);
    guid_format(&m->target.guid, wanted);
    return err_set(e, ERR_GUID_MISMATCH,
                   "%s: package GUID is %s, but %s asks for %s; this is not its package", package,
                   has, document, wanted);
}

static int make_mountpoint(struct sftmount *m, const struct package_info *info, char **mountpoint,
                           struct err *e)
{
    const char *name = m->target.name[0] ? m->target.name : info->name;
    int rc = runtime_dir_make(name[0] ? name : info->root_name, &info->package_guid, mountpoint, e);

    if (rc)
        return rc;
    m->made = strdup(*mountpoint);
    return m->made ? 0 : err_nomem(e);
}

/* What will be printed when it is mounted. */
static int announce(struct sftmount *m, const struct package *p, const char *mountpoint, struct err *e)
{
    const struct applications a = {
        .package = p,
        .top = appv_payload(p, m->setup.connection.container.metadata),
        .mountpoint = mountpoint,
        .target = &m->target,
        .json = m->setup.report.json,
        .with_mountpoint = !m->mountpoint,
    };

    if (m->applications)
        return applications_describe(&a, &m->setup.announcement, e);
    if (m->mountpoint || asprintf(&m->setup.announcement, "%s\n", mountpoint) >= 0)
        return 0;
    m->setup.announcement = NULL;
    return err_nomem(e);
}

/* Called with the open package: is it the right one, and where does it go? */
static int check(void *arg, const struct package *p, char **mountpoint, struct err *e)
{
    const struct package_info *info = package_info(p);
    struct sftmount *m = arg;
    int rc = check_guid(m, info, e);

    if (!rc && !*mountpoint)
        rc = make_mountpoint(m, info, mountpoint, e);
    return rc ? rc : announce(m, p, *mountpoint, e);
}

static enum exitcode body(struct daemon *d, void *arg)
{
    struct sftmount *m = arg;
    struct err e = { 0 };
    enum exitcode status;

    m->place.offline = m->setup.offline;
    m->place.mirrored = m->setup.mirror_count > 0;
    if (target_find(m->named, &m->setup.connection, &m->place, &m->target, &e) ||
        mount_setup_locations(&m->setup, (const char *const *)m->target.locations,
                              m->target.location_count, &e))
        return report_error(&m->setup.report, m->named, &e);
    m->setup.package_guid = m->target.has_guid ? &m->target.guid : NULL;
    status = mount_serve(&m->setup, d, m->setup.locations[0], m->mountpoint, check, m);
    if (m->made && !mount_is_ours(m->made))
        runtime_dir_remove(m->made);
    return status;
}

static void advise_locale(const struct report *r)
{
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        report_note(r, "note: this locale is not UTF-8; Wine does not find names with other than "
                       "ASCII letters unless it is started in one (LC_ALL=C.UTF-8)");
}

static enum exitcode unmount(const struct sftmount *m, const char *path)
{
    auto_free char *full = NULL;
    struct err e = { 0 };

    if (mount_point_path(path, &full, &e))
        return report_error(&m->setup.report, NULL, &e); /* the text has the path */
    if (!mount_is_ours(full)) {
        (void)err_set(&e, ERR_NOT_FOUND,
                      "no package is mounted here; 'sftmount --list' shows where");
        return report_error(&m->setup.report, path, &e);
    }
    if (mount_unmount(full, m->lazy, &e))
        return report_error(&m->setup.report, path, &e);
    runtime_dir_remove(full);
    return EXITCODE_OK;
}

static enum exitcode list(const struct sftmount *m)
{
    struct mount_entry *entries;
    struct err e = { 0 };
    size_t count;

    if (mount_list(&entries, &count, &e))
        return report_error(&m->setup.report, NULL, &e);
    if (m->setup.report.json) {
        struct json j = json_begin(stdout);

        json_object(&j, NULL);
        json_array(&j, "mounts");
        for (size_t i = 0; i < count; i++) {
            json_object(&j, NULL);
            json_string(&j, "mountpoint", entries[i].mountpoint);
            json_string(&j, "source", entries[i].fsname);
            json_bool(&j, "alive", !mount_is_dead(entries[i].mountpoint));
            json_close_object(&j);
        }
        json_close_array(&j);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
    } else {
        for (size_t i = 0; i < count; i++) {
            text_put(stdout, entries[i].mountpoint);
            (void)fputs("  ", stdout);
            text_put(stdout, entries[i].fsname);
            (void)puts(mount_is_dead(entries[i].mountpoint) ? "  (dead)" : "");
        }
    }
    mount_list_free(entries, count);
    return report_finish(&m->setup.report, EXITCODE_OK);
}

static bool is_directory(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static int run(struct sftmount *m, int argc, char **argv)
{
    struct cli cli;
    struct err e = { 0 };
    int id;

    cli_begin(&cli, &command, argc, argv);
    while ((id = cli_next(&cli)) > 0)
        if (take_option(m, id, cli.arg, &e))
            return cli_usage_error(&cli, "%s", e.text);
    if (id < 0)
        return (int)cli.status;
    if (m->lazy && !m->unmount)
        return cli_usage_error(&cli, "--lazy goes with --unmount");
    if (m->setup.report.json && !m->list && !m->applications)
        return cli_usage_error(&cli, "--json goes with --list or --print-applications");
    if (m->applications && (m->list || m->unmount))
        return cli_usage_error(&cli, "--print-applications goes with mounting");
    if (m->list && m->unmount)
        return cli_usage_error(&cli, "--list and --unmount exclude each other");
    if (m->list)
        return cli.operand_count ? cli_usage_error(&cli, "--list takes no arguments")
                                 : (int)list(m);
    if (m->unmount)
        return cli.operand_count == 1 ? (int)unmount(m, cli.operands[0])
                                      : cli_usage_error(&cli, "-u needs one MOUNTPOINT");
    if (cli.operand_count && m->setup.overlay == OVERLAY_CHOICE_DEFAULT &&
        is_directory(cli.operands[0]))
        return cli_usage_error(&cli,
                               "%s is a directory; that of an overlay is named as --overlay=DIR",
                               cli.operands[0]);
    if (cli.operand_count < 1 || cli.operand_count > 2)
        return cli_usage_error(&cli, "needs an OSD, manifest, package or URL, and at most one "
                                     "MOUNTPOINT%s",
                               m->setup.overlay == OVERLAY_CHOICE_DEFAULT
                                   ? "; the directory of an overlay is named as --overlay=DIR"
                                   : "");
    m->named = cli.operands[0];
    m->mountpoint = cli.operands[1];
    if (!m->place.source_root)
        m->place.source_root = getenv("SFTFS_APPLICATION_SOURCE_ROOT");
    if (m->place.source_root && !m->place.source_root[0])
        m->place.source_root = NULL;
    advise_locale(&m->setup.report);
    return (int)daemon_run("sftmount", m->foreground, true, body, m);
}

int main(int argc, char **argv)
{
    struct sftmount m = { .named = NULL };
    int status;

    (void)setlocale(LC_CTYPE, "");
    mount_setup_init(&m.setup, "sftmount");
    status = run(&m, argc, argv);
    target_free(&m.target);
    mount_setup_free(&m.setup);
    free(m.made);
    return status;
}
