/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a location to a served mount. See mount_common.h; the options are in mount_setup.c. */
#include "config.h"

#include "tools/mount_common.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fetch/delivery.h"
#include "fetch/source_streams.h"
#include "src/launch_list.h"
#include "src/log.h"
#include "tools/mount_overlay.h"
#include "tools/read_file.h"

struct mount_work {
    struct mount_setup *setup;
    struct daemon *daemon;
    struct delivery delivery;
    struct mount_overlay overlay;
    char *mountpoint, *fsname;
};

int mount_point_path(const char *path, char **out, struct err *e)
{
    auto_free char *copy = strdup(path), *parent = NULL;
    const char *last;
    char *slash;
    size_t len;

    if (!copy)
        return err_nomem(e);
    for (len = strlen(copy); len > 1 && copy[len - 1] == '/';)
        copy[--len] = '\0';
    slash = strrchr(copy, '/');
    last = slash ? slash + 1 : copy;
    *out = NULL;
    if (!mount_is_ours(path)) {
        *out = realpath(copy, NULL); /* also follows a link that leads to the mount point */
        if (*out)
            return 0;
        if (errno != ENOTCONN)
            return err_sys(e, "mount point %s", path);
    }
    if (!*last || !strcmp(last, ".") || !strcmp(last, "..")) {
        *out = realpath(copy, NULL);
        return *out ? 0 : err_sys(e, "mount point %s", path);
    }
    if (slash && slash != copy)
        *slash = '\0';
    parent = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
    if (!parent)
        return err_sys(e, "mount point %s", path);
    if (asprintf(out, "%s/%s", strcmp(parent, "/") ? parent : "", last) < 0) {
        *out = NULL;
        return err_nomem(e);
    }
    return 0;
}

/* What mount(8) and df show: the file's absolute path, or the URL without credentials. */
static char *shown_source(const struct source *source, const char *location)
{
    const char *name = source_name(source);
    char *path = realpath(name, NULL);

    if (!path)
        path = realpath(location, NULL);
    return path ? path : strdup(name);
}

/* The mount is usable; nobody waits for this. */
static void start_loading(struct mount_work *w)
{
    enum loader_goal goal = w->setup->delivery.autoload;
    struct err e;

    if (w->delivery.cache == NULL && goal == LOADER_ALL) {
        log_warning("load", "autoload=all needs a disk cache; only the launch set is loaded");
        goal = LOADER_LAUNCH;
    }
    if (engine_is_immediate(w->delivery.engine))
        return; /* it is all here */
    if (loader_set_goal(w->delivery.loader, goal, &e))
        log_warning("load", "%s; error=%s", e.text, err_kind_name(e.kind));
}

static void ready(void *arg)
{
    struct mount_work *w = arg;

    daemon_ready(w->daemon, w->setup->announcement ? w->setup->announcement : "");
    log_info("mount", "%s: mounted source=%s", w->mountpoint, w->fsname);
    start_loading(w);
}

/* A mount whose daemon died only stands in the way. */
static int clear_dead_mount(const char *mountpoint, struct err *e)
{
    return mount_is_dead(mountpoint) ? mount_unmount(mountpoint, true, e) : 0;
}

static int open_delivery(struct mount_work *w, struct err *e)
{
    const struct mount_setup *s = w->setup;
    const struct delivery_options o = {
        .locations = s->locations,
        .location_count = s->location_count,
        .connection = &s->connection,
        .offline = s->offline,
        .no_cache = s->delivery.no_cache,
        .cache = {
            .dir = s->delivery.cache_dir,
            .quota_bytes = s->delivery.cache_quota,
            .free_percent = s->delivery.cache_free,
        },
        .package_guid = s->package_guid,
    };

    return delivery_open(&o, &w->delivery, e);
}

/* The runs of blocks that the user's own launch list means; caller frees *runs. */
static int read_launch_list(const struct mount_work *w, struct block_run **runs, size_t *count,
                            struct err *e)
{
    const char *path = w->setup->launch_list;
    struct launch_list_notes notes;
    auto_free char *text = NULL;
    size_t len;
    int rc = read_whole_file(path, LAUNCH_LIST_MAX, &text, &len, e);

    if (rc) {
        err_wrap(e, "launch_list");
        return rc;
    }
    rc = launch_list_read(text, len, w->delivery.package, runs, count, &notes, e);
    if (rc) {
        err_wrap(e, "launch_list %s", path);
        return rc;
    }
    if (notes.other_package)
        report_note(&w->setup->report, "%s was recorded with another package", path);
    if (notes.unknown)
        report_note(&w->setup->report, "%s: %zu of %zu lines name nothing in this package: %s%s", path,
                    notes.unknown, notes.items, notes.first_unknown,
                    notes.unknown > 1 ? ", ..." : "");
    return 0;
}

static int start_delivery(struct mount_work *w, struct err *e)
{
    static const struct block_run none = { 0, 0 };
    const struct mount_setup *s = w->setup;
    auto_free struct block_run *runs = NULL;
    struct loader_options loader = { .metered = s->delivery.metered };
    struct engine_options engine = s->engine;

    if (s->launch_list) {
        int rc = read_launch_list(w, &runs, &loader.launch_run_count, e);
        if (rc)
            return rc;
        loader.launch_runs = runs ? runs : &none;
    }
    engine.readahead = s->delivery.ahead;
    return delivery_start(&w->delivery, &engine, &loader, e);
}

static int prepare(struct mount_work *w, const char *location, const char *mountpoint,
                   mount_check_fn check, void *arg, struct err *e)
{
    struct mount_setup *s = w->setup;
    int rc;

    rc = open_delivery(w, e);
    if (rc)
        return rc;
    if (mountpoint && (rc = mount_point_path(mountpoint, &w->mountpoint, e)))
        return rc;
    if (check && (rc = check(arg, w->delivery.package, &w->mountpoint, e)))
        return rc;
    rc = clear_dead_mount(w->mountpoint, e);
    if (rc)
        return rc;
    w->fsname = shown_source(w->delivery.source, location);
    if (!w->fsname)
        return err_nomem(e);
    rc = start_delivery(w, e);
    if (rc)
        return rc;
    return mount_overlay_open(s, w->delivery.package, w->delivery.engine, w->fsname, w->mountpoint, &w->overlay, e);
}

enum exitcode mount_serve(struct mount_setup *s, struct daemon *d, const char *location,
                          const char *mountpoint, mount_check_fn check, void *arg)
{
    struct mount_work w = { .setup = s, .daemon = d };
    enum exitcode status = EXITCODE_OK;
    struct err e = { 0 };
    int rc;

    rc = prepare(&w, location, mountpoint, check, arg, &e);
    if (!rc) {
        s->mount.mountpoint = w.mountpoint;
        s->mount.fsname = w.fsname;
        s->mount.fuse_options = s->fuse_options;
        s->mount.source = source_streams_below(w.delivery.source);
        s->mount.cache = w.delivery.cache;
        s->mount.loader = w.delivery.loader;
        rc = mount_run(w.delivery.package, w.delivery.engine, &s->mount, ready, &w, &e);
    }
    mount_overlay_close(&w.overlay);
    if (rc && d->is_ready && !d->foreground) {
        log_error("mount", "%s: %s", w.mountpoint, e.text);
        status = exitcode_of(e.kind);
    } else if (rc) {
        status = report_error(&s->report, location, &e);
    }
    delivery_close(&w.delivery);
    free(w.mountpoint);
    free(w.fsname);
    return status;
}
