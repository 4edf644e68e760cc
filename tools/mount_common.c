/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a location to a served mount. See mount_common.h; the options are in mount_setup.c. */
#include "config.h"

#include "tools/mount_common.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fetch/open.h"
#include "src/log.h"
#include "tools/mount_overlay.h"

struct mount_work {
    struct mount_setup *setup;
    struct daemon *daemon;
    struct source *source;
    struct package *package;
    struct engine *engine;
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

static void ready(void *arg)
{
    struct mount_work *w = arg;

    daemon_ready(w->daemon, w->mountpoint);
    log_info("mount", "%s: mounted source=%s", w->mountpoint, w->fsname);
}

/* A mount whose daemon died only stands in the way. */
static int clear_dead_mount(const char *mountpoint, struct err *e)
{
    return mount_is_dead(mountpoint) ? mount_unmount(mountpoint, true, e) : 0;
}

static int prepare(struct mount_work *w, const char *location, const char *mountpoint,
                   mount_check_fn check, void *arg, struct err *e)
{
    struct mount_setup *s = w->setup;
    int rc;

    rc = package_open(location, &s->connection, &w->source, &w->package, e);
    if (rc)
        return rc;
    if (mountpoint && (rc = mount_point_path(mountpoint, &w->mountpoint, e)))
        return rc;
    if (check && (rc = check(arg, w->package, &w->mountpoint, e)))
        return rc;
    rc = clear_dead_mount(w->mountpoint, e);
    if (rc)
        return rc;
    w->fsname = shown_source(w->source, location);
    if (!w->fsname)
        return err_nomem(e);
    rc = engine_new(w->package, w->source, &s->engine, &w->engine, e);
    if (rc)
        return rc;
    return mount_overlay_open(s, w->package, w->engine, w->fsname, w->mountpoint, &w->overlay, e);
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
        s->mount.source = w.source;
        rc = mount_run(w.package, w.engine, &s->mount, ready, &w, &e);
    }
    mount_overlay_close(&w.overlay);
    if (rc && d->is_ready && !d->foreground) {
        log_error("mount", "%s: %s", w.mountpoint, e.text);
        status = exitcode_of(e.kind);
    } else if (rc) {
        status = report_error(&s->report, location, &e);
    }
    engine_free(w.engine);
    package_free(w.package);
    source_close(w.source);
    free(w.mountpoint);
    free(w.fsname);
    return status;
}
