/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What sftmount prints of the programs of a package. */
#include "config.h"

#include "src/container.h"
#include "tests/appx_fixture.h"
#include "tests/unit.h"
#include "tools/applications.h"

#define MANIFEST                                                                                   \
    "<Package xmlns='http://schemas.microsoft.com/appx/manifest/foundation/windows10' "            \
    "xmlns:uap='http://schemas.microsoft.com/appx/manifest/uap/windows10' "                        \
    "xmlns:uap11='http://schemas.microsoft.com/appx/manifest/uap/windows10/11'>"                   \
    "<Identity Name='Try' Publisher='CN=Sample' Version='1.0.0.0'/><Applications>"                 \
    "<Application Id='One' Executable='vfs\\ProgramFilesX86\\try it\\RUN.exe' "                    \
    "uap11:Parameters='/x \"C:\\new&#9;dir\"' "                                                    \
    "uap11:CurrentDirectoryPath='[{ProgramFilesX86}]\\Try It'>"                                    \
    "<uap:VisualElements DisplayName='First'/></Application>"                                      \
    "<Application Id='Two' Executable='[{System}]\\cmd.exe'>"                                      \
    "<uap:VisualElements DisplayName='ms-resource:name'/></Application>"                           \
    "<Application Id='Web' StartPage='index.html'/>"                                               \
    "<Application Id='-' Executable='VFS\\ProgramFilesX86'/>"                                      \
    "</Applications></Package>"

static struct package *make_package(void)
{
    static const struct appx_part_spec parts[] = {
        { "VFS/ProgramFilesX86/Try It/run.exe", "x", 1 },
        { "App/bin/old.exe", "x", 1 },
        { "cmd.exe", "x", 1 },
        { "AppxManifest.xml", MANIFEST, sizeof MANIFEST - 1 },
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

/* What is said of the package with PART of a description, in memory; caller frees. */
static char *describe(struct applications part)
{
    static const struct target none = { 0 };
    struct package *p = make_package();
    char *text = NULL;
    struct err e = { 0 };

    part.package = p;
    part.mountpoint = "/mnt/a b";
    if (!part.target)
        part.target = &none;
    CU_ASSERT_EQUAL_FATAL(applications_describe(&part, &text, &e), 0);
    package_free(p);
    return text;
}

#define PROGRAMS                                                                                   \
    "P\t/mnt/a b/VFS/ProgramFilesX86/Try It/run.exe\t/mnt/a b/VFS/ProgramFilesX86/Try It\t"        \
    "/x \"C:\\\\new\\0011dir\"\tFirst\n"                                                           \
    "S\t[{System}]\\\\cmd.exe\t-\t-\tTwo\n"                                                        \
    "S\tVFS\\\\ProgramFilesX86\t-\t-\t\\0055\n"

static void applications_are_lines_of_fields(void)
{
    auto_free char *text = describe((struct applications){ .json = false });

    CU_ASSERT_STRING_EQUAL(text, PROGRAMS);
}

static void applications_come_after_the_mount_point(void)
{
    auto_free char *text = describe((struct applications){ .with_mountpoint = true });

    CU_ASSERT_STRING_EQUAL(text, "/mnt/a b\n" PROGRAMS);
}

static void applications_of_osds_are_below_an_asset_directory_or_not(void)
{
    static char empty[] = "", name[] = "Old",
                paths[][32] = { "App\\bin\\OLD.exe", "ASSET\\App\\bin\\old.exe",
                                "%SFT_MNT%\\asset\\cmd.exe", "%CSIDL_SYSTEM%\\cmd.exe",
                                "C:\\cmd.exe" },
                dirs[][24] = { "asset\\app", "%SFT_MNT%\\asset\\App\\bin", "", "%WINDIR%",
                               "cmd.exe" };
    static const char *const wanted[] = {
        "P\t/mnt/a b/App/bin/old.exe\t/mnt/a b/App\t-\tOld\n",
        "P\t/mnt/a b/App/bin/old.exe\t/mnt/a b/App/bin\t-\tOld\n",
        "P\t/mnt/a b/cmd.exe\t-\t-\tOld\n",
        "S\t%CSIDL_SYSTEM%\\\\cmd.exe\t%WINDIR%\t-\tOld\n",
        "S\tC:\\\\cmd.exe\tcmd.exe\t-\tOld\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        struct target_app app = { name, paths[i], empty, dirs[i] };
        const struct target t = { .apps = &app, .app_count = 1 };
        auto_free char *text = describe((struct applications){ .target = &t });
        CU_ASSERT(!strncmp(text, PROGRAMS, strlen(PROGRAMS)));
        CU_ASSERT_STRING_EQUAL(text + strlen(PROGRAMS), wanted[i]);
    }
}

static void applications_are_json_too(void)
{
    auto_free char *text = describe((struct applications){ .json = true, .with_mountpoint = true });

    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"mountpoint\": \"/mnt/a b\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"executable\": \"[{System}]\\\\cmd.exe\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"in_package\": false"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"arguments\": \"/x \\\"C:\\\\new\\tdir\\\"\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"working_directory\": null"));
    CU_ASSERT_STRING_EQUAL(text + strlen(text) - 3, "\n}\n");
}

UNIT_MAIN("applications", TEST(applications_are_lines_of_fields),
          TEST(applications_come_after_the_mount_point),
          TEST(applications_of_osds_are_below_an_asset_directory_or_not),
          TEST(applications_are_json_too))
