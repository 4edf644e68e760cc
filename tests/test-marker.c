/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fs/overlay/marker.c: what is believed of an upper layer's attributes. */
#include "config.h"

#include "fs/overlay/marker.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "tests/overlay_dir.h"
#include "tests/unit.h"

#define HEX32 "00112233445566778899aabbccddeeff"

static int parse(const char *text, struct partial_mark *m)
{
    return partial_mark_parse(text, strlen(text), m);
}

static void partial_mark_is_written_as_it_was_read(void)
{
    static const char *const texts[] = {
        "1 size=0 content=" HEX32 " map=none path=/a",
        "1 size=9223372036854775807 content=" HEX32 " map=0000000000000001 path=/a b/c=d",
        "1 size=4096 content=" HEX32 " map=ffffffffffffffff path=/Pr\xc3\xb6gramme/x path=",
    };
    char again[PARTIAL_MARK_MAX];
    struct partial_mark m;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CU_ASSERT_FATAL(parse(texts[i], &m) == 0);
        CU_ASSERT(partial_mark_format(&m, again) == (int)strlen(texts[i]));
        CU_ASSERT_STRING_EQUAL(again, texts[i]);
        free(m.path);
    }
}

static void partial_mark_is_refused_when_malformed(void)
{
    static const char *const texts[] = {
        "",
        "1",
        "2 size=0 content=" HEX32 " map=none path=/a",
        "1 size= content=" HEX32 " map=none path=/a",
        "1 size=-1 content=" HEX32 " map=none path=/a",
        "1 size=01 content=" HEX32 " map=none path=/a",
        "1 size=9223372036854775808 content=" HEX32 " map=none path=/a",
        "1 size=99999999999999999999 content=" HEX32 " map=none path=/a",
        "1 size=0 content=00 map=none path=/a",
        "1 size=0 content=" HEX32 "00 map=none path=/a",
        "1 size=0 content=00112233445566778899AABBCCDDEEFF map=none path=/a",
        "1 size=0 content=" HEX32 " map=0000000000000000 path=/a",
        "1 size=0 content=" HEX32 " map=1 path=/a",
        "1 size=0 content=" HEX32 " map=None path=/a",
        "1 size=0 content=" HEX32 " map=none path=a",
        "1 size=0 content=" HEX32 " map=none path=",
        "1 size=0 content=" HEX32 " map=none path=/a/../b",
        "1  size=0 content=" HEX32 " map=none path=/a",
        "1 size=0 content=" HEX32 " map=none path=/a\n",
    };
    struct partial_mark m;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CU_ASSERT(parse(texts[i], &m) == -EINVAL);
        CU_ASSERT_PTR_NULL(m.path);
    }
}

static void partial_mark_is_not_made_for_a_path_no_mark_may_hold(void)
{
    char buf[PARTIAL_MARK_MAX], path[MARKER_PATH_MAX + 3], up[] = "/a/..";
    struct partial_mark m = { .path = up };

    CU_ASSERT(partial_mark_format(&m, buf) == -EINVAL);
    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = i % 100 ? 'x' : '/';
    path[MARKER_PATH_MAX] = '\0';
    m.path = path;
    CU_ASSERT(partial_mark_format(&m, buf) > (int)MARKER_PATH_MAX);
    path[MARKER_PATH_MAX] = 'x';
    path[MARKER_PATH_MAX + 1] = '\0';
    CU_ASSERT(partial_mark_format(&m, buf) == -EINVAL);
}

static void path_is_refused_unless_absolute_and_plain(void)
{
    static const char *const bad[] = { "", "/", "a", "//", "/a/", "/a//b", "/.", "/a/..", "/../a",
                                       "/a/./b", "/a\tb", "/a\x7f", "/a\\b", "/\xff" };
    static const char *const good[] = { "/a", "/a/b", "/...", "/.a/..b", "/\xc3\xa4 (1)" };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CU_ASSERT(!marker_path_ok(bad[i], strlen(bad[i])));
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        CU_ASSERT(marker_path_ok(good[i], strlen(good[i])));
}

static void reserved_names_are_those_of_the_two_prefixes(void)
{
    CU_ASSERT(marker_is_reserved("user.overlay.opaque"));
    CU_ASSERT(marker_is_reserved("user.sftfs.partial"));
    CU_ASSERT(!marker_is_reserved("user.overlayed"));
    CU_ASSERT(!marker_is_reserved("user.DOSATTRIB"));
    CU_ASSERT(!marker_is_reserved("trusted.overlay.opaque"));
}

/* ---- on a real directory ---- */

struct place {
    struct overlay_dir d;
    struct stat st;
};

/* A file "f" and a directory "d". */
static bool set_up(struct place *p)
{
    if (!overlay_dir_make(&p->d))
        return false;
    int fd = openat(p->d.fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT_FATAL(fd >= 0 && !close(fd) && !mkdirat(p->d.fd, "d", 0700));
    return true;
}

static int read_markers(struct place *p, const char *name, struct markers *m)
{
    CU_ASSERT_FATAL(!fstatat(p->d.fd, name, &p->st, AT_SYMLINK_NOFOLLOW));
    return markers_read(p->d.fd, name, &p->st, m);
}

static void markers_are_empty_when_there_are_none(void)
{
    struct place p;
    struct markers m;
    bool any = true;

    if (!set_up(&p))
        return;
    CU_ASSERT(read_markers(&p, "f", &m) == 0);
    CU_ASSERT(!m.whiteout && !m.has_partial && !m.has_mode && !m.origin && !m.redirect);
    CU_ASSERT(markers_any(p.d.fd, "f", &any) == 0 && !any);
    CU_ASSERT(markers_any(p.d.fd, "missing", &any) == -ENOENT);
    overlay_dir_remove(&p.d);
}

static void markers_of_a_file_are_read(void)
{
    struct place p;
    struct markers m;
    bool any = false;

    if (!set_up(&p))
        return;
    CU_ASSERT(marker_set_at(p.d.fd, "f", MARKER_WHITEOUT, "y") == 0);
    CU_ASSERT(marker_set_at(p.d.fd, "f", MARKER_ORIGIN, "/a/b") == 0);
    CU_ASSERT(marker_set_at(p.d.fd, "f", MARKER_MODE, "0644") == 0);
    CU_ASSERT(marker_set_at(p.d.fd, "f", MARKER_PARTIAL,
                            "1 size=7 content=" HEX32 " map=none path=/a/b") == 0);
    CU_ASSERT(markers_any(p.d.fd, "f", &any) == 0 && any);
    CU_ASSERT(read_markers(&p, "f", &m) == 0);
    CU_ASSERT(m.whiteout && m.has_partial && m.has_mode && m.mode == 0644);
    CU_ASSERT(m.origin && !strcmp(m.origin, "/a/b"));
    CU_ASSERT(m.partial.size == 7 && m.partial.content[15] == 0xff && !m.partial.map);
    CU_ASSERT(m.partial.path && !strcmp(m.partial.path, "/a/b"));
    markers_clear(&m);
    CU_ASSERT(marker_remove_at(p.d.fd, "f", MARKER_MODE) == 0);
    CU_ASSERT(marker_remove_at(p.d.fd, "f", MARKER_MODE) == 0);
    overlay_dir_remove(&p.d);
}

static void markers_of_a_directory_are_read(void)
{
    struct place p;
    struct markers m;

    if (!set_up(&p))
        return;
    CU_ASSERT(marker_set_at(p.d.fd, "d", MARKER_OPAQUE, "x") == 0);
    CU_ASSERT(marker_set_at(p.d.fd, "d", MARKER_REDIRECT, "/lib") == 0);
    CU_ASSERT(read_markers(&p, "d", &m) == 0);
    CU_ASSERT(m.has_whiteouts && !m.opaque && m.redirect && !strcmp(m.redirect, "/lib"));
    markers_clear(&m);
    CU_ASSERT(marker_set_at(p.d.fd, "d", MARKER_OPAQUE, "y") == 0);
    CU_ASSERT(read_markers(&p, "d", &m) == 0);
    CU_ASSERT(!m.has_whiteouts && m.opaque);
    markers_clear(&m);
    overlay_dir_remove(&p.d);
}

static void malformed_marker_is_left_out_and_the_others_are_read(void)
{
    static const char *const bad_modes[] = { "", "8", "010000", "-1", "644 ", "100000" };
    struct place p;
    struct markers m;
    char long_path[3 * MARKER_PATH_MAX / 4];

    if (!set_up(&p))
        return;
    memset(long_path, 'a', sizeof long_path);
    CU_ASSERT(marker_set_at(p.d.fd, "f", MARKER_ORIGIN, "/a/b") == 0);
    for (size_t i = 0; i < ARRAY_LEN(bad_modes); i++) {
        CU_ASSERT(marker_set_at(p.d.fd, "f", MARKER_MODE, bad_modes[i]) == 0);
        CU_ASSERT(read_markers(&p, "f", &m) == -EINVAL);
        CU_ASSERT(!m.has_mode && m.origin);
        markers_clear(&m);
    }
    CU_ASSERT(marker_remove_at(p.d.fd, "f", MARKER_MODE) == 0);
    CU_ASSERT(xattr_set_at(p.d.fd, "f", MARKER_PARTIAL, long_path, sizeof long_path, 0) == 0);
    CU_ASSERT(read_markers(&p, "f", &m) == -EINVAL);
    CU_ASSERT(!m.has_partial && m.origin);
    markers_clear(&m);
    CU_ASSERT(xattr_set_at(p.d.fd, "f", MARKER_ORIGIN, "/a\0b", 4, 0) == 0);
    CU_ASSERT(read_markers(&p, "f", &m) == -EINVAL);
    CU_ASSERT_PTR_NULL(m.origin);
    markers_clear(&m);
    overlay_dir_remove(&p.d);
}

static void whiteout_is_left_out_when_the_file_has_content(void)
{
    struct place p;
    struct markers m;

    if (!set_up(&p))
        return;
    int fd = openat(p.d.fd, "f", O_WRONLY | O_CLOEXEC);
    CU_ASSERT(write(fd, "x", 1) == 1 && marker_set(fd, MARKER_WHITEOUT, "y") == 0);
    CU_ASSERT(!close(fd));
    CU_ASSERT(read_markers(&p, "f", &m) == -EINVAL);
    CU_ASSERT(!m.whiteout);
    markers_clear(&m);
    overlay_dir_remove(&p.d);
}

static void attributes_of_a_path_descriptor_are_reached(void)
{
    struct place p;
    char value[8], list[256];

    if (!set_up(&p))
        return;
    int fd = openat(p.d.fd, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT(xattr_set_at(fd, "", "user.x", "abc", 3, XATTR_CREATE) == 0);
    CU_ASSERT(xattr_set_at(fd, "", "user.x", "abc", 3, XATTR_CREATE) == -EEXIST);
    CU_ASSERT(xattr_get_at(fd, "", "user.x", value, sizeof value) == 3);
    CU_ASSERT(xattr_get_at(p.d.fd, "d", "user.x", NULL, 0) == 3);
    CU_ASSERT(xattr_get_at(p.d.fd, "d", "user.x", value, 1) == -ERANGE);
    CU_ASSERT(xattr_list_at(fd, "", list, sizeof list) >= (ssize_t)sizeof "user.x");
    CU_ASSERT(xattr_remove_at(fd, "", "user.x") == 0);
    CU_ASSERT(xattr_remove_at(fd, "", "user.x") == -ENODATA);
    CU_ASSERT(!close(fd));
    overlay_dir_remove(&p.d);
}

static void links_are_not_followed(void)
{
    struct place p;
    char value[8];

    if (!set_up(&p))
        return;
    CU_ASSERT(marker_set_at(p.d.fd, "f", MARKER_ORIGIN, "/a") == 0);
    CU_ASSERT(!symlinkat("f", p.d.fd, "link"));
    CU_ASSERT(xattr_get_at(p.d.fd, "link", MARKER_ORIGIN, value, sizeof value) < 0);
    CU_ASSERT(marker_set_at(p.d.fd, "link", MARKER_ORIGIN, "/b") == -EPERM);
    overlay_dir_remove(&p.d);
}

UNIT_MAIN("marker",
          TEST(partial_mark_is_written_as_it_was_read),
          TEST(partial_mark_is_refused_when_malformed),
          TEST(partial_mark_is_not_made_for_a_path_no_mark_may_hold),
          TEST(path_is_refused_unless_absolute_and_plain),
          TEST(reserved_names_are_those_of_the_two_prefixes),
          TEST(markers_are_empty_when_there_are_none),
          TEST(markers_of_a_file_are_read),
          TEST(markers_of_a_directory_are_read),
          TEST(malformed_marker_is_left_out_and_the_others_are_read),
          TEST(whiteout_is_left_out_when_the_file_has_content),
          TEST(attributes_of_a_path_descriptor_are_reached),
          TEST(links_are_not_followed))
