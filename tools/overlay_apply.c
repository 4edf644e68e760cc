/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft overlay apply`: package and changes as one plain tree, as a mount shows it. It is written
 * into a new directory beside DIR, which appears when it is complete. Files keep their holes where
 * they are zeros anyway, their hard links among each other, extended attributes and permission
 * bits.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "fetch/file_io.h"
#include "fs/overlay/data.h"
#include "tools/overlay_common.h"
#include "tools/unpack.h"

#define HOLE_BYTES 4096u

/* Something of a directory that was listed. */
struct item {
    char *name; /* owned */
    struct overlay_ref ref;
    struct stat st;
};

/* A directory: to be filled, and its attributes to be set at the end. */
struct made_dir {
    char *path; /* below the target; owned */
    uint64_t id;
    struct stat st;
};

/* A file that has further names. */
struct linked {
    ino_t ino;
    char *path; /* owned */
};

struct apply {
    struct overlay_run *run;
    struct overlay *overlay;
    struct progress progress;
    int target;
    struct item *items; /* of the directory being listed */
    size_t item_count, item_room;
    struct made_dir *dirs;
    size_t dir_count, dir_room;
    struct linked *links;
    size_t link_count, link_room;
    bool no_memory, no_xattrs;
    uint8_t *buf;
    uint64_t files, others, bytes;
};

static bool grow(void *array, size_t *room, size_t count, size_t size)
{
    void **list = array, *grown;
    size_t more = 2 * *room + 64;

    if (count < *room)
        return true;
    grown = realloc(*list, more * size);
    if (!grown)
        return false;
    *list = grown;
    *room = more;
    return true;
}

/* ---- attributes ---- */

static int copy_xattrs(struct apply *a, uint64_t id, int fd, const char *path, struct err *e)
{
    auto_free char *names = malloc(65536), *value = malloc(65536);
    ssize_t len;

    if (!names || !value)
        return err_nomem(e);
    len = overlay_listxattr(a->overlay, id, names, 65536);
    for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
        ssize_t n = overlay_getxattr(a->overlay, id, names + at, value, 65536);

        if (n < 0 || strncmp(names + at, "user.", 5) != 0)
            continue;
        if (!fsetxattr(fd, names + at, value, (size_t)n, 0))
            continue;
        if (errno != ENOTSUP && errno != EPERM)
            return err_sys(e, "%s: attribute %s", path, names + at);
        if (!a->no_xattrs)
            report_note(&a->run->in.report, "no extended attributes (such as hidden) can be "
                                            "written here");
        a->no_xattrs = true;
    }
    return 0;
}

static int set_attributes(int fd, const struct stat *st, const char *path, struct err *e)
{
    const struct timespec times[2] = { st->st_atim, st->st_mtim };

    if (fchmod(fd, st->st_mode & 0777) || futimens(fd, times))
        return err_sys(e, "%s", path);
    return 0;
}

/* ---- files ---- */

/* Leaves out what is zero: the file has its size already. */
static int write_data(int fd, const uint8_t *data, size_t len, uint64_t off, struct err *e)
{
    static const uint8_t zeros[HOLE_BYTES];

    while (len) {
        size_t part = len < HOLE_BYTES ? len : HOLE_BYTES;

        if (memcmp(data, zeros, part) != 0) {
            size_t run = part;
            size_t next;

            while (run < len) {
                next = len - run < HOLE_BYTES ? len - run : HOLE_BYTES;
                if (!memcmp(data + run, zeros, next))
                    break;
                run += next;
            }
            if (file_write(fd, data, run, off, NULL))
                return err_sys(e, "writing");
            part = run;
        }
        data += part;
        off += part;
        len -= part;
    }
    return 0;
}

static long read_lower(void *arg, uint32_t file, uint64_t off, void *buf, size_t len, struct err *e)
{
    struct apply *a = arg;

    return engine_read_file(a->run->in.engine, file, off, buf, len, e);
}

/* All of the file that DATA has, or of package file LOWER. */
static int copy_data(struct apply *a, const struct overlay_data *data, uint32_t lower, int fd,
                     uint64_t size, struct err *e)
{
    for (uint64_t off = 0; off < size;) {
        size_t want = (size_t)min_u64(size - off, SFT_STREAM_BYTES);
        long got;
        int rc;

        if (!data->node && size - off > SFT_STREAM_BYTES)
            sft_prefetch(&a->run->in, lower, off + SFT_STREAM_BYTES, SFT_STREAM_BYTES);
        got = data->node ? overlay_data_read(a->overlay, data, off, a->buf, want, read_lower, a, e)
                         : read_lower(a, lower, off, a->buf, want, e);
        if (got < 0)
            return (int)got;
        if (!got)
            return err_set(e, ERR_TRUNCATED, "the file ends early");
        rc = write_data(fd, a->buf, (size_t)got, off, e);
        if (!rc)
            rc = interrupt_check(&a->run->interrupt, e);
        if (rc)
            return rc;
        off += (uint64_t)got;
        a->bytes += (uint64_t)got;
        progress_update(&a->progress, a->bytes);
    }
    return 0;
}

static int make_link(struct apply *a, const struct item *it, int parent, bool *done, struct err *e)
{
    *done = false;
    for (size_t i = 0; i < a->link_count; i++) {
        auto_free char *path = NULL;
        char *slash;

        if (a->links[i].ino != it->st.st_ino)
            continue;
        path = strdup(a->links[i].path);
        if (!path)
            return err_nomem(e);
        slash = strrchr(path, '/');
        if (slash)
            *slash = '\0';
        auto_close int dir = unpack_open_path(a->target, slash ? path : "", e);
        if (dir < 0)
            return dir;
        if (linkat(dir, slash ? slash + 1 : path, parent, it->name, 0))
            return err_sys(e, "%s", it->name);
        *done = true;
        return 0;
    }
    return 0;
}

static int remember_link(struct apply *a, const struct item *it, const char *path, struct err *e)
{
    if (it->st.st_nlink < 2)
        return 0;
    if (!grow(&a->links, &a->link_room, a->link_count, sizeof *a->links))
        return err_nomem(e);
    a->links[a->link_count] = (struct linked){ it->st.st_ino, strdup(path) };
    return a->links[a->link_count++].path ? 0 : err_nomem(e);
}

static int fill_file(struct apply *a, const struct item *it, int fd, struct err *e)
{
    struct overlay_data data = { .node = NULL };
    int rc = overlay_data_pin(a->overlay, it->ref.id, false, &data);

    if (rc) {
        errno = -rc;
        return err_sys(e, "cannot be opened");
    }
    if (ftruncate(fd, it->st.st_size))
        rc = err_sys(e, "writing");
    if (!rc)
        rc = copy_data(a, &data, it->ref.lower, fd, (uint64_t)it->st.st_size, e);
    if (data.node)
        overlay_data_unpin(a->overlay, &data);
    return rc;
}

static int make_file(struct apply *a, const struct item *it, int parent, const char *path,
                     struct err *e)
{
    bool linked = false;
    int rc = it->st.st_nlink > 1 ? make_link(a, it, parent, &linked, e) : 0;

    if (rc || linked)
        return rc;
    auto_close int fd =
        openat(parent, it->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, "%s", path);
    rc = fill_file(a, it, fd, e);
    if (rc) {
        err_wrap(e, "%s", path);
        return rc;
    }
    a->files++;
    rc = copy_xattrs(a, it->ref.id, fd, path, e);
    if (!rc)
        rc = set_attributes(fd, &it->st, path, e);
    return rc ? rc : remember_link(a, it, path, e);
}

/* ---- the tree ---- */

static bool list_entry(void *arg, const char *name, const struct overlay_ref *ref,
                       const struct stat *st, uint64_t next)
{
    struct apply *a = arg;
    struct item *it;

    (void)next;
    if (!strcmp(name, ".") || !strcmp(name, ".."))
        return true;
    a->no_memory = !grow(&a->items, &a->item_room, a->item_count, sizeof *a->items);
    if (a->no_memory)
        return false;
    it = &a->items[a->item_count];
    *it = (struct item){ .name = strdup(name), .ref = *ref, .st = *st };
    a->no_memory = !it->name;
    a->item_count += it->name != NULL;
    return !a->no_memory;
}

static void clear_items(struct apply *a)
{
    while (a->item_count)
        free(a->items[--a->item_count].name);
}

static int add_dir(struct apply *a, char *path, uint64_t id, const struct stat *st, struct err *e)
{
    if (!path || !grow(&a->dirs, &a->dir_room, a->dir_count, sizeof *a->dirs)) {
        free(path);
        return err_nomem(e);
    }
    a->dirs[a->dir_count++] = (struct made_dir){ path, id, *st };
    return 0;
}

static int make_item(struct apply *a, const struct item *it, int parent, const char *path,
                     struct err *e)
{
    const struct timespec times[2] = { it->st.st_atim, it->st.st_mtim };
    char target[4097];
    ssize_t n;

    switch (it->st.st_mode & S_IFMT) {
    case S_IFREG:
        return make_file(a, it, parent, path, e);
    case S_IFDIR:
        if (mkdirat(parent, it->name, 0700))
            return err_sys(e, "%s", path);
        return add_dir(a, strdup(path), it->ref.id, &it->st, e);
    case S_IFLNK:
        n = overlay_readlink(a->overlay, it->ref.id, target, sizeof target - 1);
        if (n < 0) {
            errno = (int)-n;
            return err_sys(e, "%s", path);
        }
        target[n] = '\0';
        if (symlinkat(target, parent, it->name))
            return err_sys(e, "%s", path);
        break;
    case S_IFIFO:
        if (mkfifoat(parent, it->name, it->st.st_mode & 0777))
            return err_sys(e, "%s", path);
        break;
    default:
        report_note(&a->run->in.report, "%s: a %s, left out", path,
                    overlay_type_name(it->st.st_mode & S_IFMT));
        return 0;
    }
    a->others++;
    (void)utimensat(parent, it->name, times, AT_SYMLINK_NOFOLLOW); /* not everywhere; a nicety */
    return 0;
}

static int fill_dir(struct apply *a, size_t index, struct err *e)
{
    uint64_t id = a->dirs[index].id;
    auto_free char *dir = strdup(a->dirs[index].path);
    int rc;

    if (!dir)
        return err_nomem(e);
    clear_items(a);
    rc = overlay_list(a->overlay, id, 0, true, list_entry, a);
    if (a->no_memory)
        return err_nomem(e);
    errno = -rc;
    if (rc)
        return err_sys(e, "%s", *dir ? dir : "root of the overlay");
    auto_close int fd = unpack_open_path(a->target, dir, e);
    if (fd < 0)
        return fd;
    for (size_t i = 0; !rc && i < a->item_count; i++) {
        size_t len = strlen(dir) + strlen(a->items[i].name) + 2;
        auto_free char *path = malloc(len);

        if (!path)
            return err_nomem(e);
        (void)snprintf(path, len, "%s%s%s", dir, *dir ? "/" : "", a->items[i].name);
        rc = make_item(a, &a->items[i], fd, path, e);
        if (!rc)
            rc = interrupt_check(&a->run->interrupt, e);
    }
    return rc;
}

static int write_tree(struct apply *a, struct err *e)
{
    struct stat st;
    int rc = overlay_getattr(a->overlay, OVERLAY_ROOT_ID, &st);

    errno = -rc;
    rc = rc ? err_sys(e, "root of the overlay") : add_dir(a, strdup(""), OVERLAY_ROOT_ID, &st, e);
    for (size_t i = 0; !rc && i < a->dir_count; i++)
        rc = fill_dir(a, i, e);
    /* Children come after their parents, so that going backwards no time is touched again. */
    for (size_t i = a->dir_count; !rc && i-- > 0;) {
        auto_close int fd = unpack_open_path(a->target, a->dirs[i].path, e);

        if (fd < 0)
            return fd;
        rc = copy_xattrs(a, a->dirs[i].id, fd, a->dirs[i].path, e);
        if (!rc)
            rc = set_attributes(fd, &a->dirs[i].st, a->dirs[i].path, e);
    }
    return rc;
}

static void clear(struct apply *a)
{
    clear_items(a);
    free(a->items);
    for (size_t i = 0; i < a->dir_count; i++)
        free(a->dirs[i].path);
    free(a->dirs);
    for (size_t i = 0; i < a->link_count; i++)
        free(a->links[i].path);
    free(a->links);
    free(a->buf);
    if (a->target >= 0)
        (void)close(a->target); /* a directory */
}

/* ---- the target ---- */

/* DIR must not be there, or be empty: rename() sees to that in the end, this saves the work. */
static int check_target(const char *dir, struct err *e)
{
    struct stat st;

    if (lstat(dir, &st))
        return errno == ENOENT ? 0 : err_sys(e, "%s", dir);
    if (unpack_is_empty_dir(AT_FDCWD, dir))
        return 0;
    return err_set(e, ERR_INVALID,
                   S_ISDIR(st.st_mode) ? "is not empty; apply writes a new directory"
                                       : "exists and is no directory");
}

static int apply_to(struct apply *a, const char *dir, struct err *e)
{
    size_t len = strlen(dir);
    auto_free char *temp = malloc(len + 40);
    int rc;

    if (!temp)
        return err_nomem(e);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    (void)snprintf(temp, len + 40, "%.*s.sft-apply-%ld", (int)len, dir, (long)getpid());
    rc = check_target(dir, e);
    if (!rc && mkdir(temp, 0700))
        rc = err_sys(e, "%s", dir); /* the user knows no other name */
    if (rc)
        return rc;
    a->target = open(temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    rc = a->target < 0 ? err_sys(e, "%s", temp) : write_tree(a, e);
    if (!rc && rename(temp, dir))
        rc = err_sys(e, "%s", dir);
    if (rc && overlay_remove_tree(AT_FDCWD, temp))
        report_note(&a->run->in.report, "%s could not be removed", temp);
    return rc;
}

static void print_result(const struct apply *a)
{
    struct json j = json_begin(stdout);

    json_object(&j, NULL);
    json_string(&j, "overlay", a->run->store->path);
    json_uint(&j, "files", a->files);
    json_uint(&j, "directories", a->dir_count - 1);
    json_uint(&j, "others", a->others);
    json_uint(&j, "bytes", a->bytes);
    json_close_object(&j);
    json_end(&j); /* report_finish() looks */
}

static enum exitcode apply(struct apply *a)
{
    struct overlay_run *r = a->run;
    const struct package_info *info = package_info(r->in.package);
    struct attr_rules rules;
    struct err e = { 0 };
    int rc;

    attr_rules_init(&rules, r->in.package, geteuid(), getegid(), 022);
    a->buf = malloc(SFT_STREAM_BYTES);
    rc = a->buf
             ? overlay_open(r->store, r->in.package, &rules, info->case_sensitive, &a->overlay, &e)
             : err_nomem(&e);
    if (rc)
        return report_error(&r->in.report, r->dir, &e);
    a->progress = progress_begin("written", info->file_bytes, sft_progress(&r->in));
    rc = apply_to(a, r->target, &e);
    progress_clear(&a->progress);
    overlay_close(a->overlay);
    if (rc)
        return report_error(&r->in.report, r->target, &e);
    if (r->in.report.json)
        print_result(a);
    return EXITCODE_OK;
}

enum exitcode overlay_apply(struct overlay_run *r)
{
    struct apply a = { .run = r, .target = -1 };
    enum exitcode status = overlay_open_store(r, OVERLAY_WRITE);
    struct err e = { 0 };

    if (status == EXITCODE_OK)
        status = overlay_need_package(r);
    if (status == EXITCODE_OK && !overlay_same_version(r)) {
        (void)err_set(&e, ERR_INVALID,
                      "name the version that the overlay was last used with, or "
                      "mount this one with the overlay once");
        status = report_error(&r->in.report, r->dir, &e);
    }
    if (status == EXITCODE_OK)
        status = sft_start_engine(&r->in);
    if (status == EXITCODE_OK)
        status = apply(&a);
    clear(&a);
    return status;
}
