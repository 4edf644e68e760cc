/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The overlay of a mount. See mount_overlay.h. */
#include "config.h"

#include "tools/mount_overlay.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "fetch/open.h"
#include "fs/overlay/upgrade.h"
#include "src/log.h"

/* The real path of what exists of PATH, with the rest as it is. Caller frees. */
static int real_path(const char *path, char **out, struct err *e)
{
    auto_free char *head = strdup(path), *real = NULL;
    char *slash;

    if (!head)
        return err_nomem(e);
    while (!(real = realpath(head, NULL))) {
        slash = strrchr(head, '/');
        if (errno != ENOENT || !slash || slash == head)
            return err_sys(e, "overlay %s", path);
        *slash = '\0';
    }
    /* What is cut off begins with a slash, and so does the root alone. */
    if (asprintf(out, "%s%s", strcmp(real, "/") ? real : "", path + strlen(head)) < 0) {
        *out = NULL;
        return err_nomem(e);
    }
    return 0;
}

static bool is_inside(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    while (len && dir[len - 1] == '/')
        len--;
    return !strncmp(path, dir, len) && (path[len] == '/' || !path[len]);
}

/* In the mount of a package, what the kernel asks for the overlay's files would be asked of us. */
static int check_no_mount_of_ours(const char *path, struct err *e)
{
    struct mount_entry *entries;
    size_t count;
    int rc = mount_list(&entries, &count, e);

    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < count; i++)
        if (is_inside(path, entries[i].mountpoint))
            rc = err_set(e, ERR_INVALID,
                         "overlay %s lies in the package mounted at %s; keep it somewhere else",
                         path, entries[i].mountpoint);
    mount_list_free(entries, count);
    return rc;
}

int mount_overlay_check_place(const char *path, const char *mountpoint, struct err *e)
{
    auto_free char *real = NULL;
    int rc = check_no_mount_of_ours(path, e); /* also where a dead one stands in the way */

    if (!rc)
        rc = real_path(path, &real, e);
    if (rc)
        return rc;
    if (is_inside(real, mountpoint))
        return err_set(e, ERR_INVALID,
                       "overlay %s lies in the mount point %s, which would cover it; keep it "
                       "somewhere else",
                       path, mountpoint);
    if (is_inside(mountpoint, real))
        return err_set(e, ERR_INVALID,
                       "mount point %s lies in the overlay %s; mount somewhere else", mountpoint,
                       path);
    return check_no_mount_of_ours(real, e);
}

static int open_store(const struct mount_setup *s, const struct guid *guid, const char *mountpoint,
                      struct overlay_store **out, struct err *e)
{
    auto_free char *path = NULL;
    int rc = 0;

    if (s->overlay == OVERLAY_CHOICE_TEMPORARY) {
        rc = overlay_store_temporary(guid, mountpoint, out, e);
        return rc ? rc : mount_overlay_check_place((*out)->path, mountpoint, e);
    }
    if (s->overlay == OVERLAY_CHOICE_DEFAULT)
        rc = overlay_default_path(guid, &path, e);
    else if (!(path = strdup(s->overlay_dir)))
        rc = err_nomem(e);
    if (!rc)
        rc = mount_overlay_check_place(path, mountpoint, e);
    return rc ? rc : overlay_store_open(path, OVERLAY_WRITE, guid, mountpoint, out, e);
}

/* Somebody who may not write the overlay still sees what is in it. */
static void note_read_only(struct mount_setup *s, const struct overlay_store *store)
{
    const char *why = "it cannot be written";

    if (faccessat(store->dir_fd, "files", W_OK, AT_EACCESS))
        why = strerror(errno);
    report_note(&s->report, "note: mounted read-only, because of the overlay %s: %s", store->path,
                why);
    log_info("mount", "mounted read-only overlay=%s reason=%s", store->path, why);
    s->mount.read_only = true;
}

static bool is_up_to_date(const struct overlay_store *s, const struct package_info *info,
                          const char *source)
{
    return guid_equal(&s->version_guid, &info->version_guid) &&
           s->version_number == info->version_number && s->package_name &&
           !strcmp(s->package_name, info->name) && s->source && !strcmp(s->source, source);
}

/* ---- another version ---- */

/* Reads the package that is mounted and the version before it. */
struct versions {
    const struct mount_setup *setup;
    const struct overlay_store *store;
    const char *source; /* of the package that is mounted */
    struct engine *engine;
    struct source *old_source;
    struct package *old_package;
    struct engine *old_engine;
};

/* Credentials in the environment are for the server that was named; an overlay may be from anybody.
 */
static bool is_at_hand(const char *place, const char *source)
{
    const char *host = strstr(place, "://");
    size_t len;

    if (!host)
        return true;
    len = (size_t)(host + 3 - place) + strcspn(host + 3, "/");
    return !strncmp(place, source, len) && (!source[len] || source[len] == '/');
}

static int open_old(void *arg, const struct package **old, struct err *e)
{
    struct versions *v = arg;
    const char *place = v->setup->old_version;
    int rc;

    if (!place && (!v->store->source || !v->store->source[0]))
        return err_set(e, ERR_NOT_FOUND, "it is not known where that is");
    if (!place && !is_at_hand(v->store->source, v->source))
        return err_set(e, ERR_NOT_FOUND,
                       "that was at %s, on another server, which is not asked "
                       "without being named",
                       v->store->source);
    if (!place)
        place = v->store->source;
    rc = package_open(place, &v->setup->connection, &v->old_source, &v->old_package, e);
    if (!rc)
        rc = engine_new(v->old_package, v->old_source, &v->setup->engine, &v->old_engine, e);
    if (rc && !strstr(e->text, place))
        err_wrap(e, "%s", place);
    if (!rc)
        *old = v->old_package;
    return rc;
}

static long read_old(void *arg, uint32_t file, uint64_t off, void *buf, size_t len, struct err *e)
{
    const struct versions *v = arg;

    return engine_read_file(v->old_engine, file, off, buf, len, e);
}

static long read_new(void *arg, uint32_t file, uint64_t off, void *buf, size_t len, struct err *e)
{
    const struct versions *v = arg;

    return engine_read_file(v->engine, file, off, buf, len, e);
}

static void note_paths(const struct report *r, const char *what, const struct upgrade_paths *p)
{
    for (uint64_t i = 0; i < p->count && i < UPGRADE_PATHS; i++)
        if (p->paths[i])
            report_note(r, "note: %s: %s", what, p->paths[i]);
    if (p->count > UPGRADE_PATHS)
        report_note(r, "note: %s: %llu more", what, (unsigned long long)(p->count - UPGRADE_PATHS));
}

static void note_upgrade(const struct report *r, const struct upgrade_report *u)
{
    if (u->kept || u->followed || u->completed || u->aside.count || u->lost_dirs || u->damaged)
        report_note(r,
                    "note: changes made with version %u of the package are now with version "
                    "%u: %llu file(s) kept, %llu follow the package, %llu completed, %llu put "
                    "aside",
                    u->from, u->to, (unsigned long long)u->kept, (unsigned long long)u->followed,
                    (unsigned long long)u->completed, (unsigned long long)u->aside.count);
    if (u->lost_dirs)
        report_note(r, "note: renamed directories of the package that this version does not have: %llu",
                    (unsigned long long)u->lost_dirs);
    if (u->damaged)
        report_note(r, "note: damaged files in the overlay, left as they are: %llu",
                    (unsigned long long)u->damaged);
    note_paths(r, "the package's file is shown, yours was put aside", &u->aside);
    if (u->aside_dir)
        report_note(r, "note: what was put aside is in %s", u->aside_dir);
}

static void note_stuck(const struct report *r, const struct upgrade_report *u)
{
    note_paths(r, "cannot be carried over", &u->stuck);
    report_note(r,
                "note: say where version %u is with -o old_version=SOURCE, or give these files "
                "up ('sft overlay reset PATH'), or mount version %u again",
                u->from, u->from);
}

static int upgrade(struct mount_setup *s, struct versions *v, struct overlay_store *store,
                   const struct package *package, struct err *e)
{
    const struct upgrade_options o = {
        .source = v->source,
        .case_sensitive = s->mount.case_sensitive,
        .open_old = open_old,
        .read_old = read_old,
        .read_new = read_new,
        .arg = v,
    };
    struct upgrade_report report;
    struct err own = { 0 };
    int rc = overlay_upgrade(store, package, &o, &report, &own);

    if (!rc)
        note_upgrade(&s->report, &report);
    else if (own.kind == ERR_OLD_VERSION)
        note_stuck(&s->report, &report);
    upgrade_report_clear(&report);
    engine_free(v->old_engine);
    package_free(v->old_package);
    source_close(v->old_source);
    if (rc && e)
        *e = own;
    return rc;
}

static int fit_version(struct mount_setup *s, struct overlay_store *store,
                       const struct package *package, struct engine *engine, const char *source,
                       struct err *e)
{
    const struct package_info *info = package_info(package);
    struct versions v = { .setup = s, .store = store, .source = source, .engine = engine };

    if (overlay_upgrade_is_needed(store, package))
        return upgrade(s, &v, store, package, e);
    if (is_up_to_date(store, info, source) || store->access != OVERLAY_WRITE)
        return 0;
    return overlay_store_set_version(store, &info->version_guid, info->version_number, info->name,
                                     source, e);
}

int mount_overlay_open(struct mount_setup *s, const struct package *package, struct engine *engine,
                       const char *source, const char *mountpoint, struct mount_overlay *out,
                       struct err *e)
{
    int rc;

    *out = (struct mount_overlay){ .store = NULL };
    if (s->overlay == OVERLAY_CHOICE_NONE) {
        if (s->read_write)
            report_note(&s->report, "note: mounted read-only in spite of rw; -o overlay lets files "
                                    "be changed and keeps the changes");
        s->mount.read_only = true;
        return 0;
    }
    rc = open_store(s, &package_info(package)->package_guid, mountpoint, &out->store, e);
    if (!rc)
        rc = fit_version(s, out->store, package, engine, source, e);
    if (rc)
        return rc;
    attr_rules_init(&out->rules, package, s->mount.uid, s->mount.gid, s->mount.umask);
    rc = overlay_open(out->store, package, &out->rules, s->mount.case_sensitive, &out->overlay, e);
    if (rc)
        return rc;
    if (out->store->read_only)
        note_read_only(s, out->store);
    s->mount.overlay = out->overlay;
    return 0;
}

void mount_overlay_close(struct mount_overlay *o)
{
    overlay_close(o->overlay);
    overlay_store_close(o->store);
    o->overlay = NULL;
    o->store = NULL;
}
