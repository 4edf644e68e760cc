/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/appx_signature.c and what it is made of, with certificates made here. */
#include "config.h"

#include <stdio.h>
#include <sys/stat.h>

#include <openssl/pem.h>

#include "src/appx_signature.h"
#include "tests/signature_fixture.h"
#include "tests/unit.h"

#define YEAR (365 * 86400)

static char top[] = "/tmp/sftfs-signature.XXXXXX";
static char ca_file[256], other_file[256], empty_file[256], ca_dir[256];
static int64_t now;
static struct identity ca, other_ca, middle, signer, expired, stamper;

static void write_certificate(const char *path, const struct identity *id)
{
    FILE *f = fopen(path, "w");
    FIXTURE_MUST(f && (!id || PEM_write_X509(f, id->cert)) && !fclose(f));
}

static void make_everybody(void)
{
    char path[512];

    now = time(NULL);
    FIXTURE_MUST(mkdtemp(top));
    (void)snprintf(ca_file, sizeof ca_file, "%s/ca.pem", top);
    (void)snprintf(other_file, sizeof other_file, "%s/other.pem", top);
    (void)snprintf(empty_file, sizeof empty_file, "%s/empty.pem", top);
    (void)snprintf(ca_dir, sizeof ca_dir, "%s/dir", top);
    const struct identity_spec root = { .name = "CA", .is_ca = true, .from = now - 5 * YEAR };
    ca = make_identity(&root, NULL);
    const struct identity_spec root2 = { .name = "Other", .is_ca = true };
    other_ca = make_identity(&root2, NULL);
    const struct identity_spec between = { .name = "Between", .is_ca = true };
    middle = make_identity(&between, &ca);
    const struct identity_spec code = { .name = "Sample", .uses = "codeSigning" };
    signer = make_identity(&code, &ca);
    const struct identity_spec old = { .name = "Old", .uses = "codeSigning", .from = now - 3 * YEAR,
                                       .to = now - YEAR };
    expired = make_identity(&old, &ca);
    const struct identity_spec stamps = { .name = "Stamper", .uses = "critical,timeStamping",
                                          .from = now - 4 * YEAR };
    stamper = make_identity(&stamps, &ca);
    write_certificate(ca_file, &ca);
    write_certificate(other_file, &other_ca);
    write_certificate(empty_file, NULL);
    FIXTURE_MUST(!mkdir(ca_dir, 0777));
    (void)snprintf(path, sizeof path, "%s/%08lx.0", ca_dir,
                   X509_NAME_hash_ex(X509_get_subject_name(ca.cert), NULL, NULL, NULL));
    write_certificate(path, &ca);
}

static void remove_everybody(void)
{
    struct identity *all[] = { &ca, &other_ca, &middle, &signer, &expired, &stamper };
    char command[300];

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        identity_free(all[i]);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", top);
    FIXTURE_MUST(!system(command)); /* the name is mkdtemp()'s */
}

static enum err_kind read_kind(const struct signature_spec *spec)
{
    struct made_bytes p7x = make_signature(spec);
    struct appx_signature *s = NULL;
    struct err e = { .kind = ERR_NONE };
    int rc = appx_signature_read(p7x.data, p7x.len, &s, &e);

    CU_ASSERT_EQUAL(rc == 0, s != NULL);
    CU_ASSERT_EQUAL(rc == 0, e.kind == ERR_NONE);
    appx_signature_free(s);
    free(p7x.data);
    return e.kind;
}

static struct appx_verification verify(const struct signature_spec *spec, const struct appx_trust *t)
{
    struct made_bytes p7x = make_signature(spec);
    struct appx_verification v = { .verdict = APPX_VERDICT_BAD };
    struct appx_signature *s = NULL;
    struct err e = { .kind = ERR_NONE };

    CU_ASSERT_EQUAL_FATAL(appx_signature_read(p7x.data, p7x.len, &s, &e), 0);
    free(p7x.data); /* nothing of S is in there */
    CU_ASSERT_EQUAL(appx_signature_verify(s, t, &v, &e), 0);
    CU_ASSERT_EQUAL(v.why[0] == '\0',
                    v.verdict == APPX_VERDICT_GOOD || v.verdict == APPX_VERDICT_UNCHECKED);
    appx_signature_free(s);
    return v;
}

static struct appx_verification by_ca(const struct signature_spec *spec)
{
    return verify(spec, &(struct appx_trust){ .ca_file = ca_file });
}

/* --- reading ---------------------------------------------------------------------------------- */

static void a_signature_says_what_by_whom_and_when(void)
{
    static const uint8_t second[32] = { [0 ... 31] = 2 };
    const struct signature_spec spec = { .signer = &signer, .stamper = &stamper,
                                         .stamped = 1700000000 };
    struct made_bytes p7x = make_signature(&spec);
    struct appx_signature *s = NULL;

    CU_ASSERT_EQUAL_FATAL(appx_signature_read(p7x.data, p7x.len, &s, NULL), 0);
    CU_ASSERT_EQUAL(s->signed_parts.digest, DIGEST_SHA256);
    CU_ASSERT_PTR_NOT_NULL_FATAL(appx_signature_digest(s, APPX_AXCD));
    CU_ASSERT_EQUAL(memcmp(appx_signature_digest(s, APPX_AXCD), second, 32), 0);
    CU_ASSERT_PTR_NULL(appx_signature_digest(s, APPX_AXCI));
    CU_ASSERT_STRING_EQUAL(s->signer, "CN=Sample,O=A\\, B");
    CU_ASSERT_STRING_EQUAL(s->issuer, "CN=CA,O=A\\, B");
    CU_ASSERT_EQUAL(strtol(s->serial, NULL, 16), ASN1_INTEGER_get(X509_get_serialNumber(signer.cert)));
    CU_ASSERT_EQUAL(strlen(s->not_before), 20);
    CU_ASSERT(strcmp(s->not_before, s->not_after) < 0);
    CU_ASSERT_STRING_EQUAL(s->timestamp, "2023-11-14T22:13:20Z");
    CU_ASSERT(appx_signature_subject_matches(s, "CN=Sample, O=\"A, B\""));
    CU_ASSERT_FALSE(appx_signature_subject_matches(s, "CN=Sample"));
    appx_signature_free(s);
    free(p7x.data);
}

static void every_digest_of_sha2_is_known_and_no_other(void)
{
    const struct signature_spec good[] = {
        { .signer = &signer, .md = EVP_sha384(), .digest_len = 48,
          .digest_oid = "2.16.840.1.101.3.4.2.2", .tags = "AXPCAXCDAXCTAXBMAXCI" },
        { .signer = &signer, .md = EVP_sha512(), .digest_len = 64,
          .digest_oid = "2.16.840.1.101.3.4.2.3" },
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        CU_ASSERT_EQUAL(by_ca(&good[i]).verdict, APPX_VERDICT_GOOD);
    const struct signature_spec sha1 = { .signer = &signer, .digest_len = 20,
                                         .digest_oid = "1.3.14.3.2.26" };
    CU_ASSERT_EQUAL(read_kind(&sha1), ERR_UNSUPPORTED);
    const struct signature_spec by_sha1 = { .signer = &signer, .md = EVP_sha1() };
    CU_ASSERT_EQUAL(read_kind(&by_sha1), ERR_CORRUPT);
}

static void structures_that_are_not_a_packages_are_refused(void)
{
    const struct signature_spec bad[] = {
        { .signer = &signer, .tags = "AXPCAXCDAXCT" },
        { .signer = &signer, .tags = "AXPCAXCDAXCTAXBMAXPC" }, /* one twice */
        { .signer = &signer, .tags = "" },
        { .signer = &signer, .digest_len = 31 },
        { .signer = &signer, .content_type = FIXTURE_TST_INFO },
        { .signer = &signer, .said_type = FIXTURE_TST_INFO },
        { .signer = &signer, .no_attributes = true },
        { .signer = &signer, .two_signers = true },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CU_ASSERT_EQUAL(read_kind(&bad[i]), ERR_CORRUPT);
    const struct signature_spec more = { .signer = &signer, .tags = "AXPCAXCDAXCTAXBMAXZZ" };
    CU_ASSERT_EQUAL(read_kind(&more), ERR_NONE);
}

static void what_is_cut_off_or_followed_by_more_is_refused(void)
{
    const struct signature_spec spec = { .signer = &signer };
    struct made_bytes p7x = make_signature(&spec);
    struct appx_signature *s = NULL;
    struct err e;

    for (size_t len = 0; len < p7x.len; len++) {
        uint8_t *exact = malloc(len + 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
        memcpy(exact, p7x.data, len);
        CU_ASSERT(appx_signature_read(exact, len, &s, &e) < 0);
        free(exact);
    }
    p7x.data = realloc(p7x.data, p7x.len + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p7x.data);
    p7x.data[p7x.len] = 0;
    CU_ASSERT(appx_signature_read(p7x.data, p7x.len + 1, &s, &e) < 0);
    CU_ASSERT(appx_signature_read(p7x.data, (size_t)APPX_SIGNATURE_MAX + 1, &s, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
    CU_ASSERT_PTR_NULL(s);
    free(p7x.data);
}

/* --- the signature itself --------------------------------------------------------------------- */

static void a_changed_byte_never_changes_what_was_signed(void)
{
    const struct signature_spec spec = { .signer = &signer, .stamper = &stamper,
                                         .stamped = now - 10 };
    struct made_bytes p7x = make_signature(&spec);
    struct appx_signature *good = NULL, *s;
    unsigned bad = 0;

    CU_ASSERT_EQUAL_FATAL(appx_signature_read(p7x.data, p7x.len, &good, NULL), 0);
    for (size_t i = 4; i < p7x.len; i++) {
        struct appx_verification v = { .verdict = APPX_VERDICT_BAD };
        uint8_t was = p7x.data[i];
        s = NULL;
        p7x.data[i] = (uint8_t)(was ^ 1u << i % 8);
        if (!appx_signature_read(p7x.data, p7x.len, &s, NULL)) {
            CU_ASSERT_EQUAL(appx_signature_verify(s, &(struct appx_trust){ .ca_file = ca_file }, &v,
                                                  NULL), 0);
            bad += v.verdict == APPX_VERDICT_BAD;
            if (v.verdict != APPX_VERDICT_BAD) {
                CU_ASSERT_EQUAL(appx_digests_differ(&s->signed_parts, &good->signed_parts), 0);
            }
            if (v.verdict == APPX_VERDICT_GOOD) {
                CU_ASSERT_STRING_EQUAL(s->signer, good->signer);
            }
            if (v.timestamp_good) {
                CU_ASSERT_STRING_EQUAL(s->timestamp, good->timestamp);
            }
        }
        appx_signature_free(s);
        p7x.data[i] = was;
    }
    CU_ASSERT(bad > 4 * 32); /* the digests, if nothing else */
    appx_signature_free(good);
    free(p7x.data);
}

static void a_signature_over_something_else_is_bad(void)
{
    const struct signature_spec spec = { .signer = &signer, .wrong_digest = true };
    CU_ASSERT_EQUAL(by_ca(&spec).verdict, APPX_VERDICT_BAD);
    CU_ASSERT_EQUAL(verify(&spec, NULL).verdict, APPX_VERDICT_BAD);
}

/* --- trust ------------------------------------------------------------------------------------ */

static void trust_is_in_those_that_the_caller_names(void)
{
    const struct signature_spec spec = { .signer = &signer };
    const struct appx_trust dir = { .ca_dir = ca_dir }, other = { .ca_file = other_file },
                            both = { .ca_file = other_file, .ca_dir = ca_dir }, none = { .at = 0 };

    CU_ASSERT_EQUAL(verify(&spec, NULL).verdict, APPX_VERDICT_UNCHECKED);
    CU_ASSERT_EQUAL(verify(&spec, &none).verdict, APPX_VERDICT_UNCHECKED);
    CU_ASSERT_EQUAL(by_ca(&spec).verdict, APPX_VERDICT_GOOD);
    CU_ASSERT_EQUAL(verify(&spec, &dir).verdict, APPX_VERDICT_GOOD);
    CU_ASSERT_EQUAL(verify(&spec, &both).verdict, APPX_VERDICT_GOOD);
    CU_ASSERT_EQUAL(verify(&spec, &other).verdict, APPX_VERDICT_UNTRUSTED);
}

static void stores_that_cannot_be_read_are_errors(void)
{
    const struct signature_spec spec = { .signer = &signer };
    const struct appx_trust bad[] = {
        { .ca_file = "/nonexistent/ca.pem" }, { .ca_file = empty_file },
        { .ca_dir = "/nonexistent" },         { .ca_dir = ca_file },
    };
    struct made_bytes p7x = make_signature(&spec);
    struct appx_signature *s = NULL;

    CU_ASSERT_EQUAL_FATAL(appx_signature_read(p7x.data, p7x.len, &s, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct appx_verification v;
        struct err e = { .kind = ERR_NONE };
        CU_ASSERT(appx_signature_verify(s, &bad[i], &v, &e) < 0);
        CU_ASSERT_NOT_EQUAL(e.kind, ERR_NONE);
        CU_ASSERT_EQUAL(v.verdict, APPX_VERDICT_BAD);
    }
    appx_signature_free(s);
    free(p7x.data);
}

static void signers_that_must_not_are_not_trusted(void)
{
    const struct {
        struct identity_spec spec;
        const struct identity *issuer;
        const char *why;
    } rows[] = {
        { { .name = "x", .uses = "serverAuth" }, &ca, "not for signing code" },
        { { .name = "x", .uses = "timeStamping" }, &ca, "not for signing code" },
        { { .name = "x", .uses = "codeSigning" }, NULL, "self-signed" },
        { { .name = "x", .uses = "codeSigning", .to = now - 60 }, &ca, "expired" },
        { { .name = "x", .uses = "codeSigning", .from = now + 600 }, &ca, "not yet valid" },
        { { .name = "x", .uses = "codeSigning" }, &other_ca, "issuer" },
        { { .name = "x", .uses = "codeSigning" }, &middle, "issuer" }, /* which is not there */
        { { .name = "x", .uses = "codeSigning" }, &signer, "issuer" },
        { { .name = "x", .uses = "codeSigning", .weak = true }, &ca, "key too weak" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct identity id = make_identity(&rows[i].spec, rows[i].issuer);
        const struct signature_spec spec = { .signer = &id };
        struct appx_verification v = by_ca(&spec);
        CU_ASSERT_EQUAL(v.verdict, APPX_VERDICT_UNTRUSTED);
        if (!strstr(v.why, rows[i].why))
            printf("\n    %s: %s", rows[i].why, v.why);
        CU_ASSERT_PTR_NOT_NULL(strstr(v.why, rows[i].why));
        identity_free(&id);
    }
}

static void certificates_above_count_too(void)
{
    const struct identity_spec code = { .name = "x", .uses = "codeSigning" }, no_use = { .name = "x" };
    const struct identity_spec for_web = { .name = "Web CA", .is_ca = true, .uses = "serverAuth" };
    struct identity below = make_identity(&code, &middle), free_use = make_identity(&no_use, &middle);
    struct identity web = make_identity(&for_web, &ca), below_web = make_identity(&code, &web);
    struct identity below_signer = make_identity(&code, &signer);

    const struct signature_spec good = { .signer = &below, .also = &middle };
    CU_ASSERT_EQUAL(by_ca(&good).verdict, APPX_VERDICT_GOOD);
    const struct signature_spec any = { .signer = &free_use, .also = &middle };
    CU_ASSERT_EQUAL(by_ca(&any).verdict, APPX_VERDICT_GOOD);
    const struct signature_spec wrong_use = { .signer = &below_web, .also = &web };
    CU_ASSERT_EQUAL(by_ca(&wrong_use).verdict, APPX_VERDICT_UNTRUSTED);
    const struct signature_spec no_ca = { .signer = &below_signer, .also = &signer };
    CU_ASSERT_EQUAL(by_ca(&no_ca).verdict, APPX_VERDICT_UNTRUSTED);
    identity_free(&below);
    identity_free(&free_use);
    identity_free(&web);
    identity_free(&below_web);
    identity_free(&below_signer);
}

static void the_signers_own_certificate_can_be_trusted(void)
{
    const struct identity_spec code = { .name = "Own", .uses = "codeSigning" };
    struct identity own = make_identity(&code, NULL), under = make_identity(&code, &other_ca);
    char path[300];

    (void)snprintf(path, sizeof path, "%s/own.pem", top);
    write_certificate(path, &own);
    const struct signature_spec spec = { .signer = &own }, spec2 = { .signer = &under };
    CU_ASSERT_EQUAL(verify(&spec, &(struct appx_trust){ .ca_file = path }).verdict,
                    APPX_VERDICT_GOOD);
    write_certificate(path, &under);
    CU_ASSERT_EQUAL(verify(&spec2, &(struct appx_trust){ .ca_file = path }).verdict,
                    APPX_VERDICT_GOOD);
    CU_ASSERT_EQUAL(verify(&spec, &(struct appx_trust){ .ca_file = path }).verdict,
                    APPX_VERDICT_UNTRUSTED);
    identity_free(&own);
    identity_free(&under);
}

/* --- time ------------------------------------------------------------------------------------- */

static void a_trusted_time_stamp_outlives_the_certificate(void)
{
    for (unsigned counter = 0; counter < 2; counter++) {
        const struct signature_spec spec = { .signer = &expired, .stamper = &stamper,
                                             .stamped = now - 2 * YEAR, .counter = counter };
        struct appx_verification v = by_ca(&spec);
        CU_ASSERT_EQUAL(v.verdict, APPX_VERDICT_GOOD);
        CU_ASSERT(v.timestamp_good);
        CU_ASSERT_EQUAL(v.at, now - 2 * YEAR);
        v = verify(&spec, &(struct appx_trust){ .ca_file = ca_file, .at = now });
        CU_ASSERT_EQUAL(v.verdict, APPX_VERDICT_UNTRUSTED); /* the caller's time comes first */
        CU_ASSERT(v.timestamp_good);
    }
    const struct signature_spec none = { .signer = &expired };
    CU_ASSERT_EQUAL(by_ca(&none).verdict, APPX_VERDICT_UNTRUSTED);
    const struct appx_trust then = { .ca_file = ca_file, .at = now - 2 * YEAR };
    CU_ASSERT_EQUAL(verify(&none, &then).verdict, APPX_VERDICT_GOOD);
}

static void a_time_stamp_that_cannot_be_trusted_does_not_count(void)
{
    const struct identity_spec no_use = { .name = "No", .from = now - 4 * YEAR };
    const struct identity_spec foreign_use = { .name = "Foreign", .uses = "critical,timeStamping",
                                               .from = now - 4 * YEAR };
    const struct identity_spec young_use = { .name = "Young", .uses = "critical,timeStamping" };
    struct identity no = make_identity(&no_use, &ca), foreign = make_identity(&foreign_use, &other_ca),
                    young = make_identity(&young_use, &ca);

    for (unsigned counter = 0; counter < 2; counter++) {
        const int64_t then = now - 2 * YEAR;
        const struct {
            struct signature_spec spec;
            const char *why;
        } rows[] = {
            { { .stamper = &no, .stamped = then }, "not for signing times" },
            { { .stamper = &signer, .stamped = now - 60 }, "not for signing times" },
            { { .stamper = &foreign, .stamped = then }, "issuer" },
            { { .stamper = &young, .stamped = then }, "not yet valid" },
            { { .stamper = &stamper, .stamped = then, .stamp_of_another = true }, "signature" },
            { { .stamper = &stamper, .stamped = then, .stamp_md = EVP_sha1() }, "SHA-2" },
            { { .stamper = &stamper, .stamped = now + YEAR }, "to come" },
        };
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct signature_spec spec = rows[i].spec;
            spec.signer = &expired;
            spec.counter = counter;
            struct appx_verification v = by_ca(&spec);
            CU_ASSERT_EQUAL(v.verdict, APPX_VERDICT_UNTRUSTED);
            CU_ASSERT_FALSE(v.timestamp_good);
            CU_ASSERT(v.at >= now);
            if (!strstr(v.timestamp_why, rows[i].why))
                printf("\n    %s: %s", rows[i].why, v.timestamp_why);
            CU_ASSERT_PTR_NOT_NULL(strstr(v.timestamp_why, rows[i].why));
            CU_ASSERT_PTR_NOT_NULL(strstr(v.why, v.timestamp_why));
            /* No harm when it is not needed. */
            spec.signer = &signer;
            CU_ASSERT_EQUAL(by_ca(&spec).verdict, APPX_VERDICT_GOOD);
        }
    }
    identity_free(&no);
    identity_free(&foreign);
    identity_free(&young);
}

static void a_token_must_say_that_it_is_one(void)
{
    const struct signature_spec spec = { .signer = &expired, .stamper = &stamper,
                                         .stamped = now - 2 * YEAR,
                                         .stamp_said_type = FIXTURE_INDIRECT };
    struct appx_verification v = by_ca(&spec);
    CU_ASSERT_EQUAL(v.verdict, APPX_VERDICT_UNTRUSTED);
    CU_ASSERT_FALSE(v.timestamp_good);
}

static void a_time_stamp_from_before_the_certificate_is_no_help(void)
{
    const struct signature_spec spec = { .signer = &signer, .stamper = &stamper,
                                         .stamped = now - YEAR };
    struct appx_verification v = by_ca(&spec);
    CU_ASSERT_EQUAL(v.verdict, APPX_VERDICT_UNTRUSTED);
    CU_ASSERT(v.timestamp_good);
}

static void lifetime_signing_ends_with_the_certificate(void)
{
    const struct identity_spec life = { .name = "x", .uses = "codeSigning,1.3.6.1.4.1.311.10.3.13",
                                        .from = now - 3 * YEAR, .to = now - YEAR };
    struct identity id = make_identity(&life, &ca);
    const struct signature_spec spec = { .signer = &id, .stamper = &stamper,
                                         .stamped = now - 2 * YEAR };
    CU_ASSERT_EQUAL(by_ca(&spec).verdict, APPX_VERDICT_UNTRUSTED);
    identity_free(&id);
}

int main(void)
{
    static const struct unit_test tests[] = {
        TEST(a_signature_says_what_by_whom_and_when),
        TEST(every_digest_of_sha2_is_known_and_no_other),
        TEST(structures_that_are_not_a_packages_are_refused),
        TEST(what_is_cut_off_or_followed_by_more_is_refused),
        TEST(a_changed_byte_never_changes_what_was_signed),
        TEST(a_signature_over_something_else_is_bad),
        TEST(trust_is_in_those_that_the_caller_names),
        TEST(stores_that_cannot_be_read_are_errors),
        TEST(signers_that_must_not_are_not_trusted),
        TEST(certificates_above_count_too),
        TEST(the_signers_own_certificate_can_be_trusted),
        TEST(a_trusted_time_stamp_outlives_the_certificate),
        TEST(a_time_stamp_that_cannot_be_trusted_does_not_count),
        TEST(a_token_must_say_that_it_is_one),
        TEST(a_time_stamp_from_before_the_certificate_is_no_help),
        TEST(lifetime_signing_ends_with_the_certificate),
    };
    make_everybody();
    int rc = unit_run("appx-signature", tests, ARRAY_LEN(tests));
    remove_everybody();
    return rc;
}
