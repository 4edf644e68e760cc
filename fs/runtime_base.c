/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A user's directory for sockets and mount points. See runtime_base.h. */
#include "config.h"

#include "fs/runtime_base.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_dir_of(const char *path, uid_t uid)
{
    struct stat st;

    return !stat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == uid;
}

/* Adds "PARENT/sftfs" when PARENT is a directory of UID, which the runtime directories of a system
 * are; so a user who has become root does not leave things of root's in the user's. */
static size_t add_below(const char *parent, uid_t uid, char **place)
{
    return is_dir_of(parent, uid) && asprintf(place, "%s/sftfs", parent) >= 0;
}

size_t runtime_base_places(uid_t uid, char *places[RUNTIME_BASES_MAX])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char system[64];
    size_t n = 0;

    if (uid == geteuid() && runtime && runtime[0] == '/')
        n += add_below(runtime, uid, &places[n]);
    (void)snprintf(system, sizeof system, "/run/user/%lu", (unsigned long)uid);
    n += add_below(system, uid, &places[n]);
    if (!uid)
        n += add_below("/run", uid, &places[n]);
    n += asprintf(&places[n], "/tmp/sftfs-%lu", (unsigned long)uid) >= 0;
    return n;
}

/* Makes the directory, or sees to it that one that exists is ours alone: *unsafe if it is not. */
static int own_dir(const char *path, bool *unsafe, struct err *e)
{
    struct stat st;

    if (!mkdir(path, 0700))
        return 0;
    int failure = errno;
    if (lstat(path, &st)) {
        errno = failure;
        return err_sys(e, "%s", path);
    }
    *unsafe = !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077);
    return *unsafe ? err_set(e, ERR_DENIED, "%s: must be a directory of yours with mode 0700; "
                                            "remove it, or name a mount point",
                             path)
                   : 0;
}

int runtime_base_make(char **out, struct err *e)
{
    char *places[RUNTIME_BASES_MAX];
    size_t count = runtime_base_places(geteuid(), places);
    bool unsafe = false;
    int rc = 0;

    *out = NULL;
    for (size_t i = 0; i < count; i++) {
        /* A place that cannot be made is passed over; one that somebody has tampered with is
         * not. */
        if (!*out && !unsafe && !(rc = own_dir(places[i], &unsafe, e)) &&
            !(*out = realpath(places[i], NULL))) /* as the mount table shows it */
            rc = err_sys(e, "%s", places[i]);
        free(places[i]);
    }
    return count ? rc : err_nomem(e);
}

char *runtime_base_find(void)
{
    char *places[RUNTIME_BASES_MAX], *out = NULL;
    size_t count = runtime_base_places(geteuid(), places);

    for (size_t i = 0; i < count; i++) {
        if (!out)
            out = realpath(places[i], NULL);
        free(places[i]);
    }
    return out;
}
