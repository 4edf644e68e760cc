/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Open descriptors of upper files and directories: kept open while they fit, closed in order of last
 * use, reopened by name when wanted again. What has no name any more is kept until dropped.
 *
 * Own lock, never held over a system call but close(2) of evicted descriptors, which is done after
 * it is given back.
 */
#ifndef FS_OVERLAY_FD_CACHE_H
#define FS_OVERLAY_FD_CACHE_H

#include "src/compiler.h"

struct fd_cache;

/* Embedded in what it belongs to; zero-initialised with FD_SLOT_INIT. Fields belong to the cache. */
struct fd_slot {
    int fd;              /* -1 when closed */
    unsigned pins;
    bool keep;           /* not to be evicted */
    bool dropped;        /* close when the last pin goes */
    struct fd_slot *newer, *older;
};
#define FD_SLOT_INIT { .fd = -1 }

/* MAX descriptors, pinned ones not counted against eviction; 0 = half of RLIMIT_NOFILE, which is raised
 * to its hard limit first, at most 16384. */
int fd_cache_new(unsigned max, struct fd_cache **out) must_check;
void fd_cache_free(struct fd_cache *c); /* closes all; nothing may be pinned */

/* A descriptor that stays open until fd_unpin(), opened with OPEN(arg) if it is not (returns a
 * descriptor or a negative errno; called without any lock of the cache). Retries once after
 * evicting when OPEN fails with EMFILE or ENFILE. */
int fd_pin(struct fd_cache *c, struct fd_slot *slot, int (*open)(void *arg), void *arg) must_check;
void fd_unpin(struct fd_cache *c, struct fd_slot *slot);

/* Gives the cache a descriptor that was opened by other means (a file just created). Takes it over;
 * closes it if the slot has one. */
void fd_give(struct fd_cache *c, struct fd_slot *slot, int fd);

/* KEEP: the descriptor (if open) is not evicted, for it could not be opened again. */
void fd_keep(struct fd_cache *c, struct fd_slot *slot, bool keep);

/* Closes it now or with the last unpin; the slot can be used again afterwards. */
void fd_drop(struct fd_cache *c, struct fd_slot *slot);

#endif
