/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The package manifest writer. MSIX as the documentation of its schema has it; App-V 5 as the manifests
 * in the world do, of which no schema is published. See appx_manifest.h.
 */
#include "config.h"

#include "src/appx_manifest.h"

#include "src/xml.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
#define XMLNS       "http://schemas.microsoft.com/"
#define MSIX        XMLNS "appx/manifest/"

/* The first Windows that all of what is written here works on, and the newest it was written for. */
#define WINDOWS_MIN    "10.0.17763.0"
#define WINDOWS_TESTED "10.0.22621.0"

static const char *either(const char *text, const char *otherwise)
{
    return text && *text ? text : otherwise;
}

static void identity(struct xml_out *o, const struct appx_manifest *m)
{
    xml_put_indent(o, 1);
    xml_put(o, "<Identity");
    xml_put_attr(o, "Name", m->identity.name);
    xml_put_attr(o, "Publisher", m->identity.publisher);
    xml_put_attr(o, "Version", m->identity.version);
    xml_put_attr_if(o, "ProcessorArchitecture", m->identity.architecture);
    xml_put_attr_if(o, "appv:PackageId", m->package_guid);
    xml_put_attr_if(o, "appv:VersionId", m->version_guid);
    xml_put(o, "/>\n");
}

static void resources(struct xml_out *o)
{
    xml_put_line(o, 1, "<Resources>");
    xml_put_line(o, 2, "<Resource Language=\"en-us\"/>");
    xml_put_line(o, 1, "</Resources>");
}

/* --- MSIX ---------------------------------------------------------------------------------- */

static void msix_application(struct xml_out *o, const struct appx_manifest *m,
                             const struct appx_application *a)
{
    xml_put_indent(o, 2);
    xml_put(o, "<Application");
    xml_put_attr(o, "Id", a->id);
    xml_put_attr(o, "Executable", a->executable);
    xml_put_attr(o, "EntryPoint", "Windows.FullTrustApplication");
    xml_put(o, ">\n");
    xml_put_indent(o, 3);
    xml_put(o, "<uap:VisualElements");
    xml_put_attr(o, "DisplayName", a->display_name);
    xml_put_attr(o, "Description", either(a->description, a->display_name));
    xml_put_attr(o, "BackgroundColor", "transparent");
    xml_put_attr(o, "Square150x150Logo", m->logo);
    xml_put_attr(o, "Square44x44Logo", m->logo);
    xml_put(o, "/>\n");
    xml_put_line(o, 2, "</Application>");
}

static void msix(struct xml_out *o, const struct appx_manifest *m)
{
    xml_put(o, "<Package xmlns=\"" MSIX "foundation/windows10\" xmlns:uap=\"" MSIX
               "uap/windows10\" xmlns:rescap=\"" MSIX
               "foundation/windows10/restrictedcapabilities\" IgnorableNamespaces=\"uap rescap\">\n");
    identity(o, m);
    xml_put_line(o, 1, "<Properties>");
    xml_put_element(o, 2, "DisplayName", m->display_name);
    xml_put_element(o, 2, "PublisherDisplayName", m->publisher_display_name);
    xml_put_element_if(o, 2, "Description", m->description);
    xml_put_element(o, 2, "Logo", m->logo);
    xml_put_line(o, 1, "</Properties>");
    resources(o);
    xml_put_line(o, 1, "<Dependencies>");
    xml_put_line(o, 2, "<TargetDeviceFamily Name=\"Windows.Desktop\" MinVersion=\"" WINDOWS_MIN
                       "\" MaxVersionTested=\"" WINDOWS_TESTED "\"/>");
    xml_put_line(o, 1, "</Dependencies>");
    if (m->application_count) {
        xml_put_line(o, 1, "<Capabilities>");
        xml_put_line(o, 2, "<rescap:Capability Name=\"runFullTrust\"/>");
        xml_put_line(o, 1, "</Capabilities>");
        xml_put_line(o, 1, "<Applications>");
        for (size_t i = 0; i < m->application_count; i++)
            msix_application(o, m, &m->applications[i]);
        xml_put_line(o, 1, "</Applications>");
    }
    xml_put(o, "</Package>\n");
}

/* --- App-V --------------------------------------------------------------------------------- */

static void appv_shortcut(struct xml_out *o, const struct appx_shortcut *s)
{
    xml_put_line(o, 2, "<appv:Extension Category=\"AppV.Shortcut\">");
    xml_put_line(o, 3, "<appv:Shortcut>");
    xml_put_element(o, 4, "appv:File", s->file);
    xml_put_element(o, 4, "appv:Target", s->target);
    xml_put_element_if(o, 4, "appv:Icon", s->icon);
    xml_put_element(o, 4, "appv:Arguments", s->arguments);
    xml_put_element(o, 4, "appv:WorkingDirectory", s->working_dir);
    xml_put_element(o, 4, "appv:ShowCommand", "1");
    xml_put_element(o, 4, "appv:ApplicationId", s->application);
    xml_put_line(o, 3, "</appv:Shortcut>");
    xml_put_line(o, 2, "</appv:Extension>");
}

static void appv_application(struct xml_out *o, const struct appx_application *a)
{
    xml_put_indent(o, 2);
    xml_put(o, "<appv:Application");
    xml_put_attr(o, "Id", a->id);
    xml_put_attr(o, "Origin", "Application");
    xml_put(o, ">\n");
    xml_put_element(o, 3, "appv:Target", a->executable);
    xml_put_line(o, 3, "<appv:VisualElements>");
    xml_put_element(o, 4, "appv:Name", a->display_name);
    xml_put_element_if(o, 4, "appv:Icon", a->icon);
    xml_put_element_if(o, 4, "appv:Version", a->version);
    xml_put_line(o, 3, "</appv:VisualElements>");
    xml_put_line(o, 2, "</appv:Application>");
}

static void appv(struct xml_out *o, const struct appx_manifest *m)
{
    xml_put(o, "<Package IgnorableNamespaces=\"appv\" xmlns=\"" XMLNS
               "appx/2010/manifest\" xmlns:appv=\"" XMLNS "appv/2010/manifest\">\n");
    identity(o, m);
    xml_put_line(o, 1, "<Properties>");
    xml_put_element(o, 2, "DisplayName", m->display_name);
    xml_put_element(o, 2, "PublisherDisplayName", m->publisher_display_name);
    xml_put_element(o, 2, "Description", "Reserved");
    xml_put_element(o, 2, "Logo", "Reserved.jpeg");
    xml_put_element(o, 2, "appv:AppVPackageDescription",
            either(m->description, "No description entered"));
    xml_put_line(o, 1, "</Properties>");
    resources(o);
    xml_put_line(o, 1, "<Prerequisites>");
    xml_put_element(o, 2, "OSMinVersion", "6.1");
    xml_put_element(o, 2, "OSMaxVersionTested", "6.1");
    xml_put_indent(o, 2);
    xml_put(o, "<appv:TargetOSes");
    xml_put_attr(o, "SequencingStationProcessorArchitecture", m->sequencer_architecture);
    xml_put(o, "/>\n");
    xml_put_line(o, 1, "</Prerequisites>");
    xml_put_line(o, 1, m->shortcut_count ? "<appv:Extensions>" : "<appv:Extensions/>");
    for (size_t i = 0; i < m->shortcut_count; i++)
        appv_shortcut(o, &m->shortcuts[i]);
    if (m->shortcut_count)
        xml_put_line(o, 1, "</appv:Extensions>");
    xml_put_line(o, 1, m->application_count ? "<appv:Applications>" : "<appv:Applications/>");
    for (size_t i = 0; i < m->application_count; i++)
        appv_application(o, &m->applications[i]);
    if (m->application_count)
        xml_put_line(o, 1, "</appv:Applications>");
    xml_put(o, "</Package>\n");
}

int appx_manifest_write(const struct appx_manifest *m, char **out, size_t *len, struct err *e)
{
    struct xml_out o = { .text = NULL };

    xml_put(&o, DECLARATION);
    if (m->schema == APPX_SCHEMA_APPV)
        appv(&o, m);
    else
        msix(&o, m);
    int rc = xml_finish(&o, out, len, e);
    if (rc)
        err_wrap(e, "AppxManifest.xml");
    return rc;
}
