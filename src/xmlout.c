/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The writing half of xml.h: a growing text whose first failure sticks until xml_finish(). */
#include "config.h"

#include "src/xml.h"

#include <string.h>

static void append(struct xml_out *o, const char *bytes, size_t n)
{
    size_t want;
    if (o->failed)
        return;
    if (add_overflows(o->len, n + 1, &want)) {
        o->failed = ERR_NO_MEMORY;
        return;
    }
    if (want > o->capacity) {
        size_t capacity = want < 1024 ? 1024 : want + want / 2;
        char *text = realloc(o->text, capacity);
        if (!text) {
            o->failed = ERR_NO_MEMORY;
            return;
        }
        o->text = text;
        o->capacity = capacity;
    }
    memcpy(o->text + o->len, bytes, n);
    o->len += n;
    o->text[o->len] = '\0';
}

void xml_put(struct xml_out *o, const char *markup)
{
    append(o, markup, strlen(markup));
}

void xml_put_indent(struct xml_out *o, unsigned depth)
{
    while (depth--)
        append(o, "  ", 2);
}

void xml_put_line(struct xml_out *o, unsigned depth, const char *markup)
{
    xml_put_indent(o, depth);
    xml_put(o, markup);
    xml_put(o, "\n");
}

/* XML 1.0 cannot hold control characters, not even escaped, nor U+FFFE and U+FFFF. */
static bool is_xml_text(const char *text)
{
    if (!xmlCheckUTF8((const xmlChar *)text))
        return false;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if ((*p < 0x20 && *p != '\t' && *p != '\n' && *p != '\r') ||
            (p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe) ||
            (p[0] == 0xed && p[1] >= 0xa0)) /* a surrogate, which xmlCheckUTF8() lets through */
            return false;
    return true;
}

static void escaped(struct xml_out *o, const char *text, const char *special)
{
    if (!text)
        return;
    if (!is_xml_text(text)) {
        if (!o->failed)
            o->failed = ERR_INVALID;
        return;
    }
    while (*text) {
        size_t plain = strcspn(text, special);
        append(o, text, plain);
        text += plain;
        switch (*text) {
        case '\0':
            return;
        case '&':
            xml_put(o, "&amp;");
            break;
        case '<':
            xml_put(o, "&lt;");
            break;
        case '>':
            xml_put(o, "&gt;");
            break;
        case '"':
            xml_put(o, "&quot;");
            break;
        case '\t':
            xml_put(o, "&#9;");
            break;
        case '\n':
            xml_put(o, "&#10;");
            break;
        default:
            xml_put(o, "&#13;");
            break;
        }
        text++;
    }
}

void xml_put_text(struct xml_out *o, const char *text)
{
    escaped(o, text, "&<>\r");
}

void xml_put_element(struct xml_out *o, unsigned depth, const char *name, const char *text)
{
    xml_put_indent(o, depth);
    xml_put(o, "<");
    xml_put(o, name);
    xml_put(o, ">");
    xml_put_text(o, text);
    xml_put(o, "</");
    xml_put(o, name);
    xml_put(o, ">\n");
}

void xml_put_element_if(struct xml_out *o, unsigned depth, const char *name, const char *text)
{
    if (text && *text)
        xml_put_element(o, depth, name, text);
}

void xml_put_attr(struct xml_out *o, const char *name, const char *value)
{
    xml_put(o, " ");
    xml_put(o, name);
    xml_put(o, "=\"");
    escaped(o, value, "&<>\"\t\r\n"); /* a parser would turn plain white space into blanks */
    xml_put(o, "\"");
}

void xml_put_attr_if(struct xml_out *o, const char *name, const char *value)
{
    if (value && *value)
        xml_put_attr(o, name, value);
}

int xml_finish(struct xml_out *o, char **out, size_t *len, struct err *e)
{
    enum err_kind failed = o->failed;
    char *text = steal_ptr(&o->text);

    if (!failed && !text)
        failed = ERR_INVALID;
    if (!failed) {
        *out = text;
        *len = o->len;
        return 0;
    }
    free(text);
    return failed == ERR_NO_MEMORY
               ? err_nomem(e)
               : err_set(e, ERR_INVALID, "a text holds characters that XML cannot hold");
}
