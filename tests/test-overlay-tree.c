/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fs/overlay/tree*.c: what the names of an upper directory over a package mean. */
#include "config.h"

#include "fs/overlay/tree.h"

#include <stdio.h>

#include "fs/overlay/ids.h"
#include "tests/overlay_fixture.h"

static const struct make_entry entries[] = {
    { .path = "Dir/one.txt", .len = 10 },
    { .path = "Dir/two.txt", .len = 20 },
    { .path = "Dir/Sub/deep.txt", .len = 30 },
    { .path = "Other/x.txt", .len = 40 },
    { .path = "Other/y.txt", .len = 50 },
    { .path = "Empty", .flags = NODE_DIR },
    { .path = "readme.txt", .len = 60 },
    { .path = "Long name of a library.dll", .short_name = "LONGNA~1.DLL", .len = 70 },
};

#define BEGIN(f)                                                \
    struct fixture f;                                           \
    if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false)) \
    return

static bool is_new(uint64_t id)
{
    return id > OVERLAY_UPPER_ID;
}

static void lookup_finds_package_nodes_by_any_spelling(void)
{
    BEGIN(f);
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "Dir/one.txt"), package_id(&f, "Dir/one.txt"));
    CU_ASSERT_EQUAL(id_at(&f, "DIR/ONE.TXT"), package_id(&f, "Dir/one.txt"));
    CU_ASSERT_FALSE(ref_at(&f, "Dir/one.txt").other_spelling);
    CU_ASSERT_TRUE(ref_at(&f, "Dir/ONE.txt").other_spelling);
    CU_ASSERT_PTR_NULL(ref_at(&f, "Dir").node);
    CU_ASSERT_EQUAL(id_at(&f, "Dir/none"), 0);
    fixture_end(&f);
}

static void whiteout_hides_the_name_in_every_spelling(void)
{
    BEGIN(f);
    up_dir(&f, "Dir");
    up_whiteout(&f, "Dir/one.txt");
    up_whiteout(&f, "README.TXT");
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "Dir/one.txt"), 0);
    CU_ASSERT_EQUAL(id_at(&f, "Dir/ONE.txt"), 0);
    CU_ASSERT_EQUAL(id_at(&f, "readme.txt"), 0);
    CU_ASSERT_EQUAL(id_at(&f, "Dir/two.txt"), package_id(&f, "Dir/two.txt"));
    struct names n;
    CU_ASSERT_STRING_EQUAL(names_in(&f, "Dir", &n), "Sub two.txt");
    fixture_end(&f);
}

static void file_that_is_not_empty_is_no_whiteout(void)
{
    BEGIN(f);
    up_file(&f, "readme.txt", "x");
    up_mark(&f, "readme.txt", MARKER_WHITEOUT, "y");
    fixture_open(&f, false);
    CU_ASSERT_TRUE(is_new(id_at(&f, "readme.txt")));
    fixture_end(&f);
}

static void upper_file_without_origin_is_a_new_one(void)
{
    BEGIN(f);
    up_file(&f, "readme.txt", "mine");
    up_file(&f, "new.txt", "mine");
    fixture_open(&f, false);
    CU_ASSERT_TRUE(is_new(id_at(&f, "README.txt")));
    CU_ASSERT_TRUE(is_new(id_at(&f, "New.txt")));
    CU_ASSERT_NOT_EQUAL(id_at(&f, "new.txt"), id_at(&f, "readme.txt"));
    fixture_end(&f);
}

static void upper_file_with_origin_has_the_package_nodes_id(void)
{
    BEGIN(f);
    up_file_from(&f, "readme.txt", "/readme.txt");
    fixture_open(&f, false);
    struct overlay_ref ref = ref_at(&f, "Readme.TXT");
    CU_ASSERT_EQUAL(ref.id, package_id(&f, "readme.txt"));
    CU_ASSERT_PTR_NOT_NULL(ref.node);
    CU_ASSERT_EQUAL((uint64_t)ref.lower + 1, ref.id);
    fixture_end(&f);
}

static void upper_directory_merges_with_the_packages(void)
{
    BEGIN(f);
    up_dir(&f, "dir");
    up_file(&f, "dir/three.txt", "3");
    fixture_open(&f, false);
    struct names n;
    CU_ASSERT_EQUAL(id_at(&f, "Dir"), package_id(&f, "Dir"));
    CU_ASSERT_STRING_EQUAL(names_in(&f, "Dir", &n), "one.txt Sub two.txt three.txt");
    CU_ASSERT_EQUAL(id_at(&f, "dir/Sub/deep.txt"), package_id(&f, "Dir/Sub/deep.txt"));
    fixture_end(&f);
}

static void opaque_directory_shows_nothing_of_the_package(void)
{
    BEGIN(f);
    up_dir_marked(&f, "Dir", MARKER_OPAQUE, "y");
    up_file(&f, "Dir/three.txt", "3");
    fixture_open(&f, false);
    struct names n;
    CU_ASSERT_TRUE(is_new(id_at(&f, "Dir")));
    CU_ASSERT_STRING_EQUAL(names_in(&f, "Dir", &n), "three.txt");
    CU_ASSERT_EQUAL(id_at(&f, "Dir/one.txt"), 0);
    fixture_end(&f);
}

static void redirected_directory_shows_what_it_came_from(void)
{
    BEGIN(f);
    up_whiteout(&f, "Dir");
    up_dir(&f, "Other");
    up_dir_marked(&f, "Other/moved", MARKER_REDIRECT, "/Dir");
    up_whiteout(&f, "Other/moved/two.txt");
    up_file_from(&f, "Other/moved/one.txt", "/Dir/one.txt");
    fixture_open(&f, false);
    struct names n;
    CU_ASSERT_EQUAL(id_at(&f, "Dir"), 0);
    CU_ASSERT_EQUAL(id_at(&f, "Other/moved"), package_id(&f, "Dir"));
    CU_ASSERT_STRING_EQUAL(names_in(&f, "Other/moved", &n), "one.txt Sub");
    CU_ASSERT_EQUAL(id_at(&f, "Other/moved/one.txt"), package_id(&f, "Dir/one.txt"));
    CU_ASSERT_EQUAL(id_at(&f, "Other/moved/Sub/deep.txt"), package_id(&f, "Dir/Sub/deep.txt"));
    fixture_end(&f);
}

static void redirects_may_have_changed_places(void)
{
    BEGIN(f);
    up_dir_marked(&f, "Dir", MARKER_REDIRECT, "/Other");
    up_dir_marked(&f, "Other", MARKER_REDIRECT, "/Dir");
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "Dir"), package_id(&f, "Other"));
    CU_ASSERT_EQUAL(id_at(&f, "Other"), package_id(&f, "Dir"));
    CU_ASSERT_EQUAL(id_at(&f, "Dir/x.txt"), package_id(&f, "Other/x.txt"));
    fixture_end(&f);
}

static void redirect_is_ignored_when_the_original_still_shows(void)
{
    BEGIN(f);
    up_dir_marked(&f, "copy", MARKER_REDIRECT, "/Dir");
    up_dir_marked(&f, "deeper", MARKER_REDIRECT, "/Dir/Sub");
    fixture_open(&f, false);
    struct names n;
    CU_ASSERT_TRUE(is_new(id_at(&f, "copy")));
    CU_ASSERT_STRING_EQUAL(names_in(&f, "copy", &n), "");
    CU_ASSERT_TRUE(is_new(id_at(&f, "deeper")));
    CU_ASSERT_EQUAL(id_at(&f, "Dir"), package_id(&f, "Dir"));
    fixture_end(&f);
}

static void redirect_is_ignored_when_another_has_it(void)
{
    BEGIN(f);
    up_whiteout(&f, "Dir");
    up_dir_marked(&f, "a", MARKER_REDIRECT, "/Dir");
    up_dir_marked(&f, "b", MARKER_REDIRECT, "/Dir");
    fixture_open(&f, false);
    struct names n;
    CU_ASSERT_EQUAL(id_at(&f, "a"), package_id(&f, "Dir"));
    CU_ASSERT_TRUE(is_new(id_at(&f, "b")));
    CU_ASSERT_STRING_EQUAL(names_in(&f, "b", &n), "");
    fixture_end(&f);
}

static void redirect_is_ignored_when_it_leads_nowhere(void)
{
    BEGIN(f);
    up_dir_marked(&f, "a", MARKER_REDIRECT, "/Gone");
    up_dir_marked(&f, "b", MARKER_REDIRECT, "/readme.txt");
    up_dir_marked(&f, "Dir", MARKER_REDIRECT, "/Gone");
    fixture_open(&f, false);
    struct names n;
    CU_ASSERT_TRUE(is_new(id_at(&f, "a")));
    CU_ASSERT_TRUE(is_new(id_at(&f, "b")));
    CU_ASSERT_TRUE(is_new(id_at(&f, "Dir")));
    CU_ASSERT_STRING_EQUAL(names_in(&f, "Dir", &n), "");
    fixture_end(&f);
}

static void redirects_in_a_circle_end(void)
{
    BEGIN(f);
    up_dir(&f, "Dir");
    up_dir_marked(&f, "Dir/Sub", MARKER_REDIRECT, "/Dir");
    up_dir_marked(&f, "Other", MARKER_REDIRECT, "/Other/x.txt");
    up_dir_marked(&f, "Empty", MARKER_REDIRECT, "/Dir/Sub");
    fixture_open(&f, false);
    struct names n;
    CU_ASSERT_EQUAL(id_at(&f, "Dir"), package_id(&f, "Dir"));
    CU_ASSERT_TRUE(is_new(id_at(&f, "Dir/Sub")));
    CU_ASSERT_STRING_EQUAL(names_in(&f, "Dir/Sub", &n), "");
    CU_ASSERT_EQUAL(id_at(&f, "Empty"), package_id(&f, "Dir/Sub"));
    CU_ASSERT_EQUAL(id_at(&f, "Empty/deep.txt"), package_id(&f, "Dir/Sub/deep.txt"));
    fixture_end(&f);
}

static void moved_file_keeps_its_id_though_its_home_was_not_read(void)
{
    BEGIN(f);
    up_dir(&f, "Dir");
    up_dir(&f, "Dir/Sub");
    up_whiteout(&f, "Dir/Sub/deep.txt");
    up_dir(&f, "Other");
    up_file_from(&f, "Other/moved.txt", "/Dir/Sub/deep.txt");
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "Other/moved.txt"), package_id(&f, "Dir/Sub/deep.txt"));
    CU_ASSERT_EQUAL(id_at(&f, "Dir/Sub/deep.txt"), 0);
    fixture_end(&f);
}

static void moved_file_is_new_when_its_origin_still_shows(void)
{
    BEGIN(f);
    up_dir(&f, "Dir");
    up_dir(&f, "Other");
    up_file_from(&f, "Other/a.txt", "/Dir/one.txt");
    up_file_from(&f, "Other/b.txt", "/Dir/Sub/deep.txt");
    up_file_from(&f, "Other/c.txt", "/readme.txt");
    up_file_from(&f, "Other/d.txt", "/nowhere");
    fixture_open(&f, false);
    for (char c = 'a'; c <= 'd'; c++) {
        char path[] = "Other/?.txt";
        path[6] = c;
        CU_ASSERT_TRUE(is_new(id_at(&f, path)));
    }
    CU_ASSERT_EQUAL(id_at(&f, "Dir/one.txt"), package_id(&f, "Dir/one.txt"));
    fixture_end(&f);
}

static void own_place_comes_before_a_claim_from_elsewhere(void)
{
    BEGIN(f);
    up_file_from(&f, "a.txt", "/readme.txt");
    up_file_from(&f, "readme.txt", "/readme.txt");
    fixture_open(&f, false);
    CU_ASSERT_TRUE(is_new(id_at(&f, "a.txt")));
    CU_ASSERT_EQUAL(id_at(&f, "readme.txt"), package_id(&f, "readme.txt"));
    fixture_end(&f);
}

static void hard_links_are_one_node(void)
{
    BEGIN(f);
    int files = f.store->files_fd;
    up_dir(&f, "Dir");
    up_dir(&f, "Other");
    up_file(&f, "Dir/new.txt", "n");
    CU_ASSERT_EQUAL(linkat(files, "Dir/new.txt", files, "Other/link", 0), 0);
    up_file_from(&f, "Dir/one.txt", "/Dir/one.txt");
    CU_ASSERT_EQUAL(linkat(files, "Dir/one.txt", files, "Other/first", 0), 0);
    CU_ASSERT_EQUAL(linkat(files, "Dir/one.txt", files, "Other/second", 0), 0);
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "Other/first"), package_id(&f, "Dir/one.txt"));
    CU_ASSERT_EQUAL(id_at(&f, "Other/second"), package_id(&f, "Dir/one.txt"));
    CU_ASSERT_EQUAL(id_at(&f, "Dir/one.txt"), package_id(&f, "Dir/one.txt"));
    CU_ASSERT_TRUE(is_new(id_at(&f, "Other/link")));
    CU_ASSERT_EQUAL(id_at(&f, "Other/link"), id_at(&f, "Dir/new.txt"));
    fixture_end(&f);
}

static void copy_of_an_upper_file_is_a_new_one(void)
{
    BEGIN(f);
    up_file_from(&f, "readme.txt", "/readme.txt");
    up_file_from(&f, "zz copy.txt", "/readme.txt");
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "readme.txt"), package_id(&f, "readme.txt"));
    CU_ASSERT_TRUE(is_new(id_at(&f, "zz copy.txt")));
    fixture_end(&f);
}

static void file_over_directory_and_directory_over_file_hide_it(void)
{
    BEGIN(f);
    up_file(&f, "Dir", "a file now");
    up_dir(&f, "readme.txt");
    fixture_open(&f, false);
    struct names n;
    CU_ASSERT_TRUE(is_new(id_at(&f, "Dir")));
    CU_ASSERT_EQUAL(id_at(&f, "Dir/one.txt"), 0);
    CU_ASSERT_STRING_EQUAL(names_in(&f, "readme.txt", &n), "");
    CU_ASSERT_STRING_EQUAL(names_in(&f, "", &n),
                           "Dir Empty Long name of a library.dll Other readme.txt");
    fixture_end(&f);
}

static void short_name_counts_while_its_node_shows_in_its_place(void)
{
    static const char name[] = "Long name of a library.dll";

    BEGIN(f);
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "longna~1.dll"), package_id(&f, name));
    CU_ASSERT_TRUE(ref_at(&f, "LONGNA~1.DLL").short_name);
    fixture_end(&f);

    if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false))
        return;
    up_file_from(&f, name, "/Long name of a library.dll");
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "longna~1.dll"), package_id(&f, name));
    CU_ASSERT_PTR_NOT_NULL(ref_at(&f, "longna~1.dll").node);
    fixture_end(&f);

    if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false))
        return;
    up_file(&f, name, "another");
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "LONGNA~1.DLL"), 0);
    fixture_end(&f);
}

static void short_name_yields_to_an_upper_name(void)
{
    BEGIN(f);
    up_file(&f, "longna~1.dll", "mine");
    fixture_open(&f, false);
    CU_ASSERT_TRUE(is_new(id_at(&f, "LONGNA~1.DLL")));
    CU_ASSERT_FALSE(ref_at(&f, "LONGNA~1.DLL").short_name);
    fixture_end(&f);
}

static void two_upper_names_of_one_folding_are_both_listed(void)
{
    BEGIN(f);
    up_file(&f, "NEW", "1");
    up_file(&f, "new", "2");
    up_file(&f, "README.txt", "3");
    up_file_from(&f, "readme.txt", "/readme.txt");
    fixture_open(&f, false);
    struct names n;
    CU_ASSERT_NOT_EQUAL(id_at(&f, "NEW"), id_at(&f, "new"));
    CU_ASSERT_EQUAL(id_at(&f, "New"), id_at(&f, "NEW"));
    CU_ASSERT_EQUAL(id_at(&f, "readme.txt"), package_id(&f, "readme.txt"));
    CU_ASSERT_TRUE(is_new(id_at(&f, "README.txt")));
    CU_ASSERT_STRING_EQUAL(
        names_in(&f, "", &n),
        "Dir Empty Long name of a library.dll Other readme.txt NEW README.txt new");
    fixture_end(&f);
}

static void names_match_exactly_in_case_sensitive_mode(void)
{
    BEGIN(f);
    up_dir(&f, "dir");
    up_whiteout(&f, "README.txt");
    up_file(&f, "new", "n");
    fixture_open(&f, true);
    CU_ASSERT_TRUE(is_new(id_at(&f, "dir")));
    CU_ASSERT_EQUAL(id_at(&f, "Dir"), package_id(&f, "Dir"));
    CU_ASSERT_EQUAL(id_at(&f, "readme.txt"), package_id(&f, "readme.txt"));
    CU_ASSERT_EQUAL(id_at(&f, "README.txt"), 0);
    CU_ASSERT_EQUAL(id_at(&f, "New"), 0);
    CU_ASSERT_EQUAL(id_at(&f, "LONGNA~1.DLL"), 0);
    fixture_end(&f);
}

static void spellings_in_the_package_are_hidden_one_by_one(void)
{
    static const struct make_entry spellings[] = {
        { .path = "NAME", .len = 1 },
        { .path = "Name", .len = 2 },
        { .path = "name", .len = 3 },
    };
    struct fixture f;
    struct names n;

    if (!fixture_begin(&f, spellings, ARRAY_LEN(spellings), true))
        return;
    up_whiteout(&f, "NAME");
    up_file_from(&f, "name", "/name");
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "Name"), package_id(&f, "Name"));
    CU_ASSERT_EQUAL(id_at(&f, "name"), package_id(&f, "name"));
    CU_ASSERT_NOT_EQUAL(id_at(&f, "NAME"), 0);
    CU_ASSERT_NOT_EQUAL(id_at(&f, "NAME"), package_id(&f, "NAME"));
    CU_ASSERT_STRING_EQUAL(names_in(&f, "", &n), "Name name");
    fixture_end(&f);
}

static void hidden_spelling_gives_way_to_the_next(void)
{
    static const struct make_entry spellings[] = {
        { .path = "NAME", .len = 1 },
        { .path = "name", .len = 3 },
    };
    struct fixture f;

    if (!fixture_begin(&f, spellings, ARRAY_LEN(spellings), true))
        return;
    up_whiteout(&f, "NAME");
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "NAME"), package_id(&f, "name"));
    CU_ASSERT_TRUE(ref_at(&f, "NAME").other_spelling);
    fixture_end(&f);
}

static void names_a_package_cannot_have_are_left_out(void)
{
    BEGIN(f);
    up_file(&f, "bad\xff", "1");
    up_file(&f, "tab\there", "1");
    up_file(&f, "back\\slash", "1");
    up_file(&f, "good", "1");
    fixture_open(&f, false);
    struct names n;
    CU_ASSERT_STRING_EQUAL(names_in(&f, "", &n),
                           "Dir Empty Long name of a library.dll Other readme.txt good");
    fixture_end(&f);
}

static void claims_that_need_each_other_cost_no_stack(void)
{
    enum { COUNT = 300 };
    static struct make_entry chain[COUNT];
    static char paths[COUNT][32];
    struct fixture f;
    char path[64], origin[64];

    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "d%d/f", i);
        chain[i] = (struct make_entry){ .path = paths[i], .len = 1 };
    }
    if (!fixture_begin(&f, chain, COUNT, false))
        return;
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(path, sizeof path, "d%d", i);
        up_dir(&f, path);
        (void)snprintf(path, sizeof path, "d%d/f", i);
        up_whiteout(&f, path);
        (void)snprintf(path, sizeof path, "d%d/g", i);
        (void)snprintf(origin, sizeof origin, "/d%d/f", (i + 1) % COUNT);
        up_file_from(&f, path, origin);
    }
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "d0/g"), package_id(&f, "d1/f"));
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(path, sizeof path, "d%d/g", i);
        CU_ASSERT_EQUAL(id_at(&f, path), package_id(&f, paths[(i + 1) % COUNT]));
    }
    fixture_end(&f);
}

static void deep_directories_are_reached_without_open_ones_above(void)
{
    enum { DEPTH = 200 };
    char path[2 * DEPTH + 8] = "";

    BEGIN(f);
    for (int i = 0; i < DEPTH; i++) {
        strcat(path, i ? "/d" : "d");
        up_dir(&f, path);
    }
    strcat(path, "/x");
    up_file(&f, path, "deep");
    fixture_open(&f, false);
    struct overlay_ref ref = ref_at(&f, path);
    CU_ASSERT_FATAL(is_new(ref.id));
    for (struct overlay_node *n = ref.node->names->dir; n != f.o->root; n = n->names->dir)
        fd_drop(f.o->fds, &n->slot);
    struct stat st;
    CU_ASSERT_EQUAL(overlay_getattr(f.o, ref.id, &st), 0);
    CU_ASSERT_EQUAL(st.st_size, 4);
    char *upper = tree_upper_path(f.o, ref.node);
    CU_ASSERT_STRING_EQUAL(upper, path);
    free(upper);
    fixture_end(&f);
}

static void paths_are_those_of_the_mount(void)
{
    BEGIN(f);
    up_whiteout(&f, "Dir");
    up_dir(&f, "Other");
    up_dir_marked(&f, "Other/moved", MARKER_REDIRECT, "/Dir");
    fixture_open(&f, false);
    struct overlay_ref ref = ref_at(&f, "Other/moved/Sub/deep.txt");
    char *shown = tree_shown_path(f.o, &ref), *package = NULL;
    CU_ASSERT_STRING_EQUAL(shown, "Other/moved/Sub/deep.txt");
    CU_ASSERT_EQUAL(tree_package_path(f.o, ref.lower, &package), 0);
    CU_ASSERT_STRING_EQUAL(package, "/Dir/Sub/deep.txt");
    free(shown);
    free(package);
    ref = ref_at(&f, "readme.txt");
    shown = tree_shown_path(f.o, &ref);
    CU_ASSERT_STRING_EQUAL(shown, "readme.txt");
    free(shown);
    fixture_end(&f);
}

static void directory_is_empty_when_all_is_hidden(void)
{
    struct tree_dir dir;

    BEGIN(f);
    up_dir(&f, "Other");
    up_whiteout(&f, "Other/x.txt");
    up_whiteout(&f, "Other/y.txt");
    up_dir(&f, "Dir");
    up_whiteout(&f, "Dir/one.txt");
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(tree_dir(f.o, id_at(&f, "Other"), &dir), 0);
    CU_ASSERT_TRUE(tree_is_empty(f.o, &dir));
    CU_ASSERT_EQUAL(tree_dir(f.o, id_at(&f, "Dir"), &dir), 0);
    CU_ASSERT_FALSE(tree_is_empty(f.o, &dir));
    CU_ASSERT_EQUAL(tree_dir(f.o, id_at(&f, "Empty"), &dir), 0);
    CU_ASSERT_TRUE(tree_is_empty(f.o, &dir));
    CU_ASSERT_EQUAL(tree_dir(f.o, id_at(&f, "readme.txt"), &dir), -ENOTDIR);
    CU_ASSERT_EQUAL(tree_dir(f.o, 1000000, &dir), -ESTALE);
    fixture_end(&f);
}

static void table_holds_many_names_and_finds_them_after_removals(void)
{
    enum { COUNT = 5000 };
    static struct overlay_name *names[COUNT];
    struct overlay_node *dir, *node;
    char name[32];

    BEGIN(f);
    up_dir(&f, "d");
    fixture_open(&f, false);
    dir = ref_at(&f, "d").node;
    CU_ASSERT_EQUAL_FATAL(tree_load(f.o, dir), 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "name %u", (unsigned)i);
        CU_ASSERT_EQUAL_FATAL(tree_reserve(f.o, dir, strlen(name)), 0);
        CU_ASSERT_EQUAL_FATAL(tree_add_node(f.o, S_IFREG, NODE_NONE, 1000000 + i, &node), 0);
        CU_ASSERT_EQUAL_FATAL(tree_add_name(f.o, dir, name, node, &names[i]), 0);
    }
    for (uint64_t i = 0; i < COUNT; i += 2) {
        node = names[i]->node;
        tree_remove_name(f.o, names[i]);
        CU_ASSERT_PTR_NULL(node->names);
        tree_free_node(f.o, node);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "NAME %u", i);
        struct tree_dir d = { .lower = dir->lower, .node = dir };
        struct tree_entry entry;
        tree_find(f.o, &d, name, &entry);
        CU_ASSERT_EQUAL(entry.ref.id != 0, i % 2 == 1);
        if (entry.ref.id)
            CU_ASSERT_EQUAL(entry.ref.node->upper_ino, 1000000 + i);
    }
    fixture_end(&f);
}

static void id_of_a_freed_node_is_not_given_to_another(void)
{
    struct overlay_node *node, *found;
    uint64_t old, seen[3] = { 0 };

    BEGIN(f);
    fixture_open(&f, false);
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(tree_add_node(f.o, S_IFREG, NODE_NONE, 77, &node), 0);
        old = node->id;
        CU_ASSERT_TRUE(is_new(old));
        CU_ASSERT_TRUE(overlay_find(f.o, old, &found) && found == node);
        CU_ASSERT_PTR_EQUAL(inos_find(f.o->inos, 77), node);
        tree_free_node(f.o, node);
        CU_ASSERT_FALSE(overlay_find(f.o, old, &found));
        CU_ASSERT_PTR_NULL(inos_find(f.o->inos, 77));
        for (unsigned k = 0; k < i; k++)
            CU_ASSERT_NOT_EQUAL(seen[k], old);
        seen[i] = old;
    }
    CU_ASSERT_FALSE(overlay_find(f.o, 0, &found));
    CU_ASSERT_FALSE(overlay_find(f.o, OVERLAY_UPPER_ID, &found));
    CU_ASSERT_FALSE(overlay_find(f.o, UINT64_MAX, &found));
    fixture_end(&f);
}

UNIT_MAIN("overlay-tree",
          TEST(lookup_finds_package_nodes_by_any_spelling),
          TEST(whiteout_hides_the_name_in_every_spelling),
          TEST(file_that_is_not_empty_is_no_whiteout),
          TEST(upper_file_without_origin_is_a_new_one),
          TEST(upper_file_with_origin_has_the_package_nodes_id),
          TEST(upper_directory_merges_with_the_packages),
          TEST(opaque_directory_shows_nothing_of_the_package),
          TEST(redirected_directory_shows_what_it_came_from),
          TEST(redirects_may_have_changed_places),
          TEST(redirect_is_ignored_when_the_original_still_shows),
          TEST(redirect_is_ignored_when_another_has_it),
          TEST(redirect_is_ignored_when_it_leads_nowhere),
          TEST(redirects_in_a_circle_end),
          TEST(moved_file_keeps_its_id_though_its_home_was_not_read),
          TEST(moved_file_is_new_when_its_origin_still_shows),
          TEST(own_place_comes_before_a_claim_from_elsewhere),
          TEST(hard_links_are_one_node),
          TEST(copy_of_an_upper_file_is_a_new_one),
          TEST(file_over_directory_and_directory_over_file_hide_it),
          TEST(short_name_counts_while_its_node_shows_in_its_place),
          TEST(short_name_yields_to_an_upper_name),
          TEST(two_upper_names_of_one_folding_are_both_listed),
          TEST(names_match_exactly_in_case_sensitive_mode),
          TEST(spellings_in_the_package_are_hidden_one_by_one),
          TEST(hidden_spelling_gives_way_to_the_next),
          TEST(names_a_package_cannot_have_are_left_out),
          TEST(claims_that_need_each_other_cost_no_stack),
          TEST(deep_directories_are_reached_without_open_ones_above),
          TEST(paths_are_those_of_the_mount),
          TEST(directory_is_empty_when_all_is_hidden),
          TEST(table_holds_many_names_and_finds_them_after_removals),
          TEST(id_of_a_freed_node_is_not_given_to_another))
