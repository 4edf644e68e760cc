/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening a package: feeds a container reader from a source. See open.h. */
#include "config.h"

#include "fetch/open.h"

#include <string.h>
#include <strings.h>

#include "fetch/metadata.h"
#include "fetch/place.h"
#include "fetch/source_streams.h"
#include "src/container.h"
#include "src/log.h"

/* What reading a package needs beside the source. */
struct reading {
    struct source *source;
    struct container_reader *reader;
    package_bytes_fn sink;
    void *arg;
};

static int feed(const struct reading *r, struct byte_range want, struct err *e)
{
    struct source *s = r->source;
    uint64_t end;

    /* The reader promises ranges inside the object; memory is taken on that promise only. */
    if (add_overflows(want.offset, want.length, &end) || end > source_size(s) ||
        want.length > SIZE_MAX)
        return err_at(e, ERR_TRUNCATED, NULL, want.offset, "the package ends before its metadata");
    auto_free uint8_t *bytes = malloc(want.length ? want.length : 1);
    if (!bytes)
        return err_nomem(e);
    int rc = source_read_sync(s, want.offset, bytes, want.length, e);
    if (!rc)
        rc = container_reader_feed(r->reader, want.offset, bytes, want.length, e);
    return rc || !r->sink ? rc : r->sink(r->arg, want.offset, bytes, want.length, e);
}

static int feed_all(const struct reading *r, struct err *e)
{
    struct byte_range want;
    int rc;

    while ((rc = container_reader_next(r->reader, &want, e)) == 1)
        if ((rc = feed(r, want, e)))
            return rc;
    return rc;
}

int package_read(struct source *s, const struct container_options *co, package_bytes_fn sink,
                 void *arg, struct package **out, char **elsewhere, struct err *e)
{
    struct reading r = { .source = s, .sink = sink, .arg = arg };
    int rc = container_reader_new(source_size(s), &r.reader, e);

    *out = NULL;
    if (elsewhere)
        *elsewhere = NULL;
    if (rc)
        return rc;
    if (co)
        container_reader_set_options(r.reader, co);
    rc = feed_all(&r, e);
    const char *name = container_reader_elsewhere(r.reader);
    if (!rc)
        *out = container_reader_take(r.reader);
    else if (rc > 0 && !elsewhere)
        rc = err_set(e, ERR_UNSUPPORTED, "the package is in another file: '%s'", name);
    else if (rc > 0)
        rc = (*elsewhere = strdup(name)) ? 0 : err_nomem(e);
    container_reader_free(r.reader);
    return rc;
}

void package_explain(const char *location, struct err *e)
{
    static const char *const encrypted[] = { ".eappx", ".emsix", ".eappxbundle", ".emsixbundle" };
    size_t len = place_scheme_len(location) ? strcspn(location, "?#") : strlen(location);

    for (size_t i = 0; e && e->kind == ERR_NOT_A_PACKAGE && i < ARRAY_LEN(encrypted); i++) {
        size_t n = strlen(encrypted[i]);
        if (len >= n && !strncasecmp(location + len - n, encrypted[i], n))
            (void)err_set(e, ERR_UNSUPPORTED,
                          "an encrypted package, by its name: only Windows can open it, with its key");
    }
}

/* Opens what is at LOCATION itself. *elsewhere as package_read(), and then no source. */
static int open_one(const char *location, const struct source_options *o, struct container_input *kept,
                    char **elsewhere, struct source **source, struct package **package, struct err *e)
{
    struct source *s;
    int rc = source_open(location, o, CONTAINER_HEAD_BYTES, &s, e);

    if (rc)
        return rc;
    rc = package_read(s, o ? &o->container : NULL, kept ? metadata_keep : NULL, kept, package, elsewhere, e);
    source_drop_head(s);
    if (!rc && *package && (rc = source_streams_add(*package, &s, e)))
        package_free(steal_ptr(package));
    if (rc) {
        package_explain(location, e);
        err_wrap(e, "%s", source_name(s));
    }
    if (*package)
        *source = s;
    else
        source_close(s);
    return rc;
}

int package_open_kept(const char *location, const struct source_options *o, struct container_input *kept,
                      struct source **source, struct package **package, struct err *e)
{
    auto_free char *name = NULL, *beside = NULL;
    int rc = open_one(location, o, kept, &name, source, package, e);

    if (rc || !name)
        return rc;
    beside = place_beside(location, name);
    if (!beside)
        return err_nomem(e);
    log_debug("open", "the bundle leads to a package beside it; file=\"%s\"", name);
    if (kept)
        container_input_clear(kept);
    return open_one(beside, o, kept, NULL, source, package, e);
}

int package_open(const char *location, const struct source_options *o, struct source **source,
                 struct package **package, struct err *e)
{
    return package_open_kept(location, o, NULL, source, package, e);
}
