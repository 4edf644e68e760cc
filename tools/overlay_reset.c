/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `sft overlay reset`: throws changes away and says which. */
#include "config.h"

#include "fs/overlay/reset.h"

#include <stdio.h>

#include "tools/overlay_common.h"

struct list {
    struct overlay_run *run;
    const struct reset_plan *plan; /* NULL: everything */
    struct json *json;             /* NULL: text */
};

static int list_change(void *arg, const struct diff_change *c, struct err *e)
{
    struct list *l = arg;

    (void)e;
    if (l->plan && !l->plan->remove[c->entry])
        return 0;
    if (!l->json) {
        overlay_print_line(c, false);
        return 0;
    }
    json_object(l->json, NULL);
    overlay_json_change(l->json, c);
    json_close_object(l->json);
    return 0;
}

static int print_list(struct overlay_run *r, const struct reset_plan *plan, struct err *e)
{
    struct json j = json_begin(stdout);
    struct list l = { .run = r, .plan = plan, .json = r->in.report.json ? &j : NULL };
    int rc;

    if (l.json) {
        json_object(&j, NULL);
        json_string(&j, "overlay", r->store->path);
        json_bool(&j, "dry_run", r->dry_run);
        json_array(&j, "reset");
    }
    rc = diff_each(r->diff, list_change, &l, e);
    if (l.json) {
        json_close_array(&j);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
    }
    return rc;
}

static int reset(struct overlay_run *r, struct err *e)
{
    struct reset_plan plan = { 0 };
    int rc = 0;

    if (!r->all)
        rc = reset_plan(r->upper, r->diff, r->paths, r->path_count, &plan, e);
    if (!rc)
        rc = interrupt_check(&r->interrupt, e);
    if (!rc && !r->dry_run)
        rc = r->all ? reset_all(r->store, e) : reset_paths(r->store, r->upper, &plan, e);
    if (!rc)
        rc = print_list(r, r->all ? NULL : &plan, e);
    reset_plan_clear(&plan);
    return rc;
}

enum exitcode overlay_reset(struct overlay_run *r)
{
    enum exitcode status = overlay_open_store(r, r->dry_run ? OVERLAY_READ : OVERLAY_WRITE);
    struct err e = { 0 };

    if (status != EXITCODE_OK)
        return status;
    if (!r->dry_run && r->store->read_only) {
        (void)err_set(&e, ERR_DENIED, "the overlay cannot be written");
        return report_error(&r->in.report, r->dir, &e);
    }
    status = overlay_compare(r);
    if (status != EXITCODE_OK)
        return status;
    return reset(r, &e) ? report_error(&r->in.report, r->dir, &e) : EXITCODE_OK;
}
