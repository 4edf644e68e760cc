/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options behind -o: our own, those for the connection, and what mount(8) and fstab bring along. */
#include "config.h"

#include <stdio.h>

#include "tests/unit.h"
#include "tools/mount_common.h"

static int set(struct mount_setup *s, const char *text, struct err *e)
{
    mount_setup_init(s, "test");
    *e = (struct err){ 0 };
    return mount_setup_options(s, text, e);
}

static void mount_setup_defaults_are_the_callers(void)
{
    struct mount_setup s;
    struct err e;

    CU_ASSERT_EQUAL(set(&s, "", &e), 0);
    CU_ASSERT_EQUAL(s.mount.uid, getuid());
    CU_ASSERT_EQUAL(s.mount.gid, getgid());
    CU_ASSERT_EQUAL(s.mount.umask, 022);
    CU_ASSERT(s.mount.push && s.mount.casefold_flag);
    CU_ASSERT(!s.mount.allow_other && !s.mount.case_sensitive);
    CU_ASSERT_PTR_NULL(s.fuse_options);
    CU_ASSERT_EQUAL(s.overlay, OVERLAY_CHOICE_NONE);
    CU_ASSERT(!s.mount.read_only && !s.read_write);
    mount_setup_free(&s);
}

static void mount_setup_takes_its_own_options(void)
{
    struct mount_setup s;
    struct err e;

    CU_ASSERT_EQUAL(set(&s,
                        "uid=12,gid=34,umask=0277,allow_other,case_sensitive,memory=64M,"
                        "readahead=256,decoders=3,no_push,no_casefold_flag",
                        &e),
                    0);
    CU_ASSERT_EQUAL(s.mount.uid, 12);
    CU_ASSERT_EQUAL(s.mount.gid, 34);
    CU_ASSERT_EQUAL(s.mount.umask, 0277);
    CU_ASSERT(s.mount.allow_other && s.mount.case_sensitive);
    CU_ASSERT_EQUAL(s.engine.memory, 64 << 20);
    CU_ASSERT_EQUAL(s.mount.readahead_kib, 256);
    CU_ASSERT_EQUAL(s.engine.decoders, 3);
    CU_ASSERT(!s.mount.push && !s.mount.casefold_flag);
    mount_setup_free(&s);
}

static void mount_setup_makes_the_path_of_a_recording_absolute(void)
{
    struct mount_setup s;
    struct err e;
    char cwd[4096], expected[4200];

    CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(cwd, sizeof cwd));
    (void)snprintf(expected, sizeof expected, "%s/dir/a,b", cwd);
    CU_ASSERT_EQUAL(set(&s, "record=x,record=dir/a\\,b", &e), 0);
    CU_ASSERT_STRING_EQUAL(s.mount.record, expected);
    mount_setup_free(&s);
    CU_ASSERT_EQUAL(set(&s, "record=/x", &e), 0);
    CU_ASSERT_STRING_EQUAL(s.mount.record, "/x");
    mount_setup_free(&s);
    CU_ASSERT(set(&s, "record=", &e) < 0);
    mount_setup_free(&s);
}

static void mount_setup_takes_names_of_users(void)
{
    struct mount_setup s;
    struct err e;

    CU_ASSERT_EQUAL(set(&s, "uid=root,gid=root", &e), 0);
    CU_ASSERT_EQUAL(s.mount.uid, 0);
    CU_ASSERT_EQUAL(s.mount.gid, 0);
    mount_setup_free(&s);
}

static void mount_setup_takes_connection_options(void)
{
    struct mount_setup s;
    struct err e;

    CU_ASSERT_EQUAL(set(&s, "io_timeout=5,ca_file=/a\\,b,proxy=,insecure", &e), 0);
    CU_ASSERT_EQUAL(s.connection.io_timeout_ms, 5000);
    CU_ASSERT_STRING_EQUAL(s.connection.ca_file, "/a,b");
    CU_ASSERT_STRING_EQUAL(s.connection.proxy, "");
    CU_ASSERT(s.connection.insecure);
    mount_setup_free(&s);
}

static void mount_setup_passes_over_what_is_for_others(void)
{
    struct mount_setup s;
    struct err e;

    CU_ASSERT_EQUAL(set(&s,
                        "ro,noauto,user=me,users,nofail,_netdev,x-systemd.automount,dev,nodev,"
                        "suid,nosuid,exec,relatime,defaults,comment=x",
                        &e),
                    0);
    CU_ASSERT_PTR_NULL(s.fuse_options);
    mount_setup_free(&s);
}

static void mount_setup_hands_on_what_is_for_the_kernel(void)
{
    struct mount_setup s;
    struct err e;

    CU_ASSERT_EQUAL(set(&s, "noexec,uid=0,noatime", &e), 0);
    CU_ASSERT_STRING_EQUAL(s.fuse_options, "noexec,noatime");
    mount_setup_free(&s);
}

static void mount_setup_refuses_what_it_does_not_know(void)
{
    static const char *const bad[] = {
        "bogus",       "ro,bogus=1", "memory",       "memory=",       "memory=1M",
        "memory=lots", "umask=8",    "umask=7777",   "umask=",        "uid=no-such-user-here",
        "gid=-1",      "decoders=0", "readahead=no", "allow_other=1", "io_timeout=0",
        "fsname=x",    "subtype=y",  "ca_file",      "overlay=",      "old_version",
    };
    struct mount_setup s;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CU_ASSERT(set(&s, bad[i], &e) < 0);
        CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
        mount_setup_free(&s);
    }
}

static void mount_setup_when_sloppy_passes_over_unknown_options_only(void)
{
    struct mount_setup s;
    struct err e;

    mount_setup_init(&s, "test");
    s.sloppy = true;
    CU_ASSERT_EQUAL(mount_setup_options(&s, "bogus,umask=077", &e), 0);
    CU_ASSERT_EQUAL(s.mount.umask, 077);
    CU_ASSERT(mount_setup_options(&s, "umask=9", &e) < 0);
    mount_setup_free(&s);
}

static void mount_setup_knows_where_changes_go(void)
{
    static const struct {
        const char *text;
        enum overlay_choice choice;
        const char *dir;
    } rows[] = {
        { "overlay", OVERLAY_CHOICE_DEFAULT, NULL },
        { "overlay=none", OVERLAY_CHOICE_NONE, NULL },
        { "overlay=temporary", OVERLAY_CHOICE_TEMPORARY, NULL },
        { "overlay=/a b", OVERLAY_CHOICE_DIR, "/a b" },
        { "overlay=/a\\,b=c", OVERLAY_CHOICE_DIR, "/a,b=c" },
        { "overlay=/a,overlay", OVERLAY_CHOICE_DEFAULT, NULL },
        { "overlay,overlay=/a", OVERLAY_CHOICE_DIR, "/a" },
        { "overlay=/a,overlay=none", OVERLAY_CHOICE_NONE, NULL },
    };
    struct mount_setup s;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CU_ASSERT_EQUAL(set(&s, rows[i].text, &e), 0);
        CU_ASSERT_EQUAL(s.overlay, rows[i].choice);
        CU_ASSERT_EQUAL(s.overlay_dir != NULL, rows[i].dir != NULL);
        if (s.overlay_dir && rows[i].dir)
            CU_ASSERT_STRING_EQUAL(s.overlay_dir, rows[i].dir);
        mount_setup_free(&s);
    }
}

static void mount_setup_takes_a_relative_overlay_from_the_working_directory(void)
{
    char *cwd = getcwd(NULL, 0), *wanted = NULL;
    struct mount_setup s;
    struct err e;

    CU_ASSERT_EQUAL(set(&s, "overlay=./none", &e), 0);
    CU_ASSERT_EQUAL(s.overlay, OVERLAY_CHOICE_DIR);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s.overlay_dir);
    CU_ASSERT_FATAL(cwd && asprintf(&wanted, "%s/./none", cwd) > 0);
    CU_ASSERT_STRING_EQUAL(s.overlay_dir, wanted);
    free(cwd);
    free(wanted);
    mount_setup_free(&s);
}

static void mount_setup_takes_the_last_of_ro_and_rw(void)
{
    struct mount_setup s;
    struct err e;

    CU_ASSERT_EQUAL(set(&s, "rw,ro,old_version=/v1.sft", &e), 0);
    CU_ASSERT(s.mount.read_only && !s.read_write);
    CU_ASSERT_STRING_EQUAL(s.old_version, "/v1.sft");
    mount_setup_free(&s);
    CU_ASSERT_EQUAL(set(&s, "ro,rw", &e), 0);
    CU_ASSERT(!s.mount.read_only && s.read_write);
    mount_setup_free(&s);
}

static void mount_setup_takes_mirrors_in_order(void)
{
    static const char *const first[] = { "rtsp://a/x", "http://c/x", "/b" };
    struct mount_setup s;
    struct err e;

    CU_ASSERT_EQUAL(set(&s, "mirror=http://c/x,mirror=/d\\,e,offline,mirror=http://c/x", &e), 0);
    CU_ASSERT(s.offline);
    CU_ASSERT_EQUAL(s.mirror_count, 3);
    CU_ASSERT_EQUAL(mount_setup_locations(&s, first, 3, &e), 0);
    CU_ASSERT_EQUAL_FATAL(s.location_count, 3);
    CU_ASSERT_STRING_EQUAL(s.locations[0], "http://c/x");
    CU_ASSERT_STRING_EQUAL(s.locations[1], "/b");
    CU_ASSERT_STRING_EQUAL(s.locations[2], "/d,e");
    CU_ASSERT_EQUAL(mount_setup_locations(&s, first, 0, &e), 0);
    CU_ASSERT_EQUAL(s.location_count, 2);
    mount_setup_free(&s);
}

static void mount_setup_keeps_a_place_that_is_not_supported_if_it_is_the_only_one(void)
{
    static const char *const first[] = { "rtsp://a/x", "rtsps://a/x" };
    struct mount_setup s;
    struct err e;

    CU_ASSERT_EQUAL(set(&s, "ro", &e), 0);
    CU_ASSERT(!s.offline);
    for (size_t count = 1; count <= 2; count++) {
        CU_ASSERT_EQUAL(mount_setup_locations(&s, first, count, &e), 0);
        CU_ASSERT_EQUAL(s.location_count, 1);
        CU_ASSERT_STRING_EQUAL(s.locations[0], first[0]);
    }
    CU_ASSERT(mount_setup_locations(&s, first, 0, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_UNRESOLVED);
    mount_setup_free(&s);
}

static void mount_setup_refuses_mirrors_that_cannot_be_used(void)
{
    static const char *const bad[] = {
        "mirror=", "mirror", "mirror=rtsp://a/b", "mirror=ftp://me:secret@a/b",
        "mirror=http://me:secret@host/a.sft", "mirror=http:///x", "offline=1",
        ("mirror=/1,mirror=/2,mirror=/3,mirror=/4,mirror=/5,mirror=/6,mirror=/7,mirror=/8,mirror=/9,"
         "mirror=/10,mirror=/11,mirror=/12,mirror=/13,mirror=/14,mirror=/15"),
    };
    struct mount_setup s;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CU_ASSERT(set(&s, bad[i], &e) < 0);
        CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
        CU_ASSERT_PTR_NULL(strstr(e.text, "secret"));
        mount_setup_free(&s);
    }
}

UNIT_MAIN("mount setup", TEST(mount_setup_defaults_are_the_callers),
          TEST(mount_setup_takes_its_own_options), TEST(mount_setup_makes_the_path_of_a_recording_absolute),
          TEST(mount_setup_takes_names_of_users),
          TEST(mount_setup_takes_connection_options),
          TEST(mount_setup_passes_over_what_is_for_others),
          TEST(mount_setup_hands_on_what_is_for_the_kernel),
          TEST(mount_setup_refuses_what_it_does_not_know),
          TEST(mount_setup_knows_where_changes_go),
          TEST(mount_setup_takes_a_relative_overlay_from_the_working_directory),
          TEST(mount_setup_takes_the_last_of_ro_and_rw),
          TEST(mount_setup_takes_mirrors_in_order),
          TEST(mount_setup_keeps_a_place_that_is_not_supported_if_it_is_the_only_one),
          TEST(mount_setup_refuses_mirrors_that_cannot_be_used),
          TEST(mount_setup_when_sloppy_passes_over_unknown_options_only))
