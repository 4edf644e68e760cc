/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening and closing the directory of an overlay. See store.h; whiteout.c, move.c and
 * remove_tree.c have the operations on it.
 *
 * What is somebody else's is found out before anything is touched; everything about the content is
 * decided with the lock held. DIR/overlay is the first thing made, so that a directory is either an
 * overlay or blank, wherever a crash comes.
 */
#include "config.h"

#include "fs/overlay/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "fs/overlay/crash_point.h"
#include "fs/overlay/intent.h"
#include "fs/overlay/move.h"
#include "fs/overlay/store_info.h"
#include "fs/overlay/store_lock.h"
#include "fs/overlay/store_private.h"
#include "fs/overlay/walk.h"
#include "src/log.h"

static int with_errno(int rc)
{
    errno = -rc;
    return rc;
}

/* ---- which package ---- */

static int check_package(const struct overlay_store *s, const struct store_info *i,
                         const struct guid *package, struct err *e)
{
    char ours[GUID_TEXT_SIZE], theirs[GUID_TEXT_SIZE];

    if (!package || guid_equal(package, &i->package))
        return 0;
    guid_format(package, ours);
    guid_format(&i->package, theirs);
    return err_set(e, ERR_GUID_MISMATCH,
                   "the overlay %s belongs to the package %s (%s), not to %s; choose another "
                   "directory (overlay=DIR)", s->path, theirs, i->name, ours);
}

/* Takes what is known of the package into S. */
static void adopt(struct overlay_store *s, struct store_info *i)
{
    free(s->package_name);
    free(s->source);
    s->package_guid = i->package;
    s->version_guid = i->version;
    s->version_number = i->number;
    s->package_name = steal_ptr(&i->name);
    s->source = steal_ptr(&i->source);
}

/* Reads DIR/overlay. *is_new when there is none and the directory is blank. */
static int read_info(struct overlay_store *s, const struct guid *package, bool *is_new,
                     struct err *e)
{
    struct store_info i;
    struct err inner;
    int rc = store_info_read(s->dir_fd, &i, &inner);

    *is_new = false;
    if (!rc) {
        rc = check_package(s, &i, package, e);
        if (!rc)
            adopt(s, &i);
    } else if (rc == -ENOENT) {
        rc = store_place_is_blank(s->dir_fd, is_new);
        if (rc)
            (void)with_errno(rc), rc = err_sys(e, "overlay %s", s->path);
        else if (!*is_new)
            rc = s->access == OVERLAY_READ
                     ? err_set(e, ERR_INVALID, "%s is no overlay", s->path)
                     : err_set(e, ERR_INVALID,
                               "%s is not empty and no overlay; choose another directory "
                               "(overlay=DIR)", s->path);
    } else {
        if (e)
            *e = inner;
        err_wrap(e, "%s/" INFO_NAME, s->path);
    }
    store_info_clear(&i);
    return rc;
}

static int write_first_info(struct overlay_store *s, const struct guid *package, struct err *e)
{
    struct store_info i = { .package = *package, .name = strdup(""), .source = strdup("") };
    int rc = !i.name || !i.source ? err_nomem(e) : store_info_write(s->dir_fd, &i, e);

    if (rc)
        err_wrap(e, "overlay %s", s->path);
    else
        adopt(s, &i);
    store_info_clear(&i);
    return rc;
}

static bool same_text(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

int overlay_store_set_version(struct overlay_store *s, const struct guid *version, uint32_t number,
                              const char *package_name, const char *source, struct err *e)
{
    struct store_info i;

    if (s->access != OVERLAY_WRITE)
        return with_errno(-EROFS), err_sys(e, "overlay %s", s->path);
    if (guid_equal(&s->version_guid, version) && s->version_number == number &&
        same_text(s->package_name, package_name) && same_text(s->source, source))
        return 0;
    int rc = store_info_read(s->dir_fd, &i, e);
    if (!rc) {
        free(i.name);
        free(i.source);
        i.name = strdup(package_name ? package_name : "");
        i.source = strdup(source ? source : "");
        i.version = *version;
        i.number = number;
        rc = i.name && i.source ? store_info_write(s->dir_fd, &i, e) : err_nomem(e);
    }
    if (rc)
        err_wrap(e, "overlay %s", s->path);
    else
        adopt(s, &i);
    store_info_clear(&i);
    return rc;
}

/* ---- its directories ---- */

/* Opens DIR/NAME; with MODE not 0 it is made where it is missing. */
static int open_sub(struct overlay_store *s, const char *name, mode_t mode, int *out, struct err *e)
{
    struct stat st;

    if (mode && mkdirat(s->dir_fd, name, mode) && errno != EEXIST)
        return err_sys(e, "%s/%s", s->path, name);
    *out = openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*out < 0 && (errno == ELOOP || errno == ENOTDIR))
        return err_set(e, ERR_INVALID, "%s/%s is no directory", s->path, name);
    if (*out < 0 || fstat(*out, &st))
        return err_sys(e, "%s/%s", s->path, name);
    if (st.st_dev != s->dev)
        return err_set(e, ERR_INVALID,
                       "%s/%s is on another file system than %s; an overlay must be on one",
                       s->path, name, s->path);
    return 0;
}

static int open_subs(struct overlay_store *s, struct err *e)
{
    bool write = s->access == OVERLAY_WRITE;
    /* The root of the mount shows the mode of files/; DIR keeps others out. */
    int rc = open_sub(s, FILES_NAME, write ? 0777 : 0, &s->files_fd, e);

    if (!rc && write)
        rc = open_sub(s, WORK_NAME, 0700, &s->work_fd, e);
    if (!rc)
        rc = open_sub(s, MAPS_NAME, write ? 0700 : 0, &s->maps_fd, e);
    if (rc == -ENOENT && !write && s->files_fd >= 0) {
        if (e)
            *e = (struct err){ .kind = ERR_NONE };
        rc = 0; /* no maps: none is needed until something refers to one */
    }
    return rc;
}

/* Whether this process may write to what there is. */
static bool is_writable(const struct overlay_store *s)
{
    static const char *const names[] = { ".", FILES_NAME, WORK_NAME, MAPS_NAME };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (faccessat(s->dir_fd, names[i], W_OK | X_OK, AT_EACCESS) &&
            (errno == EACCES || errno == EROFS || errno == EPERM))
            return false;
    return true;
}

/* Whether two names can be exchanged here. Without room to find out it is supposed. */
static bool probe_exchange(struct overlay_store *s)
{
    char a[WORK_NAME_MAX], b[WORK_NAME_MAX];
    bool has = true;

    overlay_work_name(s, a);
    overlay_work_name(s, b);
    if (!mkdirat(s->work_fd, a, 0700) && !mkdirat(s->work_fd, b, 0700))
        has = !renameat2(s->work_fd, a, s->work_fd, b, RENAME_EXCHANGE);
    (void)unlinkat(s->work_fd, a, AT_REMOVEDIR); /* leftovers otherwise */
    (void)unlinkat(s->work_fd, b, AT_REMOVEDIR);
    return has;
}

/* ---- leftovers in work/ ---- */

struct names {
    char **name;
    size_t count, room;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(void *arg, int fd, const char *name)
{
    struct names *n = arg;

    (void)fd;
    if (n->count == n->room) {
        size_t room = n->room ? 2 * n->room : 16;
        char **grown = reallocarray(n->name, room, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        n->name = grown;
        n->room = room;
    }
    n->name[n->count] = strdup(name);
    return n->name[n->count] ? (n->count++, 0) : -ENOMEM;
}

/* What is in work/, sorted: intents in the order they were written. */
static int list_work(struct overlay_store *s, struct names *n)
{
    int rc = walk_names(s->work_fd, ".", add_name, n);

    if (n->count)
        qsort(n->name, n->count, sizeof *n->name, by_text);
    return rc;
}

static bool is_intent(const char *name)
{
    return !strncmp(name, INTENT_PREFIX, strlen(INTENT_PREFIX));
}

/* Intents last of all: what else is there, such as a file that only looks like a prepared whiteout,
 * must not get in the way of completing them. */
static int recover(struct overlay_store *s, struct err *e)
{
    struct names n = { .count = 0 };
    int rc = list_work(s, &n);

    for (size_t i = 0; i < n.count; i++)
        if (!is_intent(n.name[i]) && overlay_remove_tree(s->work_fd, n.name[i]))
            log_warning("overlay", "%s/" WORK_NAME "/%s could not be removed", s->path, n.name[i]);
    for (size_t i = 0; i < n.count && !rc; i++)
        if (is_intent(n.name[i]))
            rc = move_complete(s, n.name[i]);
    for (size_t i = 0; i < n.count; i++)
        free(n.name[i]);
    free(n.name);
    if (rc == -ENOMEM)
        return err_nomem(e);
    return rc ? with_errno(rc), err_sys(e, "%s/" WORK_NAME, s->path) : 0;
}

/* ---- opening ---- */

static int open_for_writing(struct overlay_store *s, const struct guid *package,
                            const char *mountpoint, struct err *e)
{
    bool is_new;
    int rc = store_lock_take(s->dir_fd, s->path, mountpoint, s->temporary, &s->lock_fd,
                             &s->unclean, e);

    if (!rc)
        rc = read_info(s, package, &is_new, e); /* again: it may have been made meanwhile */
    if (!rc && is_new)
        rc = write_first_info(s, package, e);
    if (rc)
        return rc;
    CRASH_POINT("store-made");
    rc = open_subs(s, e);
    if (rc)
        return rc;
    s->has_exchange = probe_exchange(s);
    return recover(s, e);
}

/* Decides between reading and writing. The directory is open. */
static int open_content(struct overlay_store *s, const struct guid *package,
                        const char *mountpoint, struct err *e)
{
    bool is_new, write = s->access == OVERLAY_WRITE;
    int rc = read_info(s, package, &is_new, e);

    if (rc)
        return rc;
    if (is_new && (!write || !package))
        return err_set(e, ERR_INVALID, "%s is no overlay: it is empty", s->path);
    if (write && !is_writable(s)) {
        if (is_new)
            return with_errno(-EACCES), err_sys(e, "overlay %s cannot be written to", s->path);
        s->read_only = true;
        s->access = OVERLAY_READ;
        write = false;
    }
    rc = store_place_check(s->dir_fd, s->path, mountpoint, write, e);
    if (rc)
        return rc;
    return write ? open_for_writing(s, package, mountpoint, e) : open_subs(s, e);
}

/* Closes everything. A lock that was taken over from somebody who died stays as it was found while
 * what that left behind was not looked after. */
static void store_free(struct overlay_store *s)
{
    int fds[] = { s->files_fd, s->work_fd, s->maps_fd, s->dir_fd };

    if (s->lock_fd >= 0 && !s->unclean)
        store_lock_release(s->lock_fd);
    else
        cleanup_close(&s->lock_fd);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        cleanup_close(&fds[i]);
    free(s->path);
    free(s->package_name);
    free(s->source);
    free(s);
}

static struct overlay_store *store_new(enum overlay_access access, bool temporary)
{
    struct overlay_store *s = calloc(1, sizeof *s);
    struct timespec now = { .tv_sec = 1 };

    if (!s)
        return NULL;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* without it numbers start low: as unique */
    uint64_t start = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    s->dir_fd = s->files_fd = s->work_fd = s->maps_fd = s->lock_fd = -1;
    s->access = access;
    s->temporary = temporary;
    atomic_init(&s->next_work, start);
    atomic_init(&s->next_map, start);
    return s;
}

int store_open(const char *path, enum overlay_access access, bool temporary,
               const struct guid *package, const char *mountpoint, struct overlay_store **out,
               struct err *e)
{
    struct overlay_store *s = store_new(access, temporary);
    struct stat st;
    bool made = false;

    *out = NULL;
    if (!s)
        return err_nomem(e);
    int rc = store_place_open(path, access == OVERLAY_WRITE, &s->dir_fd, &s->path, &made, e);
    if (!rc && fstat(s->dir_fd, &st))
        rc = err_sys(e, "overlay %s", path);
    if (!rc) {
        s->dev = st.st_dev;
        rc = open_content(s, package, mountpoint, e);
    }
    if (rc) {
        store_free(s);
        if (made)
            (void)rmdir(path); /* it may be in use by now */
        return rc;
    }
    *out = s;
    return 0;
}

int overlay_store_open(const char *path, enum overlay_access access, const struct guid *package,
                       const char *mountpoint, struct overlay_store **out, struct err *e)
{
    return store_open(path, access, false, package, mountpoint, out, e);
}

static void remove_store(const struct overlay_store *s)
{
    const char *slash = strrchr(s->path, '/');
    auto_free char *parent = slash ? strndup(s->path, (size_t)(slash - s->path) + 1) : NULL;
    auto_close int fd = parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd < 0 || overlay_remove_tree(fd, slash + 1))
        log_warning("overlay", "the temporary overlay %s could not be removed", s->path);
}

void overlay_store_close(struct overlay_store *s)
{
    if (!s)
        return;
    if (s->temporary && s->access == OVERLAY_WRITE)
        remove_store(s); /* with the lock held: nobody else takes it for a dead one's */
    store_free(s);
}
