/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the manifests of packages and of bundles have in common. Private to their readers. */
#ifndef SRC_APPX_XML_H
#define SRC_APPX_XML_H

#include "src/appx_manifest.h"
#include "src/xml.h"

/* COUNT * SIZE bytes of the pool, or NULL with the lack of memory noted. */
void *appx_list(struct xml_reader *r, size_t count, size_t size);

/* The text in an element; "" if it has other elements in it, so that no text is taken twice. */
const char *appx_text(struct xml_reader *r, const xmlNode *node);

/* The value of an attribute or, if there is none of that name, the text of such a child. */
const char *appx_value(struct xml_reader *r, const xmlNode *node, const char *name);

/* NODE is an element called NAME whose parent is one called PARENT. */
bool appx_is_in(const xmlNode *node, const char *name, const char *parent);

struct appx_identity appx_read_identity(struct xml_reader *r, const xmlNode *node);

/* The Resource elements in the first Resources child of PARENT; how many go to *count. */
const struct appx_resource *appx_read_resources(struct xml_reader *r, const xmlNode *parent,
                                                size_t *count);

#endif
