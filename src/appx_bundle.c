/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bundle manifest reader. See appx_bundle.h. */
#include "config.h"

#include "src/appx_bundle.h"

#include <string.h>
#include <strings.h>

#include "src/appx_xml.h"
#include "src/name_index.h"
#include "src/opc_name.h"

/* 0 when there is no such attribute. */
static int read_number(struct xml_reader *r, const xmlNode *node, const char *name, uint64_t *out,
                       struct err *e)
{
    const char *text = xml_keep_attr(r, node, name);
    uint64_t n = 0;

    for (const char *p = text; *p; p++)
        if (*p < '0' || *p > '9' || mul_overflows(n, 10u, &n) ||
            add_overflows(n, (uint64_t)(*p - '0'), &n) || n > INT64_MAX)
            return err_set(e, ERR_CORRUPT, "%s is not a number that can be", name);
    *out = n;
    return 0;
}

/* Unlike other strings the name is changed, so it is not one of the shared empty ones. */
static int read_file_name(struct xml_reader *r, const xmlNode *node, const char **out,
                          struct err *e)
{
    const char *found = xml_keep_attr(r, node, "FileName");
    char *name = r->no_memory ? NULL : pool_strndup(r->pool, found, strlen(found));
    if (!name)
        return err_nomem(e);
    *out = name;
    return opc_name_from_windows(name, strlen(name), e);
}

static int read_one(struct xml_reader *r, const xmlNode *node, struct appx_bundle_package *p,
                    struct err *e)
{
    uint64_t end;
    int rc = read_file_name(r, node, &p->file_name, e);
    if (!rc)
        rc = read_number(r, node, "Offset", &p->offset, e);
    if (!rc)
        rc = read_number(r, node, "Size", &p->size, e);
    if (rc)
        return rc;
    if (add_overflows(p->offset, p->size, &end) || end > INT64_MAX)
        return err_set(e, ERR_CORRUPT, "Offset and Size are too large");
    p->type = xml_keep_attr(r, node, "Type");
    if (!*p->type)
        p->type = "resource"; /* the schema's default */
    p->is_application = !strcasecmp(p->type, "application");
    p->version = xml_keep_attr(r, node, "Version");
    p->architecture = xml_keep_attr(r, node, "Architecture");
    if (!*p->architecture && p->is_application)
        p->architecture = "neutral";
    p->resource_id = xml_keep_attr(r, node, "ResourceId");
    p->resources = appx_read_resources(r, node, &p->resource_count);
    return 0;
}

static int read_packages(struct xml_reader *r, const xmlNode *first, struct appx_bundle *b,
                         struct name_index *names, struct err *e)
{
    size_t n = 0;

    for (const xmlNode *at = first; at; at = xml_next(at, "Package"))
        n++;
    struct appx_bundle_package *all = appx_list(r, n, sizeof *all);
    if (!all)
        return err_nomem(e);
    b->packages = all;
    for (const xmlNode *at = first; at; at = xml_next(at, "Package")) {
        struct appx_bundle_package *p = &all[b->package_count];
        uint32_t number = (uint32_t)b->package_count++, found = number;
        int rc = read_one(r, at, p, e);
        if (!rc)
            rc = name_index_add(names, 0, p->file_name, strlen(p->file_name), number, &found, e);
        if (!rc && found != number)
            rc = err_set(e, ERR_DUPLICATE_NAME, "\"%.200s\" is listed twice", p->file_name);
        if (rc) {
            err_wrap(e, "line %ld", xmlGetLineNo(at));
            return rc;
        }
    }
    return 0;
}

static int read_bundle(struct xml_reader *r, const xmlNode *root, struct appx_bundle *b,
                       struct err *e)
{
    const xmlNode *identity = xml_child(root, "Identity");
    struct name_index *names = NULL;

    b->identity = appx_read_identity(r, identity);
    if (!*b->identity.name && !r->no_memory)
        return err_set(e, ERR_XML, "line %ld: the bundle has no Identity with a Name",
                       xmlGetLineNo(identity ? identity : root));
    int rc = name_index_new(&names, e);
    if (!rc)
        rc = read_packages(r, xml_child(xml_child(root, "Packages"), "Package"), b, names, e);
    name_index_free(names);
    return !rc && r->no_memory ? err_nomem(e) : rc;
}

int appx_bundle_read(const void *data, size_t len, struct appx_bundle **out, struct err *e)
{
    xmlDoc *doc;
    int rc = xml_parse(data, len, &doc, e);
    if (rc) {
        err_wrap(e, "bundle manifest");
        return rc;
    }

    const xmlNode *root = xmlDocGetRootElement(doc);
    struct xml_reader r = { .pool = pool_new() };
    struct appx_bundle *b = r.pool ? pool_zalloc(r.pool, 1, sizeof *b) : NULL;
    if (!b)
        rc = err_nomem(e);
    else if (!xml_is(root, "Bundle"))
        rc = err_set(e, ERR_XML, "the root element is %.60s, not Bundle", (const char *)root->name);
    else
        rc = read_bundle(&r, root, b, e);
    xmlFreeDoc(doc);
    if (rc) {
        err_wrap(e, "bundle manifest");
        pool_free(r.pool);
        return rc;
    }
    b->storage = r.pool;
    *out = b;
    return 0;
}

void appx_bundle_free(struct appx_bundle *b)
{
    if (b)
        pool_free(b->storage);
}
