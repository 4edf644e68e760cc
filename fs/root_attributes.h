/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Extended attributes of the root directory that tell how the mount is: "user.sftfs." and the name
 * of a row (control_rows.h) with its unit, such as user.sftfs.version_guid or
 * user.sftfs.cached_percent. Nothing of this is stored. They are given by name to root and to
 * whoever owns the mount; to others they do not exist. They are not listed, unless the mount is
 * asked to: what copies a directory with all its attributes (cp -a, rsync -X, tar --xattrs) would
 * carry them elsewhere, where they are lies.
 */
#ifndef FS_ROOT_ATTRIBUTES_H
#define FS_ROOT_ATTRIBUTES_H

#include <string.h>

#include "fs/vfs.h"

#define ROOT_ATTRIBUTE_PREFIX "user.sftfs."

/* Whether NAME is one that only this module gives values to. */
static inline bool root_attribute_is(const char *name)
{
    return !strncmp(name, ROOT_ATTRIBUTE_PREFIX, sizeof ROOT_ATTRIBUTE_PREFIX - 1);
}

/*
 * Answers GETXATTR of NAME, one of these, for node INO: the value, or ENODATA where there is none
 * for this caller.
 */
void root_attribute_reply(struct vfs *v, fuse_req_t req, fuse_ino_t ino, const char *name,
                          size_t size);

/*
 * The names that are listed for node INO to this caller: each with its NUL, one after the other.
 * Length of all, 0 for none, or -ENOMEM. Caller frees *names.
 */
ssize_t root_attribute_list(struct vfs *v, fuse_req_t req, fuse_ino_t ino, char **names);

#endif
