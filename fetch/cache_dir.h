/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The directory of the disk cache: one directory a package version, and what leads there from the
 * place a package was opened at (fetch/cache-format.md). Any number of processes use it at the same
 * time, of any users who may write there; there is no central one.
 *
 * A version is held by a shared lock of its lock file; who removes one takes the exclusive lock,
 * renames the directory out of the way, and then deletes. Nobody waits for anybody.
 *
 * Where everybody may write (mode o+w), what leads from a place to a version is believed only of
 * this user, root, and the owner of the cache directory: others could lead to packages of theirs.
 * Blocks may come from anybody, since each is verified.
 *
 * All functions may be called from any thread; all but cache_dir_path() do disk I/O.
 */
#ifndef FETCH_CACHE_DIR_H
#define FETCH_CACHE_DIR_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "fetch/cache.h"
#include "fetch/cache_index.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/guid.h"

#define CACHE_CONTAINER_NAME "container.sft"
#define CACHE_DECODED_NAME   "decoded" /* what the streams of a package decode to */
#define CACHE_PART_NAME      "part"    /* info.part of the package, where it has one */
#define CACHE_BESIDE_NAME    "beside"  /* what the flat bundle that led to it calls the package */
#define CACHE_WHOLE_NAME     "whole"   /* container.sft has all of the object, also what no block has */
#define CACHE_INDEX_NAME     "index"
#define CACHE_LOCK_NAME      "lock"
#define CACHE_LOCKED_NAME    "locked"

/* GUID, '-', 32 hexadecimal digits of the root hash, NUL. */
#define CACHE_NAME_SIZE (GUID_TEXT_SIZE + 33u)

const char *cache_dir_path(const struct cache_dir *d);

/* What the directory of a version with this header is called. */
void cache_name_of(const struct cache_index_header *h, char out[CACHE_NAME_SIZE]);

/* The name of the version whose container is at CONTAINER_PATH; false if that is none's. */
bool cache_version_of(const char *container_path, char out[CACHE_NAME_SIZE]) must_check;

/* A version as it lies there; nothing in it is verified. */
struct cache_entry {
    char name[CACHE_NAME_SIZE]; /* of its directory */
    bool valid;                 /* the header could be read: HEADER and METADATA mean something */
    bool begun;                 /* whoever made it had not come to write anything, or was killed: there
                                 * is no index, or an empty one. Not VALID, and no damage */
    bool metadata;              /* its metadata is complete */
    bool locked;                /* by the user: not to be evicted */
    bool in_use;                /* by some process */
    bool trusted;               /* made by somebody whose word is taken for what it is */
    uint32_t present;           /* blocks; only with CACHE_COUNT_BLOCKS */
    uint64_t allocated_bytes;   /* on the disk */
    struct timespec last_use;
    struct cache_index_header header;
};

enum { CACHE_COUNT_BLOCKS = 1u << 0 }; /* reads the whole index of each version */

/* Returns 0 to go on; what it returns otherwise ends the list. */
typedef int (*cache_entry_fn)(void *arg, const struct cache_entry *entry);

/* Calls FN for each version, in no order. 0, what FN returned, or a negative errno. */
int cache_dir_list(struct cache_dir *d, unsigned flags, cache_entry_fn fn, void *arg,
                   struct err *e) must_check;

/* One version by the name of its directory. ERR_NOT_FOUND. */
int cache_dir_find(struct cache_dir *d, const char *name, unsigned flags, struct cache_entry *out,
                   struct err *e) must_check;

/* Removes a version. ERR_BUSY in use or locked by the user, ERR_NOT_FOUND, ERR_DENIED. */
int cache_dir_remove(struct cache_dir *d, const char *name, struct err *e) must_check;

/* Sets or takes away the user's mark that a version is to stay. */
int cache_dir_set_locked(struct cache_dir *d, const char *name, bool locked, struct err *e)
    must_check;

/*
 * Which version LOCATION led to last: the name of its directory. ERR_NOT_FOUND. A version that was
 * removed since may be named.
 */
int cache_dir_follow(struct cache_dir *d, const char *location, char out[CACHE_NAME_SIZE],
                     struct err *e) must_check;
int cache_dir_remember(struct cache_dir *d, const char *location, const char *name,
                       struct err *e) must_check;

/* LOCATION is known as the text of its hash outside (in exports); 64 hexadecimal digits. */
#define CACHE_PLACE_SIZE 65u
int cache_place_of(const char *location, char out[CACHE_PLACE_SIZE], struct err *e) must_check;
int cache_dir_remember_place(struct cache_dir *d, const char *place, const char *name,
                             struct err *e) must_check;
/* Calls FN with each place that leads to NAME. 0 or what FN returned. */
int cache_dir_places(struct cache_dir *d, const char *name, int (*fn)(void *arg, const char *place),
                     void *arg);

/* --- for the rest of the cache ---------------------------------------------------------------- */

struct cache_space;

struct cache_dir {
    char *path;
    int fd;
    mode_t file_mode, dir_mode; /* of what is made in it */
    bool is_public;             /* everybody may write */
    uid_t owner;
    uint64_t quota_bytes;
    unsigned free_percent;
    unsigned retry_ms;
    struct cache_space *space;
};

/*
 * Opens the directory of version NAME and takes its shared lock: descriptors in *dir_fd and
 * *lock_fd, of the caller. With MAKE it is made if missing. *lock_fd is -1 on a file system that
 * cannot be written at all. ERR_NOT_FOUND, ERR_BUSY (is being removed), ERR_DENIED.
 */
int cache_dir_hold(struct cache_dir *d, const char *name, bool make, int *dir_fd, int *lock_fd,
                   struct err *e) must_check;

#endif
