/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Time stamps of signatures, over OpenSSL. See appx_timestamp.h. Tokens are read as CMS: those of
 * Microsoft have attribute certificates, which are not of PKCS #7.
 */
#include "config.h"

#include "src/appx_timestamp.h"

#include <stdio.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ts.h>

#include "src/cert_chain.h"
#include "src/der.h"
#include "src/signed_data.h"

#define OID_RFC3161   "1.3.6.1.4.1.311.3.3.1"
#define OID_TST_INFO  "1.2.840.113549.1.9.16.1.4"
#define CLOCK_DIFFERS 300 /* seconds that a clock may be fast */
#define TOKEN_MAX     (256 * 1024)
#define ALGORITHMS_MAX 128 /* bytes of the list; OpenSSL nests a call for each in it */

/* The time stamp of a signer, taken apart: one of the two. */
struct stamp {
    enum appx_timestamp kind;
    CMS_ContentInfo *token; /* RFC 3161 */
    TS_TST_INFO *info;
    PKCS7_SIGNER_INFO *counter; /* PKCS #9 */
    int64_t at;
};

static void stamp_clear(struct stamp *s)
{
    CMS_ContentInfo_free(s->token);
    TS_TST_INFO_free(s->info);
    PKCS7_SIGNER_INFO_free(s->counter);
}

/* --- taking apart ----------------------------------------------------------------------------- */

/* The first value of an unsigned attribute, in DER; NULL if there is none. */
static const ASN1_STRING *find_attribute(const PKCS7_SIGNER_INFO *signer, const char *dotted)
{
    for (int i = 0; i < sk_X509_ATTRIBUTE_num(signer->unauth_attr); i++) {
        X509_ATTRIBUTE *a = sk_X509_ATTRIBUTE_value(signer->unauth_attr, i);
        if (!asn1_oid_is(X509_ATTRIBUTE_get0_object(a), dotted))
            continue;
        const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(a, 0);
        return value && value->type == V_ASN1_SEQUENCE ? value->value.sequence : NULL;
    }
    return NULL;
}

/* Whether the list of digest algorithms of SignedData is as short as it should be. */
static bool is_harmless(struct der token)
{
    struct der content, type, explicit, data, version, algorithms;

    return der_enter(&token, V_ASN1_SEQUENCE, &content) &&
           der_enter(&content, V_ASN1_OBJECT, &type) &&
           der_enter_class(&content, 0, V_ASN1_CONTEXT_SPECIFIC, &explicit) &&
           der_enter(&explicit, V_ASN1_SEQUENCE, &data) &&
           der_enter(&data, V_ASN1_INTEGER, &version) &&
           der_enter(&data, V_ASN1_SET, &algorithms) && algorithms.left <= ALGORITHMS_MAX;
}

static bool read_token(const ASN1_STRING *der, struct stamp *s)
{
    const uint8_t *p = ASN1_STRING_get0_data(der);
    int len = ASN1_STRING_length(der);

    if (len > TOKEN_MAX || !is_harmless((struct der){ p, len }))
        return false;
    s->token = d2i_CMS_ContentInfo(NULL, &p, len);
    if (!s->token || OBJ_obj2nid(CMS_get0_type(s->token)) != NID_pkcs7_signed ||
        !asn1_oid_is(CMS_get0_eContentType(s->token), OID_TST_INFO))
        return false;
    ASN1_OCTET_STRING **content = CMS_get0_content(s->token);
    if (!content || !*content)
        return false;
    p = ASN1_STRING_get0_data(*content);
    s->info = d2i_TS_TST_INFO(NULL, &p, ASN1_STRING_length(*content));
    return s->info && asn1_seconds(TS_TST_INFO_get_time(s->info), &s->at);
}

static bool read_counter(const ASN1_STRING *der, struct stamp *s)
{
    const uint8_t *p = ASN1_STRING_get0_data(der);

    s->counter = d2i_PKCS7_SIGNER_INFO(NULL, &p, ASN1_STRING_length(der));
    if (!s->counter)
        return false;
    const ASN1_TYPE *time = PKCS7_get_signed_attribute(s->counter, NID_pkcs9_signingTime);
    return time && (time->type == V_ASN1_UTCTIME || time->type == V_ASN1_GENERALIZEDTIME) &&
           asn1_seconds(time->value.asn1_string, &s->at);
}

static void read_stamp(const PKCS7_SIGNER_INFO *signer, struct stamp *s)
{
    const ASN1_STRING *token = find_attribute(signer, OID_RFC3161);
    const ASN1_STRING *counter = find_attribute(signer, "1.2.840.113549.1.9.6");

    *s = (struct stamp){ .kind = APPX_TIMESTAMP_NONE };
    if (token && read_token(token, s))
        s->kind = APPX_TIMESTAMP_RFC3161;
    else if (!token && counter && read_counter(counter, s))
        s->kind = APPX_TIMESTAMP_COUNTERSIGNATURE;
}

enum appx_timestamp appx_timestamp_find(const PKCS7_SIGNER_INFO *signer, int64_t *at)
{
    struct stamp s;

    read_stamp(signer, &s);
    *at = s.kind == APPX_TIMESTAMP_NONE ? 0 : s.at;
    stamp_clear(&s);
    return s.kind;
}

/* --- verifying -------------------------------------------------------------------------------- */

/* Whether EXPECTED is the digest of the signature of SIGNER. */
static bool is_digest_of(const ASN1_STRING *expected, enum digest digest,
                         const PKCS7_SIGNER_INFO *signer)
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    size_t len;

    return EVP_Q_digest(NULL, digest_name(digest), NULL, ASN1_STRING_get0_data(signer->enc_digest),
                        (size_t)ASN1_STRING_length(signer->enc_digest), bytes, &len) &&
           (size_t)ASN1_STRING_length(expected) == len &&
           !memcmp(ASN1_STRING_get0_data(expected), bytes, len);
}

/* The signer of a token, if it is the only one and its attributes say what it signed. */
static CMS_SignerInfo *token_signer(CMS_ContentInfo *token)
{
    STACK_OF(CMS_SignerInfo) *all = CMS_get0_SignerInfos(token);
    CMS_SignerInfo *signer = sk_CMS_SignerInfo_num(all) == 1 ? sk_CMS_SignerInfo_value(all, 0) : NULL;
    const ASN1_OBJECT *type =
        signer ? CMS_signed_get0_data_by_OBJ(signer, OBJ_nid2obj(NID_pkcs9_contentType), -3,
                                             V_ASN1_OBJECT)
               : NULL;

    return asn1_oid_is(type, OID_TST_INFO) ? signer : NULL;
}

/* Both: the certificate, or NULL and *why. */
static X509 *verify_token(struct stamp *s, STACK_OF(X509) *more, const PKCS7_SIGNER_INFO *signer,
                          const char **why)
{
    TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(s->info);
    CMS_SignerInfo *by = token_signer(s->token);
    enum digest digest, own;
    X509_ALGOR *algorithm;
    X509 *cert = NULL;

    *why = "it has not exactly one signer who says what was signed";
    if (!by)
        return NULL;
    CMS_SignerInfo_get0_algs(by, NULL, NULL, &algorithm, NULL);
    *why = "its digest is not one of SHA-2";
    if (!asn1_digest(algorithm, &own) || !asn1_digest(TS_MSG_IMPRINT_get_algo(imprint), &digest))
        return NULL;
    *why = "it is of another signature";
    if (!is_digest_of(TS_MSG_IMPRINT_get_msg(imprint), digest, signer))
        return NULL;
    *why = "its own signature is not one over it";
    if (CMS_verify(s->token, more, NULL, NULL, NULL, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) != 1)
        return NULL;
    CMS_SignerInfo_get0_algs(by, NULL, &cert, NULL, NULL);
    return cert;
}

static X509 *verify_counter(struct stamp *s, PKCS7 *p7, const PKCS7_SIGNER_INFO *signer,
                            const char **why)
{
    const PKCS7_ISSUER_AND_SERIAL *who = s->counter->issuer_and_serial;
    enum digest digest;

    *why = "its digest is not one of SHA-2";
    if (!asn1_digest(s->counter->digest_alg, &digest))
        return NULL;
    *why = "its certificate is missing";
    X509 *cert = p7->d.sign->cert
                     ? X509_find_by_issuer_and_serial(p7->d.sign->cert, who->issuer, who->serial)
                     : NULL;
    if (!cert)
        return NULL;
    /* The signed attributes are what ties the time to it: read_counter() has found one. */
    *why = "it is not one over this signature";
    return signed_data_holds(p7, s->counter, cert, ASN1_STRING_get0_data(signer->enc_digest),
                             (size_t)ASN1_STRING_length(signer->enc_digest))
               ? cert
               : NULL;
}

/* Certificates that may stand between: those of token and package. */
static STACK_OF(X509) *all_certificates(const struct stamp *s, const PKCS7 *p7)
{
    STACK_OF(X509) *all = s->token ? CMS_get1_certs(s->token) : NULL;

    if (!all)
        all = sk_X509_new_null();
    if (all && X509_add_certs(all, p7->d.sign->cert, X509_ADD_FLAG_UP_REF))
        return all;
    sk_X509_pop_free(all, X509_free);
    return NULL;
}

static int verify(struct stamp *s, PKCS7 *p7, const PKCS7_SIGNER_INFO *signer,
                  X509_STORE *store, int64_t now, char *why, size_t why_size, struct err *e)
{
    const char *text = NULL;
    X509 *cert = s->kind == APPX_TIMESTAMP_RFC3161
                     ? verify_token(s, p7->d.sign->cert, signer, &text)
                     : verify_counter(s, p7, signer, &text);

    if (cert && s->at > now + CLOCK_DIFFERS) {
        text = "it is of a time to come";
        cert = NULL;
    }
    if (!cert) {
        (void)snprintf(why, why_size, "%s", text);
        return 0;
    }
    STACK_OF(X509) *others = all_certificates(s, p7);
    if (!others)
        return err_nomem(e);
    int rc = cert_chain_holds(store, cert, others, CERT_SIGNS_TIME, s->at, why, why_size, e);
    sk_X509_pop_free(others, X509_free);
    return rc;
}

int appx_timestamp_holds(PKCS7 *p7, const PKCS7_SIGNER_INFO *signer, X509_STORE *store,
                         int64_t now, char *why, size_t why_size, struct err *e)
{
    struct stamp s;
    int rc = 0;

    read_stamp(signer, &s);
    if (s.kind == APPX_TIMESTAMP_NONE)
        (void)snprintf(why, why_size, "there is none");
    else
        rc = verify(&s, p7, signer, store, now, why, why_size, e);
    stamp_clear(&s);
    return rc;
}
