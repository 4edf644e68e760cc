/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: registry hives, from the check over libhivex to the text for regedit. The header's
 * checksum is made right, or hardly anything would get past it.
 */
#include "config.h"

#include <string.h>

#include "src/appv_tokens.h"
#include "src/hive_check.h"
#include "src/utf16.h"
#include "tests/fuzz/fuzz.h"
#include "tools/hive.h"
#include "tools/reg_text.h"
#include "tools/registry_path.h"

enum { SUM_AT = 0x1fc, KEY_MIN = 0x50, VALUE_MIN = 0x18 };

struct fuzz {
    struct reg_text text;
    struct appv_tokens *tokens;
    size_t keys, values, data;
};

static int count(void *arg, const void *data, size_t len, struct err *e)
{
    size_t *written = arg;

    (void)data;
    (void)e;
    *written += len;
    return 0;
}

static int on_key(void *arg, const char *path, struct err *e)
{
    struct fuzz *f = arg;
    char *place;
    unsigned depth = 0;

    f->keys++;
    for (const char *p = path; *p; p++)
        depth += *p == '\\';
    FUZZ_CHECK(depth < HIVE_DEPTH_MAX);
    for (unsigned hive = 0; hive < REGISTRY_HIVE_COUNT; hive++) {
        FUZZ_CHECK(!registry_path(hive, path, &place));
        int rc = place ? reg_text_key(&f->text, place, e) : 0;
        free(place);
        if (rc)
            return rc;
    }
    return 0;
}

static int on_value(void *arg, const struct hive_value *v, struct err *e)
{
    struct fuzz *f = arg;
    char *text = NULL, *replaced = NULL;
    uint8_t *again = NULL;
    size_t n, len;

    f->values++;
    f->data += v->len;
    FUZZ_CHECK(reg_text_can_name(v->name, false));
    if (!utf16_to_utf8(v->data, v->len, &text, &n)) {
        FUZZ_CHECK(!utf16_from_utf8(text, n, &again, &len));
        FUZZ_CHECK(len == v->len && !memcmp(again, v->data, len));
        FUZZ_CHECK(!appv_tokens_replace(f->tokens, text, n, &replaced, &n, e));
    }
    free(text);
    free(again);
    free(replaced);
    return reg_text_value(&f->text, v->name, v->type, v->data, v->len, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct appv_token_options options = { .user = "me", .root = "Q:" };
    size_t written = 0;
    struct fuzz f = { .text = { .write = count, .arg = &written, .utf8 = size % 2 },
                      .tokens = appv_tokens_new() };
    struct hive_reader reader = { .key = on_key, .value = on_value, .arg = &f };
    struct err e = { .kind = ERR_NONE };
    uint8_t *copy = malloc(size ? size : 1);

    FUZZ_CHECK(copy && f.tokens);
    if (size)
        memcpy(copy, data, size);
    if (size >= SUM_AT + 4) {
        memset(copy + SUM_AT, 0, 4);
        for (size_t i = 0; i < SUM_AT; i++)
            copy[SUM_AT + i % 4] ^= copy[i];
    }
    appv_tokens_configure(f.tokens, &options);
    int rc = hive_read(copy, size, &reader, &e);
    FUZZ_CHECK((rc == 0) == (e.kind == ERR_NONE));
    FUZZ_CHECK(f.keys <= size / KEY_MIN && f.values <= size / VALUE_MIN);
    FUZZ_CHECK(f.data <=
               size + 4 * f.values); /* what lies in the value itself is not counted there */
    appv_tokens_free(f.tokens);
    free(copy);
    return 0;
}
