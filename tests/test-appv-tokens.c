/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tokens of App-V packages: replaced by paths, and found in packages. */
#include "config.h"

#include "src/appv_tokens.h"
#include "src/container.h"
#include "tests/appx_fixture.h"
#include "tests/unit.h"

/* A package with some files below VFS. */
static struct package *make_package(void)
{
    static const struct appx_part_spec parts[] = {
        { "VFS/ProgramFilesX86/Notepad++/notepad++.exe", "x", 1 },
        { "VFS/SystemX64/my driver.dll", "x", 1 },
        { "VFS/AppVPackageDrive/data/a.txt", "x", 1 },
        { "top/run.exe", "x", 1 },
    };
    struct zip_image z = { 0 };
    struct package *p = NULL;
    struct err e = { 0 };

    make_appx(&z, parts, ARRAY_LEN(parts));
    if (container_read_memory(z.data, z.len, &p, &e))
        (void)fprintf(stderr, "%s\n", e.text);
    zip_image_free(&z);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    return p;
}

/* Whether TEXT becomes WANTED. */
static bool becomes(struct appv_tokens *t, const char *text, const char *wanted)
{
    auto_free char *got = NULL;
    size_t n;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(appv_tokens_replace(t, text, strlen(text), &got, &n, &e), 0);
    CU_ASSERT_EQUAL(strlen(got), n);
    if (strcmp(got, wanted) != 0)
        (void)fprintf(stderr, "got    %s\nwanted %s\n", got, wanted);
    return !strcmp(got, wanted);
}

static struct appv_tokens *make_tokens(const char *root, const struct package *p)
{
    const struct appv_token_options o = { .user = "me", .root = root, .package = p };
    struct appv_tokens *t = appv_tokens_new();

    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    appv_tokens_configure(t, &o);
    return t;
}

static void tokens_become_the_folders_of_wine(void)
{
    struct appv_tokens *t = make_tokens(NULL, NULL);

    CU_ASSERT(becomes(t, "[{ProgramFilesX86}]\\a", "C:\\Program Files (x86)\\a"));
    CU_ASSERT(becomes(t, "\"[{programfilesx86}{~}]\\a\" %1", "\"C:\\Program Files (x86)\\a\" %1"));
    CU_ASSERT(becomes(t, "[{Windows}];[{System}];", "C:\\windows;C:\\windows\\system32;"));
    CU_ASSERT(becomes(t, "[{AppData}]\\x", "C:\\users\\me\\AppData\\Roaming\\x"));
    CU_ASSERT(becomes(t, "[{SavedGames}]", "C:\\users\\me\\Saved Games"));
    CU_ASSERT(becomes(t, "[{Profile}]", "C:\\users\\me"));
    CU_ASSERT(becomes(t, "[{AppVCurrentUserSID}]", "S-1-5-21-0-0-0-1000"));
    CU_ASSERT(becomes(t, "[{AppVPackageDrive}]\\x", "C:\\x"));
    CU_ASSERT_EQUAL(appv_tokens_replaced(t), 9);
    appv_tokens_free(t);
}

static void what_is_no_token_stays(void)
{
    struct appv_tokens *t = make_tokens(NULL, NULL);
    const char *const *names;

    CU_ASSERT(becomes(t, "", ""));
    CU_ASSERT(becomes(t, "[{", "[{"));
    CU_ASSERT(becomes(t, "[{Windows}", "[{Windows}"));
    CU_ASSERT(becomes(t, "[{Windows}{~}", "[{Windows}{~}"));
    CU_ASSERT(becomes(t, "[{}]", "[{}]"));
    CU_ASSERT(becomes(t, "[{B298D29A-A6ED-11DE-BA8C-A68E55D89593}]",
                      "[{B298D29A-A6ED-11DE-BA8C-A68E55D89593}]"));
    CU_ASSERT(becomes(t, "[[{Fonts}]]", "[C:\\windows\\Fonts]"));
    CU_ASSERT_EQUAL(appv_tokens_unknown(t, &names), 0);
    CU_ASSERT_PTR_NULL(names[0]);
    appv_tokens_free(t);
}

static void unknown_tokens_stay_and_are_counted(void)
{
    struct appv_tokens *t = make_tokens(NULL, NULL);
    const char *const *names;
    char text[32];

    CU_ASSERT(becomes(t, "[{AppVPackageRoot}]\\a", "[{AppVPackageRoot}]\\a"));
    CU_ASSERT(becomes(t, "[{Nowhere}] [{NOWHERE}]", "[{Nowhere}] [{NOWHERE}]"));
    CU_ASSERT_EQUAL(appv_tokens_replaced(t), 0);
    CU_ASSERT_EQUAL(appv_tokens_unknown(t, &names), 3);
    CU_ASSERT_STRING_EQUAL(names[0], "AppVPackageRoot");
    CU_ASSERT_STRING_EQUAL(names[1], "Nowhere");
    CU_ASSERT_PTR_NULL(names[2]);
    for (unsigned i = 0; i < 2 * APPV_UNKNOWN_MAX; i++) {
        (void)snprintf(text, sizeof text, "[{Nowhere %u}]", i);
        CU_ASSERT(becomes(t, text, text));
    }
    CU_ASSERT_EQUAL(appv_tokens_unknown(t, &names), 3 + 2 * APPV_UNKNOWN_MAX);
    CU_ASSERT_PTR_NULL(names[APPV_UNKNOWN_MAX]);
    appv_tokens_free(t);
}

static void settings_go_before_the_table(void)
{
    struct appv_tokens *t = make_tokens("Q:", NULL);
    struct err e;

    CU_ASSERT_EQUAL(appv_tokens_set(t, "ProgramFiles=D:\\p", &e), 0);
    CU_ASSERT_EQUAL(appv_tokens_set(t, "My Own=", &e), 0);
    CU_ASSERT_EQUAL(appv_tokens_set(t, "AppVPackageRoot=R:\\a=b", &e), 0);
    CU_ASSERT_EQUAL(appv_tokens_set(t, "programfiles=E:", &e), 0);
    CU_ASSERT(becomes(t, "[{ProgramFiles}]\\x[{My Own}][{AppVPackageRoot}]", "E:\\xR:\\a=b"));
    CU_ASSERT(appv_tokens_set(t, "ProgramFiles", &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    CU_ASSERT(appv_tokens_set(t, "=x", &e) < 0);
    CU_ASSERT(appv_tokens_set(t, "[{ProgramFiles}]=x", &e) < 0);
    appv_tokens_free(t);
}

static void keys_get_what_has_no_backslash(void)
{
    static const char path[] = "HKLM\\a\\[{CurrentUserSID}]\\[{Windows}] [{Profile}]\\[{Own}]";
    struct appv_tokens *t = make_tokens("Q:", NULL);
    const char *const *names;
    auto_free char *got = NULL;
    struct err e;
    size_t n;

    CU_ASSERT_EQUAL(appv_tokens_set(t, "Own=x", &e), 0);
    CU_ASSERT_EQUAL_FATAL(appv_tokens_replace_key(t, path, strlen(path), &got, &n, &e), 0);
    CU_ASSERT_STRING_EQUAL(got, "HKLM\\a\\S-1-5-21-0-0-0-1000\\[{Windows}] [{Profile}]\\x");
    CU_ASSERT_EQUAL(appv_tokens_replaced(t), 2);
    CU_ASSERT_EQUAL(appv_tokens_unknown(t, &names), 2);
    appv_tokens_free(t);
}

static void what_the_package_has_is_below_its_root(void)
{
    struct package *p = make_package();
    struct appv_tokens *t = make_tokens("Z:\\mnt", p);

    CU_ASSERT(becomes(t, "[{AppVPackageRoot}]\\top", "Z:\\mnt\\top"));
    CU_ASSERT(becomes(t, "[{ProgramFilesX86}]\\notepad++\\x.dll",
                      "Z:\\mnt\\VFS\\ProgramFilesX86\\notepad++\\x.dll"));
    CU_ASSERT(becomes(t, "\"[{ProgramFilesX86}]\\Notepad++\" -a",
                      "\"Z:\\mnt\\VFS\\ProgramFilesX86\\Notepad++\" -a"));
    CU_ASSERT(
        becomes(t, "[{System}]\\my driver.dll,-3", "Z:\\mnt\\VFS\\SystemX64\\my driver.dll,-3"));
    CU_ASSERT(becomes(t, "[{AppVPackageDrive}]\\data", "Z:\\mnt\\VFS\\AppVPackageDrive\\data"));
    /* Other programs' folders are where they are. */
    CU_ASSERT(becomes(t, "[{ProgramFilesX86}]\\Other", "C:\\Program Files (x86)\\Other"));
    CU_ASSERT(becomes(t, "[{ProgramFilesX86}]", "C:\\Program Files (x86)"));
    CU_ASSERT(becomes(t, "[{System}]\\my.dll", "C:\\windows\\system32\\my.dll"));
    CU_ASSERT(becomes(t, "[{ProgramFilesX86}]\\", "C:\\Program Files (x86)\\"));
    appv_tokens_free(t);
    package_free(p);
}

static bool finds(const struct package *p, const char *path, const char *wanted)
{
    uint32_t node = appv_token_resolve(p, NODE_ROOT, path);

    if (!wanted || node == NODE_NONE)
        return !wanted && node == NODE_NONE;
    auto_free char *got = package_path(p, node);
    return !strcmp(got, wanted);
}

static void paths_are_found_in_the_package(void)
{
    struct package *p = make_package();

    CU_ASSERT(finds(p, "[{ProgramFilesX86}]\\NOTEPAD++\\notepad++.EXE",
                    "VFS/ProgramFilesX86/Notepad++/notepad++.exe"));
    CU_ASSERT(finds(p, "[{ProgramFilesX86}]", "VFS/ProgramFilesX86"));
    CU_ASSERT(finds(p, "[{System}]\\my driver.dll", "VFS/SystemX64/my driver.dll"));
    CU_ASSERT(finds(p, "[{AppVPackageRoot}]\\TOP\\run.exe", "top/run.exe"));
    CU_ASSERT(finds(p, "top/run.exe", "top/run.exe"));
    CU_ASSERT(finds(p, "[{System}]\\cmd.exe", NULL));
    CU_ASSERT(finds(p, "[{Nowhere}]\\cmd.exe", NULL));
    CU_ASSERT(finds(p, "top\\run.exe\\x", NULL));
    CU_ASSERT(finds(p, "[{AppVPackageRoot}]\\..\\x", NULL));
    package_free(p);
}

UNIT_MAIN("appv-tokens", TEST(tokens_become_the_folders_of_wine), TEST(what_is_no_token_stays),
          TEST(unknown_tokens_stay_and_are_counted), TEST(settings_go_before_the_table),
          TEST(keys_get_what_has_no_backslash), TEST(what_the_package_has_is_below_its_root),
          TEST(paths_are_found_in_the_package))
