/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mount points that sftmount makes: NAME-GUID8 in the user's directory for such things
 * (fs/runtime_base.h).
 */
#ifndef TOOLS_RUNTIME_DIR_H
#define TOOLS_RUNTIME_DIR_H

#include "src/compiler.h"
#include "src/err.h"
#include "src/guid.h"

/* Makes the mount point for a package; NAME may be any text. Caller frees *out, and removes the
 * directory after use with runtime_dir_remove(). ERR_DENIED when the place is not safe. */
int runtime_dir_make(const char *name, const struct guid *guid, char **out,
                     struct err *e) must_check;

/* Removes PATH (absolute) if it is a mount point that runtime_dir_make() made and is empty. */
void runtime_dir_remove(const char *path);

#endif
