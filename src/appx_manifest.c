/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The package manifest reader. A list is made of all elements of one name that lie in one of
 * another name, wherever that is; it is counted first, so that it takes exactly one piece of the
 * pool. MSIX says in attributes what App-V says in child elements, hence appx_value(). See
 * appx_manifest.h.
 */
#include "config.h"

#include "src/appx_manifest.h"

#include <string.h>
#include <strings.h>

#include "src/appx_xml.h"

/* Whether NODE belongs into a list. */
typedef bool (*wanted_fn)(const xmlNode *node);

static const xmlNode *next_wanted(const xmlNode *root, const xmlNode *at, wanted_fn wanted)
{
    do
        at = xml_walk(root, at, false);
    while (at && !wanted(at));
    return at;
}

/* A list for all that are wanted, *count of them; NULL when out of memory. */
static void *list_for(struct xml_reader *r, const xmlNode *root, wanted_fn wanted, size_t size,
                      size_t *count)
{
    *count = 0;
    for (const xmlNode *at = root; (at = next_wanted(root, at, wanted));)
        (*count)++;
    void *list = appx_list(r, *count, size);
    if (!list)
        *count = 0;
    return list;
}

static const xmlNode *ancestor(const xmlNode *node, const char *name)
{
    while (node && !xml_is(node, name))
        node = node->parent;
    return node;
}

/* The application that an extension belongs to: MSIX puts it inside, App-V names it. */
static const char *application_of(struct xml_reader *r, const xmlNode *node)
{
    const xmlNode *application = ancestor(node, "Application");
    if (application)
        return xml_keep_attr(r, application, "Id");
    return appx_text(r, xml_find(node, "ApplicationId"));
}

static bool has_space(const xmlNode *node, const char *part)
{
    return node->ns && node->ns->href && strstr((const char *)node->ns->href, part);
}

/* --- lists --------------------------------------------------------------------------------- */

static bool is_application(const xmlNode *node)
{
    return appx_is_in(node, "Application", "Applications");
}

static const char *first_of(const char *a, const char *b)
{
    return *a ? a : b;
}

static void read_applications(struct xml_reader *r, const xmlNode *root, struct appx_manifest *m)
{
    size_t n = 0;
    struct appx_application *a =
        list_for(r, root, is_application, sizeof *a, &m->application_count);

    m->applications = a;
    for (const xmlNode *at = root; a && (at = next_wanted(root, at, is_application)); n++) {
        const xmlNode *visual = xml_child(at, "VisualElements");
        a[n] = (struct appx_application){
            .id = xml_keep_attr(r, at, "Id"),
            .executable = first_of(appx_value(r, at, "Executable"), appx_value(r, at, "Target")),
            .arguments = first_of(appx_value(r, at, "Parameters"), appx_value(r, at, "Arguments")),
            .working_dir = first_of(appx_value(r, at, "CurrentDirectoryPath"),
                                    appx_value(r, at, "WorkingDirectory")),
            .entry_point = xml_keep_attr(r, at, "EntryPoint"),
            .start_page = xml_keep_attr(r, at, "StartPage"),
            .display_name =
                first_of(appx_value(r, visual, "DisplayName"), appx_value(r, visual, "Name")),
            .description = appx_value(r, visual, "Description"),
            .icon = first_of(
                appx_value(r, visual, "Square44x44Logo"),
                first_of(appx_value(r, visual, "SmallLogo"), appx_value(r, visual, "Icon"))),
            .version = appx_value(r, visual, "Version"),
            .hidden = !strcasecmp(xml_keep_attr(r, visual, "AppListEntry"), "none"),
        };
    }
}

static bool is_shortcut(const xmlNode *node)
{
    return appx_is_in(node, "Shortcut", "Extension");
}

static void read_shortcuts(struct xml_reader *r, const xmlNode *root, struct appx_manifest *m)
{
    size_t n = 0;
    struct appx_shortcut *s = list_for(r, root, is_shortcut, sizeof *s, &m->shortcut_count);

    m->shortcuts = s;
    for (const xmlNode *at = root; s && (at = next_wanted(root, at, is_shortcut)); n++)
        s[n] = (struct appx_shortcut){
            .file = appx_value(r, at, "File"),
            .target = appx_value(r, at, "Target"),
            .arguments = appx_value(r, at, "Arguments"),
            .working_dir = appx_value(r, at, "WorkingDirectory"),
            .icon = appx_value(r, at, "Icon"),
            .description = appx_value(r, at, "Description"),
            .application = application_of(r, at),
        };
}

static bool is_association(const xmlNode *node)
{
    return xml_is(node, "FileTypeAssociation");
}

/* <FileTypeAssociation Name="x"><SupportedFileTypes><FileType ContentType="">.txt, or
 * <FileTypeAssociation><FileExtension><Name>.txt; file types stand at other places, too. */
static bool is_file_type(const xmlNode *node)
{
    return appx_is_in(node, "FileExtension", "FileTypeAssociation") ||
           (appx_is_in(node, "FileType", "SupportedFileTypes") &&
            is_association(node->parent->parent));
}

/* Goes by associations, so that each is searched for its application once. */
static void read_file_types(struct xml_reader *r, const xmlNode *root, struct appx_manifest *m)
{
    size_t n = 0;
    struct appx_association *a = list_for(r, root, is_file_type, sizeof *a, &m->file_type_count);

    m->file_types = a;
    for (const xmlNode *in = root; a && (in = next_wanted(root, in, is_association));) {
        const char *application = application_of(r, in), *name = xml_keep_attr(r, in, "Name");
        for (const xmlNode *at = in; (at = next_wanted(in, at, is_file_type));) {
            if (ancestor(at, "FileTypeAssociation") != in)
                continue; /* of one inside this one */
            bool appv = xml_is(at, "FileExtension");
            a[n++] = (struct appx_association){
                .name = appv ? appx_value(r, at, "Name") : appx_text(r, at),
                .type = appv ? appx_value(r, at, "ProgId") : name,
                .mime = appx_value(r, at, "ContentType"),
                .application = application,
            };
        }
    }
}

static bool is_protocol(const xmlNode *node)
{
    return appx_is_in(node, "Protocol", "Extension") ||
           appx_is_in(node, "URLProtocol", "Extension");
}

static bool is_command(const xmlNode *node)
{
    return appx_is_in(node, "ExecutionAlias", "AppExecutionAlias") ||
           appx_is_in(node, "AppPath", "Extension");
}

static const struct appx_association *read_named(struct xml_reader *r, const xmlNode *root,
                                                 wanted_fn wanted, const char *attr, size_t *count)
{
    size_t n = 0;
    struct appx_association *a = list_for(r, root, wanted, sizeof *a, count);

    for (const xmlNode *at = root; a && (at = next_wanted(root, at, wanted)); n++)
        a[n] = (struct appx_association){
            .name = first_of(appx_value(r, at, attr), appx_value(r, at, "Name")),
            .type = appx_value(r, at, "ProgId"),
            .mime = "",
            .application = application_of(r, at),
        };
    return a;
}

static bool is_capability(const xmlNode *node)
{
    return xml_is(node->parent, "Capabilities");
}

static void read_capabilities(struct xml_reader *r, const xmlNode *root, struct appx_manifest *m)
{
    size_t n = 0;
    struct appx_capability *c = list_for(r, root, is_capability, sizeof *c, &m->capability_count);

    m->capabilities = c;
    for (const xmlNode *at = root; c && (at = next_wanted(root, at, is_capability)); n++)
        c[n] = (struct appx_capability){
            .name = xml_keep_attr(r, at, "Name"),
            .restricted = has_space(at, "/restrictedcapabilities"),
            .device = xml_is(at, "DeviceCapability"),
        };
}

static bool is_dependency(const xmlNode *node)
{
    return xml_is(node->parent, "Dependencies");
}

static enum appx_dependency_kind dependency_kind(const xmlNode *node)
{
    if (xml_is(node, "PackageDependency"))
        return APPX_NEEDS_PACKAGE;
    if (xml_is(node, "MainPackageDependency"))
        return APPX_NEEDS_MAIN_PACKAGE;
    return xml_is(node, "TargetDeviceFamily") ? APPX_NEEDS_DEVICE_FAMILY : APPX_NEEDS_OTHER;
}

static void read_dependencies(struct xml_reader *r, const xmlNode *root, struct appx_manifest *m)
{
    size_t n = 0;
    struct appx_dependency *d = list_for(r, root, is_dependency, sizeof *d, &m->dependency_count);

    m->dependencies = d;
    for (const xmlNode *at = root; d && (at = next_wanted(root, at, is_dependency)); n++)
        d[n] = (struct appx_dependency){
            .kind = dependency_kind(at),
            .name = xml_keep_attr(r, at, "Name"),
            .publisher = xml_keep_attr(r, at, "Publisher"),
            .min_version =
                first_of(xml_keep_attr(r, at, "MinVersion"), xml_keep_attr(r, at, "Version")),
            .max_tested = first_of(xml_keep_attr(r, at, "MaxVersionTested"),
                                   xml_keep_attr(r, at, "MaxMajorVersionTested")),
        };
}

/* --- the document -------------------------------------------------------------------------- */

static enum appx_schema schema_of(const xmlNode *root, const struct appx_manifest *m)
{
    if (*m->package_guid || *m->version_guid)
        return APPX_SCHEMA_APPV;
    return has_space(root, "/appx/2010/") || has_space(root, "/appx/2013/") ? APPX_SCHEMA_WINDOWS_8
                                                                            : APPX_SCHEMA_MSIX;
}

static int read_package(struct xml_reader *r, const xmlNode *root, struct appx_manifest *m,
                        struct err *e)
{
    const xmlNode *identity = xml_child(root, "Identity");
    const xmlNode *properties = xml_child(root, "Properties");
    const xmlNode *prerequisites = xml_child(root, "Prerequisites");

    m->identity = appx_read_identity(r, identity);
    if (!*m->identity.name && !r->no_memory)
        return err_set(e, ERR_XML, "line %ld: the package has no Identity with a Name",
                       xmlGetLineNo(identity ? identity : root));
    m->package_guid = xml_keep_attr(r, identity, "PackageId");
    m->version_guid = xml_keep_attr(r, identity, "VersionId");
    m->schema = schema_of(root, m);
    m->sequencer_architecture = xml_keep_attr(r, xml_child(prerequisites, "TargetOSes"),
                                              "SequencingStationProcessorArchitecture");
    m->display_name = appx_value(r, properties, "DisplayName");
    m->publisher_display_name = appx_value(r, properties, "PublisherDisplayName");
    m->description = first_of(appx_value(r, properties, "AppVPackageDescription"),
                              appx_value(r, properties, "Description"));
    m->logo = appx_value(r, properties, "Logo");
    m->os_min_version = appx_value(r, prerequisites, "OSMinVersion");
    m->os_max_tested = appx_value(r, prerequisites, "OSMaxVersionTested");
    m->is_framework = xml_truth(appx_value(r, properties, "Framework"));
    m->is_resource = xml_truth(appx_value(r, properties, "ResourcePackage"));
    m->resources = appx_read_resources(r, root, &m->resource_count);
    read_applications(r, root, m);
    read_shortcuts(r, root, m);
    read_file_types(r, root, m);
    m->protocols = read_named(r, root, is_protocol, "Name", &m->protocol_count);
    m->commands = read_named(r, root, is_command, "Alias", &m->command_count);
    read_capabilities(r, root, m);
    read_dependencies(r, root, m);
    return r->no_memory ? err_nomem(e) : 0;
}

int appx_manifest_read(const void *data, size_t len, struct appx_manifest **out, struct err *e)
{
    xmlDoc *doc;
    int rc = xml_parse(data, len, &doc, e);
    if (rc) {
        err_wrap(e, "package manifest");
        return rc;
    }

    const xmlNode *root = xmlDocGetRootElement(doc);
    struct xml_reader r = { .pool = pool_new() };
    struct appx_manifest *m = r.pool ? pool_zalloc(r.pool, 1, sizeof *m) : NULL;
    if (!m)
        rc = err_nomem(e);
    else if (!xml_is(root, "Package"))
        rc = err_set(e, ERR_XML, "not a package manifest: the root element is %.60s, not Package",
                     (const char *)root->name);
    else
        rc = read_package(&r, root, m, e);
    xmlFreeDoc(doc);
    if (rc) {
        pool_free(r.pool);
        return rc;
    }
    m->storage = r.pool;
    *out = m;
    return 0;
}

void appx_manifest_free(struct appx_manifest *m)
{
    if (m)
        pool_free(m->storage); /* the struct itself lies in it */
}

const char *appx_schema_name(enum appx_schema schema)
{
    static const char *const names[] = { "AppX", "MSIX", "App-V" };
    return names[schema];
}
