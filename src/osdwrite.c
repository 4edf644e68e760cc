/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The OSD writer: elements in the order in which the sequencer writes them. See osd.h. */
#include "config.h"

#include "src/osd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/xml.h"

static const char *truth(bool value)
{
    return value ? "TRUE" : "FALSE";
}

static void codebase(struct xml_out *o, unsigned depth, const struct osd_codebase *c,
                     bool secondary)
{
    xml_put_indent(o, depth);
    xml_put(o, "<CODEBASE");
    xml_put_attr(o, "HREF", c->href);
    xml_put_attr_if(o, "GUID", c->guid);
    if (!secondary) {
        xml_put_attr(o, "PARAMETERS", c->parameters);
        xml_put_attr(o, "FILENAME", c->filename);
    }
    xml_put_attr_if(o, "SYSGUARDFILE", c->sysguardfile);
    if (c->size) {
        char digits[24];
        (void)snprintf(digits, sizeof digits, "%" PRIu64, c->size);
        xml_put_attr(o, "SIZE", digits);
    }
    if (secondary)
        xml_put_attr(o, "MANDATORY", truth(c->mandatory));
    xml_put(o, "/>\n");
}

static void virtual_environment(struct xml_out *o, const struct osd *osd)
{
    xml_put_indent(o, 2);
    xml_put(o, "<VIRTUALENV");
    xml_put_attr(o, "TERMINATECHILDREN", truth(osd->terminate_children));
    xml_put(o, ">\n");
    if (osd->policy_count) {
        xml_put_line(o, 3, "<POLICIES>");
        for (size_t i = 0; i < osd->policy_count; i++)
            xml_put_element_if(o, 4, osd->policies[i].name, osd->policies[i].value);
        xml_put_line(o, 3, "</POLICIES>");
    }
    xml_put_line(o, 3, osd->environment_count ? "<ENVLIST>" : "<ENVLIST/>");
    for (size_t i = 0; i < osd->environment_count; i++) {
        xml_put_indent(o, 4);
        xml_put(o, "<ENVIRONMENT");
        xml_put_attr(o, "VARIABLE", osd->environment[i].name);
        xml_put(o, ">");
        xml_put_text(o, osd->environment[i].value);
        xml_put(o, "</ENVIRONMENT>\n");
    }
    if (osd->environment_count)
        xml_put_line(o, 3, "</ENVLIST>");
    if (osd->dependency_count) {
        xml_put_line(o, 3, "<DEPENDENCIES>");
        for (size_t i = 0; i < osd->dependency_count; i++)
            codebase(o, 4, &osd->dependencies[i], true);
        xml_put_line(o, 3, "</DEPENDENCIES>");
    }
    xml_put_line(o, 2, "</VIRTUALENV>");
}

static void implementation(struct xml_out *o, const struct osd *osd)
{
    xml_put_line(o, 1, "<IMPLEMENTATION>");
    codebase(o, 2, &osd->codebase, false);
    virtual_environment(o, osd);
    xml_put_element_if(o, 2, "WORKINGDIR", osd->working_dir);
    if (osd->vm && *osd->vm) {
        xml_put_indent(o, 2);
        xml_put(o, "<VM");
        xml_put_attr(o, "VALUE", osd->vm);
        xml_put(o, ">\n");
        xml_put_indent(o, 3);
        xml_put(o, "<SUBSYSTEM");
        xml_put_attr(o, "VALUE", osd->subsystem && *osd->subsystem ? osd->subsystem : "windows");
        xml_put(o, "/>\n");
        xml_put_line(o, 2, "</VM>");
    }
    for (size_t i = 0; i < osd->os_count; i++) {
        xml_put_indent(o, 2);
        xml_put(o, "<OS");
        xml_put_attr(o, "VALUE", osd->os[i]);
        xml_put(o, "/>\n");
    }
    xml_put_line(o, 1, "</IMPLEMENTATION>");
}

static void script(struct xml_out *o, const struct osd_script *s)
{
    xml_put_indent(o, 2);
    xml_put(o, "<SCRIPT");
    xml_put_attr(o, "EVENT", s->event);
    xml_put_attr(o, "TIMING", s->timing);
    xml_put_attr(o, "PROTECT", truth(s->protect));
    xml_put_attr(o, "WAIT", truth(s->wait));
    xml_put_attr_if(o, "TIMEOUT", s->timeout);
    xml_put(o, ">\n");
    xml_put_element_if(o, 3, "HREF", s->href);
    xml_put_element_if(o, 3, "SCRIPTBODY", s->body);
    xml_put_line(o, 2, "</SCRIPT>");
}

static void dependency(struct xml_out *o, const struct osd *osd)
{
    bool version = osd->client_version && *osd->client_version;

    if (!version && !osd->script_count)
        return;
    xml_put_line(o, 1, "<DEPENDENCY>");
    if (version) {
        xml_put_indent(o, 2);
        xml_put(o, "<CLIENTVERSION");
        xml_put_attr(o, "VERSION", osd->client_version);
        xml_put(o, "/>\n");
    }
    for (size_t i = 0; i < osd->script_count; i++)
        script(o, &osd->scripts[i]);
    xml_put_line(o, 1, "</DEPENDENCY>");
}

void osd_put_file_types(struct xml_out *o, unsigned depth, const char *const *extensions,
                        size_t count)
{
    xml_put_line(o, depth, "<PROGIDLIST/>");
    xml_put_line(o, depth, count ? "<FILEEXTENSIONLIST>" : "<FILEEXTENSIONLIST/>");
    for (size_t i = 0; i < count; i++) {
        xml_put_indent(o, depth + 1);
        xml_put(o, "<FILEEXTENSION");
        xml_put_attr(o, "EXT", extensions[i]);
        xml_put(o, "/>\n");
    }
    if (count)
        xml_put_line(o, depth, "</FILEEXTENSIONLIST>");
}

static void publishing(struct xml_out *o, const struct osd *osd)
{
    xml_put_line(o, 1, osd->shortcut_count ? "<MGMT_SHORTCUTLIST>" : "<MGMT_SHORTCUTLIST/>");
    for (size_t i = 0; i < osd->shortcut_count; i++) {
        const struct osd_shortcut *s = &osd->shortcuts[i];
        xml_put_indent(o, 2);
        xml_put(o, "<SHORTCUT");
        xml_put_attr(o, "LOCATION", s->location);
        xml_put_attr(o, "FILENAME", s->filename);
        xml_put_attr(o, "OVERRIDDEN", truth(s->overridden));
        xml_put_attr(o, "DISPLAY", s->display);
        xml_put_attr(o, "ICON", s->icon);
        xml_put(o, "/>\n");
    }
    if (osd->shortcut_count)
        xml_put_line(o, 1, "</MGMT_SHORTCUTLIST>");

    xml_put_line(o, 1, "<MGMT_FILEASSOCIATIONS>");
    osd_put_file_types(o, 2, osd->extensions, osd->extension_count);
    xml_put_line(o, 1, "</MGMT_FILEASSOCIATIONS>");
}

/* The name of a policy becomes an element name, which cannot be escaped. */
static bool is_element_name(const char *name)
{
    return name && *name && (*name < '0' || *name > '9') &&
           !name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")];
}

int osd_write(const struct osd *osd, char **out, size_t *len, struct err *e)
{
    struct xml_out o = { .text = NULL };

    if (!osd->codebase.href || !*osd->codebase.href)
        return err_set(e, ERR_EMPTY_HREF, "an OSD needs an HREF");
    for (size_t i = 0; i < osd->policy_count; i++)
        if (!is_element_name(osd->policies[i].name))
            return err_set(e, ERR_INVALID, "policy %zu has a name that XML cannot hold", i + 1);

    xml_put(&o, "<?xml version=\"1.0\" standalone=\"no\"?>\n<SOFTPKG");
    xml_put_attr_if(&o, "GUID", osd->guid);
    xml_put_attr(&o, "NAME", osd->name);
    xml_put_attr(&o, "VERSION", osd->version);
    xml_put(&o, ">\n");
    implementation(&o, osd);
    dependency(&o, osd);
    xml_put_indent(&o, 1);
    xml_put(&o, "<PACKAGE");
    xml_put_attr(&o, "NAME", osd->package_name);
    xml_put(&o, "/>\n");
    xml_put_element_if(&o, 1, "TITLE", osd->title);
    xml_put_element_if(&o, 1, "ABSTRACT", osd->abstract);
    publishing(&o, osd);
    xml_put(&o, "</SOFTPKG>\n");
    return xml_finish(&o, out, len, e);
}
