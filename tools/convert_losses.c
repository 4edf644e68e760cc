/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One row for each kind of loss. See convert_losses.h. */
#include "config.h"

#include "tools/convert_losses.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    const char *key, *text;
} rows[LOSS_COUNT] = {
    [LOSS_CREATION_TIMES] = { "creation_times", "creation times, where they differ from those of the last change" },
    [LOSS_TIMES_ROUNDED] = { "times_rounded", "times of files, by up to two seconds or to the year 1980 or 2107" },
    [LOSS_DIRECTORY_TIMES] = { "directory_times", "times of directories" },
    [LOSS_ATTRIBUTES] = { "attributes", "attributes (read-only, hidden, system) of files and directories" },
    [LOSS_DATA_KINDS] = { "data_kinds", "marks of files as User Data, Application Data or Override" },
    [LOSS_SECURITY] = { "security_descriptors", "security descriptors of files and directories" },
    [LOSS_FILE_IDS] = { "file_ids", "file ids" },
    [LOSS_HISTORY] = { "history", "earlier versions in the history" },
    [LOSS_PACKAGE_GUID] = { "package_guid", "package GUID: overlays of the package do not fit the new one" },
    [LOSS_VERSION] = { "version", "version" },
    [LOSS_SHORT_NAMES] = { "short_names", "8.3 names" },
    [LOSS_EMPTY_DIRECTORIES] = { "empty_directories", "directories without files" },
    [LOSS_LAUNCH_SET] = { "launch_set", "blocks of the launch set" },
    [LOSS_CSIDL] = { "vfs_names", "directories of the VFS keep names that the new format calls otherwise" },
    [LOSS_OWN_NAMES] = { "own_names", "files that are called like one of the container's own" },
    [LOSS_SIGNATURE] = { "signature", "signature" },
    [LOSS_BUNDLE] = { "bundle", "bundle, with its other packages" },
    [LOSS_CONTAINER_FILES] = { "container_files", "files of the container beside the payload" },
    [LOSS_PROGRAMS_OUTSIDE] = { "programs_outside", "programs that are not in the package, or beyond the first 256" },
    [LOSS_ARGUMENTS] = { "arguments", "command lines of programs" },
    [LOSS_WORKING_DIRECTORIES] = { "working_directories", "working directories of programs" },
    [LOSS_SHORTCUTS] = { "shortcuts", "shortcuts; each program has one of its name in the start menu" },
    [LOSS_ICONS] = { "icons", "icons" },
    [LOSS_SCRIPTS] = { "scripts", "scripts" },
    [LOSS_ENVIRONMENT] = { "environment", "environment variables" },
    [LOSS_POLICIES] = { "policies", "policies" },
    [LOSS_DEPENDENCIES] = { "dependencies", "dependencies" },
    [LOSS_SYSTEMS] = { "systems", "systems that it was limited to" },
    [LOSS_FILE_TYPES] = { "file_types", "file type associations" },
    [LOSS_PROTOCOLS] = { "protocols", "protocols" },
    [LOSS_COMMANDS] = { "commands", "names of commands" },
    [LOSS_CAPABILITIES] = { "capabilities", "capabilities" },
};

static const char *detail(const struct losses *l, enum loss kind)
{
    return kind == LOSS_VERSION ? l->version : kind == LOSS_CONTAINER_FILES ? l->files : "";
}

static void print_json(const struct losses *l, struct json *j)
{
    json_array(j, "lost");
    for (enum loss k = 0; k < LOSS_COUNT; k++) {
        if (!l->count[k])
            continue;
        json_object(j, NULL);
        json_string(j, "what", rows[k].key);
        json_uint(j, "count", l->count[k]);
        json_string(j, "text", rows[k].text);
        if (*detail(l, k))
            json_string(j, "detail", detail(l, k));
        json_close_object(j);
    }
    json_close_array(j);
}

void losses_print(void *arg, struct json *j)
{
    const struct losses *l = arg;
    bool any = false;

    if (j) {
        print_json(l, j);
        return;
    }
    for (enum loss k = 0; k < LOSS_COUNT; k++) {
        if (!l->count[k])
            continue;
        const char *more = detail(l, k);
        (void)printf("lost: %s (%" PRIu64 "%s%s)\n", rows[k].text, l->count[k], *more ? ": " : "",
                     more);
        any = true;
    }
    if (!any)
        (void)puts("nothing is lost");
}
