/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XML from outside: what libxml2 may see, and how. See xml.h.
 *
 * The bytes come from src/xml_text.h; what is not limited there is limited from SAX callbacks.
 */
#include "config.h"

#include "src/xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/SAX2.h>
#include <string.h>
#include <strings.h>

#include "src/xml_text.h"

struct guard { /* hangs on the parser context while it runs */
    size_t elements;
    struct err err; /* the first thing that went wrong */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* --- limits -------------------------------------------------------------------------------- */

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
    stop_with(arg, ERR_XML_ENTITY, XML_NO_DOCTYPE);
}

static void on_error(void *arg, xmlErrorPtr error)
{
    xmlParserCtxt *ctxt = arg;
    struct guard *g = ctxt->_private;

    if (error->level < XML_ERR_ERROR || error->code == XML_ERR_USER_STOP ||
        error->domain == XML_FROM_NAMESPACE || g->err.kind != ERR_NONE)
        return;
    (void)xml_text_fault(error, &g->err);
}

/* The whole text in one piece: the document's own bytes, or *owned, to be freed. */
static int whole_text(struct xml_text *t, const char **text, size_t *len, char **owned,
                      struct err *e)
{
    if (!t->utf16) {
        *text = (const char *)t->bytes;
        *len = t->len;
        return xml_text_check(t, *text, *len, e);
    }
    size_t size = t->len / 2 * 3 + 4; /* a pair of units takes 4 bytes, one takes 3 */
    char *buf = *owned = malloc(size);
    if (!buf)
        return err_nomem(e);
    long n;
    for (*len = 0; (n = xml_text_read(t, buf + *len, size - *len, e)) > 0;)
        *len += (size_t)n;
    *text = buf;
    return (int)n;
}

int xml_parse(const void *data, size_t len, xmlDoc **out, struct err *e)
{
    const char *text = NULL;
    size_t text_len = 0;
    auto_free char *owned = NULL;
    struct xml_text t;

    if (len > XML_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "document of %zu bytes; at most %u are accepted", len,
                       XML_BYTES_MAX);
    int rc = xml_text_open(data, len, &t, e);
    if (!rc)
        rc = whole_text(&t, &text, &text_len, &owned, e);
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
    xmlDoc *doc = xmlCtxtReadMemory(ctxt, text, (int)text_len, NULL, t.encoding,
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
