/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Named places where a test ends the process. See crash_point.h. SIGKILL, so that nothing is
 * flushed, no handler runs and no descriptor is closed in good order. Any thread.
 */
#include "config.h"

#include "fs/overlay/crash_point.h"

#ifdef ENABLE_CRASH_POINTS

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Sorted. tests/test-crash-points.sh compares it with the sources. */
const char *const crash_point_names[] = {
    "copy-up-made",
    "copy-up-placed",
    "create-made",
    "create-placed",
    "data-synced",
    "file-cut",
    "finish-synced",
    "finish-unmarked",
    "limit-recorded",
    "link-made",
    "lock-taken",
    "lock-written",
    "map-created",
    "map-named",
    "map-states-judged",
    "move-done",
    "move-intent-written",
    "move-swapped",
    "move-target-aside",
    "move-whiteout-placed",
    "put-beside-whiteout",
    "put-exchanged",
    "range-zeroed",
    "remove-dir-aside",
    "remove-done",
    "remove-whiteout-made",
    "rename-exchanged",
    "rename-moved",
    "rename-prepared",
    "rename-replaced",
    "rename-respelled",
    "rename-swapped",
    "rename-whiteout-placed",
    "reset-exchanged",
    "reset-taken-out",
    "reset-unhidden",
    "setattr-copied-up",
    "store-info-written",
    "store-made",
    "unit-filled",
    "unit-written",
    "upgrade-aside-moved",
    "upgrade-begun",
    "upgrade-complete-all",
    "upgrade-complete-filled",
    "upgrade-complete-plain",
    "upgrade-files-done",
    "upgrade-follow-begun",
    "upgrade-follow-marked",
    "upgrade-follow-sized",
    "upgrade-recorded",
    "whiteout-made",
    NULL,
};

/* For tests that must know which points they reached. */
static void record(const char *name, size_t len)
{
    const char *path = getenv("SFTFS_CRASH_LOG");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;

    if (fd >= 0)
        (void)dprintf(fd, "%.*s\n", (int)len, name); /* the process ends now, whatever this does */
}

void crash_point(const char *name)
{
    static _Atomic unsigned long passed;
    const char *wanted = getenv("SFTFS_CRASH_POINT");
    size_t len = strlen(name);

    if (!wanted || strncmp(wanted, name, len) || (wanted[len] && wanted[len] != ':'))
        return;
    unsigned long n = wanted[len] ? strtoul(wanted + len + 1, NULL, 10) : 1;
    if (atomic_fetch_add(&passed, 1) + 1 < n)
        return;
    record(name, len);
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause(); /* the signal comes to another thread first */
}

#endif
