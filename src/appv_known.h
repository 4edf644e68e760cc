/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The folders that tokens of App-V stand for, where a 64-bit prefix of Wine has them. See
 * appv_tokens.h. */
#ifndef SRC_APPV_KNOWN_H
#define SRC_APPV_KNOWN_H

#include <stddef.h>

struct appv_known {
    const char *name;
    const char *path; /* "~" is the user's profile */
    const char *vfs;  /* name of another directory below VFS that its files may be in, or NULL */
};

/* The one called NAME, in any case; NULL if it is not known. */
const struct appv_known *appv_known_find(const char *name, size_t len);

#endif
