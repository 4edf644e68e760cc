/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A mounted package: what the kernel sees. mount_run() holds the FUSE session from mount to unmount.
 * Interface for tools/; FUSE itself does not show.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include <stdint.h>
#include <sys/types.h>

#include "fetch/engine.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

struct cache;   /* fetch/cache.h */
struct loader;  /* fetch/loader.h */
struct overlay; /* fs/overlay/overlay.h */
struct source;  /* fetch/source.h */

/* Whether the root's extended attributes tell how the mount is (root_attributes.h). */
enum mount_status {
    MOUNT_STATUS_HIDDEN, /* to whoever asks for one by its name */
    MOUNT_STATUS_LISTED, /* and they are listed */
    MOUNT_STATUS_NONE,   /* there are none, and the kernel need not ask for any attribute of a package
                          * that has no other */
};

struct mount_options {
    const char *mountpoint;  /* absolute */
    const char *fsname;      /* shown by mount(8) and df; commas and newlines are escaped here */
    const char *fuse_options;/* further comma-separated options for libfuse, or NULL */
    uid_t uid;               /* owner of every node */
    gid_t gid;
    mode_t umask;            /* bits taken from 0777 of directories and 0666 of files
                                (0777 for *.exe, *.dll, *.com, *.bat, *.cmd) */
    bool allow_other;
    bool case_sensitive;     /* look names up exactly; the overlay's too */
    bool casefold_flag;      /* answer FS_IOC_GETFLAGS of directories with FS_CASEFOLD_FL */
    enum mount_status status;
    bool push;               /* hand small neighbours to the kernel before it asks */
    bool single_thread;
    bool debug;              /* FUSE protocol trace on stderr */
    unsigned readahead_kib;  /* wanted kernel read-ahead; 0 = 1024. Raised beyond the kernel's default
                                only where permitted */
    const char *record;      /* absolute path of the file that gets a launch list of what is
                                read, or NULL. While it is written, nothing is pushed and the
                                kernel reads nothing ahead */
    struct overlay *overlay; /* the user's changes; NULL: the package alone. Borrowed, to be closed
                                after mount_run() */
    bool read_only;          /* nothing may be changed; without an overlay nothing can */
    /* What the control socket tells of, and steers, beside the engine. Borrowed; each may be NULL. */
    struct source *source;
    struct cache *cache;
    struct loader *loader;
};

/*
 * Mounts PACKAGE and serves it until it is unmounted or SIGTERM, SIGINT or SIGHUP arrives. READY is
 * called once, when the mount is usable (may be used to tell a waiting parent). Returns 0 after an
 * orderly end, or a negative errno with ERR_MOUNT / ERR_BUSY / ERR_DENIED. Blocks; call it once a
 * process, after daemonising, because it starts threads.
 */
int mount_run(const struct package *package, struct engine *engine,
              const struct mount_options *o, void (*ready)(void *arg), void *arg, struct err *e)
    must_check;

/* Whether PATH is a mount of ours, dead or alive, by the mount table alone: never blocks. */
bool mount_is_ours(const char *path);

/* Whether PATH is a mount of ours whose daemon is gone. One that is there and does not answer is not
 * gone; this does not wait for it. */
bool mount_is_dead(const char *path);

/* One mount of type fuse.sftfs, from /proc/self/mountinfo. */
struct mount_entry {
    char *mountpoint;
    char *fsname;
};

int mount_list(struct mount_entry **entries, size_t *count, struct err *e) must_check;
void mount_list_free(struct mount_entry *entries, size_t count);

/* Unmounts PATH as root or through fusermount3; LAZY detaches a busy one. Does not touch the
 * mounted tree itself, so it works on a stuck or dead mount. */
int mount_unmount(const char *path, bool lazy, struct err *e) must_check;

#endif
