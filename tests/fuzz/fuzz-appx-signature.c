/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: signatures of packages, and publishers as manifests write them. */
#include "config.h"

#include <string.h>

#include "src/appx_signature.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { .kind = ERR_NONE };
    struct appx_signature s;
    char *publisher = malloc(size + 1);

    FUZZ_CHECK(publisher);
    if (size)
        memcpy(publisher, data, size);
    publisher[size] = '\0';
    int rc = appx_signature_check(data, size, NULL, &s, &e);
    FUZZ_CHECK((rc == 0) == (e.kind == ERR_NONE));
    FUZZ_CHECK(rc || (s.has[APPX_AXPC] && s.has[APPX_AXBM]));
    FUZZ_CHECK(memchr(s.why, 0, sizeof s.why) && memchr(s.signer, 0, sizeof s.signer));
    if (!rc)
        (void)appx_signature_is_by(&s, "CN=Sample, O=\"A, B\"");
    (void)appx_signature_is_by(&s, publisher);
    appx_signature_clear(&s);
    free(publisher);
    return 0;
}
