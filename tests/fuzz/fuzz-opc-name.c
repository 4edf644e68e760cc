/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: names of parts. What was decoded keeps the rules and survives being encoded. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "src/opc_name.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { .kind = ERR_NONE };
    char *name = malloc(size + 1), *encoded = malloc(3 * size + 1), *again = malloc(3 * size + 1);
    FUZZ_CHECK(name && encoded && again);
    long n = opc_name_decode((const char *)data, size, name, &e);

    FUZZ_CHECK((n >= 0) == (e.kind == ERR_NONE) && (n >= 0 || e.kind == ERR_BAD_NAME));
    if (n >= 0) {
        size_t len = (size_t)n;
        FUZZ_CHECK(n > 0 && len <= size && strlen(name) == len && name[0] != '/');
        FUZZ_CHECK(!strchr(name, '\\') && !opc_name_check(name, len, &e));
        size_t encoded_len = opc_name_encode(name, len, encoded);
        FUZZ_CHECK(opc_name_decode(encoded, encoded_len, again, &e) == n);
        FUZZ_CHECK(!memcmp(name, again, len));
    }
    if (size)
        memcpy(name, data, size);
    name[size] = '\0';
    FUZZ_CHECK(opc_name_from_windows(name, size, &e) || !opc_name_check(name, size, &e));
    free(name);
    free(encoded);
    free(again);
    return 0;
}
