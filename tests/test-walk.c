/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of going through directories (fs/overlay/walk.c). */
#include "config.h"

#include "fs/overlay/walk.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

#include "tests/overlay_dir.h"
#include "tests/unit.h"

enum { SEEN_MAX = 16, DEEP = 300 };

/* What was told, and what the callback does on being told of `at`. */
struct seen {
    char names[SEEN_MAX][64]; /* with the directory's path */
    uint32_t cookies[SEEN_MAX];
    unsigned count;
    unsigned deepest;
    const char *at;
    int (*act)(const struct walk_dir *dir, const char *name);
};

static int see(void *arg, const struct walk_dir *dir, const char *name, const struct stat *st,
               uint32_t *cookie)
{
    struct seen *s = arg;
    struct stat now;

    CU_ASSERT(*cookie == 0);
    *cookie = dir->cookie + 1;
    if (dir->cookie > s->deepest)
        s->deepest = dir->cookie;
    if (s->count < SEEN_MAX &&
        snprintf(s->names[s->count], sizeof *s->names, "%s%s%s", dir->path,
                 *dir->path ? "/" : "", name) < (int)sizeof *s->names)
        s->cookies[s->count++] = dir->cookie;
    CU_ASSERT(!fstatat(dir->fd, name, &now, AT_SYMLINK_NOFOLLOW) && now.st_ino == st->st_ino &&
              now.st_mode == st->st_mode);
    return s->act && !strcmp(name, s->at) ? s->act(dir, name) : 0;
}

/* How often PATH was told; *cookie of its directory (may be NULL). */
static unsigned times_seen(const struct seen *s, const char *path, uint32_t *cookie)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->count; i++) {
        if (strcmp(s->names[i], path) != 0)
            continue;
        n++;
        if (cookie)
            *cookie = s->cookies[i];
    }
    return n;
}

static void make_file(int fd, const char *name)
{
    int file = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    CU_ASSERT_FATAL(file >= 0 && !close(file));
}

/* top, d/file, d/e/, d/link -> d, d/fifo */
static bool set_up(struct overlay_dir *d)
{
    if (!overlay_dir_make(d))
        return false;
    make_file(d->fd, "top");
    CU_ASSERT_FATAL(!mkdirat(d->fd, "d", 0700) && !mkdirat(d->fd, "d/e", 0700));
    make_file(d->fd, "d/file");
    CU_ASSERT_FATAL(!symlinkat("../d", d->fd, "d/link") && !mkfifoat(d->fd, "d/fifo", 0600));
    return true;
}

static int walk(const struct overlay_dir *d, const char *path, uint32_t cookie, struct seen *s,
                struct err *e)
{
    const struct walk w = { .at = d->fd, .called = "here", .fn = see, .arg = s, .e = e };

    return walk_tree(&w, path, cookie);
}

static void walk_tells_of_everything_once(void)
{
    struct overlay_dir d;
    struct seen s = { .count = 0 };
    uint32_t top = 0, file = 0;

    if (!set_up(&d))
        return;
    make_file(d.fd, "d/e/deep");
    CU_ASSERT(walk(&d, "", 7, &s, NULL) == 0);
    CU_ASSERT(s.count == 7);
    CU_ASSERT(times_seen(&s, "top", &top) == 1 && top == 7);
    CU_ASSERT(times_seen(&s, "d", NULL) == 1);
    CU_ASSERT(times_seen(&s, "d/file", &file) == 1 && file == 8);
    CU_ASSERT(times_seen(&s, "d/link", NULL) == 1);
    CU_ASSERT(times_seen(&s, "d/fifo", NULL) == 1);
    CU_ASSERT(times_seen(&s, "d/e", NULL) == 1);
    CU_ASSERT(times_seen(&s, "d/e/deep", &file) == 1 && file == 9);
    overlay_dir_remove(&d);
}

static void walk_of_a_part_tells_of_no_more(void)
{
    struct overlay_dir d;
    struct seen s = { .count = 0 };

    if (!set_up(&d))
        return;
    make_file(d.fd, "d/e/deep");
    CU_ASSERT(walk(&d, "d/e", 0, &s, NULL) == 0);
    CU_ASSERT(s.count == 1 && times_seen(&s, "d/e/deep", NULL) == 1);
    overlay_dir_remove(&d);
}

static void walk_of_what_is_not_there_tells_of_nothing(void)
{
    struct overlay_dir d;
    struct seen s = { .count = 0 };

    if (!set_up(&d))
        return;
    CU_ASSERT(walk(&d, "none", 0, &s, NULL) == 0);
    CU_ASSERT(walk(&d, "none/below", 0, &s, NULL) == 0);
    CU_ASSERT(s.count == 0);
    overlay_dir_remove(&d);
}

static int stop(const struct walk_dir *dir, const char *name)
{
    (void)dir;
    (void)name;
    return -ENOENT; /* not to be taken for a directory that has disappeared */
}

static void walk_ends_with_what_the_callback_returns(void)
{
    struct overlay_dir d;
    struct seen s = { .at = "deep", .act = stop };

    if (!set_up(&d))
        return;
    make_file(d.fd, "d/e/deep");
    CU_ASSERT(walk(&d, "", 0, &s, NULL) == -ENOENT);
    CU_ASSERT(!strcmp(s.names[s.count - 1], "d/e/deep"));
    overlay_dir_remove(&d);
}

static int take_away(const struct walk_dir *dir, const char *name)
{
    return unlinkat(dir->fd, name, AT_REMOVEDIR) ? -errno : 0;
}

static void walk_leaves_out_a_directory_that_disappears(void)
{
    struct overlay_dir d;
    struct seen s = { .at = "e", .act = take_away };

    if (!set_up(&d))
        return;
    CU_ASSERT(walk(&d, "", 0, &s, NULL) == 0);
    CU_ASSERT(s.count == 6);
    overlay_dir_remove(&d);
}

static int take_others_away(const struct walk_dir *dir, const char *name)
{
    static const char *const both[] = { "a", "b" };

    for (unsigned i = 0; i < 2; i++)
        if (strcmp(name, both[i]) != 0 && unlinkat(dir->fd, both[i], 0) && errno != ENOENT)
            return -errno;
    return 0;
}

static int see_first(void *arg, const struct walk_dir *dir, const char *name,
                     const struct stat *st, uint32_t *cookie)
{
    return see(arg, dir, name, st, cookie) ? -EIO : take_others_away(dir, name);
}

static void walk_leaves_out_a_file_that_disappears(void)
{
    struct overlay_dir d;
    struct seen s = { .count = 0 };

    if (!overlay_dir_make(&d))
        return;
    make_file(d.fd, "a");
    make_file(d.fd, "b");
    const struct walk w = { .at = d.fd, .called = "here", .fn = see_first, .arg = &s };
    CU_ASSERT(walk_tree(&w, "", 0) == 0);
    CU_ASSERT(s.count == 1);
    overlay_dir_remove(&d);
}

static int put_link(const struct walk_dir *dir, const char *name)
{
    return unlinkat(dir->fd, name, AT_REMOVEDIR) || symlinkat("/", dir->fd, name) ? -errno : 0;
}

static void walk_does_not_follow_a_link_that_came_instead(void)
{
    struct overlay_dir d;
    struct seen s = { .at = "e", .act = put_link };
    struct err e = { .kind = ERR_NONE };

    if (!set_up(&d))
        return;
    CU_ASSERT(walk(&d, "", 0, &s, &e) == -ENOTDIR);
    CU_ASSERT(e.kind == ERR_SYSTEM && strstr(e.text, "here/d/e:") != NULL);
    overlay_dir_remove(&d);
}

/* Longer than any path the kernel takes, deeper than there may be descriptors. */
static void walk_reaches_any_depth_with_few_descriptors(void)
{
    struct overlay_dir d;
    struct seen s = { .count = 0 };
    struct rlimit before, few;
    char name[] = "a-directory-with-a-name-of-thirty-";

    if (!overlay_dir_make(&d))
        return;
    int fd = openat(d.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < DEEP; i++) {
        CU_ASSERT_FATAL(!mkdirat(fd, name, 0700));
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CU_ASSERT_FATAL(next >= 0 && !close(fd));
        fd = next;
    }
    CU_ASSERT_EQUAL_FATAL(close(fd), 0);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)d.fd + 8;
    CU_ASSERT_FATAL(!setrlimit(RLIMIT_NOFILE, &few));
    CU_ASSERT(walk(&d, "", 0, &s, NULL) == 0);
    CU_ASSERT(s.deepest == DEEP - 1);
    CU_ASSERT_FATAL(!setrlimit(RLIMIT_NOFILE, &before));
    overlay_dir_remove(&d);
}

static int count_name(void *arg, int fd, const char *name)
{
    unsigned *count = arg;

    CU_ASSERT(!faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW));
    CU_ASSERT(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    return ++*count == 3 ? 42 : 0;
}

static void names_end_with_what_the_callback_returns(void)
{
    struct overlay_dir d;
    unsigned count = 0;

    if (!set_up(&d))
        return;
    CU_ASSERT(walk_names(d.fd, ".", count_name, &count) == 0 && count == 2);
    count = 0;
    CU_ASSERT(walk_names(d.fd, "d", count_name, &count) == 42 && count == 3);
    overlay_dir_remove(&d);
}

static void names_are_told_again_of_the_same_descriptor(void)
{
    struct overlay_dir d;
    unsigned count = 0;

    if (!set_up(&d))
        return;
    auto_close int fd = openat(d.fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    CU_ASSERT(walk_names(fd, ".", count_name, &count) == 0 && count == 2);
    count = 0;
    CU_ASSERT(walk_names(fd, ".", count_name, &count) == 0 && count == 2);
    overlay_dir_remove(&d);
}

static void names_are_only_those_of_a_directory(void)
{
    struct overlay_dir d;
    unsigned count = 0;

    if (!set_up(&d))
        return;
    CU_ASSERT(walk_names(d.fd, "top", count_name, &count) == -ENOTDIR);
    CU_ASSERT(walk_names(d.fd, "d/link", count_name, &count) == -ENOTDIR);
    CU_ASSERT(walk_names(d.fd, "d/fifo", count_name, &count) == -ENOTDIR);
    CU_ASSERT(walk_names(d.fd, "none", count_name, &count) == -ENOENT);
    CU_ASSERT(count == 0);
    overlay_dir_remove(&d);
}

static void parent_is_opened_and_made_if_wanted(void)
{
    struct overlay_dir d;
    const char *name = NULL;
    struct stat st;

    if (!set_up(&d))
        return;
    auto_close int there = walk_open_parent(d.fd, "d/e/x", false, &name);
    CU_ASSERT(there >= 0 && !strcmp(name, "x"));
    auto_close int none = walk_open_parent(d.fd, "d/n/x", false, &name);
    CU_ASSERT(none < 0 && errno == ENOENT);
    auto_close int made = walk_open_parent(d.fd, "d/n/x", true, &name);
    CU_ASSERT(made >= 0 && !fstatat(d.fd, "d/n", &st, 0) && S_ISDIR(st.st_mode));
    auto_close int link = walk_open_parent(d.fd, "d/link/x", true, &name);
    CU_ASSERT(link < 0 && errno == ENOTDIR);
    overlay_dir_remove(&d);
}

UNIT_MAIN("walk",
          TEST(walk_tells_of_everything_once),
          TEST(walk_of_a_part_tells_of_no_more),
          TEST(walk_of_what_is_not_there_tells_of_nothing),
          TEST(walk_ends_with_what_the_callback_returns),
          TEST(walk_leaves_out_a_directory_that_disappears),
          TEST(walk_leaves_out_a_file_that_disappears),
          TEST(walk_does_not_follow_a_link_that_came_instead),
          TEST(walk_reaches_any_depth_with_few_descriptors),
          TEST(names_end_with_what_the_callback_returns),
          TEST(names_are_told_again_of_the_same_descriptor),
          TEST(names_are_only_those_of_a_directory),
          TEST(parent_is_opened_and_made_if_wanted))
