/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the commands of `sft cache` share: the cache, and which versions of what is in it are meant.
 * Each command is a function here, found by sft_cache.c. Single-threaded but for what is behind
 * other interfaces.
 */
#ifndef TOOLS_CACHE_COMMON_H
#define TOOLS_CACHE_COMMON_H

#include "fetch/cache.h"
#include "fetch/cache_dir.h"
#include "fetch/cache_package.h"
#include "fetch/cache_space.h"
#include "tools/interrupt.h"
#include "tools/json.h"
#include "tools/sft_common.h"

/* A version in the cache, and its package if that could be read. */
struct cache_item {
    struct cache_entry entry;
    struct package *package; /* owned; NULL: its metadata is not there, or damaged */
    struct err why;          /* then */
};

struct cache_run {
    struct sft_input in; /* report, connection options; of load and import, the package, too */
    struct interrupt interrupt;
    struct cache_options options;
    struct cache_dir *dir; /* owned */
    char **operands;       /* borrowed */
    size_t operand_count;
    const char *output;    /* -o */
    const char *location;  /* --location */
    bool repair, all, force, partial, whole, has_days, has_target;
    uint64_t days, target_bytes;

    struct cache_item *items; /* owned */
    size_t item_count, item_room;
};

/* Opens the cache. Every function here that returns an exit code has said what is wrong. */
enum exitcode cache_run_open(struct cache_run *r) must_check;
void cache_run_close(struct cache_run *r);

/*
 * Puts the versions into r->items that the operands mean, or all for none, ordered by package name
 * and version number. An operand is the GUID of a package or version or the first characters of one
 * (four at least, and of only one package), the name of a package, or what a package was loaded
 * or mounted from: a location, an OSD, a manifest. EXITCODE_NOT_FOUND for what is not there.
 */
enum exitcode cache_run_select(struct cache_run *r) must_check;

/* Name of the package, or the name of the directory where that is not known. */
const char *cache_item_name(const struct cache_item *item);

/* "NAME, version N (GUID)", or what is known, for messages. */
#define CACHE_TITLE_SIZE 360
void cache_item_title(const struct cache_item *item, char out[CACHE_TITLE_SIZE]);

/* Members package_guid, version_guid, version_number, name, directory of an object. */
void cache_item_json(struct json *j, const struct cache_item *item);

/* What it took to bring a package into the cache. */
struct cache_filled {
    uint64_t taken_blocks;  /* from other versions in the cache */
    uint64_t fetched_bytes; /* from SOURCE */
    bool complete;
};

/*
 * Brings all of R->in's package, which is open with its source, into the cache at C: from other
 * versions there if they have it, the rest from the source. What is there already is not asked for
 * again. Shows progress.
 */
int cache_fill(struct cache_run *r, struct cache *c, struct cache_filled *out, struct err *e)
    must_check;

/* Brings all bytes of the object that R->in has open into the cache at C; those of blocks are verified.
 * *fetched: how many came. Shows progress. */
int cache_load_whole(struct cache_run *r, struct cache *c, uint64_t *fetched, struct err *e) must_check;

/* The commands. */
enum exitcode cache_ls(struct cache_run *r) must_check;
enum exitcode cache_du(struct cache_run *r) must_check;
enum exitcode cache_verify(struct cache_run *r) must_check;
enum exitcode cache_lock(struct cache_run *r) must_check;
enum exitcode cache_unlock(struct cache_run *r) must_check;
enum exitcode cache_evict(struct cache_run *r) must_check;
enum exitcode cache_load(struct cache_run *r) must_check;
enum exitcode cache_import(struct cache_run *r) must_check;
enum exitcode cache_export(struct cache_run *r) must_check;

/* The two with libarchive, of an archive of a version that is not complete. */
int cache_archive_write(struct cache_run *r, const struct cache_item *item, struct cache *c,
                        uint64_t *blocks, struct err *e) must_check;
/* Reads archive PATH into the cache; *bad is the number of blocks in it that were not right. */
int cache_archive_read(struct cache_run *r, const char *path, struct cache_filled *out,
                       uint64_t *bad, struct err *e) must_check;

#endif
