/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Endings that were seen are kept in an index of names. See appx_types_write.h. */
#include "config.h"

#include "src/appx_types_write.h"

#include <string.h>

#include "src/list.h"
#include "src/name_index.h"
#include "src/pool.h"
#include "src/xml.h"

#define UNKNOWN    "application/octet-stream"
#define ENDING_MAX 32u /* longer ones are no endings */

/* As makeappx has them; the rest is octets. */
static const struct {
    const char *ending, *type;
} known[] = {
    { "dll", "application/x-msdownload" }, { "exe", "application/x-msdownload" },
    { "gif", "image/gif" },                { "htm", "text/html" },
    { "html", "text/html" },               { "ico", "image/vnd.microsoft.icon" },
    { "jpeg", "image/jpeg" },              { "jpg", "image/jpeg" },
    { "png", "image/png" },                { "txt", "text/plain" },
    { "xml", "text/xml" },                 { "zip", "application/x-zip-compressed" },
};

static const struct {
    const char *part, *type;
} overrides[] = {
    { "/AppxManifest.xml", "application/vnd.ms-appx.manifest+xml" },
    { "/AppxBlockMap.xml", "application/vnd.ms-appx.blockmap+xml" },
    { "/AppxSignature.p7x", "application/vnd.ms-appx.signature" },
    { "/AppxMetadata/CodeIntegrity.cat", "application/vnd.ms-pkiseccat" },
};

struct types_writer {
    struct xml_out text;
    struct name_index *seen;
    struct pool *pool; /* of the endings */
    uint32_t count;
};

int types_writer_new(struct types_writer **out, struct err *e)
{
    struct types_writer *w = calloc(1, sizeof *w);
    int rc = w ? name_index_new(&w->seen, e) : err_nomem(e);

    if (!rc && !(w->pool = pool_new()))
        rc = err_nomem(e);
    if (rc) {
        types_writer_free(w);
        return rc;
    }
    xml_put(&w->text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\r\n"
            "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">");
    *out = w;
    return 0;
}

void types_writer_free(struct types_writer *w)
{
    if (!w)
        return;
    name_index_free(w->seen);
    pool_free(w->pool);
    free(w->text.text);
    free(w);
}

static const char *type_of(const char *ending)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!strcmp(known[i].ending, ending))
            return known[i].type;
    return UNKNOWN;
}

static void put_element(struct xml_out *o, const char *element, const char *by, const char *value,
                        const char *type)
{
    xml_put(o, "<");
    xml_put(o, element);
    xml_put_attr(o, by, value);
    xml_put_attr(o, "ContentType", type);
    xml_put(o, "/>");
}

/* A part without an ordinary ending has its type by its name. */
static int add_override(struct types_writer *w, const char *name, struct err *e)
{
    size_t len = strlen(name);
    auto_free char *path = malloc(len + 2);

    if (!path)
        return err_nomem(e);
    path[0] = '/';
    memcpy(path + 1, name, len + 1);
    put_element(&w->text, "Override", "PartName", path, UNKNOWN);
    return 0;
}

/* The ending of NAME in lower case, or false when it has none that is letters and digits alone. */
static bool ending_of(const char *name, char out[ENDING_MAX + 1])
{
    const char *slash = strrchr(name, '/'), *dot = strrchr(slash ? slash : name, '.');
    size_t len = dot ? strlen(dot + 1) : 0;

    if (!len || len > ENDING_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = dot[1 + i];
        bool upper = c >= 'A' && c <= 'Z';
        if (!upper && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
            return false;
        out[i] = upper ? (char)(c - 'A' + 'a') : c;
    }
    out[len] = '\0';
    return true;
}

int types_add_part(struct types_writer *w, const char *name, struct err *e)
{
    char ending[ENDING_MAX + 1];
    uint32_t found;

    if (!ending_of(name, ending))
        return add_override(w, name, e);
    if (name_index_find(w->seen, 0, ending, strlen(ending)) != NAME_INDEX_NONE)
        return 0;
    const char *kept = pool_strndup(w->pool, ending, strlen(ending));
    int rc = kept ? name_index_add(w->seen, 0, kept, strlen(kept), w->count++, &found, e)
                  : err_nomem(e);
    if (!rc)
        put_element(&w->text, "Default", "Extension", kept, type_of(kept));
    return rc;
}

int types_write_finish(struct types_writer *w, char **out, size_t *len, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(overrides); i++)
        put_element(&w->text, "Override", "PartName", overrides[i].part, overrides[i].type);
    xml_put(&w->text, "</Types>");
    return xml_finish(&w->text, out, len, e);
}
