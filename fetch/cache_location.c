/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the location of a package to its version in the disk cache. See cache_location.h. */
#include "config.h"

#include "fetch/cache_location.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "fetch/cache_file.h"
#include "src/codec.h"

#define DIR_NAME   "locations"
#define FIRST_LINE "sftfs location 1\n"
#define NEW_PREFIX ".new-"

enum {
    PLACE_CHARS = CACHE_PLACE_SIZE - 1,
    NAME_CHARS = CACHE_NAME_SIZE - 1,
    PLACE_AT = sizeof FIRST_LINE - 1,
    NAME_AT = PLACE_AT + PLACE_CHARS + 1,
    FILE_LEN = NAME_AT + NAME_CHARS + 1,
    FILE_NAME_SIZE = CACHE_PLACE_SIZE + 24,
    ABANDONED_S = 3600,
};

/* A location file as parsed. */
struct lead {
    char place[CACHE_PLACE_SIZE];
    char name[CACHE_NAME_SIZE];
};

int cache_place_of(const char *location, char out[CACHE_PLACE_SIZE], struct err *e)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t hash[32];

    if (codec_sha256(NULL, location, strlen(location), hash))
        return err_nomem(e);
    for (size_t i = 0; i < sizeof hash; i++) {
        out[2 * i] = hex[hash[i] >> 4];
        out[2 * i + 1] = hex[hash[i] & 15];
    }
    out[PLACE_CHARS] = '\0';
    return 0;
}

static bool is_place(const char *text)
{
    return strspn(text, "0123456789abcdef") == PLACE_CHARS && !text[PLACE_CHARS];
}

/* Where everybody may write, each user has files of his own: those of others cannot be replaced. */
static void file_name(const struct cache_dir *d, const char *place, char out[FILE_NAME_SIZE])
{
    if (d->is_public)
        (void)snprintf(out, FILE_NAME_SIZE, "%s.%lu", place, (unsigned long)geteuid());
    else
        (void)snprintf(out, FILE_NAME_SIZE, "%s", place); /* both always fit */
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool parse(const char text[FILE_LEN], struct lead *out)
{
    if (memcmp(text, FIRST_LINE, PLACE_AT) || text[NAME_AT - 1] != '\n' ||
        text[FILE_LEN - 1] != '\n')
        return false;
    (void)memcpy(out->place, text + PLACE_AT, PLACE_CHARS);
    out->place[PLACE_CHARS] = '\0';
    (void)memcpy(out->name, text + NAME_AT, NAME_CHARS);
    out->name[NAME_CHARS] = '\0';
    return is_place(out->place) && cache_name_is_valid(out->name);
}

/* Reads FILE of the directory of locations; false if it is none, or of somebody not believed. */
static bool read_lead(const struct cache_dir *d, int dir, const char *file, struct lead *out)
{
    auto_close int fd = cache_file_open_read(dir, file, NULL);
    char text[FILE_LEN];
    struct stat st;

    return fd >= 0 && !fstat(fd, &st) && cache_owner_is_trusted(d, st.st_uid) &&
           st.st_size == FILE_LEN && !cache_file_read(fd, 0, text, sizeof text) &&
           parse(text, out);
}

static int open_dir(const struct cache_dir *d, bool make, struct err *e)
{
    int fd = cache_file_open_dir(d->fd, DIR_NAME, make ? d->dir_mode : 0, e);

    if (fd < 0)
        err_wrap(e, "cache: %s", d->path);
    return fd;
}

int cache_dir_follow(struct cache_dir *d, const char *location, char out[CACHE_NAME_SIZE],
                     struct err *e)
{
    char place[CACHE_PLACE_SIZE], own[FILE_NAME_SIZE];
    auto_close int dir = open_dir(d, false, e);
    struct lead lead;

    if (dir < 0)
        return dir;
    int rc = cache_place_of(location, place, e);
    if (rc)
        return rc;
    file_name(d, place, own);
    /* What a file says it is for counts: who owns the directory may have renamed it. */
    if ((!read_lead(d, dir, own, &lead) || strcmp(lead.place, place)) &&
        (!read_lead(d, dir, place, &lead) || strcmp(lead.place, place)))
        return err_set(e, ERR_NOT_FOUND, "nothing from there is in the cache %s", d->path);
    (void)memcpy(out, lead.name, CACHE_NAME_SIZE);
    return 0;
}

int cache_dir_places(struct cache_dir *d, const char *name,
                     int (*fn)(void *arg, const char *place), void *arg)
{
    int dir = open_dir(d, false, NULL), rc = 0;
    DIR *stream = dir >= 0 ? fdopendir(dir) : NULL;

    if (!stream) {
        if (dir >= 0)
            (void)close(dir); /* was not used */
        return 0;
    }
    for (const struct dirent *entry; !rc && (entry = readdir(stream));) {
        struct lead lead;

        if (entry->d_name[0] != '.' && read_lead(d, dirfd(stream), entry->d_name, &lead) &&
            !strcmp(lead.name, name))
            rc = fn(arg, lead.place);
    }
    (void)closedir(stream); /* was only read */
    return rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int write_lead(const struct cache_dir *d, int dir, const char *file, const char *text,
                      struct err *e)
{
    char temp[FILE_NAME_SIZE + 64];
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(temp, sizeof temp, NEW_PREFIX "%.16s-%ld-%09ld", file, (long)getpid(),
                   now.tv_nsec); /* always fits */
    /* Not for others to write, whatever they may do in the directory: they rename, too. */
    mode_t mode = d->file_mode & ~(mode_t)022;
    int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

    if (fd < 0)
        return err_sys(e, DIR_NAME);
    (void)fchmod(fd, mode); /* against the umask; a stricter mode is less sharing only */
    int rc = cache_file_write(fd, 0, text, FILE_LEN);
    if (close(fd) && !rc)
        rc = -errno;
    if (!rc && renameat(dir, temp, dir, file))
        rc = -errno;
    if (!rc)
        return 0;
    (void)unlinkat(dir, temp, 0);
    errno = -rc;
    return err_sys(e, DIR_NAME);
}

int cache_dir_remember_place(struct cache_dir *d, const char *place, const char *name,
                             struct err *e)
{
    char text[FILE_LEN + 1], file[FILE_NAME_SIZE];
    struct lead lead;

    if (!is_place(place) || !cache_name_is_valid(name))
        return err_set(e, ERR_INVALID, "not a location or not a version");
    auto_close int dir = open_dir(d, true, e);
    if (dir < 0)
        return dir;
    file_name(d, place, file);
    if (read_lead(d, dir, file, &lead) && !strcmp(lead.place, place) && !strcmp(lead.name, name))
        return 0;
    (void)snprintf(text, sizeof text, FIRST_LINE "%s\n%s\n", place, name); /* always fits */
    int rc = write_lead(d, dir, file, text, e);
    if (rc)
        err_wrap(e, "cache: %s", d->path);
    return rc;
}

int cache_dir_remember(struct cache_dir *d, const char *location, const char *name,
                       struct err *e)
{
    char place[CACHE_PLACE_SIZE];
    int rc = cache_place_of(location, place, e);

    return rc ? rc : cache_dir_remember_place(d, place, name, e);
}

static bool is_abandoned(int dir, const char *file)
{
    struct stat st;

    return !strncmp(file, NEW_PREFIX, strlen(NEW_PREFIX)) &&
           !fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) &&
           time(NULL) - st.st_mtim.tv_sec > ABANDONED_S;
}

void cache_location_forget(struct cache_dir *d, const char *name)
{
    int dir = open_dir(d, false, NULL);
    DIR *stream = dir >= 0 ? fdopendir(dir) : NULL;

    if (!stream) {
        if (dir >= 0)
            (void)close(dir); /* was not used */
        return;
    }
    for (const struct dirent *entry; (entry = readdir(stream));) {
        struct lead lead;

        if (is_abandoned(dirfd(stream), entry->d_name) ||
            (entry->d_name[0] != '.' && read_lead(d, dirfd(stream), entry->d_name, &lead) &&
             !strcmp(lead.name, name)))
            (void)unlinkat(dirfd(stream), entry->d_name, 0); /* it leads nowhere, at worst */
    }
    (void)closedir(stream);
}
