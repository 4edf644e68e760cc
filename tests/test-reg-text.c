/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text that regedit imports, where keys go in it, and UTF-16. */
#include "config.h"

#include "src/utf16.h"
#include "tests/unit.h"
#include "tools/reg_text.h"
#include "tools/registry_path.h"

struct memory {
    char bytes[4096];
    size_t len;
};

static int write_memory(void *arg, const void *data, size_t len, struct err *e)
{
    struct memory *m = arg;

    if (len > sizeof m->bytes - 1 - m->len)
        return err_set(e, ERR_LIMIT, "memory");
    memcpy(m->bytes + m->len, data, len);
    m->len += len;
    m->bytes[m->len] = '\0';
    return 0;
}

/* Whether the value is written as WANTED, a line without its end. */
static bool writes(const char *name, uint32_t type, const void *data, size_t len,
                   const char *wanted)
{
    struct memory m = { .len = 0 };
    struct reg_text r = { .write = write_memory, .arg = &m, .utf8 = true };
    struct err e;

    CU_ASSERT_EQUAL_FATAL(reg_text_value(&r, name, type, data, len, &e), 0);
    bool same = m.len >= 2 && m.len - 2 == strlen(wanted) && !memcmp(m.bytes, wanted, m.len - 2) &&
                !strcmp(m.bytes + m.len - 2, "\r\n");
    if (!same)
        (void)fprintf(stderr, "got    %swanted %s\n", m.bytes, wanted);
    return same;
}

/* The same of a text, N bytes of UTF-8. */
static bool writes_wide(const char *name, uint32_t type, const char *text, size_t n,
                        const char *wanted)
{
    auto_free uint8_t *wide = NULL;
    size_t len;

    CU_ASSERT_EQUAL_FATAL(utf16_from_utf8(text, n, &wide, &len), 0);
    return writes(name, type, wide, len, wanted);
}

#define WIDE(s)  (s), sizeof(s)
#define BYTES(s) (s), sizeof(s) - 1

static void reg_text_writes_every_type(void)
{
    CU_ASSERT(writes_wide("a", REG_SZ, WIDE("text"), "\"a\"=\"text\""));
    CU_ASSERT(writes_wide("", REG_SZ, WIDE(""), "@=\"\""));
    CU_ASSERT(writes("a", REG_DWORD, BYTES("\x01\x02\x03\xff"), "\"a\"=dword:ff030201"));
    CU_ASSERT(writes("a", REG_BINARY, BYTES("\x01\xfe"), "\"a\"=hex:01,fe"));
    CU_ASSERT(writes("a", REG_NONE, "", 0, "\"a\"=hex(0):"));
    CU_ASSERT(writes_wide("a", REG_EXPAND_SZ, WIDE("%"), "\"a\"=hex(2):25,00,00,00"));
    CU_ASSERT(writes("a", REG_DWORD_BIG_ENDIAN, BYTES("\0\0\0\1"), "\"a\"=hex(5):00,00,00,01"));
    CU_ASSERT(writes_wide("a", REG_LINK, WIDE("x"), "\"a\"=hex(6):78,00,00,00"));
    CU_ASSERT(writes_wide("a", REG_MULTI_SZ, WIDE("x\0y\0"),
                          "\"a\"=hex(7):78,00,00,00,79,00,00,00,00,00"));
    CU_ASSERT(writes("a", REG_RESOURCE_LIST, BYTES("1"), "\"a\"=hex(8):31"));
    CU_ASSERT(writes("a", REG_FULL_RESOURCE_DESCRIPTOR, BYTES("1"), "\"a\"=hex(9):31"));
    CU_ASSERT(writes("a", REG_RESOURCE_REQUIREMENTS_LIST, BYTES("1"), "\"a\"=hex(a):31"));
    CU_ASSERT(
        writes("a", REG_QWORD, BYTES("\1\0\0\0\0\0\0\0"), "\"a\"=hex(b):01,00,00,00,00,00,00,00"));
    CU_ASSERT(writes("a", 0xfffe, BYTES("1"), "\"a\"=hex(fffe):31"));
}

static void reg_text_escapes_backslashes_and_quotes(void)
{
    CU_ASSERT(writes_wide("C:\\a\"b", REG_SZ, WIDE("\"C:\\x\" %1"),
                          "\"C:\\\\a\\\"b\"=\"\\\"C:\\\\x\\\" %1\""));
    CU_ASSERT(writes_wide("\\", REG_SZ, WIDE("\\"), "\"\\\\\"=\"\\\\\""));
    CU_ASSERT(writes_wide("Größe", REG_SZ, WIDE("日本\U0001f600"), "\"Größe\"=\"日本\U0001f600\""));
}

/* What in quotes would not be read as the same bytes again. */
static void reg_text_writes_odd_text_as_bytes(void)
{
    CU_ASSERT(writes("a", REG_SZ, BYTES("x\0"), "\"a\"=hex(1):78,00"));      /* no NUL */
    CU_ASSERT(writes("a", REG_SZ, BYTES("x\0\0"), "\"a\"=hex(1):78,00,00")); /* half a unit */
    CU_ASSERT(writes("a", REG_SZ, "", 0, "\"a\"=hex(1):"));
    CU_ASSERT(writes_wide("a", REG_SZ, WIDE("x\0y"), "\"a\"=hex(1):78,00,00,00,79,00,00,00"));
    CU_ASSERT(writes_wide("a", REG_SZ, WIDE("x\0"), "\"a\"=hex(1):78,00,00,00,00,00"));
    CU_ASSERT(writes_wide("a", REG_SZ, WIDE("x\n"), "\"a\"=hex(1):78,00,0a,00,00,00"));
    CU_ASSERT(writes("a", REG_SZ, BYTES("\x00\xd8\0\0"), "\"a\"=hex(1):00,d8,00,00"));
    CU_ASSERT(writes("a", REG_DWORD, BYTES("123"), "\"a\"=hex(4):31,32,33"));
}

static void reg_text_breaks_long_lines(void)
{
    uint8_t data[60];
    struct memory m = { .len = 0 };
    struct reg_text r = { .write = write_memory, .arg = &m, .utf8 = true };
    struct err e;
    size_t longest = 0, lines = 0, bytes = 0;

    memset(data, 0xab, sizeof data);
    CU_ASSERT_EQUAL_FATAL(reg_text_value(&r, "name", REG_BINARY, data, sizeof data, &e), 0);
    for (char *line = m.bytes; *line; lines++) {
        size_t n = strcspn(line, "\r");
        longest = n > longest ? n : longest;
        CU_ASSERT(lines == 0 || !strncmp(line, "  ab", 4));
        CU_ASSERT((line[n - 1] == '\\') == (line[n + 2] != '\0'));
        line += n + 2;
    }
    for (const char *p = m.bytes; (p = strstr(p, "ab")); p += 2)
        bytes++;
    CU_ASSERT_EQUAL(bytes, sizeof data);
    CU_ASSERT_EQUAL(lines, 3);
    CU_ASSERT(longest <= 80 && longest > 74);
}

static void reg_text_is_utf16_with_a_mark(void)
{
    static const char text[] =
        "\ufeffWindows Registry Editor Version 5.00\r\n\r\n[HKEY_USERS\\é]\r\n";
    struct memory m = { .len = 0 };
    struct reg_text r = { .write = write_memory, .arg = &m };
    auto_free char *got = NULL;
    struct err e;
    size_t n;

    CU_ASSERT_EQUAL(reg_text_begin(&r, &e), 0);
    CU_ASSERT_EQUAL(reg_text_key(&r, "HKEY_USERS\\é", &e), 0);
    CU_ASSERT(!memcmp(m.bytes, "\xff\xfeW\0i\0", 6));
    CU_ASSERT_EQUAL_FATAL(utf16_to_utf8((const uint8_t *)m.bytes, m.len, &got, &n), 0);
    CU_ASSERT_STRING_EQUAL(got, text);
}

static void reg_text_passes_errors_on_and_has_an_end(void)
{
    struct memory m = { .len = sizeof m.bytes - 1 };
    struct reg_text r = { .write = write_memory, .arg = &m };
    struct err e;

    CU_ASSERT(reg_text_begin(&r, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
    r = (struct reg_text){ .write = write_memory, .arg = &m, .bytes = REG_TEXT_BYTES_MAX - 1 };
    m.len = 0;
    CU_ASSERT(reg_text_key(&r, "x", &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
    CU_ASSERT_EQUAL(m.len, 0);
}

static void reg_text_cannot_name_everything(void)
{
    CU_ASSERT(reg_text_can_name("", false));
    CU_ASSERT(!reg_text_can_name("", true));
    CU_ASSERT(reg_text_can_name("a\\b", false));
    CU_ASSERT(!reg_text_can_name("a\\b", true));
    CU_ASSERT(reg_text_can_name("a]b", true));
    CU_ASSERT(!reg_text_can_name("a\nb", true));
    CU_ASSERT(!reg_text_can_name("a\nb", false));
}

static bool maps(enum registry_hive hive, const char *path, const char *wanted)
{
    auto_free char *got = NULL;

    CU_ASSERT_EQUAL(registry_path(hive, path, &got), 0);
    bool same = wanted ? got && !strcmp(got, wanted) : !got;
    if (!same)
        (void)fprintf(stderr, "%s: got %s\n", path, got ? got : "(nothing)");
    return same;
}

static void registry_path_knows_the_kernels_names(void)
{
    static const char user[] = "REGISTRY\\USER\\[{AppVCurrentUserSID}]";

    CU_ASSERT(maps(REGISTRY_MACHINE, "", NULL));
    CU_ASSERT(maps(REGISTRY_MACHINE, "REGISTRY", NULL));
    CU_ASSERT(maps(REGISTRY_MACHINE, "REGISTRY\\USER", NULL));
    CU_ASSERT(maps(REGISTRY_MACHINE, "REGISTRY\\OTHER\\a", NULL));
    CU_ASSERT(maps(REGISTRY_MACHINE, "REGISTRY\\MACHINE", "HKEY_LOCAL_MACHINE"));
    CU_ASSERT(maps(REGISTRY_MACHINE, "Registry\\Machine\\Software\\a",
                   "HKEY_LOCAL_MACHINE\\Software\\a"));
    CU_ASSERT(maps(REGISTRY_MACHINE, "REGISTRY\\MACHINES", NULL));
    CU_ASSERT(maps(REGISTRY_MACHINE, user, "HKEY_CURRENT_USER"));
    CU_ASSERT(maps(REGISTRY_USER, "REGISTRY\\USER\\[{CurrentUserSID}]\\Software",
                   "HKEY_CURRENT_USER\\Software"));
    CU_ASSERT(maps(REGISTRY_CLASSES, "REGISTRY\\USER\\[{CurrentUserSID}]_Classes\\.txt",
                   "HKEY_CURRENT_USER\\Software\\Classes\\.txt"));
    CU_ASSERT(maps(REGISTRY_MACHINE, "REGISTRY\\USER\\S-1-5-21-1-2-3-1001_CLASSES",
                   "HKEY_CURRENT_USER\\Software\\Classes"));
    CU_ASSERT(maps(REGISTRY_MACHINE, "REGISTRY\\USER\\.DEFAULT\\a", "HKEY_USERS\\.DEFAULT\\a"));
    CU_ASSERT(maps(REGISTRY_MACHINE, "REGISTRY\\USER\\S-1-5-18", "HKEY_USERS\\S-1-5-18"));
}

static void registry_path_goes_by_the_file_without_them(void)
{
    CU_ASSERT(maps(REGISTRY_MACHINE, "Software\\a", "HKEY_LOCAL_MACHINE\\Software\\a"));
    CU_ASSERT(maps(REGISTRY_MACHINE, "SoftwareToo", "HKEY_LOCAL_MACHINE\\Software\\SoftwareToo"));
    CU_ASSERT(maps(REGISTRY_MACHINE, "Vendor\\a", "HKEY_LOCAL_MACHINE\\Software\\Vendor\\a"));
    CU_ASSERT(maps(REGISTRY_USER, "", "HKEY_CURRENT_USER"));
    CU_ASSERT(maps(REGISTRY_USER, "Software\\a", "HKEY_CURRENT_USER\\Software\\a"));
    CU_ASSERT(maps(REGISTRY_CLASSES, ".txt", "HKEY_CURRENT_USER\\Software\\Classes\\.txt"));
}

static void utf16_goes_both_ways_and_refuses_halves(void)
{
    static const uint8_t bad[][4] = { { 0, 0xd8, 'a', 0 },
                                      { 0, 0xdc, 0, 0xd8 },
                                      { 'a', 0, 0, 0xd8 } };
    auto_free char *text = NULL;
    auto_free uint8_t *data = NULL;
    size_t n;

    CU_ASSERT_EQUAL_FATAL(utf16_from_utf8("a\0\U00010000\U0010ffff\uffff", 13, &data, &n), 0);
    CU_ASSERT_EQUAL(n, 14);
    CU_ASSERT_EQUAL_FATAL(utf16_to_utf8(data, n, &text, &n), 0);
    CU_ASSERT_EQUAL(n, 13);
    CU_ASSERT(!memcmp(text, "a\0\U00010000\U0010ffff\uffff", 14));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CU_ASSERT_EQUAL(utf16_to_utf8(bad[i], 4, &text, &n), -EILSEQ);
    CU_ASSERT_EQUAL(utf16_to_utf8(bad[0], 3, &text, &n), -EILSEQ);
    CU_ASSERT_EQUAL(utf16_from_utf8("\xed\xa0\x80", 3, &data, &n), -EILSEQ);
    CU_ASSERT_EQUAL(utf16_from_utf8("\xc3", 1, &data, &n), -EILSEQ);
}

UNIT_MAIN("reg-text", TEST(reg_text_writes_every_type),
          TEST(reg_text_escapes_backslashes_and_quotes), TEST(reg_text_writes_odd_text_as_bytes),
          TEST(reg_text_breaks_long_lines), TEST(reg_text_is_utf16_with_a_mark),
          TEST(reg_text_passes_errors_on_and_has_an_end), TEST(reg_text_cannot_name_everything),
          TEST(registry_path_knows_the_kernels_names),
          TEST(registry_path_goes_by_the_file_without_them),
          TEST(utf16_goes_both_ways_and_refuses_halves))
