/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counting what a conversion loses. See convert_count.h. */
#include "config.h"

#include "tools/convert_count.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fetch/open.h"
#include "src/appx_parts.h"
#include "src/pack_plan.h"
#include "src/zip_write.h"

#define TICKS_PER_SECOND 10000000

/* --- nodes ------------------------------------------------------------------------------------ */

static int64_t rounded(int64_t modified)
{
    return zip_time(zip_time_of(filetime_to_timespec(modified).tv_sec));
}

/* The times that nodes have in an archive: directories that of the newest file in them, or if there is none
 * of all (src/appx_build.c). By number; -ENOMEM is NULL. */
static int64_t *archive_times(const struct package *p)
{
    uint32_t count = package_info(p)->node_count;
    int64_t *times = calloc(count, sizeof *times);

    for (uint32_t i = count; times && i-- > 0;) { /* what is in a directory stands behind it */
        const struct node *n = package_node(p, i);
        if (!sft_is_dir(n))
            times[i] = rounded(n->modified);
        if (i && times[i] > times[n->parent])
            times[n->parent] = times[i];
    }
    for (uint32_t i = 0; times && i < count; i++)
        if (!times[i])
            times[i] = times[NODE_ROOT];
    return times;
}

static void count_times(const struct node *n, int64_t in_archive, uint64_t *lost)
{
    if (n->modified && n->modified != in_archive)
        lost[sft_is_dir(n) ? LOSS_DIRECTORY_TIMES : LOSS_TIMES_ROUNDED]++;
}

static void count_node(const struct package *p, uint32_t index, enum pack_format to, const int64_t *times,
                       uint64_t *lost)
{
    const struct node *n = package_node(p, index);
    lost[LOSS_CREATION_TIMES] += n->created && n->created != n->modified;
    if (to != PACK_SFT)
        count_times(n, times[index], lost);
    lost[LOSS_SECURITY] += n->sd != 0;
    lost[LOSS_FILE_IDS] += (n->flags & NODE_FILE_ID) != 0;
    if (to == PACK_SFT)
        return;
    lost[LOSS_ATTRIBUTES] += (n->flags & (NODE_HIDDEN | NODE_SYSTEM | NODE_READONLY)) != 0;
    lost[LOSS_DATA_KINDS] += (n->flags & (NODE_USER_DATA | NODE_APPLICATION_DATA | NODE_OVERRIDE)) != 0;
    if (to == PACK_MSIX) {
        lost[LOSS_SHORT_NAMES] += n->short_len != 0;
        lost[LOSS_EMPTY_DIRECTORIES] += sft_is_dir(n) && !n->child_count;
    }
}

/* SFT has "CSIDL_PROGRAM_FILES" or "%CSIDL_PROGRAM_FILES%" in its VFS where the others have
 * "ProgramFilesX86": nobody has said which is which for all of them, so they stay. */
static uint64_t count_vfs(const struct pack_package *p, enum pack_format to)
{
    const struct package *package = p->in->package;
    const struct node *top = package_node(package, p->nodes[0]);
    uint64_t n = 0;
    for (uint32_t i = 0; i < top->child_count; i++) {
        uint32_t index = top->first_child + i;
        const struct node *vfs = package_node(package, index);
        if (!sft_is_dir(vfs) || strcasecmp(package_name(package, index), "VFS") != 0)
            continue;
        for (uint32_t k = 0; k < vfs->child_count; k++) {
            const char *name = package_name(package, vfs->first_child + k);
            bool old = !strncasecmp(name, "CSIDL_", 6) || !strncasecmp(name, "%CSIDL_", 7);
            n += old == (to != PACK_SFT);
        }
    }
    return n;
}

/* Files of the payload that an MSIX cannot have, because the container has one of that name. */
static uint64_t count_own_names(const struct pack_package *p)
{
    static const enum appx_part parts[] = { APPX_MANIFEST, APPX_BLOCK_MAP, APPX_SIGNATURE_FILE,
                                            APPX_CONTENT_TYPES, APPX_CODE_INTEGRITY };
    const struct package *package = p->in->package;
    uint64_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const char *name = appx_part_name(parts[i]);
        uint32_t node = p->nodes[0];
        for (size_t len; *name && node != NODE_NONE; name += len + (name[len] == '/')) {
            len = strcspn(name, "/");
            node = package_lookup(package, node, name, len, false);
        }
        n += node != NODE_NONE && !sft_is_dir(package_node(package, node));
    }
    return n;
}

int convert_count(const struct pack_package *p, enum pack_format to, struct losses *l, struct err *e)
{
    const struct package *package = p->in->package;
    const struct package_info *info = package_info(package);
    bool from_sft = !strcmp(info->format, "sft");
    const char *version = package_find_detail(package, "package_version");
    auto_free int64_t *times = archive_times(package);
    if (!times)
        return err_nomem(e);
    for (uint32_t i = 1; i < info->node_count; i++)
        if (p->entries[i] != PACK_NO_RANK)
            count_node(package, i, to, times, l->count);
    if (from_sft || to == PACK_SFT)
        l->count[LOSS_CSIDL] = count_vfs(p, to);
    if (from_sft && info->version_count > 1)
        l->count[LOSS_HISTORY] = info->version_count - 1;
    if (to == PACK_MSIX) {
        l->count[LOSS_PACKAGE_GUID] = 1;
        l->count[LOSS_OWN_NAMES] = count_own_names(p);
        for (uint32_t i = 0; i < info->launch_run_count; i++)
            l->count[LOSS_LAUNCH_SET] += info->launch_runs[i].count;
    }
    if (to == PACK_SFT && version) {
        l->count[LOSS_VERSION] = 1;
        (void)snprintf(l->version, sizeof l->version, "%s", version);
    }
    l->count[LOSS_BUNDLE] = package_find_detail(package, "in_bundle") != NULL;
    const char *signed_before = package_find_detail(package, "has_signature");
    l->count[LOSS_SIGNATURE] = signed_before && !strcmp(signed_before, "yes");
    return 0;
}

/* --- the container ---------------------------------------------------------------------------- */

static bool is_known(const char *path)
{
    static const enum appx_part parts[] = { APPX_MANIFEST, APPX_FILESYSTEM_METADATA,
                                            APPX_STREAM_MAP };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!strcmp(path, appx_part_name(parts[i])))
            return true;
    return false;
}

static void add_file(struct losses *l, const char *path)
{
    size_t used = strlen(l->files);
    l->count[LOSS_CONTAINER_FILES]++;
    if (used + strlen(path) + 3 < sizeof l->files)
        (void)snprintf(l->files + used, sizeof l->files - used, "%s%s", used ? ", " : "", path);
}

int convert_count_container(const char *location, const struct source_options *o, struct losses *l,
                            struct err *e)
{
    struct source_options with = *o;
    struct source *source = NULL;
    struct package *p = NULL;
    with.container.metadata = true;
    int rc = package_open(location, &with, &source, &p, e);
    if (rc)
        return rc;
    bool appv = !strcmp(package_info(p)->format, "appv");
    for (uint32_t i = 1; !rc && i < package_info(p)->node_count; i++) {
        auto_free char *path = package_path(p, i);
        if (!path)
            rc = err_nomem(e);
        else if (!sft_is_dir(package_node(p, i)) && !is_known(path) &&
                 (appv ? strncasecmp(path, "Root/", 5) : !strncasecmp(path, "AppxMetadata/", 13)))
            add_file(l, path);
    }
    package_free(p);
    source_close(source);
    return rc;
}
