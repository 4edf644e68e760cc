/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft overlay import`: an overlay from a tar archive, which anybody may have made. It is unpacked
 * into a new directory beside the overlay's place, every name opened by its components and never
 * through a link; checked; and put into place in one step. Whatever goes wrong before leaves what
 * was there as it was.
 */
#include "config.h"

#include "tools/overlay_common.h"

#ifdef HAVE_LIBARCHIVE

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fetch/file_io.h"
#include "fs/overlay/store_info.h"
#include "tools/overlay_unpack.h"
#include "tools/unpack.h"

struct import {
    struct overlay_run *run;
    struct progress progress;
    struct archive *archive;
    struct overlay_unpack unpack;
    int parent;        /* directory of the overlay's place */
    char *base, *temp; /* names there; owned */
    char *temp_path;   /* owned */
    bool exists;       /* an overlay is at the place, locked */
    bool empty_dir;    /* an empty directory is */
    uint64_t entries;
};

/* What libarchive has to say, and what kind of failure it is. */
static int archive_failed(struct import *m, enum err_kind kind, struct err *e)
{
    const char *text = archive_error_string(m->archive);

    return err_set(e, kind, "%s", text ? text : "not a readable tar archive");
}

/* ---- the place ---- */

static int split_place(struct import *m, struct err *e)
{
    auto_free char *path = strdup(m->run->dir), *dir = NULL;
    size_t len = path ? strlen(path) : 0;
    const char *slash;

    if (!path)
        return err_nomem(e);
    while (len > 1 && path[len - 1] == '/')
        path[--len] = '\0';
    slash = strrchr(path, '/');
    m->base = strdup(slash ? slash + 1 : path);
    m->temp = malloc(len + 40);
    m->temp_path = malloc(2 * len + 80);
    dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
    if (!m->base || !m->temp || !m->temp_path || !dir)
        return err_nomem(e);
    if (!*m->base || !strcmp(m->base, ".") || !strcmp(m->base, ".."))
        return err_set(e, ERR_INVALID, "not a place for a new directory");
    (void)snprintf(m->temp, len + 40, "%s.sft-import-%ld", m->base, (long)getpid());
    (void)snprintf(m->temp_path, 2 * len + 80, "%s%s", dir, m->temp);
    if (!m->run->place) { /* the default one; otherwise a typing error would make directories */
        int rc = file_make_parents(dir, e);

        if (rc)
            return rc;
    }
    m->parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return m->parent < 0 ? err_sys(e, "%s", dir) : 0;
}

/* Whether overlay R->store has nothing in it. */
static int check_empty(struct overlay_run *r, struct err *e)
{
    struct upper *u = NULL;
    int rc = upper_read(r->store, true, NULL, NULL, &u, e);
    bool empty = !rc && u->count == 1;

    upper_free(u);
    if (!rc && !empty && !r->replace)
        rc = err_set(e, ERR_INVALID,
                     "there are changes in this overlay; --replace throws them away");
    return rc;
}

/* An overlay that is there is locked until the new one has taken its place. */
static int lock_old(struct import *m, const struct guid *guid, struct err *e)
{
    struct overlay_run *r = m->run;
    struct stat st;
    int rc;

    if (fstatat(m->parent, m->base, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : err_sys(e, "%s", r->dir);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_INVALID, "exists and is no directory");
    m->empty_dir = unpack_is_empty_dir(m->parent, m->base);
    if (m->empty_dir)
        return 0;
    m->exists = true;
    rc = overlay_store_open(r->dir, OVERLAY_WRITE, guid, NULL, &r->store, e);
    if (!rc && r->store->read_only)
        rc = err_set(e, ERR_DENIED, "the overlay cannot be written");
    return rc ? rc : check_empty(r, e);
}

/* Once it is known which package the archive is of. */
static int begin(struct import *m, const struct guid *guid, struct err *e)
{
    struct overlay_run *r = m->run;
    int rc = 0;

    if (r->in.package && !guid_equal(&package_info(r->in.package)->package_guid, guid)) {
        char text[GUID_TEXT_SIZE];

        guid_format(guid, text);
        return err_set(e, ERR_GUID_MISMATCH, "the archive is of another package (%s)", text);
    }
    if (!r->dir)
        rc = overlay_default_path(guid, &r->dir, e);
    if (!rc)
        rc = split_place(m, e);
    if (!rc)
        rc = lock_old(m, guid, e);
    if (rc)
        return rc;
    if (mkdirat(m->parent, m->temp, 0700))
        return err_sys(e, "%s", m->temp_path);
    return overlay_unpack_begin(&m->unpack, m->parent, m->temp, r->unsafe_links, e);
}

/* ---- the archive ---- */

/* The text file "overlay", which has to come first: it says where all else belongs. */
static int read_info(struct import *m, struct err *e)
{
    auto_free char *text = malloc(INFO_MAX + 1);
    struct store_info info;
    size_t len = 0;
    la_ssize_t n;
    int rc;

    if (!text)
        return err_nomem(e);
    while (len <= INFO_MAX && (n = archive_read_data(m->archive, text + len, INFO_MAX + 1 - len))) {
        if (n < 0)
            return archive_failed(m, ERR_CORRUPT, e);
        len += (size_t)n;
    }
    rc = store_info_parse(text, len, &info, e);
    if (rc)
        err_wrap(e, "its file 'overlay'");
    else
        rc = begin(m, &info.package, e);
    store_info_clear(&info);
    return rc ? rc : overlay_unpack_file(&m->unpack, "overlay", text, len, e);
}

static int next_header(struct import *m, struct archive_entry **entry, struct err *e)
{
    int rc = archive_read_next_header(m->archive, entry);

    if (rc == ARCHIVE_EOF)
        return 0;
    if (rc < ARCHIVE_WARN)
        return archive_failed(m, m->entries ? ERR_CORRUPT : ERR_UNSUPPORTED, e);
    if (!archive_entry_pathname(*entry))
        return err_set(e, ERR_CORRUPT, "a name in it is not readable");
    return 1;
}

static int unpack_entries(struct import *m, struct err *e)
{
    struct archive_entry *entry;
    int rc;

    while ((rc = next_header(m, &entry, e)) > 0) {
        const char *name = archive_entry_pathname(entry);

        if (!strncmp(name, "./", 2))
            name += 2;
        if (!m->entries && !*name) /* "./" itself */
            continue;
        if (!m->entries &&
            (strcmp(name, "overlay") != 0 || archive_entry_filetype(entry) != AE_IFREG))
            return err_set(e, ERR_UNSUPPORTED,
                           "not made by 'sft overlay export': the file 'overlay' "
                           "does not come first");
        rc =
            m->entries++ ? overlay_unpack_entry(&m->unpack, m->archive, entry, e) : read_info(m, e);
        if (rc && archive_errno(m->archive) && rc == -EIO && e->kind == ERR_NONE)
            return archive_failed(m, ERR_CORRUPT, e);
        if (!rc)
            rc = interrupt_check(&m->run->interrupt, e);
        if (rc)
            return rc;
        progress_update(&m->progress, m->unpack.bytes);
    }
    if (rc < 0)
        return rc;
    if (!m->entries)
        return err_set(e, ERR_UNSUPPORTED, "the archive is empty");
    return overlay_unpack_finish(&m->unpack, e);
}

static int read_archive(struct import *m, struct err *e)
{
    bool in = !strcmp(m->run->target, "-");
    uint64_t total = 0;
    struct stat st;
    int rc;

    auto_close int fd = in ? dup(STDIN_FILENO) : open(m->run->target, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        return err_sys(e, "%s", m->run->target);
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return err_sys(e, "%s", m->run->target);
    }
    if (S_ISREG(st.st_mode))
        total = (uint64_t)st.st_size;
    m->archive = archive_read_new();
    if (!m->archive)
        return err_nomem(e);
    m->progress = progress_begin("imported", total, sft_progress(&m->run->in));
    /* tar alone, and no compression: less of a library for a hostile file to reach. */
    if (archive_read_support_format_tar(m->archive) != ARCHIVE_OK ||
        archive_read_open_fd(m->archive, fd, 1u << 16) != ARCHIVE_OK) {
        rc = archive_failed(m, ERR_UNSUPPORTED, e);
        if (strstr(e->text, "Unrecognized"))
            rc = err_set(e, ERR_UNSUPPORTED,
                         "not a tar archive (decompress one first: zstd -dc FILE | sft overlay "
                         "import -)");
    } else {
        rc = unpack_entries(m, e);
    }
    progress_clear(&m->progress);
    (void)archive_read_free(m->archive); /* nothing is written through it */
    return rc;
}

/* ---- into place ---- */

static int swap(struct import *m, struct err *e)
{
    if (syncfs(m->unpack.fd))
        return err_sys(e, "%s", m->temp_path);
    if (!m->exists) {
        if (!m->empty_dir && !renameat2(m->parent, m->temp, m->parent, m->base, RENAME_NOREPLACE))
            return 0;
        if (!m->empty_dir && errno != EINVAL && errno != ENOSYS)
            return err_sys(e, "%s", m->run->dir);
        return renameat(m->parent, m->temp, m->parent, m->base) ? err_sys(e, "%s", m->run->dir) : 0;
    }
    if (!renameat2(m->parent, m->temp, m->parent, m->base, RENAME_EXCHANGE))
        return 0; /* what has the temporary name now is the old one */
    return err_sys(e, "%s: cannot be exchanged for the new one", m->run->dir);
}

static void print_result(const struct import *m)
{
    struct json j = json_begin(stdout);

    if (!m->run->in.report.json) {
        (void)printf("%s\n", m->run->dir);
        return;
    }
    json_object(&j, NULL);
    json_string(&j, "overlay", m->run->dir);
    json_uint(&j, "entries", m->entries);
    json_uint(&j, "bytes", m->unpack.bytes);
    json_close_object(&j);
    json_end(&j); /* report_finish() looks */
}

enum exitcode overlay_import(struct overlay_run *r)
{
    struct import m = { .run = r, .parent = -1, .unpack = OVERLAY_UNPACK_INIT };
    enum exitcode status = EXITCODE_OK;
    struct err e = { 0 };
    int rc = read_archive(&m, &e);

    if (!rc)
        rc = overlay_unpack_check(m.temp_path, &r->interrupt, &e);
    if (!rc)
        rc = swap(&m, &e);
    if (rc)
        status = report_error(&r->in.report,
                              e.kind == ERR_BUSY || e.kind == ERR_DENIED || !m.unpack.begun
                                  ? (m.base ? r->dir : r->target)
                                  : r->target,
                              &e);
    overlay_store_close(r->store); /* before its directory goes */
    r->store = NULL;
    if (m.unpack.begun && (rc || m.exists) && overlay_remove_tree(m.parent, m.temp))
        report_note(&r->in.report, "%s could not be removed", m.temp_path);
    overlay_unpack_end(&m.unpack);
    if (!rc)
        print_result(&m);
    if (m.parent >= 0)
        (void)close(m.parent);
    free(m.base);
    free(m.temp);
    free(m.temp_path);
    return status;
}

#else

enum exitcode overlay_import(struct overlay_run *r)
{
    struct err e = { 0 };

    (void)err_set(&e, ERR_UNSUPPORTED,
                  "this program was built without libarchive, which import "
                  "needs");
    return report_error(&r->in.report, NULL, &e);
}

#endif
