/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fs/overlay/upgrade*.c: an overlay made with one version of a package, and another
 * one. */
#include "config.h"

#include "fs/overlay/upgrade.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs/overlay/map_file.h"
#include "fs/overlay/partial.h"
#include "src/container.h"
#include "tests/make-sft.h"
#include "tests/unit.h"

enum { BIG = 3 * 4096 + 100, NEW_BIG = 5 * 4096 };

/* Contents: a file's bytes are all the same letter, its own in each version where it differs. */
struct file {
    const char *path;
    size_t size[2];
    char letter[2]; /* 0: that version does not have it */
    uint16_t flags;
};
static const struct file files[] = {
    { "same.bin", { BIG, BIG }, "aa", 0 },
    { "changed.bin", { BIG, NEW_BIG }, "bc", 0 },
    { "Gone.bin", { BIG, 0 }, "d", 0 },
    { "case.bin", { BIG, BIG }, "ee", 0 },
    { "dir/forced.ini", { BIG, NEW_BIG }, "fg", NODE_OVERRIDE },
    { "dir/forced too.ini", { BIG, BIG }, "hh", NODE_OVERRIDE },
    { "dir/plain.txt", { 10, 10 }, "ij", 0 },
    { "olddir/inside.txt", { 10, 0 }, "k", 0 },
};

struct fixture {
    char path[64];
    struct overlay_store *store;
    struct package *version[2];
    unsigned opened; /* times the old version was asked for */
    bool no_old;
    long readable;    /* bytes of the old version before reading fails; 0 = all */
    unsigned current; /* version that the overlay was made with */
    struct upgrade_report report;
};

static struct package *make_version(unsigned v)
{
    struct make_entry entries[ARRAY_LEN(files)];
    struct make_options o = { .version_number = v + 1 };
    struct package *p = NULL;
    struct made_sft made;
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        const struct file *f = &files[i];
        char *data;

        if (!f->letter[v])
            continue;
        data = malloc(f->size[v] + 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(data);
        memset(data, f->letter[v], f->size[v]);
        /* The second version spells one differently. */
        entries[n++] = (struct make_entry){ .path = v && i == 3 ? "Case.Bin" : f->path,
                                            .data = data,
                                            .len = f->size[v],
                                            .flags = f->flags };
    }
    CU_ASSERT_EQUAL_FATAL(make_sft(entries, n, &o, &made, NULL), 0);
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)entries[i].data);
    CU_ASSERT_EQUAL_FATAL(container_read_memory(made.data, made.len, &p, NULL), 0);
    free(made.data);
    return p;
}

static void close_store(struct fixture *f)
{
    overlay_store_close(f->store);
    f->store = NULL;
}

static void open_store(struct fixture *f)
{
    struct err e = { 0 };
    int rc = overlay_store_open(f->path, OVERLAY_WRITE, &package_info(f->version[0])->package_guid,
                                NULL, &f->store, &e);

    if (rc)
        printf("\n    %s", e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
}

/* False, with a message, where no directory with user extended attributes can be had. */
static bool setup(struct fixture *f)
{
    const char *tmp = getenv("TMPDIR");
    const struct package_info *info;

    *f = (struct fixture){ .store = NULL };
    (void)snprintf(f->path, sizeof f->path, "%.40s/upgrade-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->path));
    if (setxattr(f->path, "user.test", "x", 1, 0)) {
        printf("(no user extended attributes in %s) ", f->path);
        (void)rmdir(f->path);
        return false;
    }
    (void)removexattr(f->path, "user.test");
    f->version[0] = make_version(0);
    f->version[1] = make_version(1);
    open_store(f);
    info = package_info(f->version[0]);
    CU_ASSERT_EQUAL_FATAL(overlay_store_set_version(f->store, &info->version_guid,
                                                    info->version_number, "x", "old", NULL),
                          0);
    return true;
}

static void teardown(struct fixture *f)
{
    upgrade_report_clear(&f->report);
    close_store(f);
    CU_ASSERT_EQUAL(overlay_remove_tree(AT_FDCWD, f->path), 0);
    package_free(f->version[0]);
    package_free(f->version[1]);
}

/* A file as copying up leaves it: everything is still in the package. */
static int copy_up(struct fixture *f, const char *name, const char *package_path,
                   struct partial_mark *mark)
{
    uint32_t node = package_resolve(f->version[0], package_path, true);
    const struct timespec times[2] = { { .tv_sec = 1000000 }, { .tv_sec = 2000000 } };
    int fd = openat(f->store->files_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

    CU_ASSERT_FATAL(node != NODE_NONE && fd >= 0);
    *mark = (struct partial_mark){ .size = package_node(f->version[0], node)->size };
    CU_ASSERT_EQUAL(partial_fingerprint(f->version[0], node, mark->content), 0);
    CU_ASSERT_FATAL(asprintf(&mark->path, "/%s", package_path) > 0);
    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, (off_t)mark->size), 0);
    CU_ASSERT_EQUAL_FATAL(marker_set_partial(fd, mark), 0);
    CU_ASSERT_EQUAL_FATAL(marker_set(fd, MARKER_ORIGIN, mark->path), 0);
    CU_ASSERT_EQUAL_FATAL(futimens(fd, times), 0);
    return fd;
}

static void touch(struct fixture *f, const char *name, const char *package_path)
{
    struct partial_mark mark;

    (void)close(copy_up(f, name, package_path, &mark));
    free(mark.path);
}

/* The same with the second unit of 4096 bytes overwritten by '!'. */
static void change(struct fixture *f, const char *name, const char *package_path)
{
    struct partial_mark mark;
    int fd = copy_up(f, name, package_path, &mark);
    struct partial *p = NULL;
    char unit[4096];

    memset(unit, '!', sizeof unit);
    CU_ASSERT_EQUAL_FATAL(partial_open(f->store, fd, mark.size, &mark, &p, NULL), 0);
    CU_ASSERT_EQUAL(partial_write(p, fd, unit, sizeof unit, 4096), 4096);
    CU_ASSERT_EQUAL(partial_sync(p, fd), 0);
    partial_free(p);
    (void)close(fd);
    free(mark.path);
}

static long read_version(const struct fixture *f, unsigned v, uint32_t file, uint64_t off,
                         void *buf, size_t len)
{
    char *path = package_path(f->version[v], file);
    uint64_t size = package_node(f->version[v], file)->size;
    long n = -ENOENT;

    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (path && !strcasecmp(files[i].path, path) && off <= size) {
            n = (long)min_u64(len, size - off);
            memset(buf, files[i].letter[v], (size_t)n);
        }
    free(path);
    return n;
}

static int open_old(void *arg, const struct package **old, struct err *e)
{
    struct fixture *f = arg;

    f->opened++;
    if (f->no_old)
        return err_set(e, ERR_NOT_FOUND, "it is gone");
    *old = f->version[f->current];
    return 0;
}

static long read_old(void *arg, uint32_t file, uint64_t off, void *buf, size_t len, struct err *e)
{
    struct fixture *f = arg;

    if (f->readable && (f->readable -= (long)len) <= 0)
        return err_set(e, ERR_NETWORK, "the server is gone");
    return read_version(f, f->current, file, off, buf, len);
}

static long read_new(void *arg, uint32_t file, uint64_t off, void *buf, size_t len, struct err *e)
{
    const struct fixture *f = arg;

    (void)e;
    return read_version(f, !f->current, file, off, buf, len);
}

/* To the other version. */
static int upgrade(struct fixture *f, struct err *e)
{
    const struct upgrade_options o = {
        .source = "new", .open_old = open_old, .read_old = read_old, .read_new = read_new, .arg = f
    };

    *e = (struct err){ 0 };
    upgrade_report_clear(&f->report);
    CU_ASSERT(overlay_upgrade_is_needed(f->store, f->version[!f->current]));
    return overlay_upgrade(f->store, f->version[!f->current], &o, &f->report, e);
}

static void upgrade_well(struct fixture *f)
{
    struct err e;
    int rc = upgrade(f, &e);

    if (rc)
        printf("\n    %s", e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    CU_ASSERT(!overlay_upgrade_is_needed(f->store, f->version[!f->current]));
    CU_ASSERT_STRING_EQUAL(f->store->source, "new");
}

/* What the file in files/ has: letter of each unit, '.' for a hole or zeros; "" when there is no
 * file. */
static const char *units(const struct fixture *f, const char *name)
{
    static char out[16];
    unsigned char buf[4096];
    int fd = openat(f->store->files_fd, name, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    size_t i = 0;

    while (fd >= 0 && i < sizeof out - 1 && (n = read(fd, buf, sizeof buf)) > 0) {
        out[i++] = buf[0] ? (char)buf[0] : '.';
        for (ssize_t k = 1; k < n; k++)
            if (buf[k] != buf[0])
                out[i - 1] = '?';
    }
    out[i] = '\0';
    if (fd >= 0)
        (void)close(fd);
    return out;
}

static struct stat stat_of(const struct fixture *f, const char *name)
{
    struct stat st = { .st_size = -1 };

    (void)fstatat(f->store->files_fd, name, &st, AT_SYMLINK_NOFOLLOW);
    return st;
}

static bool is_partial(const struct fixture *f, const char *name, struct partial_mark *mark)
{
    struct stat st = stat_of(f, name);
    struct markers m;
    bool partial;

    CU_ASSERT_EQUAL(markers_read(f->store->files_fd, name, &st, &m), 0);
    partial = m.has_partial;
    if (mark)
        *mark = m.partial;
    if (mark && partial)
        m.partial.path = NULL;
    markers_clear(&m);
    return partial;
}

static bool follows(const struct fixture *f, const char *name, unsigned v, const char *path)
{
    uint32_t node = package_resolve(f->version[v], path, true);
    struct partial_mark mark;
    uint8_t content[16];
    bool ok;

    if (node == NODE_NONE || !is_partial(f, name, &mark))
        return false;
    CU_ASSERT_EQUAL(partial_fingerprint(f->version[v], node, content), 0);
    ok = mark.map == 0 && mark.size == package_node(f->version[v], node)->size &&
         !memcmp(content, mark.content, sizeof content) && mark.path[0] == '/' &&
         !strcmp(mark.path + 1, path) && (uint64_t)stat_of(f, name).st_size == mark.size;
    free(mark.path);
    return ok;
}

/* ---- tests ---- */

static void upgrade_of_an_unchanged_overlay_only_records_the_version(void)
{
    struct fixture f;

    if (!setup(&f))
        return;
    upgrade_well(&f);
    CU_ASSERT_EQUAL(f.store->version_number, 2);
    CU_ASSERT_EQUAL(f.opened, 0);
    close_store(&f);
    open_store(&f);
    CU_ASSERT_EQUAL(f.store->version_number, 2);
    CU_ASSERT(!overlay_upgrade_is_needed(f.store, f.version[1]));
    CU_ASSERT(overlay_upgrade_is_needed(f.store, f.version[0]));
    teardown(&f);
}

static void upgrade_makes_an_untouched_file_follow_the_package(void)
{
    struct fixture f;
    struct stat st;

    if (!setup(&f))
        return;
    touch(&f, "changed.bin", "changed.bin");
    f.no_old = true;
    upgrade_well(&f);
    CU_ASSERT(follows(&f, "changed.bin", 1, "changed.bin"));
    st = stat_of(&f, "changed.bin");
    CU_ASSERT_EQUAL(st.st_mtim.tv_sec, 2000000);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0640);
    CU_ASSERT_EQUAL(f.report.followed, 1);
    CU_ASSERT_EQUAL(f.opened, 0);
    CU_ASSERT(fgetxattr(f.store->files_fd, MARKER_FOLLOW, NULL, 0) < 0);
    teardown(&f);
}

static void upgrade_leaves_a_file_whose_content_is_the_same(void)
{
    struct partial_mark mark;
    struct fixture f;

    if (!setup(&f))
        return;
    change(&f, "same.bin", "same.bin");
    touch(&f, "other", "same.bin");
    f.no_old = true;
    upgrade_well(&f);
    CU_ASSERT_STRING_EQUAL(units(&f, "same.bin"), ".!..");
    CU_ASSERT_FATAL(is_partial(&f, "same.bin", &mark));
    CU_ASSERT_NOT_EQUAL(mark.map, 0);
    free(mark.path);
    CU_ASSERT(follows(&f, "other", 0, "same.bin"));
    CU_ASSERT_EQUAL(f.report.kept, 2);
    CU_ASSERT_EQUAL(f.opened, 0);
    teardown(&f);
}

static void upgrade_takes_over_another_spelling(void)
{
    struct fixture f;

    if (!setup(&f))
        return;
    touch(&f, "case.bin", "case.bin");
    upgrade_well(&f);
    CU_ASSERT(follows(&f, "case.bin", 1, "Case.Bin"));
    teardown(&f);
}

static void upgrade_completes_a_changed_file_from_the_old_version(void)
{
    struct fixture f;
    struct stat st;

    if (!setup(&f))
        return;
    change(&f, "renamed", "changed.bin");
    st = stat_of(&f, "renamed");
    upgrade_well(&f);
    CU_ASSERT_STRING_EQUAL(units(&f, "renamed"), "b!bb");
    CU_ASSERT(!is_partial(&f, "renamed", NULL));
    CU_ASSERT_EQUAL(stat_of(&f, "renamed").st_size, BIG);
    CU_ASSERT_EQUAL(stat_of(&f, "renamed").st_mtim.tv_sec, st.st_mtim.tv_sec);
    CU_ASSERT_EQUAL(stat_of(&f, "renamed").st_mtim.tv_nsec, st.st_mtim.tv_nsec);
    CU_ASSERT_EQUAL(f.report.completed, 1);
    CU_ASSERT_EQUAL(f.report.completed_bytes, BIG - 4096);
    CU_ASSERT_EQUAL(f.opened, 1);
    teardown(&f);
}

static void upgrade_completes_a_file_whose_size_was_changed(void)
{
    struct fixture f;
    struct partial_mark mark;
    int fd;

    if (!setup(&f))
        return;
    fd = copy_up(&f, "cut", "changed.bin", &mark);
    CU_ASSERT_EQUAL(ftruncate(fd, 5000), 0);
    (void)close(fd);
    free(mark.path);
    fd = copy_up(&f, "longer", "changed.bin", &mark);
    CU_ASSERT_EQUAL(ftruncate(fd, 4 * 4096 + 1), 0);
    (void)close(fd);
    free(mark.path);
    upgrade_well(&f);
    CU_ASSERT_STRING_EQUAL(units(&f, "cut"), "bb");
    CU_ASSERT_EQUAL(stat_of(&f, "cut").st_size, 5000);
    CU_ASSERT_STRING_EQUAL(units(&f, "longer"), "bbb?.");
    CU_ASSERT_EQUAL(f.report.completed, 2);
    teardown(&f);
}

static void upgrade_completes_what_the_new_version_has_no_more(void)
{
    struct fixture f;

    if (!setup(&f))
        return;
    touch(&f, "Gone.bin", "Gone.bin");
    upgrade_well(&f);
    CU_ASSERT_STRING_EQUAL(units(&f, "Gone.bin"), "dddd");
    CU_ASSERT(!is_partial(&f, "Gone.bin", NULL));
    teardown(&f);
}

static void upgrade_without_the_old_version_names_the_files_and_changes_nothing(void)
{
    struct partial_mark mark;
    struct fixture f;
    struct err e;

    if (!setup(&f))
        return;
    change(&f, "changed.bin", "changed.bin");
    touch(&f, "touched", "changed.bin");
    touch(&f, "dir", "dir/forced.ini");
    change(&f, "Gone.bin", "Gone.bin");
    f.no_old = true;
    CU_ASSERT(upgrade(&f, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_OLD_VERSION);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "it is gone"));
    CU_ASSERT_EQUAL(f.report.stuck.count, 2);
    CU_ASSERT_STRING_EQUAL(f.report.stuck.paths[0], "Gone.bin");
    CU_ASSERT_STRING_EQUAL(f.report.stuck.paths[1], "changed.bin");
    CU_ASSERT_EQUAL(f.store->version_number, 1);
    CU_ASSERT_STRING_EQUAL(units(&f, "changed.bin"), ".!..");
    CU_ASSERT_FATAL(is_partial(&f, "changed.bin", &mark));
    free(mark.path);
    CU_ASSERT(follows(&f, "touched", 0, "changed.bin"));
    CU_ASSERT(follows(&f, "dir", 0, "dir/forced.ini"));
    CU_ASSERT_EQUAL(f.report.aside.count, 0);
    CU_ASSERT(faccessat(f.store->dir_fd, "upgrading", F_OK, 0) < 0);
    /* With it, later, all is well. */
    f.no_old = false;
    upgrade_well(&f);
    CU_ASSERT_STRING_EQUAL(units(&f, "changed.bin"), "b!bb");
    teardown(&f);
}

static void upgrade_refuses_an_old_version_that_is_another_one(void)
{
    struct fixture f;
    struct err e;
    const struct upgrade_options o = {
        .source = "new", .open_old = open_old, .read_old = read_old, .read_new = read_new, .arg = &f
    };

    if (!setup(&f))
        return;
    change(&f, "changed.bin", "changed.bin");
    f.current = 1; /* what open_old() gives is the new one */
    CU_ASSERT(overlay_upgrade(f.store, f.version[1], &o, &f.report, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_OLD_VERSION);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "version 2"));
    teardown(&f);
}

/* The path of what was put aside, relative to the overlay. */
static bool aside_has(const struct fixture *f, const char *name, const char *wanted)
{
    struct overlay_store fake = *f->store;
    struct fixture view = *f;
    bool same;

    view.store = &fake;
    fake.files_fd = f->report.aside_dir ? open(f->report.aside_dir, O_PATH | O_CLOEXEC) : -1;
    same = !strcmp(units(&view, name), wanted);
    if (!same)
        printf("\n    %s: %s", name, units(&view, name));
    if (fake.files_fd >= 0)
        (void)close(fake.files_fd);
    return same;
}

static void upgrade_puts_a_file_aside_that_the_package_overrides(void)
{
    struct fixture f;
    int fd;

    if (!setup(&f))
        return;
    CU_ASSERT_EQUAL_FATAL(mkdirat(f.store->files_fd, "dir", 0755), 0);
    change(&f, "dir/forced.ini", "dir/forced.ini");
    fd = openat(f.store->files_fd, "dir/FORCED TOO.ini", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT_EQUAL(write(fd, "mine", 4), 4);
    (void)close(fd);
    change(&f, "dir/plain.txt", "dir/plain.txt");
    upgrade_well(&f);
    CU_ASSERT_STRING_EQUAL(units(&f, "dir/forced.ini"), "");
    CU_ASSERT_EQUAL(stat_of(&f, "dir/forced.ini").st_size, -1);
    CU_ASSERT_EQUAL(stat_of(&f, "dir/FORCED TOO.ini").st_size, -1);
    CU_ASSERT_EQUAL(f.report.aside.count, 2);
    CU_ASSERT(aside_has(&f, "dir/forced.ini", "f!ff"));
    CU_ASSERT(aside_has(&f, "dir/FORCED TOO.ini", "?"));
    CU_ASSERT_EQUAL(f.report.completed, 1); /* plain.txt */
    teardown(&f);
}

static void upgrade_puts_aside_with_its_map_what_cannot_be_completed(void)
{
    struct partial_mark mark;
    struct fixture f;
    char name[MAP_NAME_MAX];

    if (!setup(&f))
        return;
    CU_ASSERT_EQUAL_FATAL(mkdirat(f.store->files_fd, "dir", 0755), 0);
    change(&f, "dir/forced.ini", "dir/forced.ini");
    CU_ASSERT_FATAL(is_partial(&f, "dir/forced.ini", &mark));
    free(mark.path);
    f.no_old = true;
    upgrade_well(&f);
    CU_ASSERT(aside_has(&f, "dir/forced.ini", ".!.."));
    map_file_name(mark.map, name);
    CU_ASSERT_EQUAL(faccessat(f.store->maps_fd, name, F_OK, 0), 0);
    teardown(&f);
}

static void upgrade_shows_the_overriding_file_again_where_it_was_renamed_away(void)
{
    struct fixture f;

    if (!setup(&f))
        return;
    CU_ASSERT_EQUAL_FATAL(mkdirat(f.store->files_fd, "dir", 0755), 0);
    CU_ASSERT_EQUAL_FATAL(mkdirat(f.store->files_fd, "own", 0755), 0);
    change(&f, "own/settings", "dir/forced.ini");
    int dir = openat(f.store->files_fd, "dir", O_PATH | O_CLOEXEC);
    CU_ASSERT_EQUAL(overlay_whiteout_create(f.store, dir, "forced.ini"), 0);
    CU_ASSERT_EQUAL(overlay_whiteout_create(f.store, dir, "forced too.ini"), 0);
    (void)close(dir);
    upgrade_well(&f);
    CU_ASSERT_EQUAL(stat_of(&f, "own/settings").st_size, -1);
    CU_ASSERT_EQUAL(stat_of(&f, "dir/forced.ini").st_size, -1);
    CU_ASSERT_EQUAL(stat_of(&f, "dir/forced too.ini").st_size, 0); /* deleted is deleted */
    CU_ASSERT(aside_has(&f, "own/settings", "f!ff"));
    teardown(&f);
}

static void upgrade_warns_of_renamed_directories_that_are_gone(void)
{
    struct fixture f;

    if (!setup(&f))
        return;
    CU_ASSERT_EQUAL_FATAL(mkdirat(f.store->files_fd, "mine", 0755), 0);
    CU_ASSERT_EQUAL_FATAL(mkdirat(f.store->files_fd, "still", 0755), 0);
    CU_ASSERT_EQUAL(marker_set_at(f.store->files_fd, "mine", MARKER_REDIRECT, "/olddir"), 0);
    CU_ASSERT_EQUAL(marker_set_at(f.store->files_fd, "still", MARKER_REDIRECT, "/dir"), 0);
    touch(&f, "still/forced.ini", "dir/plain.txt");
    upgrade_well(&f);
    CU_ASSERT_EQUAL(f.report.lost_dirs, 1);
    CU_ASSERT_EQUAL(stat_of(&f, "mine").st_mode & S_IFMT, S_IFDIR);
    CU_ASSERT_EQUAL(f.report.aside.count, 1); /* it covers /dir/forced.ini, through the redirect */
    teardown(&f);
}

static void upgrade_back_to_the_older_version_is_the_same(void)
{
    struct fixture f;

    if (!setup(&f))
        return;
    touch(&f, "changed.bin", "changed.bin");
    change(&f, "same.bin", "same.bin");
    upgrade_well(&f);
    f.current = 1;
    upgrade_well(&f);
    CU_ASSERT_EQUAL(f.store->version_number, 1);
    CU_ASSERT(follows(&f, "changed.bin", 0, "changed.bin"));
    CU_ASSERT_EQUAL(f.report.followed, 1);
    CU_ASSERT_EQUAL(f.report.kept, 1);
    teardown(&f);
}

/* As a crash leaves it between the size and the marker. */
static void upgrade_goes_on_after_a_crash_with_either_version(void)
{
    for (unsigned back = 0; back < 2; back++) {
        struct fixture f;
        int fd;

        if (!setup(&f))
            return;
        touch(&f, "changed.bin", "changed.bin");
        CU_ASSERT_EQUAL(
            marker_set_at(f.store->files_fd, "changed.bin", MARKER_FOLLOW, "77.000000088"), 0);
        fd = openat(f.store->files_fd, "changed.bin", O_RDWR | O_CLOEXEC);
        CU_ASSERT_EQUAL(ftruncate(fd, NEW_BIG), 0);
        (void)close(fd);
        (void)close(openat(f.store->dir_fd, "upgrading", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        f.current = back;
        f.no_old = true;
        upgrade_well(&f);
        CU_ASSERT(follows(&f, "changed.bin", !back, "changed.bin"));
        CU_ASSERT_EQUAL(stat_of(&f, "changed.bin").st_mtim.tv_sec, 77);
        CU_ASSERT_EQUAL(stat_of(&f, "changed.bin").st_mtim.tv_nsec, 88);
        teardown(&f);
    }
}

static void upgrade_whose_reading_fails_changes_nothing_that_shows_and_can_be_repeated(void)
{
    struct fixture f;
    struct err e;

    if (!setup(&f))
        return;
    CU_ASSERT_EQUAL_FATAL(mkdirat(f.store->files_fd, "dir", 0755), 0);
    change(&f, "one", "changed.bin");
    change(&f, "two", "changed.bin");
    touch(&f, "follower", "changed.bin");
    touch(&f, "dir/forced.ini", "dir/forced.ini");
    f.readable = BIG;
    CU_ASSERT(upgrade(&f, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_NETWORK);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "two"));
    CU_ASSERT_EQUAL(f.store->version_number, 1);
    CU_ASSERT_STRING_EQUAL(units(&f, "one"), "b!bb");
    CU_ASSERT(is_partial(&f, "two", NULL));
    CU_ASSERT(follows(&f, "follower", 0, "changed.bin"));
    CU_ASSERT(follows(&f, "dir/forced.ini", 0, "dir/forced.ini"));
    f.readable = 0;
    close_store(&f);
    open_store(&f);
    upgrade_well(&f);
    CU_ASSERT_STRING_EQUAL(units(&f, "two"), "b!bb");
    CU_ASSERT(follows(&f, "follower", 1, "changed.bin"));
    CU_ASSERT_EQUAL(f.report.aside.count, 1);
    teardown(&f);
}

static void upgrade_of_a_file_with_two_names_is_done_once(void)
{
    struct fixture f;

    if (!setup(&f))
        return;
    change(&f, "one", "changed.bin");
    CU_ASSERT_EQUAL(linkat(f.store->files_fd, "one", f.store->files_fd, "two", 0), 0);
    touch(&f, "three", "changed.bin");
    CU_ASSERT_EQUAL(linkat(f.store->files_fd, "three", f.store->files_fd, "four", 0), 0);
    upgrade_well(&f);
    CU_ASSERT_EQUAL(f.report.completed, 1);
    CU_ASSERT_EQUAL(f.report.followed, 1);
    CU_ASSERT_STRING_EQUAL(units(&f, "two"), "b!bb");
    CU_ASSERT(follows(&f, "four", 1, "changed.bin"));
    teardown(&f);
}

static void upgrade_follows_no_links_and_survives_odd_things(void)
{
    struct fixture f;
    char deep[1000] = "d";

    if (!setup(&f))
        return;
    CU_ASSERT_EQUAL(symlinkat("/", f.store->files_fd, "dir"), 0);
    CU_ASSERT_EQUAL(symlinkat("changed.bin", f.store->files_fd, "link"), 0);
    CU_ASSERT_EQUAL(mkfifoat(f.store->files_fd, "changed.bin", 0600), 0);
    for (size_t n = 0; n + 3 < sizeof deep; n += 2) {
        CU_ASSERT_EQUAL(mkdirat(f.store->files_fd, deep, 0700), 0);
        (void)strcat(deep, "/d");
    }
    touch(&f, "bad", "changed.bin");
    CU_ASSERT_EQUAL(marker_set_at(f.store->files_fd, "bad", MARKER_PARTIAL, "1 size=x"), 0);
    upgrade_well(&f);
    teardown(&f);
}

static void upgrade_of_what_cannot_be_written_is_refused_only_when_there_is_work(void)
{
    struct fixture f;
    struct err e;

    if (!setup(&f))
        return;
    f.store->access = OVERLAY_READ;
    CU_ASSERT_EQUAL(upgrade(&f, &e), 0);
    touch(&f, "changed.bin", "changed.bin");
    CU_ASSERT(upgrade(&f, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_DENIED);
    CU_ASSERT(follows(&f, "changed.bin", 0, "changed.bin"));
    f.store->access = OVERLAY_WRITE;
    teardown(&f);
}

UNIT_MAIN("overlay upgrade", TEST(upgrade_of_an_unchanged_overlay_only_records_the_version),
          TEST(upgrade_makes_an_untouched_file_follow_the_package),
          TEST(upgrade_leaves_a_file_whose_content_is_the_same),
          TEST(upgrade_takes_over_another_spelling),
          TEST(upgrade_completes_a_changed_file_from_the_old_version),
          TEST(upgrade_completes_a_file_whose_size_was_changed),
          TEST(upgrade_completes_what_the_new_version_has_no_more),
          TEST(upgrade_without_the_old_version_names_the_files_and_changes_nothing),
          TEST(upgrade_refuses_an_old_version_that_is_another_one),
          TEST(upgrade_puts_a_file_aside_that_the_package_overrides),
          TEST(upgrade_puts_aside_with_its_map_what_cannot_be_completed),
          TEST(upgrade_shows_the_overriding_file_again_where_it_was_renamed_away),
          TEST(upgrade_warns_of_renamed_directories_that_are_gone),
          TEST(upgrade_back_to_the_older_version_is_the_same),
          TEST(upgrade_goes_on_after_a_crash_with_either_version),
          TEST(upgrade_whose_reading_fails_changes_nothing_that_shows_and_can_be_repeated),
          TEST(upgrade_of_a_file_with_two_names_is_done_once),
          TEST(upgrade_follows_no_links_and_survives_odd_things),
          TEST(upgrade_of_what_cannot_be_written_is_refused_only_when_there_is_work))
