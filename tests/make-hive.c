/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * make-hive KIND OUT: writes a registry hive for tests/it-075-registry.sh.
 *
 *   appv      as App-V's sequencer: machine, user and classes in one, tokens, marks above the types
 *   user      MSIX's User.dat, without the kernel's names in front
 *   classes   MSIX's UserClasses.dat
 *   empty     a root key alone; a program of libhivex can add to it
 *   circle    a key that is below itself
 *   parts     a large value that says it has more parts than its list
 *   deep      more than Windows allows
 *   wide      keys of which each is listed in many places
 */
#include "config.h"

#include <stdio.h>

#include "src/compiler.h"
#include "tests/hive_fixture.h"

/* Windows' types, and App-V's marks: with tokens, without a name. */
enum { SZ = 1, EXPAND_SZ, BINARY, DWORD, DWORD_BE, LINK, MULTI_SZ, QWORD = 11 };
enum { TOKENS = 0x400000, DEFAULT = 0x40000 };

#define TEXT(h, name, type, text) hive_text(h, name, type, text, sizeof(text) - 1)

/* KEY below the keys NAMES, each below the one before; returns the first. */
static uint32_t chain(struct hive_image *h, const char *const *names, size_t count, uint32_t key)
{
    while (count-- > 0)
        key = hive_key(h, names[count], &key, 1, NULL, 0);
    return key;
}

static uint32_t appv_values(struct hive_image *h)
{
    static uint8_t big[40000];
    uint32_t v[16];
    size_t n = 0;

    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 7 + i / 256);
    v[n++] = TEXT(h, "", TOKENS | DEFAULT | SZ, "\"[{AppVPackageRoot}]\\try.exe\" \"%1\"");
    v[n++] = TEXT(h, "Größe 文書", SZ, "Straße \"日本\" \\");
    v[n++] = TEXT(h, "Folder", TOKENS | SZ, "[{ProgramFilesX86}]\\Try It\\data");
    v[n++] = TEXT(h, "Other folder", TOKENS | SZ, "[{ProgramFilesX86}]\\Other");
    v[n++] = TEXT(h, "Roaming", TOKENS | EXPAND_SZ, "[{AppData}];%PATH%");
    v[n++] = TEXT(h, "List", TOKENS | MULTI_SZ, "one\0[{Windows}]\\two\0");
    v[n++] = TEXT(h, "Unknown", TOKENS | SZ, "[{Nowhere}]\\x");
    v[n++] = TEXT(h, "[{System}]\\try.dll", TOKENS | SZ, "");
    v[n++] = hive_value(h, "Number", DWORD, "\x78\x56\x34\x12", 4);
    v[n++] = hive_value(h, "Big endian", DWORD_BE, "\x12\x34\x56\x78", 4);
    v[n++] = hive_value(h, "Long", QWORD, "\1\2\3\4\5\6\7\x8", 8);
    v[n++] = hive_value(h, "Binary", BINARY, big, sizeof big);
    v[n++] = hive_value(h, "Nothing", 0, "", 0);
    v[n++] = TEXT(h, "Link", LINK, "\\Registry\\Machine");
    v[n++] = hive_value(h, "Half a pair", SZ, "\x3d\xd8\0\0", 4);
    v[n++] = TEXT(h, "Two\nlines", SZ, "left out");
    uint32_t sid = hive_key(h, "[{AppVCurrentUserSID}]", NULL, 0, NULL, 0);
    return hive_key(h, "Тест [key]", &sid, 1, v, n);
}

static uint32_t appv(struct hive_image *h)
{
    static const char *const machine[] = { "MACHINE", "SOFTWARE", "Try It" };
    static const char *const user[] = { "[{AppVCurrentUserSID}]", "Software", "Try It" };
    static const char *const classes[] = { "[{AppVCurrentUserSID}]_CLASSES", ".tryit" };
    uint32_t value = TEXT(h, "Where", SZ, "user"), type = TEXT(h, "", DEFAULT | SZ, "TryIt.File"),
             top[2];

    top[0] = chain(h, user, ARRAY_LEN(user), hive_key(h, "a", NULL, 0, &value, 1));
    top[1] = chain(h, classes, ARRAY_LEN(classes), hive_key(h, "b", NULL, 0, &type, 1));
    top[1] = hive_key(h, "USER", top, 2, NULL, 0);
    top[0] = chain(h, machine, ARRAY_LEN(machine), appv_values(h));
    uint32_t list = hive_list(h, "lf", top, 2);
    list = hive_list(h, "ri", &list, 1);
    uint32_t registry = hive_key_over(h, "REGISTRY", list, 2, NULL, 0);
    return hive_key(h, "f904acec-23d5-41c7-a609-734d57349833", &registry, 1, NULL, 0);
}

static uint32_t one_value(struct hive_image *h, const char *const *names, size_t count,
                          const char *text)
{
    uint32_t value = hive_text(h, "Where", SZ, text, strlen(text));
    uint32_t key = hive_key(h, "c", NULL, 0, &value, 1);

    return hive_key(h, "root", &(uint32_t){ chain(h, names, count, key) }, 1, NULL, 0);
}

static uint32_t user(struct hive_image *h)
{
    static const char *const names[] = { "Software", "Try MSIX" };

    return one_value(h, names, ARRAY_LEN(names), "User.dat");
}

static uint32_t classes(struct hive_image *h)
{
    static const char *const names[] = { ".trymsix" };

    return one_value(h, names, ARRAY_LEN(names), "UserClasses.dat");
}

static uint32_t empty(struct hive_image *h)
{
    return hive_key(h, "root", NULL, 0, NULL, 0);
}

static uint32_t circle(struct hive_image *h)
{
    uint32_t key = hive_key(h, "a", NULL, 0, NULL, 0);
    uint32_t root = hive_key(h, "root", &key, 1, NULL, 0);

    memcpy(h->data + hive_at(key) + 0x18, h->data + hive_at(root) + 0x18, 12);
    return root;
}

static uint32_t parts(struct hive_image *h)
{
    static uint8_t big[200000];
    uint32_t value = hive_value(h, "v", BINARY, big, sizeof big), db;

    memcpy(&db, h->data + hive_at(value) + 12, 4);
    hive_put(h, hive_at(db) + 6, 24000, 2);
    return hive_key(h, "root", NULL, 0, &value, 1);
}

static uint32_t deep(struct hive_image *h)
{
    uint32_t key = hive_key(h, "a", NULL, 0, NULL, 0);

    for (unsigned i = 0; i < 600; i++)
        key = hive_key(h, "a", &key, 1, NULL, 0);
    return key;
}

static uint32_t wide(struct hive_image *h)
{
    uint32_t key = hive_key(h, "a", NULL, 0, NULL, 0), many[200];

    for (unsigned i = 0; i < 10; i++) {
        for (size_t k = 0; k < ARRAY_LEN(many); k++)
            many[k] = key;
        key = hive_key(h, "a", many, ARRAY_LEN(many), NULL, 0);
    }
    return key;
}

static const struct {
    const char *name;
    uint32_t (*make)(struct hive_image *h); /* returns the root key */
} kinds[] = {
    { "appv", appv },     { "user", user },   { "classes", classes }, { "empty", empty },
    { "circle", circle }, { "parts", parts }, { "deep", deep },       { "wide", wide },
};

int main(int argc, char **argv)
{
    struct hive_image h = { 0 };

    for (size_t i = 0; argc == 3 && i < ARRAY_LEN(kinds); i++) {
        if (strcmp(argv[1], kinds[i].name) != 0)
            continue;
        hive_begin(&h);
        hive_end(&h, kinds[i].make(&h));
        FILE *f = fopen(argv[2], "wb");
        bool written = f && fwrite(h.data, 1, h.len, f) == h.len;
        hive_image_free(&h);
        return f && !fclose(f) && written ? 0 : 1;
    }
    fprintf(stderr, "usage: make-hive KIND OUT\n");
    return 2;
}
