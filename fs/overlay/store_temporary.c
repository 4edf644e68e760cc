/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Overlays that end with their mount: overlay_store_temporary() in store.h. Those of processes that
 * died are found by name, owner and lock, and removed by whoever makes the next one.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "fs/overlay/store_lock.h"
#include "fs/overlay/store_private.h"
#include "src/log.h"

#define PREFIX "sftfs-overlay-"

enum { ABANDONED_S = 3600 };

/* Removes NAME in directory BASE if it is a temporary overlay of this user's that nobody has. */
static void remove_if_dead(int base, const char *name)
{
    struct stat st;
    auto_close int dir = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    auto_close int lock = -1;

    if (dir < 0 || fstat(dir, &st) || st.st_uid != geteuid())
        return;
    if (store_lock_take_stale_temporary(dir, &lock)) {
        if (overlay_remove_tree(base, name))
            log_warning("overlay", "the abandoned overlay %s could not be removed", name);
    } else if (time(NULL) - st.st_mtime > ABANDONED_S) {
        (void)unlinkat(base, name, AT_REMOVEDIR); /* empty: whoever made it got no further */
    }
}

static void remove_dead(const char *base)
{
    DIR *dir = opendir(base);

    if (!dir)
        return;
    for (const struct dirent *d; (d = readdir(dir));)
        if (!strncmp(d->d_name, PREFIX, strlen(PREFIX)) &&
            strlen(d->d_name) == strlen(PREFIX) + 6)
            remove_if_dead(dirfd(dir), d->d_name);
    (void)closedir(dir); /* only read */
}

static int make_in(const char *base, const struct guid *package, const char *mountpoint,
                   struct overlay_store **out, struct err *e)
{
    auto_free char *path = NULL;

    if (asprintf(&path, "%s/" PREFIX "XXXXXX", base) < 0) {
        path = NULL;
        return err_nomem(e);
    }
    if (!mkdtemp(path))
        return err_sys(e, "a temporary overlay in %s", base);
    int rc = store_open(path, OVERLAY_WRITE, true, package, mountpoint, out, e);
    if (rc && overlay_remove_tree(AT_FDCWD, path))
        log_warning("overlay", "%s could not be removed", path);
    return rc;
}

int overlay_store_temporary(const struct guid *package, const char *mountpoint,
                            struct overlay_store **out, struct err *e)
{
    const char *bases[] = { getenv("TMPDIR"), "/var/tmp", "/tmp" };
    int rc = -ENOENT;

    *out = NULL;
    for (size_t i = 0; i < ARRAY_LEN(bases) && rc; i++) {
        if (!bases[i] || *bases[i] != '/')
            continue;
        remove_dead(bases[i]);
        rc = make_in(bases[i], package, mountpoint, out, e);
        if (rc == -ENOMEM)
            break;
    }
    return rc;
}
