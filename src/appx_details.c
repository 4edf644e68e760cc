/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a manifest to the details of a package. See appx_details.h. */
#include "config.h"

#include "src/appx_details.h"

#include "src/appx_build.h"

/* Where the details of one item go. */
struct adding {
    struct package_builder *b;
    const char *list;
    uint32_t item;
    int rc;
    struct err *e;
};

static void add(struct adding *a, const char *key, const char *value)
{
    if (!a->rc)
        a->rc = package_builder_add_detail(a->b, a->list, a->item, key, value, a->e);
}

static void begin(struct adding *a, const char *list, size_t item)
{
    a->list = list;
    a->item = (uint32_t)item;
}

static void add_identity(struct adding *a, const struct appx_manifest *m)
{
    begin(a, "", 0);
    add(a, "kind", appx_schema_name(m->schema));
    add(a, "display_name", m->display_name);
    add(a, "package_version", m->identity.version);
    add(a, "publisher", m->identity.publisher);
    add(a, "publisher_display_name", m->publisher_display_name);
    add(a, "architecture", m->identity.architecture);
    add(a, "resource_id", m->identity.resource_id);
    add(a, "description", m->description);
    add(a, "os_min_version", m->os_min_version);
    add(a, "os_max_tested", m->os_max_tested);
    add(a, "framework", m->is_framework ? "yes" : "");
    add(a, "resource_package", m->is_resource ? "yes" : "");
}

static void add_applications(struct adding *a, const struct appx_manifest *m)
{
    for (size_t i = 0; i < m->application_count; i++) {
        const struct appx_application *app = &m->applications[i];
        begin(a, "applications", i);
        add(a, "id", app->id);
        add(a, "display_name", app->display_name);
        add(a, "executable", app->executable);
        add(a, "arguments", app->arguments);
        add(a, "working_directory", app->working_dir);
        add(a, "entry_point", app->entry_point);
        add(a, "start_page", app->start_page);
        add(a, "version", app->version);
    }
    for (size_t i = 0; i < m->shortcut_count; i++) {
        const struct appx_shortcut *s = &m->shortcuts[i];
        begin(a, "shortcuts", i);
        add(a, "file", s->file);
        add(a, "target", s->target);
        add(a, "arguments", s->arguments);
        add(a, "working_directory", s->working_dir);
        add(a, "application", s->application);
    }
}

static void add_associations(struct adding *a, const char *list,
                             const struct appx_association *of, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        begin(a, list, i);
        add(a, "name", of[i].name);
        add(a, "type", of[i].type);
        add(a, "mime", of[i].mime);
        add(a, "application", of[i].application);
    }
}

static void add_capabilities(struct adding *a, const struct appx_manifest *m)
{
    for (size_t i = 0; i < m->capability_count; i++) {
        const struct appx_capability *c = &m->capabilities[i];
        begin(a, "capabilities", i);
        add(a, "name", c->name);
        add(a, "kind", c->restricted ? "restricted" : c->device ? "device" : "");
    }
}

static void add_dependencies(struct adding *a, const struct appx_manifest *m)
{
    static const char *const kinds[] = {
        [APPX_NEEDS_PACKAGE] = "package",
        [APPX_NEEDS_MAIN_PACKAGE] = "main package",
        [APPX_NEEDS_DEVICE_FAMILY] = "device family",
        [APPX_NEEDS_OTHER] = "other",
    };

    for (size_t i = 0; i < m->dependency_count; i++) {
        const struct appx_dependency *d = &m->dependencies[i];
        begin(a, "dependencies", i);
        add(a, "kind", kinds[d->kind]);
        add(a, "name", d->name);
        add(a, "publisher", d->publisher);
        add(a, "min_version", d->min_version);
        add(a, "max_tested", d->max_tested);
    }
}

/* What the bundle has to offer, by the words that choose it. */
static void add_bundle(struct adding *a, const struct appx_bundle *bundle)
{
    for (size_t i = 0; bundle && i < bundle->package_count; i++) {
        const struct appx_bundle_package *p = &bundle->packages[i];
        begin(a, "bundle_packages", i);
        add(a, "file", p->file_name);
        add(a, "type", p->type);
        add(a, "version", p->version);
        add(a, "architecture", p->architecture);
        add(a, "resource_id", p->resource_id);
    }
}

int appx_details_add(const struct appx_contents *c, struct package_builder *b, struct err *e)
{
    const struct appx_manifest *m = c->manifest;
    struct adding a = { .b = b, .e = e };

    add_identity(&a, m);
    add(&a, "install_root", c->names ? c->names->root : "");
    add(&a, "has_signature", c->has_signature ? "yes" : "no");
    add(&a, "in_bundle", c->bundle ? "yes" : "");
    add(&a, "bundle_package", c->info->part ? c->info->part : "");
    add_applications(&a, m);
    add_associations(&a, "file_types", m->file_types, m->file_type_count);
    add_associations(&a, "protocols", m->protocols, m->protocol_count);
    add_associations(&a, "commands", m->commands, m->command_count);
    add_capabilities(&a, m);
    add_dependencies(&a, m);
    add_bundle(&a, c->bundle);
    return a.rc;
}
