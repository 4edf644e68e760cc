/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From an OSD, a manifest or a package to the package's location. See target.h. A document is read
 * whole, with a cap, through the same sources as packages, so that it may be on a web server.
 */
#include "config.h"

#include "tools/target.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fetch/href.h"
#include "fetch/http_url.h"
#include "src/manifest.h"
#include "src/osd.h"

#define HEAD_BYTES         4096u
#define DOCUMENT_BYTES_MAX (16u << 20)

struct finder {
    const struct source_options *connection;
    const struct target_options *options;
    struct target *out;
};

void target_free(struct target *t)
{
    for (size_t i = 0; i < t->location_count; i++)
        free(t->locations[i]);
    for (size_t i = 0; i < t->app_count; i++) {
        free(t->apps[i].name);
        free(t->apps[i].filename);
        free(t->apps[i].parameters);
        free(t->apps[i].working_dir);
    }
    free(t->apps);
    free(t->name);
    free(t->document);
    *t = (struct target){ 0 };
}

/* Whether these first bytes can only be a document: '<' after a byte order mark and white space, in
 * UTF-8 or UTF-16. No container begins like that. */
static bool looks_like_xml(const uint8_t *p, size_t len)
{
    size_t i = len >= 3 && !memcmp(p, "\xef\xbb\xbf", 3) ? 3 : 0;

    if (len >= 2 && (!memcmp(p, "\xff\xfe", 2) || !memcmp(p, "\xfe\xff", 2)))
        return true;
    for (; i < len && (!p[i] || p[i] == ' ' || p[i] == '\t' || p[i] == '\r' || p[i] == '\n'); i++)
        ;
    return i < len && p[i] == '<';
}

/* Reads LOCATION if it is a document: 1 and the bytes (caller frees), 0 if it is something else. */
static int read_document(const char *location, const struct source_options *connection,
                         bool offline, uint8_t **data, size_t *len, struct err *e)
{
    auto_free uint8_t *bytes = NULL;
    uint8_t head[HEAD_BYTES];
    struct source *source;
    uint64_t size;
    size_t n;
    int rc;

    if (offline && http_url_matches(location))
        return err_set(e, ERR_OFFLINE, "offline: documents on web servers cannot be read");
    rc = source_open(location, connection, HEAD_BYTES, &source, e);
    if (rc)
        return rc;
    size = source_size(source);
    n = (size_t)min_u64(size, HEAD_BYTES);
    rc = n ? source_read_sync(source, 0, head, n, e) : 0;
    if (!rc && looks_like_xml(head, n)) {
        bytes = size <= DOCUMENT_BYTES_MAX ? malloc((size_t)size + 1) : NULL;
        if (size > DOCUMENT_BYTES_MAX)
            rc = err_set(e, ERR_LIMIT, "the document has %llu bytes, more than %u are not read",
                         (unsigned long long)size, DOCUMENT_BYTES_MAX);
        else if (!bytes)
            rc = err_nomem(e);
        else
            rc = source_read_sync(source, 0, bytes, (size_t)size, e);
        if (!rc) {
            *data = steal_ptr(&bytes);
            *len = (size_t)size;
            rc = 1;
        }
    }
    source_close(source);
    return rc;
}

/* What relative places in a document refer to: the URL itself, or the directory of a local path. */
static int base_of(const char *location, const struct source_options *connection, char **out,
                   struct err *e)
{
    char *slash;
    int rc;

    if (href_has_scheme(location, "http") || href_has_scheme(location, "https")) {
        *out = strdup(location);
        return *out ? 0 : err_nomem(e);
    }
    rc = href_local_path(location, connection->unc_map, NULL, out, e);
    if (rc)
        return rc;
    slash = strrchr(*out, '/');
    if (slash) {
        slash[slash == *out ? 1 : 0] = '\0';
        return 0;
    }
    free(*out);
    *out = strdup(".");
    return *out ? 0 : err_nomem(e);
}

static int set_text(char **to, const char *text, struct err *e)
{
    free(*to);
    *to = strdup(text);
    return *to ? 0 : err_nomem(e);
}

/* Takes PLACE, unless it is there already. */
static void add_location(struct target *t, char **place)
{
    for (size_t i = 0; i < t->location_count; i++)
        if (!strcmp(t->locations[i], *place))
            return;
    t->locations[t->location_count++] = steal_ptr(place);
}

/*
 * Where HREF leads with HOW, into F->out. Behind an OverrideURL on a web server, the HREF is a
 * place too, if it can be one. Not so behind a path: who has the package here wants to be
 * independent of servers.
 */
static int find_places(const struct finder *f, const char *href, struct href_options how,
                       struct err *e)
{
    auto_free char *first = NULL, *second = NULL;
    bool overridden = how.override_url && how.override_url[0] && !(how.source && how.source[0]);
    int rc = href_resolve(href, &how, &first, e);

    if (rc)
        return f->options->mirrored ? 0 : rc;
    overridden = overridden && http_url_matches(first);
    add_location(f->out, &first);
    how.override_url = NULL;
    if (overridden && !href_resolve(href, &how, &second, NULL) && source_is_supported(second))
        add_location(f->out, &second);
    return 0;
}

static int make_room(struct target *t, size_t more, struct err *e)
{
    struct target_app *apps = realloc(t->apps, (t->app_count + more) * sizeof *apps);

    if (!apps)
        return err_nomem(e);
    t->apps = apps;
    return 0;
}

static int add_app(struct target *t, const struct osd *osd, struct err *e)
{
    int rc = make_room(t, 1, e);

    if (rc)
        return rc;
    struct target_app *app = &t->apps[t->app_count++];
    *app = (struct target_app){ strdup(osd->name), strdup(osd->codebase.filename),
                                strdup(osd->codebase.parameters), strdup(osd->working_dir) };
    return app->name && app->filename && app->parameters && app->working_dir ? 0 : err_nomem(e);
}

/* FROM has none afterwards. */
static int move_apps(struct target *to, struct target *from, struct err *e)
{
    int rc = make_room(to, from->app_count, e);

    if (rc || !from->app_count)
        return rc;
    memcpy(to->apps + to->app_count, from->apps, from->app_count * sizeof *from->apps);
    to->app_count += from->app_count;
    from->app_count = 0;
    return 0;
}

/* An OSD, read from LOCATION: resolves its CODEBASE into F->out. */
static int from_osd(const struct finder *f, const char *location, const struct osd *osd,
                    struct err *e)
{
    auto_free char *base = NULL;
    struct href_options how = {
        .source = f->options->source,
        .override_url = f->options->override_url,
        .source_root = f->options->source_root,
    };
    const char *guid = osd->codebase.guid;
    struct target *out = f->out;
    int rc;

    rc = base_of(location, f->connection, &base, e);
    if (rc)
        return rc;
    how.base = base;
    rc = find_places(f, osd->codebase.href, how, e);
    if (rc)
        return rc;
    if (guid[0] && guid_parse(guid, &out->guid))
        return err_set(e, ERR_XML, "the GUID of the CODEBASE is not one: '%s'", guid);
    out->has_guid = guid[0] && !guid_is_zero(&out->guid);
    rc = add_app(out, osd, e);
    if (!rc)
        rc = set_text(&out->name, osd->name, e);
    return rc ? rc : set_text(&out->document, location, e);
}

static int read_osd(const struct finder *f, const char *location, struct err *e)
{
    auto_free uint8_t *data = NULL;
    struct osd *osd;
    size_t len;
    int rc;

    rc = read_document(location, f->connection, f->options->offline, &data, &len, e);
    if (rc < 0)
        return rc;
    if (!rc)
        return err_set(e, ERR_XML, "not an OSD");
    rc = osd_read(data, len, &osd, e);
    if (rc)
        return rc;
    rc = from_osd(f, location, osd, e);
    osd_free(osd);
    return rc;
}

static bool chosen(const struct manifest_app *app, const char *wanted)
{
    auto_free char *file = NULL;
    size_t n = strlen(wanted);

    if (!wanted[0] || !strcasecmp(app->name, wanted))
        return true;
    if (href_file_name(app->osd, &file, NULL))
        return false;
    return !strcasecmp(file, wanted) ||
           (!strncasecmp(file, wanted, n) && !strcasecmp(file + n, ".osd"));
}

/* The OSD where the manifest says, or else beside the manifest, where copies of both are kept. */
static int app_target(const struct finder *f, const char *base, const struct manifest_app *app,
                      struct err *e)
{
    auto_free char *place = NULL, *file = NULL, *beside = NULL;
    const struct href_options how = { .base = base };
    struct err second = { 0 };
    int rc;

    rc = href_resolve(app->osd, &how, &place, e);
    if (!rc)
        rc = read_osd(f, place, e);
    if (!rc)
        return 0;
    if (href_file_name(app->osd, &file, NULL) || href_resolve(file, &how, &beside, NULL) ||
        (place && !strcmp(place, beside)))
        return rc;
    /* The first failure is the one worth telling, unless the second place has a real OSD. */
    return read_osd(f, beside, &second) ? rc : 0;
}

static bool same_place(const struct target *a, const struct target *b)
{
    if (!a->location_count || !b->location_count)
        return a->location_count == b->location_count;
    return !strcmp(a->locations[0], b->locations[0]);
}

static bool same_package(const struct target *a, const struct target *b)
{
    if (a->has_guid && b->has_guid)
        return guid_equal(&a->guid, &b->guid) && same_place(a, b);
    return same_place(a, b);
}

static int refuse_choice(const struct manifest *m, const char *wanted, bool found, struct err *e)
{
    char names[300] = "";
    size_t at = 0;

    for (size_t i = 0; i < m->app_count && at < sizeof names - 1; i++)
        at +=
            (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", m->apps[i].name);
    if (!m->app_count)
        return err_set(e, ERR_NO_CODEBASE, "the manifest lists no applications");
    if (found)
        return err_set(e, ERR_INVALID,
                       "the applications are in different packages; choose one with --app: %s",
                       names);
    return err_set(e, ERR_NOT_FOUND, "no application '%s'; there are: %s", wanted, names);
}

static int from_manifest(const struct finder *f, const char *location, const struct manifest *m,
                         struct err *e)
{
    const char *wanted = f->options->app ? f->options->app : "";
    auto_free char *base = NULL;
    struct err first_error = { 0 };
    struct target best = { 0 };
    bool different = false, has_best = false;
    int rc = base_of(location, f->connection, &base, e), first_rc = 0;

    for (size_t i = 0; !rc && i < m->app_count && !different; i++) {
        struct target one = { 0 };
        struct finder inner = { f->connection, f->options, &one };
        struct err error = { 0 };
        int one_rc;

        if (!chosen(&m->apps[i], wanted))
            continue;
        one_rc = app_target(&inner, base, &m->apps[i], &error);
        if (one_rc && !first_rc) {
            first_rc = one_rc;
            first_error = error;
            err_wrap(&first_error, "%s", m->apps[i].osd);
        }
        if (!one_rc && !has_best) {
            has_best = true;
            best = one;
            one = (struct target){ 0 };
        } else if (!one_rc) {
            different = !same_package(&best, &one);
            rc = move_apps(&best, &one, e);
        }
        target_free(&one);
    }
    if (rc) {
        target_free(&best);
        return rc;
    }
    if (has_best && !different) {
        target_free(f->out);
        *f->out = best;
        return 0;
    }
    target_free(&best);
    if (first_rc && !different) {
        if (e)
            *e = first_error;
        return first_rc;
    }
    return refuse_choice(m, wanted, different, e);
}

/* An OSD or a manifest: tried as the one, then as the other. */
static int from_document(const struct finder *f, const char *location, const uint8_t *data,
                         size_t len, struct err *e)
{
    struct err manifest_error = { 0 };
    struct manifest *m;
    struct osd *osd;
    int rc;

    rc = osd_read(data, len, &osd, e);
    if (!rc) {
        rc = from_osd(f, location, osd, e);
        osd_free(osd);
        return rc;
    }
    /* Anything but "not an OSD" is about an OSD, and the manifest reader would say less. */
    if (!e || e->kind != ERR_XML || manifest_read(data, len, &m, &manifest_error))
        return rc;
    rc = from_manifest(f, location, m, e);
    manifest_free(m);
    return rc;
}

/* Whether NAMED, which cannot be read, may be a package all the same. */
static bool may_be_package(const char *named, const struct target_options *o, enum err_kind kind)
{
    switch (kind) {
    case ERR_OFFLINE:
        return true;
    case ERR_NETWORK:
    case ERR_TIMEOUT:
    case ERR_HTTP_STATUS:
        return o->mirrored || !href_names_document(named);
    case ERR_NO_MEMORY:
    case ERR_INVALID:
    case ERR_CANCELLED:
        return false;
    default:
        return o->mirrored;
    }
}

static int from_package(struct target *out, const char *named, struct err *e)
{
    auto_free char *place = strdup(named);

    if (!place)
        return err_nomem(e);
    add_location(out, &place);
    int rc = set_text(&out->name, "", e);
    return rc ? rc : set_text(&out->document, "", e);
}

int target_find(const char *named, const struct source_options *connection,
                const struct target_options *o, struct target *out, struct err *e)
{
    struct source_options patience = *connection;
    struct finder f = { connection, o, out };
    auto_free uint8_t *data = NULL;
    struct err own = { 0 };
    size_t len;
    int rc;

    *out = (struct target){ 0 };
    /* What looks like a package is asked for once: whoever opens it tries again. */
    patience.once = !href_names_document(named);
    rc = read_document(named, &patience, o->offline, &data, &len, &own);
    if (rc > 0)
        rc = from_document(&f, named, data, len, &own);
    else if (!rc || may_be_package(named, o, own.kind))
        rc = from_package(out, named, &own);
    if (rc && e)
        *e = own;
    return rc;
}
