/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Source for files and block devices of this machine. Reads are positional and complete at once,
 * so any number of threads may read. The file that was opened stays the object, whatever happens
 * to its name; when a read fails because somebody cut or rewrote it, the error says so.
 *
 * Access is left to the kernel's own read-ahead: telling it "random" made reads slower.
 */
#include "config.h"

#include "fetch/source.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "fetch/href.h"
#include "fetch/place.h"
#include "src/clock.h"
#include "src/fold.h"

struct source_file {
    struct source source;
    int fd;
    bool is_regular;
    struct timespec modified; /* when opened */
    atomic_uint_fast64_t requests, bytes, errors, in_flight;
    atomic_uint_fast64_t latency[SOURCE_LATENCY_BUCKETS];
};

static bool file_matches(const char *location)
{
    return !place_scheme_len(location) || href_has_scheme(location, "file");
}

/* --- opening ------------------------------------------------------------------------------- */

/* O_NONBLOCK: the name may turn out to be a FIFO, which would hang the open. */
static int open_path(const char *path)
{
    int fd;
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* The entry of DIR that is NAME in another case, of several the first in byte order, or NULL. */
static char *find_folded(const char *dir, const char *name)
{
    DIR *d = opendir(dir);
    char *best = NULL;

    if (!d)
        return NULL;
    for (struct dirent *entry; (entry = readdir(d));) {
        if (!fold_equal(entry->d_name, strlen(entry->d_name), name, strlen(name)) ||
            (best && strcmp(best, entry->d_name) <= 0))
            continue;
        char *copy = strdup(entry->d_name);
        free(best);
        best = copy;
        if (!best)
            break;
    }
    (void)closedir(d); /* was only read */
    return best;
}

/* Tries the last component of *path in another case; on success *path is replaced. */
static int open_folded(char **path)
{
    char *slash = strrchr(*path, '/');
    const char *name = slash ? slash + 1 : *path;
    auto_free char *dir = slash ? strndup(*path, (size_t)(slash + 1 - *path)) : strdup("./");
    auto_free char *found = dir ? find_folded(dir, name) : NULL;
    char *full;

    if (!found || asprintf(&full, "%s%s", slash ? dir : "", found) < 0) {
        errno = ENOENT;
        return -1;
    }
    free(*path);
    *path = full;
    return open_path(full);
}

/* Opens LOCATION as it is written, then by the rules of documents. *path is what was opened. */
static int open_location(const char *location, const char *map, char **path, struct err *e)
{
    if (!place_scheme_len(location)) {
        *path = strdup(location);
        if (!*path)
            return err_nomem(e);
        int fd = open_path(*path);
        if (fd >= 0)
            return fd;
        if (errno != ENOENT)
            return err_sys(e, "%s", location);
        free(steal_ptr(path));
    }
    int rc = href_local_path(location, map, NULL, path, e);
    if (rc)
        return rc;
    int fd = open_path(*path);
    if (fd < 0 && errno == ENOENT)
        fd = open_folded(path);
    return fd >= 0 ? fd : err_sys(e, "%s", *path);
}

static int check_kind(const struct stat *st, const char *path, struct err *e)
{
    if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
        return 0;
    return err_set(e, ERR_INVALID, "%s is %s, not a package file", path,
                   S_ISDIR(st->st_mode)    ? "a directory"
                   : S_ISFIFO(st->st_mode) ? "a pipe"
                   : S_ISCHR(st->st_mode)  ? "a character device"
                                           : "not a regular file");
}

static int file_open(const char *location, const struct source_options *o, size_t head_bytes,
                     struct source **out, struct err *e)
{
    (void)head_bytes; /* the page cache is the head */
    auto_free char *path = NULL;
    auto_close int fd = open_location(location, o->unc_map, &path, e);
    struct stat st;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return err_sys(e, "%s", path);
    int rc = check_kind(&st, path, e);
    if (rc)
        return rc;
    off_t size = S_ISREG(st.st_mode) ? st.st_size : lseek(fd, 0, SEEK_END);
    if (size < 0)
        return err_sys(e, "%s: size", path);

    struct source_file *f = calloc(1, sizeof *f);
    if (!f)
        return err_nomem(e);
    f->source = (struct source){ .ops = &source_file_ops, .size = (uint64_t)size };
    f->source.name = steal_ptr(&path);
    f->is_regular = S_ISREG(st.st_mode);
    f->modified = st.st_mtim;
    f->fd = fd;
    fd = -1;
    *out = &f->source;
    return 0;
}

/* --- reading ------------------------------------------------------------------------------- */

static bool has_changed(const struct source_file *f)
{
    struct stat st;

    return f->is_regular && !fstat(f->fd, &st) &&
           ((uint64_t)st.st_size != f->source.size ||
            st.st_mtim.tv_sec != f->modified.tv_sec || st.st_mtim.tv_nsec != f->modified.tv_nsec);
}

static int read_fully(struct source_file *f, const struct source_read *read, struct err *e)
{
    uint64_t end;
    size_t done = 0;

    if (add_overflows(read->offset, read->len, &end) || end > f->source.size)
        return err_at(e, ERR_TRUNCATED, NULL, read->offset,
                      "%s: %zu bytes wanted at %llu, but it has %llu", f->source.name, read->len,
                      (unsigned long long)read->offset, (unsigned long long)f->source.size);
    while (done < read->len) {
        ssize_t n = pread(f->fd, read->buf + done, read->len - done,
                          (off_t)(read->offset + done));
        if (n > 0) {
            done += (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        int saved = n < 0 ? errno : EIO;
        if (has_changed(f))
            return err_at(e, ERR_OBJECT_CHANGED, NULL, read->offset + done,
                          "%s was changed while it was in use; mount it again", f->source.name);
        errno = saved;
        return err_sys(e, "%s: read at %llu", f->source.name,
                       (unsigned long long)(read->offset + done));
    }
    return 0;
}

static void file_start(struct source *s, struct source_read *read)
{
    struct source_file *f = (struct source_file *)s;
    struct err e = { .kind = ERR_NONE };

    read->place = 0;
    atomic_fetch_add_explicit(&f->in_flight, 1, memory_order_relaxed);
    uint64_t begun = monotonic_ms();
    int rc = read_fully(f, read, &e);
    unsigned bucket = source_latency_bucket(monotonic_ms() - begun);
    atomic_fetch_add_explicit(&f->latency[bucket], 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&f->in_flight, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&f->requests, 1, memory_order_relaxed);
    if (rc)
        atomic_fetch_add_explicit(&f->errors, 1, memory_order_relaxed);
    else
        atomic_fetch_add_explicit(&f->bytes, read->len, memory_order_relaxed);
    read->done(read, rc, rc ? &e : NULL);
}

static void file_get_stats(struct source *s, struct source_stats *out)
{
    struct source_file *f = (struct source_file *)s;

    *out = (struct source_stats){
        .requests = atomic_load_explicit(&f->requests, memory_order_relaxed),
        .bytes = atomic_load_explicit(&f->bytes, memory_order_relaxed),
        .errors = atomic_load_explicit(&f->errors, memory_order_relaxed),
        .in_flight = atomic_load_explicit(&f->in_flight, memory_order_relaxed),
    };
    for (size_t i = 0; i < SOURCE_LATENCY_BUCKETS; i++)
        out->latency[i] = atomic_load_explicit(&f->latency[i], memory_order_relaxed);
}

static void file_close(struct source *s)
{
    struct source_file *f = (struct source_file *)s;

    (void)close(f->fd); /* was only read */
    free(f);
}

const struct source_ops source_file_ops = {
    .name = "file",
    .matches = file_matches,
    .open = file_open,
    .start = file_start,
    .get_stats = file_get_stats,
    .close = file_close,
    .immediate = true,
};
