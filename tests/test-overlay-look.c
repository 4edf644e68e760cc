/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of fs/overlay/look.c and overlay.c: lookups, listings, attributes, references, and
 * what is cleared away at opening.
 */
#include "config.h"

#include "fs/overlay/overlay.h"

#include <pthread.h>
#include <stdio.h>

#include "fs/overlay/data.h"
#include "tests/overlay_fixture.h"

static const struct make_entry entries[] = {
    { .path = "Dir/a.txt", .len = 10 },
    { .path = "Dir/b.txt", .len = 20 },
    { .path = "Dir/c.txt", .len = 30 },
    { .path = "Dir/d.txt", .len = 5000 },
    { .path = "Sub/hidden.sys", .len = 77, .flags = NODE_HIDDEN | NODE_SYSTEM },
    { .path = "readme.txt", .len = 60 },
};

#define BEGIN(f)                                                \
    struct fixture f;                                           \
    if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false)) \
    return

static struct stat stat_of(struct fixture *f, const char *path)
{
    struct stat st = { 0 };
    CU_ASSERT_EQUAL(overlay_getattr(f->o, id_at(f, path), &st), 0);
    return st;
}

/* ---- listings ---- */

static void list_is_the_same_in_pieces_of_any_length(void)
{
    BEGIN(f);
    up_dir(&f, "Dir");
    up_whiteout(&f, "Dir/b.txt");
    up_file(&f, "Dir/new", "n");
    up_file(&f, "Dir/another", "n");
    up_file_from(&f, "Dir/c.txt", "/Dir/c.txt");
    fixture_open(&f, false);
    for (unsigned step = 1; step < 8; step++) {
        struct names n = { .limit = 0 };
        uint64_t id = id_at(&f, "Dir");
        unsigned before;
        do {
            before = n.count;
            n.limit = n.count + step;
            CU_ASSERT_EQUAL(overlay_list(f.o, id, n.next, false, names_add, &n), 0);
        } while (n.count != before);
        CU_ASSERT_STRING_EQUAL(n.text, "a.txt c.txt d.txt another new");
    }
    fixture_end(&f);
}

static void list_begins_with_itself_and_the_one_above(void)
{
    BEGIN(f);
    up_dir(&f, "Dir");
    up_dir(&f, "Dir/new");
    fixture_open(&f, false);
    struct names n = { .limit = 1 };
    struct overlay_ref up;
    CU_ASSERT_EQUAL(overlay_list(f.o, id_at(&f, "Dir/new"), 0, true, names_add, &n), 0);
    CU_ASSERT_EQUAL(n.next, 2);
    CU_ASSERT_EQUAL(overlay_lookup(f.o, id_at(&f, "Dir/new"), "..", &up, NULL), 0);
    CU_ASSERT_EQUAL(up.id, id_at(&f, "Dir"));
    CU_ASSERT_EQUAL(overlay_lookup(f.o, id_at(&f, "Sub"), "..", &up, NULL), 0);
    CU_ASSERT_EQUAL(up.id, OVERLAY_ROOT_ID);
    CU_ASSERT_EQUAL(overlay_lookup(f.o, OVERLAY_ROOT_ID, "..", &up, NULL), 0);
    CU_ASSERT_EQUAL(up.id, OVERLAY_ROOT_ID);
    CU_ASSERT_EQUAL(overlay_lookup(f.o, id_at(&f, "Dir/a.txt"), ".", &up, NULL), 0);
    CU_ASSERT_EQUAL(up.id, id_at(&f, "Dir/a.txt"));
    fixture_end(&f);
}

/* As a change would, with ns alone. */
static struct overlay_name *add(struct fixture *f, const char *dir, const char *name, uint64_t ino)
{
    struct overlay_node *node, *at = ref_at(f, dir).node;
    struct overlay_name *added = NULL;

    CU_ASSERT_EQUAL_FATAL(tree_load(f->o, at), 0);
    CU_ASSERT_EQUAL_FATAL(tree_add_node(f->o, S_IFREG, NODE_NONE, ino, &node), 0);
    CU_ASSERT_EQUAL_FATAL(tree_add_name(f->o, at, name, node, &added), 0);
    return added;
}

static void list_goes_on_where_it_was_while_the_directory_changes(void)
{
    BEGIN(f);
    up_dir(&f, "Dir");
    fixture_open(&f, false);
    struct overlay_name *u1 = add(&f, "Dir", "u1", 901);
    add(&f, "Dir", "u2", 902);
    add(&f, "Dir", "u3", 903);
    uint64_t id = id_at(&f, "Dir");
    struct names n = { .limit = 2 };
    CU_ASSERT_EQUAL(overlay_list(f.o, id, 0, false, names_add, &n), 0);
    CU_ASSERT_STRING_EQUAL(n.text, "a.txt b.txt");
    /* What was listed goes, what comes next is covered by a file and by a whiteout. */
    struct overlay_node *dir = ref_at(&f, "Dir").node;
    CU_ASSERT_EQUAL(tree_add_name(f.o, dir, "a.txt", NULL, NULL), 0);
    add(&f, "Dir", "C.txt", 904);
    CU_ASSERT_EQUAL(tree_add_name(f.o, dir, "d.txt", NULL, NULL), 0);
    n.limit = 4;
    CU_ASSERT_EQUAL(overlay_list(f.o, id, n.next, false, names_add, &n), 0);
    CU_ASSERT_STRING_EQUAL(n.text, "a.txt b.txt C.txt u1");
    tree_remove_name(f.o, u1);
    add(&f, "Dir", "u4", 905);
    n.limit = 0;
    CU_ASSERT_EQUAL(overlay_list(f.o, id, n.next, false, names_add, &n), 0);
    CU_ASSERT_STRING_EQUAL(n.text, "a.txt b.txt C.txt u1 u2 u3 u4");
    fixture_end(&f);
}

static bool check_attr(void *arg, const char *name, const struct overlay_ref *ref,
                       const struct stat *st, uint64_t next)
{
    unsigned *count = arg;

    (void)next;
    CU_ASSERT_NOT_EQUAL(st->st_mode, 0);
    CU_ASSERT_EQUAL(st->st_nlink, 1);
    if (!strcmp(name, "new"))
        CU_ASSERT_EQUAL(st->st_size, 3);
    if (!strcmp(name, "a.txt"))
        CU_ASSERT_EQUAL(st->st_size, 10);
    CU_ASSERT_NOT_EQUAL(ref->id, 0);
    ++*count;
    return true;
}

static void list_with_attributes_has_those_of_each_layer(void)
{
    unsigned count = 0;
    BEGIN(f);
    up_dir(&f, "Dir");
    up_file(&f, "Dir/new", "abc");
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(overlay_list(f.o, id_at(&f, "Dir"), 0, true, check_attr, &count), 0);
    CU_ASSERT_EQUAL(count, 7);
    CU_ASSERT_EQUAL(overlay_list(f.o, id_at(&f, "readme.txt"), 0, true, check_attr, &count),
                    -ENOTDIR);
    fixture_end(&f);
}

/* ---- attributes ---- */

struct inos {
    struct fixture *f;
    const char *dir;
    uint64_t sum;
};

static bool compare_inos(void *arg, const char *name, const struct overlay_ref *ref,
                         const struct stat *st, uint64_t next)
{
    struct inos *i = arg;

    (void)next;
    if (*name == '.')
        return true;
    CU_ASSERT_EQUAL(st->st_ino, ref->node ? ref->node->ino : ref->id);
    i->sum = i->sum * 31 + st->st_ino;
    return true;
}

static uint64_t inos_of(struct fixture *f, const char *dir)
{
    static const char *const names[] = { "a.txt", "c.txt", "new", "moved" };
    struct inos i = { .f = f, .dir = dir };
    char path[64];

    CU_ASSERT_EQUAL(overlay_list(f->o, id_at(f, dir), 0, false, compare_inos, &i), 0);
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        struct overlay_ref ref;
        struct stat st;
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[k]);
        CU_ASSERT_EQUAL(overlay_lookup(f->o, id_at(f, dir), names[k], &ref, &st), 0);
        CU_ASSERT_EQUAL(stat_of(f, path).st_ino, st.st_ino);
        i.sum = i.sum * 31 + st.st_ino;
    }
    return i.sum;
}

static void inode_numbers_are_the_same_everywhere_and_after_reopening(void)
{
    BEGIN(f);
    up_dir(&f, "Dir");
    up_file(&f, "Dir/new", "abc");
    up_file_from(&f, "Dir/c.txt", "/Dir/c.txt");
    up_whiteout(&f, "readme.txt");
    up_file_from(&f, "Dir/moved", "/readme.txt");
    fixture_open(&f, false);
    uint64_t before = inos_of(&f, "Dir");
    CU_ASSERT_EQUAL(stat_of(&f, "Dir/moved").st_ino, package_id(&f, "readme.txt"));
    CU_ASSERT_TRUE(stat_of(&f, "Dir/new").st_ino > OVERLAY_UPPER_INO);
    fixture_reopen(&f);
    CU_ASSERT_EQUAL(inos_of(&f, "Dir"), before);
    fixture_end(&f);
}

static void attributes_of_a_merged_directory_are_the_upper_ones(void)
{
    BEGIN(f);
    up_dir(&f, "Dir");
    CU_ASSERT_EQUAL(fchmodat(f.store->files_fd, "Dir", 0751, 0), 0);
    fixture_open(&f, false);
    struct stat st = stat_of(&f, "Dir");
    CU_ASSERT_EQUAL(st.st_mode, S_IFDIR | 0751);
    CU_ASSERT_EQUAL(st.st_nlink, 1);
    CU_ASSERT_EQUAL(st.st_size, 4096);
    CU_ASSERT_EQUAL(st.st_ino, package_id(&f, "Dir"));
    fixture_end(&f);
}

static void mode_marker_replaces_the_permission_bits(void)
{
    BEGIN(f);
    up_file(&f, "new", "abc");
    up_mark(&f, "new", MARKER_MODE, "04400");
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(stat_of(&f, "new").st_mode, S_IFREG | 04400);
    fixture_end(&f);
}

static void partial_file_has_the_blocks_of_a_whole_one(void)
{
    BEGIN(f);
    up_file(&f, "Dir.txt", "");
    CU_ASSERT_EQUAL(fchmodat(f.store->files_fd, "Dir.txt", 0600, 0), 0);
    int fd = openat(f.store->files_fd, "Dir.txt", O_RDWR | O_CLOEXEC);
    CU_ASSERT_EQUAL(ftruncate(fd, 5000), 0);
    (void)close(fd);
    up_mark(&f, "Dir.txt", MARKER_PARTIAL,
            "1 size=5000 content=00000000000000000000000000000000 map=none path=/Dir/d.txt");
    fixture_open(&f, false);
    struct stat st = stat_of(&f, "Dir.txt");
    CU_ASSERT_EQUAL(st.st_size, 5000);
    CU_ASSERT_EQUAL(st.st_blocks, 10);
    struct overlay_node *node = ref_at(&f, "Dir.txt").node;
    CU_ASSERT_TRUE(node->is_partial);
    CU_ASSERT_EQUAL((uint64_t)node->lower + 1, package_id(&f, "Dir/d.txt"));
    fixture_end(&f);
}

static void unknown_ids_are_stale(void)
{
    struct overlay_ref ref;
    struct stat st;
    BEGIN(f);
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(overlay_getattr(f.o, 0, &st), -ESTALE);
    CU_ASSERT_EQUAL(overlay_getattr(f.o, 99999, &st), -ESTALE);
    CU_ASSERT_EQUAL(overlay_getattr(f.o, OVERLAY_UPPER_ID + 9, &st), -ESTALE);
    CU_ASSERT_EQUAL(overlay_lookup(f.o, 99999, "x", &ref, NULL), -ESTALE);
    CU_ASSERT_EQUAL(overlay_lookup(f.o, id_at(&f, "readme.txt"), "x", &ref, NULL), -ENOTDIR);
    fixture_end(&f);
}

static void symbolic_link_is_read(void)
{
    char buf[64];
    BEGIN(f);
    CU_ASSERT_EQUAL(symlinkat("Dir/a.txt", f.store->files_fd, "link"), 0);
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(overlay_readlink(f.o, id_at(&f, "link"), buf, sizeof buf), 9);
    CU_ASSERT_NSTRING_EQUAL(buf, "Dir/a.txt", 9);
    CU_ASSERT_TRUE(S_ISLNK(stat_of(&f, "link").st_mode));
    CU_ASSERT_EQUAL(overlay_readlink(f.o, id_at(&f, "Dir"), buf, sizeof buf), -EINVAL);
    fixture_end(&f);
}

static void attributes_of_users_are_shown_and_markers_are_not(void)
{
    char buf[256];
    BEGIN(f);
    up_file_from(&f, "readme.txt", "/readme.txt");
    up_mark(&f, "readme.txt", "user.comment", "fine");
    fixture_open(&f, false);
    uint64_t id = id_at(&f, "readme.txt");
    CU_ASSERT_EQUAL(overlay_getxattr(f.o, id, "user.comment", buf, sizeof buf), 4);
    CU_ASSERT_EQUAL(overlay_getxattr(f.o, id, "user.comment", NULL, 0), 4);
    CU_ASSERT_EQUAL(overlay_getxattr(f.o, id, "user.comment", buf, 2), -ERANGE);
    CU_ASSERT_EQUAL(overlay_getxattr(f.o, id, MARKER_ORIGIN, buf, sizeof buf), -ENODATA);
    CU_ASSERT_EQUAL(overlay_getxattr(f.o, id, "security.capability", buf, sizeof buf), -ENODATA);
    CU_ASSERT_EQUAL(overlay_listxattr(f.o, id, NULL, 0), 13);
    CU_ASSERT_EQUAL(overlay_listxattr(f.o, id, buf, 5), -ERANGE);
    CU_ASSERT_EQUAL(overlay_listxattr(f.o, id, buf, sizeof buf), 13);
    CU_ASSERT_STRING_EQUAL(buf, "user.comment");
    fixture_end(&f);
}

static void dos_attributes_of_the_package_are_extended_attributes(void)
{
    char buf[64];
    BEGIN(f);
    fixture_open(&f, false);
    uint64_t id = id_at(&f, "Sub/hidden.sys");
    CU_ASSERT_EQUAL(overlay_getxattr(f.o, id, "user.DOSATTRIB", buf, sizeof buf), 3);
    CU_ASSERT_NSTRING_EQUAL(buf, "0x6", 3);
    CU_ASSERT_EQUAL(overlay_listxattr(f.o, id, buf, sizeof buf), 15);
    id = id_at(&f, "readme.txt");
    CU_ASSERT_EQUAL(overlay_getxattr(f.o, id, "user.DOSATTRIB", buf, sizeof buf), -ENODATA);
    CU_ASSERT_EQUAL(overlay_listxattr(f.o, id, buf, sizeof buf), 0);
    fixture_end(&f);
}

static void statfs_is_that_of_the_upper_file_system(void)
{
    struct statvfs st, upper;
    BEGIN(f);
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(overlay_statfs(f.o, &st), 0);
    CU_ASSERT_EQUAL(statvfs(f.path, &upper), 0);
    CU_ASSERT_EQUAL(st.f_blocks, upper.f_blocks);
    CU_ASSERT_EQUAL(st.f_namemax, 255);
    CU_ASSERT_FALSE(st.f_flag & ST_RDONLY);
    fixture_end(&f);
}

static void file_handle_finds_what_was_changed_in_an_earlier_mount(void)
{
    struct overlay_ref ref;
    struct stat st;
    BEGIN(f);
    up_dir(&f, "Dir");
    up_file_from(&f, "Dir/a.txt", "/Dir/a.txt");
    up_whiteout(&f, "Dir/b.txt");
    up_file(&f, "Dir/c.txt", "another");
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(overlay_lookup(f.o, package_id(&f, "Dir/b.txt"), ".", &ref, &st), -ESTALE);
    CU_ASSERT_EQUAL(overlay_lookup(f.o, package_id(&f, "Dir/a.txt"), ".", &ref, &st), 0);
    CU_ASSERT_EQUAL(st.st_size, 9);
    CU_ASSERT_EQUAL(overlay_lookup(f.o, package_id(&f, "Dir/c.txt"), ".", &ref, &st), -ESTALE);
    CU_ASSERT_EQUAL(overlay_lookup(f.o, package_id(&f, "Dir/d.txt"), ".", &ref, &st), 0);
    CU_ASSERT_EQUAL(ref.id, package_id(&f, "Dir/d.txt"));
    fixture_end(&f);
}

/* ---- references ---- */

/* What unlink(2) of an upper file does: its descriptor is kept for those who have it open. */
static void unlink_upper(struct fixture *f, struct overlay_node *node, const char *path)
{
    int fd = tree_pin_file(f->o, node);

    CU_ASSERT_FATAL(fd >= 0);
    fd_keep(f->o->fds, &node->slot, true);
    tree_unpin_file(f->o, node);
    CU_ASSERT_EQUAL(unlinkat(f->store->files_fd, path, 0), 0);
    tree_remove_name(f->o, node->names);
    node->unlinked = true;
    tree_let_go(f->o, node);
}

static void deleted_file_lives_as_long_as_the_kernel_knows_it(void)
{
    struct stat st;
    BEGIN(f);
    up_file(&f, "new", "abc");
    fixture_open(&f, false);
    struct overlay_ref ref = ref_at(&f, "new");
    overlay_remember(f.o, ref.id, 3);
    unlink_upper(&f, ref.node, "new");
    CU_ASSERT_EQUAL(id_at(&f, "new"), 0);
    CU_ASSERT_EQUAL(overlay_getattr(f.o, ref.id, &st), 0);
    CU_ASSERT_EQUAL(st.st_size, 3);
    CU_ASSERT_EQUAL(st.st_nlink, 0);
    overlay_forget(f.o, ref.id, 2);
    CU_ASSERT_EQUAL(overlay_getattr(f.o, ref.id, &st), 0);
    overlay_forget(f.o, ref.id, 1);
    CU_ASSERT_EQUAL(overlay_getattr(f.o, ref.id, &st), -ESTALE);
    overlay_forget(f.o, ref.id, 1);
    fixture_end(&f);
}

static void deleted_file_goes_at_once_when_nobody_knows_it(void)
{
    struct stat st;
    BEGIN(f);
    up_file(&f, "new", "abc");
    fixture_open(&f, false);
    struct overlay_ref ref = ref_at(&f, "new");
    unlink_upper(&f, ref.node, "new");
    CU_ASSERT_EQUAL(overlay_getattr(f.o, ref.id, &st), -ESTALE);
    fixture_end(&f);
}

static void deleted_package_file_stays_deleted_when_it_is_forgotten(void)
{
    struct stat st;
    BEGIN(f);
    up_file_from(&f, "readme.txt", "/readme.txt");
    fixture_open(&f, false);
    struct overlay_ref ref = ref_at(&f, "readme.txt");
    overlay_remember(f.o, ref.id, 1);
    unlink_upper(&f, ref.node, "readme.txt");
    CU_ASSERT_EQUAL(tree_add_name(f.o, f.o->root, "readme.txt", NULL, NULL), 0);
    CU_ASSERT_EQUAL(overlay_getattr(f.o, ref.id, &st), 0);
    CU_ASSERT_EQUAL(st.st_size, 9);
    overlay_forget(f.o, ref.id, 1);
    CU_ASSERT_EQUAL(id_at(&f, "readme.txt"), 0);
    CU_ASSERT_EQUAL(overlay_getattr(f.o, ref.id, &st), 0);
    CU_ASSERT_EQUAL(st.st_nlink, 0);
    CU_ASSERT_EQUAL(st.st_size, 60);
    fixture_end(&f);
}

static void forgetting_what_has_a_name_changes_nothing(void)
{
    BEGIN(f);
    up_file(&f, "new", "abc");
    fixture_open(&f, false);
    uint64_t id = id_at(&f, "new");
    overlay_remember(f.o, id, 1);
    overlay_forget(f.o, id, 1);
    CU_ASSERT_EQUAL(id_at(&f, "new"), id);
    overlay_remember(f.o, 2, 5);
    overlay_forget(f.o, 2, 5);
    overlay_forget(f.o, 2, 5);
    overlay_forget(f.o, 987654321, 5);
    fixture_end(&f);
}

static bool has_marker(struct fixture *f, const char *path, const char *marker)
{
    return xattr_get_at(f->store->files_fd, path, marker, NULL, 0) >= 0;
}

static void complete_file_becomes_plain_when_it_is_forgotten(void)
{
    uint8_t content[16];
    struct overlay_data data;
    char mark[200], *at = mark;
    BEGIN(f);
    uint64_t id = package_id(&f, "Dir/d.txt");
    CU_ASSERT_EQUAL(partial_fingerprint(f.package, (uint32_t)(id - 1), content), 0);
    at += snprintf(at, 64, "1 size=5000 content=");
    for (size_t i = 0; i < sizeof content; i++)
        at += snprintf(at, 3, "%02x", content[i]);
    (void)snprintf(at, 64, " map=none path=/Dir/d.txt");
    up_dir(&f, "Dir");
    up_file(&f, "Dir/d.txt", "");
    up_mark(&f, "Dir/d.txt", MARKER_ORIGIN, "/Dir/d.txt");
    up_mark(&f, "Dir/d.txt", MARKER_PARTIAL, mark);
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "Dir/d.txt"), id);
    overlay_remember(f.o, id, 2);
    CU_ASSERT_EQUAL_FATAL(overlay_data_pin(f.o, id, false, &data), 0);
    CU_ASSERT_PTR_NOT_NULL(data.partial);
    overlay_data_unpin(f.o, &data);
    overlay_forget(f.o, id, 1);
    CU_ASSERT_TRUE(has_marker(&f, "Dir/d.txt", MARKER_PARTIAL));
    overlay_forget(f.o, id, 1);
    CU_ASSERT_FALSE(has_marker(&f, "Dir/d.txt", MARKER_PARTIAL));
    CU_ASSERT_TRUE(has_marker(&f, "Dir/d.txt", MARKER_ORIGIN));
    CU_ASSERT_EQUAL(id_at(&f, "Dir/d.txt"), id);
    fixture_end(&f);
}

/* ---- threads ---- */

enum { READERS = 3, ROUNDS = 300 };

struct reader {
    struct fixture *f;
    unsigned wrong;
};

static bool count_fixed(void *arg, const char *name, const struct overlay_ref *ref,
                        const struct stat *st, uint64_t next)
{
    (void)ref, (void)st, (void)next;
    *(unsigned *)arg += !strcmp(name, "a.txt") || !strcmp(name, "fixed");
    return true;
}

static void *read_all_the_time(void *arg)
{
    struct reader *r = arg;
    struct overlay *o = r->f->o;
    struct overlay_ref dir, ref;
    struct stat st;

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned seen = 0;
        r->wrong += overlay_lookup(o, OVERLAY_ROOT_ID, "dir", &dir, &st) || !dir.id;
        r->wrong += overlay_lookup(o, dir.id, "FIXED", &ref, &st) || !ref.id || st.st_size != 5;
        r->wrong += overlay_lookup(o, dir.id, "a.txt", &ref, &st) || st.st_size != 10;
        r->wrong += overlay_list(o, dir.id, 0, false, count_fixed, &seen) || seen != 2;
    }
    return NULL;
}

static void lookups_and_listings_run_beside_changes(void)
{
    pthread_t threads[READERS];
    struct reader readers[READERS];
    BEGIN(f);
    up_dir(&f, "Dir");
    up_file(&f, "Dir/fixed", "fixed");
    fixture_open(&f, false);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader){ .f = &f };
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, read_all_the_time, &readers[i]),
                              0);
    }
    struct overlay_node *dir = ref_at(&f, "Dir").node;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct overlay_node *node;
        struct overlay_name *name;
        char text[32];
        (void)snprintf(text, sizeof text, "temporary %u", (unsigned)i);
        (void)pthread_rwlock_wrlock(&f.o->ns);
        CU_ASSERT_EQUAL(tree_load(f.o, dir), 0);
        CU_ASSERT_EQUAL(tree_add_node(f.o, S_IFREG, NODE_NONE, 7000 + i, &node), 0);
        CU_ASSERT_EQUAL(tree_add_name(f.o, dir, text, node, &name), 0);
        (void)pthread_rwlock_unlock(&f.o->ns);
        (void)pthread_rwlock_wrlock(&f.o->ns);
        tree_remove_name(f.o, name);
        node->unlinked = true;
        tree_let_go(f.o, node);
        (void)pthread_rwlock_unlock(&f.o->ns);
    }
    for (unsigned i = 0; i < READERS; i++) {
        CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
        CU_ASSERT_EQUAL(readers[i].wrong, 0);
    }
    fixture_end(&f);
}

/* ---- after an unclean end ---- */

static bool map_is_there(struct fixture *f, const char *name)
{
    return faccessat(f->store->maps_fd, name, F_OK, 0) == 0;
}

static void make_map(struct fixture *f, const char *name)
{
    int fd = openat(f->store->maps_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    (void)close(fd);
}

static void maps_of_no_file_go_after_an_unclean_end_only(void)
{
    static const char used[] = "00000000000000a1", orphan[] = "00000000000000a2";
    BEGIN(f);
    up_dir(&f, "Dir");
    up_dir(&f, "Dir/deeper");
    up_file(&f, "Dir/deeper/x", "");
    up_mark(&f, "Dir/deeper/x", MARKER_PARTIAL,
            "1 size=5000 content=00000000000000000000000000000000 map=00000000000000a1 "
            "path=/Dir/d.txt");
    make_map(&f, used);
    make_map(&f, orphan);
    make_map(&f, "something else");
    f.store->unclean = false;
    fixture_open(&f, false);
    CU_ASSERT_TRUE(map_is_there(&f, orphan));
    overlay_close(f.o);
    f.store->unclean = true;
    fixture_open(&f, false);
    CU_ASSERT_FALSE(map_is_there(&f, orphan));
    CU_ASSERT_TRUE(map_is_there(&f, used));
    CU_ASSERT_TRUE(map_is_there(&f, "something else"));
    fixture_end(&f);
}

UNIT_MAIN("overlay-look",
          TEST(list_is_the_same_in_pieces_of_any_length),
          TEST(list_begins_with_itself_and_the_one_above),
          TEST(list_goes_on_where_it_was_while_the_directory_changes),
          TEST(list_with_attributes_has_those_of_each_layer),
          TEST(inode_numbers_are_the_same_everywhere_and_after_reopening),
          TEST(attributes_of_a_merged_directory_are_the_upper_ones),
          TEST(mode_marker_replaces_the_permission_bits),
          TEST(partial_file_has_the_blocks_of_a_whole_one),
          TEST(unknown_ids_are_stale),
          TEST(symbolic_link_is_read),
          TEST(attributes_of_users_are_shown_and_markers_are_not),
          TEST(dos_attributes_of_the_package_are_extended_attributes),
          TEST(statfs_is_that_of_the_upper_file_system),
          TEST(file_handle_finds_what_was_changed_in_an_earlier_mount),
          TEST(deleted_file_lives_as_long_as_the_kernel_knows_it),
          TEST(deleted_file_goes_at_once_when_nobody_knows_it),
          TEST(deleted_package_file_stays_deleted_when_it_is_forgotten),
          TEST(forgetting_what_has_a_name_changes_nothing),
          TEST(complete_file_becomes_plain_when_it_is_forgotten),
          TEST(lookups_and_listings_run_beside_changes),
          TEST(maps_of_no_file_go_after_an_unclean_end_only))
