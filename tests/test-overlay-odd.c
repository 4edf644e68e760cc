/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of an overlay over an upper layer that somebody else has made or keeps from us: modes
 * that give us no rights, owners that are not us, FIFOs where files belong; and of names that are
 * another name's 8.3 name. What only happens to an ordinary user is tested as one: by root as the
 * user 65534 for as long as the test takes.
 */
#include "config.h"

#include "fs/overlay/upgrade.h"

#include <sys/xattr.h>

#include "tests/overlay_shape.h"

#define SOMEBODY 65534

static const struct make_entry entries[] = {
    { .path = "Long name of a file.txt", .short_name = "LONGNA~1.TXT", .len = 5000 },
    { .path = "Long folder/x", .len = 10 },
    { .path = "Long folder/y", .len = 20 },
    { .path = "a/b/x", .len = 9000 },
    { .path = "a/c", .len = 30 },
};

/* As an ordinary user, until end(). */
static bool begin(struct fixture *f)
{
    if (!geteuid())
        CU_ASSERT_EQUAL_FATAL(seteuid(SOMEBODY), 0);
    return fixture_begin(f, entries, ARRAY_LEN(entries), false);
}

static void end(struct fixture *f)
{
    fixture_end(f);
    if (!getuid())
        CU_ASSERT_EQUAL(seteuid(0), 0);
}

static int set_mode(struct fixture *f, const char *path, mode_t mode)
{
    struct stat st = { .st_mode = mode };

    return overlay_setattr(f->o, id_at(f, path), OVERLAY_SET_MODE, &st);
}

static mode_t mode_of(struct fixture *f, const char *path)
{
    struct stat st = { 0 };

    CU_ASSERT_EQUAL(overlay_getattr(f->o, id_at(f, path), &st), 0);
    return st.st_mode & 07777;
}

static int rename_in_root(struct fixture *f, const char *from, const char *to)
{
    return overlay_rename(f->o, OVERLAY_ROOT_ID, from, OVERLAY_ROOT_ID, to, 0);
}

/* ---- 8.3 names ---- */

static void file_renamed_to_its_8_3_name_leaves_the_long_one(void)
{
    struct fixture f;

    if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false))
        return;
    fixture_open(&f, false);
    uint64_t id = id_at(&f, "Long name of a file.txt");
    CU_ASSERT_EQUAL(rename_in_root(&f, "Long name of a file.txt", "LONGNA~1.TXT"), 0);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(id_at(&f, "LONGNA~1.TXT"), id);
        CU_ASSERT_EQUAL(id_at(&f, "Long name of a file.txt"), 0);
        CU_ASSERT_TRUE(shape_lasts(&f));
    }
    fixture_end(&f);
}

static void written_file_renamed_to_its_8_3_name_keeps_its_bytes(void)
{
    struct fixture f;

    if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false))
        return;
    fixture_open(&f, false);
    uint64_t id = id_at(&f, "Long name of a file.txt");
    CU_ASSERT_EQUAL(write_node(&f, id, 10, "mine", 4), 4);
    CU_ASSERT_EQUAL(rename_in_root(&f, "longna~1.txt", "LONGNA~1.TXT"), 0);
    CU_ASSERT_TRUE(shape_lasts(&f));
    CU_ASSERT_EQUAL(id_at(&f, "LONGNA~1.TXT"), id);
    CU_ASSERT_EQUAL(id_at(&f, "Long name of a file.txt"), 0);
    fixture_end(&f);
}

/* ---- modes ---- */

static void modes_that_keep_us_out_can_be_changed(void)
{
    struct fixture f;

    if (!begin(&f))
        return;
    up_file(&f, "file", "text");
    up_dir(&f, "dir");
    CU_ASSERT_EQUAL(fchmodat(f.store->files_fd, "file", 0, 0), 0);
    CU_ASSERT_EQUAL(fchmodat(f.store->files_fd, "dir", 0, 0), 0);
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(mode_of(&f, "file"), 0);
    CU_ASSERT_EQUAL(set_mode(&f, "file", 0640), 0);
    CU_ASSERT_EQUAL(set_mode(&f, "dir", 0500), 0);
    CU_ASSERT_EQUAL(mode_of(&f, "file"), 0640);
    CU_ASSERT_EQUAL(mode_of(&f, "dir"), 0500);
    CU_ASSERT_TRUE(shape_lasts(&f));
    CU_ASSERT_EQUAL(write_node(&f, id_at(&f, "file"), 0, "T", 1), 1);
    end(&f);
}

static void file_open_for_reading_is_written_to_when_its_mode_lets_us(void)
{
    struct fixture f;
    char buf[8];

    if (!begin(&f))
        return;
    up_file(&f, "file", "text");
    CU_ASSERT_EQUAL(fchmodat(f.store->files_fd, "file", 0444, 0), 0);
    fixture_open(&f, false);
    uint64_t id = id_at(&f, "file");
    CU_ASSERT_EQUAL(read_node(&f, id, 0, buf, sizeof buf), 4);
    CU_ASSERT_EQUAL(write_node(&f, id, 0, "T", 1), -EACCES);
    CU_ASSERT_EQUAL(set_mode(&f, "file", 0644), 0);
    CU_ASSERT_EQUAL(write_node(&f, id, 0, "T", 1), 1);
    CU_ASSERT_EQUAL(read_node(&f, id, 0, buf, sizeof buf), 4);
    CU_ASSERT_EQUAL(*buf, 'T');
    end(&f);
}

static void refused_mode_leaves_the_old_one(void)
{
    struct fixture f;

    if (geteuid()) {
        printf("needs a file of another owner, which only root can make: not tested ");
        return;
    }
    if (!begin(&f))
        return;
    up_file(&f, "file", "text");
    CU_ASSERT_EQUAL(fchmodat(f.store->files_fd, "file", 0666, 0), 0);
    CU_ASSERT_EQUAL(seteuid(0), 0);
    CU_ASSERT_EQUAL(fchownat(f.store->files_fd, "file", 0, 0, 0), 0);
    CU_ASSERT_EQUAL(seteuid(SOMEBODY), 0);
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(set_mode(&f, "file", 0044), -EPERM);
    CU_ASSERT_EQUAL(mode_of(&f, "file"), 0666);
    CU_ASSERT_TRUE(shape_lasts(&f));
    CU_ASSERT_EQUAL(mode_of(&f, "file"), 0666);
    end(&f);
}

/* ---- directories that cannot be read ---- */

static void what_was_moved_out_of_an_unreadable_directory_is_there(void)
{
    struct fixture f;

    if (!begin(&f))
        return;
    up_dir(&f, "a");
    up_whiteout(&f, "a/b");
    up_dir_marked(&f, "moved", MARKER_REDIRECT, "/a/b");
    CU_ASSERT_EQUAL(fchmodat(f.store->files_fd, "a", 0, 0), 0);
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(id_at(&f, "moved"), package_id(&f, "a/b"));
    CU_ASSERT_EQUAL(id_at(&f, "moved/x"), package_id(&f, "a/b/x"));
    CU_ASSERT_EQUAL(id_at(&f, "a/c"), 0);
    CU_ASSERT_EQUAL(set_mode(&f, "a", 0755), 0);
    CU_ASSERT_EQUAL(id_at(&f, "a/c"), package_id(&f, "a/c"));
    CU_ASSERT_EQUAL(id_at(&f, "a/b"), 0);
    end(&f);
}

/* ---- attributes that could not be read again ---- */

static void attributes_that_are_not_shown_cannot_be_set(void)
{
    struct fixture f;

    if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false))
        return;
    fixture_open(&f, false);
    uint64_t id = id_at(&f, "a/c");
    CU_ASSERT_EQUAL(overlay_setxattr(f.o, id, "trusted.x", "1", 1, 0), -EOPNOTSUPP);
    CU_ASSERT_EQUAL(overlay_setxattr(f.o, id, "user.x", "1", 1, 0), 0);
    fixture_end(&f);
}

/* ---- FIFOs ---- */

static void fifo_in_place_of_a_map_is_damage(void)
{
    static const char mark[] =
        "1 size=9000 content=00000000000000000000000000000000 map=00000000000000aa path=/gone";
    struct fixture f;
    struct overlay_data d;

    if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false))
        return;
    up_file(&f, "file", "text");
    up_mark(&f, "file", MARKER_PARTIAL, mark);
    CU_ASSERT_EQUAL(mkfifoat(f.store->maps_fd, "00000000000000aa", 0600), 0);
    fixture_open(&f, false);
    CU_ASSERT_EQUAL(overlay_data_pin(f.o, id_at(&f, "file"), true, &d), -EIO);
    fixture_end(&f);
}

static void fifo_in_place_of_the_upgrade_flag_does_not_hold_us(void)
{
    static const struct guid other = { .b = { 1 } };
    const struct upgrade_options options = { .source = "elsewhere" };
    struct upgrade_report report;
    struct fixture f;
    struct err e = { 0 };

    if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false))
        return;
    CU_ASSERT_EQUAL(overlay_store_set_version(f.store, &other, 1, "Example", "", &e), 0);
    CU_ASSERT_EQUAL(mkfifoat(f.store->dir_fd, "upgrading", 0600), 0);
    CU_ASSERT_TRUE(overlay_upgrade(f.store, f.package, &options, &report, &e) < 0);
    upgrade_report_clear(&report);
    fixture_end(&f);
}

UNIT_MAIN("overlay, odd",
          TEST(file_renamed_to_its_8_3_name_leaves_the_long_one),
          TEST(written_file_renamed_to_its_8_3_name_keeps_its_bytes),
          TEST(modes_that_keep_us_out_can_be_changed),
          TEST(file_open_for_reading_is_written_to_when_its_mode_lets_us),
          TEST(refused_mode_leaves_the_old_one),
          TEST(what_was_moved_out_of_an_unreadable_directory_is_there),
          TEST(attributes_that_are_not_shown_cannot_be_set),
          TEST(fifo_in_place_of_a_map_is_damage),
          TEST(fifo_in_place_of_the_upgrade_flag_does_not_hold_us))
