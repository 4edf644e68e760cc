/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Large XML documents from outside: elements as they go by, with no tree in memory. As safe as
 * src/xml.h: no network, no document type, no entities beyond the five of XML, limited depth and
 * attributes. Unlike there, element and attribute names are compared exactly and a prefix that is
 * not declared is an error. Text between elements is passed over.
 */
#ifndef SRC_XML_STREAM_H
#define SRC_XML_STREAM_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

struct xml_tag {
    const char *name;                  /* without prefix */
    const char *uri;                   /* name space, "" for none */
    unsigned depth;                    /* 0 for the root */
    const unsigned char *const *attrs; /* libxml2's: name, prefix, URI, value, end of it */
    unsigned attr_count;
};

/* Called for the begin and the end of each element; what they return, if not 0, ends the reading.
 * They describe an error without its line, which is put in front of it. */
struct xml_stream_reader {
    int (*start)(void *arg, const struct xml_tag *tag, struct err *e);
    int (*end)(void *arg, unsigned depth, struct err *e);
};

/* Reads a document of at most MAX bytes. ERR_XML with the line, ERR_XML_ENTITY, ERR_LIMIT,
 * ERR_UNSUPPORTED (encoding), or what a callback returned. Prints nothing. */
int xml_stream(const void *data, size_t len, size_t max, const struct xml_stream_reader *reader,
               void *arg, struct err *e) must_check;

bool xml_tag_is(const struct xml_tag *tag, const char *name);

/* The value of an attribute without prefix: not terminated, valid during the callback; NULL when
 * there is none. */
const char *xml_tag_attr(const struct xml_tag *tag, const char *name, size_t *len);

/* The value as a decimal number of at most MAX into *out, which is 0 when there is no such
 * attribute: 1 if there is one, 0 if not, ERR_CORRUPT for anything else. */
int xml_tag_number(const struct xml_tag *tag, const char *name, uint64_t max, uint64_t *out,
                   struct err *e) must_check;

#endif
