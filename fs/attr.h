/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attributes of package nodes as stat(2) shows them. Pure arithmetic: no FUSE, no I/O, no lock. */
#ifndef FS_ATTR_H
#define FS_ATTR_H

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "src/package.h"

/* What a mount's options say about nodes of its package. */
struct attr_rules {
    const struct package *package; /* borrowed */
    const struct package_info *info;
    uid_t uid;
    gid_t gid;
    mode_t dir_mode, file_mode, program_mode; /* with their type bits */
};

/* UMASK: bits taken from 0777 of directories and programs and 0666 of other files. */
void attr_rules_init(struct attr_rules *rules, const struct package *package, uid_t uid, gid_t gid,
                     mode_t umask);

/* Every directory has link count 1, which tools read as "unknown": counting sub-directories would
 * be work proportional to the directory. */
void attr_fill(const struct attr_rules *rules, uint32_t index, struct stat *st);

/* Value of the extended attribute ATTR_DOS of a node, in the form Samba and Wine use: hexadecimal
 * text. Returns its length without NUL, or -ENODATA for a node that has none. */
#define ATTR_DOS     "user.DOSATTRIB"
#define ATTR_DOS_MAX 8
int attr_dos(const struct package *package, uint32_t index, char text[ATTR_DOS_MAX]);

/* A full disk of the package's size. */
void attr_statfs(const struct attr_rules *rules, struct statvfs *st);

#endif
