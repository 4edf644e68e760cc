/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: the manifest reader. What it accepts must survive being written and read again. */
#include "config.h"

#include <string.h>

#include "src/manifest.h"
#include "tests/fuzz/fuzz.h"

static void walk(const struct manifest *m)
{
    FUZZ_CHECK(m->guid && m->version_guid && m->name);
    for (size_t i = 0; i < m->app_count; i++) {
        const struct manifest_app *a = &m->apps[i];
        FUZZ_CHECK(a->name && a->version && a->icon && strlen(a->osd) > 4);
        for (size_t k = 0; k < a->shortcut_count; k++)
            FUZZ_CHECK(a->shortcuts[k].location && a->shortcuts[k].display &&
                       a->shortcuts[k].icon && a->shortcuts[k].filename);
        for (size_t k = 0; k < a->extension_count; k++)
            FUZZ_CHECK(*a->extensions[k]);
    }
}

static void write_and_read(const struct manifest *m)
{
    struct err e = { .kind = ERR_NONE };
    struct manifest *again = NULL;
    char *text = NULL;
    size_t len = 0;

    FUZZ_CHECK(manifest_write(m, &text, &len, &e) == 0 && strlen(text) == len);
    if (manifest_read(text, len, &again, &e)) {
        FUZZ_CHECK(e.kind == ERR_LIMIT); /* escapes made it longer, or the list got elements */
        free(text);
        return;
    }
    walk(again);
    FUZZ_CHECK(!strcmp(m->guid, again->guid) && m->app_count == again->app_count);
    for (size_t i = 0; i < m->app_count; i++) {
        FUZZ_CHECK(!strcmp(m->apps[i].osd, again->apps[i].osd));
        FUZZ_CHECK(m->apps[i].shortcut_count == again->apps[i].shortcut_count);
    }
    manifest_free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { .kind = ERR_NONE };
    struct manifest *m = NULL;
    int rc = manifest_read(data, size, &m, &e);

    FUZZ_CHECK((rc == 0) == (m != NULL) && (rc == 0) == (e.kind == ERR_NONE));
    if (m) {
        walk(m);
        write_and_read(m);
    }
    manifest_free(m);
    return 0;
}
