/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures of AppX packages, over OpenSSL. See appx_signature.h. */
#include "config.h"

#include "src/appx_signature.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "src/appx_timestamp.h"
#include "src/cert_chain.h"
#include "src/der.h"
#include "src/signed_data.h"
#include "src/x500_name.h"

#define MAGIC              "PKCX"
#define OID_INDIRECT_DATA  "1.3.6.1.4.1.311.2.1.4"

static const char *const part_names[APPX_SIGNED_PARTS] = {
    [APPX_AXPC] = "AXPC", [APPX_AXCD] = "AXCD", [APPX_AXCT] = "AXCT",
    [APPX_AXBM] = "AXBM", [APPX_AXCI] = "AXCI",
};

const char *appx_signed_part_name(enum appx_signed_part part)
{
    return part_names[part];
}

unsigned appx_digests_differ(const struct appx_digests *a, const struct appx_digests *b)
{
    unsigned differ = 0;

    for (unsigned i = 0; i < APPX_SIGNED_PARTS; i++)
        if (a->has[i] != b->has[i] ||
            (a->has[i] && (a->digest != b->digest ||
                           memcmp(a->of[i], b->of[i], digest_len(a->digest)))))
            differ |= 1u << i;
    return differ;
}

/* --- what was signed -------------------------------------------------------------------------- */

/* SpcIndirectDataContent: { data, { { algorithm, … }, digest } }. The last two, in DER. */
static bool find_digest(struct der content, struct der *oid, struct der *blob)
{
    struct der data, info, algorithm;

    return der_enter(&content, V_ASN1_SEQUENCE, &data) &&
           der_enter(&content, V_ASN1_SEQUENCE, &info) &&
           der_enter(&info, V_ASN1_SEQUENCE, &algorithm) &&
           der_enter(&algorithm, V_ASN1_OBJECT, oid) &&
           der_enter(&info, V_ASN1_OCTET_STRING, blob);
}

static bool find_algorithm(const struct der *oid, enum digest *out)
{
    static const uint8_t sha2[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02 };
    static const enum digest digests[] = { DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };

    if (oid->left != sizeof sha2 + 1 || memcmp(oid->p, sha2, sizeof sha2))
        return false;
    unsigned which = oid->p[sizeof sha2] - 1u;
    if (which >= ARRAY_LEN(digests))
        return false;
    *out = digests[which];
    return true;
}

/* Takes one record, whose tag is at P; no part may have two. */
static bool read_record(const uint8_t *p, size_t len, struct appx_digests *d)
{
    for (unsigned part = 0; part < APPX_SIGNED_PARTS; part++)
        if (!memcmp(p, part_names[part], 4)) {
            if (d->has[part])
                return false;
            d->has[part] = true;
            memcpy(d->of[part], p + 4, len);
        }
    return true;
}

/* "APPX", then records of a tag and a digest. Unknown tags are of things that this program does not know
 * to be signed. */
static bool read_records(const struct der *blob, struct appx_digests *d)
{
    size_t len = digest_len(d->digest), left = (size_t)blob->left;
    const uint8_t *p = blob->p;

    if (left < 4 || memcmp(p, "APPX", 4))
        return false;
    for (p += 4, left -= 4; left >= 4 + len; p += 4 + len, left -= 4 + len)
        if (!read_record(p, len, d))
            return false;
    return !left && d->has[APPX_AXPC] && d->has[APPX_AXCD] && d->has[APPX_AXCT] &&
           d->has[APPX_AXBM];
}

/* Authenticode's digest is over the content without its header. */
static int read_content(struct appx_signature *s, struct err *e)
{
    const ASN1_TYPE *other = s->p7->d.sign->contents->d.other;
    struct der oid, blob, outer, content;

    if (!other || other->type != V_ASN1_SEQUENCE)
        return err_set(e, ERR_CORRUPT, "signature: there is no content");
    outer = (struct der){ other->value.sequence->data, other->value.sequence->length };
    if (!der_enter(&outer, V_ASN1_SEQUENCE, &content) || outer.left ||
        !find_digest(content, &oid, &blob))
        return err_set(e, ERR_CORRUPT, "signature: what was signed cannot be understood");
    s->content = content.p;
    s->content_len = (size_t)content.left;
    if (!find_algorithm(&oid, &s->signed_parts.digest))
        return err_set(e, ERR_UNSUPPORTED, "signature: unknown digest algorithm");
    return read_records(&blob, &s->signed_parts)
               ? 0
               : err_set(e, ERR_CORRUPT, "signature: it is not over the parts of a package");
}

/* --- by whom ---------------------------------------------------------------------------------- */

static void name_text(const X509_NAME *name, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int n = 0;

    if (bio && X509_NAME_print_ex(bio, name, 0,
                                  XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
        n = BIO_read(bio, out, (int)size - 1);
    out[n > 0 ? n : 0] = '\0';
    BIO_free(bio);
}

static void seconds_text(int64_t at, char *out, size_t size)
{
    time_t t = (time_t)at;
    struct tm tm;

    if (!gmtime_r(&t, &tm) || !strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
        out[0] = '\0';
}

static void time_text(const ASN1_TIME *time, char *out, size_t size)
{
    int64_t at;

    out[0] = '\0';
    if (asn1_seconds(time, &at))
        seconds_text(at, out, size);
}

static void serial_text(const X509 *cert, char *out, size_t size)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *hex = n ? BN_bn2hex(n) : NULL;

    if (hex && strlen(hex) < size)
        memcpy(out, hex, strlen(hex) + 1);
    OPENSSL_free(hex);
    BN_free(n);
}

static void describe(struct appx_signature *s)
{
    const X509 *cert = s->certificate;
    int64_t at;

    name_text(X509_get_subject_name(cert), s->signer, sizeof s->signer);
    name_text(X509_get_issuer_name(cert), s->issuer, sizeof s->issuer);
    serial_text(cert, s->serial, sizeof s->serial);
    time_text(X509_get0_notBefore(cert), s->not_before, sizeof s->not_before);
    time_text(X509_get0_notAfter(cert), s->not_after, sizeof s->not_after);
    if (appx_timestamp_find(s->signer_info, &at) != APPX_TIMESTAMP_NONE)
        seconds_text(at, s->timestamp, sizeof s->timestamp);
}

static int read_structure(const uint8_t *der, size_t len, struct appx_signature *s, struct err *e)
{
    const char *why;

    s->p7 = signed_data_parse(der, len);
    if (!s->p7)
        return err_set(e, ERR_CORRUPT, "signature: no PKCS #7 structure");
    s->signer_info = signed_data_signer(s->p7, OID_INDIRECT_DATA, &why);
    if (!s->signer_info)
        return err_set(e, ERR_CORRUPT, "signature: not one of a package: %s", why);
    int rc = read_content(s, e);
    if (rc)
        return rc;
    s->certificate = signed_data_certificate(s->p7);
    if (!s->certificate)
        return err_set(e, ERR_CORRUPT, "signature: the signer's certificate is missing");
    describe(s);
    return 0;
}

int appx_signature_read(const uint8_t *data, size_t len, struct appx_signature **out, struct err *e)
{
    const size_t magic = sizeof MAGIC - 1;

    if (len < magic || memcmp(data, MAGIC, magic))
        return err_set(e, ERR_CORRUPT, "signature: does not begin with " MAGIC);
    if (len > APPX_SIGNATURE_MAX)
        return err_set(e, ERR_LIMIT, "signature: %zu bytes are too many", len);
    struct appx_signature *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    int rc = read_structure(data + magic, len - magic, s, e);
    if (rc)
        appx_signature_free(s);
    else
        *out = s;
    ERR_clear_error(); /* the thread's queue of OpenSSL is nobody else's business */
    return rc;
}

void appx_signature_free(struct appx_signature *s)
{
    if (s)
        PKCS7_free(s->p7);
    free(s);
}

const uint8_t *appx_signature_digest(const struct appx_signature *s, enum appx_signed_part part)
{
    return s->signed_parts.has[part] ? s->signed_parts.of[part] : NULL;
}

bool appx_signature_subject_matches(const struct appx_signature *s, const char *publisher)
{
    return x500_name_is(X509_get_subject_name(s->certificate), publisher);
}

/* --- whether it holds ------------------------------------------------------------------------- */

/* The time that the certificate has to be valid at. */
static int choose_time(const struct appx_signature *s, const struct appx_trust *t, X509_STORE *store,
                       struct appx_verification *v, struct err *e)
{
    int64_t now = time(NULL), stamped;
    int rc = 0;

    v->at = t->at ? t->at : now;
    if (appx_timestamp_find(s->signer_info, &stamped) == APPX_TIMESTAMP_NONE)
        return 0;
    rc = appx_timestamp_holds(s->p7, s->signer_info, store, now, v->timestamp_why,
                              sizeof v->timestamp_why, e);
    v->timestamp_good = rc > 0;
    if (rc > 0 && !t->at && !cert_is_lifetime_signing(s->certificate))
        v->at = stamped;
    return rc < 0 ? rc : 0;
}

static int check_trust(const struct appx_signature *s, const struct appx_trust *t,
                       X509_STORE *store, struct appx_verification *v, struct err *e)
{
    char why[160] = "";
    int rc = choose_time(s, t, store, v, e);

    if (!rc)
        rc = cert_chain_holds(store, s->certificate, s->p7->d.sign->cert, CERT_SIGNS_CODE, v->at, why,
                              sizeof why, e);
    if (rc < 0)
        return rc;
    v->verdict = rc ? APPX_VERDICT_GOOD : APPX_VERDICT_UNTRUSTED;
    if (!rc)
        (void)snprintf(v->why, sizeof v->why, "%s%s%s%s", why,
                       v->timestamp_why[0] ? " (the time stamp does not count: " : "",
                       v->timestamp_why, v->timestamp_why[0] ? ")" : "");
    return 0;
}

int appx_signature_verify(struct appx_signature *s, const struct appx_trust *t,
                          struct appx_verification *out, struct err *e)
{
    X509_STORE *store = NULL;
    int rc = 0;

    *out = (struct appx_verification){ .verdict = APPX_VERDICT_BAD };
    if (!signed_data_holds(s->p7, s->signer_info, s->certificate, s->content, s->content_len)) {
        (void)snprintf(out->why, sizeof out->why, "the signature is not one over this content");
    } else if (!t || (!t->ca_file && !t->ca_dir)) {
        out->verdict = APPX_VERDICT_UNCHECKED;
    } else {
        rc = cert_store_open(t->ca_file, t->ca_dir, &store, e);
        if (!rc)
            rc = check_trust(s, t, store, out, e);
        X509_STORE_free(store);
    }
    ERR_clear_error();
    return rc;
}
