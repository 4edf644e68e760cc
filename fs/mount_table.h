/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's mount table as /proc/self/mountinfo shows it. Reading it never touches a mount. */
#ifndef FS_MOUNT_TABLE_H
#define FS_MOUNT_TABLE_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "src/compiler.h"
#include "src/err.h"

/* One line of the table, escapes undone. Points into the line. */
struct mount_line {
    const char *device; /* "major:minor" */
    const char *mountpoint, *type, *source;
    const char *options; /* of the file system: "rw,user_id=0,..."; "" if there are none */
    bool ours;
};

/* Takes LINE apart, in place. False for what is no line of mountinfo(5). */
bool mount_table_parse(char *line, struct mount_line *out);

/* Calls EACH for every line of TABLE, oldest mount first, until it returns non-zero, which is then
 * returned. */
int mount_table_each(FILE *table, int (*each)(const struct mount_line *line, void *arg), void *arg);

/* What the topmost mount at PATH is (as the table spells it) in TABLE. */
enum mount_table_found { MOUNT_NONE, MOUNT_OURS, MOUNT_FOREIGN };
enum mount_table_found mount_table_find(FILE *table, const char *path, char *device, size_t size);

/* A mount of ours, as the table has it. */
struct mount_identity {
    char device[32];          /* "major:minor" */
    unsigned long connection; /* its number in /sys/fs/fuse/connections */
    uid_t uid;                /* whose daemon serves it */
    char *mountpoint;         /* owned, like the next */
    char *source;
};

/* The topmost mount at PATH, which may be a link to it. ERR_NOT_FOUND when none of ours is there. */
int mount_table_identify(const char *path, struct mount_identity *out, struct err *e) must_check;
void mount_identity_free(struct mount_identity *id); /* one that is all zero is fine */

/* The value of user_id= among OPTIONS of a line; (uid_t)-1 if there is none. */
uid_t mount_table_user(const char *options);

/* "major:minor" of the topmost mount of ours at PATH. False if there is none. */
bool mount_table_device(const char *path, char *out, size_t size);

#endif
