/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/open.c with packages in files. */
#include "config.h"

#include "fetch/open.h"

#include <stdio.h>
#include <unistd.h>

#include "src/container.h"
#include "tests/make-sft.h"
#include "tests/unit.h"

static char path[] = "/tmp/sftfs-open-XXXXXX";

static void store(const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(data, 1, len, f), len);
    CU_ASSERT_EQUAL(fclose(f), 0);
}

static struct made_sft make_tree(void)
{
    struct made_sft made;
    CU_ASSERT_EQUAL_FATAL(make_sft(make_sft_tree, make_sft_tree_count, NULL, &made, NULL), 0);
    return made;
}

/* Metadata larger than the head: many names that do not compress. */
static struct made_sft make_large(void)
{
    enum { COUNT = 6000, NAME = 201 };
    static char names[COUNT][NAME];
    static struct make_entry entries[COUNT];
    struct made_sft made;
    uint64_t x = 1;
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k + 1 < NAME; k++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            names[i][k] = "abcdefghijklmnopqrstuvwxyz012345"[x >> 59];
        }
        entries[i].path = names[i];
    }
    CU_ASSERT_EQUAL_FATAL(make_sft(entries, COUNT, NULL, &made, NULL), 0);
    CU_ASSERT_FATAL(made.metadata_len > CONTAINER_HEAD_BYTES);
    return made;
}

static uint64_t open_and_count_reads(void)
{
    struct err e = { .kind = ERR_NONE };
    struct source *source = NULL;
    struct package *package = NULL;
    struct source_stats stats;
    int rc = package_open(path, NULL, &source, &package, &e);
    if (rc)
        printf("\n    %s", e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    CU_ASSERT(package_info(package)->node_count > 1);
    CU_ASSERT_EQUAL(package_info(package)->container_bytes, source_size(source));
    source_get_stats(source, &stats);
    package_free(package);
    source_close(source);
    return stats.requests;
}

static void check_refused(enum err_kind want)
{
    struct err e = { .kind = ERR_NONE };
    struct source *source = NULL;
    struct package *package = NULL;
    CU_ASSERT(package_open(path, NULL, &source, &package, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, want);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, path));
    CU_ASSERT_PTR_NULL(source);
    CU_ASSERT_PTR_NULL(package);
}

static void open_needs_one_read_for_most_packages(void)
{
    struct made_sft made = make_tree();
    store(made.data, made.len);
    CU_ASSERT_EQUAL(open_and_count_reads(), 1);
    free(made.data);
}

static void open_needs_two_reads_when_metadata_is_large(void)
{
    struct made_sft made = make_large();
    store(made.data, made.len);
    CU_ASSERT_EQUAL(open_and_count_reads(), 2);
    free(made.data);
}

static void open_refuses_a_package_cut_short(void)
{
    struct made_sft made = make_tree();
    store(made.data, made.len - 1);
    check_refused(ERR_TRUNCATED);
    free(made.data);
}

static void open_refuses_what_is_no_package(void)
{
    store("#!/bin/sh\necho not a package, but long enough to be looked at\n", 61);
    check_refused(ERR_NOT_A_PACKAGE);
    store("", 0);
    check_refused(ERR_TRUNCATED);
}

static void open_names_a_file_that_is_missing(void)
{
    (void)unlink(path);
    check_refused(ERR_NOT_FOUND);
}

int main(void)
{
    static const struct unit_test tests[] = {
        TEST(open_needs_one_read_for_most_packages),
        TEST(open_needs_two_reads_when_metadata_is_large),
        TEST(open_refuses_a_package_cut_short),
        TEST(open_refuses_what_is_no_package),
        TEST(open_names_a_file_that_is_missing),
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 99; /* automake: hard error */
    (void)close(fd);
    int status = unit_run("open", tests, ARRAY_LEN(tests));
    (void)unlink(path);
    return status;
}
