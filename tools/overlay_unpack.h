/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The entries of an archive that is to become an overlay: which names and kinds are accepted, and
 * making them below one directory. Nothing outside that is touched, whatever the entries say. Only
 * files/, maps/ and aside/ with what is in them, and extended attributes of the user namespace.
 */
#ifndef TOOLS_OVERLAY_UNPACK_H
#define TOOLS_OVERLAY_UNPACK_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "tools/interrupt.h"

struct archive;
struct archive_entry;
struct overlay_unpack_dir;

struct overlay_unpack {
    int fd;     /* the directory */
    bool begun; /* it was made and is to be removed after a failure */
    bool unsafe_links;
    struct overlay_unpack_dir *dirs; /* their attributes are set at the end; owned */
    size_t dir_count, dir_room;
    uint64_t bytes; /* of file data so far */
};
#define OVERLAY_UNPACK_INIT                                                                        \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* Directory NAME in PARENT, which is empty, is the target. */
int overlay_unpack_begin(struct overlay_unpack *u, int parent, const char *name, bool unsafe_links,
                         struct err *e) must_check;

/* Makes what ENTRY says, with its data from ARCHIVE. ERR_UNSAFE_PATH for names and links that would
 * leave the target, and for devices; ERR_CORRUPT for what no overlay has. */
int overlay_unpack_entry(struct overlay_unpack *u, struct archive *archive,
                         struct archive_entry *entry, struct err *e) must_check;

/* A small file at the top. */
int overlay_unpack_file(struct overlay_unpack *u, const char *name, const void *data, size_t len,
                        struct err *e) must_check;

/* Sets the attributes of directories. */
int overlay_unpack_finish(struct overlay_unpack *u, struct err *e) must_check;
void overlay_unpack_end(struct overlay_unpack *u);

/* Whether what was unpacked at PATH is an overlay: markers and maps are of their form. */
int overlay_unpack_check(const char *path, struct interrupt *interrupt, struct err *e) must_check;

#endif
