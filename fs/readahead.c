/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's read-ahead for a mount. See readahead.h. */
#include "config.h"

#include "fs/readahead.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/mount_table.h"

enum { DEFAULT_KIB = 1024 };

/* A recording is of what programs read, not of what the kernel guesses. */
static unsigned wanted_kib(const struct mount_options *o)
{
    if (o->record)
        return 0;
    return o->readahead_kib ? o->readahead_kib : DEFAULT_KIB;
}

unsigned readahead_bytes(const struct mount_options *o)
{
    return (unsigned)min_u64((uint64_t)wanted_kib(o) * 1024, UINT32_MAX);
}

void readahead_raise(const struct mount_options *o)
{
    char device[32], path[128], value[16];

    if (!mount_table_device(o->mountpoint, device, sizeof device))
        return;
    (void)snprintf(path, sizeof path, "/sys/class/bdi/%s/read_ahead_kb", device);
    int n = snprintf(value, sizeof value, "%u\n", wanted_kib(o));
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, value, (size_t)n) < 0)
        return; /* a hint to the kernel; reads are right either way */
}
