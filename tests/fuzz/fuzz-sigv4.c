/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses in the form that is signed: any text becomes one without harm; a URL, which is all that
 * ever gets there, stays as it is the second time. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "fetch/http_url.h"
#include "fetch/sigv4.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    char *url = NULL, *scope = NULL;
    struct err e;
    bool is_url = http_url_prepare(text, &url, &e) == 0;
    char *once = sigv4_url(is_url ? url : text);
    char *twice = once ? sigv4_url(once) : NULL;
    FUZZ_CHECK(once && twice && (!is_url || strcmp(once, twice) == 0));
    if (sigv4_scope(text, &scope, &e) == 0)
        free(scope);
    free(url);
    free(once);
    free(twice);
    free(text);
    return 0;
}
