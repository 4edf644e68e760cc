/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: the texts an overlay's directory may hold, which anybody may have written: the mark
 * of a partial file, DIR/overlay, an intent. What is taken must be written again as it was read.
 */
#include "config.h"

#include <string.h>

#include "fs/overlay/intent.h"
#include "fs/overlay/marker.h"
#include "fs/overlay/store_info.h"
#include "tests/fuzz/fuzz.h"

static void check_mark(const char *text, size_t size)
{
    char again[PARTIAL_MARK_MAX];
    struct partial_mark m;

    if (partial_mark_parse(text, size, &m)) {
        FUZZ_CHECK(!m.path);
        return;
    }
    FUZZ_CHECK(marker_path_ok(m.path, strlen(m.path)));
    FUZZ_CHECK(partial_mark_format(&m, again) == (int)size && !memcmp(again, text, size));
    free(m.path);
}

static void check_info(const char *text, size_t size)
{
    struct store_info i, again;

    if (!store_info_parse(text, size, &i, NULL)) {
        char *formatted = store_info_format(&i);
        FUZZ_CHECK(formatted);
        if (strlen(formatted) <= INFO_MAX) {
            FUZZ_CHECK(!store_info_parse(formatted, strlen(formatted), &again, NULL));
            FUZZ_CHECK(guid_equal(&i.package, &again.package));
            store_info_clear(&again);
        }
        free(formatted);
    }
    store_info_clear(&i);
}

static void check_intent(const char *text, size_t size)
{
    struct intent i, again;

    if (intent_parse(text, size, &i)) {
        FUZZ_CHECK(!i.from && !i.to);
        return;
    }
    FUZZ_CHECK(*i.from != '/' && strcmp(i.from, "..") && !strstr(i.from, "/../"));
    char *formatted = intent_format(&i);
    FUZZ_CHECK(formatted);
    /* The longest way of writing each byte may exceed what is read. */
    if (strlen(formatted) <= INTENT_MAX) {
        FUZZ_CHECK(!intent_parse(formatted, strlen(formatted), &again));
        FUZZ_CHECK(!strcmp(i.from, again.from) && !strcmp(i.to, again.to));
        intent_clear(&again);
    }
    free(formatted);
    intent_clear(&i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = size ? (const char *)data : "";

    check_mark(text, size);
    check_info(text, size);
    check_intent(text, size);
    return 0;
}
