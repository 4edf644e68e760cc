/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PKCS #7 SignedData, over OpenSSL. See signed_data.h. */
#include "config.h"

#include "src/signed_data.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

enum {
    CERTIFICATES_MAX = 64,
    ALGORITHMS_MAX = 4,
    ATTRIBUTES_MAX = 32,
    CONTENT_MAX = 64 * 1024,
};

bool asn1_oid_is(const ASN1_OBJECT *object, const char *dotted)
{
    char text[128];

    return object && OBJ_obj2txt(text, sizeof text, object, 1) > 0 && !strcmp(text, dotted);
}

bool asn1_seconds(const ASN1_TIME *time, int64_t *out)
{
    struct tm tm;

    if (!time || !ASN1_TIME_to_tm(time, &tm)) /* NULL would be the time now */
        return false;
    *out = timegm(&tm);
    return true;
}

bool asn1_digest(const X509_ALGOR *algorithm, enum digest *out)
{
    switch (algorithm ? OBJ_obj2nid(algorithm->algorithm) : NID_undef) {
    case NID_sha256:
        *out = DIGEST_SHA256;
        return true;
    case NID_sha384:
        *out = DIGEST_SHA384;
        return true;
    case NID_sha512:
        *out = DIGEST_SHA512;
        return true;
    default:
        return false;
    }
}

PKCS7 *signed_data_parse(const uint8_t *der, size_t len)
{
    const uint8_t *p = der;
    PKCS7 *p7 = len <= LONG_MAX ? d2i_PKCS7(NULL, &p, (long)len) : NULL;

    if (p7 && p != der + len) {
        PKCS7_free(p7);
        p7 = NULL;
    }
    return p7;
}

static bool is_of_type(PKCS7_SIGNER_INFO *signer, const char *content_type)
{
    const ASN1_TYPE *type = PKCS7_get_signed_attribute(signer, NID_pkcs9_contentType);

    return type && type->type == V_ASN1_OBJECT && asn1_oid_is(type->value.object, content_type);
}

PKCS7_SIGNER_INFO *signed_data_signer(const PKCS7 *p7, const char *content_type, const char **why)
{
    const PKCS7_SIGNED *d = PKCS7_type_is_signed(p7) ? p7->d.sign : NULL;
    enum digest digest;

    *why = "it is not of the right kind";
    if (!d || !d->contents || !asn1_oid_is(d->contents->type, content_type))
        return NULL;
    *why = "it has not exactly one signer";
    if (sk_PKCS7_SIGNER_INFO_num(d->signer_info) != 1)
        return NULL;
    PKCS7_SIGNER_INFO *signer = sk_PKCS7_SIGNER_INFO_value(d->signer_info, 0);
    *why = "it has too many parts";
    if (sk_X509_num(d->cert) > CERTIFICATES_MAX || sk_X509_ALGOR_num(d->md_algs) > ALGORITHMS_MAX ||
        sk_X509_ATTRIBUTE_num(signer->auth_attr) > ATTRIBUTES_MAX ||
        sk_X509_ATTRIBUTE_num(signer->unauth_attr) > ATTRIBUTES_MAX)
        return NULL;
    *why = "its digest is not one of SHA-2";
    if (!asn1_digest(signer->digest_alg, &digest))
        return NULL;
    *why = "its signed attributes do not say what was signed";
    return is_of_type(signer, content_type) ? signer : NULL;
}

X509 *signed_data_certificate(PKCS7 *p7)
{
    STACK_OF(X509) *signers = PKCS7_get0_signers(p7, NULL, 0);
    X509 *cert = sk_X509_num(signers) == 1 ? sk_X509_value(signers, 0) : NULL;

    sk_X509_free(signers);
    return cert;
}

/*
 * Not PKCS7_verify(): in OpenSSL 3.0 that loses memory when P7 names a digest that it does not know.
 */
bool signed_data_holds(PKCS7 *p7, PKCS7_SIGNER_INFO *signer, X509 *cert, const uint8_t *content,
                       size_t len)
{
    enum digest digest;

    if (!asn1_digest(signer->digest_alg, &digest) || !len || len > CONTENT_MAX)
        return false;
    BIO *sink = BIO_new(BIO_s_null()), *bio = BIO_new(BIO_f_md());
    EVP_MD *md = EVP_MD_fetch(NULL, digest_name(digest), NULL);
    bool holds = sink && bio && md && BIO_set_md(bio, md) > 0;
    if (holds) {
        BIO_push(bio, sink);
        holds = BIO_write(bio, content, (int)len) == (int)len &&
                PKCS7_signatureVerify(bio, p7, signer, cert) == 1;
        (void)BIO_pop(bio);
    }
    BIO_free(bio);
    BIO_free(sink);
    EVP_MD_free(md);
    return holds;
}
