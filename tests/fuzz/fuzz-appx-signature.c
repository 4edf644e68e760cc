/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: signatures of packages, their time stamps, and publishers as manifests write them. The
 * signer's own certificate is trusted, so that also what comes behind that is reached.
 */
#include "config.h"

#include <string.h>

#include <openssl/x509.h>

#include "src/appx_signature.h"
#include "src/appx_timestamp.h"
#include "tests/fuzz/fuzz.h"

static void verify(struct appx_signature *s)
{
    struct appx_verification v;
    struct err e = { .kind = ERR_NONE };
    X509_STORE *store = X509_STORE_new();
    char why[160] = "";

    FUZZ_CHECK(appx_signature_verify(s, NULL, &v, &e) == 0);
    FUZZ_CHECK(v.verdict == APPX_VERDICT_BAD || v.verdict == APPX_VERDICT_UNCHECKED);
    FUZZ_CHECK((v.why[0] != '\0') == (v.verdict == APPX_VERDICT_BAD));
    if (store && X509_STORE_add_cert(store, s->certificate))
        (void)!appx_timestamp_holds(s->p7, s->signer_info, store, 1700000000, why, sizeof why, &e);
    X509_STORE_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { .kind = ERR_NONE };
    struct appx_signature *s = NULL;
    char *publisher = malloc(size + 1);

    FUZZ_CHECK(publisher);
    if (size)
        memcpy(publisher, data, size);
    publisher[size] = '\0';
    int rc = appx_signature_read(data, size, &s, &e);
    FUZZ_CHECK((rc == 0) == (e.kind == ERR_NONE) && (rc == 0) == (s != NULL));
    if (s) {
        FUZZ_CHECK(appx_signature_digest(s, APPX_AXPC) && appx_signature_digest(s, APPX_AXBM));
        FUZZ_CHECK(!appx_digests_differ(&s->signed_parts, &s->signed_parts));
        FUZZ_CHECK(memchr(s->signer, 0, sizeof s->signer) && memchr(s->serial, 0, sizeof s->serial));
        (void)appx_signature_subject_matches(s, "CN=Sample, O=\"A, B\"");
        (void)appx_signature_subject_matches(s, s->signer);
        (void)appx_signature_subject_matches(s, publisher);
        verify(s);
    }
    appx_signature_free(s);
    free(publisher);
    return 0;
}
