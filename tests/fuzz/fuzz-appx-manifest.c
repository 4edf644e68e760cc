/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: the manifests of packages and of bundles. Every string of what they accept is there.
 */
#include "config.h"

#include <string.h>

#include "src/appx_bundle.h"
#include "src/opc_name.h"
#include "tests/fuzz/fuzz.h"

static void check_identity(const struct appx_identity *i)
{
    FUZZ_CHECK(*i->name && i->publisher && i->version && i->architecture && i->resource_id);
}

static void check_resources(const struct appx_resource *r, size_t count)
{
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(r[i].language && r[i].scale && r[i].dx_level);
}

static void check_associations(const struct appx_association *a, size_t count)
{
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(a[i].name && a[i].type && a[i].mime && a[i].application);
}

static void walk_manifest(const struct appx_manifest *m)
{
    check_identity(&m->identity);
    FUZZ_CHECK(m->package_guid && m->version_guid && m->sequencer_architecture);
    FUZZ_CHECK(m->display_name && m->publisher_display_name && m->description && m->logo);
    FUZZ_CHECK(m->os_min_version && m->os_max_tested && appx_schema_name(m->schema));
    for (size_t i = 0; i < m->application_count; i++) {
        const struct appx_application *a = &m->applications[i];
        FUZZ_CHECK(a->id && a->executable && a->arguments && a->working_dir && a->entry_point);
        FUZZ_CHECK(a->start_page && a->display_name && a->description && a->icon && a->version);
    }
    for (size_t i = 0; i < m->shortcut_count; i++) {
        const struct appx_shortcut *s = &m->shortcuts[i];
        FUZZ_CHECK(s->file && s->target && s->arguments && s->working_dir && s->icon);
        FUZZ_CHECK(s->description && s->application);
    }
    check_associations(m->file_types, m->file_type_count);
    check_associations(m->protocols, m->protocol_count);
    check_associations(m->commands, m->command_count);
    for (size_t i = 0; i < m->capability_count; i++)
        FUZZ_CHECK(m->capabilities[i].name);
    for (size_t i = 0; i < m->dependency_count; i++) {
        const struct appx_dependency *d = &m->dependencies[i];
        FUZZ_CHECK(d->name && d->publisher && d->min_version && d->max_tested);
    }
    check_resources(m->resources, m->resource_count);
}

static void walk_bundle(const struct appx_bundle *b)
{
    check_identity(&b->identity);
    for (size_t i = 0; i < b->package_count; i++) {
        const struct appx_bundle_package *p = &b->packages[i];
        FUZZ_CHECK(!opc_name_check(p->file_name, strlen(p->file_name), NULL));
        FUZZ_CHECK(p->offset <= INT64_MAX && p->size <= INT64_MAX - p->offset);
        FUZZ_CHECK(*p->type && p->version && p->architecture && p->resource_id);
        check_resources(p->resources, p->resource_count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { .kind = ERR_NONE };
    struct appx_manifest *m = NULL;
    struct appx_bundle *b = NULL;
    int rc = appx_manifest_read(data, size, &m, &e);

    FUZZ_CHECK((rc == 0) == (m != NULL) && (rc == 0) == (e.kind == ERR_NONE));
    if (m)
        walk_manifest(m);
    appx_manifest_free(m);
    e.kind = ERR_NONE;
    rc = appx_bundle_read(data, size, &b, &e);
    FUZZ_CHECK((rc == 0) == (b != NULL) && (rc == 0) == (e.kind == ERR_NONE));
    if (b)
        walk_bundle(b);
    appx_bundle_free(b);
    return 0;
}
