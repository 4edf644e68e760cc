/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * App-V has everything in one hive, as the kernel names it: REGISTRY\MACHINE, REGISTRY\USER and the
 * user's SID, the same with _CLASSES behind it. MSIX has a hive for each of the three, with or
 * without those names in front; without, Registry.dat is what HKEY_LOCAL_MACHINE\Software is
 * (Microsoft: "Understanding how packaged desktop apps run on Windows").
 */
#include "config.h"

#include "tools/registry_path.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MACHINE  "HKEY_LOCAL_MACHINE"
#define SOFTWARE MACHINE "\\Software"
#define USER     "HKEY_CURRENT_USER"
#define USERS    "HKEY_USERS"
#define CLASSES  USER "\\Software\\Classes"
#define SUFFIX   "_CLASSES"

static const char *const hive_names[REGISTRY_HIVE_COUNT] = { "Registry.dat", "User.dat",
                                                             "UserClasses.dat" };

const char *registry_hive_name(enum registry_hive hive)
{
    return hive_names[hive];
}

/* Takes the component NAME from the front of *path; what is left has no backslash in front. */
static bool take(const char **path, const char *name)
{
    size_t n = strlen(name);

    if (strncasecmp(*path, name, n) != 0 || ((*path)[n] && (*path)[n] != '\\'))
        return false;
    *path += n + ((*path)[n] != '\0');
    return true;
}

/* Whether LEN bytes name the user that the package is for: a token, or the SID of an account. */
static bool is_user(const char *name, size_t len)
{
    static const char account[] = "S-1-5-21-";

    return (len > 4 && !strncmp(name, "[{", 2)) ||
           (len >= sizeof account && !strncasecmp(name, account, strlen(account)));
}

/* What is below REGISTRY\USER. */
static const char *user_top(const char **path)
{
    size_t len = strcspn(*path, "\\"), suffix = strlen(SUFFIX);
    bool classes = len > suffix && !strncasecmp(*path + len - suffix, SUFFIX, suffix);

    if (!len)
        return NULL;
    if (!is_user(*path, len))
        return USERS;
    *path += len + ((*path)[len] != '\0');
    return classes ? CLASSES : USER;
}

static const char *top_of(enum registry_hive hive, const char **path)
{
    if (take(path, "REGISTRY"))
        return take(path, "MACHINE") ? MACHINE : take(path, "USER") ? user_top(path) : NULL;
    if (hive == REGISTRY_MACHINE) {
        bool any = **path;
        (void)take(path, "Software"); /* some have it, too */
        return any ? SOFTWARE : NULL;
    }
    return hive == REGISTRY_USER ? USER : CLASSES;
}

int registry_path(enum registry_hive hive, const char *path, char **out)
{
    const char *top = top_of(hive, &path);

    *out = NULL;
    return !top || asprintf(out, "%s%s%s", top, *path ? "\\" : "", path) >= 0 ? 0 : -ENOMEM;
}
