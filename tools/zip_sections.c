/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Archives in numbers. See zip_sections.h. */
#include "config.h"

#include "tools/zip_sections.h"

#include <inttypes.h>

#include "src/appx_parts.h"
#include "src/container.h"
#include "src/zip.h"

#define READ_MAX (UINT64_C(64) << 20)

struct sections {
    void (*line)(void *arg, const char *text);
    void *arg;
};

static int feed(struct source *s, struct container_input *in, struct byte_range want, struct err *e)
{
    if (want.length > READ_MAX)
        return err_set(e, ERR_LIMIT, "%" PRIu64 " bytes at %" PRIu64 " would have to be read", want.length,
                       want.offset);
    size_t len = (size_t)want.length;
    auto_free void *bytes = malloc(len);
    if (!bytes)
        return err_nomem(e);
    int rc = source_read_sync(s, want.offset, bytes, len, e);
    return rc ? rc : container_input_add(in, want.offset, bytes, len, len, e);
}

/* Its first bytes, to know whether it is an archive, then what its directory needs. */
static int read_directory(struct source *s, struct container_input *in, bool *is_zip,
                          struct zip_directory *out, struct err *e)
{
    struct byte_range want = { 0, min_u64(in->size, CONTAINER_HEAD_BYTES) };
    int rc = in->size ? feed(s, in, want, e) : 0;

    *is_zip = !rc && zip_begins(in);
    if (!*is_zip)
        return rc;
    while ((rc = zip_need(in, &want, e)) == 1)
        if ((rc = feed(s, in, want, e)))
            return rc;
    return rc ? rc : zip_read(in, out, e);
}

static bool is_part(const struct appx_parts *parts, const struct zip_entry *entry)
{
    for (size_t i = 0; i < APPX_PARTS; i++)
        if (parts->entries[i] == entry)
            return true;
    return false;
}

static void describe_entry(const struct sections *s, const char *name, const struct zip_entry *z)
{
    container_line(s->line, s->arg,
                   "%s: at %" PRIu64 ", method %u, flags 0x%x, %" PRIu64 " bytes stored, %" PRIu64
                   " decoded", name, z->local, z->method, z->flags, z->csize, z->size);
}

static void describe(const struct sections *s, const struct zip_directory *d)
{
    struct appx_parts parts;
    uint32_t stored = 0, deflated = 0, other = 0, descriptors = 0;

    container_line(s->line, s->arg,
                   "its directory: %" PRIu32 " entries, %" PRIu64 " bytes at %" PRIu64 "%s", d->count,
                   d->length, d->offset, d->zip64 ? ", ZIP64" : "");
    if (d->prefix)
        container_line(s->line, s->arg, "%" PRIu64 " bytes are before the archive", d->prefix);
    appx_parts_find(d, APPX_PARTS_ALL, &parts);
    for (enum appx_part i = 0; i < APPX_PARTS; i++)
        if (parts.entries[i])
            describe_entry(s, appx_part_name(i), parts.entries[i]);
        else
            container_line(s->line, s->arg, "%s: none", appx_part_name(i));
    for (uint32_t i = 0; i < d->count; i++) {
        const struct zip_entry *z = &d->entries[i];
        if (is_part(&parts, z))
            continue;
        ++*(z->method == ZIP_STORED ? &stored : z->method == ZIP_DEFLATED ? &deflated : &other);
        descriptors += z->flags & ZIP_FLAG_DESCRIPTOR ? 1 : 0;
    }
    container_line(s->line, s->arg,
                   "other entries: %" PRIu32 " stored, %" PRIu32 " deflated, %" PRIu32
                   " of another method; %" PRIu32 " with their sizes behind the data",
                   stored, deflated, other, descriptors);
}

void zip_sections(struct source *s, void (*line)(void *arg, const char *text), void *arg)
{
    const struct sections sections = { line, arg };
    struct container_input in = { .size = source_size(s) };
    struct zip_directory d = { 0 };
    struct err e = { 0 };
    bool is_zip;
    int rc = read_directory(s, &in, &is_zip, &d, &e);

    if (is_zip && rc)
        container_line(line, arg, "its directory cannot be read: %s", e.text);
    else if (is_zip)
        describe(&sections, &d);
    zip_directory_free(&d);
    container_input_clear(&in);
}
