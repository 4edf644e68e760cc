/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packages in a bundle. See appx_inner.h. */
#include "config.h"

#include "src/appx_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/name_index.h"
#include "src/opc_name.h"

/* What this machine runs, best first. */
#if defined(__x86_64__)
static const char *const native[] = { "x64", "x86", "neutral" };
#elif defined(__i386__)
static const char *const native[] = { "x86", "neutral" };
#elif defined(__aarch64__)
static const char *const native[] = { "arm64", "arm", "neutral" };
#elif defined(__arm__)
static const char *const native[] = { "arm", "neutral" };
#else
static const char *const native[] = { "neutral", "x64", "x86" };
#endif

static const struct appx_bundle_package *find_arch(const struct appx_bundle *b, const char *arch)
{
    for (size_t i = 0; i < b->package_count; i++)
        if (b->packages[i].is_application && !strcasecmp(b->packages[i].architecture, arch))
            return &b->packages[i];
    return NULL;
}

static const struct appx_bundle_package *find_resource(const struct appx_bundle *b, const char *id)
{
    for (size_t i = 0; i < b->package_count; i++)
        if (!b->packages[i].is_application && !strcasecmp(b->packages[i].resource_id, id))
            return &b->packages[i];
    return NULL;
}

static const struct appx_bundle_package *find_part(const struct appx_bundle *b, const char *name)
{
    for (size_t i = 0; i < b->package_count; i++)
        if (!strcmp(b->packages[i].file_name, name))
            return &b->packages[i];
    return NULL;
}

static int refuse(const struct appx_bundle *b, bool application, const char *wanted, struct err *e)
{
    char have[200] = "";
    size_t n = 0, more = 0;

    for (size_t i = 0; i < b->package_count; i++) {
        const struct appx_bundle_package *p = &b->packages[i];
        const char *what = application ? p->architecture : p->resource_id;
        if (p->is_application != application)
            continue;
        if (more || n + strlen(what) + 2 >= sizeof have)
            more++;
        else
            n += (size_t)snprintf(have + n, sizeof have - n, "%s%s", n ? ", " : "", what);
    }
    if (!more)
        return err_set(e, ERR_NOT_FOUND, "the bundle has no %s %s; it has: %s",
                       application ? "application for" : "resource package", wanted, n ? have : "none");
    return err_set(e, ERR_NOT_FOUND, "the bundle has no %s %s; it has: %s and %zu more",
                   application ? "application for" : "resource package", wanted, have, more);
}

static int choose(const struct appx_bundle *b, const struct container_options *o,
                  const struct appx_bundle_package **out, struct err *e)
{
    *out = o->part ? find_part(b, o->part) : NULL;
    if (o->part)
        return *out ? 0 : err_set(e, ERR_NOT_FOUND, "the bundle has no package '%s'", o->part);
    if (o->resource) {
        *out = find_resource(b, o->resource);
        return *out ? 0 : refuse(b, false, o->resource, e);
    }
    if (o->arch && !(*out = find_arch(b, o->arch)))
        *out = find_arch(b, "neutral");
    for (size_t i = 0; !o->arch && !*out && i < ARRAY_LEN(native); i++)
        *out = find_arch(b, native[i]);
    return *out ? 0 : refuse(b, true, o->arch ? o->arch : native[0], e);
}

/* The names in the archive: a bundle may have as many as it likes, and as many packages. */
static int index_entries(const struct zip_directory *d, struct name_index **out, struct err *e)
{
    uint32_t found;
    int rc = name_index_new(out, e);

    for (uint32_t i = 0; i < d->count && !rc; i++)
        rc = name_index_add(*out, 0, d->entries[i].name, d->entries[i].name_len, i, &found, e);
    return rc;
}

/* The entry of NAME, percent-encoded as it should be or not, or NULL; -ENOMEM is NULL, too. */
static const struct zip_entry *find_entry(const struct zip_directory *d, const struct name_index *names,
                                          const char *name)
{
    size_t len = strlen(name);
    auto_free char *encoded = malloc(3 * len + 1);
    uint32_t i = encoded ? name_index_find(names, 0, encoded, opc_name_encode(name, len, encoded))
                         : NAME_INDEX_NONE;

    if (i == NAME_INDEX_NONE)
        i = name_index_find(names, 0, name, len);
    return i == NAME_INDEX_NONE ? NULL : &d->entries[i];
}

/* Whether ENTRY of the archive is where P says. */
static int check_place(const struct zip_entry *entry, const struct appx_bundle_package *p, struct err *e)
{
    if (!entry)
        return err_set(e, ERR_CORRUPT, "'%s' is not in the bundle", p->file_name);
    if (entry->method != ZIP_STORED)
        return err_at(e, ERR_CORRUPT, NULL, entry->local,
                      "'%s' is compressed, which a package in a bundle must not be", p->file_name);
    uint64_t header = p->offset - entry->local;
    if (p->offset < entry->local || header < ZIP_LOCAL_MIN + entry->name_len ||
        header > entry->room || entry->csize > entry->room - header || p->size != entry->csize)
        return err_at(e, ERR_CORRUPT, NULL, entry->local,
                      "'%s' is not where the bundle's manifest says (%" PRIu64 " bytes at %" PRIu64 ")",
                      p->file_name, p->size, p->offset);
    return 0;
}

static int find_inner(const struct container_input *in, const struct zip_directory *d,
                      const struct name_index *names, const struct appx_bundle *bundle,
                      const struct appx_bundle_package **out, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < bundle->package_count && !rc; i++) { /* a bundle is whole, or it is not */
        const struct appx_bundle_package *p = &bundle->packages[i];
        if (p->offset)
            rc = check_place(find_entry(d, names, p->file_name), p, e);
    }
    if (!rc)
        rc = choose(bundle, &in->options, out, e);
    if (rc)
        return rc;
    if ((*out)->offset)
        return 0;
    return find_entry(d, names, (*out)->file_name)
               ? err_set(e, ERR_CORRUPT, "the bundle's manifest does not say where '%s' is",
                         (*out)->file_name)
               : CONTAINER_ELSEWHERE;
}

int appx_inner_find(const struct container_input *in, const struct zip_directory *d,
                    const struct appx_bundle *bundle, const struct appx_bundle_package **out,
                    struct err *e)
{
    struct name_index *names = NULL;
    int rc = index_entries(d, &names, e);

    if (!rc)
        rc = find_inner(in, d, names, bundle, out, e);
    name_index_free(names);
    return rc;
}

struct container_input appx_inner_view(const struct container_input *in, struct byte_range range)
{
    struct container_input view = { .size = range.length, .options = in->options };

    for (unsigned i = 0; i < in->count; i++) {
        const struct container_piece *p = &in->pieces[i];
        uint64_t from = max_u64(p->offset, range.offset);
        uint64_t to = min_u64(p->offset + p->len, range.offset + range.length);
        if (from < to)
            view.pieces[view.count++] =
                (struct container_piece){ .offset = from - range.offset,
                                          .data = p->data + (from - p->offset),
                                          .len = (size_t)(to - from) };
    }
    return view;
}
