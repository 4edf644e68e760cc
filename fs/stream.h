/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recognises readers that take the files of a directory in its order, several at once (a parallel
 * find, or one reader that returns from a sub-directory). Pure bookkeeping over node indexes; the
 * caller provides the lock.
 */
#ifndef FS_STREAM_H
#define FS_STREAM_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/package.h"

enum {
    STREAM_MAX = 16,
    STREAM_WINDOW_MIN = 128 * 1024,  /* bytes pushed ahead at first */
    STREAM_WINDOW_MAX = 2048 * 1024, /* and at most */
    STREAM_FILE_MAX = 1024 * 1024,   /* larger files are left to the kernel's own read-ahead */
};

struct stream {
    uint32_t parent;     /* directory; NODE_NONE = free slot */
    uint32_t last;       /* the file whose reading was seen last */
    uint32_t ahead;      /* first child that has not been asked to be pushed */
    uint32_t window;     /* bytes; 0 until two files were read in a row */
    uint64_t used;       /* clock of the last use, for replacement */
};

struct stream_table {
    struct stream streams[STREAM_MAX];
    uint64_t clock;
    unsigned credit;     /* listings that recent reading in order has earned a push */
};

struct node_range {
    uint32_t first, end; /* nodes [first, end) */
};

void stream_table_init(struct stream_table *t);

/* File INDEX has been read to its end. True if the nodes in *ahead should be pushed now. */
bool stream_note_read(struct stream_table *t, const struct package *p, uint32_t index,
                      struct node_range *ahead);

/* The first COUNT children, from FIRST on, of a directory have been listed. Result as above. */
bool stream_note_listing(struct stream_table *t, const struct package *p, uint32_t first,
                         uint32_t count, struct node_range *ahead);

#endif
