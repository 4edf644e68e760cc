/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XML from outside: what libxml2 may see, and how. See xml.h.
 *
 * UTF-16 is decoded here, so that everything behind sees ASCII-compatible bytes; the declared
 * encoding is checked against a list for the same reason. libxml2 2.9 compares the attributes of
 * one element pairwise and builds the whole tag before it calls anybody, hence a look at the raw
 * bytes first. What is left is limited from its SAX callbacks.
 */
#include "config.h"

#include "src/xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/SAX2.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct guard { /* hangs on the parser context while it runs */
    size_t elements;
    struct err err; /* the first thing that went wrong */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* --- encodings ----------------------------------------------------------------------------- */

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

static int utf16_to_utf8(const uint8_t *in, size_t len, bool big, char **out, size_t *out_len,
                         struct err *e)
{
    if (len % 2)
        return err_at(e, ERR_XML, NULL, len - 1, "UTF-16 document ends inside a character");
    auto_free char *text = malloc(len / 2 * 3 + 1); /* a pair of units takes 4 bytes, one takes 3 */
    if (!text)
        return err_nomem(e);

    size_t n = 0;
    uint32_t high = 0;
    for (size_t i = 0; i < len; i += 2) {
        uint32_t u = big ? (uint32_t)in[i] << 8 | in[i + 1] : (uint32_t)in[i + 1] << 8 | in[i];
        bool is_low = u >= 0xdc00 && u < 0xe000;
        if (is_low != (high != 0))
            return err_at(e, ERR_XML, NULL, i, "UTF-16 document has half a surrogate pair");
        if (is_low) {
            n += put_utf8(text + n, 0x10000 + ((high - 0xd800) << 10) + (u - 0xdc00));
            high = 0;
        } else if (u >= 0xd800 && u < 0xdc00) {
            high = u;
        } else {
            n += put_utf8(text + n, u);
        }
    }
    if (high)
        return err_at(e, ERR_XML, NULL, len - 2, "UTF-16 document ends inside a surrogate pair");
    text[n] = '\0';
    *out = steal_ptr(&text);
    *out_len = n;
    return 0;
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

/*
 * Finds the encoding. *text, *text_len: what to parse; *owned: to be freed; *encoding: what libxml2
 * is to believe, NULL for what the document says.
 */
static int decode(const uint8_t *data, size_t len, const char **text, size_t *text_len,
                  char **owned, const char **encoding, struct err *e)
{
    bool le = len >= 2 && ((data[0] == 0xff && data[1] == 0xfe) || (data[0] == '<' && !data[1]));
    bool be = len >= 2 && ((data[0] == 0xfe && data[1] == 0xff) || (!data[0] && data[1] == '<'));

    *owned = NULL;
    *encoding = "UTF-8";
    if (len >= 4 && ((le && !data[2] && !data[3]) || (!data[0] && !data[1])))
        return err_set(e, ERR_UNSUPPORTED, "UTF-32 documents are not supported");
    if (le || be) {
        size_t bom = data[0] >= 0xfe ? 2 : 0;
        int rc = utf16_to_utf8(data + bom, len - bom, be, owned, text_len, e);
        *text = *owned;
        return rc;
    }
    if (len >= 3 && !memcmp(data, "\xef\xbb\xbf", 3)) {
        *text = (const char *)data + 3;
        *text_len = len - 3;
        return 0;
    }
    *text = (const char *)data;
    *text_len = len;
    char name[40];
    declared_encoding(*text, len, name, sizeof name);
    if (!strncasecmp(name, "utf-16", 6)) /* written by a tool that saved the text in bytes */
        return 0;
    if (name[0] && !is_known_encoding(name))
        return err_set(e, ERR_UNSUPPORTED,
                       "encoding %s is not supported; UTF-8, UTF-16, ISO-8859 and Windows-125x are",
                       name);
    if (name[0])
        *encoding = NULL;
    return 0;
}

/* --- limits -------------------------------------------------------------------------------- */

/* Counts what looks like attributes (an equals sign before a quote) from one '<' to the next; '<'
 * cannot stand inside an attribute value. */
static int check_bytes(const char *text, size_t len, struct err *e)
{
    size_t attributes = 0, line = 1;
    bool equals = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        line += c == '\n';
        if (!c) /* libxml2 would take it for the end and ignore what follows */
            return err_set(e, ERR_XML, "line %zu: the document holds a NUL", line);
        if (c == '<')
            attributes = 0;
        if (equals && (c == '"' || c == '\'') && ++attributes > XML_TAG_ATTR_MAX)
            return err_set(e, ERR_LIMIT, "line %zu: more than %u attributes in one element", line,
                           XML_TAG_ATTR_MAX);
        equals = c == '=' || (equals && is_space(c));
    }
    return 0;
}

static void stop_with(xmlParserCtxt *ctxt, enum err_kind kind, const char *text)
{
    struct guard *g = ctxt->_private;
    int line = ctxt->input ? ctxt->input->line : 0;

    if (g->err.kind == ERR_NONE)
        (void)err_set(&g->err, kind, "line %d: %s", line, text);
    xmlStopParser(ctxt);
}

static void on_start_element(void *arg, const xmlChar *name, const xmlChar *prefix,
                             const xmlChar *uri, int ns_count, const xmlChar **ns, int attr_count,
                             int defaulted, const xmlChar **attrs)
{
    xmlParserCtxt *ctxt = arg;
    struct guard *g = ctxt->_private;

    g->elements += 1 + (size_t)ns_count + (size_t)attr_count;
    if (g->elements > XML_ELEMENTS_MAX)
        stop_with(ctxt, ERR_LIMIT, "more elements and attributes than are accepted");
    else if (ctxt->nameNr >= (int)XML_DEPTH_MAX)
        stop_with(ctxt, ERR_LIMIT, "elements nested deeper than is accepted");
    else
        xmlSAX2StartElementNs(arg, name, prefix, uri, ns_count, ns, attr_count, defaulted, attrs);
}

static void on_doctype(void *arg, const xmlChar *name, const xmlChar *external,
                       const xmlChar *system)
{
    (void)name, (void)external, (void)system;
    stop_with(arg, ERR_XML_ENTITY,
              "document type declarations are not accepted, because they can declare entities");
}

static void on_error(void *arg, xmlErrorPtr error)
{
    xmlParserCtxt *ctxt = arg;
    struct guard *g = ctxt->_private;

    if (error->level < XML_ERR_ERROR || error->code == XML_ERR_USER_STOP ||
        error->domain == XML_FROM_NAMESPACE || g->err.kind != ERR_NONE)
        return;
    enum err_kind kind = error->code == XML_ERR_UNDECLARED_ENTITY ? ERR_XML_ENTITY
                         : error->code == XML_ERR_NO_MEMORY       ? ERR_NO_MEMORY
                                                                  : ERR_XML;
    const char *text = error->message ? error->message : "not well-formed";
    size_t n = strcspn(text, "\r\n");
    (void)err_set(&g->err, kind, "line %d: %.*s", error->line, (int)(n < 200 ? n : 200), text);
}

int xml_parse(const void *data, size_t len, xmlDoc **out, struct err *e)
{
    const char *text = NULL, *encoding = NULL;
    size_t text_len = 0;
    auto_free char *owned = NULL;

    if (len > XML_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "document of %zu bytes; at most %u are accepted", len,
                       XML_BYTES_MAX);
    if (!len)
        return err_set(e, ERR_XML, "document is empty");
    int rc = decode(data, len, &text, &text_len, &owned, &encoding, e);
    if (!rc)
        rc = check_bytes(text, text_len, e);
    if (rc)
        return rc;

    struct guard g = { .err = { .kind = ERR_NONE } };
    xmlParserCtxt *ctxt = xmlNewParserCtxt();
    if (!ctxt)
        return err_nomem(e);
    ctxt->_private = &g;
    ctxt->sax->startElementNs = on_start_element;
    ctxt->sax->internalSubset = on_doctype;
    ctxt->sax->comment = NULL;
    ctxt->sax->processingInstruction = NULL;
    ctxt->sax->serror = on_error;
    xmlDoc *doc = xmlCtxtReadMemory(ctxt, text, (int)text_len, NULL, encoding,
                                    XML_PARSE_NONET | XML_PARSE_NOCDATA);
    bool good = ctxt->wellFormed && g.err.kind == ERR_NONE && doc && xmlDocGetRootElement(doc);
    xmlFreeParserCtxt(ctxt);
    if (good) {
        *out = doc;
        return 0;
    }
    xmlFreeDoc(doc);
    if (g.err.kind == ERR_NONE)
        return err_set(e, ERR_XML, "not a well-formed XML document");
    if (e)
        *e = g.err;
    return -err_kind_errno(g.err.kind);
}

/* --- the tree ------------------------------------------------------------------------------ */

bool xml_is(const xmlNode *node, const char *name)
{
    return node && node->type == XML_ELEMENT_NODE &&
           (!name || !strcasecmp((const char *)node->name, name));
}

static const xmlNode *first_called(const xmlNode *node, const char *name)
{
    while (node && !xml_is(node, name))
        node = node->next;
    return node;
}

const xmlNode *xml_child(const xmlNode *node, const char *name)
{
    return node ? first_called(node->children, name) : NULL;
}

const xmlNode *xml_next(const xmlNode *node, const char *name)
{
    return node ? first_called(node->next, name) : NULL;
}

const xmlNode *xml_walk(const xmlNode *top, const xmlNode *at, bool skip_inside)
{
    const xmlNode *next = skip_inside ? NULL : xml_child(at, NULL);

    while (!next && at && at != top) {
        next = xml_next(at, NULL);
        at = at->parent;
    }
    return next;
}

const xmlNode *xml_find(const xmlNode *node, const char *name)
{
    const xmlNode *at = node ? xml_walk(node, node, false) : NULL;

    while (at && !xml_is(at, name))
        at = xml_walk(node, at, false);
    return at;
}

static const char *trimmed(xmlChar *raw, struct pool *pool)
{
    if (!raw)
        return pool_strndup(pool, "", 0);
    const char *p = (const char *)raw;
    size_t n = strlen(p);
    while (n && is_space(p[n - 1]))
        n--;
    while (n && is_space(*p))
        p++, n--;
    const char *copy = pool_strndup(pool, p, n);
    xmlFree(raw);
    return copy;
}

/* libxml2 takes non-const nodes even where it only reads. */
static xmlNode *loosen(const void *node)
{
    union {
        const void *in;
        xmlNode *out;
    } u = { .in = node };
    return u.out;
}

const char *xml_attr_value(const xmlAttr *attr, struct pool *pool)
{
    return trimmed(attr ? xmlNodeGetContent(loosen(attr)) : NULL, pool);
}

const char *xml_attr(const xmlNode *node, const char *name, struct pool *pool)
{
    const xmlAttr *a = node ? node->properties : NULL;

    while (a && strcasecmp((const char *)a->name, name) != 0)
        a = a->next;
    return xml_attr_value(a, pool);
}

const char *xml_text(const xmlNode *node, struct pool *pool)
{
    return trimmed(node ? xmlNodeGetContent(loosen(node)) : NULL, pool);
}

const char *xml_keep(struct xml_reader *r, const char *text)
{
    if (!text)
        r->no_memory = true;
    return text ? text : "";
}

const char *xml_keep_attr(struct xml_reader *r, const xmlNode *node, const char *name)
{
    return xml_keep(r, xml_attr(node, name, r->pool));
}

bool xml_truth(const char *text)
{
    return text && (!strcasecmp(text, "TRUE") || !strcasecmp(text, "YES") || !strcmp(text, "1"));
}
