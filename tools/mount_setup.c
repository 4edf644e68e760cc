/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options behind -o: their tables and what each does. See mount_common.h. */
#include "config.h"

#include "tools/mount_common.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "fetch/http_url.h"
#include "src/log.h"

enum {
    OPT_UID = CLI_ID_MOUNT,
    OPT_GID,
    OPT_UMASK,
    OPT_ALLOW_OTHER,
    OPT_CASE_SENSITIVE,
    OPT_MEMORY,
    OPT_READAHEAD,
    OPT_DECODERS,
    OPT_NO_PUSH,
    OPT_NO_CASEFOLD_FLAG,
    OPT_LOGLEVEL,
    OPT_STATUS_ATTRIBUTES,
    OPT_OVERLAY,
    OPT_OLD_VERSION,
    OPT_MIRROR,
    OPT_OFFLINE,
    OPT_RECORD,
    OPT_LAUNCH_LIST,
    /* mount(8)'s */
    OPT_RO,
    OPT_RW,
    OPT_PASS,
    OPT_IGNORE,
};

const struct cli_option mount_suboptions[] = {
    { "overlay", 0, "[=DIR]",
      "Let files be changed, and keep the changes in the directory DIR, which is made if needed. "
      "Without DIR in a directory that goes with the package, below ~/.local/share/sftfs/overlays. "
      "overlay=temporary throws the changes away at the end; overlay=none is the default: nothing "
      "can be changed.",
      OPT_OVERLAY },
    { "old_version", 0, "SOURCE",
      "Where to find the version of the package that the overlay was last used with, when that is "
      "not where it was and changes are to be carried over to this version.",
      OPT_OLD_VERSION },
    { "mirror", 0, "PLACE",
      "Another place where this package is, a URL or path; may be repeated. It is asked when the "
      "places before it fail, and left again when one of them is back. A place that has something "
      "else is not used.",
      OPT_MIRROR },
    { "offline", 0, NULL,
      "Ask no server: what is in the disk cache can be read, the rest gives an I/O error at once. "
      "'sftfs ctl MOUNT online' ends that.",
      OPT_OFFLINE },
    { "uid", 0, "USER", "Owner of all files: number or name. Default: the caller.", OPT_UID },
    { "gid", 0, "GROUP", "Group of all files: number or name. Default: the caller's.", OPT_GID },
    { "umask", 0, "MODE", "Permission bits taken away from all files, in octal. Default: 022.",
      OPT_UMASK },
    { "allow_other", 0, NULL,
      "Let other users in. Unless root mounts, user_allow_other must stand in /etc/fuse.conf.",
      OPT_ALLOW_OTHER },
    { "case_sensitive", 0, NULL,
      "Look names up exactly. By default case does not matter, as on Windows.",
      OPT_CASE_SENSITIVE },
    { "memory", 0, "SIZE",
      "Most memory for decoded blocks and data on the way, with suffix K, M or G. At least 8M; "
      "default: 48M.",
      OPT_MEMORY },
    { "readahead", 0, "KIB",
      "How far the kernel reads ahead of a sequential reader. Default: 1024. Raised beyond the "
      "kernel's own value only where that is permitted.",
      OPT_READAHEAD },
    { "decoders", 0, "N", "Threads that decode blocks. Default: one a processor, at most 8.",
      OPT_DECODERS },
    { "no_push", 0, NULL,
      "Do not hand small neighbouring files to the kernel before they are asked for.",
      OPT_NO_PUSH },
    { "no_casefold_flag", 0, NULL,
      "Do not tell programs that ask (Wine does) that directories disregard case.",
      OPT_NO_CASEFOLD_FLAG },
    { "record", 0, "FILE",
      "Write to FILE which blocks and files are read, in the order of their first use: a launch "
      "list for 'sft pack --launch-list'. Meanwhile the kernel reads nothing ahead of need and is "
      "handed nothing, which makes reading slower. FILE is complete when it is unmounted, and "
      "usable before; an older recording there is replaced.",
      OPT_RECORD },
    { "loglevel", 0, "LEVEL",
      "How much is logged: error, warning, info (the default) or debug. 'sftfs ctl' changes it while "
      "the package is mounted.",
      OPT_LOGLEVEL },
    { "launch_list", 0, "FILE",
      "Fetch ahead what FILE names, a recording or a list of paths, in place of the launch set of "
      "the package. For packages that cannot be packed anew.",
      OPT_LAUNCH_LIST },
    { "status_attributes", 0, "HOW",
      "Extended attributes of the mount point that say how the mount is, such as "
      "user.sftfs.cached_percent: hidden (the default) gives them to its owner by name, list lists "
      "them, too, none does without, which makes ls -l and Wine on packages without hidden files "
      "faster.",
      OPT_STATUS_ATTRIBUTES },
    { NULL, 0, NULL, NULL, 0 },
};

const struct cli_option mount_system_suboptions[] = {
    { "ro", 0, NULL, "Read-only. With an overlay its changes show, and none can be made.", OPT_RO },
    { "rw", 0, NULL,
      "Accepted; without an overlay the mount is read-only all the same, and a note says so.",
      OPT_RW },
    { "noexec", 0, NULL, "Do not let programs on the mount be executed.", OPT_PASS },
    { "noatime", 0, NULL, "Accepted like the other options on access times; a package has none.",
      OPT_PASS },
    { "noauto, user, users, nofail, _netdev, x-..., defaults", 0, NULL,
      "Accepted; mount(8) and the init system act on them.", OPT_IGNORE },
    { "nosuid, nodev", 0, NULL, "Always in force; suid and dev are accepted and change nothing.",
      OPT_IGNORE },
    { NULL, 0, NULL, NULL, 0 },
};

/* Further names that fstab lines bring; documented as groups above. */
static const char *const ignored[] = {
    "auto",       "noauto",      "user",          "nouser",   "users",      "owner",
    "group",      "nofail",      "_netdev",       "defaults", "suid",       "nosuid",
    "dev",        "nodev",       "exec",          "atime",    "diratime",   "relatime",
    "norelatime", "strictatime", "nostrictatime", "lazytime", "nolazytime", "nodiratime",
    "sync",       "async",       "dirsync",       "iversion", "noiversion", "mand",
    "nomand",     "loud",        "silent",        "comment",
};

void mount_setup_init(struct mount_setup *s, const char *program)
{
    *s = (struct mount_setup){
        .report = { .program = program },
        .mount = {
            .uid = getuid(),
            .gid = getgid(),
            .umask = 022,
            .casefold_flag = true,
            .push = true,
        },
    };
    delivery_setup_init(&s->delivery);
}

void mount_setup_free(struct mount_setup *s)
{
    for (size_t i = 0; i < s->copy_count; i++)
        free(s->copies[i]);
    free(s->copies);
    free(s->announcement);
    free(s->fuse_options);
    free(s->overlay_dir);
    delivery_setup_free(&s->delivery);
    free(s->record);
    free(s->launch_list);
}

static int set_user(struct mount_setup *s, const char *value, struct err *e)
{
    const struct passwd *pw = getpwnam(value);
    uint64_t n;

    if (pw) {
        s->mount.uid = pw->pw_uid;
        return 0;
    }
    if (cli_parse_number("uid", value, 0, UINT32_MAX - 1, &n, NULL))
        return err_set(e, ERR_INVALID, "uid: no user '%s'", value);
    s->mount.uid = (uid_t)n;
    return 0;
}

static int set_group(struct mount_setup *s, const char *value, struct err *e)
{
    const struct group *gr = getgrnam(value);
    uint64_t n;

    if (gr) {
        s->mount.gid = gr->gr_gid;
        return 0;
    }
    if (cli_parse_number("gid", value, 0, UINT32_MAX - 1, &n, NULL))
        return err_set(e, ERR_INVALID, "gid: no group '%s'", value);
    s->mount.gid = (gid_t)n;
    return 0;
}

static int set_umask(struct mount_setup *s, const char *value, struct err *e)
{
    size_t len = strlen(value);

    if (!len || len > 5 || strspn(value, "01234567") != len || strtoul(value, NULL, 8) > 0777)
        return err_set(e, ERR_INVALID, "umask must be an octal number from 0 to 777, not '%s'",
                       value);
    s->mount.umask = (mode_t)strtoul(value, NULL, 8);
    return 0;
}

static int set_unsigned(const char *what, const char *value, uint64_t max, unsigned *out,
                        struct err *e)
{
    uint64_t n;
    int rc = cli_parse_number(what, value, 1, max, &n, e);

    if (!rc)
        *out = (unsigned)n;
    return rc;
}

/* A place that cannot be used should be heard of now, and not when it is needed. */
static int add_mirror(struct mount_setup *s, const char *place, struct err *e)
{
    auto_free char *url = NULL;
    int rc;

    if (s->mirror_count == ORIGIN_PLACES_MAX - 2) /* two places a document can name */
        return err_set(e, ERR_INVALID, "mirror: more than %d places", ORIGIN_PLACES_MAX - 2);
    if (!source_is_supported(place))
        return err_set(e, ERR_INVALID, "mirror: places beginning with %.*s: are not supported",
                       (int)strcspn(place, ":"), place);
    if (http_url_matches(place) && (rc = http_url_prepare(place, &url, e))) {
        err_wrap(e, "mirror");
        return rc;
    }
    s->mirrors[s->mirror_count++] = place;
    return 0;
}

static int pass_to_fuse(struct mount_setup *s, const char *name, struct err *e)
{
    char *all;

    if (asprintf(&all, "%s%s%s", s->fuse_options ? s->fuse_options : "", s->fuse_options ? "," : "",
                 name) < 0)
        return err_nomem(e);
    free(s->fuse_options);
    s->fuse_options = all;
    return 0;
}

static int set_status(struct mount_setup *s, const char *value, struct err *e)
{
    static const char *const names[] = { [MOUNT_STATUS_HIDDEN] = "hidden",
                                         [MOUNT_STATUS_LISTED] = "list",
                                         [MOUNT_STATUS_NONE] = "none" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(value, names[i])) {
            s->mount.status = (enum mount_status)i;
            return 0;
        }
    return err_set(e, ERR_INVALID, "status_attributes must be hidden, list or none, not '%s'", value);
}

static int set_log_level(const char *value, struct err *e)
{
    enum log_level level;

    if (!log_level_parse(value, &level))
        return err_set(e, ERR_INVALID, "loglevel must be error, warning, info or debug, not '%s'",
                       value);
    log_set_level(level);
    return 0;
}

static int set_path(const char *what, const char *path, char **to, struct err *e)
{
    free(*to);
    *to = NULL;
    return cli_absolute_path(what, path, to, e);
}

int mount_setup_overlay(struct mount_setup *s, const char *value, struct err *e)
{
    char *dir = NULL;

    if (value && !*value)
        return err_set(e, ERR_INVALID, "overlay= needs a directory, 'temporary' or 'none'");
    if (value && strcmp(value, "none") != 0 && strcmp(value, "temporary") != 0) {
        int rc = cli_absolute_path("overlay", value, &dir, e);
        if (rc)
            return rc;
    }
    free(s->overlay_dir);
    s->overlay_dir = dir;
    s->overlay = !value                  ? OVERLAY_CHOICE_DEFAULT
                 : dir                   ? OVERLAY_CHOICE_DIR
                 : !strcmp(value, "none") ? OVERLAY_CHOICE_NONE
                                         : OVERLAY_CHOICE_TEMPORARY;
    return 0;
}

static int apply(struct mount_setup *s, const struct cli_option *o, const char *value,
                 struct err *e)
{
    int rc;

    switch (o->id) {
    case OPT_UID:
        return set_user(s, value, e);
    case OPT_GID:
        return set_group(s, value, e);
    case OPT_UMASK:
        return set_umask(s, value, e);
    case OPT_ALLOW_OTHER:
        s->mount.allow_other = true;
        return 0;
    case OPT_CASE_SENSITIVE:
        s->mount.case_sensitive = true;
        return 0;
    case OPT_MEMORY:
        return cli_parse_size("memory", value, UINT64_C(8) << 20, UINT64_C(1) << 40,
                              &s->engine.memory, e);
    case OPT_READAHEAD:
        return set_unsigned("readahead", value, 1 << 20, &s->mount.readahead_kib, e);
    case OPT_DECODERS:
        return set_unsigned("decoders", value, 64, &s->engine.decoders, e);
    case OPT_NO_PUSH:
        s->mount.push = false;
        return 0;
    case OPT_NO_CASEFOLD_FLAG:
        s->mount.casefold_flag = false;
        return 0;
    case OPT_STATUS_ATTRIBUTES:
        return set_status(s, value, e);
    case OPT_LOGLEVEL:
        return set_log_level(value, e);
    case OPT_OVERLAY:
        return mount_setup_overlay(s, value, e);
    case OPT_OLD_VERSION:
        s->old_version = value;
        return 0;
    case OPT_MIRROR:
        return add_mirror(s, value, e);
    case OPT_OFFLINE:
        s->offline = true;
        return 0;
    case OPT_RECORD:
        rc = set_path("record", value, &s->record, e);
        s->mount.record = s->record;
        return rc;
    case OPT_LAUNCH_LIST:
        return set_path("launch_list", value, &s->launch_list, e);
    case OPT_RW:
        s->read_write = true;
        s->mount.read_only = false;
        return 0;
    case OPT_PASS:
        return pass_to_fuse(s, o->name, e);
    case OPT_RO:
        s->mount.read_only = true;
        s->read_write = false;
        return 0;
    default:
        return delivery_setup_has(o->id) ? delivery_setup_set(&s->delivery, o->id, value, e)
                                         : connection_set(&s->connection, o->id, value, e);
    }
}

static bool is_ignored(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        if (!strcmp(name, ignored[i]))
            return true;
    return !strncmp(name, "x-", 2) || !strncmp(name, "X-", 2);
}

static int one_option(struct mount_setup *s, const char *name, const char *value, struct err *e)
{
    const struct cli_option *o = cli_find(mount_suboptions, name);

    if (!o)
        o = cli_find(delivery_suboptions, name);
    if (!o)
        o = cli_find(connection_suboptions, name);
    if (!o)
        o = cli_find(mount_system_suboptions, name);
    if (!o && (s->sloppy || is_ignored(name)))
        return 0;
    if (!o)
        return err_set(e, ERR_INVALID, "unknown mount option '%s'; 'sftfs --help' lists them",
                       name);
    if (o->arg && !cli_arg_is_optional(o) &&
        (!value || (!*value && o->id != CONNECTION_PROXY)))
        return err_set(e, ERR_INVALID, "mount option '%s' needs a value: %s=%s", name, name,
                       o->arg);
    if (!o->arg && value)
        return err_set(e, ERR_INVALID, "mount option '%s' takes no value", name);
    return apply(s, o, value, e);
}

int mount_setup_options(struct mount_setup *s, const char *text, struct err *e)
{
    char **copies = realloc(s->copies, (s->copy_count + 1) * sizeof *copies);
    char *list, *name, *value;
    int rc = 0;

    if (!copies)
        return err_nomem(e);
    s->copies = copies;
    list = strdup(text);
    if (!list)
        return err_nomem(e);
    s->copies[s->copy_count++] = list;
    while (!rc && cli_next_suboption(&list, &name, &value))
        rc = one_option(s, name, value, e);
    return rc;
}

static void add_location(struct mount_setup *s, const char *place)
{
    for (size_t i = 0; i < s->location_count; i++)
        if (!strcmp(s->locations[i], place))
            return;
    if (s->location_count < ARRAY_LEN(s->locations))
        s->locations[s->location_count++] = place;
}

int mount_setup_locations(struct mount_setup *s, const char *const *first, size_t count,
                          struct err *e)
{
    bool alone = count + s->mirror_count == 1; /* then opening it says best what is wrong */

    s->location_count = 0;
    for (size_t i = 0; i < count; i++)
        if (alone || source_is_supported(first[i]))
            add_location(s, first[i]);
    for (size_t i = 0; i < s->mirror_count; i++)
        add_location(s, s->mirrors[i]);
    if (!s->location_count && count)
        add_location(s, first[0]);
    if (!s->location_count)
        return err_set(e, ERR_UNRESOLVED, "there is no place to take the package from");
    return 0;
}
