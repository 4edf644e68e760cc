/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of store.h share: where an overlay may be (store_place.c), opening it (store.c),
 * temporary ones (store_temporary.c). Only for these.
 */
#ifndef FS_OVERLAY_STORE_PRIVATE_H
#define FS_OVERLAY_STORE_PRIVATE_H

#include "fs/overlay/store.h"

#define FILES_NAME "files"
#define WORK_NAME  "work"
#define MAPS_NAME  "maps"

/* overlay_store_open(), which makes an overlay that is not temporary. */
int store_open(const char *path, enum overlay_access access, bool temporary,
               const struct guid *package, const char *mountpoint, struct overlay_store **out,
               struct err *e) must_check;

/*
 * Opens the directory at PATH; makes it with CREATE when it is not there (*made), and what is above
 * it in the default place. *absolute is its name without links, to be freed.
 */
int store_place_open(const char *path, bool create, int *fd, char **absolute, bool *made,
                     struct err *e) must_check;

/*
 * Whether an overlay may be in directory FD, called PATH: not in a mount of ours, nor above or
 * below MOUNTPOINT (may be NULL). With WRITE it must take user attributes.
 */
int store_place_check(int fd, const char *path, const char *mountpoint, bool write,
                      struct err *e) must_check;

/* Whether there is nothing in directory FD but what a program that died while making an overlay, or
 * mkfs, has left there. */
int store_place_is_blank(int fd, bool *blank) must_check;

#endif
