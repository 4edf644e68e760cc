/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The OSD reader. An element is looked for where the documentation puts it and, failing that,
 * anywhere below the root. Lists are counted first, so that they take exactly one piece of the
 * pool. See osd.h; the writer is in osdwrite.c.
 */
#include "config.h"

#include "src/osd.h"

#include <stdlib.h>
#include <string.h>

#include "src/xml.h"

static const char *text_of(struct xml_reader *r, const xmlNode *node)
{
    return xml_keep(r, xml_text(node, r->pool));
}

static const xmlNode *child_or_below(const xmlNode *parent, const xmlNode *root, const char *name)
{
    const xmlNode *node = xml_child(parent, name);
    return node ? node : xml_find(root, name);
}

static size_t count_children(const xmlNode *list, const char *name)
{
    size_t n = 0;
    for (const xmlNode *at = xml_child(list, name); at; at = xml_next(at, name))
        n++;
    return n;
}

static void *list_of(struct xml_reader *r, size_t count, size_t size)
{
    void *list = pool_zalloc(r->pool, count, size);
    if (!list)
        r->no_memory = true;
    return list;
}

/* Documentation and tools print backslashes doubled now and then. */
static const char *single_backslashes(struct xml_reader *r, const char *text)
{
    char *copy = pool_strndup(r->pool, text, strlen(text));
    if (!copy)
        return xml_keep(r, NULL);
    char *to = copy;
    for (const char *p = copy; *p; p++)
        if (*p != '\\' || to == copy || to[-1] != '\\')
            *to++ = *p;
    *to = '\0';
    return copy;
}

static uint64_t decimal(const char *text)
{
    char *end;
    if (*text < '0' || *text > '9')
        return 0;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    return errno || *end ? 0 : v;
}

static struct osd_codebase read_codebase(struct xml_reader *r, const xmlNode *node)
{
    return (struct osd_codebase){
        .href = xml_keep_attr(r, node, "HREF"),
        .guid = xml_keep_attr(r, node, "GUID"),
        .parameters = xml_keep_attr(r, node, "PARAMETERS"),
        .filename = xml_keep_attr(r, node, "FILENAME"),
        .sysguardfile = single_backslashes(r, xml_keep_attr(r, node, "SYSGUARDFILE")),
        .size = decimal(xml_keep_attr(r, node, "SIZE")),
        .mandatory = xml_truth(xml_keep_attr(r, node, "MANDATORY")),
    };
}

static void read_dependencies(struct xml_reader *r, const xmlNode *list, struct osd *osd)
{
    size_t n = count_children(list, "CODEBASE");
    struct osd_codebase *all = list_of(r, n, sizeof *all);
    if (!all)
        return;
    for (const xmlNode *at = xml_child(list, "CODEBASE"); at; at = xml_next(at, "CODEBASE"))
        all[osd->dependency_count++] = read_codebase(r, at);
    osd->dependencies = all;
}

static void read_environment(struct xml_reader *r, const xmlNode *list, struct osd *osd)
{
    size_t n = count_children(list, "ENVIRONMENT");
    struct osd_pair *all = list_of(r, n, sizeof *all);
    if (!all)
        return;
    for (const xmlNode *at = xml_child(list, "ENVIRONMENT"); at; at = xml_next(at, "ENVIRONMENT"))
        all[osd->environment_count++] = (struct osd_pair){ .name = xml_keep_attr(r, at, "VARIABLE"),
                                                           .value = text_of(r, at) };
    osd->environment = all;
}

static void read_policies(struct xml_reader *r, const xmlNode *list, struct osd *osd)
{
    struct osd_pair *all = list_of(r, count_children(list, NULL), sizeof *all);
    if (!all)
        return;
    for (const xmlNode *at = xml_child(list, NULL); at; at = xml_next(at, NULL)) {
        const char *name = (const char *)at->name;
        all[osd->policy_count++] =
            (struct osd_pair){ .name = xml_keep(r, pool_strndup(r->pool, name, strlen(name))),
                               .value = text_of(r, at) };
    }
    osd->policies = all;
}

static void read_os(struct xml_reader *r, const xmlNode *implementation, struct osd *osd)
{
    const char **all = list_of(r, count_children(implementation, "OS"), sizeof *all);
    if (!all)
        return;
    for (const xmlNode *at = xml_child(implementation, "OS"); at; at = xml_next(at, "OS")) {
        const char *value = xml_keep_attr(r, at, "VALUE");
        if (*value) /* an empty <OS> restricts nothing */
            all[osd->os_count++] = value;
    }
    osd->os = all;
}

/* Scripts belong into DEPENDENCY, and are reported wherever they are, but not inside one another:
 * the text of the outer one has that of the inner one already. */
static void read_scripts(struct xml_reader *r, const xmlNode *root, struct osd *osd)
{
    size_t n = 0;
    for (const xmlNode *at = root; at; at = xml_walk(root, at, xml_is(at, "SCRIPT")))
        n += xml_is(at, "SCRIPT");
    struct osd_script *all = list_of(r, n, sizeof *all);
    if (!all)
        return;
    for (const xmlNode *at = root; at; at = xml_walk(root, at, xml_is(at, "SCRIPT"))) {
        if (!xml_is(at, "SCRIPT"))
            continue;
        all[osd->script_count++] = (struct osd_script){
            .event = xml_keep_attr(r, at, "EVENT"),
            .timing = xml_keep_attr(r, at, "TIMING"),
            .timeout = xml_keep_attr(r, at, "TIMEOUT"),
            .body = text_of(r, xml_child(at, "SCRIPTBODY")),
            .href = text_of(r, xml_child(at, "HREF")),
            .protect = xml_truth(xml_keep_attr(r, at, "PROTECT")),
            .wait = xml_truth(xml_keep_attr(r, at, "WAIT")),
        };
    }
    osd->scripts = all;
}

static void read_shortcuts(struct xml_reader *r, const xmlNode *list, struct osd *osd)
{
    struct osd_shortcut *all = list_of(r, count_children(list, "SHORTCUT"), sizeof *all);
    if (!all)
        return;
    for (const xmlNode *at = xml_child(list, "SHORTCUT"); at; at = xml_next(at, "SHORTCUT"))
        all[osd->shortcut_count++] = (struct osd_shortcut){
            .location = xml_keep_attr(r, at, "LOCATION"),
            .display = xml_keep_attr(r, at, "DISPLAY"),
            .icon = xml_keep_attr(r, at, "ICON"),
            .filename = xml_keep_attr(r, at, "FILENAME"),
            .overridden = xml_truth(xml_keep_attr(r, at, "OVERRIDDEN")),
        };
    osd->shortcuts = all;
}

static void read_extensions(struct xml_reader *r, const xmlNode *list, struct osd *osd)
{
    const char **all = list_of(r, count_children(list, "FILEEXTENSION"), sizeof *all);
    if (!all)
        return;
    for (const xmlNode *at = xml_child(list, "FILEEXTENSION"); at;
         at = xml_next(at, "FILEEXTENSION")) {
        const char *ext = xml_keep_attr(r, at, "EXT");
        ext += strspn(ext, ".");
        if (*ext)
            all[osd->extension_count++] = ext;
    }
    osd->extensions = all;
}

/* The CODEBASE of the package itself: the first one that is not a dependency's. */
static const xmlNode *find_codebase(const xmlNode *root, const xmlNode *implementation)
{
    const xmlNode *at = xml_child(implementation, "CODEBASE");
    if (at)
        return at;
    for (at = xml_walk(root, root, false); at && !xml_is(at, "CODEBASE");)
        at = xml_walk(root, at, xml_is(at, "DEPENDENCIES"));
    return at;
}

static int read_softpkg(struct xml_reader *r, const xmlNode *root, struct osd *osd, struct err *e)
{
    const xmlNode *impl = xml_child(root, "IMPLEMENTATION");
    const xmlNode *codebase = find_codebase(root, impl);

    if (!codebase)
        return err_set(e, ERR_NO_CODEBASE,
                       "the OSD has no CODEBASE element, which would say where the package is");
    osd->codebase = read_codebase(r, codebase);
    if (!*osd->codebase.href && !r->no_memory)
        return err_set(e, ERR_EMPTY_HREF, "line %ld: CODEBASE has %s HREF", xmlGetLineNo(codebase),
                       xmlHasProp(codebase, (const xmlChar *)"HREF") ? "an empty" : "no");

    const xmlNode *package = xml_child(root, "PACKAGE");
    if (!package)
        package = xml_find(root, "SUITE");
    const xmlNode *env = child_or_below(impl, root, "VIRTUALENV");

    osd->name = xml_keep_attr(r, root, "NAME");
    osd->version = xml_keep_attr(r, root, "VERSION");
    osd->guid = xml_keep_attr(r, root, "GUID");
    osd->working_dir = text_of(r, child_or_below(impl, root, "WORKINGDIR"));
    osd->package_name = xml_keep_attr(r, package, "NAME");
    osd->title = text_of(r, xml_child(root, "TITLE"));
    osd->abstract = text_of(r, xml_child(root, "ABSTRACT"));
    osd->client_version = xml_keep_attr(r, xml_find(root, "CLIENTVERSION"), "VERSION");
    osd->vm = xml_keep_attr(r, child_or_below(impl, root, "VM"), "VALUE");
    osd->subsystem = xml_keep_attr(r, xml_find(root, "SUBSYSTEM"), "VALUE");
    osd->terminate_children = xml_truth(xml_keep_attr(r, env, "TERMINATECHILDREN"));
    read_os(r, impl ? impl : root, osd);
    read_policies(r, child_or_below(env, root, "POLICIES"), osd);
    read_environment(r, child_or_below(env, root, "ENVLIST"), osd);
    read_dependencies(r, child_or_below(env, root, "DEPENDENCIES"), osd);
    read_scripts(r, root, osd);
    read_shortcuts(r, child_or_below(root, root, "MGMT_SHORTCUTLIST"), osd);
    read_extensions(r, xml_find(root, "FILEEXTENSIONLIST"), osd);
    return r->no_memory ? err_nomem(e) : 0;
}

int osd_read(const void *data, size_t len, struct osd **out, struct err *e)
{
    xmlDoc *doc;
    int rc = xml_parse(data, len, &doc, e);
    if (rc) {
        err_wrap(e, "OSD");
        return rc;
    }

    const xmlNode *root = xmlDocGetRootElement(doc);
    struct xml_reader r = { .pool = pool_new() };
    struct osd *osd = r.pool ? pool_zalloc(r.pool, 1, sizeof *osd) : NULL;
    if (!osd)
        rc = err_nomem(e);
    else if (!xml_is(root, "SOFTPKG"))
        rc = err_set(e, ERR_XML, "not an OSD: the root element is %.60s, not SOFTPKG",
                     (const char *)root->name);
    else
        rc = read_softpkg(&r, root, osd, e);
    xmlFreeDoc(doc);
    if (rc) {
        pool_free(r.pool);
        return rc;
    }
    osd->storage = r.pool;
    *out = osd;
    return 0;
}

void osd_free(struct osd *osd)
{
    if (osd)
        pool_free(osd->storage); /* the struct itself lies in it */
}
