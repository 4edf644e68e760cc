/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the user changed, and throwing it away: upper directories made by hand over a small package.
 */
#include "config.h"

#include "fs/overlay/diff.h"

#include <stdio.h>

#include "fs/overlay/reset.h"
#include "tests/overlay_fixture.h"

static const struct make_entry entries[] = {
    { .path = "ReadMe.txt", .len = 100 },     { .path = "empty.txt", .len = 0 },
    { .path = "Data/big.bin", .len = 30000 }, { .path = "Data/Sub/deep.txt", .len = 10 },
    { .path = "Data/other.txt", .len = 20 },  { .path = "Program/app.exe", .len = 40 },
};

#define MARK_30000 "1 size=30000 content=00112233445566778899aabbccddeeff map=%s path=/Data/big.bin"

struct seen {
    struct upper *upper;
    struct diff *diff;
    char text[4000];
};

static int note(void *arg, const struct diff_change *c, struct err *e)
{
    struct seen *s = arg;
    size_t used = strlen(s->text);

    (void)e;
    (void)snprintf(s->text + used, sizeof s->text - used, "%s%c%s %s%s%s%s%s%s", used ? "; " : "",
                   "AMDRT"[c->kind], c -> kind == DIFF_RENAMED && c -> content ? "M" : "",
                   c->from ? c->from : "", c->from ? ">" : "", c->path,
                   c->type == S_IFDIR ? "/" : "", c->was ? " was " : "",
                   c->was == S_IFDIR ? "dir"
                   : c->was          ? "file"
                                     : "");
    if (c->link_of)
        (void)snprintf(s->text + strlen(s->text), 100, " = %s", c->link_of);
    return 0;
}

static void look(struct fixture *f, bool with_package, struct seen *s)
{
    struct err e = { 0 };

    *s = (struct seen){ .upper = NULL };
    CU_ASSERT_EQUAL_FATAL(upper_read(f->store, false, NULL, NULL, &s->upper, &e), 0);
    CU_ASSERT_EQUAL_FATAL(diff_new(s->upper, with_package ? f->package : NULL, &s->diff, &e), 0);
    CU_ASSERT_EQUAL(diff_each(s->diff, note, s, &e), 0);
}

static void unlook(struct seen *s)
{
    diff_free(s->diff);
    upper_free(s->upper);
}

static void expect(struct fixture *f, bool with_package, const char *want)
{
    struct seen s;

    look(f, with_package, &s);
    if (strcmp(s.text, want) != 0)
        printf("\n  '%s' instead of '%s' ", s.text, want);
    CU_ASSERT_STRING_EQUAL(s.text, want);
    unlook(&s);
}

#define BEGIN                                                                                      \
    struct fixture f;                                                                              \
    if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false))                                    \
    return

static void diff_is_empty_when_nothing_was_changed(void)
{
    BEGIN;
    expect(&f, true, "");
    expect(&f, false, "");
    fixture_end(&f);
}

static void diff_names_added_files_and_directories(void)
{
    BEGIN;
    up_file(&f, "new.txt", "new");
    up_dir(&f, "Things");
    up_file(&f, "Things/one", "1");
    up_dir(&f, "data");
    up_file(&f, "data/more.txt", "more");
    CU_ASSERT_EQUAL(symlinkat("new.txt", f.store->files_fd, "link"), 0);
    /* "data" is another spelling of a directory of the package: what is in it is merged. */
    expect(&f, true, "R Data>data/; A data/more.txt; A link; A new.txt; A Things/; A Things/one");
    fixture_end(&f);
}

static void diff_tells_replaced_from_added(void)
{
    BEGIN;
    up_file(&f, "readme.TXT", "another");
    up_file(&f, "Program", "a file now");
    up_dir_marked(&f, "Data", MARKER_OPAQUE, "y");
    up_file(&f, "Data/new", "x");
    expect(&f, true, "M Data/ was dir; A Data/new; M Program was dir; M readme.TXT was file");
    expect(&f, false, "A Data/; A Data/new; A Program; A readme.TXT");
    fixture_end(&f);
}

static void diff_names_what_was_deleted(void)
{
    BEGIN;
    up_whiteout(&f, "README.txt");
    up_whiteout(&f, "Program");
    up_whiteout(&f, "never-there");
    up_dir(&f, "Data");
    up_whiteout(&f, "Data/big.bin");
    expect(&f, true, "D Data/big.bin; D Program/; D README.txt");
    expect(&f, false, "D Data/big.bin; D never-there; D Program; D README.txt");
    fixture_end(&f);
}

static void up_partial(struct fixture *f, const char *path, const char *map)
{
    char mark[200];

    up_file_from(f, path, "/Data/big.bin");
    int fd = openat(f->store->files_fd, path, O_RDWR | O_CLOEXEC);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
    CU_ASSERT_EQUAL(ftruncate(fd, 30000), 0);
    (void)close(fd);
    (void)snprintf(mark, sizeof mark, MARK_30000, map);
    up_mark(f, path, MARKER_PARTIAL, mark);
}

static void diff_tells_content_from_attributes(void)
{
    BEGIN;
    up_dir(&f, "Data");
    up_partial(&f, "Data/big.bin", "none");
    up_file_from(&f, "ReadMe.txt", "/ReadMe.txt");
    up_file(&f, "empty.txt", "");
    up_mark(&f, "empty.txt", MARKER_ORIGIN, "/empty.txt");
    expect(&f, true, "T Data/big.bin; T empty.txt; M ReadMe.txt");
    up_mark(&f, "Data/big.bin", MARKER_PARTIAL,
            "1 size=30000 content=00112233445566778899aabbccddeeff map=0000000000000007 "
            "path=/Data/big.bin");
    expect(&f, true, "M Data/big.bin; T empty.txt; M ReadMe.txt");
    CU_ASSERT_EQUAL(fchmodat(f.store->files_fd, "Data", 0701, 0), 0);
    expect(&f, false, "T Data/; M Data/big.bin; M empty.txt; M ReadMe.txt");
    fixture_end(&f);
}

static void diff_follows_renamed_files(void)
{
    BEGIN;
    up_file_from(&f, "ReadMe.bak", "/ReadMe.txt");
    up_whiteout(&f, "ReadMe.txt");
    up_dir(&f, "Data");
    up_whiteout(&f, "Data/big.bin");
    up_dir(&f, "New");
    up_partial(&f, "New/big", "none");
    expect(&f, true, "A New/; R Data/big.bin>New/big; RM ReadMe.txt>ReadMe.bak");
    fixture_end(&f);
}

static void diff_follows_renamed_directories(void)
{
    BEGIN;
    up_dir_marked(&f, "Stuff", MARKER_REDIRECT, "/Data");
    up_whiteout(&f, "Data");
    up_file_from(&f, "Stuff/other.txt", "/Data/other.txt");
    up_whiteout(&f, "Stuff/big.bin");
    up_file_from(&f, "moved", "/Data/Sub/deep.txt");
    up_dir(&f, "Stuff/sub");
    up_whiteout(&f, "Stuff/sub/deep.txt");
    expect(&f, true,
           "RM Data/Sub/deep.txt>moved; R Data>Stuff/; D Stuff/big.bin; M Stuff/other.txt; R "
           "Data/Sub>Stuff/sub/");
    fixture_end(&f);
}

static void diff_knows_an_exchange(void)
{
    BEGIN;
    up_dir_marked(&f, "Data", MARKER_REDIRECT, "/Program");
    up_dir_marked(&f, "Program", MARKER_REDIRECT, "/Data");
    up_file_from(&f, "ReadMe.txt", "/empty.txt");
    up_file_from(&f, "empty.txt", "/ReadMe.txt");
    expect(&f, true,
           "R Program>Data/; RM ReadMe.txt>empty.txt; R Data>Program/; RM empty.txt>ReadMe.txt");
    fixture_end(&f);
}

static void diff_does_not_count_a_rename_of_what_is_still_there(void)
{
    BEGIN;
    up_file_from(&f, "copy", "/ReadMe.txt");
    up_dir_marked(&f, "Stuff", MARKER_REDIRECT, "/Data");
    up_dir_marked(&f, "Nowhere", MARKER_REDIRECT, "/no/such");
    expect(&f, true, "A copy; A Nowhere/; A Stuff/");
    fixture_end(&f);
}

static void diff_knows_a_new_file_where_one_was_moved_away(void)
{
    BEGIN;
    up_file_from(&f, "old", "/ReadMe.txt");
    up_file(&f, "ReadMe.txt", "a new one");
    expect(&f, true, "RM ReadMe.txt>old; A ReadMe.txt");
    fixture_end(&f);
}

static void diff_knows_hard_links(void)
{
    BEGIN;
    up_file_from(&f, "ReadMe.txt", "/ReadMe.txt");
    CU_ASSERT_EQUAL(linkat(f.store->files_fd, "ReadMe.txt", f.store->files_fd, "A", 0), 0);
    expect(&f, true, "A A = ReadMe.txt; M ReadMe.txt");
    fixture_end(&f);
}

static void diff_does_not_trust_markers(void)
{
    BEGIN;
    up_file_from(&f, "one", "/Data/../../etc/passwd");
    up_file_from(&f, "two", "relative");
    up_dir_marked(&f, "three", MARKER_REDIRECT, "/");
    up_dir_marked(&f, "four", MARKER_REDIRECT, "");
    expect(&f, true, "A four/; A one; A three/; A two");
    fixture_end(&f);
}

/* ---- reset ---- */

static int reset(struct fixture *f, const char *a, const char *b, struct err *e)
{
    char first[100], second[100];
    char *paths[] = { first, second };
    struct reset_plan plan;
    struct seen s;

    (void)snprintf(first, sizeof first, "%s", a);
    (void)snprintf(second, sizeof second, "%s", b ? b : "");
    *e = (struct err){ 0 };
    look(f, false, &s);
    int rc = reset_plan(s.upper, s.diff, paths, b ? 2 : 1, &plan, e);
    if (!rc) {
        rc = reset_paths(f->store, s.upper, &plan, e);
        reset_plan_clear(&plan);
    }
    unlook(&s);
    return rc;
}

static void reset_brings_back_one_path(void)
{
    struct err e;

    BEGIN;
    up_file(&f, "new.txt", "new");
    up_whiteout(&f, "ReadMe.txt");
    up_dir(&f, "Data");
    up_file_from(&f, "Data/other.txt", "/Data/other.txt");
    up_whiteout(&f, "Data/big.bin");
    CU_ASSERT_EQUAL(reset(&f, "data\\OTHER.txt", NULL, &e), 0);
    expect(&f, true, "D Data/big.bin; A new.txt; D ReadMe.txt");
    CU_ASSERT_EQUAL(reset(&f, "README.TXT", "/new.txt", &e), 0);
    expect(&f, true, "D Data/big.bin");
    CU_ASSERT_EQUAL(reset(&f, "Data", NULL, &e), 0);
    expect(&f, true, "");
    fixture_end(&f);
}

static void reset_keeps_the_time_of_the_directory(void)
{
    struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
    struct stat st;
    struct err e;

    BEGIN;
    up_dir(&f, "Data");
    up_file(&f, "Data/new", "new");
    CU_ASSERT_EQUAL(utimensat(f.store->files_fd, "Data", times, 0), 0);
    CU_ASSERT_EQUAL(reset(&f, "Data/new", NULL, &e), 0);
    CU_ASSERT_EQUAL(fstatat(f.store->files_fd, "Data", &st, 0), 0);
    CU_ASSERT_EQUAL(st.st_mtim.tv_sec, 2000);
    fixture_end(&f);
}

static void reset_refuses_what_is_not_changed(void)
{
    struct err e;

    BEGIN;
    up_whiteout(&f, "Data");
    CU_ASSERT(reset(&f, "Program/app.exe", NULL, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_NOT_FOUND);
    CU_ASSERT(reset(&f, "Data/big.bin", NULL, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    CU_ASSERT(reset(&f, "../x", NULL, &e) < 0);
    CU_ASSERT(reset(&f, "/", NULL, &e) < 0);
    expect(&f, true, "D Data/");
    fixture_end(&f);
}

static void reset_moves_a_renamed_thing_back(void)
{
    struct err e;

    BEGIN;
    up_file_from(&f, "other", "/ReadMe.txt");
    up_whiteout(&f, "ReadMe.txt");
    up_dir_marked(&f, "Stuff", MARKER_REDIRECT, "/Data");
    up_whiteout(&f, "Data");
    up_file(&f, "Stuff/new", "new");
    CU_ASSERT_EQUAL(reset(&f, "OTHER", NULL, &e), 0);
    expect(&f, true, "R Data>Stuff/; A Stuff/new");
    CU_ASSERT_EQUAL(reset(&f, "stuff", NULL, &e), 0);
    expect(&f, true, "");
    fixture_end(&f);
}

static void reset_refuses_what_would_be_there_twice(void)
{
    struct err e;

    BEGIN;
    up_file_from(&f, "other", "/ReadMe.txt");
    up_whiteout(&f, "ReadMe.txt");
    up_dir_marked(&f, "Stuff", MARKER_REDIRECT, "/Data");
    up_whiteout(&f, "Data");
    up_whiteout(&f, "Stuff/big.bin");
    up_file_from(&f, "big", "/Data/big.bin");
    CU_ASSERT(reset(&f, "ReadMe.txt", NULL, &e) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "other"));
    CU_ASSERT(reset(&f, "Data", NULL, &e) < 0);
    CU_ASSERT(reset(&f, "Stuff", NULL, &e) < 0); /* big.bin would be back in it */
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "Data/big.bin"));
    CU_ASSERT_EQUAL(reset(&f, "Stuff", "big", &e), 0);
    expect(&f, true, "RM ReadMe.txt>other");
    CU_ASSERT_EQUAL(reset(&f, "ReadMe.txt", "other", &e), 0);
    expect(&f, true, "");
    fixture_end(&f);
}

static void reset_leaves_the_new_file_at_the_old_place(void)
{
    struct err e;

    BEGIN;
    up_file_from(&f, "old", "/ReadMe.txt");
    up_file(&f, "ReadMe.txt", "a new one");
    CU_ASSERT_EQUAL(reset(&f, "old", NULL, &e), 0);
    expect(&f, true, "M ReadMe.txt was file");
    fixture_end(&f);
}

static void reset_keeps_a_file_that_has_another_name(void)
{
    struct err e;

    BEGIN;
    up_file_from(&f, "one", "/ReadMe.txt");
    up_whiteout(&f, "ReadMe.txt");
    CU_ASSERT_EQUAL(linkat(f.store->files_fd, "one", f.store->files_fd, "two", 0), 0);
    CU_ASSERT_EQUAL(reset(&f, "one", NULL, &e), 0);
    expect(&f, true, "RM ReadMe.txt>two");
    fixture_end(&f);
}

static void reset_all_empties_the_overlay(void)
{
    struct err e = { 0 };

    BEGIN;
    up_file(&f, "new.txt", "new");
    up_dir_marked(&f, "Stuff", MARKER_REDIRECT, "/Data");
    up_whiteout(&f, "Data");
    CU_ASSERT_EQUAL(mkdirat(f.store->dir_fd, "aside", 0700), 0);
    CU_ASSERT_EQUAL(reset_all(f.store, &e), 0);
    CU_ASSERT(faccessat(f.store->dir_fd, "aside", F_OK, 0) != 0);
    overlay_store_close(f.store);
    fixture_open_store(&f);
    expect(&f, true, "");
    fixture_end(&f);
}

UNIT_MAIN("overlay-diff", TEST(diff_is_empty_when_nothing_was_changed),
          TEST(diff_names_added_files_and_directories), TEST(diff_tells_replaced_from_added),
          TEST(diff_names_what_was_deleted), TEST(diff_tells_content_from_attributes),
          TEST(diff_follows_renamed_files), TEST(diff_follows_renamed_directories),
          TEST(diff_knows_an_exchange), TEST(diff_does_not_count_a_rename_of_what_is_still_there),
          TEST(diff_knows_a_new_file_where_one_was_moved_away), TEST(diff_knows_hard_links),
          TEST(diff_does_not_trust_markers), TEST(reset_brings_back_one_path),
          TEST(reset_keeps_the_time_of_the_directory), TEST(reset_refuses_what_is_not_changed),
          TEST(reset_moves_a_renamed_thing_back), TEST(reset_refuses_what_would_be_there_twice),
          TEST(reset_leaves_the_new_file_at_the_old_place),
          TEST(reset_keeps_a_file_that_has_another_name), TEST(reset_all_empties_the_overlay))
