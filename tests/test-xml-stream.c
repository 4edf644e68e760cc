/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/xml_stream.c. */
#include "config.h"

#include <stdio.h>

#include "src/xml.h"
#include "src/xml_stream.h"
#include "src/xml_text.h"
#include "tests/unit.h"

#define MAX (64u << 20)

struct seen { /* writes down what went by */
    char text[400];
    size_t starts, ends;
};

static int on_start(void *arg, const struct xml_tag *tag, struct err *e)
{
    struct seen *s = arg;
    size_t len, n = strlen(s->text);
    const char *value = xml_tag_attr(tag, "a", &len);

    s->starts++;
    if (n + 80 < sizeof s->text)
        (void)snprintf(s->text + n, sizeof s->text - n, "<%u %s %s %.*s", tag->depth, tag->name,
                       tag->uri, value ? (int)len : 1, value ? value : "-");
    if (xml_tag_is(tag, "stop"))
        return err_set(e, ERR_CORRUPT, "told to stop");
    return 0;
}

static int on_end(void *arg, unsigned depth, struct err *e)
{
    struct seen *s = arg;
    size_t n = strlen(s->text);

    (void)e;
    s->ends++;
    if (n + 20 < sizeof s->text)
        (void)snprintf(s->text + n, sizeof s->text - n, ">%u", depth);
    return 0;
}

static const struct xml_stream_reader reader = { .start = on_start, .end = on_end };

static void check_stream(const void *data, size_t len, const char *want)
{
    struct seen s = { .starts = 0 };
    struct err e = { .kind = ERR_NONE };
    int rc = xml_stream(data, len, MAX, &reader, &s, &e);

    if (rc || strcmp(s.text, want) != 0)
        printf("\n    %s: %s", s.text, e.text);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_STRING_EQUAL(s.text, want);
}

static void check_refused(const void *data, size_t len, enum err_kind kind, const char *text)
{
    struct seen s = { .starts = 0 };
    struct err e = { .kind = ERR_NONE };
    int rc = xml_stream(data, len, MAX, &reader, &s, &e);

    if (rc >= 0 || e.kind != kind || !strstr(e.text, text))
        printf("\n    %.40s: %s: %s", (const char *)data, err_kind_name(e.kind), e.text);
    CU_ASSERT_EQUAL(rc, -err_kind_errno(kind));
    CU_ASSERT_EQUAL(e.kind, kind);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, text));
}

static void elements_go_by_in_order(void)
{
    static const char text[] = "<?xml version='1.0'?><r xmlns='u' xmlns:p='v' p:a='x'><!-- c -->"
                               "<c a='1&amp;&#228;'/>text<p:c a=''><![CDATA[<x/>]]></p:c></r>";
    check_stream(text, sizeof text - 1, "<0 r u -<1 c u 1&\xc3\xa4>1<1 c v >1>0");
}

static char *widen(const char *text, bool big, bool mark, size_t *len)
{
    size_t n = strlen(text), at = 0;
    char *out = calloc(n + 1, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    if (mark)
        memcpy(out, big ? "\xfe\xff" : "\xff\xfe", at = 2);
    for (size_t i = 0; i < n; i++, at += 2)
        out[at + big] = text[i];
    *len = at;
    return out;
}

static void utf16_of_either_order_is_read_with_and_without_mark(void)
{
    for (unsigned i = 0; i < 4; i++) {
        size_t len;
        char *wide = widen("<?xml version='1.0' encoding='utf-16'?><r a='b'/>", i & 1, i & 2, &len);
        check_stream(wide, len, "<0 r  b>0");
        check_refused(wide, len - 1, ERR_XML, "UTF-16");
        free(wide);
    }
    static const char pair[] = "<\0r\0 \0a\0=\0'\0\x3d\xd8\x00\xde'\0/\0>\0";
    check_stream(pair, sizeof pair - 1, "<0 r  \xf0\x9f\x98\x80>0");
    static const char half[] = "<\0r\0 \0a\0=\0'\0\x3d\xd8'\0/\0>\0";
    check_refused(half, sizeof half - 1, ERR_XML, "surrogate");
}

static void other_encodings_are_read_or_refused(void)
{
    static const char utf8[] = "\xef\xbb\xbf<r a='\xc3\xa4'/>";
    check_stream(utf8, sizeof utf8 - 1, "<0 r  \xc3\xa4>0");
    static const char latin[] = "<?xml version='1.0' encoding='iso-8859-1'?><r a='\xe4'/>";
    check_stream(latin, sizeof latin - 1, "<0 r  \xc3\xa4>0");
    static const char mislabelled[] = "<?xml version='1.0' encoding='UTF-16'?><r a='\xc3\xa4'/>";
    check_stream(mislabelled, sizeof mislabelled - 1, "<0 r  \xc3\xa4>0");
    static const char other[] = "<?xml version='1.0' encoding='utf-7'?><r/>";
    check_refused(other, sizeof other - 1, ERR_UNSUPPORTED, "utf-7");
    check_refused("<r a='\xff'/>", 10, ERR_XML, "");
    check_refused("\xff\xfe\0\0<\0\0\0", 8, ERR_UNSUPPORTED, "UTF-32");
}

static void bad_documents_are_refused_with_the_line(void)
{
    static const struct {
        const char *text;
        enum err_kind kind;
        const char *says;
    } rows[] = {
        { "", ERR_XML, "empty" },
        { "<r>\n", ERR_XML, "line 2" },
        { "<r>\n<a></b></r>", ERR_XML, "line 2" },
        { "<r>\n<p:a/></r>", ERR_XML, "line 2" },
        { "<r><stop/></r>", ERR_CORRUPT, "line 1: told to stop" },
        { "<r>\n\n<stop/><stop/></r>", ERR_CORRUPT, "line 3: told to stop" },
        { "<r", ERR_XML, "line 1" },
        { "<r a='1' a='2'/>", ERR_XML, "line 1" },
        { "<r/><r/>", ERR_XML, "line 1" },
        { "<r>&x;</r>", ERR_XML_ENTITY, "line 1" },
        { "<r a='&x;'/>", ERR_XML_ENTITY, "line 1" },
        { "<!DOCTYPE r [<!ENTITY x 'y'>]>\n<r a='&x;'/>", ERR_XML_ENTITY, "line 1" },
        { "<!DOCTYPE r SYSTEM 'file:///etc/passwd'><r/>", ERR_XML_ENTITY, "line 1" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_refused(rows[i].text, strlen(rows[i].text), rows[i].kind, rows[i].says);
    check_refused("<r>\0</r>", 8, ERR_XML, "NUL");
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

static void limits_are_kept(void)
{
    char *text = repeated("", "<r>", XML_DEPTH_MAX + 1, "");
    check_refused(text, strlen(text), ERR_LIMIT, "nested");
    free(text);
    text = repeated("<r", " a='b'", XML_TAG_ATTR_MAX + 1, "/>");
    check_refused(text, strlen(text), ERR_LIMIT, "attributes");
    free(text);
    struct err e;
    CU_ASSERT(xml_stream("<r/>", 4, 3, &reader, NULL, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
}

static void a_document_of_many_megabytes_is_read(void)
{
    static const char unit[] = "<c a='0123456789012345678901234567890123456789'/>\n";
    size_t count = 400000;
    char *text = repeated("<r>", unit, count, "</r>");
    struct seen s = { .starts = 0 };
    struct err e = { .kind = ERR_NONE };

    CU_ASSERT_EQUAL(xml_stream(text, strlen(text), MAX, &reader, &s, &e), 0);
    CU_ASSERT_EQUAL(s.starts, count + 1);
    CU_ASSERT_EQUAL(s.ends, count + 1);
    strcpy(strrchr(text, '<'), "<x>");
    check_refused(text, strlen(text), ERR_XML, "line 400001");
    free(text);
}

struct number {
    uint64_t value;
    int found;
};

static int on_number(void *arg, const struct xml_tag *tag, struct err *e)
{
    struct number *n = arg;
    n->found = xml_tag_number(tag, "n", 1000, &n->value, e);
    return n->found < 0 ? n->found : 0;
}

static void numbers_are_decimal_and_limited(void)
{
    static const struct xml_stream_reader numbers = { .start = on_number };
    static const struct {
        const char *text;
        int found;
        uint64_t value;
    } rows[] = {
        { "<r/>", 0, 0 },
        { "<r n='0'/>", 1, 0 },
        { "<r n='1000'/>", 1, 1000 },
        { "<r n='007'/>", 1, 7 },
        { "<r n='1001'/>", -1, 0 },
        { "<r n=''/>", -1, 0 },
        { "<r n='-1'/>", -1, 0 },
        { "<r n='+1'/>", -1, 0 },
        { "<r n=' 1'/>", -1, 0 },
        { "<r n='0x1'/>", -1, 0 },
        { "<r n='99999999999999999999999'/>", -1, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct number n = { .value = 1 };
        struct err e = { .kind = ERR_NONE };
        int rc = xml_stream(rows[i].text, strlen(rows[i].text), MAX, &numbers, &n, &e);
        CU_ASSERT_EQUAL(rc < 0, rows[i].found < 0);
        CU_ASSERT_EQUAL(e.kind, rows[i].found < 0 ? ERR_CORRUPT : ERR_NONE);
        CU_ASSERT_EQUAL(n.found < 0 ? -1 : n.found, rows[i].found);
        CU_ASSERT_EQUAL(n.value, rows[i].value);
    }
}

UNIT_MAIN("xml_stream", TEST(elements_go_by_in_order),
          TEST(utf16_of_either_order_is_read_with_and_without_mark),
          TEST(other_encodings_are_read_or_refused), TEST(bad_documents_are_refused_with_the_line),
          TEST(limits_are_kept), TEST(a_document_of_many_megabytes_is_read),
          TEST(numbers_are_decimal_and_limited))
