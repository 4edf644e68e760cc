/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts that several documents of a package have. See appx_xml.h. */
#include "config.h"

#include "src/appx_xml.h"

void *appx_list(struct xml_reader *r, size_t count, size_t size)
{
    void *list = pool_zalloc(r->pool, count, size);
    if (!list)
        r->no_memory = true;
    return list;
}

const char *appx_text(struct xml_reader *r, const xmlNode *node)
{
    return xml_child(node, NULL) ? "" : xml_keep(r, xml_text(node, r->pool));
}

const char *appx_value(struct xml_reader *r, const xmlNode *node, const char *name)
{
    const char *value = xml_keep_attr(r, node, name);
    const xmlNode *child = *value ? NULL : xml_child(node, name);
    return child ? appx_text(r, child) : value;
}

bool appx_is_in(const xmlNode *node, const char *name, const char *parent)
{
    return xml_is(node, name) && xml_is(node->parent, parent);
}

struct appx_identity appx_read_identity(struct xml_reader *r, const xmlNode *node)
{
    return (struct appx_identity){
        .name = xml_keep_attr(r, node, "Name"),
        .publisher = xml_keep_attr(r, node, "Publisher"),
        .version = xml_keep_attr(r, node, "Version"),
        .architecture = xml_keep_attr(r, node, "ProcessorArchitecture"),
        .resource_id = xml_keep_attr(r, node, "ResourceId"),
    };
}

const struct appx_resource *appx_read_resources(struct xml_reader *r, const xmlNode *parent,
                                                size_t *count)
{
    const xmlNode *first = xml_child(xml_child(parent, "Resources"), "Resource");
    size_t n = 0;

    for (const xmlNode *at = first; at; at = xml_next(at, "Resource"))
        n++;
    struct appx_resource *all = appx_list(r, n, sizeof *all);
    *count = 0;
    for (const xmlNode *at = all ? first : NULL; at; at = xml_next(at, "Resource"))
        all[(*count)++] = (struct appx_resource){
            .language = xml_keep_attr(r, at, "Language"),
            .scale = xml_keep_attr(r, at, "Scale"),
            .dx_level = xml_keep_attr(r, at, "DXFeatureLevel"),
        };
    return all;
}
