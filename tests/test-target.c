/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of tools/target.c: which places of a package a document and the options lead to. */
#include "config.h"

#include "tools/target.h"

#include <stdio.h>

#include "tests/unit.h"

static char dir[] = "/tmp/sftfs-target-XXXXXX";
static char osd[300], package[300];

static void write_osd(const char *href)
{
    FILE *f = fopen(osd, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT(fprintf(f,
                      "<SOFTPKG NAME=\"App\"><IMPLEMENTATION><CODEBASE HREF=\"%s\" "
                      "FILENAME=\"a.exe\"/></IMPLEMENTATION></SOFTPKG>",
                      href) > 0);
    CU_ASSERT_EQUAL(fclose(f), 0);
}

static int find(const char *named, const struct target_options *o, struct target *t, struct err *e)
{
    static const struct source_options connection = { .proxy = "", .io_timeout_ms = 60000 };

    return target_find(named, &connection, o, t, e);
}

/* The places found for HREF with O are these, up to the first NULL. */
static void check(const char *href, struct target_options o, const char *first, const char *second)
{
    const char *const want[] = { first, second };
    size_t count = (first != NULL) + (second != NULL);
    struct target t;
    struct err e = { .kind = ERR_NONE };

    write_osd(href);
    CU_ASSERT_EQUAL(find(osd, &o, &t, &e), 0);
    CU_ASSERT_EQUAL(t.location_count, count);
    for (size_t i = 0; i < count && i < t.location_count; i++) {
        CU_ASSERT_STRING_EQUAL(t.locations[i], want[i]);
        if (strcmp(t.locations[i], want[i]) != 0)
            printf("\n    %s, not %s", t.locations[i], want[i]);
    }
    target_free(&t);
}

#define SERVER "http://server/App.sft"
#define OTHER "http://other/x.sft"

static void target_without_options_has_the_place_of_the_href(void)
{
    check(SERVER, (struct target_options){ .app = NULL }, SERVER, NULL);
}

static void target_has_the_override_url_and_then_the_href(void)
{
    check(SERVER, (struct target_options){ .override_url = OTHER }, OTHER, SERVER);
    check(SERVER, (struct target_options){ .override_url = OTHER, .source_root = "http://root/a" },
          OTHER, "http://root/a/App.sft");
}

static void target_has_the_override_url_alone_when_the_href_is_no_place(void)
{
    check("rtsp://server/App.sft", (struct target_options){ .override_url = OTHER }, OTHER, NULL);
    check("http://server/dir/", (struct target_options){ .override_url = OTHER }, OTHER, NULL);
    check("http://%NO_SUCH_VARIABLE_HERE%/a.sft", (struct target_options){ .override_url = OTHER },
          OTHER, NULL);
    check(OTHER, (struct target_options){ .override_url = OTHER }, OTHER, NULL);
}

static void target_has_an_override_path_alone(void)
{
    check(SERVER, (struct target_options){ .override_url = "/some/path.sft" }, "/some/path.sft",
          NULL);
}

static void target_has_an_explicit_source_alone(void)
{
    check(SERVER, (struct target_options){ .source = "http://s/1.sft", .override_url = OTHER },
          "http://s/1.sft", NULL);
}

static void target_with_mirrors_needs_no_place_of_its_own(void)
{
    check("http://server/dir/", (struct target_options){ .mirrored = true }, NULL, NULL);
    check("rtsp://server/App.sft", (struct target_options){ .mirrored = true },
          "rtsp://server/App.sft", NULL);
}

static void target_that_is_a_package_is_its_own_place(void)
{
    struct target t;
    FILE *f = fopen(package, "w");

    CU_ASSERT_FATAL(f && fputs("DSFT or whatever", f) >= 0 && !fclose(f));
    CU_ASSERT_EQUAL(find(package, &(struct target_options){ .app = NULL }, &t, NULL), 0);
    CU_ASSERT_EQUAL(t.location_count, 1);
    CU_ASSERT_STRING_EQUAL(t.locations[0], package);
    CU_ASSERT_STRING_EQUAL(t.document, "");
    target_free(&t);
}

/* Port 1 of this machine: nobody listens. */
static void target_on_a_server_that_is_away_is_taken_for_a_package(void)
{
    static const struct {
        const char *named;
        bool offline, mirrored, package;
    } rows[] = {
        { "http://127.0.0.1:1/App.sft", false, false, true },
        { "http://127.0.0.1:1/App.osd", true, false, true },
        { "http://127.0.0.1:1/App.sft", true, false, true },
        { "http://127.0.0.1:1/App.osd", false, true, true },
        { "/nowhere/at/all.sft", false, true, true },
        { "/nowhere/at/all.sft", true, false, false },
        { "http://me:secret@127.0.0.1:1/App.sft", false, true, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct target_options o = { .offline = rows[i].offline,
                                          .mirrored = rows[i].mirrored };
        struct target t;
        struct err e = { .kind = ERR_NONE };
        int rc = find(rows[i].named, &o, &t, &e);

        CU_ASSERT_EQUAL(rc == 0, rows[i].package);
        CU_ASSERT_EQUAL(t.location_count, rows[i].package);
        if (!rc)
            CU_ASSERT_STRING_EQUAL(t.locations[0], rows[i].named);
        target_free(&t);
    }
}

static void target_offline_reads_no_documents_from_servers(void)
{
    struct target t;
    struct err e = { .kind = ERR_NONE };

    write_osd(SERVER); /* a document at hand is read all the same */
    CU_ASSERT_EQUAL(find(osd, &(struct target_options){ .offline = true }, &t, &e), 0);
    CU_ASSERT_STRING_EQUAL(t.locations[0], SERVER);
    target_free(&t);
}

int main(void)
{
    static const struct unit_test tests[] = {
        TEST(target_without_options_has_the_place_of_the_href),
        TEST(target_has_the_override_url_and_then_the_href),
        TEST(target_has_the_override_url_alone_when_the_href_is_no_place),
        TEST(target_has_an_override_path_alone),
        TEST(target_has_an_explicit_source_alone),
        TEST(target_with_mirrors_needs_no_place_of_its_own),
        TEST(target_that_is_a_package_is_its_own_place),
        TEST(target_on_a_server_that_is_away_is_taken_for_a_package),
        TEST(target_offline_reads_no_documents_from_servers),
    };

    if (!mkdtemp(dir))
        return 99;
    (void)snprintf(osd, sizeof osd, "%s/App.osd", dir);
    (void)snprintf(package, sizeof package, "%s/App.sft", dir);
    int status = unit_run("target", tests, sizeof tests / sizeof *tests);
    (void)unlink(osd);
    (void)unlink(package);
    (void)rmdir(dir);
    return status;
}
