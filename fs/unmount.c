/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The end of a mount from outside: whether its daemon is gone, and unmounting. Implements a part of
 * mount.h. The mounted tree is not touched, but by a process of its own that nobody waits for.
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "fs/control_client.h"
#include "fs/mount.h"

extern char **environ;

enum { PROBE_MS = 5000, PROBE_STEP_MS = 5 };

/* A daemon that is stopped would have statfs(2) wait for it for ever, so another process asks. */
static bool is_disconnected(const char *mountpoint)
{
    struct statfs st;
    int status, left = PROBE_MS;
    pid_t child = fork();

    if (child < 0)
        return false;
    if (!child)
        _exit(statfs(mountpoint, &st) < 0 && errno == ENOTCONN);
    while (!waitpid(child, &status, WNOHANG)) {
        if ((left -= PROBE_STEP_MS) <= 0)
            (void)kill(child, SIGKILL); /* waiting for a FUSE daemon can be killed */
        (void)poll(NULL, 0, PROBE_STEP_MS);
    }
    return WIFEXITED(status) && WEXITSTATUS(status);
}

bool mount_is_dead(const char *path)
{
    struct mount_identity id;
    struct control_link link;

    if (mount_table_identify(path, &id, NULL))
        return false;
    control_link_open(&id, &link);
    /* While somebody listens there is nothing to ask the mount, which may be stuck. */
    bool dead = link.state != CONTROL_LINK_OPEN && is_disconnected(id.mountpoint);
    control_link_close(&link);
    mount_identity_free(&id);
    return dead;
}

/* Runs fusermount3; its own message goes to our stderr. */
static int run_fusermount(const char *path, bool lazy, struct err *e)
{
    char program[] = "fusermount3", unmount[] = "-u", detach[] = "-z", end[] = "--";
    auto_free char *copy = strdup(path);
    char *argv[] = { program, unmount, lazy ? detach : end, lazy ? end : copy, lazy ? copy : NULL,
                     NULL };
    pid_t child;
    int status;

    if (!copy)
        return err_nomem(e);
    int rc = posix_spawnp(&child, program, NULL, NULL, argv, environ);
    if (rc) {
        errno = rc;
        return err_sys(e, "cannot run fusermount3 to unmount %s", path);
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, "waiting for fusermount3");
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return err_set(e, ERR_BUSY, "%s was not unmounted%s", path,
                       lazy ? "" : "; is a program still using it? --lazy detaches it anyway");
    return 0;
}

static int unmount(const char *full, const char *path, bool lazy, struct err *e)
{
    if (geteuid() != 0)
        return run_fusermount(full, lazy, e);
    if (umount2(full, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
        return 0;
    if (errno == EBUSY)
        return err_set(e, ERR_BUSY, "%s is in use; end the programs that use it, or detach it "
                       "with --lazy", path);
    return err_sys(e, "unmounting %s", path);
}

int mount_unmount(const char *path, bool lazy, struct err *e)
{
    struct mount_identity id;
    struct control_link link;
    int rc = mount_table_identify(path, &id, e);

    if (rc)
        return rc;
    /* What a daemon that was killed has left, while its device number is not given to another. */
    control_link_open(&id, &link);
    control_link_clean(&id, &link);
    control_link_close(&link);
    rc = unmount(id.mountpoint, path, lazy, e);
    mount_identity_free(&id);
    return rc;
}
