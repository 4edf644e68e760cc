/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XML as a stream of elements, by libxml2's SAX interface. libxml2 asks for bytes as it goes on, so
 * that they are decoded and checked piece by piece and a large document is never copied. See
 * xml_stream.h.
 */
#include "config.h"

#include "src/xml_stream.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <string.h>

#include "src/xml.h"
#include "src/xml_text.h"

struct stream { /* hangs on the parser context while it runs */
    struct xml_text text;
    const struct xml_stream_reader *reader;
    void *arg;
    unsigned depth;
    struct err err; /* the first thing that went wrong */
    int rc;         /* what is returned for it */
};

static unsigned long line_of(const xmlParserCtxt *ctxt)
{
    return ctxt->input && ctxt->input->line > 0 ? (unsigned long)ctxt->input->line : 0;
}

static void stop(xmlParserCtxt *ctxt, int rc)
{
    struct stream *s = ctxt->_private;

    s->rc = rc;
    err_wrap(&s->err, "line %lu", line_of(ctxt));
    xmlStopParser(ctxt);
}

static void on_start(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int ns_count, const xmlChar **ns, int attr_count, int defaulted,
                     const xmlChar **attrs)
{
    xmlParserCtxt *ctxt = arg;
    struct stream *s = ctxt->_private;

    (void)prefix, (void)ns_count, (void)ns, (void)defaulted;
    if (s->rc)
        return;
    struct xml_tag tag = {
        .name = (const char *)name,
        .uri = uri ? (const char *)uri : "",
        .depth = s->depth,
        .attrs = attrs,
        .attr_count = (unsigned)attr_count,
    };
    int rc;
    if (s->depth++ >= XML_DEPTH_MAX)
        rc = err_set(&s->err, ERR_LIMIT, "elements nested deeper than is accepted");
    else
        rc = s->reader->start(s->arg, &tag, &s->err);
    if (rc)
        stop(ctxt, rc);
}

static void on_end(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    xmlParserCtxt *ctxt = arg;
    struct stream *s = ctxt->_private;

    (void)name, (void)prefix, (void)uri;
    if (s->rc || !s->depth)
        return;
    int rc = s->reader->end ? s->reader->end(s->arg, s->depth - 1, &s->err) : 0;
    s->depth--;
    if (rc)
        stop(ctxt, rc);
}

static void on_doctype(void *arg, const xmlChar *name, const xmlChar *external,
                       const xmlChar *system)
{
    xmlParserCtxt *ctxt = arg;
    struct stream *s = ctxt->_private;

    (void)name, (void)external, (void)system;
    if (!s->rc)
        stop(ctxt, err_set(&s->err, ERR_XML_ENTITY, XML_NO_DOCTYPE));
}

static void on_error(void *arg, xmlErrorPtr error)
{
    xmlParserCtxt *ctxt = arg;
    struct stream *s = ctxt->_private;

    if (error->level < XML_ERR_ERROR || error->code == XML_ERR_USER_STOP || s->rc)
        return;
    s->rc = xml_text_fault(error, &s->err);
    xmlStopParser(ctxt);
}

static int on_read(void *arg, char *buffer, int size)
{
    struct stream *s = arg;
    if (s->rc || size < 4)
        return -1;
    long n = xml_text_read(&s->text, buffer, (size_t)size, &s->err);
    if (n < 0)
        s->rc = (int)n;
    return n < 0 ? -1 : (int)n;
}

int xml_stream(const void *data, size_t len, size_t max, const struct xml_stream_reader *reader,
               void *arg, struct err *e)
{
    struct stream s = { .reader = reader, .arg = arg };

    if (len > max)
        return err_set(e, ERR_LIMIT, "document of %zu bytes; at most %zu are accepted", len, max);
    int rc = xml_text_open(data, len, &s.text, e);
    if (rc)
        return rc;
    xmlParserCtxt *ctxt = xmlNewParserCtxt();
    if (!ctxt)
        return err_nomem(e);
    ctxt->_private = &s;
    ctxt->sax->startElementNs = on_start;
    ctxt->sax->endElementNs = on_end;
    ctxt->sax->internalSubset = on_doctype;
    ctxt->sax->characters = NULL;
    ctxt->sax->ignorableWhitespace = NULL;
    ctxt->sax->cdataBlock = NULL;
    ctxt->sax->comment = NULL;
    ctxt->sax->processingInstruction = NULL;
    ctxt->sax->serror = on_error;
    /* NOENT: without it libxml2 hands out "&#38;" for "&amp;". No other entities can be declared.
     */
    xmlDoc *doc = xmlCtxtReadIO(ctxt, on_read, NULL, &s, NULL, s.text.encoding,
                                XML_PARSE_NONET | XML_PARSE_NOENT);
    bool good = ctxt->wellFormed && !s.rc;
    xmlFreeDoc(doc); /* empty */
    xmlFreeParserCtxt(ctxt);
    if (good)
        return 0;
    if (!s.rc)
        return err_set(e, ERR_XML, "not a well-formed XML document");
    if (e)
        *e = s.err;
    return s.rc;
}

bool xml_tag_is(const struct xml_tag *tag, const char *name)
{
    return !strcmp(tag->name, name);
}

const char *xml_tag_attr(const struct xml_tag *tag, const char *name, size_t *len)
{
    for (unsigned i = 0; i < tag->attr_count; i++) {
        const unsigned char *const *a = tag->attrs + 5 * (size_t)i;
        if (!a[1] && !strcmp((const char *)a[0], name)) {
            *len = (size_t)(a[4] - a[3]);
            return (const char *)a[3];
        }
    }
    *len = 0;
    return NULL;
}

int xml_tag_number(const struct xml_tag *tag, const char *name, uint64_t max, uint64_t *out,
                   struct err *e)
{
    size_t len;
    const char *text = xml_tag_attr(tag, name, &len);
    uint64_t n = 0;

    *out = 0;
    if (!text)
        return 0;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';
        if (digit > 9)
            return err_set(e, ERR_CORRUPT, "%s is not a decimal number", name);
        if (mul_overflows(n, 10u, &n) || add_overflows(n, digit, &n) || n > max)
            return err_set(e, ERR_CORRUPT, "%s is larger than %llu", name, (unsigned long long)max);
    }
    if (!len)
        return err_set(e, ERR_CORRUPT, "%s is empty", name);
    *out = n;
    return 1;
}
