/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fs/mount_table.c: mountinfo(5) as the kernel writes it. */
#include "config.h"

#include "fs/mount_table.h"

#include <stdio.h>

#include "tests/unit.h"

#define LINE(mountpoint, type, source)                                                            \
    "36 35 0:52 / " mountpoint " ro,nosuid shared:7 master:2 - " type " " source " ro,user_id=0\n"

static bool parse(const char *text, char *copy, size_t size, struct mount_line *m)
{
    (void)snprintf(copy, size, "%s", text);
    return mount_table_parse(copy, m);
}

static void parse_takes_a_line_apart(void)
{
    struct mount_line m;
    char copy[512];

    CU_ASSERT_TRUE_FATAL(parse(LINE("/mnt/p", "fuse.sftfs", "/srv/p.sft"), copy, sizeof copy, &m));
    CU_ASSERT_STRING_EQUAL(m.device, "0:52");
    CU_ASSERT_STRING_EQUAL(m.mountpoint, "/mnt/p");
    CU_ASSERT_STRING_EQUAL(m.type, "fuse.sftfs");
    CU_ASSERT_STRING_EQUAL(m.source, "/srv/p.sft");
    CU_ASSERT_TRUE(m.ours);
}

static void parse_gives_the_options_of_the_file_system(void)
{
    struct mount_line m;
    char copy[512];

    CU_ASSERT_TRUE_FATAL(parse("1 2 0:5 / /a rw - fuse.sftfs s ro,user_id=1000,group_id=5\n", copy,
                               sizeof copy, &m));
    CU_ASSERT_STRING_EQUAL(m.options, "ro,user_id=1000,group_id=5");
    CU_ASSERT_EQUAL(mount_table_user(m.options), 1000);
    CU_ASSERT_TRUE_FATAL(parse("1 2 0:5 / /a rw - fuse.sftfs s\n", copy, sizeof copy, &m));
    CU_ASSERT_STRING_EQUAL(m.options, "");
    CU_ASSERT_EQUAL(mount_table_user(m.options), (uid_t)-1);
    CU_ASSERT_EQUAL(mount_table_user("user_id=7"), 7);
    CU_ASSERT_EQUAL(mount_table_user("ro,xuser_id=7"), (uid_t)-1);
}

static void parse_takes_any_number_of_tags(void)
{
    struct mount_line m;
    char copy[512];

    CU_ASSERT_TRUE_FATAL(parse("1 2 0:5 / /a rw - fuse.sftfs s rw\n", copy, sizeof copy, &m));
    CU_ASSERT_STRING_EQUAL(m.source, "s");
    CU_ASSERT_TRUE_FATAL(
        parse("1 2 0:5 / /a rw a:1 b:2 c:3 unbindable - fuse.sftfs s rw\n", copy, sizeof copy, &m));
    CU_ASSERT_STRING_EQUAL(m.source, "s");
}

static void parse_undoes_octal_escapes(void)
{
    struct mount_line m;
    char copy[512];

    CU_ASSERT_TRUE_FATAL(parse(LINE("/a\\040b\\011c\\012d\\134e\\043", "fuse.sftfs", "x\\040y,z"),
                               copy, sizeof copy, &m));
    CU_ASSERT_STRING_EQUAL(m.mountpoint, "/a b\tc\nd\\e#");
    CU_ASSERT_STRING_EQUAL(m.source, "x y,z");
}

static void parse_undoes_an_escape_once(void)
{
    struct mount_line m;
    char copy[512];

    /* A directory that is itself called "\040". */
    CU_ASSERT_TRUE_FATAL(parse(LINE("/\\134040", "fuse.sftfs", "s"), copy, sizeof copy, &m));
    CU_ASSERT_STRING_EQUAL(m.mountpoint, "/\\040");
}

static void parse_keeps_what_is_no_escape(void)
{
    struct mount_line m;
    char copy[512];

    CU_ASSERT_TRUE_FATAL(parse(LINE("/\\4\\08x\\", "fuse.sftfs", "\\777"), copy, sizeof copy, &m));
    CU_ASSERT_STRING_EQUAL(m.mountpoint, "/\\4\\08x\\");
    CU_ASSERT_STRING_EQUAL(m.source, "\\777");
}

static void parse_refuses_lines_that_end_early(void)
{
    static const char *const lines[] = { "", "\n", "1 2 0:5 / /a", "1 2 0:5 / /a rw",
                                         "1 2 0:5 / /a rw tag:1",
                                         "1 2 0:5 / /a rw -", "1 2 0:5 / /a rw - fuse.sftfs\n" };
    struct mount_line m;
    char copy[512];

    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        CU_ASSERT_FALSE(parse(lines[i], copy, sizeof copy, &m));
}

static void parse_takes_no_other_type_for_ours(void)
{
    static const char *const lines[] = { LINE("/a", "fuse", "sftfs"),
                                         LINE("/a", "fuse.sftfs2", "s"),
                                         LINE("/a", "ext4", "fuse.sftfs") };
    struct mount_line m;
    char copy[512];

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        CU_ASSERT_TRUE_FATAL(parse(lines[i], copy, sizeof copy, &m));
        CU_ASSERT_FALSE(m.ours);
    }
}

static enum mount_table_found find(const char *text, const char *path, char device[32])
{
    char *copy = strdup(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    FILE *table = fmemopen(copy, strlen(copy), "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    enum mount_table_found found = mount_table_find(table, path, device, 32);
    (void)fclose(table); /* only read from */
    free(copy);
    return found;
}

static void find_compares_whole_paths(void)
{
    static const char text[] = LINE("/mnt/pack", "fuse.sftfs", "s")
                               LINE("/mnt/a\\040b", "fuse.sftfs", "s");
    char device[32] = "";

    CU_ASSERT_EQUAL(find(text, "/mnt", device), MOUNT_NONE);
    CU_ASSERT_EQUAL(find(text, "/mnt/pac", device), MOUNT_NONE);
    CU_ASSERT_EQUAL(find(text, "/mnt/packs", device), MOUNT_NONE);
    CU_ASSERT_STRING_EQUAL(device, "");
    CU_ASSERT_EQUAL(find(text, "/mnt/pack", device), MOUNT_OURS);
    CU_ASSERT_STRING_EQUAL(device, "0:52");
    CU_ASSERT_EQUAL(find(text, "/mnt/a b", device), MOUNT_OURS);
}

static void find_gives_the_topmost_of_several(void)
{
    static const char text[] = "1 2 0:5 / /m rw - fuse.sftfs a rw\n"
                               "2 2 0:6 / /m rw - fuse.sftfs b rw\n";
    char device[32] = "";

    CU_ASSERT_EQUAL(find(text, "/m", device), MOUNT_OURS);
    CU_ASSERT_STRING_EQUAL(device, "0:6");
}

/* Unmounting what lies on top of one of ours would hit somebody else's. */
static void find_does_not_look_below_a_foreign_mount(void)
{
    static const char text[] = "1 2 0:5 / /m rw - fuse.sftfs a rw\n"
                               "2 2 0:6 / /m rw - tmpfs tmpfs rw\n";
    char device[32] = "";

    CU_ASSERT_EQUAL(find(text, "/m", device), MOUNT_FOREIGN);
}

static int stop_at_second(const struct mount_line *line, void *arg)
{
    int *seen = arg;
    (void)line;
    return ++*seen == 2 ? -7 : 0;
}

static void each_passes_over_nonsense_and_ends_when_told(void)
{
    char text[] = "nonsense\n" LINE("/a", "ext4", "s") "\n" LINE("/b", "ext4", "s")
                  LINE("/c", "ext4", "s");
    FILE *table = fmemopen(text, strlen(text), "r");
    int seen = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    CU_ASSERT_EQUAL(mount_table_each(table, stop_at_second, &seen), -7);
    CU_ASSERT_EQUAL(seen, 2);
    (void)fclose(table); /* only read from */
}

UNIT_MAIN("mount-table",
          TEST(parse_takes_a_line_apart),
          TEST(parse_gives_the_options_of_the_file_system),
          TEST(parse_takes_any_number_of_tags),
          TEST(parse_undoes_octal_escapes),
          TEST(parse_undoes_an_escape_once),
          TEST(parse_keeps_what_is_no_escape),
          TEST(parse_refuses_lines_that_end_early),
          TEST(parse_takes_no_other_type_for_ours),
          TEST(find_compares_whole_paths),
          TEST(find_gives_the_topmost_of_several),
          TEST(find_does_not_look_below_a_foreign_mount),
          TEST(each_passes_over_nonsense_and_ends_when_told))
