/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the commands of `sft overlay` share. See overlay_common.h. */
#include "config.h"

#include "tools/overlay_common.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/text.h"

static const char *const kind_names[DIFF_KIND_COUNT] = {
    [DIFF_ADDED] = "added",     [DIFF_CHANGED] = "changed",       [DIFF_DELETED] = "deleted",
    [DIFF_RENAMED] = "renamed", [DIFF_ATTRIBUTES] = "attributes",
};
static const char kind_letters[DIFF_KIND_COUNT] = {
    [DIFF_ADDED] = 'A',   [DIFF_CHANGED] = 'M',    [DIFF_DELETED] = 'D',
    [DIFF_RENAMED] = 'R', [DIFF_ATTRIBUTES] = 'T',
};

/* The overlay itself in the place of SOURCE is a mistake that is easily made. */
static void note_directory(const struct overlay_run *r)
{
    struct stat st;

    if (!r->place && !stat(r->source, &st) && S_ISDIR(st.st_mode))
        report_note(&r->in.report, "SOURCE is the package; an overlay is named with --overlay=%s",
                    r->source);
}

enum exitcode overlay_locate(struct overlay_run *r)
{
    struct err e = { 0 };

    if (r->source) {
        enum exitcode status = sft_open(&r->in, r->source);

        if (status != EXITCODE_OK) {
            note_directory(r);
            return status;
        }
    }
    if (r->place) {
        r->dir = strdup(r->place);
        if (r->dir)
            return EXITCODE_OK;
        (void)err_nomem(&e);
    } else if (!overlay_default_path(&package_info(r->in.package)->package_guid, &r->dir, &e)) {
        return EXITCODE_OK;
    }
    return report_error(&r->in.report, r->source, &e);
}

enum exitcode overlay_open_store(struct overlay_run *r, enum overlay_access access)
{
    const struct guid *want = r->in.package ? &package_info(r->in.package)->package_guid : NULL;
    struct err e = { 0 };
    struct guid guid;

    /* First to look: opening for writing would make one that is not there. */
    if (overlay_store_open(r->dir, OVERLAY_READ, want, NULL, &r->store, &e)) {
        if (e.kind == ERR_NOT_FOUND)
            (void)err_set(&e, ERR_NOT_FOUND, "there is no overlay here");
        return report_error(&r->in.report, e.kind == ERR_GUID_MISMATCH ? NULL : r->dir, &e);
    }
    if (access == OVERLAY_WRITE) {
        guid = r->store->package_guid;
        overlay_store_close(r->store);
        r->store = NULL;
        if (overlay_store_open(r->dir, OVERLAY_WRITE, &guid, NULL, &r->store, &e)) /* names it */
            return report_error(&r->in.report, e.kind == ERR_BUSY ? NULL : r->dir, &e);
    }
    free(r->recorded);
    r->recorded = strdup(r->store->source ? r->store->source : "");
    if (!r->recorded) {
        (void)err_nomem(&e);
        return report_error(&r->in.report, r->dir, &e);
    }
    return EXITCODE_OK;
}

enum exitcode overlay_need_package(struct overlay_run *r)
{
    struct err e = { 0 };
    enum exitcode status;

    if (r->in.package)
        return EXITCODE_OK;
    if (!*r->recorded) {
        (void)err_set(&e, ERR_INVALID,
                      "the overlay does not say where its package is; name it as "
                      "SOURCE");
        return report_error(&r->in.report, r->dir, &e);
    }
    status = sft_open(&r->in, r->recorded);
    if (status != EXITCODE_OK) {
        report_note(&r->in.report, "that is where the overlay was last used with; name the package "
                                   "as SOURCE if it is elsewhere");
        return status;
    }
    if (guid_equal(&package_info(r->in.package)->package_guid, &r->store->package_guid))
        return EXITCODE_OK;
    (void)err_set(&e, ERR_GUID_MISMATCH, "another package than that of the overlay %s", r->dir);
    return report_error(&r->in.report, r->recorded, &e);
}

static int step(void *arg, struct err *e)
{
    struct overlay_run *r = arg;

    return interrupt_check(&r->interrupt, e);
}

enum exitcode overlay_compare(struct overlay_run *r)
{
    bool case_sensitive = r->in.package && package_info(r->in.package)->case_sensitive;
    struct err e = { 0 };

    if (upper_read(r->store, case_sensitive, step, r, &r->upper, &e) ||
        diff_new(r->upper, r->in.package, &r->diff, &e))
        return report_error(&r->in.report, r->dir, &e);
    return EXITCODE_OK;
}

void overlay_release(struct overlay_run *r)
{
    diff_free(r->diff);
    upper_free(r->upper);
    overlay_store_close(r->store);
    sft_close(&r->in);
    free(r->dir);
    free(r->recorded);
}

bool overlay_same_version(const struct overlay_run *r)
{
    const struct package_info *info = package_info(r->in.package);

    if (guid_is_zero(&r->store->version_guid) ||
        guid_equal(&r->store->version_guid, &info->version_guid))
        return true;
    report_note(&r->in.report,
                "%s: the overlay was last used with version %" PRIu32
                " of the package, and this is version %" PRIu32,
                r->dir, r->store->version_number, info->version_number);
    return false;
}

const char *overlay_type_name(mode_t type)
{
    switch (type) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "directory";
    case S_IFLNK:
        return "symlink";
    case S_IFIFO:
        return "fifo";
    case S_IFSOCK:
        return "socket";
    default:
        return type ? "other" : NULL;
    }
}

void overlay_print_line(const struct diff_change *c, bool long_form)
{
    (void)printf("%c ", kind_letters[c->kind]);
    if (long_form)
        (void)printf("%12" PRIu64 "  ", c->size);
    if (c->from) {
        text_put(stdout, c->from);
        (void)fputs(" -> ", stdout);
    }
    text_put(stdout, c->path);
    (void)puts(c->type == S_IFDIR ? "/" : "");
}

void overlay_json_change(struct json *j, const struct diff_change *c)
{
    json_string(j, "path", c->path);
    json_string(j, "change", kind_names[c->kind]);
    json_string(j, "type", overlay_type_name(c->type));
    json_uint(j, "size", c->size);
    if (c->from)
        json_string(j, "from", c->from);
    if (c->was)
        json_string(j, "replaces", overlay_type_name(c->was));
    if (c->link_of)
        json_string(j, "link_of", c->link_of);
    if (c->odd)
        json_bool(j, "odd", true);
}
