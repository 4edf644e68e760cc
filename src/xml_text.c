/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Encodings of XML documents and the look at their bytes. See xml_text.h. */
#include "config.h"

#include "src/xml_text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* The encoding="…" of an XML declaration that starts the text, or "". */
static void declared_encoding(const char *text, size_t len, char *out, size_t out_size)
{
    char head[200];
    size_t n = len < sizeof head - 1 ? len : sizeof head - 1;

    out[0] = '\0';
    memcpy(head, text, n);
    head[n] = '\0';
    char *end = strstr(head, "?>");
    if (strncmp(head, "<?xml", 5) != 0 || !end)
        return;
    *end = '\0';
    char *p = strstr(head, "encoding");
    p = p ? strpbrk(p, "\"'") : NULL;
    size_t name_len = p ? strcspn(p + 1, "\"'") : 0;
    if (name_len && name_len < out_size)
        (void)snprintf(out, out_size, "%.*s", (int)name_len, p + 1);
}

static bool is_known_encoding(const char *name)
{
    static const char *const whole[] = { "utf-8", "utf8", "us-ascii", "ascii" };
    static const char *const prefixes[] = { "iso-8859-", "windows-125", "cp125" };

    for (size_t i = 0; i < ARRAY_LEN(whole); i++)
        if (!strcasecmp(name, whole[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (!strncasecmp(name, prefixes[i], strlen(prefixes[i])))
            return true;
    return false;
}

int xml_text_open(const void *document, size_t len, struct xml_text *t, struct err *e)
{
    const uint8_t *data = document;
    if (!len)
        return err_set(e, ERR_XML, "document is empty");
    bool le = len >= 2 && ((data[0] == 0xff && data[1] == 0xfe) || (data[0] == '<' && !data[1]));
    bool be = len >= 2 && ((data[0] == 0xfe && data[1] == 0xff) || (!data[0] && data[1] == '<'));

    if (len >= 4 && ((le && !data[2] && !data[3]) || (!data[0] && !data[1])))
        return err_set(e, ERR_UNSUPPORTED, "UTF-32 documents are not supported");
    *t = (struct xml_text){
        .bytes = data, .len = len, .line = 1, .encoding = "UTF-8", .utf16 = le || be, .big = be
    };
    size_t mark = 0;
    if (t->utf16)
        mark = data[0] >= 0xfe ? 2 : 0;
    else if (len >= 3 && !memcmp(data, "\xef\xbb\xbf", 3))
        mark = 3;
    t->bytes += mark;
    t->len -= mark;
    if (t->utf16 && t->len % 2)
        return err_at(e, ERR_XML, NULL, len - 1, "UTF-16 document ends inside a character");
    if (t->utf16 || mark)
        return 0;

    char name[40];
    declared_encoding((const char *)data, len, name, sizeof name);
    if (!strncasecmp(name, "utf-16", 6)) /* written by a tool that saved the text in bytes */
        return 0;
    if (name[0] && !is_known_encoding(name))
        return err_set(e, ERR_UNSUPPORTED,
                       "encoding %s is not supported; UTF-8, UTF-16, ISO-8859 and Windows-125x are",
                       name);
    if (name[0])
        t->encoding = NULL;
    return 0;
}

/* Bytes that xml_text_check() has to look at; after an equals sign all of them. */
static const bool is_notable[256] = { ['\0'] = true, ['\n'] = true, ['<'] = true, ['='] = true };

/* Counts what looks like attributes (an equals sign before a quote) from one '<' to the next; '<'
 * cannot stand inside an attribute value. */
int xml_text_check(struct xml_text *t, const char *text, size_t len, struct err *e)
{
    for (size_t i = 0; i < len; i++) {
        while (!t->equals && i < len && !is_notable[(uint8_t)text[i]])
            i++;
        if (i == len)
            break;
        char c = text[i];
        t->line += c == '\n';
        if (!c) /* libxml2 would take it for the end and ignore what follows */
            return err_set(e, ERR_XML, "line %zu: the document holds a NUL", t->line);
        if (c == '<')
            t->attributes = 0;
        if (t->equals && (c == '"' || c == '\'') && ++t->attributes > XML_TAG_ATTR_MAX)
            return err_set(e, ERR_LIMIT, "line %zu: more than %u attributes in one element",
                           t->line, XML_TAG_ATTR_MAX);
        t->equals = c == '=' || (t->equals && is_space(c));
    }
    return 0;
}

static int read_utf16(struct xml_text *t, char *out, size_t size, size_t *out_len, struct err *e)
{
    size_t n = 0;
    for (; t->at < t->len && size - n >= 4; t->at += 2) {
        const uint8_t *in = t->bytes + t->at;
        uint32_t u = t->big ? (uint32_t)in[0] << 8 | in[1] : (uint32_t)in[1] << 8 | in[0];
        bool is_low = u >= 0xdc00 && u < 0xe000;
        if (is_low != (t->high != 0))
            return err_at(e, ERR_XML, NULL, t->at, "UTF-16 document has half a surrogate pair");
        if (is_low) {
            n += put_utf8(out + n, 0x10000 + ((t->high - 0xd800) << 10) + (u - 0xdc00));
            t->high = 0;
        } else if (u >= 0xd800 && u < 0xdc00) {
            t->high = u;
        } else {
            n += put_utf8(out + n, u);
        }
    }
    if (t->at == t->len && t->high)
        return err_at(e, ERR_XML, NULL, t->len - 2, "UTF-16 document ends inside a surrogate pair");
    *out_len = n;
    return 0;
}

long xml_text_read(struct xml_text *t, char *out, size_t size, struct err *e)
{
    size_t n = t->len - t->at < size ? t->len - t->at : size;
    int rc = 0;

    if (t->utf16) {
        rc = read_utf16(t, out, size, &n, e);
    } else if (n) {
        memcpy(out, t->bytes + t->at, n);
        t->at += n;
    }
    if (!rc)
        rc = xml_text_check(t, out, n, e);
    return rc ? rc : (long)n;
}

int xml_text_fault(const xmlError *fault, struct err *e)
{
    enum err_kind kind = fault->code == XML_ERR_UNDECLARED_ENTITY ? ERR_XML_ENTITY
                         : fault->code == XML_ERR_NO_MEMORY       ? ERR_NO_MEMORY
                                                                  : ERR_XML;
    const char *text = fault->message ? fault->message : "not well-formed";
    size_t n = strcspn(text, "\r\n");

    return err_set(e, kind, "line %d: %.*s", fault->line, (int)(n < 200 ? n : 200), text);
}
