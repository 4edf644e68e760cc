/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where an overlay may be: the default place, making the directory, and the checks that give a
 * message that says what to do instead of an errno in the middle of somebody's work. Any thread.
 */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "fetch/file_io.h"
#include "fs/overlay/store_info.h"
#include "fs/overlay/store_lock.h"
#include "fs/overlay/store_private.h"
#include "fs/overlay/walk.h"

#define PROBE_XATTR "user.sftfs.probe"
#define ELSEWHERE   "choose another directory (overlay=DIR)"

/* ---- the default place ---- */

/* $XDG_DATA_HOME/sftfs/overlays or the same in the home directory; NULL: nobody knows. */
static char *default_base(void)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char buf[4096], *base = NULL;
    struct passwd pw, *found = NULL;

    if (data && *data == '/')
        return asprintf(&base, "%s/sftfs/overlays", data) < 0 ? NULL : base;
    if (!home || *home != '/') {
        if (getpwuid_r(geteuid(), &pw, buf, sizeof buf, &found) || !found)
            return NULL;
        home = pw.pw_dir;
    }
    return asprintf(&base, "%s/.local/share/sftfs/overlays", home) < 0 ? NULL : base;
}

int overlay_default_path(const struct guid *package, char **out, struct err *e)
{
    char guid[GUID_TEXT_SIZE];
    auto_free char *base = default_base();

    *out = NULL;
    if (!base)
        return err_set(e, ERR_INVALID, "no home directory to keep overlays in; "
                                       "name one with -o overlay=DIR");
    guid_format(package, guid);
    if (asprintf(out, "%s/%s", base, guid) < 0) {
        *out = NULL;
        return err_nomem(e);
    }
    return 0;
}

/* ---- opening and making ---- */

static int make_dir(const char *path, bool *made, struct err *e)
{
    auto_free char *base = default_base();
    size_t n = base ? strlen(base) : 0;

    /* A mistyped path elsewhere is to be noticed, not made. */
    if (base && !strncmp(path, base, n) && path[n] == '/') {
        int rc = file_make_parents(path, e);
        if (rc)
            return rc;
    }
    if (!mkdir(path, 0700)) {
        *made = true;
        return 0;
    }
    if (errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND,
                       "overlay %s: the directory it is to be made in does not exist", path);
    return errno == EEXIST ? 0 : err_sys(e, "overlay %s", path);
}

int store_place_open(const char *path, bool create, int *fd, char **absolute, bool *made,
                     struct err *e)
{
    *made = false;
    *absolute = NULL;
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0 && errno == ENOENT && create) {
        int rc = make_dir(path, made, e);
        if (rc)
            return rc;
        *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (*fd < 0 && errno == ENOTDIR)
        return err_set(e, ERR_INVALID, "overlay %s: not a directory", path);
    if (*fd < 0)
        return err_sys(e, "overlay %s", path);
    *absolute = realpath(path, NULL);
    return *absolute ? 0 : err_sys(e, "overlay %s", path);
}

/* ---- checks ---- */

enum { TYPE_MAX = 64 };

static long mount_id(int fd)
{
    auto_free char *line = NULL;
    char name[64];
    size_t size = 0;
    long id = -1;

    (void)snprintf(name, sizeof name, "/proc/self/fdinfo/%d", fd); /* always fits */
    FILE *f = fopen(name, "re");
    if (!f)
        return -1;
    while (getline(&line, &size, f) > 0)
        if (sscanf(line, "mnt_id: %ld", &id) == 1)
            break;
    (void)fclose(f); /* only read */
    return id;
}

/* Type of the file system FD is on as mount(8) shows it, "unknown" without /proc. */
static void fs_type(int fd, char type[TYPE_MAX])
{
    auto_free char *line = NULL;
    size_t size = 0;
    long wanted = mount_id(fd);

    (void)snprintf(type, TYPE_MAX, "unknown");
    FILE *f = wanted < 0 ? NULL : fopen("/proc/self/mountinfo", "re");
    if (!f)
        return;
    while (getline(&line, &size, f) > 0) {
        const char *dash = strstr(line, " - ");
        if (dash && strtol(line, NULL, 10) == wanted) {
            (void)snprintf(type, TYPE_MAX, "%.*s", (int)strcspn(dash + 3, " "), dash + 3);
            break;
        }
    }
    (void)fclose(f); /* only read */
}

static bool is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return !strncmp(path, dir, n) && (path[n] == '\0' || path[n] == '/');
}

static int check_mountpoint(const char *path, const char *mountpoint, struct err *e)
{
    auto_free char *mp = mountpoint ? realpath(mountpoint, NULL) : NULL;

    if (!mp)
        return 0; /* it is looked at by whoever mounts there */
    if (is_below(path, mp))
        return err_set(e, ERR_INVALID,
                       "the overlay %s would be hidden by the mount on %s; " ELSEWHERE, path, mp);
    if (is_below(mp, path))
        return err_set(e, ERR_INVALID, "the mount point %s is inside the overlay %s", mp, path);
    return 0;
}

static int check_attributes(int fd, const char *path, const char *type, struct err *e)
{
    if (!fsetxattr(fd, PROBE_XATTR, "1", 1, 0)) {
        (void)fremovexattr(fd, PROBE_XATTR); /* harmless, and hidden in the mount */
        return 0;
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS)
        return err_set(e, ERR_INVALID, /* the package is not to blame */
                       "overlay %s: its file system (%s) has no extended attributes for users; "
                       ELSEWHERE, path, type);
    if (errno == ENOSPC || errno == EDQUOT)
        return 0; /* it has them */
    return err_sys(e, "overlay %s: extended attributes", path);
}

int store_place_check(int fd, const char *path, const char *mountpoint, bool write, struct err *e)
{
    char type[TYPE_MAX];

    fs_type(fd, type);
    if (!strcmp(type, "fuse.sftfs"))
        return err_set(e, ERR_INVALID,
                       "the overlay %s is inside a package that sftfs has mounted; " ELSEWHERE,
                       path);
    int rc = check_mountpoint(path, mountpoint, e);
    return rc || !write ? rc : check_attributes(fd, path, type, e);
}

static int check_harmless(void *arg, int fd, const char *name)
{
    static const char *const harmless[] = { LOCK_NAME, INFO_NEW_NAME, "lost+found" };
    bool *blank = arg, known = false;

    (void)fd;
    for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
        known |= !strcmp(name, harmless[i]);
    *blank &= known;
    return 0;
}

int store_place_is_blank(int fd, bool *blank)
{
    *blank = true;
    return walk_names(fd, ".", check_harmless, blank);
}
