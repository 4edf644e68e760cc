/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses in the form that is signed: any text becomes one, and stays as it is the second time. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "fetch/sigv4.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    char *once = sigv4_url(text);
    char *twice = once ? sigv4_url(once) : NULL;
    FUZZ_CHECK(once && twice && strcmp(once, twice) == 0);
    char *scope = NULL;
    struct err e;
    if (sigv4_scope(text, &scope, &e) == 0)
        free(scope);
    free(once);
    free(twice);
    free(text);
    return 0;
}
