/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/osd.c, osdwrite.c, xml.c and xmlout.c. */
#include "config.h"

#include "src/osd.h"
#include "src/xml.h"
#include "src/xml_text.h"
#include "tests/unit.h"

#define CODEBASE "<CODEBASE HREF='http://web/x.sft'/>"
#define MINIMAL  "<SOFTPKG><IMPLEMENTATION>" CODEBASE "</IMPLEMENTATION></SOFTPKG>"

static const char full_text[] =
    "<?xml version=\"1.0\" standalone=\"no\"?>\r\n"
    "<SOFTPKG GUID=\"11111111-AAAA-4AAA-8AAA-111111111111\" NAME=\"Sample Editor\" VERSION=\"2.1\">"
    "<IMPLEMENTATION>"
    "<CODEBASE SIZE=\"10485760\" HREF=\" rtsp://%SFT_SOFTGRIDSERVER%:554/s/s_3.sft\" "
    "GUID=\"{22222222-BBBB-4BBB-8BBB-222222222222}\" PARAMETERS=\"-x &quot;a &amp; b&quot;\" "
    "FILENAME=\"SAMPLED.V1\\bin\\edit.exe\" SYSGUARDFILE=\"SAMPLED.V1\\\\osguard.cp\"/>"
    "<VIRTUALENV TERMINATECHILDREN=\"TRUE\"><POLICIES>"
    "<LOCAL_INTERACTION_ALLOWED>FALSE</LOCAL_INTERACTION_ALLOWED>"
    "<ENFORCE_ACLS_ON_VREG_MODIFY>TRUE</ENFORCE_ACLS_ON_VREG_MODIFY></POLICIES>"
    "<ENVLIST><ENVIRONMENT VARIABLE=\"HOME\">%SFT_MNT%\\S</ENVIRONMENT>"
    "<ENVIRONMENT VARIABLE=\"EMPTY\"/></ENVLIST>"
    "<DEPENDENCIES><CODEBASE HREF=\"http://web/rt.sft\" GUID=\"3\" MANDATORY=\"TRUE\"/>"
    "<CODEBASE HREF=\"http://web/p.sft\" SIZE=\"17\"/></DEPENDENCIES></VIRTUALENV>"
    "<WORKINGDIR>%SFT_MNT%\\SAMPLED.V1</WORKINGDIR>"
    "<VM VALUE=\"Win32\"><SUBSYSTEM VALUE=\"console\"/></VM>"
    "<OS VALUE=\"WinXP\"/><OS VALUE=\"Win7\"/></IMPLEMENTATION>"
    "<DEPENDENCY><CLIENTVERSION VERSION=\"4.5.0.0\"/>"
    "<SCRIPT EVENT=\"LAUNCH\" TIMING=\"PRE\" PROTECT=\"TRUE\" WAIT=\"FALSE\" TIMEOUT=\"60\">"
    "<SCRIPTBODY LANGUAGE=\"Batch\">echo a &gt; b\\nexit</SCRIPTBODY></SCRIPT>"
    "<SCRIPT EVENT=\"SHUTDOWN\" TIMING=\"POST\"><HREF>x.cmd</HREF></SCRIPT></DEPENDENCY>"
    "<PACKAGE NAME=\"Sample Suite\"/><TITLE>Title</TITLE><ABSTRACT>\n built \n</ABSTRACT>"
    "<MGMT_SHORTCUTLIST><SHORTCUT LOCATION=\"%CSIDL_PROGRAMS%\\Sample\" FILENAME=\"\" "
    "OVERRIDDEN=\"TRUE\" DISPLAY=\"Edit\" ICON=\"%SFT_MIME_SOURCE%/e.ico\"/></MGMT_SHORTCUTLIST>"
    "<MGMT_FILEASSOCIATIONS><PROGIDLIST/><FILEEXTENSIONLIST><FILEEXTENSION EXT=\".smp\"/>"
    "</FILEEXTENSIONLIST></MGMT_FILEASSOCIATIONS></SOFTPKG>";

static struct osd *read_or_fail(const void *data, size_t len)
{
    struct err e = { .kind = ERR_NONE };
    struct osd *osd = NULL;
    int rc = osd_read(data, len, &osd, &e);
    if (rc)
        printf("\n    %.60s: %s", (const char *)data, e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return osd;
}

static struct osd *read_text(const char *text)
{
    return read_or_fail(text, strlen(text));
}

static void check_refused(const void *data, size_t len, enum err_kind want, const char *part)
{
    struct err e = { .kind = ERR_NONE };
    struct osd *osd = NULL;
    int rc = osd_read(data, len, &osd, &e);
    bool same = rc < 0 && e.kind == want && strstr(e.text, part);
    if (!same)
        printf("\n    %.60s\n    wanted %s (%s)\n    got    %s: %s", (const char *)data,
               err_kind_name(want), part, err_kind_name(e.kind), e.text);
    CU_ASSERT(same);
    if (!rc)
        osd_free(osd);
}

static void check_full(const struct osd *o)
{
    CU_ASSERT_STRING_EQUAL(o->name, "Sample Editor");
    CU_ASSERT_STRING_EQUAL(o->version, "2.1");
    CU_ASSERT_STRING_EQUAL(o->guid, "11111111-AAAA-4AAA-8AAA-111111111111");
    CU_ASSERT_STRING_EQUAL(o->codebase.href, "rtsp://%SFT_SOFTGRIDSERVER%:554/s/s_3.sft");
    CU_ASSERT_STRING_EQUAL(o->codebase.guid, "{22222222-BBBB-4BBB-8BBB-222222222222}");
    CU_ASSERT_STRING_EQUAL(o->codebase.parameters, "-x \"a & b\"");
    CU_ASSERT_STRING_EQUAL(o->codebase.filename, "SAMPLED.V1\\bin\\edit.exe");
    CU_ASSERT_STRING_EQUAL(o->codebase.sysguardfile, "SAMPLED.V1\\osguard.cp");
    CU_ASSERT_EQUAL(o->codebase.size, 10485760);
    CU_ASSERT_STRING_EQUAL(o->working_dir, "%SFT_MNT%\\SAMPLED.V1");
    CU_ASSERT_STRING_EQUAL(o->package_name, "Sample Suite");
    CU_ASSERT_STRING_EQUAL(o->title, "Title");
    CU_ASSERT_STRING_EQUAL(o->abstract, "built");
    CU_ASSERT_STRING_EQUAL(o->client_version, "4.5.0.0");
    CU_ASSERT_STRING_EQUAL(o->vm, "Win32");
    CU_ASSERT_STRING_EQUAL(o->subsystem, "console");
    CU_ASSERT(o->terminate_children);
}

static void check_full_lists(const struct osd *o)
{
    CU_ASSERT_EQUAL_FATAL(o->os_count, 2);
    CU_ASSERT_STRING_EQUAL(o->os[0], "WinXP");
    CU_ASSERT_STRING_EQUAL(o->os[1], "Win7");
    CU_ASSERT_EQUAL_FATAL(o->policy_count, 2);
    CU_ASSERT_STRING_EQUAL(o->policies[1].name, "ENFORCE_ACLS_ON_VREG_MODIFY");
    CU_ASSERT_STRING_EQUAL(o->policies[1].value, "TRUE");
    CU_ASSERT_EQUAL_FATAL(o->environment_count, 2);
    CU_ASSERT_STRING_EQUAL(o->environment[0].name, "HOME");
    CU_ASSERT_STRING_EQUAL(o->environment[0].value, "%SFT_MNT%\\S");
    CU_ASSERT_STRING_EQUAL(o->environment[1].value, "");
    CU_ASSERT_EQUAL_FATAL(o->dependency_count, 2);
    CU_ASSERT(o->dependencies[0].mandatory && !o->dependencies[1].mandatory);
    CU_ASSERT_EQUAL(o->dependencies[1].size, 17);
    CU_ASSERT_EQUAL_FATAL(o->script_count, 2);
    CU_ASSERT_STRING_EQUAL(o->scripts[0].event, "LAUNCH");
    CU_ASSERT_STRING_EQUAL(o->scripts[0].timing, "PRE");
    CU_ASSERT_STRING_EQUAL(o->scripts[0].timeout, "60");
    CU_ASSERT_STRING_EQUAL(o->scripts[0].body, "echo a > b\\nexit");
    CU_ASSERT(o->scripts[0].protect && !o->scripts[0].wait);
    CU_ASSERT_STRING_EQUAL(o->scripts[1].href, "x.cmd");
    CU_ASSERT_EQUAL_FATAL(o->shortcut_count, 1);
    CU_ASSERT_STRING_EQUAL(o->shortcuts[0].display, "Edit");
    CU_ASSERT(o->shortcuts[0].overridden);
    CU_ASSERT_EQUAL_FATAL(o->extension_count, 1);
    CU_ASSERT_STRING_EQUAL(o->extensions[0], "smp");
}

/* --- reading ---------------------------------------------------------------------------------- */

static void osd_reads_every_part(void)
{
    struct osd *o = read_text(full_text);
    check_full(o);
    check_full_lists(o);
    osd_free(o);
}

static void osd_needs_nothing_but_a_codebase(void)
{
    struct osd *o = read_text(MINIMAL);
    CU_ASSERT_STRING_EQUAL(o->codebase.href, "http://web/x.sft");
    CU_ASSERT_STRING_EQUAL(o->name, "");
    CU_ASSERT_STRING_EQUAL(o->codebase.guid, "");
    CU_ASSERT_STRING_EQUAL(o->package_name, "");
    CU_ASSERT_STRING_EQUAL(o->subsystem, "");
    CU_ASSERT_EQUAL(o->codebase.size, 0);
    CU_ASSERT_EQUAL(o->os_count + o->script_count + o->shortcut_count + o->policy_count, 0);
    osd_free(o);
}

static void osd_compares_names_without_case(void)
{
    struct osd *o = read_text("<softpkg Name='n'><Implementation><CodeBase href='a.sft'/>"
                              "<os value='Win7'/></Implementation><suite name='s'/></softpkg>");
    CU_ASSERT_STRING_EQUAL(o->name, "n");
    CU_ASSERT_STRING_EQUAL(o->codebase.href, "a.sft");
    CU_ASSERT_EQUAL(o->os_count, 1);
    CU_ASSERT_STRING_EQUAL(o->package_name, "s");
    osd_free(o);
}

static void osd_passes_over_unknown_elements_and_an_empty_os(void)
{
    struct osd *o = read_text("<x:SOFTPKG xmlns:x='urn:x'><NEW><A/></NEW><!-- c --><?pi x?>"
                              "<IMPLEMENTATION><NEW/>" CODEBASE
                              "<OS></OS><OS VALUE=''/><OS VALUE='Win7'><X/></OS></IMPLEMENTATION>"
                              "</x:SOFTPKG>");
    CU_ASSERT_EQUAL_FATAL(o->os_count, 1);
    CU_ASSERT_STRING_EQUAL(o->os[0], "Win7");
    osd_free(o);
}

static void osd_does_not_take_a_dependency_for_the_package(void)
{
    struct osd *o = read_text("<SOFTPKG><VIRTUALENV><DEPENDENCIES><CODEBASE HREF='dep.sft'/>"
                              "</DEPENDENCIES></VIRTUALENV><CODEBASE HREF='own.sft'/></SOFTPKG>");
    CU_ASSERT_STRING_EQUAL(o->codebase.href, "own.sft");
    CU_ASSERT_EQUAL_FATAL(o->dependency_count, 1);
    CU_ASSERT_STRING_EQUAL(o->dependencies[0].href, "dep.sft");
    osd_free(o);
}

static void osd_ignores_a_size_that_is_no_number(void)
{
    static const char *const sizes[] = { "*", "-1", "12x", "", "99999999999999999999999" };
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char text[200];
        (void)snprintf(text, sizeof text, "<SOFTPKG><CODEBASE HREF='x' SIZE='%s'/></SOFTPKG>",
                       sizes[i]);
        struct osd *o = read_text(text);
        CU_ASSERT_EQUAL(o->codebase.size, 0);
        osd_free(o);
    }
}

static size_t put_unit(uint8_t *out, unsigned unit, bool big)
{
    out[!big] = (uint8_t)(unit >> 8);
    out[big] = (uint8_t)unit;
    return 2;
}

/* UTF-16 of Latin-1 TEXT. */
static size_t widen(const char *text, bool big, bool bom, uint8_t *out)
{
    size_t n = bom ? put_unit(out, 0xfeff, big) : 0;
    for (; *text; text++)
        n += put_unit(out + n, (uint8_t)*text, big);
    return n;
}

static void osd_reads_utf16_of_either_order(void)
{
    static const char text[] = "<?xml version='1.0' encoding='utf-16'?>\r\n<SOFTPKG NAME='Caf\xe9'>"
                               CODEBASE "</SOFTPKG>";
    uint8_t wide[2 * sizeof text];
    for (int variant = 0; variant < 4; variant++) {
        size_t n = widen(text, variant & 1, variant & 2, wide);
        struct osd *o = read_or_fail(wide, n);
        CU_ASSERT_STRING_EQUAL(o->name, "Caf\xc3\xa9");
        osd_free(o);
    }
}

static void osd_reads_other_encodings(void)
{
    static const char *const texts[] = {
        "\xef\xbb\xbf<SOFTPKG NAME='Caf\xc3\xa9'>" CODEBASE "</SOFTPKG>",
        "<?xml version='1.0' encoding='UTF-8'?><SOFTPKG NAME='Caf\xc3\xa9'>" CODEBASE "</SOFTPKG>",
        "<?xml version='1.0' encoding='utf-16'?><SOFTPKG NAME='Caf\xc3\xa9'>" CODEBASE "</SOFTPKG>",
        "<?xml version='1.0' encoding='windows-1252'?><SOFTPKG NAME='Caf\xe9'>" CODEBASE
        "</SOFTPKG>",
        "<?xml version='1.0' encoding=\"ISO-8859-1\"?><SOFTPKG NAME='Caf\xe9'>" CODEBASE
        "</SOFTPKG>",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct osd *o = read_text(texts[i]);
        CU_ASSERT_STRING_EQUAL(o->name, "Caf\xc3\xa9");
        osd_free(o);
    }
}

/* --- refusing --------------------------------------------------------------------------------- */

static void osd_refuses_bad_documents(void)
{
    static const struct {
        const char *text;
        enum err_kind kind;
        const char *part;
    } rows[] = {
        { "<SOFTPKG NAME='x'/>", ERR_NO_CODEBASE, "CODEBASE" },
        { "<SOFTPKG><DEPENDENCIES>" CODEBASE "</DEPENDENCIES></SOFTPKG>", ERR_NO_CODEBASE, "" },
        { "<SOFTPKG>\n<CODEBASE GUID='x'/></SOFTPKG>", ERR_EMPTY_HREF, "line 2" },
        { "<SOFTPKG><CODEBASE HREF=''/></SOFTPKG>", ERR_EMPTY_HREF, "empty" },
        { "<SOFTPKG><CODEBASE HREF=' \t'/></SOFTPKG>", ERR_EMPTY_HREF, "" },
        { "<PACKAGE/>", ERR_XML, "SOFTPKG" },
        { "<SOFTPKG>\n<CODEBASE HREF='x'>\n</SOFTPKG>", ERR_XML, "line 3" },
        { "<SOFTPKG><CODEBASE HREF='x' HREF='y'/></SOFTPKG>", ERR_XML, "line 1" },
        { "<SOFTPKG><CODEBASE HREF=x/></SOFTPKG>", ERR_XML, "" },
        { "not a document", ERR_XML, "" },
        { " ", ERR_XML, "" },
        { MINIMAL MINIMAL, ERR_XML, "" },
        { "<SOFTPKG NAME='\xff'>" CODEBASE "</SOFTPKG>", ERR_XML, "" },
        { "<SOFTPKG NAME='&#0;'>" CODEBASE "</SOFTPKG>", ERR_XML, "" },
        { "<SOFTPKG NAME='\x01'>" CODEBASE "</SOFTPKG>", ERR_XML, "" },
        { "<?xml version='1.0' encoding='UTF-7'?>" MINIMAL, ERR_UNSUPPORTED, "UTF-7" },
        { "<?xml version='1.0' encoding='IBM037'?>" MINIMAL, ERR_UNSUPPORTED, "IBM037" },
        { "<SOFTPKG NAME='&nbsp;'>" CODEBASE "</SOFTPKG>", ERR_XML_ENTITY, "nbsp" },
        { "<?xml version='1.0' standalone='no'?><SOFTPKG><X>&x;</X>" CODEBASE "</SOFTPKG>",
          ERR_XML_ENTITY, "" },
        { "<!DOCTYPE SOFTPKG>" MINIMAL, ERR_XML_ENTITY, "line 1" },
        { "<!DOCTYPE SOFTPKG SYSTEM 'file:///etc/passwd'>" MINIMAL, ERR_XML_ENTITY, "" },
        { "\n<!DOCTYPE S [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><SOFTPKG NAME='n'><A>&x;</A>"
          CODEBASE "</SOFTPKG>", ERR_XML_ENTITY, "line 2" },
        { "<!DOCTYPE S [<!ENTITY % p SYSTEM 'http://127.0.0.1:9/x.dtd'> %p;]>" MINIMAL,
          ERR_XML_ENTITY, "" },
        { "<!DOCTYPE S [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
          "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;&c;'>"
          "<!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;'><!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;&e;'>"
          "]><SOFTPKG NAME='&f;'><A>&f;&f;&f;</A>" CODEBASE "</SOFTPKG>", ERR_XML_ENTITY, "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_refused(rows[i].text, strlen(rows[i].text), rows[i].kind, rows[i].part);
    check_refused("", 0, ERR_XML, "empty");
    check_refused(MINIMAL "\0", sizeof MINIMAL, ERR_XML, "");
}

static void osd_refuses_a_document_cut_anywhere(void)
{
    for (size_t n = 0; n < sizeof full_text - 1; n++) {
        struct err e = { .kind = ERR_NONE };
        struct osd *osd = NULL;
        char *exact = malloc(n ? n : 1); /* so that a checker sees a read past the end */
        CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
        memcpy(exact, full_text, n);
        CU_ASSERT(osd_read(exact, n, &osd, &e) < 0);
        CU_ASSERT_EQUAL(e.kind, ERR_XML);
        free(exact);
    }
}

static void osd_refuses_broken_utf16(void)
{
    static const char lone_low[] = "\xff\xfe<\0S\0>\0\x00\xdc";
    static const char lone_high[] = "\xff\xfe<\0S\0>\0\x00\xd8<\0";
    static const char high_at_end[] = "\xff\xfe<\0S\0>\0\x00\xd8";
    check_refused(lone_low, sizeof lone_low - 1, ERR_XML, "surrogate");
    check_refused(lone_high, sizeof lone_high - 1, ERR_XML, "surrogate");
    check_refused(high_at_end, sizeof high_at_end - 1, ERR_XML, "surrogate");
    check_refused("\xff\xfe<", 3, ERR_XML, "UTF-16");
    check_refused("\xff\xfe", 2, ERR_XML, "");
    check_refused("\xff\xfe\0\0<\0\0\0", 8, ERR_UNSUPPORTED, "UTF-32");
}

static void osd_refuses_a_document_of_100_megabytes(void)
{
    size_t len = 100u << 20;
    char *big = malloc(len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(big);
    memset(big, ' ', len);
    memcpy(big, MINIMAL, sizeof MINIMAL - 1);
    check_refused(big, len, ERR_LIMIT, "104857600");
    free(big);
}

static char *repeated(const char *head, const char *unit, size_t count, const char *tail)
{
    size_t h = strlen(head), u = strlen(unit);
    char *text = malloc(h + u * count + strlen(tail) + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memcpy(text, head, h);
    for (size_t i = 0; i < count; i++)
        memcpy(text + h + i * u, unit, u);
    strcpy(text + h + u * count, tail);
    return text;
}

static void osd_refuses_deep_nesting_and_too_many_elements(void)
{
    char *deep = repeated("<SOFTPKG>", "<A>", 300, "");
    check_refused(deep, strlen(deep), ERR_LIMIT, "nested");
    free(deep);
    char *many = repeated("<SOFTPKG>" CODEBASE, "<A/>", XML_ELEMENTS_MAX, "</SOFTPKG>");
    check_refused(many, strlen(many), ERR_LIMIT, "elements");
    free(many);
}

static void osd_refuses_too_many_attributes_before_parsing(void)
{
    char *many = repeated("<SOFTPKG", " a='b'", XML_TAG_ATTR_MAX + 1, ">" CODEBASE "</SOFTPKG>");
    check_refused(many, strlen(many), ERR_LIMIT, "attributes");
    free(many);
    many = repeated("<SOFTPKG x='>'", " xmlns:a \t= 'b'", XML_TAG_ATTR_MAX, "/>");
    check_refused(many, strlen(many), ERR_LIMIT, "attributes");
    free(many);
}

static void osd_reads_a_document_of_the_largest_size(void)
{
    size_t fill = XML_BYTES_MAX - sizeof "<SOFTPKG>" CODEBASE "<A></A></SOFTPKG>" + 1;
    char *big = repeated("<SOFTPKG>" CODEBASE "<A>", "x", fill, "</A></SOFTPKG>");
    CU_ASSERT_EQUAL(strlen(big), XML_BYTES_MAX);
    osd_free(read_text(big));
    free(big);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void osd_written_and_read_again_is_the_same(void)
{
    struct osd *first = read_text(full_text);
    struct err e;
    char *text = NULL, *again = NULL;
    size_t len, again_len;
    CU_ASSERT_EQUAL_FATAL(osd_write(first, &text, &len, &e), 0);
    CU_ASSERT_EQUAL(strlen(text), len);
    struct osd *second = read_text(text);
    check_full(second);
    check_full_lists(second);
    CU_ASSERT_EQUAL_FATAL(osd_write(second, &again, &again_len, &e), 0);
    CU_ASSERT_STRING_EQUAL(text, again);
    free(text);
    free(again);
    osd_free(first);
    osd_free(second);
}

static void osd_write_escapes_what_must_be(void)
{
    struct err e;
    char *text = NULL;
    size_t len;
    static const struct osd_pair env[] = { { "A", "<&>]]>\r\n\"" } };
    struct osd osd = { .name = "<\"A\" & 'B'>\t\xc3\xa9\xf0\x9f\x92\xbe",
                       .codebase = { .href = "http://web/x.sft?a=b&c=d", .size = UINT64_MAX },
                       .environment = env,
                       .environment_count = 1 };
    CU_ASSERT_EQUAL_FATAL(osd_write(&osd, &text, &len, &e), 0);
    struct osd *back = read_text(text);
    CU_ASSERT_STRING_EQUAL(back->name, osd.name);
    CU_ASSERT_STRING_EQUAL(back->codebase.href, osd.codebase.href);
    CU_ASSERT_EQUAL(back->codebase.size, UINT64_MAX);
    CU_ASSERT_STRING_EQUAL(back->environment[0].value, "<&>]]>\r\n\"");
    free(text);
    osd_free(back);
}

static void osd_write_refuses_what_xml_cannot_hold(void)
{
    static const char *const bad[] = { "\x01", "\xff", "\xc3", "\xed\xa0\x80", "\xef\xbf\xbf" };
    struct err e;
    char *text = NULL;
    size_t len;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct osd osd = { .name = bad[i], .codebase = { .href = "x" } };
        CU_ASSERT(osd_write(&osd, &text, &len, &e) < 0);
        CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    }
    static const struct osd_pair policy[] = { { "A B", "TRUE" } };
    struct osd osd = { .codebase = { .href = "x" }, .policies = policy, .policy_count = 1 };
    CU_ASSERT(osd_write(&osd, &text, &len, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
}

static void osd_write_needs_an_href(void)
{
    struct err e;
    char *text = NULL;
    size_t len;
    CU_ASSERT(osd_write(&(struct osd){ .name = "x" }, &text, &len, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_EMPTY_HREF);
}

UNIT_MAIN("osd",
          TEST(osd_reads_every_part),
          TEST(osd_needs_nothing_but_a_codebase),
          TEST(osd_compares_names_without_case),
          TEST(osd_passes_over_unknown_elements_and_an_empty_os),
          TEST(osd_does_not_take_a_dependency_for_the_package),
          TEST(osd_ignores_a_size_that_is_no_number),
          TEST(osd_reads_utf16_of_either_order),
          TEST(osd_reads_other_encodings),
          TEST(osd_refuses_bad_documents),
          TEST(osd_refuses_a_document_cut_anywhere),
          TEST(osd_refuses_broken_utf16),
          TEST(osd_refuses_a_document_of_100_megabytes),
          TEST(osd_refuses_deep_nesting_and_too_many_elements),
          TEST(osd_refuses_too_many_attributes_before_parsing),
          TEST(osd_reads_a_document_of_the_largest_size),
          TEST(osd_written_and_read_again_is_the_same),
          TEST(osd_write_escapes_what_must_be),
          TEST(osd_write_refuses_what_xml_cannot_hold),
          TEST(osd_write_needs_an_href))
