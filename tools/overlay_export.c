/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft overlay export`: an overlay as a tar archive (pax, extended attributes as SCHILY.xattr
 * records, holes as GNU sparse maps): the text file `overlay`, and files/, maps/ and aside/ as they
 * are. It is locked meanwhile. libarchive writes; everything about the overlay is read here.
 */
#include "config.h"

#include "tools/overlay_common.h"

#ifdef HAVE_LIBARCHIVE

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "fs/overlay/partial.h"
#include "tools/unpack.h"

#define BUFFER_BYTES (1u << 20)

struct export
{
    struct overlay_run *run;
    struct progress progress;
    struct archive *archive;
    struct archive_entry_linkresolver *links;
    char **dirs; /* still to be read; owned, as are the strings */
    size_t dir_count, dir_room;
    uint8_t *buf;
    int fd; /* of the archive */
    uint64_t entries, bytes;
};

static int archive_failed(struct export *x, struct err *e)
{
    const char *text = archive_error_string(x->archive);

    return err_set(e, ERR_SYSTEM, "%s", text ? text : "the archive could not be written");
}

static int add_dir(struct export *x, char *path, struct err *e)
{
    if (x->dir_count == x->dir_room) {
        size_t more = 2 * x->dir_room + 64;
        char **grown = realloc(x->dirs, more * sizeof *grown);

        if (!grown) {
            free(path);
            return err_nomem(e);
        }
        x->dirs = grown;
        x->dir_room = more;
    }
    x->dirs[x->dir_count++] = path;
    return 0;
}

/* ---- one entry ---- */

static int add_xattrs(struct archive_entry *entry, int dirfd, const char *name, struct err *e)
{
    auto_free char *names = malloc(65536), *value = malloc(65536);
    ssize_t len;

    if (!names || !value)
        return err_nomem(e);
    len = xattr_list_at(dirfd, name, names, 65536);
    if (len == -ENOTSUP)
        return 0;
    for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
        ssize_t n;

        if (strncmp(names + at, "user.", 5) != 0)
            continue; /* what the system put there (labels) belongs to this machine */
        n = xattr_get_at(dirfd, name, names + at, value, 65536);
        if (n == -ENODATA)
            continue;
        if (n < 0) {
            errno = (int)-n;
            return err_sys(e, "%s: attribute %s", name, names + at);
        }
        archive_entry_xattr_add_entry(entry, names + at, value, (size_t)n);
    }
    if (len >= 0)
        return 0;
    errno = (int)-len;
    return err_sys(e, "%s: attributes", name);
}

/* Where FD has data; nothing is said of a file without holes. */
static void add_sparse(struct archive_entry *entry, int fd, off_t size)
{
    off_t data = size ? lseek(fd, 0, SEEK_DATA) : -1, hole;

    if (!size || (data < 0 && errno != ENXIO))
        return;
    if (data < 0) {
        archive_entry_sparse_add_entry(entry, 0, 0); /* one hole */
        return;
    }
    hole = lseek(fd, data, SEEK_HOLE);
    if (!data && hole >= size)
        return;
    while (data >= 0 && data < size && hole > data) {
        archive_entry_sparse_add_entry(entry, data, (hole < size ? hole : size) - data);
        data = lseek(fd, hole, SEEK_DATA);
        hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
    }
}

/* libarchive leaves out what was said to be a hole, and wants to be given its zeros all the same.
 */
static int write_data(struct export *x, int fd, off_t size, struct err *e)
{
    for (off_t off = 0; off < size;) {
        size_t want = (size_t)min_u64((uint64_t)(size - off), BUFFER_BYTES);
        ssize_t n = pread(fd, x->buf, want, off);
        int rc;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "reading");
        if (!n)
            return err_set(e, ERR_BUSY, "the file became shorter meanwhile");
        if (archive_write_data(x->archive, x->buf, (size_t)n) != n)
            return archive_failed(x, e);
        off += n;
        x->bytes += (uint64_t)n;
        progress_update(&x->progress, x->bytes);
        rc = interrupt_check(&x->run->interrupt, e);
        if (rc)
            return rc;
    }
    return 0;
}

static int write_entry(struct export *x, struct archive_entry *entry, int fd, struct err *e)
{
    int rc = archive_write_header(x->archive, entry);

    if (rc < ARCHIVE_WARN)
        return archive_failed(x, e);
    x->entries++;
    if (fd < 0 || archive_entry_hardlink(entry))
        return 0;
    return write_data(x, fd, (off_t)archive_entry_size(entry), e);
}

static int fill_entry(struct export *x, struct archive_entry *entry, int dirfd, const char *name,
                      const char *path, const struct stat *st, struct err *e)
{
    char target[4097];
    ssize_t n;

    archive_entry_copy_stat(entry, st);
    archive_entry_copy_pathname(entry, path);
    if (S_ISLNK(st->st_mode)) {
        n = readlinkat(dirfd, name, target, sizeof target - 1);
        if (n < 0)
            return err_sys(e, "%s", path);
        target[n] = '\0';
        archive_entry_copy_symlink(entry, target);
    } else {
        int rc = add_xattrs(entry, dirfd, name, e);

        if (rc)
            return rc;
    }
    if (!S_ISDIR(st->st_mode)) {
        struct archive_entry *later = NULL;

        archive_entry_linkify(x->links, &entry, &later);
    }
    return 0;
}

/* NAME in the directory DIRFD, PATH in the archive. */
static int add(struct export *x, int dirfd, const char *name, const char *path, struct err *e)
{
    struct archive_entry *entry;
    auto_close int fd = -1;
    struct stat st;
    int rc;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
        return err_sys(e, "%s", path);
    if (S_ISSOCK(st.st_mode)) {
        report_note(&x->run->in.report, "%s: a socket, left out", path);
        return 0;
    }
    if (S_ISREG(st.st_mode)) {
        fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return err_sys(e, "%s", path);
    }
    entry = archive_entry_new();
    if (!entry)
        return err_nomem(e);
    rc = fill_entry(x, entry, dirfd, name, path, &st, e);
    if (!rc && fd >= 0 && !archive_entry_hardlink(entry))
        add_sparse(entry, fd, st.st_size);
    if (!rc)
        rc = write_entry(x, entry, fd, e);
    archive_entry_free(entry);
    return rc;
}

/* ---- all of them ---- */

static int add_children(struct export *x, const char *path, struct err *e)
{
    int fd = unpack_open_path(x->run->store->dir_fd, path, e), rc = 0;
    struct dirent *d;
    DIR *stream;

    if (fd < 0)
        return fd;
    stream = fdopendir(fd);
    if (!stream) {
        rc = err_sys(e, "%s", path);
        (void)close(fd);
        return rc;
    }
    while (!rc && (errno = 0, d = readdir(stream))) {
        size_t len = strlen(path) + strlen(d->d_name) + 2;
        char *child;
        struct stat st;

        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        child = malloc(len);
        if (!child) {
            rc = err_nomem(e);
            break;
        }
        (void)snprintf(child, len, "%s/%s", path, d->d_name);
        rc = add(x, fd, d->d_name, child, e);
        if (!rc && !fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode))
            rc = add_dir(x, child, e);
        else
            free(child);
        if (!rc)
            rc = interrupt_check(&x->run->interrupt, e);
    }
    if (!rc && errno)
        rc = err_sys(e, "%s", path);
    (void)closedir(stream);
    return rc;
}

static int add_all(struct export *x, struct err *e)
{
    static const char *const tops[] = { "files", "maps", "aside" };
    int dir = x->run->store->dir_fd;
    int rc = add(x, dir, "overlay", "overlay", e);

    for (size_t i = 0; !rc && i < ARRAY_LEN(tops); i++) {
        struct stat st;
        char *path;

        if (fstatat(dir, tops[i], &st, AT_SYMLINK_NOFOLLOW)) {
            if (errno != ENOENT)
                return err_sys(e, "%s", tops[i]);
            continue;
        }
        rc = add(x, dir, tops[i], tops[i], e);
        path = rc ? NULL : strdup(tops[i]);
        if (!rc)
            rc = path ? add_dir(x, path, e) : err_nomem(e);
        while (!rc && x->dir_count) {
            auto_free char *next = x->dirs[--x->dir_count];

            rc = add_children(x, next, e);
        }
    }
    return rc;
}

/* What was written since the machine started counts there only when it is on the disk (partial.h):
 * another machine has started at another time. */
static int sync_maps(struct overlay_run *r, uint64_t *total, struct err *e)
{
    int rc = 0;

    *total = 0;
    for (uint32_t i = 1; !rc && i < r->upper->count; i++) {
        const struct upper_entry *n = &r->upper->entries[i];
        struct partial *p = NULL;

        if (!S_ISREG(n->st.st_mode))
            continue;
        *total += (uint64_t)n->st.st_size;
        if (r->store->read_only || !n->markers.has_partial || !n->markers.partial.map)
            continue;
        auto_close int fd = upper_open(r->store, r->upper, i, O_RDWR, e);
        if (fd < 0)
            return fd;
        rc = partial_open(r->store, fd, (uint64_t)n->st.st_size, &n->markers.partial, &p, e);
        if (!rc) {
            rc = partial_sync(p, fd);
            errno = -rc;
            if (rc)
                (void)err_sys(e, "%s", n->name);
            partial_free(p);
        }
    }
    return rc;
}

static int write_archive(struct export *x, struct err *e)
{
    int rc = 0;

    x->archive = archive_write_new();
    x->links = archive_entry_linkresolver_new();
    x->buf = malloc(BUFFER_BYTES);
    if (!x->archive || !x->links || !x->buf)
        return err_nomem(e);
    archive_entry_linkresolver_set_strategy(x->links, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE);
    if (archive_write_set_format_pax(x->archive) != ARCHIVE_OK ||
        archive_write_set_options(x->archive, "pax:xattrheader=SCHILY") < ARCHIVE_WARN ||
        archive_write_set_bytes_in_last_block(x->archive, 1) != ARCHIVE_OK ||
        archive_write_open_fd(x->archive, x->fd) != ARCHIVE_OK)
        return archive_failed(x, e);
    rc = add_all(x, e);
    if (!rc && archive_write_close(x->archive) != ARCHIVE_OK)
        rc = archive_failed(x, e);
    return rc;
}

static void clear(struct export *x)
{
    if (x->archive)
        (void)archive_write_free(x->archive); /* closed before, or failed */
    if (x->links)
        archive_entry_linkresolver_free(x->links);
    while (x->dir_count)
        free(x->dirs[--x->dir_count]);
    free(x->dirs);
    free(x->buf);
}

/* Makes x->fd a new file beside TARGET; *temp is its name, owned. */
static int create(struct export *x, const char *target, char **temp, struct err *e)
{
    size_t len = strlen(target) + 40;

    if (!x->run->force && !access(target, F_OK))
        return err_set(e, ERR_INVALID, "exists; --force replaces it");
    *temp = malloc(len);
    if (!*temp)
        return err_nomem(e);
    (void)snprintf(*temp, len, "%s.sft-export-%ld", target, (long)getpid());
    x->fd = open(*temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (x->fd < 0) {
        int rc = err_sys(e, "%s", target);

        free(*temp);
        *temp = NULL;
        return rc;
    }
    return 0;
}

static int export_to(struct export *x, const char *target, struct err *e)
{
    auto_free char *temp = NULL;
    int rc = 0;

    if (!strcmp(target, "-")) {
        x->fd = STDOUT_FILENO;
        return write_archive(x, e);
    }
    rc = create(x, target, &temp, e);
    if (rc)
        return rc;
    rc = write_archive(x, e);
    if (!rc && fsync(x->fd))
        rc = err_sys(e, "%s", target);
    if (close(x->fd) && !rc)
        rc = err_sys(e, "%s", target);
    if (!rc && rename(temp, target))
        rc = err_sys(e, "%s", target);
    if (rc)
        (void)unlink(temp);
    return rc;
}

static void print_json(const struct export *x)
{
    struct json j = json_begin(stdout);

    json_object(&j, NULL);
    json_string(&j, "overlay", x->run->store->path);
    json_string(&j, "archive", x->run->target);
    json_guid(&j, "package_guid", &x->run->store->package_guid);
    json_uint(&j, "entries", x->entries);
    json_uint(&j, "bytes", x->bytes);
    json_close_object(&j);
    json_end(&j); /* report_finish() looks */
}

/* Names are UTF-8 here whatever the locale says; libarchive goes by the locale. */
static locale_t use_utf8(void)
{
    locale_t utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") != 0
                        ? newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0)
                        : (locale_t)0;

    if (utf8)
        (void)uselocale(utf8);
    return utf8;
}

static int export(struct export *x, struct err *e)
{
    locale_t utf8 = use_utf8();
    uint64_t total;
    int rc = sync_maps(x->run, &total, e);

    x->progress = progress_begin("exported", total, sft_progress(&x->run->in));
    if (!rc)
        rc = export_to(x, x->run->target, e);
    progress_clear(&x->progress);
    clear(x);
    if (utf8) {
        (void)uselocale(LC_GLOBAL_LOCALE);
        freelocale(utf8);
    }
    return rc;
}

enum exitcode overlay_export(struct overlay_run *r)
{
    struct export x = { .run = r, .fd = -1 };
    bool out = !strcmp(r->target, "-");
    struct err e = { 0 };
    enum exitcode status;

    if (out && (r->in.report.json || isatty(STDOUT_FILENO))) {
        (void)err_set(&e, ERR_INVALID,
                      r->in.report.json ? "the archive and --json cannot both go there"
                                        : "an archive is not for a terminal");
        r->in.report.json = false;
        return report_error(&r->in.report, "standard output", &e);
    }
    status = overlay_open_store(r, OVERLAY_WRITE);
    if (status == EXITCODE_OK)
        status = overlay_compare(r);
    if (status != EXITCODE_OK)
        return status;
    if (export(&x, &e))
        return report_error(&r->in.report, out ? "standard output" : r->target, &e);
    if (r->in.report.json)
        print_json(&x);
    return EXITCODE_OK;
}

#else

enum exitcode overlay_export(struct overlay_run *r)
{
    struct err e = { 0 };

    (void)err_set(&e, ERR_UNSUPPORTED,
                  "this program was built without libarchive, which export "
                  "needs");
    return report_error(&r->in.report, NULL, &e);
}

#endif
