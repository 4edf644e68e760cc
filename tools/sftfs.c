/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sftfs: mounts one package. Called as mount.fuse.sftfs it takes the arguments that mount(8) gives
 * to a mount helper; what it does is the same.
 */
#include "config.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fetch/href.h"
#include "fs/overlay/crash_point.h"
#include "src/log.h"
#include "tools/mount_common.h"
#include "tools/sftfs_ctl.h"

enum {
    OPT_OPTIONS = CLI_ID_OWN,
    OPT_FOREGROUND,
    OPT_DEBUG,
    OPT_SINGLE,
    OPT_FAKE,
    OPT_SLOPPY,
    OPT_IGNORED
};

#define OPTIONS_ROW                                                                                \
    {                                                                                              \
        "options", 'o', "LIST",                                                                    \
            "Options separated by commas; see below. A comma in a value is written \\,. May be "   \
            "repeated.",                                                                           \
            OPT_OPTIONS                                                                            \
    }

static const struct cli_option options[] = {
    OPTIONS_ROW,
    { "foreground", 'f', NULL, "Stay in the foreground; log to stderr.", OPT_FOREGROUND },
    { "debug", 'd', NULL, "The same, and trace what the kernel asks.", OPT_DEBUG },
    { "single-thread", 's', NULL, "Serve one request after the other.", OPT_SINGLE },
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_group groups[] = {
    { NULL, CLI_STYLE_LONG, options },
    MOUNT_GROUPS,
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const synopsis[] = {
    "[OPTION]... SOURCE MOUNTPOINT",
    "ctl MOUNTPOINT COMMAND [OPTION]...",
    NULL,
};
static const struct cli_command command = {
    .name = "sftfs",
    .synopsis = synopsis,
    .summary = "Mounts an App-V (SFT, .appv), MSIX or AppX package, or one of a bundle, from a file or a URL.",
    .description = "Returns when the mount is usable; the daemon goes on in the background until "
                   "it is unmounted (sftmount -u MOUNTPOINT, umount, fusermount3 -u) or gets "
                   "SIGTERM. 'sftfs ctl' asks it how it is and gives it orders; see 'sftfs ctl "
                   "--help'.",
    .groups = groups,
};

static const struct cli_option helper_options[] = {
    OPTIONS_ROW,
    { "fake", 'f', NULL, "Check the options and do not mount.", OPT_FAKE },
    { "sloppy", 's', NULL, "Pass over unknown mount options.", OPT_SLOPPY },
    { "no-mtab", 'n', NULL, "Accepted; there is no mtab to be written.", OPT_IGNORED },
    { "verbose", 'v', NULL, "Accepted.", OPT_IGNORED },
    { "types", 't', "TYPE", "Accepted; the type is fuse.sftfs.", OPT_IGNORED },
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_group helper_groups[] = {
    { NULL, CLI_STYLE_LONG, helper_options },
    MOUNT_GROUPS,
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const helper_synopsis[] = { "SOURCE MOUNTPOINT [OPTION]...", NULL };
static const struct cli_command helper_command = {
    .name = "mount.fuse.sftfs",
    .synopsis = helper_synopsis,
    .summary = "Mounts an App-V, MSIX or AppX package; called by mount -t fuse.sftfs and for /etc/fstab.",
    .groups = helper_groups,
};

struct sftfs {
    struct mount_setup setup;
    const char *location, *mountpoint;
    bool foreground, fake;
};

static int take_option(struct sftfs *f, int id, const char *arg, struct err *e)
{
    switch (id) {
    case OPT_OPTIONS:
        return mount_setup_options(&f->setup, arg, e);
    case OPT_DEBUG:
        f->setup.mount.debug = true;
        log_set_level(LOG_LEVEL_DEBUG);
        f->foreground = true;
        return 0;
    case OPT_FOREGROUND:
        f->foreground = true;
        return 0;
    case OPT_SINGLE:
        f->setup.mount.single_thread = true;
        return 0;
    case OPT_FAKE:
        f->fake = true;
        return 0;
    default:
        return 0;
    }
}

/* -s may stand behind the -o it is about. */
static bool is_sloppy(const struct cli_command *c, int argc, char **argv)
{
    bool sloppy = false;

    for (int i = 1; c == &helper_command && i < argc; i++)
        sloppy |= !strcmp(argv[i], "--sloppy") ||
                  (argv[i][0] == '-' && !strchr("-ot", argv[i][1]) && strchr(argv[i], 's'));
    return sloppy;
}

static enum exitcode body(struct daemon *d, void *arg)
{
    struct sftfs *f = arg;
    struct err e = { 0 };

    if (mount_setup_locations(&f->setup, &f->location, 1, &e))
        return report_error(&f->setup.report, f->location, &e);
    enum exitcode status =
        mount_serve(&f->setup, d, f->setup.locations[0], f->mountpoint, NULL, NULL);

    if (status == EXITCODE_NOT_A_PACKAGE && href_names_document(f->location))
        report_note(&f->setup.report, "sftmount mounts what an OSD file or a manifest names");
    return status;
}

static int run(struct sftfs *f, const struct cli_command *c, int argc, char **argv)
{
    struct cli cli;
    struct err e = { 0 };
    int id;

    f->setup.sloppy = is_sloppy(c, argc, argv);
    cli_begin(&cli, c, argc, argv);
    while ((id = cli_next(&cli)) > 0)
        if (take_option(f, id, cli.arg, &e))
            return cli_usage_error(&cli, "%s", e.text);
    if (id < 0)
        return (int)cli.status;
    if (cli.operand_count != 2)
        return cli_usage_error(&cli, "needs a SOURCE and a MOUNTPOINT");
    f->location = cli.operands[0];
    f->mountpoint = cli.operands[1];
    if (f->fake)
        return EXITCODE_OK;
    return (int)daemon_run("sftfs", f->foreground, false, body, f);
}

/* For tests, which choose among them: not an option for people, so not in the help. */
static bool lists_crash_points(int argc, char **argv)
{
#ifdef ENABLE_CRASH_POINTS
    if (argc == 2 && !strcmp(argv[1], "--crash-points")) {
        for (const char *const *name = crash_point_names; *name; name++)
            (void)puts(*name);
        return true;
    }
#endif
    (void)argc, (void)argv;
    return false;
}

int main(int argc, char **argv)
{
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc ? argv[0] : "sftfs";
    bool helper = !strncmp(name, "mount.", strlen("mount."));
    struct sftfs f = { .location = NULL };
    int status;

    if (lists_crash_points(argc, argv))
        return EXITCODE_OK;
    (void)setlocale(LC_CTYPE, "");
    if (!helper && argc > 1 && !strcmp(argv[1], "ctl"))
        return sftfs_ctl(argc - 1, argv + 1);
    mount_setup_init(&f.setup, "sftfs");
    status = run(&f, helper ? &helper_command : &command, argc, argv);
    mount_setup_free(&f.setup);
    return status;
}
