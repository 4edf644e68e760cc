/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/href.c, localpath.c and place.c. */
#include "config.h"

#include "fetch/href.h"
#include "fetch/place.h"
#include "tests/unit.h"

#define QUERY_HREF "rtsp://appserver/productivity/office2k3.sft?customer=seq"
#define UNC_HREF   "\\\\uncserver\\share\\productivity\\office2k3.sft"
#define DIR        "/srv/pkg"

static void check_text(const char *what, int rc, char *got, const char *want, const struct err *e)
{
    bool same = !rc && got && !strcmp(got, want);
    if (!same)
        printf("\n    %s\n    wanted %s\n    got    %s", what, want, rc ? e->text : got);
    CU_ASSERT(same);
    if (!rc)
        free(got);
}

static void check_error(const char *what, int rc, char *got, enum err_kind want,
                        const struct err *e)
{
    bool same = rc < 0 && e->kind == want;
    if (!same)
        printf("\n    %s\n    wanted %s\n    got    %s", what, err_kind_name(want),
               rc ? err_kind_name(e->kind) : got);
    CU_ASSERT(same);
    if (!rc)
        free(got);
}

static void check_resolve(const char *href, struct href_options o, const char *want)
{
    struct err e;
    char *got = NULL;
    int rc = href_resolve(href, &o, &got, &e);
    check_text(href, rc, got, want, &e);
}

static void check_resolve_error(const char *href, struct href_options o, enum err_kind want)
{
    struct err e;
    char *got = NULL;
    int rc = href_resolve(href, &o, &got, &e);
    check_error(href, rc, got, want, &e);
}

static void check_local(const char *location, const char *want)
{
    static const char map[] = "\\\\srv\\share=/mnt/share; //Srv/Share/Deep=/mnt/deep/;D:=/mnt/d";
    struct err e;
    char *got = NULL;
    int rc = href_local_path(location, map, DIR, &got, &e);
    check_text(location, rc, got, want, &e);
}

static void check_local_error(const char *location, const char *map, enum err_kind want)
{
    struct err e;
    char *got = NULL;
    int rc = href_local_path(location, map, DIR, &got, &e);
    check_error(location, rc, got, want, &e);
}

/* --- ApplicationSourceRoot ------------------------------------------------------------------- */

/* The table of the documentation, its two misprinted separators put right. */
static const struct {
    const char *root, *href, *result;
} documented[] = {
    { "rtsps://mainserver:322", QUERY_HREF,
      "rtsps://mainserver:322/productivity/office2k3.sft?customer=seq" },
    { "rtsps://mainserver:322/prodapps", QUERY_HREF,
      "rtsps://mainserver:322/prodapps/productivity/office2k3.sft?customer=seq" },
    { "https://mainserver:443/prodapps", QUERY_HREF,
      "https://mainserver:443/prodapps/productivity/office2k3.sft?customer=seq" },
    { "rtsps://mainserver:322/prodapps",
      "rtsp://%SFT_APPVSERVER%:554/productivity/office2k3.sft?customer=seq",
      "rtsps://mainserver:322/prodapps/productivity/office2k3.sft?customer=seq" },
    { "rtsps://mainserver:322", UNC_HREF, "rtsps://mainserver:322/productivity/office2k3.sft" },
    { "rtsps://mainserver:322", "file://" UNC_HREF,
      "rtsps://mainserver:322/productivity/office2k3.sft" },
    { "\\\\uncserver\\share", QUERY_HREF, "\\\\uncserver\\share\\productivity\\office2k3.sft" },
    { "\\\\uncserver\\share\\prodapps", QUERY_HREF,
      "\\\\uncserver\\share\\prodapps\\productivity\\office2k3.sft" },
    { "M:", UNC_HREF, "M:\\productivity\\office2k3.sft" },
    { "M:\\prodapps", UNC_HREF, "M:\\prodapps\\productivity\\office2k3.sft" },
};

static void source_root_gives_every_row_of_the_documented_table(void)
{
    for (size_t i = 0; i < ARRAY_LEN(documented); i++) {
        struct err e;
        char *got = NULL;
        int rc = href_substitute_root(documented[i].href, documented[i].root, &got, &e);
        check_text(documented[i].href, rc, got, documented[i].result, &e);
        struct href_options o = { .source_root = documented[i].root };
        check_resolve(documented[i].href, o, documented[i].result);
    }
}

static void source_root_takes_other_spellings(void)
{
    static const struct {
        const char *root, *href, *result;
    } rows[] = {
        { " http://web/content/ ", QUERY_HREF,
          "http://web/content/productivity/office2k3.sft?customer=seq" },
        { "http://web/c", "FILE://\\pkg_4.sft", "http://web/c/pkg_4.sft" },
        { "http://web/c", "%SFT_MIME_SOURCE%\\dir/pkg.sft", "http://web/c/dir/pkg.sft" },
        { "http://web/c", "file://D:/SoftGrid/app/app.sft", "http://web/c/SoftGrid/app/app.sft" },
        { "http://web/c", "\\\\srv\\share\\My App.sft", "http://web/c/My%20App.sft" },
        { "/srv/content/", "https://old/a%20b/c.sft?x=y", "/srv/content/a b/c.sft" },
        { "/", "https://old/c.sft", "/c.sft" },
        { "file://\\\\srv\\share", QUERY_HREF,
          "file://\\\\srv\\share\\productivity\\office2k3.sft" },
        { "file:///srv/c", "http://old/a%20b.sft", "file:///srv/c/a%20b.sft" },
        { "M:/apps", UNC_HREF, "M:/apps\\productivity\\office2k3.sft" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_resolve(rows[i].href, (struct href_options){ .source_root = rows[i].root },
                      rows[i].result);
}

static void source_root_is_refused_when_it_is_not_one(void)
{
    static const char *const bad[] = {
        "http://",           "http:///content",       "http://u:p@web/c",
        "http://web/c?x=y",  "http://web/c#f",        "%SFT_SOFTGRIDSERVER%",
        "http://%SERVER%/c", "content",               "\\\\server",
        "\\content",         "\\\\srv\\share\\x?y=z",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        check_resolve_error(QUERY_HREF, (struct href_options){ .source_root = bad[i] },
                            ERR_INVALID);
}

static void source_root_error_does_not_repeat_a_password(void)
{
    struct err e;
    char *got = NULL;
    CU_ASSERT(href_substitute_root(QUERY_HREF, "http://user:sesame@web/", &got, &e) < 0);
    CU_ASSERT_PTR_NULL(strstr(e.text, "sesame"));
}

/* --- precedence, variables, relative places --------------------------------------------------- */

static void resolve_prefers_source_then_override_then_root(void)
{
    struct href_options o = { .source = "/one/off.sft",
                              .override_url = "http://over/x y.sft",
                              .source_root = "http://root",
                              .base = DIR };
    check_resolve("", o, "/one/off.sft");
    o.source = NULL;
    check_resolve(QUERY_HREF, o, "http://over/x y.sft");
    o.override_url = "";
    check_resolve(QUERY_HREF, o, "http://root/productivity/office2k3.sft?customer=seq");
    o.source_root = " ";
    check_resolve(QUERY_HREF, o, QUERY_HREF);
}

static void resolve_refuses_an_empty_href(void)
{
    check_resolve_error(NULL, (struct href_options){ .base = DIR }, ERR_EMPTY_HREF);
    check_resolve_error(" \t\n", (struct href_options){ .source_root = "/x" }, ERR_EMPTY_HREF);
}

static void resolve_takes_every_spelling_seen_in_the_world(void)
{
    static const char *const rows[][2] = {
        { "FILE://\\OracleJavaRuntime_1.4.2_17_4.sft", DIR "/OracleJavaRuntime_1.4.2_17_4.sft" },
        { "HTTP://%SFT_SOFTGRIDSERVER%:80/orca.sft", "HTTP://apps.test:80/orca.sft" },
        { "rtsp://virt_apps/package.1/package.1.sft", "rtsp://virt_apps/package.1/package.1.sft" },
        { "rtsps://server/package.sft", "rtsps://server/package.sft" },
        { "rtsp://%SFT_SOFTGRIDSERVER%:554/content/appname/app.sft",
          "rtsp://apps.test:554/content/appname/app.sft" },
        { "file://D:/SoftGrid/appname/app.sft", "file://D:/SoftGrid/appname/app.sft" },
        { "rtsps://%SFT_SOFTGRIDSERVER%:322/Adobe/Adobe_Reader_9/AdobeReader9x.sft",
          "rtsps://apps.test:322/Adobe/Adobe_Reader_9/AdobeReader9x.sft" },
        { "RTSPS://%SFT_SOFTGRIDSERVER%:322/WINZIP.001/WINZIP.001.sft?Customer=MyProviderPolicy",
          "RTSPS://apps.test:322/WINZIP.001/WINZIP.001.sft?Customer=MyProviderPolicy" },
        { "RTSPS://%sft_SoftGridServer%:322/DefaultApp.sft",
          "RTSPS://apps.test:322/DefaultApp.sft" },
    };
    setenv("SFT_SOFTGRIDSERVER", "apps.test", 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_resolve(rows[i][0], (struct href_options){ .base = DIR }, rows[i][1]);
    check_resolve_error("rtsps://%SFT_SOFTGRIDSERVER%:322/", (struct href_options){ .base = DIR },
                        ERR_UNRESOLVED);
    unsetenv("SFT_SOFTGRIDSERVER");
}

static void resolve_names_a_variable_that_is_not_set(void)
{
    struct err e;
    char *got = NULL;
    unsetenv("SFT_NOBODY");
    CU_ASSERT(href_resolve("http://%SFT_NOBODY%/x.sft", &(struct href_options){ .base = DIR }, &got,
                           &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_UNRESOLVED);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "%SFT_NOBODY%"));
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "--override-url"));
}

static void resolve_leaves_escapes_of_a_url_alone(void)
{
    check_resolve("http://web/%C3%A9t%C3%A9%20a%20b.sft", (struct href_options){ .base = DIR },
                  "http://web/%C3%A9t%C3%A9%20a%20b.sft");
    check_resolve_error("http://%ACE%/x.sft", (struct href_options){ .base = DIR },
                        ERR_UNRESOLVED);
}

static void resolve_escapes_what_a_url_cannot_hold(void)
{
    check_resolve("http://web\\My Apps\\\xc3\xa9 100%.sft", (struct href_options){ .base = DIR },
                  "http://web/My%20Apps/%C3%A9%20100%25.sft");
}

static void resolve_puts_relative_places_beside_the_document(void)
{
    static const char *const rows[][3] = {
        { DIR, "x.sft", DIR "/x.sft" },
        { DIR "/", "sub\\x.sft?Customer=P", DIR "/sub/x.sft" },
        { DIR, "\\x.sft", DIR "/x.sft" },
        { DIR, "\\\\localfile.sft", DIR "/localfile.sft" },
        { DIR, "file://\\\\localfile.sft", DIR "/localfile.sft" },
        { DIR, "file://x.sft", DIR "/x.sft" },
        { DIR, "file:x%20y.sft", DIR "/x y.sft" },
        { DIR, "%SFT_MIME_SOURCE%/x.sft", DIR "/x.sft" },
        { DIR, "%sft_mime_source%\\a\\x.sft", DIR "/a/x.sft" },
        { "/", "x.sft", "/x.sft" },
        { NULL, "x.sft", "x.sft" },
        { "http://web/apps", "FILE://\\x y.sft", "http://web/apps/x%20y.sft" },
        { "http://web/apps/", "x.sft", "http://web/apps/x.sft" },
        { "http://web/apps/Calc.OSD?v=1", "x.sft", "http://web/apps/x.sft" },
        { "http://web/apps/calc_manifest.xml", "%SFT_MIME_SOURCE%/Calc.osd",
          "http://web/apps/Calc.osd" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_resolve(rows[i][1], (struct href_options){ .base = rows[i][0] }, rows[i][2]);
}

static void resolve_refuses_an_href_without_a_file_name(void)
{
    static const char *const bad[] = { "http://web", "http://web/dir/", "\\\\srv\\share",
                                       "\\\\srv\\share\\", "D:\\", "file:///", "/srv/" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        check_resolve_error(bad[i], (struct href_options){ .base = DIR }, ERR_UNRESOLVED);
}

/* --- local paths ------------------------------------------------------------------------------ */

static void local_path_takes_every_file_spelling(void)
{
    static const char *const rows[][2] = {
        { "/a/b c.sft", "/a/b c.sft" },
        { "/a/odd\\name%20.sft", "/a/odd\\name%20.sft" },
        { "x.sft", DIR "/x.sft" },
        { "dir\\x.sft", DIR "/dir/x.sft" },
        { "file:///a/b%20c.sft", "/a/b c.sft" },
        { "FILE:/a/b.sft", "/a/b.sft" },
        { "file://localhost/a/b.sft", "/a/b.sft" },
        { "file://\\x.sft", DIR "/x.sft" },
        { "file://\\\\x.sft", DIR "/x.sft" },
        { "file://\\\\srv\\share\\a\\x.sft", "/mnt/share/a/x.sft" },
        { "file://\\srv\\share\\x.sft", "/mnt/share/x.sft" },
        { "file://srv/share/a%20b.sft", "/mnt/share/a b.sft" },
        { "file:////srv/share/x.sft", "/mnt/share/x.sft" },
        { "file://///srv/share/x.sft", "/mnt/share/x.sft" },
        { "\\\\SRV\\SHARE\\a\\x.sft", "/mnt/share/a/x.sft" },
        { "\\\\\\\\srv\\\\share\\\\x.sft", "/mnt/share/x.sft" },
        { "\\\\srv\\share\\deep\\x.sft?Customer=P", "/mnt/deep/x.sft" },
        { "\\\\srv\\share\\deeper\\x.sft", "/mnt/share/deeper/x.sft" },
        { "D:\\SoftGrid\\app.sft", "/mnt/d/SoftGrid/app.sft" },
        { "file://d:/SoftGrid/app.sft", "/mnt/d/SoftGrid/app.sft" },
        { "file:///D:/SoftGrid/app.sft", "/mnt/d/SoftGrid/app.sft" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_local(rows[i][0], rows[i][1]);
}

static void local_path_needs_a_mapping_for_shares_and_drives(void)
{
    check_local_error("\\\\other\\share\\x.sft", "\\\\srv\\share=/mnt", ERR_UNRESOLVED);
    check_local_error("\\\\srv\\shared\\x.sft", "\\\\srv\\share=/mnt", ERR_UNRESOLVED);
    check_local_error("\\\\srv\\share\\x.sft", NULL, ERR_UNRESOLVED);
    check_local_error("E:\\x.sft", "D:=/mnt", ERR_UNRESOLVED);
}

static void local_path_refuses_a_malformed_map(void)
{
    check_local_error("\\\\srv\\share\\x.sft", "\\\\srv\\share", ERR_INVALID);
    check_local_error("\\\\srv\\share\\x.sft", "=/mnt", ERR_INVALID);
    check_local_error("\\\\srv\\share\\x.sft", "\\\\srv\\share=", ERR_INVALID);
}

static void local_path_does_not_climb_out_of_a_mapping(void)
{
    static const char map[] = "\\\\srv\\share=/mnt;D:=/d";
    check_local_error("\\\\srv\\share\\..\\x.sft", map, ERR_UNSAFE_PATH);
    check_local_error("file://srv/share/a/%2e%2e/%2E%2E/x.sft", map, ERR_UNSAFE_PATH);
    check_local_error("file://srv/share/a%5c..%5c..%5cx.sft", map, ERR_UNSAFE_PATH);
    check_local_error("D:\\..\\x.sft", map, ERR_UNSAFE_PATH);
}

static void local_path_refuses_what_is_no_file(void)
{
    check_local_error("http://web/x.sft", NULL, ERR_INVALID);
    check_local_error("file:///a%00b", NULL, ERR_INVALID);
    check_local_error("", NULL, ERR_INVALID);
}

/* --- file names ------------------------------------------------------------------------------- */

static void file_name_is_the_last_component(void)
{
    static const char *const rows[][2] = {
        { "RTSPS://%S%:322/WINZIP.001/WINZIP.001.sft?Customer=My/Policy", "WINZIP.001.sft" },
        { "rtsp://server/a%20b.sft", "a b.sft" },
        { "FILE://\\x.sft", "x.sft" },
        { "\\\\srv\\share\\dir\\x.sft", "x.sft" },
        { "D:\\dir/x.sft", "x.sft" },
        { "x.sft", "x.sft" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e;
        char *got = NULL;
        int rc = href_file_name(rows[i][0], &got, &e);
        check_text(rows[i][0], rc, got, rows[i][1], &e);
    }
}

static void file_name_is_refused_when_there_is_none(void)
{
    static const char *const bad[] = { "rtsps://server:322/", "http://web", "http://web/a/..",
                                       "http://web/a%2fb", "http://web/%5c" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e;
        char *got = NULL;
        int rc = href_file_name(bad[i], &got, &e);
        check_error(bad[i], rc, got, ERR_UNRESOLVED, &e);
    }
}

static void scheme_is_compared_without_case_and_drives_have_none(void)
{
    CU_ASSERT(href_has_scheme("HTTP://x/", "http"));
    CU_ASSERT(!href_has_scheme("https://x/", "http"));
    CU_ASSERT(href_has_scheme("FILE:x", "file"));
    CU_ASSERT(!href_has_scheme("D://x", "d"));
    CU_ASSERT(!href_has_scheme("odd:name.sft", "odd"));
}

static void an_object_beside_another(void)
{
    static const char *const rows[][3] = {
        { "/pkg/all.msixbundle", "main x64.appx", "/pkg/main x64.appx" },
        { "all.msixbundle", "a/b.appx", "./a/b.appx" },
        { "all.msixbundle", "http:b", "./http:b" },
        { "pkg/all.msixbundle?x", "b.appx", "pkg/b.appx" },
        { "\\\\server\\share\\all.msixbundle", "b.appx", "\\\\server\\share\\b.appx" },
        { "http://h/pkg/all.msixbundle", "main x64%.appx", "http://h/pkg/main%20x64%25.appx" },
        { "https://h/pkg/all.msixbundle?sig=a/b#c/d", "b.appx", "https://h/pkg/b.appx?sig=a/b" },
        { "http://h", "b.appx", "http://h/b.appx" },
        { "http://h?q", "b.appx", "http://h/b.appx?q" },
        { "file:///pkg/all%20it.msixbundle", "b c.appx", "file:///pkg/b%20c.appx" },
        { "file:/all.msixbundle", "b c.appx", "file:/b%20c.appx" },
        { "file:p/all.msixbundle", "b.appx", "file:p/b.appx" },
        { "file:all.msixbundle", "b.appx", "file:b.appx" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *got = place_beside(rows[i][0], rows[i][1]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(got);
        if (strcmp(got, rows[i][2]))
            printf("\n    %s: got %s, wanted %s", rows[i][0], got, rows[i][2]);
        CU_ASSERT_STRING_EQUAL(got, rows[i][2]);
        free(got);
    }
}

UNIT_MAIN("href",
          TEST(source_root_gives_every_row_of_the_documented_table),
          TEST(source_root_takes_other_spellings),
          TEST(source_root_is_refused_when_it_is_not_one),
          TEST(source_root_error_does_not_repeat_a_password),
          TEST(resolve_prefers_source_then_override_then_root),
          TEST(resolve_refuses_an_empty_href),
          TEST(resolve_takes_every_spelling_seen_in_the_world),
          TEST(resolve_names_a_variable_that_is_not_set),
          TEST(resolve_leaves_escapes_of_a_url_alone),
          TEST(resolve_escapes_what_a_url_cannot_hold),
          TEST(resolve_puts_relative_places_beside_the_document),
          TEST(resolve_refuses_an_href_without_a_file_name),
          TEST(local_path_takes_every_file_spelling),
          TEST(local_path_needs_a_mapping_for_shares_and_drives),
          TEST(local_path_refuses_a_malformed_map),
          TEST(local_path_does_not_climb_out_of_a_mapping),
          TEST(local_path_refuses_what_is_no_file),
          TEST(file_name_is_the_last_component),
          TEST(file_name_is_refused_when_there_is_none),
          TEST(scheme_is_compared_without_case_and_drives_have_none),
          TEST(an_object_beside_another))
