/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing below a target directory: nothing is written through links, nothing half-written stays.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/unit.h"
#include "tools/unpack.h"

struct place {
    char dir[64];
    int fd;
    struct err e;
};

static void open_place(struct place *p)
{
    (void)snprintf(p->dir, sizeof p->dir, "/tmp/sftfs-unpack.XXXXXX");
    p->e = (struct err){ 0 };
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(p->dir));
    p->fd = unpack_open_target(p->dir, &p->e);
    CU_ASSERT_FATAL(p->fd >= 0);
}

static void close_place(struct place *p)
{
    char command[128];

    (void)close(p->fd);
    (void)snprintf(command, sizeof command, "rm -r '%s'", p->dir);
    CU_ASSERT_EQUAL(system(command), 0);
}

/* The first bytes of a file, "" if it is not there. */
static const char *content(const struct place *p, const char *name, char buf[32])
{
    int fd = openat(p->fd, name, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, buf, 31);

    buf[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        (void)close(fd);
    return buf;
}

static int put(struct place *p, const char *name, const char *text, bool force)
{
    struct unpack_file f;

    CU_ASSERT_EQUAL_FATAL(unpack_create(&f, p->fd, &p->e), 0);
    CU_ASSERT_EQUAL_FATAL(unpack_write(&f, text, strlen(text), &p->e), 0);
    return unpack_commit(&f, name, INT64_C(127751904000000000), force, &p->e);
}

/* How many names there are in the directory. */
static unsigned count(const struct place *p)
{
    char command[128];
    unsigned n = 99;
    FILE *f;

    (void)snprintf(command, sizeof command, "ls -A '%s' | wc -l", p->dir);
    f = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fscanf(f, "%u", &n), 1);
    (void)pclose(f);
    return n;
}

static void unpack_writes_a_file_with_its_time(void)
{
    struct place p;
    struct stat st;
    char buf[32];

    open_place(&p);
    CU_ASSERT_EQUAL(put(&p, "a", "text", false), 0);
    CU_ASSERT_STRING_EQUAL(content(&p, "a", buf), "text");
    CU_ASSERT_EQUAL(fstatat(p.fd, "a", &st, 0), 0);
    CU_ASSERT_EQUAL(st.st_mtim.tv_sec, 1130716800);
    CU_ASSERT_EQUAL(count(&p), 1);
    close_place(&p);
}

static void unpack_overwrites_only_when_forced(void)
{
    struct place p;
    char buf[32];

    open_place(&p);
    CU_ASSERT_EQUAL(put(&p, "a", "one", false), 0);
    CU_ASSERT(put(&p, "a", "two", false) < 0);
    CU_ASSERT_EQUAL(p.e.kind, ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(content(&p, "a", buf), "one");
    CU_ASSERT_EQUAL(put(&p, "a", "two", true), 0);
    CU_ASSERT_STRING_EQUAL(content(&p, "a", buf), "two");
    CU_ASSERT_EQUAL(count(&p), 1);
    close_place(&p);
}

static void unpack_replaces_a_link_and_never_writes_through_it(void)
{
    struct place p;
    struct stat st;
    char buf[32];

    open_place(&p);
    CU_ASSERT_EQUAL(put(&p, "victim", "mine", false), 0);
    CU_ASSERT_EQUAL(symlinkat("victim", p.fd, "link"), 0);
    CU_ASSERT(put(&p, "link", "evil", false) < 0);
    CU_ASSERT_EQUAL(put(&p, "link", "evil", true), 0);
    CU_ASSERT_STRING_EQUAL(content(&p, "victim", buf), "mine");
    CU_ASSERT_EQUAL(fstatat(p.fd, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
    CU_ASSERT(S_ISREG(st.st_mode));
    close_place(&p);
}

static void unpack_leaves_nothing_of_an_abandoned_file(void)
{
    struct unpack_file f;
    struct place p;

    open_place(&p);
    CU_ASSERT_EQUAL(unpack_create(&f, p.fd, &p.e), 0);
    CU_ASSERT_EQUAL(unpack_write(&f, "x", 1, &p.e), 0);
    CU_ASSERT_EQUAL(count(&p), 1);
    unpack_abandon(&f);
    CU_ASSERT_EQUAL(count(&p), 0);
    close_place(&p);
}

static void unpack_refuses_names_that_lead_elsewhere(void)
{
    static const char *const names[] = { "", ".", "..", "a/b", "../a", "/a", "a\\b", "a\nb" };
    struct place p;

    open_place(&p);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CU_ASSERT(put(&p, names[i], "x", true) < 0);
        CU_ASSERT_EQUAL(p.e.kind, ERR_BAD_NAME);
        CU_ASSERT(unpack_make_dir(p.fd, names[i], &p.e) < 0);
        CU_ASSERT_EQUAL(p.e.kind, ERR_BAD_NAME);
    }
    CU_ASSERT_EQUAL(count(&p), 0);
    close_place(&p);
}

static void unpack_takes_an_existing_directory_but_no_link_to_one(void)
{
    struct place p;

    open_place(&p);
    CU_ASSERT_EQUAL(unpack_make_dir(p.fd, "d", &p.e), 0);
    CU_ASSERT_EQUAL(unpack_make_dir(p.fd, "d", &p.e), 0);
    CU_ASSERT_EQUAL(symlinkat("d", p.fd, "l"), 0);
    CU_ASSERT(unpack_make_dir(p.fd, "l", &p.e) < 0);
    CU_ASSERT_EQUAL(p.e.kind, ERR_UNSAFE_PATH);
    CU_ASSERT_EQUAL(put(&p, "f", "x", false), 0);
    CU_ASSERT(unpack_make_dir(p.fd, "f", &p.e) < 0);
    CU_ASSERT_EQUAL(p.e.kind, ERR_UNSAFE_PATH);
    close_place(&p);
}

static void unpack_opens_paths_below_the_target_only(void)
{
    struct place p;
    int fd;

    open_place(&p);
    CU_ASSERT_EQUAL(mkdirat(p.fd, "a", 0755), 0);
    CU_ASSERT_EQUAL(mkdirat(p.fd, "a/b\\c", 0755), 0);
    CU_ASSERT_EQUAL(symlinkat("a", p.fd, "link"), 0);
    fd = unpack_open_path(p.fd, "a/b\\c", &p.e);
    CU_ASSERT(fd >= 0);
    (void)close(fd);
    CU_ASSERT_EQUAL(unpack_open_path(p.fd, "a/none", &p.e), -ENOENT);
    CU_ASSERT(unpack_open_path(p.fd, "a/..", &p.e) < 0);
    CU_ASSERT_EQUAL(p.e.kind, ERR_UNSAFE_PATH);
    CU_ASSERT(unpack_open_path(p.fd, "/etc", &p.e) < 0);
    CU_ASSERT_EQUAL(p.e.kind, ERR_UNSAFE_PATH);
    CU_ASSERT(unpack_open_path(p.fd, "link/b\\c", &p.e) < 0);
    CU_ASSERT_EQUAL(p.e.kind, ERR_UNSAFE_PATH);
    CU_ASSERT(unpack_is_empty_dir(p.fd, "a/b\\c"));
    CU_ASSERT_FALSE(unpack_is_empty_dir(p.fd, "a"));
    CU_ASSERT_FALSE(unpack_is_empty_dir(p.fd, "link"));
    close_place(&p);
}

UNIT_MAIN("unpack", TEST(unpack_writes_a_file_with_its_time),
          TEST(unpack_overwrites_only_when_forced),
          TEST(unpack_replaces_a_link_and_never_writes_through_it),
          TEST(unpack_leaves_nothing_of_an_abandoned_file),
          TEST(unpack_refuses_names_that_lead_elsewhere),
          TEST(unpack_takes_an_existing_directory_but_no_link_to_one),
          TEST(unpack_opens_paths_below_the_target_only))
