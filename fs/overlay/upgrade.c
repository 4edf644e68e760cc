/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another version of the package under an overlay: first what is needed, then doing it. See
 * upgrade.h. */
#include "config.h"

#include "fs/overlay/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fs/overlay/crash_point.h"
#include "fs/overlay/upgrade_step.h"
#include "src/log.h"

#define OVERLAY_LOG "overlay"
#define FLAG        "upgrading" /* in DIR: files/ is between two versions */

static void paths_clear(struct upgrade_paths *p)
{
    for (size_t i = 0; i < UPGRADE_PATHS; i++)
        free(p->paths[i]);
    *p = (struct upgrade_paths){ .count = 0 };
}

void upgrade_report_clear(struct upgrade_report *r)
{
    paths_clear(&r->aside);
    paths_clear(&r->stuck);
    free(r->aside_dir);
    *r = (struct upgrade_report){ .aside_dir = NULL };
}

bool overlay_upgrade_is_needed(const struct overlay_store *s, const struct package *package)
{
    const struct package_info *info = package_info(package);

    if (guid_is_zero(&s->version_guid))
        return false;
    return !guid_equal(&s->version_guid, &info->version_guid) ||
           !faccessat(s->dir_fd, FLAG, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* Opens the old version when an item needs it. *WHY says why it is not to be had. */
static void open_old(struct upgrade_work *w, const struct upgrade_plan *plan, struct err *why)
{
    const struct package_info *info;
    bool wanted = false;

    for (size_t i = 0; i < plan->count; i++)
        wanted |= plan->items[i].need && !plan->items[i].from_new;
    if (!wanted)
        return;
    if (!w->o->open_old)
        (void)err_set(why, ERR_NOT_FOUND, "it is not known where that is");
    else if (!w->o->open_old(w->o->arg, &w->old, why)) {
        info = package_info(w->old);
        if (guid_equal(&info->package_guid, &w->store->package_guid) &&
            guid_equal(&info->version_guid, &w->store->version_guid))
            return;
        (void)err_set(why, ERR_NOT_FOUND, "what is found is version %" PRIu32,
                      info->version_number);
        w->old = NULL;
    }
}

/* Whether every file that must be completed can be. */
static int check_bytes(struct upgrade_work *w, const struct upgrade_plan *plan,
                       const struct err *why, struct err *e)
{
    uint32_t old, from_new;
    int rc;

    for (size_t i = 0; i < plan->count; i++) {
        const struct upgrade_item *item = &plan->items[i];

        if (item->step != STEP_COMPLETE || !item->need)
            continue;
        rc = upgrade_find_bytes(w, item, &old, &from_new, e);
        if (rc)
            return rc;
        if (old == NODE_NONE && from_new == NODE_NONE)
            upgrade_paths_add(&w->report->stuck, item->path);
    }
    if (!w->report->stuck.count)
        return 0;
    return err_set(e, ERR_OLD_VERSION,
                   "the overlay %s has %" PRIu64 " file(s) that were changed in part and need the "
                   "rest from version %" PRIu32 " of the package: %s",
                   w->store->path, w->report->stuck.count, w->report->from,
                   why->text[0] ? why->text : "they do not fit what is found");
}

static int check_space(const struct overlay_store *s, const struct upgrade_plan *plan,
                       struct err *e)
{
    struct statvfs fs;
    uint64_t need = 0, unused;

    for (size_t i = 0; i < plan->count; i++)
        if (add_overflows(need, plan->items[i].need, &need))
            need = UINT64_MAX;
    if (!need || fstatvfs(s->files_fd, &fs))
        return 0;
    if (mul_overflows((uint64_t)fs.f_bavail, (uint64_t)fs.f_frsize, &unused) || need <= unused)
        return 0;
    errno = ENOSPC;
    return err_set(e, ERR_SYSTEM,
                   "the overlay %s needs %" PRIu64
                   " MB to carry changed files over to this version "
                   "of the package; %" PRIu64 " MB are free",
                   s->path, (need >> 20) + 1, unused >> 20);
}

static int set_flag(const struct overlay_store *s, struct err *e)
{
    int fd = openat(s->dir_fd, FLAG,
                    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_sys(e, "%s/" FLAG, s->path);
    (void)fsync(fd);
    (void)close(fd);
    return 0;
}

static int do_all(struct upgrade_work *w, const struct upgrade_plan *plan, struct err *e)
{
    static int (*const steps[STEP_COUNT])(struct upgrade_work *, const struct upgrade_item *,
                                          struct err *) = {
        [STEP_COMPLETE] = upgrade_step_complete, [STEP_FOLLOW] = upgrade_step_follow,
        [STEP_RENAME] = upgrade_step_rename,     [STEP_ASIDE] = upgrade_step_aside,
        [STEP_REVEAL] = upgrade_step_reveal,
    };
    int rc = set_flag(w->store, e);

    CRASH_POINT("upgrade-begun");
    /* Completing changes nothing that shows, and comes first: it is what may fail. */
    for (size_t i = 0; !rc && i < plan->count; i++)
        rc = steps[plan->items[i].step](w, &plan->items[i], e);
    CRASH_POINT("upgrade-files-done");
    return rc;
}

static void log_report(const struct upgrade_work *w)
{
    const struct upgrade_report *r = w->report;

    log_info(OVERLAY_LOG,
             "%s: now with version %" PRIu32 " of the package from=%" PRIu32 " kept=%" PRIu64
             " followed=%" PRIu64 " completed=%" PRIu64 " bytes=%" PRIu64 " aside=%" PRIu64
             " damaged=%" PRIu64,
             w->store->path, r->to, r->from, r->kept, r->followed, r->completed, r->completed_bytes,
             r->aside.count, r->damaged);
}

static int run(struct upgrade_work *w, const struct upgrade_plan *plan, struct err *e)
{
    const struct package_info *info = package_info(w->package);
    struct err why = { 0 };
    int rc;

    if (w->store->access != OVERLAY_WRITE)
        return plan->count ? err_set(e, ERR_DENIED,
                                     "the overlay %s cannot be written, and changes in it are to "
                                     "be carried over from version %" PRIu32 " of the package to "
                                     "%" PRIu32 "; mount it once where it can be",
                                     w->store->path, w->report->from, w->report->to)
                           : 0;
    open_old(w, plan, &why);
    rc = check_bytes(w, plan, &why, e);
    if (!rc)
        rc = check_space(w->store, plan, e);
    if (!rc)
        rc = do_all(w, plan, e);
    if (!rc)
        rc = overlay_store_set_version(w->store, &info->version_guid, info->version_number,
                                       info->name, w->o->source, e);
    CRASH_POINT("upgrade-recorded");
    if (!rc && unlinkat(w->store->dir_fd, FLAG, 0) && errno != ENOENT)
        rc = err_sys(e, "%s/" FLAG, w->store->path);
    if (!rc)
        log_report(w);
    return rc;
}

int overlay_upgrade(struct overlay_store *s, const struct package *package,
                    const struct upgrade_options *o, struct upgrade_report *report, struct err *e)
{
    struct upgrade_work w = {
        .store = s, .package = package, .o = o, .report = report, .aside_fd = -1
    };
    struct upgrade_plan plan;
    int rc;

    *report = (struct upgrade_report){
        .from = s->version_number,
        .to = package_info(package)->version_number,
    };
    rc = upgrade_plan_make(s, package, o->case_sensitive, &plan, report, e);
    if (!rc)
        rc = run(&w, &plan, e);
    upgrade_plan_free(&plan);
    if (w.aside_fd >= 0)
        (void)close(w.aside_fd);
    return rc;
}
