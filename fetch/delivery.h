/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Delivery: everything that brings the blocks of one package to a mount. The places it can be had
 * from (fetch/origin.h), the disk cache, the package's metadata from whichever of both has it, the
 * engine, and the loader. A package that is a local file needs the first and the last two only.
 *
 * Which version is mounted is decided by the server as long as one answers: it is asked for the
 * first bytes, and if they are those of the cached version, nothing else is fetched. If none answers
 * and the version that this location led to last is cached, that one is mounted, and the server is
 * looked for in the background.
 */
#ifndef FETCH_DELIVERY_H
#define FETCH_DELIVERY_H

#include "fetch/cache.h"
#include "fetch/engine.h"
#include "fetch/loader.h"
#include "fetch/source.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

struct delivery_options {
    const char *const *locations;            /* of the package, in order of preference; at least one */
    size_t location_count;
    const struct source_options *connection; /* all of it borrowed until delivery_close() */
    bool offline;                            /* what is cached only, no server is asked */
    bool no_cache;                           /* no disk cache */
    struct cache_options cache;
    const struct guid *package_guid;         /* whose versions will do when no server can be asked, if
                                                the location is not known; or NULL */
};

struct delivery {
    struct source *source;
    struct package *package;
    struct cache_dir *cache_dir; /* this and the next: NULL without a disk cache */
    struct cache *cache;
    struct engine *engine;       /* this and the next: NULL before delivery_start() */
    struct loader *loader;
};

/*
 * Opens the package; *d is to be closed also after an error. Blocks up to the connection's deadline.
 * The errors of source_open() and package_read(); ERR_OFFLINE when offline and not cached. A disk
 * cache that cannot be used is no error, unless its place was named: the log says so.
 */
int delivery_open(const struct delivery_options *o, struct delivery *d, struct err *e) must_check;

/* Makes engine and loader. ENGINE's cache is filled in. LAUNCH_RUNS: see struct loader_options. */
int delivery_start(struct delivery *d, const struct engine_options *engine,
                   const struct loader_options *loader, struct err *e) must_check;

/* Ends everything; nothing may be reading. */
void delivery_close(struct delivery *d);

/* Has it asked no server from now on, or again. False if there is none to be asked (a local file). */
bool delivery_set_offline(struct delivery *d, bool offline);
bool delivery_is_offline(const struct delivery *d);

#endif
