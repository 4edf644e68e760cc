/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walk over a directory on the disk, and what is looked up in its result. */
#include "config.h"

#include "tools/pack_tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "src/pack_plan.h"
#include "tests/unit.h"
#include "tools/dos_attributes.h"

static char top[] = "/tmp/sftfs-unit.XXXXXX";

static void put(const char *path, const char *text)
{
    char full[256];
    (void)snprintf(full, sizeof full, "%s/%s", top, path);
    FILE *f = fopen(full, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    (void)fputs(text, f);
    (void)fclose(f);
}

static void make_dir(const char *path)
{
    char full[256];
    (void)snprintf(full, sizeof full, "%s/%s", top, path);
    CU_ASSERT_EQUAL_FATAL(mkdir(full, 0755), 0);
}

/* b/c/deep.txt, b/x.txt, D/y.txt, a.txt in a fresh directory. */
static void make_tree(void)
{
    strcpy(top, "/tmp/sftfs-unit.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(top));
    make_dir("b");
    make_dir("b/c");
    make_dir("D");
    put("b/c/deep.txt", "deep");
    put("b/x.txt", "x");
    put("D/y.txt", "yy");
    put("a.txt", "aaa");
}

static void remove_tree(void)
{
    static const char *const paths[] = { "b/c/deep.txt", "b/c/link", "b/x.txt", "D/y.txt",
                                         "D/Y.TXT", "a.txt", "b/c", "b", "D", "" };
    char full[256];
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        (void)snprintf(full, sizeof full, "%s/%s", top, paths[i]);
        (void)remove(full);
    }
}

static struct pack_tree walked(const struct pack_walk *w)
{
    struct pack_tree t;
    struct err e = { 0 };
    CU_ASSERT_EQUAL_FATAL(pack_tree_walk(top, w, &t, &e), 0);
    return t;
}

static void walk_is_breadth_first_in_the_order_of_folded_names(void)
{
    static const char *const order[] = { "", "a.txt", "b", "D", "c", "x.txt", "y.txt", "deep.txt" };
    make_tree();
    struct pack_tree t = walked(&(struct pack_walk){ 0 });
    CU_ASSERT_EQUAL_FATAL(t.count, ARRAY_LEN(order));
    for (uint32_t i = 0; i < t.count; i++)
        CU_ASSERT_STRING_EQUAL(t.entries[i].name, order[i]);
    CU_ASSERT_EQUAL(t.file_count, 4);
    CU_ASSERT_EQUAL(t.file_bytes, 10);
    pack_tree_clear(&t);
    remove_tree();
}

static void directories_are_ranked_depth_first(void)
{
    make_tree();
    struct pack_tree t = walked(&(struct pack_walk){ 0 });
    uint32_t b = pack_tree_find(&t, "b"), c = pack_tree_find(&t, "b/c");
    uint32_t d = pack_tree_find(&t, "D");
    CU_ASSERT_EQUAL(t.entries[0].dir_rank, 0);
    CU_ASSERT_EQUAL(t.entries[b].dir_rank, 1);
    CU_ASSERT_EQUAL(t.entries[c].dir_rank, 2);
    CU_ASSERT_EQUAL(t.entries[d].dir_rank, 3);
    pack_tree_clear(&t);
    remove_tree();
}

static void entries_are_found_by_any_spelling(void)
{
    make_tree();
    struct pack_tree t = walked(&(struct pack_walk){ 0 });
    uint32_t deep = pack_tree_find(&t, "b/c/deep.txt");
    CU_ASSERT_NOT_EQUAL(deep, PACK_NO_RANK);
    CU_ASSERT_EQUAL(pack_tree_find(&t, "\\B\\C\\DEEP.TXT"), deep);
    CU_ASSERT_EQUAL(pack_tree_find(&t, "./b//c/./deep.txt"), deep);
    CU_ASSERT_EQUAL(pack_tree_find(&t, "b/c/deep"), PACK_NO_RANK);
    CU_ASSERT_EQUAL(pack_tree_find(&t, "a.txt/x"), PACK_NO_RANK);
    CU_ASSERT_EQUAL(pack_tree_find(&t, "b/../a.txt"), PACK_NO_RANK);
    pack_tree_clear(&t);
    remove_tree();
}

static void made_up_root_is_part_of_package_paths_only(void)
{
    make_tree();
    struct pack_tree t = walked(&(struct pack_walk){ .root_name = "ROOT" });
    uint32_t x = pack_tree_find(&t, "root/b/x.txt");
    CU_ASSERT_NOT_EQUAL_FATAL(x, PACK_NO_RANK);
    CU_ASSERT_EQUAL(pack_tree_find(&t, "b/x.txt"), x);
    char *disk = pack_tree_path(&t, x), *package = pack_tree_package_path(&t, x);
    CU_ASSERT_STRING_EQUAL(disk, "b/x.txt");
    CU_ASSERT_STRING_EQUAL(package, "ROOT/b/x.txt");
    free(disk);
    free(package);
    pack_tree_clear(&t);
    remove_tree();
}

static void file_replaced_by_a_link_is_not_opened(void)
{
    char path[256];
    make_tree();
    struct pack_tree t = walked(&(struct pack_walk){ 0 });
    uint32_t x = pack_tree_find(&t, "b/x.txt");
    (void)snprintf(path, sizeof path, "%s/b/x.txt", top);
    CU_ASSERT_EQUAL_FATAL(unlink(path), 0);
    CU_ASSERT_EQUAL_FATAL(symlink("../a.txt", path), 0);
    CU_ASSERT_TRUE(pack_tree_open(&t, x, NULL) < 0);
    pack_tree_clear(&t);
    remove_tree();
}

static void file_written_after_the_walk_is_reported(void)
{
    struct err e = { 0 };
    make_tree();
    struct pack_tree t = walked(&(struct pack_walk){ 0 });
    put("a.txt", "longer than before");
    CU_ASSERT_TRUE(pack_tree_open(&t, pack_tree_find(&t, "a.txt"), &e) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "a.txt: changed"));
    pack_tree_clear(&t);
    remove_tree();
}

static void names_that_differ_in_case_need_permission(void)
{
    struct pack_tree t;
    struct err e = { 0 };
    make_tree();
    put("D/Y.TXT", "other");
    CU_ASSERT_TRUE(pack_tree_walk(top, &(struct pack_walk){ 0 }, &t, &e) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "D/Y.TXT and D/y.txt"));
    t = walked(&(struct pack_walk){ .case_sensitive = true });
    CU_ASSERT_NOT_EQUAL(pack_tree_find(&t, "D/Y.TXT"), pack_tree_find(&t, "D/y.txt"));
    pack_tree_clear(&t);
    remove_tree();
}

static void dos_attributes_are_read_from_their_text(void)
{
    CU_ASSERT_EQUAL(dos_attributes_parse("0x2", 3), NODE_HIDDEN);
    CU_ASSERT_EQUAL(dos_attributes_parse("0x25\0\0junk", 10), NODE_READONLY | NODE_SYSTEM);
    CU_ASSERT_EQUAL(dos_attributes_parse("0x6", 2), 0); /* cut before the number */
    CU_ASSERT_EQUAL(dos_attributes_parse("hidden", 6), 0);
    CU_ASSERT_EQUAL(dos_attributes_parse("", 0), 0);
}

static void globs_match_as_documented(void)
{
    CU_ASSERT_TRUE(pack_glob_matches("*.TXT", "a/b/c.txt"));
    CU_ASSERT_TRUE(pack_glob_matches("a\\b\\*", "a/b/c.txt"));
    CU_ASSERT_TRUE(pack_glob_matches("/a/*", "a/b"));
    CU_ASSERT_FALSE(pack_glob_matches("b", "a/b/c.txt"));
    CU_ASSERT_FALSE(pack_glob_matches("b/*", "a/b/c.txt"));
}

UNIT_MAIN("pack_tree",
          TEST(walk_is_breadth_first_in_the_order_of_folded_names),
          TEST(directories_are_ranked_depth_first),
          TEST(entries_are_found_by_any_spelling),
          TEST(made_up_root_is_part_of_package_paths_only),
          TEST(file_replaced_by_a_link_is_not_opened),
          TEST(file_written_after_the_walk_is_reported),
          TEST(names_that_differ_in_case_need_permission),
          TEST(dos_attributes_are_read_from_their_text),
          TEST(globs_match_as_documented))
