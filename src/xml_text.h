/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes of an XML document from outside, on their way to libxml2: which encoding they are in,
 * and the limits that must be kept before it sees them. UTF-16 is decoded here and a declared
 * encoding is checked against a list, so that everything behind sees ASCII-compatible bytes.
 * libxml2 2.9 compares the attributes of one element pairwise and builds the whole tag before it
 * calls anybody, hence the look at the raw bytes.
 */
#ifndef SRC_XML_TEXT_H
#define SRC_XML_TEXT_H

#include <stdint.h>

#include <libxml/xmlerror.h>

#include "src/compiler.h"
#include "src/err.h"

#define XML_TAG_ATTR_MAX 1024u /* attributes of one element */

struct xml_text {
    const uint8_t *bytes; /* behind a byte order mark */
    size_t len, at;
    const char *encoding; /* what libxml2 is to believe, NULL for what the document says */
    bool utf16, big;
    bool equals;   /* the check stands behind an equals sign */
    uint32_t high; /* first half of a surrogate pair, 0 = none */
    size_t attributes, line;
};

/* Finds the encoding. ERR_XML (empty, or half a character), ERR_UNSUPPORTED. DATA stays borrowed.
 */
int xml_text_open(const void *data, size_t len, struct xml_text *t, struct err *e) must_check;

/* What libxml2 finds wrong, as an error of ours with the line. Returns what err_set() does. */
int xml_text_fault(const xmlError *fault, struct err *e);

/* Why there must be no document type. */
#define XML_NO_DOCTYPE                                                                            \
    "document type declarations are not accepted, because they can declare entities"

/* The next bytes, decoded and checked: how many, 0 at the end. SIZE is 4 or more. */
long xml_text_read(struct xml_text *t, char *out, size_t size, struct err *e) must_check;

/* The checks alone, for bytes that are passed on as they are. ERR_XML, ERR_LIMIT. */
int xml_text_check(struct xml_text *t, const char *text, size_t len, struct err *e) must_check;

#endif
