/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/manifest.c. */
#include "config.h"

#include "src/manifest.h"
#include "tests/unit.h"

static const char sample[] =
    "<?xml version=\"1.0\" standalone=\"no\"?>\r\n"
    "<PACKAGE GUID=\"22222222-BBBB-4BBB-8BBB-222222222222\" NAME=\"Sample Suite\" "
    "VERSIONGUID=\"44444444-DDDD-4DDD-8DDD-444444444444\"><APPLIST>"
    "<APP NAME=\"Sample Editor\" VERSION=\"2.1\" OSD=\"%SFT_MIME_SOURCE%/Sample Editor.osd\" "
    "ICON=\"%SFT_MIME_SOURCE%/Sample Suite Icons/edit.ico\">"
    "<SHORTCUTLIST><SHORTCUT LOCATION=\"%CSIDL_PROGRAMS%\\Sample\" DISPLAY=\"Sample Editor\"/>"
    "<SHORTCUT LOCATION=\"%CSIDL_DESKTOP%\" OVERRIDDEN=\"TRUE\"/></SHORTCUTLIST>"
    "<FILEASSOCIATIONS><PROGIDLIST/><FILEEXTENSIONLIST><FILEEXTENSION EXT=\"smp\"/>"
    "</FILEEXTENSIONLIST></FILEASSOCIATIONS></APP>"
    "<APP NAME=\"Viewer\" VERSION=\"2.1\" OSD=\"viewer.OSD\"/>"
    "</APPLIST></PACKAGE>";

static struct manifest *read_text(const char *text)
{
    struct err e = { .kind = ERR_NONE };
    struct manifest *m = NULL;
    int rc = manifest_read(text, strlen(text), &m, &e);
    if (rc)
        printf("\n    %.60s: %s", text, e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return m;
}

static void check_refused(const void *data, size_t len, enum err_kind want)
{
    struct err e = { .kind = ERR_NONE };
    struct manifest *m = NULL;
    int rc = manifest_read(data, len, &m, &e);
    if (rc >= 0 || e.kind != want)
        printf("\n    %.60s: wanted %s, got %s", (const char *)data, err_kind_name(want),
               err_kind_name(e.kind));
    CU_ASSERT(rc < 0);
    CU_ASSERT_EQUAL(e.kind, want);
    if (!rc)
        manifest_free(m);
}

static void check_sample(const struct manifest *m)
{
    CU_ASSERT_STRING_EQUAL(m->guid, "22222222-BBBB-4BBB-8BBB-222222222222");
    CU_ASSERT_STRING_EQUAL(m->version_guid, "44444444-DDDD-4DDD-8DDD-444444444444");
    CU_ASSERT_STRING_EQUAL(m->name, "Sample Suite");
    CU_ASSERT_EQUAL_FATAL(m->app_count, 2);
    const struct manifest_app *a = &m->apps[0];
    CU_ASSERT_STRING_EQUAL(a->name, "Sample Editor");
    CU_ASSERT_STRING_EQUAL(a->version, "2.1");
    CU_ASSERT_STRING_EQUAL(a->osd, "%SFT_MIME_SOURCE%/Sample Editor.osd");
    CU_ASSERT_STRING_EQUAL(a->icon, "%SFT_MIME_SOURCE%/Sample Suite Icons/edit.ico");
    CU_ASSERT_EQUAL_FATAL(a->shortcut_count, 2);
    CU_ASSERT_STRING_EQUAL(a->shortcuts[0].location, "%CSIDL_PROGRAMS%\\Sample");
    CU_ASSERT(!a->shortcuts[0].overridden && a->shortcuts[1].overridden);
    CU_ASSERT_EQUAL_FATAL(a->extension_count, 1);
    CU_ASSERT_STRING_EQUAL(a->extensions[0], "smp");
    CU_ASSERT_STRING_EQUAL(m->apps[1].osd, "viewer.OSD");
    CU_ASSERT_STRING_EQUAL(m->apps[1].icon, "");
    CU_ASSERT_EQUAL(m->apps[1].shortcut_count, 0);
}

static void manifest_reads_every_part(void)
{
    struct manifest *m = read_text(sample);
    check_sample(m);
    manifest_free(m);
}

static void manifest_finds_applications_by_any_attribute(void)
{
    struct manifest *m = read_text("<PACKAGE><X><Y><ENTRY name='A' Where='\\\\srv\\s\\a.osd' "
                                   "PIC='a.ICO'/></Y></X><ENTRY NAME='B' SRC=' b.Osd '/>"
                                   "<ENTRY NAME='none' SRC='osd'/><E X=' .osd '/></PACKAGE>");
    CU_ASSERT_EQUAL_FATAL(m->app_count, 2);
    CU_ASSERT_STRING_EQUAL(m->apps[0].name, "A");
    CU_ASSERT_STRING_EQUAL(m->apps[0].osd, "\\\\srv\\s\\a.osd");
    CU_ASSERT_STRING_EQUAL(m->apps[0].icon, "a.ICO");
    CU_ASSERT_STRING_EQUAL(m->apps[1].osd, "b.Osd");
    manifest_free(m);
}

static void manifest_reads_a_publishing_document(void)
{
    struct manifest *m = read_text("<DESKTOPCONFIG><POLICY REPORTING='FALSE'><REFRESH PERIOD='60'/>"
                                   "</POLICY><APPLIST><APP NAME='A' OSD='http://web/a.osd'/>"
                                   "<APP NAME='B' OSD='http://web/b.osd'/></APPLIST>"
                                   "</DESKTOPCONFIG>");
    CU_ASSERT_EQUAL_FATAL(m->app_count, 2);
    CU_ASSERT_STRING_EQUAL(m->apps[1].osd, "http://web/b.osd");
    CU_ASSERT_STRING_EQUAL(m->guid, "");
    manifest_free(m);
}

static void manifest_may_list_nothing(void)
{
    struct manifest *m = read_text("<package guid='x'/>");
    CU_ASSERT_EQUAL(m->app_count, 0);
    CU_ASSERT_STRING_EQUAL(m->guid, "x");
    CU_ASSERT_STRING_EQUAL(m->version_guid, "");
    manifest_free(m);
}

static void manifest_refuses_bad_documents(void)
{
    static const struct {
        const char *text;
        enum err_kind kind;
    } rows[] = {
        { "<SOFTPKG><CODEBASE HREF='x' O='a.osd'/></SOFTPKG>", ERR_XML },
        { "<html><body/></html>", ERR_XML },
        { "<PACKAGE>", ERR_XML },
        { "", ERR_XML },
        { "<PACKAGE><APP OSD='&x;.osd'/></PACKAGE>", ERR_XML_ENTITY },
        { "<!DOCTYPE P [<!ENTITY x 'y'>]><PACKAGE><APP OSD='&x;.osd'/></PACKAGE>", ERR_XML_ENTITY },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_refused(rows[i].text, strlen(rows[i].text), rows[i].kind);
}

static void manifest_refuses_a_document_of_100_megabytes(void)
{
    size_t len = 100u << 20;
    char *big = malloc(len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(big);
    memset(big, ' ', len);
    memcpy(big, sample, sizeof sample - 1);
    check_refused(big, len, ERR_LIMIT);
    free(big);
}

static void manifest_written_and_read_again_is_the_same(void)
{
    struct manifest *first = read_text(sample);
    struct err e;
    char *text = NULL;
    size_t len;
    CU_ASSERT_EQUAL_FATAL(manifest_write(first, &text, &len, &e), 0);
    CU_ASSERT_EQUAL(strlen(text), len);
    struct manifest *second = read_text(text);
    check_sample(second);
    free(text);
    manifest_free(first);
    manifest_free(second);
}

static void manifest_write_refuses_an_application_it_could_not_find_again(void)
{
    static const struct manifest_app app = { .name = "A", .osd = "a.xml" };
    struct err e;
    char *text = NULL;
    size_t len;
    CU_ASSERT(manifest_write(&(struct manifest){ .apps = &app, .app_count = 1 }, &text, &len, &e) <
              0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
}

static void manifest_takes_no_name_for_a_place(void)
{
    struct manifest *m = read_text("<PACKAGE NAME=\"suite.osd\"><APPLIST>"
                                   "<APP NAME=\"b.osd\" VERSION=\"1.osd\" OSD=\"a.osd\"/>"
                                   "<APP PLACE=\"c.osd\" OSD=\"d.osd\"/>"
                                   "<APP NAME=\"e\" PLACE=\"f.osd\"/></APPLIST></PACKAGE>");
    struct manifest *again = NULL;
    struct err e = { .kind = ERR_NONE };
    char *text = NULL;
    size_t len;

    CU_ASSERT_EQUAL_FATAL(manifest_write(m, &text, &len, &e), 0);
    CU_ASSERT_EQUAL_FATAL(manifest_read(text, len, &again, &e), 0);
    for (struct manifest *at = m; at; at = at == m ? again : NULL) {
        CU_ASSERT_STRING_EQUAL(at->name, "suite.osd");
        CU_ASSERT_EQUAL_FATAL(at->app_count, 3);
        CU_ASSERT_STRING_EQUAL(at->apps[0].name, "b.osd");
        CU_ASSERT_STRING_EQUAL(at->apps[0].osd, "a.osd");
        CU_ASSERT_STRING_EQUAL(at->apps[1].osd, "d.osd");
        CU_ASSERT_STRING_EQUAL(at->apps[2].osd, "f.osd");
    }
    manifest_free(again);
    manifest_free(m);
    free(text);
}

UNIT_MAIN("manifest",
          TEST(manifest_takes_no_name_for_a_place),
          TEST(manifest_reads_every_part),
          TEST(manifest_finds_applications_by_any_attribute),
          TEST(manifest_reads_a_publishing_document),
          TEST(manifest_may_list_nothing),
          TEST(manifest_refuses_bad_documents),
          TEST(manifest_refuses_a_document_of_100_megabytes),
          TEST(manifest_written_and_read_again_is_the_same),
          TEST(manifest_write_refuses_an_application_it_could_not_find_again))
