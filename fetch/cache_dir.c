/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The directory of the disk cache: opening it, the versions in it, holding and removing them. See
 * cache_dir.h; what leads from a place to a version is in cache_location.c. */
#include "config.h"

#include "fetch/cache_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fetch/cache_file.h"
#include "fetch/cache_location.h"
#include "fetch/cache_space.h"
#include "fetch/file_io.h"

/* In front of the name of a version that is being deleted. */
#define GONE_PREFIX ".gone-"

enum { HOLD_TRIES = 60, HOLD_STEP_MS = 25, DENIED_TRIES = 4 };

/* --- opening ---------------------------------------------------------------------------------- */

char *cache_default_path(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n;

    if (cache && *cache == '/')
        n = asprintf(&path, "%s/sftfs", cache);
    else if (home && *home == '/')
        n = asprintf(&path, "%s/.cache/sftfs", home);
    else
        n = asprintf(&path, "/var/cache/sftfs");
    return n < 0 ? NULL : path;
}

static int open_path(struct cache_dir *d, const char *path, bool is_default, struct err *e)
{
    struct stat st;

    d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0 && errno == ENOENT) {
        int rc = is_default ? file_make_parents(path, e) : 0;
        if (rc) {
            err_wrap(e, "cache");
            return rc;
        }
        if (mkdir(path, 0700) && errno != EEXIST)
            return err_sys(e, "cache: %s", path);
        d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (d->fd < 0 && errno == ENOTDIR)
        return err_set(e, ERR_INVALID, "cache: %s is not a directory", path);
    if (d->fd < 0 || fstat(d->fd, &st))
        return err_sys(e, "cache: %s", path);
    d->path = realpath(path, NULL);
    if (!d->path)
        return err_sys(e, "cache: %s", path);
    d->file_mode = (st.st_mode & 0666) | 0600;
    d->dir_mode = (st.st_mode & 03777) | 0700;
    d->is_public = st.st_mode & S_IWOTH;
    d->owner = st.st_uid;
    return 0;
}

static void remove_leftovers(struct cache_dir *d);

int cache_dir_open(const struct cache_options *o, struct cache_dir **out, struct err *e)
{
    static const struct cache_options none = { .dir = NULL };
    auto_free char *place = NULL;
    struct cache_dir *d = calloc(1, sizeof *d);

    if (!d)
        return err_nomem(e);
    if (!o)
        o = &none;
    d->fd = -1;
    d->quota_bytes = o->quota_bytes ? o->quota_bytes : CACHE_QUOTA_DEFAULT;
    d->free_percent = o->free_percent ? o->free_percent : CACHE_FREE_PERCENT_DEFAULT;
    d->retry_ms = o->retry_ms ? o->retry_ms : 30000;
    if (!o->dir)
        place = cache_default_path();
    int rc = o->dir || place ? open_path(d, o->dir ? o->dir : place, !o->dir, e) : err_nomem(e);
    if (!rc)
        rc = cache_space_new(d, &d->space, e);
    if (rc) {
        cache_dir_close(d);
        return rc;
    }
    remove_leftovers(d);
    *out = d;
    return 0;
}

void cache_dir_close(struct cache_dir *d)
{
    if (!d)
        return;
    cache_space_free(d->space);
    if (d->fd >= 0)
        (void)close(d->fd); /* was only read */
    free(d->path);
    free(d);
}

const char *cache_dir_path(const struct cache_dir *d)
{
    return d->path;
}

/* --- names ------------------------------------------------------------------------------------ */

void cache_name_of(const struct cache_index_header *h, char out[CACHE_NAME_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    char *at = out + GUID_TEXT_SIZE - 1;

    guid_format(&h->version_guid, out);
    *at++ = '-';
    for (size_t i = 0; i < 16; i++) {
        *at++ = hex[h->root_hash[i] >> 4];
        *at++ = hex[h->root_hash[i] & 15];
    }
    *at = '\0';
}

/* Whether NAME can be that of a version: only such directories are looked into, or removed. */
bool cache_name_is_valid(const char *name)
{
    static const char hex[] = "0123456789abcdef", guid_hex[] = "0123456789ABCDEF";

    if (strlen(name) != CACHE_NAME_SIZE - 1)
        return false;
    for (size_t i = 0; i < CACHE_NAME_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23 || i == 36;

        if (dash ? name[i] != '-' : !strchr(i < 36 ? guid_hex : hex, name[i]))
            return false;
    }
    return true;
}

bool cache_owner_is_trusted(const struct cache_dir *d, uid_t owner)
{
    return !d->is_public || owner == geteuid() || owner == 0 || owner == d->owner;
}

bool cache_version_of(const char *container_path, char out[CACHE_NAME_SIZE])
{
    const char *end = strrchr(container_path, '/');

    if (!end || strcmp(end, "/" CACHE_CONTAINER_NAME) != 0 ||
        end - container_path < (ptrdiff_t)CACHE_NAME_SIZE || end[-(ptrdiff_t)CACHE_NAME_SIZE] != '/')
        return false;
    (void)memcpy(out, end - (CACHE_NAME_SIZE - 1), CACHE_NAME_SIZE - 1);
    out[CACHE_NAME_SIZE - 1] = '\0';
    return cache_name_is_valid(out);
}

bool cache_is_version(const char *container_path, const struct package *p)
{
    struct cache_index_header h = cache_index_header_of(p);
    char name[CACHE_NAME_SIZE], is[CACHE_NAME_SIZE];

    cache_name_of(&h, name);
    return cache_version_of(container_path, is) && !strcmp(is, name);
}

/* --- holding ---------------------------------------------------------------------------------- */

static void wait_ms(long ms)
{
    const struct timespec step = { .tv_nsec = ms * 1000000L };

    (void)nanosleep(&step, NULL); /* shorter is fine */
}

/* -EAGAIN: it is being removed, or was. */
static int hold_once(struct cache_dir *d, const char *name, bool make, int *dir_fd, int *lock_fd,
                     struct err *e)
{
    auto_close int dir = -1;
    auto_close int lock = -1;
    bool writable;

    dir = cache_file_open_dir(d->fd, name, make ? d->dir_mode : 0, e);
    if (dir < 0)
        return dir == -ENOENT && make ? -EAGAIN : dir;
    lock = cache_file_open(dir, CACHE_LOCK_NAME, d->file_mode, &writable, e);
    if (lock == -EROFS) {
        lock = -1; /* nobody can remove it either */
    } else if (lock < 0) {
        /* Deleted under our hands, it cannot be made any more. */
        return cache_file_is_named(d->fd, name, dir) ? lock : -EAGAIN;
    } else {
        int rc = cache_file_lock(lock, false);

        if (rc == -EAGAIN)
            return rc;
        if (rc) {
            errno = -rc;
            return err_sys(e, "%s cannot be locked (the file system must support file locks)",
                           CACHE_LOCK_NAME);
        }
    }
    if (!cache_file_is_named(d->fd, name, dir))
        return -EAGAIN;
    *dir_fd = dir;
    *lock_fd = lock;
    dir = lock = -1;
    return 0;
}

int cache_dir_hold(struct cache_dir *d, const char *name, bool make, int *dir_fd, int *lock_fd,
                   struct err *e)
{
    int rc = -EAGAIN;

    for (int i = 0; i < HOLD_TRIES; i++) {
        rc = hold_once(d, name, make, dir_fd, lock_fd, e);
        /* Another user makes it just now, and has not yet opened it for us. */
        bool making = rc == -EACCES && i < DENIED_TRIES;
        if (rc != -EAGAIN && !making)
            break;
        wait_ms(i < HOLD_STEP_MS ? i : HOLD_STEP_MS); /* deleting takes a moment */
    }
    if (rc == -EAGAIN)
        return err_set(e, ERR_BUSY, "cache: %s/%s is being removed by another process", d->path,
                       name);
    if (rc)
        err_wrap(e, "cache: %s/%s", d->path, name);
    return rc;
}

/* --- looking ---------------------------------------------------------------------------------- */

static uint64_t allocated(int dir, const char *name)
{
    struct stat st;

    /* In units of 512 bytes, whatever the block size is. */
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) ? 0 : (uint64_t)st.st_blocks * 512;
}

static void note_use(int dir, const char *name, struct timespec *last)
{
    struct stat st;

    if (!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) &&
        (st.st_mtim.tv_sec > last->tv_sec ||
         (st.st_mtim.tv_sec == last->tv_sec && st.st_mtim.tv_nsec > last->tv_nsec)))
        *last = st.st_mtim;
}

static void look_at_index(struct cache_entry *entry, int dir, unsigned flags)
{
    char name[CACHE_NAME_SIZE];
    auto_close int fd = cache_file_open_read(dir, CACHE_INDEX_NAME, NULL);
    uint8_t unused[1];
    struct stat st;

    entry->begun = fd < 0 ? faccessat(dir, CACHE_INDEX_NAME, F_OK, AT_SYMLINK_NOFOLLOW) != 0
                          : !fstat(fd, &st) && !st.st_size;
    if (fd < 0 || entry->begun || cache_index_read_header(fd, &entry->header, NULL))
        return;
    cache_name_of(&entry->header, name);
    entry->valid = !strcmp(name, entry->name);
    if (!entry->valid)
        return;
    if (flags & CACHE_COUNT_BLOCKS)
        entry->present = cache_index_count(fd, &entry->header, &entry->metadata);
    else
        entry->metadata = !cache_file_read(fd, CACHE_INDEX_HEADER, unused, 1) && unused[0] == 1;
}

int cache_dir_find(struct cache_dir *d, const char *name, unsigned flags, struct cache_entry *out,
                   struct err *e)
{
    auto_close int dir = cache_name_is_valid(name)
                             ? cache_file_open_dir(d->fd, name, 0, e)
                             : err_set(e, ERR_NOT_FOUND, "not the name of a version");
    auto_close int lock = -1;
    struct stat st;

    *out = (struct cache_entry){ .valid = false };
    if (dir < 0) {
        err_wrap(e, "cache: %s/%s", d->path, name);
        return dir;
    }
    (void)memcpy(out->name, name, CACHE_NAME_SIZE);
    out->trusted = !fstat(dir, &st) && cache_owner_is_trusted(d, st.st_uid);
    out->last_use = st.st_mtim;
    out->locked = !faccessat(dir, CACHE_LOCKED_NAME, F_OK, 0);
    out->allocated_bytes = allocated(dir, CACHE_CONTAINER_NAME) + allocated(dir, CACHE_DECODED_NAME) +
                           allocated(dir, CACHE_INDEX_NAME);
    lock = cache_file_open_read(dir, CACHE_LOCK_NAME, NULL);
    out->in_use = lock >= 0 && cache_file_is_locked(lock);
    look_at_index(out, dir, flags);
    if (lock >= 0)
        out->last_use = (struct timespec){ .tv_sec = 0 };
    note_use(dir, CACHE_LOCK_NAME, &out->last_use);
    note_use(dir, CACHE_INDEX_NAME, &out->last_use);
    return 0;
}

/* A stream of the names in directory FD, which stays open for the caller. */
static DIR *names_of(int fd)
{
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = own >= 0 ? fdopendir(own) : NULL;

    if (!stream && own >= 0)
        (void)close(own); /* was not used */
    return stream;
}

int cache_dir_list(struct cache_dir *d, unsigned flags, cache_entry_fn fn, void *arg,
                   struct err *e)
{
    DIR *stream = names_of(d->fd);
    int rc = 0;

    if (!stream)
        return err_sys(e, "cache: %s", d->path);
    for (const struct dirent *entry; !rc && (entry = readdir(stream));) {
        struct cache_entry found;

        if (!cache_name_is_valid(entry->d_name) ||
            cache_dir_find(d, entry->d_name, flags, &found, NULL))
            continue; /* removed meanwhile, or not for this user to see */
        rc = fn(arg, &found);
    }
    (void)closedir(stream); /* was only read */
    return rc;
}

/* --- removing --------------------------------------------------------------------------------- */

/* Deletes NAME, which nobody uses any more; what cannot be deleted now is tried again later. */
static void delete_dir(struct cache_dir *d, const char *name)
{
    auto_close int dir = cache_file_open_dir(d->fd, name, 0, NULL);
    DIR *stream = dir >= 0 ? names_of(dir) : NULL;

    if (!stream)
        return;
    for (const struct dirent *entry; (entry = readdir(stream));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            (void)unlinkat(dir, entry->d_name, 0);
    (void)closedir(stream);
    (void)unlinkat(d->fd, name, AT_REMOVEDIR);
}

static void remove_leftovers(struct cache_dir *d)
{
    DIR *stream = names_of(d->fd);

    if (!stream)
        return; /* whoever wants something from there will hear of it */
    for (const struct dirent *entry; (entry = readdir(stream));)
        if (!strncmp(entry->d_name, GONE_PREFIX, strlen(GONE_PREFIX)) &&
            strlen(entry->d_name) > strlen(GONE_PREFIX) + CACHE_NAME_SIZE - 1)
            delete_dir(d, entry->d_name);
    (void)closedir(stream);
}

static int rename_away(struct cache_dir *d, const char *name, struct err *e)
{
    char gone[sizeof GONE_PREFIX + CACHE_NAME_SIZE + 48];
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(gone, sizeof gone, GONE_PREFIX "%s-%ld-%lld.%09ld", name, (long)getpid(),
                   (long long)now.tv_sec, now.tv_nsec); /* always fits */
    if (renameat(d->fd, name, d->fd, gone))
        return err_sys(e, "cannot be removed");
    delete_dir(d, gone);
    return 0;
}

static int remove_version(struct cache_dir *d, const char *name, struct err *e)
{
    auto_close int dir = cache_file_open_dir(d->fd, name, 0, e);
    auto_close int lock = -1;
    bool writable;

    if (dir < 0)
        return dir;
    if (!faccessat(dir, CACHE_LOCKED_NAME, F_OK, 0))
        return err_set(e, ERR_BUSY, "is locked ('sft cache unlock' lets it go)");
    lock = cache_file_open(dir, CACHE_LOCK_NAME, d->file_mode, &writable, e);
    if (lock < 0)
        return lock;
    int rc = cache_file_lock(lock, true);
    if (rc == -EAGAIN)
        return err_set(e, ERR_BUSY, "is in use");
    if (rc) {
        errno = -rc;
        return err_sys(e, "cannot be removed");
    }
    if (!cache_file_is_named(d->fd, name, dir))
        return err_set(e, ERR_NOT_FOUND, "was removed meanwhile");
    return rename_away(d, name, e);
}

int cache_dir_remove(struct cache_dir *d, const char *name, struct err *e)
{
    int rc = cache_name_is_valid(name) ? remove_version(d, name, e)
                                       : err_set(e, ERR_NOT_FOUND, "is not the name of a version");

    if (rc)
        err_wrap(e, "cache: %s/%s", d->path, name);
    else
        cache_location_forget(d, name);
    return rc;
}

int cache_dir_set_locked(struct cache_dir *d, const char *name, bool locked, struct err *e)
{
    int dir_fd = -1, lock_fd = -1;
    int rc = cache_name_is_valid(name)
                 ? cache_dir_hold(d, name, false, &dir_fd, &lock_fd, e)
                 : err_set(e, ERR_NOT_FOUND, "cache: %s is not the name of a version", name);
    auto_close int dir = dir_fd;
    auto_close int lock = lock_fd;

    (void)lock; /* only held */
    if (rc)
        return rc;
    if (locked) {
        bool writable;
        auto_close int fd = cache_file_open(dir, CACHE_LOCKED_NAME, d->file_mode, &writable, e);
        rc = fd < 0 ? fd : 0;
    } else if (unlinkat(dir, CACHE_LOCKED_NAME, 0) && errno != ENOENT) {
        rc = err_sys(e, "%s", CACHE_LOCKED_NAME);
    }
    if (rc)
        err_wrap(e, "cache: %s/%s", d->path, name);
    return rc;
}

/* --- by location ------------------------------------------------------------------------------ */

static int path_of(const struct cache_dir *d, const char *name, char **out, struct err *e)
{
    if (asprintf(out, "%s/%s/" CACHE_CONTAINER_NAME, d->path, name) >= 0)
        return 0;
    *out = NULL;
    return err_nomem(e);
}

struct newest {
    const struct guid *package_guid;
    struct cache_entry best;
    bool found;
};

static int is_newer(void *arg, const struct cache_entry *entry)
{
    struct newest *n = arg;
    const struct cache_entry *b = &n->best;

    if (!entry->valid || !entry->metadata || !entry->trusted ||
        !guid_equal(&entry->header.package_guid, n->package_guid))
        return 0;
    if (!n->found || entry->header.version_number > b->header.version_number ||
        (entry->header.version_number == b->header.version_number &&
         entry->last_use.tv_sec > b->last_use.tv_sec))
        n->best = *entry;
    n->found = true;
    return 0;
}

int cache_lookup(struct cache_dir *d, const char *location, const struct guid *package_guid,
                 char **container_path, struct err *e)
{
    struct newest newest = { .package_guid = package_guid };
    struct cache_entry entry;
    char name[CACHE_NAME_SIZE];

    *container_path = NULL;
    if (location && !cache_dir_follow(d, location, name, NULL) &&
        !cache_dir_find(d, name, 0, &entry, NULL) && entry.valid && entry.metadata &&
        (!package_guid || guid_equal(&entry.header.package_guid, package_guid)))
        return path_of(d, name, container_path, e);
    if (package_guid) {
        int rc = cache_dir_list(d, 0, is_newer, &newest, e);
        if (rc)
            return rc;
    }
    if (!newest.found)
        return err_set(e, ERR_NOT_FOUND, "the package is not in the cache %s", d->path);
    return path_of(d, newest.best.name, container_path, e);
}

void cache_lookup_failed(struct cache_dir *d, const char *container_path)
{
    char name[CACHE_NAME_SIZE];
    bool writable;

    if (!cache_version_of(container_path, name))
        return;
    auto_close int dir = cache_file_open_dir(d->fd, name, 0, NULL);
    auto_close int fd =
        dir >= 0 ? cache_file_open(dir, CACHE_INDEX_NAME, 0, &writable, NULL) : -1;
    if (fd >= 0)
        (void)!cache_index_clear_metadata(fd); /* best effort: it is only found out again */
}
