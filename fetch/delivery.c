/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From locations to an engine that serves. See delivery.h. */
#include "config.h"

#include "fetch/delivery.h"

#include <string.h>

#include "fetch/cache_package.h"
#include "fetch/http_url.h"
#include "fetch/metadata.h"
#include "fetch/open.h"
#include "fetch/origin.h"
#include "fetch/place.h"
#include "fetch/source_streams.h"
#include "src/container.h"
#include "src/log.h"

#define LOG "delivery"

enum {
    HEAD_BYTES = 4096, /* tell one version from another: an SFT's root hash is in them */
};

/* --- the cached version ------------------------------------------------------------------------ */

/* A version in the disk cache, opened from there. */
struct cached {
    struct package *package; /* NULL: there is none */
    uint8_t head[HEAD_BYTES];
    size_t head_len;
    char *beside; /* its name beside the locations, or NULL: it is what they lead to */
};

static int read_cached(struct cached *c, const struct delivery_options *o, const char *path,
                       struct err *e)
{
    struct source_options file = { .io_timeout_ms = 0 };
    struct source *source;

    if (o->connection)
        file.container = o->connection->container;
    int rc = package_open(path, &file, &source, &c->package, e);

    if (rc)
        return rc;
    c->head_len = (size_t)min_u64(source_size(source), HEAD_BYTES);
    rc = source_read_sync(source, 0, c->head, c->head_len, e);
    source_close(source);
    if (!rc && !cache_is_version(path, c->package))
        rc = err_set(e, ERR_CORRUPT, "%s: holds another version than it should", path);
    if (rc) {
        package_free(c->package);
        c->package = NULL;
    }
    return rc;
}

/* Whether the cached package at PATH is sound, although it is not the one that was asked for: a bundle has
 * several, and each is a version of its own. */
static bool is_another(struct cache_dir *dir, const char *path)
{
    char name[CACHE_NAME_SIZE];
    struct package *p = NULL;

    bool sound = cache_version_of(path, name) && !cache_package_open(dir, name, &p, NULL) &&
                 *package_info(p)->part;
    package_free(p);
    return sound;
}

/* The version that one of the locations led to last, else the newest of the package. */
static void find_cached(struct cache_dir *dir, const struct delivery_options *o, struct cached *out)
{
    struct err e;

    for (size_t i = 0; i <= o->location_count && !out->package; i++) {
        const char *location = i < o->location_count ? o->locations[i] : NULL;
        auto_free char *path = NULL;

        if ((!location && !o->package_guid) ||
            cache_lookup(dir, location, location ? NULL : o->package_guid, &path, &e))
            continue;
        int rc = read_cached(out, o, path, &e);
        if (rc && is_another(dir, path))
            continue;
        if (rc) {
            log_warning(LOG, "the cached package cannot be used: %s; error=%s", e.text,
                        err_kind_name(e.kind));
            cache_lookup_failed(dir, path);
        } else if (cache_beside(dir, path, &out->beside, &e)) {
            log_warning(LOG, "%s; error=%s", e.text, err_kind_name(e.kind));
        }
    }
}

/* --- opening ----------------------------------------------------------------------------------- */

static bool is_plain_file(const struct delivery_options *o)
{
    return o->location_count == 1 && !http_url_matches(o->locations[0]);
}

/* Whether a server that fails so may be absent for a while. What it says itself, that the package is
 * not there or not for us, holds. */
static bool is_absence(enum err_kind kind)
{
    return kind == ERR_NETWORK || kind == ERR_TIMEOUT || kind == ERR_HTTP_STATUS;
}

static void free_locations(char **locations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(locations[i]);
    free(locations);
}

/* The locations of NAME beside those of O; NULL without memory. */
static char **locations_beside(const struct delivery_options *o, const char *name)
{
    char **locations = calloc(o->location_count, sizeof *locations);

    for (size_t i = 0; locations && i < o->location_count; i++)
        if (!(locations[i] = place_beside(o->locations[i], name))) {
            free_locations(locations, o->location_count);
            return NULL;
        }
    return locations;
}

/* The origin, without asking anybody: for the object whose first bytes are known. */
static int open_absent(const struct delivery_options *o, const struct cached *cached,
                       struct source **out, struct err *e)
{
    char **beside = cached->beside ? locations_beside(o, cached->beside) : NULL;
    const struct origin_options absent = {
        .locations = beside ? (const char *const *)beside : o->locations,
        .count = o->location_count,
        .connection = o->connection,
        .offline = o->offline,
        .allow_absent = true,
        .size = package_info(cached->package)->container_bytes,
        .head = cached->head,
        .head_len = cached->head_len,
    };

    int rc = cached->beside && !beside ? err_nomem(e) : origin_open(&absent, 0, out, e);
    if (beside)
        free_locations(beside, o->location_count);
    return rc;
}

/* Asks the places. With a cached version to fall back on, less patiently. */
static int ask(const struct delivery_options *o, const struct cached *cached, struct source **out,
               struct err *e)
{
    const struct origin_options asked = {
        .locations = o->locations,
        .count = o->location_count,
        .connection = o->connection,
        .impatient = cached->package != NULL,
    };

    return origin_open(&asked, cached->package ? HEAD_BYTES : CONTAINER_HEAD_BYTES, out, e);
}

/* Whether S holds the cached version. */
static bool is_cached_version(struct source *s, const struct cached *c)
{
    uint8_t head[HEAD_BYTES];

    return c->package && source_size(s) == package_info(c->package)->container_bytes &&
           source_size(s) >= c->head_len &&
           !source_read_sync(s, 0, head, c->head_len, NULL) &&
           !memcmp(head, c->head, c->head_len);
}

static int open_offline(const struct delivery_options *o, struct delivery *d, struct cached *cached,
                        struct err *e)
{
    if (!cached->package)
        return err_set(e, ERR_OFFLINE,
                       "offline, and the package is not in the disk cache; mount it once with the "
                       "network, or use 'sft cache load' or 'sft cache import'");
    int rc = open_absent(o, cached, &d->source, e);
    if (!rc)
        d->package = steal_ptr(&cached->package);
    return rc;
}

/* *elsewhere: see package_read(); then D has no package. */
static int open_online(const struct delivery_options *o, struct delivery *d, struct cached *cached,
                       struct container_input *metadata, char **elsewhere, struct err *e)
{
    int rc = ask(o, cached, &d->source, e);

    if (rc && cached->package && is_absence(e->kind)) {
        log_warning(LOG, "going on with what is cached: %s; error=%s", e->text,
                    err_kind_name(e->kind));
        return open_offline(o, d, cached, e);
    }
    if (rc)
        return rc;
    if (is_cached_version(d->source, cached))
        d->package = steal_ptr(&cached->package);
    else
        rc = package_read(d->source, o->connection ? &o->connection->container : NULL, metadata_keep,
                          metadata, &d->package, elsewhere, e);
    if (rc) {
        package_explain(o->locations[0], e);
        err_wrap(e, "%s", source_name(d->source));
    }
    source_drop_head(d->source);
    return rc;
}

/* Everything about the cache that can go wrong leaves the mount without one. */
static void open_cache(const struct delivery_options *o, struct delivery *d,
                       const struct container_input *metadata)
{
    struct err e = { 0 };
    int rc = cache_open(d->cache_dir, d->package, &d->cache, &e);

    if (!rc)
        rc = metadata_store(metadata, d->package, d->cache, &e);
    for (size_t i = 0; !rc && i < o->location_count; i++)
        rc = cache_remember(d->cache, o->locations[i], &e);
    if (rc)
        log_warning(LOG, "%s: %s; error=%s", d->cache ? "the package is not kept for use offline"
                                                       : "the disk cache cannot be used",
                    e.text, err_kind_name(e.kind));
}

static int open_cache_dir(const struct delivery_options *o, struct delivery *d, struct err *e)
{
    int rc = cache_dir_open(&o->cache, &d->cache_dir, e);

    if (!rc)
        return 0;
    if (o->cache.dir)
        return rc;
    log_warning(LOG, "no disk cache: %s; error=%s", e->text, err_kind_name(e->kind));
    return 0;
}

/* Opens what the locations themselves lead to. *elsewhere: the name of what is meant instead (owned), and then
 * D has nothing but its cache directory. */
static int open_locations(const struct delivery_options *o, struct delivery *d, char **elsewhere, struct err *e)
{
    struct cached cached = { .package = NULL };
    struct container_input metadata = { .count = 0 };
    int rc = 0;

    if (d->cache_dir)
        find_cached(d->cache_dir, o, &cached);
    rc = o->offline ? open_offline(o, d, &cached, e)
                    : open_online(o, d, &cached, &metadata, elsewhere, e);
    if (!rc && d->package && d->cache_dir)
        open_cache(o, d, &metadata);
    if (!rc && !d->package) {
        source_close(d->source);
        d->source = NULL;
    }
    package_free(cached.package);
    free(cached.beside);
    container_input_clear(&metadata);
    return rc;
}

/* The same for the object NAME beside each of the locations. */
static int open_beside(const struct delivery_options *o, struct delivery *d, const char *name, struct err *e)
{
    struct delivery_options beside = *o;
    char **locations = locations_beside(o, name);
    int rc = locations ? 0 : err_nomem(e);

    log_info(LOG, "the bundle leads to a package beside it; file=\"%s\"", name);
    beside.locations = (const char *const *)locations;
    if (!rc)
        rc = open_locations(&beside, d, NULL, e);
    if (!rc && d->cache && cache_note_beside(d->cache, name, e))
        log_warning(LOG, "%s; error=%s", e->text, err_kind_name(e->kind));
    for (size_t i = 0; d->cache && i < o->location_count && !rc; i++) /* offline only these are known */
        if (cache_remember(d->cache, o->locations[i], e))
            log_warning(LOG, "the bundle is not known offline: %s; error=%s", e->text,
                        err_kind_name(e->kind));
    if (locations)
        free_locations(locations, o->location_count);
    return rc;
}

int delivery_open(const struct delivery_options *o, struct delivery *d, struct err *e)
{
    auto_free char *elsewhere = NULL;
    struct err own = { 0 };
    int rc = 0;

    *d = (struct delivery){ .source = NULL };
    if (is_plain_file(o))
        return package_open(o->locations[0], o->connection, &d->source, &d->package, e);
    if (!o->no_cache)
        rc = open_cache_dir(o, d, &own);
    if (!rc)
        rc = open_locations(o, d, &elsewhere, &own);
    if (!rc && elsewhere)
        rc = open_beside(o, d, elsewhere, &own);
    if (!rc)
        rc = source_streams_add(d->package, &d->source, &own);
    if (rc && e)
        *e = own;
    return rc;
}

int delivery_start(struct delivery *d, const struct engine_options *engine,
                   const struct loader_options *loader, struct err *e)
{
    struct engine_options eo = *engine;
    struct loader_options lo = *loader;

    eo.cache = d->cache;
    int rc = engine_new(d->package, d->source, &eo, &d->engine, e);
    if (rc)
        return rc;
    lo.engine = d->engine;
    lo.package = d->package;
    lo.cache = d->cache;
    return loader_new(&lo, &d->loader, e);
}

void delivery_close(struct delivery *d)
{
    loader_free(d->loader);
    engine_free(d->engine);
    cache_close(d->cache);
    cache_dir_close(d->cache_dir);
    package_free(d->package);
    source_close(d->source);
    *d = (struct delivery){ .source = NULL };
}

/* --- offline and online ------------------------------------------------------------------------ */

bool delivery_set_offline(struct delivery *d, bool offline)
{
    struct source *origin = source_streams_below(d->source);

    if (!source_is_origin(origin))
        return false;
    origin_set_offline(origin, offline);
    if (!offline)
        loader_wake(d->loader);
    return true;
}

bool delivery_is_offline(const struct delivery *d)
{
    const struct source *origin = source_streams_below(d->source);

    return source_is_origin(origin) && origin_is_offline(origin);
}
