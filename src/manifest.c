/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Manifest reader and writer. The reader makes two walks, one that counts applications and one that
 * fills them in. See manifest.h.
 */
#include "config.h"

#include "src/manifest.h"

#include <string.h>
#include <strings.h>

#include "src/xml.h"

/* Surrounding white space does not count, as it is not kept; the suffix alone is no place. */
static bool ends_in(const char *text, const char *suffix)
{
    text += strspn(text, " \t\r\n");
    size_t n = strlen(text), s = strlen(suffix);
    while (n && strchr(" \t\r\n", text[n - 1]))
        n--;
    return n > s && !strncasecmp(text + n - s, suffix, s);
}

/* The first attribute of NODE whose value ends in SUFFIX; values of one text only, as all are that
 * have no character references. */
static const xmlAttr *attr_ending_in(const xmlNode *node, const char *suffix)
{
    for (const xmlAttr *a = node->properties; a; a = a->next) {
        const xmlNode *last = a->last;
        if (last && last->content && ends_in((const char *)last->content, suffix))
            return a;
    }
    return NULL;
}

/* The place of an application's OSD: the attribute called so, or the first that looks like one. A
 * name or a version is none, whatever it ends in. */
static const xmlAttr *osd_attr(const xmlNode *node)
{
    const xmlAttr *found = NULL;

    for (const xmlAttr *a = node->properties; a; a = a->next) {
        const char *name = (const char *)a->name;
        const xmlNode *last = a->last;
        if (!last || !last->content || !ends_in((const char *)last->content, ".osd"))
            continue;
        if (!strcasecmp(name, "OSD"))
            return a;
        if (!found && strcasecmp(name, "NAME") != 0 && strcasecmp(name, "VERSION") != 0)
            found = a;
    }
    return found;
}

static void *list_below(struct xml_reader *r, const xmlNode *top, const char *name, size_t size)
{
    size_t n = 0;
    for (const xmlNode *at = xml_walk(top, top, false); at; at = xml_walk(top, at, false))
        n += xml_is(at, name);
    void *list = pool_zalloc(r->pool, n, size);
    if (!list)
        r->no_memory = true;
    return list;
}

static void read_shortcuts(struct xml_reader *r, const xmlNode *app, struct manifest_app *out)
{
    struct osd_shortcut *all = list_below(r, app, "SHORTCUT", sizeof *all);
    if (!all)
        return;
    for (const xmlNode *at = xml_walk(app, app, false); at; at = xml_walk(app, at, false))
        if (xml_is(at, "SHORTCUT"))
            all[out->shortcut_count++] = (struct osd_shortcut){
                .location = xml_keep_attr(r, at, "LOCATION"),
                .display = xml_keep_attr(r, at, "DISPLAY"),
                .icon = xml_keep_attr(r, at, "ICON"),
                .filename = xml_keep_attr(r, at, "FILENAME"),
                .overridden = xml_truth(xml_keep_attr(r, at, "OVERRIDDEN")),
            };
    out->shortcuts = all;
}

static void read_extensions(struct xml_reader *r, const xmlNode *app, struct manifest_app *out)
{
    const char **all = list_below(r, app, "FILEEXTENSION", sizeof *all);
    if (!all)
        return;
    for (const xmlNode *at = xml_walk(app, app, false); at; at = xml_walk(app, at, false)) {
        if (!xml_is(at, "FILEEXTENSION"))
            continue;
        const char *ext = xml_keep_attr(r, at, "EXT");
        ext += strspn(ext, ".");
        if (*ext)
            all[out->extension_count++] = ext;
    }
    out->extensions = all;
}

static void read_app(struct xml_reader *r, const xmlNode *node, struct manifest_app *out)
{
    out->name = xml_keep_attr(r, node, "NAME");
    out->version = xml_keep_attr(r, node, "VERSION");
    out->osd = xml_keep(r, xml_attr_value(osd_attr(node), r->pool));
    out->icon = xml_keep_attr(r, node, "ICON");
    if (!*out->icon)
        out->icon = xml_keep(r, xml_attr_value(attr_ending_in(node, ".ico"), r->pool));
    read_shortcuts(r, node, out);
    read_extensions(r, node, out);
}

static int read_document(struct xml_reader *r, const xmlNode *root, struct manifest *m,
                         struct err *e)
{
    size_t count = 0;
    bool is_app;

    for (const xmlNode *at = root; at; at = xml_walk(root, at, is_app))
        count += is_app = osd_attr(at) != NULL;
    if (xml_is(root, "SOFTPKG"))
        return err_set(e, ERR_XML, "not a manifest but an OSD");
    if (!count && !xml_is(root, "PACKAGE") && !xml_is(root, "DESKTOPCONFIG") &&
        !xml_is(root, "APPLIST"))
        return err_set(e, ERR_XML, "not a manifest: root element %.60s, and no OSD is named",
                       (const char *)root->name);

    struct manifest_app *apps = pool_zalloc(r->pool, count, sizeof *apps);
    if (!apps)
        return err_nomem(e);
    for (const xmlNode *at = root; at; at = xml_walk(root, at, is_app)) {
        is_app = osd_attr(at) != NULL;
        if (is_app)
            read_app(r, at, &apps[m->app_count++]);
    }
    m->apps = apps;
    const xmlNode *package = xml_is(root, "PACKAGE") ? root : NULL;
    m->guid = xml_keep_attr(r, package, "GUID");
    m->version_guid = xml_keep_attr(r, package, "VERSIONGUID");
    m->name = xml_keep_attr(r, package, "NAME");
    return r->no_memory ? err_nomem(e) : 0;
}

int manifest_read(const void *data, size_t len, struct manifest **out, struct err *e)
{
    xmlDoc *doc;
    int rc = xml_parse(data, len, &doc, e);
    if (rc) {
        err_wrap(e, "manifest");
        return rc;
    }

    struct xml_reader r = { .pool = pool_new() };
    struct manifest *m = r.pool ? pool_zalloc(r.pool, 1, sizeof *m) : NULL;
    rc = m ? read_document(&r, xmlDocGetRootElement(doc), m, e) : err_nomem(e);
    xmlFreeDoc(doc);
    if (rc) {
        pool_free(r.pool);
        return rc;
    }
    m->storage = r.pool;
    *out = m;
    return 0;
}

void manifest_free(struct manifest *m)
{
    if (m)
        pool_free(m->storage); /* the struct itself lies in it */
}

/* --- writing ------------------------------------------------------------------------------- */

static void put_app(struct xml_out *o, const struct manifest_app *app)
{
    xml_put_indent(o, 2);
    xml_put(o, "<APP");
    xml_put_attr(o, "NAME", app->name);
    xml_put_attr(o, "VERSION", app->version);
    xml_put_attr(o, "OSD", app->osd);
    xml_put_attr_if(o, "ICON", app->icon);
    xml_put(o, ">\n");
    xml_put_line(o, 3, app->shortcut_count ? "<SHORTCUTLIST>" : "<SHORTCUTLIST/>");
    for (size_t i = 0; i < app->shortcut_count; i++) {
        const struct osd_shortcut *s = &app->shortcuts[i];
        xml_put_indent(o, 4);
        xml_put(o, "<SHORTCUT");
        xml_put_attr(o, "LOCATION", s->location);
        xml_put_attr(o, "DISPLAY", s->display);
        xml_put_attr_if(o, "ICON", s->icon);
        xml_put_attr_if(o, "FILENAME", s->filename);
        if (s->overridden)
            xml_put_attr(o, "OVERRIDDEN", "TRUE");
        xml_put(o, "/>\n");
    }
    if (app->shortcut_count)
        xml_put_line(o, 3, "</SHORTCUTLIST>");
    xml_put_line(o, 3, "<FILEASSOCIATIONS>");
    osd_put_file_types(o, 4, app->extensions, app->extension_count);
    xml_put_line(o, 3, "</FILEASSOCIATIONS>");
    xml_put_line(o, 2, "</APP>");
}

int manifest_write(const struct manifest *m, char **out, size_t *len, struct err *e)
{
    struct xml_out o = { .text = NULL };

    for (size_t i = 0; i < m->app_count; i++)
        if (!m->apps[i].osd || !ends_in(m->apps[i].osd, ".osd"))
            return err_set(e, ERR_INVALID, "application %zu: the place of its OSD must end in .osd",
                           i + 1);
    xml_put(&o, "<?xml version=\"1.0\" standalone=\"no\"?>\n<PACKAGE");
    xml_put_attr(&o, "GUID", m->guid);
    xml_put_attr_if(&o, "VERSIONGUID", m->version_guid);
    xml_put_attr(&o, "NAME", m->name);
    xml_put(&o, ">\n");
    xml_put_line(&o, 1, m->app_count ? "<APPLIST>" : "<APPLIST/>");
    for (size_t i = 0; i < m->app_count; i++)
        put_app(&o, &m->apps[i]);
    if (m->app_count)
        xml_put_line(&o, 1, "</APPLIST>");
    xml_put(&o, "</PACKAGE>\n");
    return xml_finish(&o, out, len, e);
}
