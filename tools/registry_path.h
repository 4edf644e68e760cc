/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the keys of a package's hives belong in the registry of a machine. */
#ifndef TOOLS_REGISTRY_PATH_H
#define TOOLS_REGISTRY_PATH_H

#include "src/compiler.h"

enum registry_hive { REGISTRY_MACHINE, REGISTRY_USER, REGISTRY_CLASSES, REGISTRY_HIVE_COUNT };

/* "Registry.dat", "User.dat", "UserClasses.dat" */
const char *registry_hive_name(enum registry_hive hive);

/*
 * The path for regedit of the key that has PATH in HIVE, below "HKEY_LOCAL_MACHINE" and the like.
 * In *out, which the caller frees; NULL for keys that are above all others (the hive's own root,
 * REGISTRY\USER). 0 or -ENOMEM.
 */
int registry_path(enum registry_hive hive, const char *path, char **out) must_check;

#endif
