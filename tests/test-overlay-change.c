/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of the changes in fs/overlay/: copy_up.c, create.c, remove.c, attributes.c. What
 * renames do is in test-overlay-rename.c; random mixtures of all are in test-overlay-model.c.
 */
#include "config.h"

#include "fs/overlay/overlay.h"

#include <stdio.h>
#include <sys/wait.h>

#include "fs/overlay/change.h"
#include "tests/overlay_shape.h"

static const struct overlay_caller me = { 0, 0 };

static const struct make_entry entries[] = {
    { .path = "Dir/one.txt", .len = 10000 },
    { .path = "Dir/Sub/deep.txt", .len = 30 },
    { .path = "Empty", .flags = NODE_DIR },
    { .path = "zero", .len = 0 },
    { .path = "readme.txt", .len = 60 },
    { .path = "hidden", .len = 70, .flags = NODE_HIDDEN | NODE_SYSTEM },
    { .path = "fixed", .len = 70, .flags = NODE_READONLY },
    { .path = "Long name of a library.dll", .short_name = "LONGNA~1.DLL", .len = 70 },
};

#define BEGIN(f)                                                                                   \
    struct fixture f;                                                                              \
    if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false))                                    \
        return;                                                                                    \
    fixture_open(&f, false)

static int create(struct fixture *f, const char *parent, const char *name, mode_t mode)
{
    struct overlay_ref ref;

    return overlay_create(f->o, id_at(f, parent), name, mode, &me, &ref, NULL);
}

static int set_mode(struct fixture *f, const char *path, mode_t mode)
{
    struct stat st = { .st_mode = mode };

    return overlay_setattr(f->o, id_at(f, path), OVERLAY_SET_MODE, &st);
}

static struct stat stat_at(struct fixture *f, const char *path)
{
    struct stat st = { .st_mode = 0 };

    CU_ASSERT_EQUAL(overlay_getattr(f->o, id_at(f, path), &st), 0);
    return st;
}

static bool same_attributes(const struct stat *a, const struct stat *b)
{
    return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
           a->st_size == b->st_size && a->st_nlink == b->st_nlink && a->st_ino == b->st_ino &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int upper_stat(struct fixture *f, const char *path, struct stat *st)
{
    return fstatat(f->store->files_fd, path, st, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

/* ---- copy-up ---- */

static void copy_up_changes_nothing_that_shows(void)
{
    static const char *const paths[] = {
        "Dir/Sub/deep.txt", "Dir/one.txt", "hidden", "fixed", "zero", "Empty"
    };
    BEGIN(f);
    auto_free char *before = shape(&f, "");
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct overlay_node *node;
        struct stat was = stat_at(&f, paths[i]), st;
        uint64_t id = id_at(&f, paths[i]);
        CU_ASSERT_EQUAL(pthread_rwlock_wrlock(&f.o->ns), 0);
        CU_ASSERT_EQUAL(copy_up_node(f.o, id, &node), 0);
        (void)pthread_rwlock_unlock(&f.o->ns);
        st = stat_at(&f, paths[i]);
        CU_ASSERT_TRUE(same_attributes(&was, &st));
        CU_ASSERT_EQUAL(upper_stat(&f, paths[i], &st), 0);
    }
    auto_free char *after = shape(&f, "");
    CU_ASSERT_TRUE(shape_same(before, after));
    CU_ASSERT_TRUE(shape_lasts(&f));
    fixture_end(&f);
}

static void root_shows_the_packages_attributes_until_they_are_changed(void)
{
    struct stat st, want;

    BEGIN(f);
    attr_fill(&f.rules, NODE_ROOT, &want);
    if (geteuid() == 0) {
        st = stat_at(&f, "");
        CU_ASSERT_TRUE(same_attributes(&st, &want));
    }
    fixture_reopen(&f);
    CU_ASSERT_EQUAL(stat_at(&f, "").st_mode, want.st_mode);
    CU_ASSERT_EQUAL(stat_at(&f, "").st_mtim.tv_sec, want.st_mtim.tv_sec);
    CU_ASSERT_EQUAL(set_mode(&f, "", 0711), 0);
    fixture_reopen(&f);
    CU_ASSERT_EQUAL(stat_at(&f, "").st_mode, S_IFDIR | 0711);
    fixture_end(&f);
}

static void touch_moves_no_data(void)
{
    struct stat st, want = { .st_mtim = { 77, 5 }, .st_atim = { 66, 6 } };

    BEGIN(f);
    CU_ASSERT_EQUAL(overlay_setattr(f.o, id_at(&f, "Dir/one.txt"),
                                    OVERLAY_SET_MTIME | OVERLAY_SET_ATIME, &want),
                    0);
    CU_ASSERT_EQUAL(upper_stat(&f, "Dir/one.txt", &st), 0);
    CU_ASSERT_EQUAL(st.st_size, 10000);
    CU_ASSERT(st.st_blocks <= 8); /* at most one for extended attributes */
    CU_ASSERT_EQUAL(st.st_mtim.tv_sec, 77);
    CU_ASSERT_EQUAL(st.st_atim.tv_nsec, 6);
    CU_ASSERT_TRUE(shape_lasts(&f));
    fixture_end(&f);
}

static void dos_attributes_come_along_and_can_be_removed(void)
{
    char text[16] = "";

    BEGIN(f);
    CU_ASSERT_EQUAL(set_mode(&f, "hidden", 0640), 0);
    CU_ASSERT_EQUAL(overlay_getxattr(f.o, id_at(&f, "hidden"), ATTR_DOS, text, sizeof text), 3);
    CU_ASSERT_STRING_EQUAL(text, "0x6");
    CU_ASSERT_EQUAL(overlay_removexattr(f.o, id_at(&f, "hidden"), ATTR_DOS), 0);
    fixture_reopen(&f);
    CU_ASSERT_EQUAL(overlay_getxattr(f.o, id_at(&f, "hidden"), ATTR_DOS, text, sizeof text),
                    -ENODATA);
    fixture_end(&f);
}

/* ---- names ---- */

static void names_that_packages_cannot_have_are_refused(void)
{
    char longest[258];

    memset(longest, 'n', sizeof longest - 1);
    longest[257] = '\0';
    BEGIN(f);
    CU_ASSERT_EQUAL(create(&f, "", "back\\slash", 0644), -EINVAL);
    CU_ASSERT_EQUAL(create(&f, "", "\xff", 0644), -EINVAL);
    CU_ASSERT_EQUAL(create(&f, "", "a\nb", 0644), -EINVAL);
    CU_ASSERT_EQUAL(create(&f, "", longest, 0644), -ENAMETOOLONG);
    CU_ASSERT_EQUAL(create(&f, "", longest + 2, 0644), 0);
    CU_ASSERT_EQUAL(overlay_rename(f.o, 1, "zero", 1, "x\\y", 0), -EINVAL);
    CU_ASSERT_TRUE(shape_lasts(&f));
    fixture_end(&f);
}

static void name_exists_in_every_spelling(void)
{
    struct overlay_ref ref;

    BEGIN(f);
    CU_ASSERT_EQUAL(create(&f, "", "README.TXT", 0644), -EEXIST);
    CU_ASSERT_EQUAL(create(&f, "", "LONGNA~1.DLL", 0644), -EEXIST);
    CU_ASSERT_EQUAL(overlay_mkdir(f.o, 1, "dir", 0755, &me, &ref, NULL), -EEXIST);
    CU_ASSERT_EQUAL(overlay_link(f.o, id_at(&f, "zero"), 1, "ZERO", &ref, NULL), -EEXIST);
    fixture_end(&f);
}

static void short_name_leads_to_the_file_that_is_removed(void)
{
    BEGIN(f);
    CU_ASSERT_EQUAL(overlay_unlink(f.o, 1, "longna~1.dll"), 0);
    CU_ASSERT_EQUAL(id_at(&f, "Long name of a library.dll"), 0);
    CU_ASSERT_EQUAL(id_at(&f, "LONGNA~1.DLL"), 0);
    CU_ASSERT_TRUE(shape_lasts(&f));
    fixture_end(&f);
}

static void rename_to_another_spelling_changes_it(void)
{
    struct names n;

    BEGIN(f);
    CU_ASSERT_EQUAL(overlay_rename(f.o, 1, "DIR", 1, "dIr", 0), 0);
    CU_ASSERT_EQUAL(overlay_rename(f.o, 1, "readme.txt", 1, "README.txt", 0), 0);
    CU_ASSERT_EQUAL(overlay_unlink(f.o, 1, "Empty"), -EISDIR);
    CU_ASSERT_PTR_NOT_NULL(strstr(names_in(&f, "", &n), "dIr"));
    CU_ASSERT_PTR_NOT_NULL(strstr(n.text, "README.txt"));
    CU_ASSERT_PTR_NULL(strstr(n.text, "readme.txt"));
    CU_ASSERT_EQUAL(id_at(&f, "Dir/one.txt"), package_id(&f, "Dir/one.txt"));
    CU_ASSERT_TRUE(shape_lasts(&f));
    fixture_end(&f);
}

static void new_spelling_over_a_whiteout_leaves_no_whiteout(void)
{
    struct overlay_ref ref;
    struct stat st;

    BEGIN(f);
    CU_ASSERT_EQUAL(overlay_unlink(f.o, 1, "readme.txt"), 0);
    CU_ASSERT_EQUAL(create(&f, "", "README.TXT", 0644), 0);
    CU_ASSERT_EQUAL(upper_stat(&f, "readme.txt", &st), -ENOENT);
    CU_ASSERT_EQUAL(overlay_rmdir(f.o, 1, "Empty"), 0);
    CU_ASSERT_EQUAL(overlay_mkdir(f.o, 1, "EMPTY", 0755, &me, &ref, NULL), 0);
    CU_ASSERT_EQUAL(upper_stat(&f, "Empty", &st), -ENOENT);
    CU_ASSERT_TRUE(shape_lasts(&f));
    CU_ASSERT_EQUAL(overlay_unlink(f.o, 1, "readme.txt"), 0);
    CU_ASSERT_EQUAL(id_at(&f, "readme.txt"), 0);
    CU_ASSERT_TRUE(shape_lasts(&f));
    fixture_end(&f);
}

static void whiteout_left_beside_a_name_is_no_obstacle(void)
{
    struct stat st;

    BEGIN(f);
    up_file(&f, "ReadMe.txt", "mine");
    up_whiteout(&f, "README.TXT");
    up_dir(&f, "eMpty");
    up_whiteout(&f, "EMPTY");
    fixture_reopen(&f);
    CU_ASSERT_EQUAL(overlay_rename(f.o, 1, "ReadMe.txt", 1, "README.TXT", 0), 0);
    CU_ASSERT_EQUAL(overlay_rename(f.o, 1, "eMpty", 1, "EMPTY", 0), 0);
    CU_ASSERT_EQUAL(stat_at(&f, "readme.txt").st_size, 4);
    CU_ASSERT_TRUE(S_ISDIR(stat_at(&f, "empty").st_mode));
    CU_ASSERT_TRUE(shape_lasts(&f));
    CU_ASSERT_EQUAL(overlay_unlink(f.o, 1, "readme.txt"), 0);
    CU_ASSERT_EQUAL(id_at(&f, "README.txt"), 0);
    CU_ASSERT_EQUAL(upper_stat(&f, "ReadMe.txt", &st), -ENOENT);
    CU_ASSERT_TRUE(shape_lasts(&f));
    fixture_end(&f);
}

static void directory_made_anew_shows_nothing_of_the_packages(void)
{
    struct overlay_ref ref;
    struct names n;

    BEGIN(f);
    CU_ASSERT_EQUAL(overlay_rmdir(f.o, 1, "Dir"), -ENOTEMPTY);
    CU_ASSERT_EQUAL(overlay_unlink(f.o, id_at(&f, "Dir/Sub"), "deep.txt"), 0);
    CU_ASSERT_EQUAL(overlay_rmdir(f.o, id_at(&f, "Dir"), "Sub"), 0);
    CU_ASSERT_EQUAL(overlay_unlink(f.o, id_at(&f, "Dir"), "one.txt"), 0);
    CU_ASSERT_EQUAL(overlay_rmdir(f.o, 1, "Dir"), 0);
    CU_ASSERT_EQUAL(overlay_mkdir(f.o, 1, "Dir", 0755, &me, &ref, NULL), 0);
    CU_ASSERT_STRING_EQUAL(names_in(&f, "Dir", &n), "");
    CU_ASSERT_TRUE(shape_lasts(&f));
    CU_ASSERT_STRING_EQUAL(names_in(&f, "Dir", &n), "");
    fixture_end(&f);
}

static void directory_with_a_foreign_name_inside_is_not_removed(void)
{
    BEGIN(f);
    CU_ASSERT_EQUAL(create(&f, "Empty", "x", 0644), 0);
    CU_ASSERT_EQUAL(overlay_unlink(f.o, id_at(&f, "Empty"), "x"), 0);
    up_file(&f, "Empty/back\\slash", "put there by hand");
    CU_ASSERT_EQUAL(overlay_rmdir(f.o, 1, "Empty"), -ENOTEMPTY);
    CU_ASSERT_NOT_EQUAL(id_at(&f, "Empty"), 0);
    CU_ASSERT_EQUAL(unlinkat(f.store->files_fd, "Empty/back\\slash", 0), 0);
    CU_ASSERT_EQUAL(overlay_rmdir(f.o, 1, "Empty"), 0);
    fixture_end(&f);
}

static void removed_directory_takes_no_names(void)
{
    struct overlay_ref ref;

    BEGIN(f);
    uint64_t package_dir = id_at(&f, "Empty");
    CU_ASSERT_EQUAL(overlay_mkdir(f.o, 1, "new", 0755, &me, &ref, NULL), 0);
    overlay_remember(f.o, package_dir, 1);
    overlay_remember(f.o, ref.id, 1);
    CU_ASSERT_EQUAL(overlay_rmdir(f.o, 1, "Empty"), 0);
    CU_ASSERT_EQUAL(overlay_rmdir(f.o, 1, "new"), 0);
    uint64_t dirs[] = { package_dir, ref.id };
    for (size_t i = 0; i < 2; i++) {
        struct stat st;
        CU_ASSERT_EQUAL(overlay_create(f.o, dirs[i], "x", 0644, &me, &ref, NULL), -ENOENT);
        CU_ASSERT_EQUAL(overlay_getattr(f.o, dirs[i], &st), 0);
        CU_ASSERT_EQUAL(st.st_nlink, 0);
        overlay_forget(f.o, dirs[i], 1);
    }
    fixture_end(&f);
}

static void devices_are_refused(void)
{
    struct overlay_ref ref;

    BEGIN(f);
    CU_ASSERT_EQUAL(overlay_mknod(f.o, 1, "null", S_IFCHR | 0666, &me, &ref, NULL), -EPERM);
    CU_ASSERT_EQUAL(overlay_mknod(f.o, 1, "disk", S_IFBLK | 0666, &me, &ref, NULL), -EPERM);
    CU_ASSERT_EQUAL(overlay_mknod(f.o, 1, "pipe", S_IFIFO | 0666, &me, &ref, NULL), 0);
    fixture_end(&f);
}

/* ---- deleted and still in use ---- */

static void deleted_files_stay_usable_while_they_are_open(void)
{
    static const char *const paths[] = { "Dir/one.txt", "readme.txt", "Dir/Sub/deep.txt" };
    uint8_t buf[64], want[64];
    struct stat st;

    BEGIN(f);
    CU_ASSERT_EQUAL(write_node(&f, id_at(&f, "readme.txt"), 3, "abc", 3), 3);
    CU_ASSERT_EQUAL(set_mode(&f, "Dir/Sub/deep.txt", 0600), 0);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        uint64_t id = id_at(&f, paths[i]);
        const char *slash = strrchr(paths[i], '/');
        char dir[64];
        (void)snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - paths[i]) : 0, paths[i]);
        overlay_remember(f.o, id, 1);
        CU_ASSERT_EQUAL(read_node(&f, id, 0, want, 20), 20);
        CU_ASSERT_EQUAL(overlay_unlink(f.o, id_at(&f, dir), slash ? slash + 1 : paths[i]), 0);
        CU_ASSERT_EQUAL(overlay_getattr(f.o, id, &st), 0);
        CU_ASSERT_EQUAL(st.st_nlink, 0);
        CU_ASSERT_EQUAL(read_node(&f, id, 0, buf, 20), 20);
        CU_ASSERT_EQUAL(memcmp(buf, want, 20), 0);
        CU_ASSERT_EQUAL(write_node(&f, id, 10, "XYZ", 3), 3);
        memcpy(want + 10, "XYZ", 3);
        CU_ASSERT_EQUAL(read_node(&f, id, 0, buf, 20), 20);
        CU_ASSERT_EQUAL(memcmp(buf, want, 20), 0);
        CU_ASSERT_EQUAL(overlay_getattr(f.o, id, &st), 0);
        CU_ASSERT_EQUAL(st.st_nlink, 0);
        overlay_forget(f.o, id, 1);
        CU_ASSERT_EQUAL(id_at(&f, paths[i]), 0);
    }
    CU_ASSERT_TRUE(shape_lasts(&f));
    fixture_end(&f);
}

static void package_file_gets_hard_links(void)
{
    struct overlay_ref ref;
    struct stat st;

    BEGIN(f);
    uint64_t id = id_at(&f, "Dir/one.txt");
    CU_ASSERT_EQUAL(overlay_link(f.o, id, 1, "second", &ref, &st), 0);
    CU_ASSERT_EQUAL(ref.id, id);
    CU_ASSERT_EQUAL(st.st_nlink, 2);
    CU_ASSERT_EQUAL(overlay_unlink(f.o, id_at(&f, "Dir"), "one.txt"), 0);
    CU_ASSERT_TRUE(shape_lasts(&f));
    CU_ASSERT_EQUAL(id_at(&f, "second"), id);
    CU_ASSERT_EQUAL(overlay_link(f.o, id, id_at(&f, "Dir"), "one.txt", &ref, &st), 0);
    CU_ASSERT_EQUAL(overlay_link(f.o, id_at(&f, "Dir"), 1, "dirlink", &ref, &st), -EPERM);
    CU_ASSERT_TRUE(shape_lasts(&f));
    fixture_end(&f);
}

/* ---- attributes ---- */

static void reserved_attributes_cannot_be_set(void)
{
    BEGIN(f);
    uint64_t id = id_at(&f, "zero");
    CU_ASSERT_EQUAL(overlay_setxattr(f.o, id, MARKER_WHITEOUT, "y", 1, 0), -EPERM);
    CU_ASSERT_EQUAL(overlay_setxattr(f.o, id, "user.sftfs.anything", "y", 1, 0), -EPERM);
    CU_ASSERT_EQUAL(overlay_removexattr(f.o, id, MARKER_ORIGIN), -EPERM);
    CU_ASSERT_EQUAL(overlay_setxattr(f.o, id, "system.posix_acl_access", "y", 1, 0), -EOPNOTSUPP);
    CU_ASSERT_EQUAL(overlay_setxattr(f.o, id, "user.mine", "y", 1, XATTR_REPLACE), -ENODATA);
    CU_ASSERT_EQUAL(overlay_removexattr(f.o, id, "user.mine"), -ENODATA);
    CU_ASSERT_PTR_NULL(ref_at(&f, "zero").node); /* none of this needed an upper file */
    CU_ASSERT_EQUAL(overlay_setxattr(f.o, id, "user.mine", "y", 1, XATTR_CREATE), 0);
    CU_ASSERT_TRUE(shape_lasts(&f));
    fixture_end(&f);
}

static void symbolic_links_have_owner_and_times_of_their_own(void)
{
    struct stat st, want = { .st_mtim = { 77, 0 }, .st_uid = getuid(), .st_gid = getgid() };
    struct overlay_ref ref;

    BEGIN(f);
    CU_ASSERT_EQUAL(overlay_symlink(f.o, 1, "link", "zero", &me, &ref, &st), 0);
    CU_ASSERT_EQUAL(overlay_setattr(f.o, ref.id, OVERLAY_SET_MTIME, &want), 0);
    CU_ASSERT_EQUAL(overlay_setattr(f.o, ref.id, OVERLAY_SET_UID | OVERLAY_SET_GID, &want), 0);
    CU_ASSERT_EQUAL(overlay_setattr(f.o, ref.id, OVERLAY_SET_MODE, &want), -EOPNOTSUPP);
    CU_ASSERT_EQUAL(stat_at(&f, "link").st_mtim.tv_sec, 77);
    CU_ASSERT_NOT_EQUAL(stat_at(&f, "zero").st_mtim.tv_sec, 77);
    fixture_end(&f);
}

static void setgid_directory_gives_its_group(void)
{
    const struct overlay_caller other = { 1000, 1001 };
    struct stat st;
    struct overlay_ref ref;

    if (geteuid() != 0) {
        printf("only root can give files away: not tested ");
        return;
    }
    BEGIN(f);
    CU_ASSERT_EQUAL(set_mode(&f, "Empty", 02775), 0);
    uint64_t dir = id_at(&f, "Empty");
    CU_ASSERT_EQUAL(overlay_create(f.o, dir, "file", 0644, &other, &ref, &st), 0);
    CU_ASSERT_EQUAL(st.st_uid, 1000);
    CU_ASSERT_EQUAL(st.st_gid, 2345);
    CU_ASSERT_EQUAL(overlay_mkdir(f.o, dir, "dir", 0755, &other, &ref, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode, S_IFDIR | 02755);
    CU_ASSERT_EQUAL(overlay_mkdir(f.o, dir, "mine", 0755, &me, &ref, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode, S_IFDIR | 02755);
    CU_ASSERT_TRUE(shape_lasts(&f));
    fixture_end(&f);
}

/* ---- without privileges ---- */

static int modes_without_privileges(void)
{
    struct stat st;
    struct overlay_ref ref;
    struct fixture f;
    int wrong = 0;

    if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false))
        return 0;
    fixture_open(&f, false);
    wrong += create(&f, "", "closed", 0000) != 0;
    wrong += overlay_mkdir(f.o, 1, "shut", 0500, &me, &ref, NULL) != 0;
    wrong += create(&f, "shut", "inside", 0444) != 0;
    wrong += set_mode(&f, "Dir", 0555) != 0;
    wrong += set_mode(&f, "Dir/one.txt", 0400) != 0;
    wrong += write_node(&f, id_at(&f, "closed"), 0, "x", 1) != 1;
    wrong += write_node(&f, id_at(&f, "fixed"), 0, "x", 1) != 1;
    for (unsigned i = 0; i < 2; i++) {
        wrong += stat_at(&f, "closed").st_mode != (S_IFREG | 0000);
        wrong += stat_at(&f, "shut").st_mode != (S_IFDIR | 0500);
        wrong += stat_at(&f, "shut/inside").st_mode != (S_IFREG | 0444);
        wrong += stat_at(&f, "Dir").st_mode != (S_IFDIR | 0555);
        wrong += stat_at(&f, "Dir/one.txt").st_mode != (S_IFREG | 0400);
        wrong += (stat_at(&f, "fixed").st_mode & 0777) != 0444;
        wrong += upper_stat(&f, "closed", &st) || (st.st_mode & 0777) != 0600;
        fixture_reopen(&f);
    }
    wrong += set_mode(&f, "closed", 0640) != 0 || stat_at(&f, "closed").st_mode != (S_IFREG | 0640);
    wrong += upper_stat(&f, "closed", &st) || (st.st_mode & 0777) != 0640;
    fixture_reopen(&f);
    wrong += stat_at(&f, "closed").st_mode != (S_IFREG | 0640);
    st.st_uid = 1;
    wrong += overlay_setattr(f.o, id_at(&f, "closed"), OVERLAY_SET_UID, &st) != -EPERM;
    fixture_end(&f);
    return wrong;
}

static void unprivileged_process_keeps_access_to_what_it_shows_as_closed(void)
{
    int status = 1;

    (void)fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
            _exit(100);
        _exit(modes_without_privileges());
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
}

static void nothing_changes_when_it_is_open_for_reading(void)
{
    struct overlay_ref ref;

    BEGIN(f);
    f.o->store->read_only = true;
    CU_ASSERT_EQUAL(create(&f, "", "new", 0644), -EROFS);
    CU_ASSERT_EQUAL(overlay_unlink(f.o, 1, "zero"), -EROFS);
    CU_ASSERT_EQUAL(overlay_rename(f.o, 1, "zero", 1, "one", 0), -EROFS);
    CU_ASSERT_EQUAL(set_mode(&f, "zero", 0600), -EROFS);
    CU_ASSERT_EQUAL(overlay_link(f.o, id_at(&f, "zero"), 1, "two", &ref, NULL), -EROFS);
    CU_ASSERT_EQUAL(overlay_setxattr(f.o, id_at(&f, "zero"), "user.x", "", 0, 0), -EROFS);
    CU_ASSERT_EQUAL(overlay_fsyncdir(f.o, 1, false), 0);
    f.o->store->read_only = false;
    fixture_end(&f);
}

UNIT_MAIN("overlay change", TEST(copy_up_changes_nothing_that_shows), TEST(root_shows_the_packages_attributes_until_they_are_changed),
          TEST(touch_moves_no_data),
          TEST(dos_attributes_come_along_and_can_be_removed),
          TEST(names_that_packages_cannot_have_are_refused), TEST(name_exists_in_every_spelling),
          TEST(short_name_leads_to_the_file_that_is_removed),
          TEST(rename_to_another_spelling_changes_it),
          TEST(new_spelling_over_a_whiteout_leaves_no_whiteout),
          TEST(whiteout_left_beside_a_name_is_no_obstacle),
          TEST(directory_made_anew_shows_nothing_of_the_packages),
          TEST(directory_with_a_foreign_name_inside_is_not_removed),
          TEST(removed_directory_takes_no_names), TEST(devices_are_refused),
          TEST(deleted_files_stay_usable_while_they_are_open), TEST(package_file_gets_hard_links),
          TEST(reserved_attributes_cannot_be_set),
          TEST(symbolic_links_have_owner_and_times_of_their_own),
          TEST(setgid_directory_gives_its_group),
          TEST(unprivileged_process_keeps_access_to_what_it_shows_as_closed),
          TEST(nothing_changes_when_it_is_open_for_reading))
