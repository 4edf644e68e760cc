/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/appx_bundle.c. */
#include "config.h"

#include <stdio.h>

#include "src/appx_bundle.h"
#include "tests/unit.h"

#define ID "<Identity Name='Test' Publisher='CN=T' Version='2013.1.2.3'/>"
#define BUNDLE(packages)                                                                           \
    "<Bundle xmlns='http://schemas.microsoft.com/appx/2013/bundle' SchemaVersion='1.0'>" ID        \
    "<Packages>" packages "</Packages></Bundle>"

static struct appx_bundle *read_text(const char *text)
{
    struct err e = { .kind = ERR_NONE };
    struct appx_bundle *b = NULL;
    if (appx_bundle_read(text, strlen(text), &b, &e))
        printf("\n    %.200s: %s", text, e.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    return b;
}

static void check_refused(const char *text, enum err_kind kind, const char *says)
{
    struct err e = { .kind = ERR_NONE };
    struct appx_bundle *b = NULL;
    int rc = appx_bundle_read(text, strlen(text), &b, &e);
    if (rc >= 0 || e.kind != kind || !strstr(e.text, says))
        printf("\n    %.200s: %s: %s", text, err_kind_name(e.kind), e.text);
    CU_ASSERT_EQUAL(rc, -err_kind_errno(kind));
    CU_ASSERT_EQUAL(e.kind, kind);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, says));
    CU_ASSERT_PTR_NULL(b);
}

static void packages_in_a_bundle_are_read(void)
{
    struct appx_bundle *b = read_text(
        BUNDLE("<Package Type='application' Version='1.0.0.2' Architecture='x86' ResourceId='D' "
               "FileName='x86\\App.appx' Offset='53' Size='3206'><Resources>"
               "<Resource Language='en-us'/><Resource Language='de'/></Resources></Package>"
               "<Package Type='application' FileName='any.appx' Offset='9223372036854775806' "
               "Size='1'/>"
               "<Package FileName='s.appx' Size='9'><Resources><Resource Scale='140'/>"
               "<Resource DXFeatureLevel='dx9'/></Resources></Package>"));
    CU_ASSERT_STRING_EQUAL(b->identity.name, "Test");
    CU_ASSERT_STRING_EQUAL(b->identity.version, "2013.1.2.3");
    CU_ASSERT_EQUAL_FATAL(b->package_count, 3);
    const struct appx_bundle_package *p = b->packages;
    CU_ASSERT_STRING_EQUAL(p[0].file_name, "x86/App.appx");
    CU_ASSERT_EQUAL(p[0].offset, 53);
    CU_ASSERT_EQUAL(p[0].size, 3206);
    CU_ASSERT(p[0].is_application);
    CU_ASSERT_STRING_EQUAL(p[0].architecture, "x86");
    CU_ASSERT_STRING_EQUAL(p[0].resource_id, "D");
    CU_ASSERT_STRING_EQUAL(p[0].version, "1.0.0.2");
    CU_ASSERT_EQUAL_FATAL(p[0].resource_count, 2);
    CU_ASSERT_STRING_EQUAL(p[0].resources[1].language, "de");
    CU_ASSERT_STRING_EQUAL(p[1].architecture, "neutral");
    CU_ASSERT_EQUAL(p[1].offset, UINT64_C(9223372036854775806));
    CU_ASSERT_STRING_EQUAL(p[2].type, "resource");
    CU_ASSERT(!p[2].is_application && !p[2].offset);
    CU_ASSERT_STRING_EQUAL(p[2].architecture, "");
    CU_ASSERT_EQUAL_FATAL(p[2].resource_count, 2);
    CU_ASSERT_STRING_EQUAL(p[2].resources[0].scale, "140");
    CU_ASSERT_STRING_EQUAL(p[2].resources[1].dx_level, "dx9");
    appx_bundle_free(b);
}

static void bundle_may_hold_nothing(void)
{
    struct appx_bundle *b = read_text("<Bundle>" ID "</Bundle>");
    CU_ASSERT_EQUAL(b->package_count, 0);
    appx_bundle_free(b);
    appx_bundle_free(NULL);
}

static void bad_bundles_are_refused(void)
{
    check_refused("", ERR_XML, "bundle manifest");
    check_refused("<Package>" ID "</Package>", ERR_XML, "not Bundle");
    check_refused("<Bundle/>", ERR_XML, "Identity");
    check_refused(BUNDLE("\n<Package/>"), ERR_BAD_NAME, "line 2");
    check_refused(BUNDLE("<Package FileName='..\\a'/>"), ERR_BAD_NAME, "..");
    check_refused(BUNDLE("<Package FileName='C:\\a'/>"), ERR_BAD_NAME, "drive");
    check_refused(BUNDLE("<Package FileName='/etc/passwd'/>"), ERR_BAD_NAME, "");
    check_refused(BUNDLE("<Package FileName='a'/><Package FileName='A'/>"), ERR_DUPLICATE_NAME,
                  "\"A\"");
    check_refused(BUNDLE("<Package FileName='a' Size='-1'/>"), ERR_CORRUPT, "Size");
    check_refused(BUNDLE("<Package FileName='a' Offset='9223372036854775808'/>"), ERR_CORRUPT,
                  "Offset");
    check_refused(BUNDLE("<Package FileName='a' Offset='9223372036854775807' Size='1'/>"),
                  ERR_CORRUPT, "Offset and Size");
    check_refused(BUNDLE("<Package FileName='a' Size='36893488147419103232'/>"), ERR_CORRUPT,
                  "Size");
}

UNIT_MAIN("appx_bundle", TEST(packages_in_a_bundle_are_read), TEST(bundle_may_hold_nothing),
          TEST(bad_bundles_are_refused))
