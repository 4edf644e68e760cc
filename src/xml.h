/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XML documents from outside, read safely with libxml2: from memory only, no network, no document
 * type, no entities beyond the five of XML, and caps on length, depth, elements and attributes that
 * are decided before memory is taken. UTF-8, UTF-16 and the ASCII-compatible 8-bit encodings.
 * Beside it the writing half: text that is escaped where it must be.
 *
 * Names are compared without case and without regard to name spaces, as document readers here want.
 */
#ifndef SRC_XML_H
#define SRC_XML_H

#include <libxml/tree.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/pool.h"

#define XML_BYTES_MAX    (4u * 1024u * 1024u)
#define XML_DEPTH_MAX    64u
#define XML_ELEMENTS_MAX 100000u /* elements and attributes together */

/* 0 and a document with a root element, to be freed with xmlFreeDoc(); or ERR_XML with the line,
 * ERR_XML_ENTITY, ERR_LIMIT, ERR_UNSUPPORTED (encoding). Prints nothing. */
int xml_parse(const void *data, size_t len, xmlDoc **out, struct err *e) must_check;

bool xml_is(const xmlNode *node, const char *name); /* an element of that name; NULL is none */

/* First child element of NODE called NAME (NULL: any), or NULL; NODE may be NULL. */
const xmlNode *xml_child(const xmlNode *node, const char *name);

/* The next sibling element called NAME (NULL: any), or NULL. */
const xmlNode *xml_next(const xmlNode *node, const char *name);

/* The first descendant called NAME in document order, or NULL. */
const xmlNode *xml_find(const xmlNode *node, const char *name);

/* Next element in document order inside TOP, going down unless SKIP_INSIDE; NULL at the end. */
const xmlNode *xml_walk(const xmlNode *top, const xmlNode *at, bool skip_inside);

/* Value of an attribute, or text inside an element, without surrounding white space, in memory of
 * POOL; "" when missing (NODE may be NULL), NULL when out of memory. */
const char *xml_attr(const xmlNode *node, const char *name, struct pool *pool);
const char *xml_text(const xmlNode *node, struct pool *pool);
const char *xml_attr_value(const xmlAttr *attr, struct pool *pool);

/* What a reader of one kind of document collects into; NO_MEMORY is looked at once, at the end. */
struct xml_reader {
    struct pool *pool;
    bool no_memory;
};

/* TEXT, or "" with the lack of memory noted. */
const char *xml_keep(struct xml_reader *r, const char *text);
const char *xml_keep_attr(struct xml_reader *r, const xmlNode *node, const char *name);

/* TRUE, YES or 1. */
bool xml_truth(const char *text);

/* --- writing ------------------------------------------------------------------------------- */

struct xml_out {
    char *text; /* NUL-terminated unless NULL; owned by the user of the struct */
    size_t len, capacity;
    enum err_kind failed; /* ERR_NO_MEMORY or ERR_INVALID (not XML text); checked at the end */
};

void xml_put(struct xml_out *o, const char *markup);                        /* as it is */
void xml_put_indent(struct xml_out *o, unsigned depth);                     /* two blanks each */
void xml_put_line(struct xml_out *o, unsigned depth, const char *markup);    /* alone, indented */
void xml_put_text(struct xml_out *o, const char *text);                     /* NULL: nothing */
void xml_put_element(struct xml_out *o, unsigned depth, const char *name,
                     const char *text); /* <NAME>TEXT</NAME> alone on a line */
void xml_put_element_if(struct xml_out *o, unsigned depth, const char *name,
                        const char *text); /* if TEXT is not empty */
void xml_put_attr(struct xml_out *o, const char *name, const char *value);  /* NULL: "" */
void xml_put_attr_if(struct xml_out *o, const char *name, const char *value); /* if not empty */

/* Hands the text out, or frees it and returns the error. */
int xml_finish(struct xml_out *o, char **out, size_t *len, struct err *e) must_check;

#endif
