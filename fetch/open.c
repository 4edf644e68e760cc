/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening a package: feeds a container reader from a source. See open.h. */
#include "config.h"

#include "fetch/open.h"

#include "fetch/source_streams.h"
#include "src/container.h"

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

int package_read(struct source *s, const struct container_options *co, package_bytes_fn sink,
                 void *arg, struct package **out, struct err *e)
{
    struct reading r = { .source = s, .sink = sink, .arg = arg };
    struct byte_range want;
    int rc = container_reader_new(source_size(s), &r.reader, e);

    if (rc)
        return rc;
    if (co)
        container_reader_set_options(r.reader, co);
    while ((rc = container_reader_next(r.reader, &want, e)) > 0) {
        rc = feed(&r, want, e);
        if (rc)
            break;
    }
    if (!rc)
        *out = container_reader_take(r.reader);
    container_reader_free(r.reader);
    return rc;
}

int package_open(const char *location, const struct source_options *o, struct source **source,
                 struct package **package, struct err *e)
{
    struct source *s;
    int rc = source_open(location, o, CONTAINER_HEAD_BYTES, &s, e);

    if (rc)
        return rc;
    rc = package_read(s, o ? &o->container : NULL, NULL, NULL, package, e);
    source_drop_head(s);
    if (!rc && (rc = source_streams_add(*package, &s, e)))
        package_free(steal_ptr(package));
    if (rc) {
        err_wrap(e, "%s", source_name(s));
        source_close(s);
        return rc;
    }
    *source = s;
    return 0;
}
