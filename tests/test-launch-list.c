/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Launch lists: what is written is read again, what is meant is found, and bad text is refused. */
#include "config.h"

#include "src/launch_list.h"

#include <stdio.h>

#include "src/container.h"
#include "tests/make-sft.h"
#include "tests/unit.h"

/* Blocks of 4 KiB: app 0-2, dll 3-4, then a (with b in one), big, and so on. */
static const struct make_entry tree[] = {
    { .path = "App.exe", .len = 10000, .launch = true },
    { .path = "Lib/Long.dll", .len = 8192, .launch = true },
    { .path = "Lib/a 100%.txt", .len = 100 },
    { .path = "Lib/b.txt", .len = 200 },
    { .path = "Lib/Sub/big.bin", .len = 50000 },
    { .path = "empty" },
};

static struct package *make(const struct make_options *o)
{
    struct made_sft made;
    struct package *p = NULL;

    CU_ASSERT_EQUAL_FATAL(make_sft(tree, ARRAY_LEN(tree), o, &made, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(container_read_memory(made.data, made.len, &p, NULL), 0);
    free(made.data);
    return p;
}

struct result {
    struct block_run *runs;
    size_t count;
    struct launch_list_notes notes;
    struct err e;
    int rc;
};

static struct result read_text(const struct package *p, const char *text)
{
    struct result r = { .e = { .text = "" } };

    r.rc = launch_list_read(text, strlen(text), p, &r.runs, &r.count, &r.notes, &r.e);
    return r;
}

static uint32_t block_at(const struct package *p, const char *path, uint64_t off)
{
    struct piece piece;

    CU_ASSERT_EQUAL_FATAL(package_map(p, package_resolve(p, path, true), off, 1, &piece, 1), 1);
    return piece.block;
}

static void expect_run(const struct result *r, size_t i, uint32_t first, uint32_t count)
{
    CU_ASSERT_FATAL(i < r->count);
    CU_ASSERT_EQUAL(r->runs[i].first, first);
    CU_ASSERT_EQUAL(r->runs[i].count, count);
}

static void launch_list_of_paths_finds_files_and_directories(void)
{
    struct package *p = make(NULL);
    uint32_t big = block_at(p, "Lib/Sub/big.bin", 0), a = block_at(p, "Lib/a 100%.txt", 0);
    struct result r = read_text(p, "\xEF\xBB\xBF# comment\r\n\r\n  \\lib\\SUB/Big.bin \r\n"
                                   "/app.EXE\nnothing here\nempty\nLib");

    CU_ASSERT_EQUAL_FATAL(r.rc, 0);
    CU_ASSERT_EQUAL(r.notes.items, 5);
    CU_ASSERT_EQUAL(r.notes.unknown, 1);
    CU_ASSERT_STRING_EQUAL(r.notes.first_unknown, "nothing here");
    CU_ASSERT(!r.notes.other_version && !r.notes.cut);
    expect_run(&r, 0, big, 13);
    expect_run(&r, 1, block_at(p, "App.exe", 0), 3);
    expect_run(&r, 2, a, 1); /* with b.txt */
    expect_run(&r, 3, block_at(p, "Lib/Long.dll", 0), 2);
    CU_ASSERT_EQUAL(r.count, 4);
    free(r.runs);
    package_free(p);
}

static void launch_list_of_the_root_is_everything_once(void)
{
    struct package *p = make(NULL);
    struct result r = read_text(p, "/\nLib\nApp.exe\n/\n");
    uint32_t sum = 0;

    CU_ASSERT_EQUAL_FATAL(r.rc, 0);
    for (size_t i = 0; i < r.count; i++)
        sum += r.runs[i].count;
    CU_ASSERT_EQUAL(sum, package_info(p)->block_count);
    free(r.runs);
    package_free(p);
}

static void launch_list_without_lines_is_empty(void)
{
    struct package *p = make(NULL);
    struct result r = read_text(p, "");

    CU_ASSERT_EQUAL(r.rc, 0);
    CU_ASSERT_EQUAL(r.count, 0);
    free(r.runs);
    package_free(p);
}

/* A recording of P with COUNT uses. */
static char *recording(const struct package *p, const struct launch_item *uses, size_t count)
{
    char *text = malloc(LAUNCH_HEAD_MAX + count * LAUNCH_LINE_MAX + 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    size_t n = launch_list_put_head(p, text);
    for (size_t i = 0; i < count; i++)
        n += launch_list_put_item(&uses[i], text + n);
    text[n] = '\0';
    return text;
}

static const struct launch_item uses[] = {
    { .path = "Lib/Sub/big.bin", .offset = 8192, .len = 4096, .block = 8 },
    { .path = "Lib/a 100%.txt", .offset = 0, .len = 100, .block = 5 },
    { .path = "App.exe", .offset = 0, .len = 4096, .block = 0 },
    { .path = "App.exe", .offset = 4096, .len = 4096, .block = 1 },
};

static void launch_list_of_this_version_counts_by_block(void)
{
    struct package *p = make(NULL);
    char *text = recording(p, uses, ARRAY_LEN(uses));
    struct result r = read_text(p, text);

    CU_ASSERT_EQUAL_FATAL(r.rc, 0);
    CU_ASSERT_EQUAL(r.notes.items, 4);
    CU_ASSERT(!r.notes.other_version && !r.notes.unknown);
    expect_run(&r, 0, 8, 1);
    expect_run(&r, 1, 5, 1);
    expect_run(&r, 2, 0, 2);
    free(r.runs);
    free(text);
    package_free(p);
}

static void launch_list_of_another_version_is_found_by_path(void)
{
    const struct make_options bigger = { .block_size = 16384, .version_number = 2 };
    struct package *old = make(NULL), *p = make(&bigger);
    char *text = recording(old, uses, ARRAY_LEN(uses));
    struct result r = read_text(p, text);

    CU_ASSERT_EQUAL_FATAL(r.rc, 0);
    CU_ASSERT(r.notes.other_version && !r.notes.other_package && !r.notes.unknown);
    expect_run(&r, 0, block_at(p, "Lib/Sub/big.bin", 8192), 1);
    expect_run(&r, 1, block_at(p, "Lib/a 100%.txt", 0), 1);
    expect_run(&r, 2, block_at(p, "App.exe", 0), 1);
    CU_ASSERT_EQUAL(r.count, 3);
    free(r.runs);
    free(text);
    package_free(old);
    package_free(p);
}

static void launch_list_notes_what_a_package_does_not_have(void)
{
    static const struct launch_item odd[] = {
        { .path = "gone", .len = 1, .block = 4000000000u },
        { .path = "Lib", .len = 1, .block = 0 },
        { .path = "App.exe", .offset = 4096 * 100, .len = 4096, .block = 1 }, /* past its end */
    };
    const struct make_options next = { .version_number = 2 };
    struct package *p = make(NULL), *other = make(&next);
    char *text = recording(p, odd, ARRAY_LEN(odd));
    struct result r = read_text(p, text);

    CU_ASSERT_EQUAL(r.rc, 0);
    CU_ASSERT_EQUAL(r.notes.unknown, 1);
    CU_ASSERT_STRING_EQUAL(r.notes.first_unknown, "gone");
    expect_run(&r, 0, 0, 2);
    free(r.runs);
    r = read_text(other, text);
    CU_ASSERT_EQUAL(r.rc, 0);
    CU_ASSERT_EQUAL(r.notes.unknown, 2); /* a directory is read by nobody */
    CU_ASSERT_EQUAL(r.count, 0);
    free(r.runs);
    free(text);
    package_free(p);
    package_free(other);
}

static void launch_list_cut_at_any_byte_is_good_up_to_there(void)
{
    struct package *p = make(NULL);
    char *text = recording(p, uses, ARRAY_LEN(uses));
    size_t head = strcspn(text, "\n") + 1, len = strlen(text), lines = 0;

    for (size_t n = head; n <= len; n++) {
        struct launch_list l;
        CU_ASSERT_EQUAL(launch_list_parse(text, n, &l, NULL), 0);
        lines += n > head && text[n - 1] == '\n';
        CU_ASSERT_EQUAL(l.count, lines);
        CU_ASSERT_EQUAL(l.cut, text[n - 1] != '\n');
        launch_list_clear(&l);
    }
    free(text);
    package_free(p);
}

static void launch_list_keeps_odd_paths(void)
{
    static const char *const paths[] = { " lead", "trail ", "100%", "%41", "a\tb\nc", "\x7f", " ",
                                         "\xc3\x9c  two" };
    struct package *p = make(NULL);

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const struct launch_item use = { .path = paths[i], .offset = 4096, .len = 12, .block = 7 };
        char *text = recording(p, &use, 1);
        struct launch_list l;
        CU_ASSERT_EQUAL_FATAL(launch_list_parse(text, strlen(text), &l, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(l.count, 1);
        CU_ASSERT_STRING_EQUAL(l.items[0].path, paths[i]);
        CU_ASSERT_EQUAL(l.items[0].offset, 4096);
        CU_ASSERT_EQUAL(l.items[0].len, 12);
        CU_ASSERT_EQUAL(l.items[0].block, 7);
        CU_ASSERT_EQUAL(l.items[0].line, 2);
        launch_list_clear(&l);
        free(text);
    }
    package_free(p);
}

#define HEAD                                                                                       \
    "sftfs-record 1 package=00112233-4455-6677-8899-AABBCCDDEEFF "                                 \
    "version=00112233-4455-6677-8899-AABBCCDDEEFF block-size=4096\n"

static void launch_list_refuses_bad_text(void)
{
    static const struct {
        const char *text;
        enum err_kind kind;
        const char *says;
    } rows[] = {
        { "sftfs-record 2 anything", ERR_UNSUPPORTED, "form 2" },
        { "sftfs-record ", ERR_INVALID, "line 1" },
        { "sftfs-record x\n", ERR_INVALID, "line 1" },
        { "sftfs-record 1\n", ERR_INVALID, "line 1" },
        { "sftfs-record 1 package=x version=y block-size=4096\n", ERR_INVALID, "line 1" },
        { "sftfs-record 1 package=00112233-4455-6677-8899-AABBCCDDEEFF "
          "version=00112233-4455-6677-8899-AABBCCDDEEFF block-size=99999999\n",
          ERR_INVALID, "line 1" },
        { HEAD "1\n", ERR_INVALID, "line 2" },
        { HEAD "# a comment\n1 2 3\n", ERR_INVALID, "line 3" },
        { HEAD "1 2 3 \n", ERR_INVALID, "line 2" },
        { HEAD "1 2 0 a\n", ERR_INVALID, "line 2" },
        { HEAD "1 2 4097 a\n", ERR_INVALID, "line 2" },
        { HEAD "-1 2 3 a\n", ERR_INVALID, "line 2" },
        { HEAD "4294967295 2 3 a\n", ERR_INVALID, "line 2" },
        { HEAD "1 9223372036854775808 3 a\n", ERR_INVALID, "line 2" },
        { HEAD "1 99999999999999999999999 3 a\n", ERR_INVALID, "line 2" },
        { HEAD "1  2 3 a\n", ERR_INVALID, "line 2" },
        { HEAD "1 2 3 %\n", ERR_INVALID, "line 2" },
        { HEAD "1 2 3 %4\n", ERR_INVALID, "line 2" },
        { HEAD "1 2 3 %4g\n", ERR_INVALID, "line 2" },
        { HEAD "1 2 3 a%00\n", ERR_INVALID, "line 2" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct launch_list l;
        struct err e = { .text = "" };
        CU_ASSERT(launch_list_parse(rows[i].text, strlen(rows[i].text), &l, &e) < 0);
        if (e.kind != rows[i].kind || !strstr(e.text, rows[i].says))
            fprintf(stderr, "\nrow %zu: %s: %s\n", i, err_kind_name(e.kind), e.text);
        CU_ASSERT_EQUAL(e.kind, rows[i].kind);
        CU_ASSERT_PTR_NOT_NULL(strstr(e.text, rows[i].says));
        launch_list_clear(&l);
    }
    struct launch_list l;
    struct err e = { .text = "" };
    CU_ASSERT(launch_list_parse("a\0b\n", 4, &l, &e) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "NUL"));
    launch_list_clear(&l);
}

UNIT_MAIN("launch-list", TEST(launch_list_of_paths_finds_files_and_directories),
          TEST(launch_list_of_the_root_is_everything_once),
          TEST(launch_list_without_lines_is_empty),
          TEST(launch_list_of_this_version_counts_by_block),
          TEST(launch_list_of_another_version_is_found_by_path),
          TEST(launch_list_notes_what_a_package_does_not_have),
          TEST(launch_list_cut_at_any_byte_is_good_up_to_there), TEST(launch_list_keeps_odd_paths),
          TEST(launch_list_refuses_bad_text))
