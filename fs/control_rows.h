/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a mount tells of itself: one table of rows, from which come the replies of the control
 * socket and the extended attributes of the root. Asks the parts of the mount for their numbers;
 * takes no lock that is held over I/O, and never touches the mount.
 */
#ifndef FS_CONTROL_ROWS_H
#define FS_CONTROL_ROWS_H

#include <sys/types.h>

#include "fs/control_wire.h"

struct cache;
struct counters;
struct engine;
struct loader;
struct package;
struct source;

/* The parts of a mount, all borrowed. */
struct control_parts {
    const struct package *package;
    struct engine *engine;
    struct source *source;           /* this and the next two: NULL if there is none */
    struct cache *cache;
    struct loader *loader;
    const struct counters *counters; /* of fs/ */
    const char *mountpoint;
    const char *source_name;         /* as mount(8) shows it: without credentials */
    bool overlay, read_only;
    char device[32];                 /* "major:minor" of the mount */
    unsigned long connection;        /* its number in /sys/fs/fuse/connections */
    uint64_t started_ms;             /* monotonic_ms() */
};

enum control_group {
    CONTROL_IN_STATUS = 1u << 0,
    CONTROL_IN_STATS = 1u << 1,
    CONTROL_IN_PROGRESS = 1u << 2,
};

typedef void (*control_row_fn)(const struct control_row *row, void *arg);

/* Calls EACH for every row in GROUPS (of enum control_group). Rows are valid during the call. */
void control_rows(const struct control_parts *parts, unsigned groups, control_row_fn each,
                  void *arg);

#endif
