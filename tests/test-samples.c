/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads OSD files as they occur in the world. SFTFS_SAMPLES names their directory, by default
 * ../shared/samples beside the source. Real ones are not part of the source; without them the test
 * reads those in tests/data/samples, which were written after their model.
 */
#include "config.h"

#include <dirent.h>
#include <stdio.h>

#include "fetch/href.h"
#include "src/manifest.h"
#include "src/osd.h"
#include "src/xml.h"
#include "tests/unit.h"

static char samples[4096];

/* Contents of DIRECTORY/NAME below the samples, NUL-terminated, or NULL. */
static char *slurp(const char *directory, const char *name, size_t *len)
{
    char path[8192];
    (void)snprintf(path, sizeof path, "%s/%s/%s", samples, directory, name);
    FILE *f = fopen(path, "rb");
    char *text = f ? calloc(1, XML_BYTES_MAX) : NULL;
    if (text)
        *len = fread(text, 1, XML_BYTES_MAX - 1, f);
    if (f)
        (void)fclose(f);
    return text;
}

static bool ends_in(const char *name, const char *suffix)
{
    size_t n = strlen(name), s = strlen(suffix);
    return n > s && !strcmp(name + n - s, suffix);
}

/* Calls EACH with the contents of every file of a directory that ends in SUFFIX. */
static unsigned for_each(const char *directory, const char *suffix,
                         void (*each)(const char *name, const char *text, size_t len))
{
    char path[8192];
    unsigned seen = 0;
    (void)snprintf(path, sizeof path, "%s/%s", samples, directory);
    DIR *d = opendir(path);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        size_t len = 0;
        char *text = ends_in(entry->d_name, suffix) ? slurp(directory, entry->d_name, &len) : NULL;
        if (text) {
            each(entry->d_name, text, len);
            seen++;
        }
        free(text);
    }
    if (d)
        (void)closedir(d);
    return seen;
}

static struct osd *read_osd(const char *name, const char *text, size_t len)
{
    struct err e = { .kind = ERR_NONE };
    struct osd *osd = NULL;
    if (osd_read(text, len, &osd, &e))
        printf("\n    %s: %s", name, e.text);
    CU_ASSERT_PTR_NOT_NULL(osd);
    return osd;
}

static void check_whole(const char *name, const char *text, size_t len)
{
    struct osd *osd = read_osd(name, text, len);
    if (!osd)
        return;
    CU_ASSERT(*osd->name && *osd->version && *osd->guid && *osd->package_name);
    CU_ASSERT(*osd->codebase.guid && *osd->codebase.filename && *osd->codebase.sysguardfile);
    CU_ASSERT(osd->codebase.size > 0 && osd->os_count > 0 && osd->shortcut_count > 0);
    osd_free(osd);
}

static void whole_files_are_read(void)
{
    CU_ASSERT(for_each("osd", ".osd", check_whole) > 0);
}

/* A fragment is read inside the document that it was cut from. */
static void check_fragment(const char *name, const char *text, size_t len)
{
    bool has_own = strstr(text, "<CODEBASE") && !strstr(text, "<DEPENDENCIES");
    char *whole = NULL;
    int n = asprintf(&whole, "<SOFTPKG>%s%s</SOFTPKG>",
                     has_own ? "" : "<CODEBASE HREF='x.sft'/>", text);
    (void)len;
    CU_ASSERT_FATAL(n > 0);
    struct osd *osd = read_osd(name, whole, (size_t)n);
    if (osd) {
        size_t found = osd->policy_count + osd->script_count + osd->dependency_count +
                       osd->environment_count;
        CU_ASSERT(has_own || found > 0);
    }
    osd_free(osd);
    free(whole);
}

static void fragments_are_read(void)
{
    CU_ASSERT(for_each("osd", ".fragment.xml", check_fragment) > 0);
}

static void check_hrefs(const char *name, const char *text, size_t len)
{
    auto_free char *lines = strdup(text);
    char *rest = NULL;
    (void)name, (void)len;
    for (char *href = strtok_r(lines, "\r\n", &rest); href; href = strtok_r(NULL, "\r\n", &rest)) {
        struct href_options o = { .base = "/base" };
        struct err e = { .kind = ERR_NONE };
        char *got = NULL;
        int rc = href_resolve(href, &o, &got, &e);
        bool names_file = href[strlen(href) - 1] != '/';
        if ((rc == 0) != names_file)
            printf("\n    %s: %s", href, rc ? e.text : got);
        CU_ASSERT_EQUAL(rc == 0, names_file);
        free(got);
    }
}

static void every_href_gives_a_place(void)
{
    setenv("SFT_SOFTGRIDSERVER", "apps.test", 1);
    CU_ASSERT(for_each("osd", "-forms.txt", check_hrefs) > 0);
}

/* A project template is no OSD, but is XML and holds the text of one. */
static void check_template(const char *name, const char *text, size_t len)
{
    struct err e = { .kind = ERR_NONE };
    struct osd *osd = NULL;
    struct manifest *m = NULL;
    xmlDoc *doc = NULL;
    CU_ASSERT(osd_read(text, len, &osd, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_XML);
    CU_ASSERT(manifest_read(text, len, &m, &e) < 0);
    CU_ASSERT_EQUAL_FATAL(xml_parse(text, len, &doc, &e), 0);
    struct pool *pool = pool_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
    const char *inner = xml_text(xml_find(xmlDocGetRootElement(doc), "DEFAULTOSD"), pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(inner);
    if (*inner) {
        osd = read_osd(name, inner, strlen(inner));
        osd_free(osd);
    }
    pool_free(pool);
    xmlFreeDoc(doc);
}

static void project_templates_are_told_from_osds(void)
{
    CU_ASSERT(for_each("sprt", ".sprt", check_template) > 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        TEST(whole_files_are_read),
        TEST(fragments_are_read),
        TEST(every_href_gives_a_place),
        TEST(project_templates_are_told_from_osds),
    };
    const char *given = getenv("SFTFS_SAMPLES"), *source = getenv("srcdir");
    size_t len;
    if (given && *given)
        (void)snprintf(samples, sizeof samples, "%s", given);
    else
        (void)snprintf(samples, sizeof samples, "%s/../shared/samples", source ? source : ".");
    char *probe = slurp("osd", "07-href-forms.txt", &len);
    if (!probe)
        (void)snprintf(samples, sizeof samples, "%s/tests/data/samples", source ? source : ".");
    free(probe);
    return unit_run("samples", tests, ARRAY_LEN(tests));
}
