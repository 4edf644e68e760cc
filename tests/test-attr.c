/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fs/attr.c: what stat(2) and statfs(2) show of a package. */
#include "config.h"

#include "fs/attr.h"

#include <stdio.h>

#include "src/package_builder.h"
#include "tests/unit.h"

enum { BLOCK = 16384 };

struct file_spec {
    const char *name;
    uint64_t size;
    uint16_t flags;
};

/* The root is node 0; these are nodes 1 and on, in the order of their folded names. */
static const struct file_spec files[] = {
    { ".exe", 0, 0 },
    { "A.EXE", 1, 0 },
    { "B.dll", 511, 0 },
    { "C.Com", 512, 0 },
    { "D.bat", 513, NODE_READONLY },
    { "E.cmd", 4097, NODE_HIDDEN },
    { "F.exe.txt", 16384, 0 },
    { "G.dl", 5, NODE_READONLY },
    { "H", 1, 0 },
    { "SUB", 0, NODE_DIR },
    { "SUB.exe", 0, NODE_DIR | NODE_READONLY },
};

enum { EMPTY_EXE = 1, EXE, DLL, COM, BAT, CMD, TXT, DL, PLAIN, SUB, SUB_READONLY };

struct fixture {
    struct package *package;
    struct attr_rules rules;
};

static struct package *make(void)
{
    struct package_counts counts = { .nodes = 1 + ARRAY_LEN(files), .blocks = 2, .versions = 1,
                                     .name_bytes = 200 };
    struct package_info info = { .format = "test", .name = "t", .root_name = "",
                                 .version_number = 1, .block_size = BLOCK,
                                 .metadata_bytes = 100, .container_bytes = 100 + 2 * BLOCK };
    struct block block = { .offset = 100, .stored_len = BLOCK, .len = BLOCK, .codec = CODEC_NONE };
    struct node root = { .flags = NODE_DIR, .child_count = ARRAY_LEN(files) };
    struct package_version version = { .number = 1 };
    struct package_builder *b;
    struct package *p = NULL;
    struct err e = { 0 };
    int64_t modified = filetime_from_timespec((struct timespec){ 1000000000, 123456700 });
    uint64_t at = 0;

    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        counts.extents += files[i].size > 0;
    CU_ASSERT_EQUAL_FATAL(package_builder_new(&counts, &b, &e), 0);
    int rc = package_builder_set_info(b, &info, &e) | package_builder_add_block(b, &block, &e);
    block.offset += BLOCK;
    rc |= package_builder_add_block(b, &block, &e);
    for (size_t i = 0; i < ARRAY_LEN(files); at += files[i++].size) {
        struct extent extent = { .length = files[i].size, .block = (uint32_t)(at / BLOCK),
                                 .from = (uint32_t)(at % BLOCK) };
        if (files[i].size)
            rc |= package_builder_add_extent(b, &extent, &e);
    }
    rc |= package_builder_add_node(b, &root, "", 0, "", 0, NULL, &e);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct node node = { .flags = files[i].flags, .size = files[i].size,
                             .extent_count = files[i].size > 0, .modified = modified };
        rc |= package_builder_add_node(b, &node, files[i].name, strlen(files[i].name), "", 0,
                                       NULL, &e);
    }
    rc |= package_builder_add_version(b, &version, &e);
    rc |= package_builder_finish(b, &p, &e);
    package_builder_free(b);
    if (rc)
        printf("%s\n", e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return p;
}

static void begin(struct fixture *f, mode_t umask)
{
    f->package = make();
    attr_rules_init(&f->rules, f->package, 1234, 2345, umask);
}

static void end(struct fixture *f)
{
    package_free(f->package);
}

static struct stat attr(const struct fixture *f, uint32_t index)
{
    struct stat st;
    attr_fill(&f->rules, index, &st);
    return st;
}

static void attr_gives_programs_the_right_to_run(void)
{
    struct fixture f;

    begin(&f, 0);
    for (uint32_t i = EXE; i <= CMD; i++)
        if (i != BAT)
            CU_ASSERT_EQUAL(attr(&f, i).st_mode, S_IFREG | 0777);
    end(&f);
}

static void attr_knows_programs_by_their_suffix_alone(void)
{
    struct fixture f;

    begin(&f, 0);
    CU_ASSERT_EQUAL(attr(&f, EMPTY_EXE).st_mode, S_IFREG | 0666);
    CU_ASSERT_EQUAL(attr(&f, TXT).st_mode, S_IFREG | 0666);
    CU_ASSERT_EQUAL(attr(&f, PLAIN).st_mode, S_IFREG | 0666);
    end(&f);
}

static void attr_takes_the_umask_away(void)
{
    struct fixture f;

    begin(&f, 027);
    CU_ASSERT_EQUAL(attr(&f, NODE_ROOT).st_mode, S_IFDIR | 0750);
    CU_ASSERT_EQUAL(attr(&f, SUB).st_mode, S_IFDIR | 0750);
    CU_ASSERT_EQUAL(attr(&f, EXE).st_mode, S_IFREG | 0750);
    CU_ASSERT_EQUAL(attr(&f, PLAIN).st_mode, S_IFREG | 0640);
    end(&f);
}

static void attr_gives_nothing_when_the_umask_is_777(void)
{
    struct fixture f;

    begin(&f, 0777);
    CU_ASSERT_EQUAL(attr(&f, NODE_ROOT).st_mode, S_IFDIR);
    CU_ASSERT_EQUAL(attr(&f, EXE).st_mode, S_IFREG);
    end(&f);
}

static void attr_takes_write_from_what_is_read_only(void)
{
    struct fixture f;

    begin(&f, 0);
    CU_ASSERT_EQUAL(attr(&f, BAT).st_mode, S_IFREG | 0555);
    CU_ASSERT_EQUAL(attr(&f, DL).st_mode, S_IFREG | 0444);
    end(&f);
}

static void attr_counts_blocks_of_512_bytes(void)
{
    static const struct { uint32_t index; blkcnt_t blocks; } expected[] = {
        { EMPTY_EXE, 0 }, { EXE, 1 }, { DLL, 1 }, { COM, 1 }, { BAT, 2 }, { CMD, 9 }, { TXT, 32 },
    };
    struct fixture f;

    begin(&f, 0);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        struct stat st = attr(&f, expected[i].index);
        CU_ASSERT_EQUAL(st.st_blocks, expected[i].blocks);
        CU_ASSERT_EQUAL(st.st_size, (off_t)files[expected[i].index - 1].size);
        CU_ASSERT_EQUAL(st.st_blksize, BLOCK);
    }
    end(&f);
}

static void attr_has_owner_identity_and_time(void)
{
    struct fixture f;

    begin(&f, 0);
    struct stat st = attr(&f, PLAIN);
    CU_ASSERT_EQUAL(st.st_uid, 1234);
    CU_ASSERT_EQUAL(st.st_gid, 2345);
    CU_ASSERT_EQUAL(st.st_ino, PLAIN + 1);
    CU_ASSERT_EQUAL(st.st_nlink, 1);
    CU_ASSERT_EQUAL(st.st_mtim.tv_sec, 1000000000);
    CU_ASSERT_EQUAL(st.st_mtim.tv_nsec, 123456700);
    CU_ASSERT_EQUAL(st.st_ctim.tv_sec, 1000000000);
    st = attr(&f, NODE_ROOT); /* says none: no year 1601, which few file systems can store */
    CU_ASSERT(!st.st_mtim.tv_sec && !st.st_mtim.tv_nsec && !st.st_ctim.tv_sec && !st.st_atim.tv_sec);
    end(&f);
}

static void attr_statfs_is_that_of_a_full_disk(void)
{
    struct fixture f;
    struct statvfs st;
    uint64_t bytes = 0;

    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        bytes += files[i].size;
    begin(&f, 0);
    attr_statfs(&f.rules, &st);
    CU_ASSERT_EQUAL(st.f_bsize, 4096);
    CU_ASSERT_EQUAL(st.f_frsize, 4096);
    CU_ASSERT_EQUAL(st.f_blocks, (bytes + 4095) / 4096);
    CU_ASSERT_EQUAL(st.f_bfree, 0);
    CU_ASSERT_EQUAL(st.f_bavail, 0);
    CU_ASSERT_EQUAL(st.f_files, 1 + ARRAY_LEN(files));
    CU_ASSERT_EQUAL(st.f_ffree, 0);
    CU_ASSERT_EQUAL(st.f_namemax, 255);
    end(&f);
}

UNIT_MAIN("attr",
          TEST(attr_gives_programs_the_right_to_run),
          TEST(attr_knows_programs_by_their_suffix_alone),
          TEST(attr_takes_the_umask_away),
          TEST(attr_gives_nothing_when_the_umask_is_777),
          TEST(attr_takes_write_from_what_is_read_only),
          TEST(attr_counts_blocks_of_512_bytes),
          TEST(attr_has_owner_identity_and_time),
          TEST(attr_statfs_is_that_of_a_full_disk))
