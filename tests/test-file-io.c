/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/file_io.c. */
#include "config.h"

#include "fetch/file_io.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/unit.h"

/* A file without a name. */
static int new_file(void)
{
    FILE *f = tmpfile();
    int fd = f ? dup(fileno(f)) : -1;

    if (f)
        (void)fclose(f);
    CU_ASSERT_FATAL(fd >= 0);
    return fd;
}

static void file_io_reads_what_it_wrote_at_an_offset(void)
{
    auto_close int fd = new_file();
    char buf[6] = "";
    size_t done = 0;

    CU_ASSERT_EQUAL(file_write(fd, "abcdef", 6, 3, &done), 0);
    CU_ASSERT_EQUAL(done, 6);
    CU_ASSERT_EQUAL(file_read(fd, buf, 4, 4), 4);
    CU_ASSERT_STRING_EQUAL(buf, "bcde");
}

static void file_io_reads_less_at_the_end_of_the_file(void)
{
    auto_close int fd = new_file();
    char buf[8];

    CU_ASSERT_EQUAL(file_write(fd, "abcdef", 6, 0, NULL), 0);
    CU_ASSERT_EQUAL(file_read(fd, buf, sizeof buf, 4), 2);
    CU_ASSERT_EQUAL(file_read(fd, buf, sizeof buf, 6), 0);
}

static void file_io_says_why_it_failed_in_errno_too(void)
{
    auto_close int fd = open("/dev/null", O_PATH | O_CLOEXEC);
    char byte = 0;
    size_t done = 1;

    CU_ASSERT_FATAL(fd >= 0);
    errno = 0;
    CU_ASSERT(file_read(fd, &byte, 1, 0) == -EBADF && errno == EBADF);
    errno = 0;
    CU_ASSERT(file_write(fd, &byte, 1, 0, &done) == -EBADF && errno == EBADF);
    CU_ASSERT_EQUAL(done, 0);
}

static bool is_private_dir(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0700;
}

static void file_io_makes_what_a_path_lies_below_but_not_the_path(void)
{
    char top[] = "/tmp/sftfs-file-io.XXXXXX", path[sizeof top + 8], mid[sizeof top + 8];

    CU_ASSERT_FATAL(mkdtemp(top) != NULL);
    (void)snprintf(mid, sizeof mid, "%s/a", top);
    (void)snprintf(path, sizeof path, "%s/a/b", top);
    CU_ASSERT_EQUAL(file_make_parents(path, NULL), 0);
    CU_ASSERT(is_private_dir(mid));
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
    (void)snprintf(path, sizeof path, "%s/a/b/", top);
    CU_ASSERT_EQUAL(file_make_parents(path, NULL), 0); /* what is there already is fine */
    CU_ASSERT(is_private_dir(path));
    CU_ASSERT_EQUAL(rmdir(path) || rmdir(mid) || rmdir(top), 0);
}

static void file_io_names_the_directory_that_cannot_be_made(void)
{
    struct err e = { 0 };

    CU_ASSERT_EQUAL(file_make_parents("/dev/null/a/b", &e), -ENOTDIR);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "/dev/null/a"));
}

UNIT_MAIN("file_io", TEST(file_io_reads_what_it_wrote_at_an_offset),
          TEST(file_io_reads_less_at_the_end_of_the_file),
          TEST(file_io_says_why_it_failed_in_errno_too),
          TEST(file_io_makes_what_a_path_lies_below_but_not_the_path),
          TEST(file_io_names_the_directory_that_cannot_be_made))
