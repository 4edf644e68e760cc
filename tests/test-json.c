/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The JSON writer: form, escapes, bytes that are no UTF-8, depth. */
#include "config.h"

#include "tests/unit.h"
#include "tools/json.h"

struct written {
    struct json json;
    char *text;
    size_t len;
};

static void begin(struct written *w)
{
    w->json = json_begin(open_memstream(&w->text, &w->len));
}

/* Ends the document and compares it with WANTED, white space outside of strings left out. */
static bool ends_as(struct written *w, const char *wanted)
{
    bool in_string = false, same;
    size_t n = 0;

    CU_ASSERT_EQUAL(json_end(&w->json), 0);
    (void)fclose(w->json.out);
    for (const char *p = w->text; *p; p++) {
        if (*p == '"' && (p == w->text || p[-1] != '\\'))
            in_string = !in_string;
        if (in_string || (*p != ' ' && *p != '\n'))
            w->text[n++] = *p;
    }
    w->text[n] = '\0';
    same = !strcmp(w->text, wanted);
    if (!same)
        (void)fprintf(stderr, "got    %s\nwanted %s\n", w->text, wanted);
    free(w->text);
    return same;
}

static void json_separates_members_and_elements(void)
{
    struct written w;

    begin(&w);
    json_object(&w.json, NULL);
    json_uint(&w.json, "a", UINT64_MAX);
    json_array(&w.json, "b");
    json_int(&w.json, NULL, INT64_MIN);
    json_array(&w.json, NULL);
    json_close_array(&w.json);
    json_bool(&w.json, NULL, true);
    json_close_array(&w.json);
    json_object(&w.json, "c");
    json_close_object(&w.json);
    json_string(&w.json, "d", NULL);
    json_close_object(&w.json);
    CU_ASSERT(ends_as(&w, "{\"a\":18446744073709551615,\"b\":[-9223372036854775808,[],true],"
                          "\"c\":{},\"d\":null}"));
}

static void json_escapes_what_must_be_escaped(void)
{
    struct written w;

    begin(&w);
    json_string(&w.json, NULL, "q\" b\\ n\n t\t \x01 \x1b \x7f /");
    CU_ASSERT(ends_as(&w, "\"q\\\" b\\\\ n\\n t\\t \\u0001 \\u001b \\u007f /\""));
}

static void json_keeps_utf8_and_replaces_what_is_none(void)
{
    struct written w;

    begin(&w);
    json_array(&w.json, NULL);
    json_string(&w.json, NULL, "\xc3\xa9 \xe6\x96\x87 \xf0\x9f\x98\x80");
    json_string(&w.json, NULL, "\xff");
    json_string(&w.json, NULL, "\xc0\xaf");         /* overlong */
    json_string(&w.json, NULL, "\xed\xa0\x80");     /* a surrogate */
    json_string(&w.json, NULL, "\xf4\x90\x80\x80"); /* beyond U+10FFFF */
    json_string(&w.json, NULL, "\xe6\x96");         /* ends early */
    json_close_array(&w.json);
#define R "\xef\xbf\xbd"
    CU_ASSERT(ends_as(&w, "[\"\xc3\xa9 \xe6\x96\x87 \xf0\x9f\x98\x80\",\"" R "\",\"" R R "\",\"" R R R
                          "\",\"" R R R R "\",\"" R R "\"]"));
}

static void json_has_no_limit_of_depth(void)
{
    char wanted[2 * 500 + 4] = "";
    struct written w;

    begin(&w);
    for (int i = 0; i < 500; i++)
        json_array(&w.json, NULL);
    for (int i = 0; i < 500; i++)
        json_close_array(&w.json);
    memset(wanted, '[', 500);
    memset(wanted + 500, ']', 500);
    CU_ASSERT(ends_as(&w, wanted));
}

static void json_writes_values_of_packages(void)
{
    const struct guid guid = { { 0xa1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };
    struct written w;

    begin(&w);
    json_object(&w.json, NULL);
    json_guid(&w.json, "g", &guid);
    json_hex(&w.json, "h", guid.b, 3);
    json_filetime(&w.json, "t", INT64_C(127751904000000000));
    json_filetime(&w.json, "n", 0);
    json_close_object(&w.json);
    CU_ASSERT(ends_as(&w, "{\"g\":\"A1020304-0506-0708-090A-0B0C0D0E0F10\",\"h\":\"a10203\","
                          "\"t\":\"2005-10-31T00:00:00Z\",\"n\":null}"));
}

UNIT_MAIN("json", TEST(json_separates_members_and_elements), TEST(json_escapes_what_must_be_escaped),
          TEST(json_keeps_utf8_and_replaces_what_is_none), TEST(json_has_no_limit_of_depth),
          TEST(json_writes_values_of_packages))
