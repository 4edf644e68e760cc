/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees made of paths: implied directories, spelling, order, and what cannot be. */
#include "config.h"

#include "src/path_tree.h"

#include <stdio.h>

#include "src/fold.h"
#include "tests/unit.h"

static struct path_tree *new_tree(void)
{
    struct path_tree *t = NULL;

    CU_ASSERT_EQUAL_FATAL(path_tree_new(&t, NULL), 0);
    return t;
}

static int add(struct path_tree *t, const char *path, bool is_dir, uint32_t item)
{
    return path_tree_add(t, path, strlen(path), is_dir, item, NULL, NULL);
}

/* The names in order, each directory with a slash. */
static void order_is(struct path_tree *t, const char *expected)
{
    char text[4096] = "";
    size_t at = 0;

    CU_ASSERT_EQUAL_FATAL(path_tree_order(t, NULL), 0);
    for (uint32_t i = 0; i < path_tree_count(t); i++) {
        const struct path_node *n = path_tree_at(t, i);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s%s", i ? " " : "", n->name_len,
                               n->name, n->is_dir ? "/" : "");
    }
    if (strcmp(text, expected))
        printf("\n    %s\n    %s expected\n", text, expected);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

static void directories_are_implied_and_order_is_breadth_first(void)
{
    struct path_tree *t = new_tree();

    CU_ASSERT_EQUAL(add(t, "b/y/2", false, 0), 0);
    CU_ASSERT_EQUAL(add(t, "b/y/1", false, 1), 0);
    CU_ASSERT_EQUAL(add(t, "a", false, 2), 0);
    CU_ASSERT_EQUAL(add(t, "b/x", false, 3), 0);
    CU_ASSERT_EQUAL(add(t, "c/d/e", true, 4), 0);
    order_is(t, "/ a b/ c/ x y/ d/ 1 2 e/");
    CU_ASSERT_EQUAL(path_tree_at(t, 0)->child_count, 3);
    CU_ASSERT_EQUAL(path_tree_at(t, 1)->item, 2);
    CU_ASSERT_EQUAL(path_tree_at(t, 2)->item, PATH_TREE_NONE);
    path_tree_free(t);
}

static void spelling_of_the_first_one_stays(void)
{
    struct path_tree *t = new_tree();
    struct path_node *n;

    CU_ASSERT_EQUAL(add(t, "VFS/Fonts/a", false, 0), 0);
    CU_ASSERT_EQUAL(add(t, "vfs/FONTS/b", false, 1), 0);
    CU_ASSERT_EQUAL(path_tree_add(t, "Vfs/fonts/A", 11, false, 2, &n, NULL), 0);
    CU_ASSERT_EQUAL(n->item, 0); /* it was there */
    CU_ASSERT_PTR_NOT_NULL(path_tree_find(t, "VFS/fonts", 9));
    CU_ASSERT_PTR_NULL(path_tree_find(t, "VFS/font", 8));
    CU_ASSERT_PTR_EQUAL(path_tree_find(t, "", 0)->name, path_tree_find(t, "", 0)->name);
    order_is(t, "/ VFS/ Fonts/ a b");
    path_tree_free(t);
}

static void a_directory_named_later_gets_its_item(void)
{
    struct path_tree *t = new_tree();

    CU_ASSERT_EQUAL(add(t, "d/f", false, 1), 0);
    CU_ASSERT_EQUAL(add(t, "D", true, 9), 0);
    CU_ASSERT_EQUAL(path_tree_find(t, "d", 1)->item, 9);
    path_tree_free(t);
}

static void what_cannot_be_is_refused(void)
{
    static const char *const bad[] = { "", "a//b", "/a", "a/", "a/./b", "..", "a/../b", "a\\b" };
    struct path_tree *t = new_tree();
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CU_ASSERT(path_tree_add(t, bad[i], strlen(bad[i]), false, 0, NULL, &e) < 0);
        CU_ASSERT_EQUAL(e.kind, ERR_BAD_NAME);
    }
    CU_ASSERT_EQUAL(add(t, "file", false, 0), 0);
    CU_ASSERT(path_tree_add(t, "File/below", 10, false, 1, NULL, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_BAD_TREE);
    CU_ASSERT(path_tree_add(t, "FILE", 4, true, 1, NULL, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_BAD_TREE);
    path_tree_free(t);
}

static void many_paths_in_any_order_make_the_same_tree(void)
{
    enum { COUNT = 20000 };
    char (*paths)[32] = calloc(COUNT, sizeof *paths);
    struct path_tree *t = new_tree();
    uint32_t seen = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(paths);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t k = (uint32_t)((uint64_t)i * 7919 % COUNT);
        (void)snprintf(paths[i], sizeof paths[i], "d%u/e%u/f%u", k % 7, k % 91, k);
        CU_ASSERT_EQUAL(add(t, paths[i], false, i), 0);
    }
    CU_ASSERT_EQUAL_FATAL(path_tree_order(t, NULL), 0);
    for (uint32_t i = 1, left = 0, last_parent = 0; i < path_tree_count(t); i++) {
        const struct path_node *n = path_tree_at(t, i);
        left = n->parent == last_parent && i > 1 ? left : 0;
        if (left++)
            CU_ASSERT(fold_compare(path_tree_at(t, i - 1)->name, path_tree_at(t, i - 1)->name_len,
                                   n->name, n->name_len) < 0);
        last_parent = n->parent;
        seen += !n->is_dir;
    }
    CU_ASSERT_EQUAL(seen, COUNT);
    path_tree_free(t);
    free(paths);
}

UNIT_MAIN("path tree", TEST(directories_are_implied_and_order_is_breadth_first),
          TEST(spelling_of_the_first_one_stays), TEST(a_directory_named_later_gets_its_item),
          TEST(what_cannot_be_is_refused), TEST(many_paths_in_any_order_make_the_same_tree))
