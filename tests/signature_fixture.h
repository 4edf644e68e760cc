/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signatures of packages made in memory, right and wrong ones, with certificates of their own:
 *
 *     struct identity ca = make_identity(&(struct identity_spec){ .name = "CA", .is_ca = true }, NULL);
 *     struct identity me = make_identity(&(struct identity_spec){ .name = "Me", .uses = "codeSigning" }, &ca);
 *     struct signature_spec spec = { .signer = &me };
 *     struct made_bytes p7x = make_signature(&spec);
 *
 * Anything that fails ends the program.
 */
#ifndef TESTS_SIGNATURE_FIXTURE_H
#define TESTS_SIGNATURE_FIXTURE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pkcs7.h>
#include <openssl/rsa.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>

#define FIXTURE_INDIRECT "1.3.6.1.4.1.311.2.1.4"
#define FIXTURE_TST_INFO "1.2.840.113549.1.9.16.1.4"

#define FIXTURE_MUST(condition)                                                                    \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

struct made_bytes {
    uint8_t *data; /* owned */
    size_t len;
};

/* --- DER -------------------------------------------------------------------------------------- */

/* TAG and the bytes of PARTS (freed), one behind another. */
static inline struct made_bytes der_make(uint8_t tag, const struct made_bytes *parts, size_t count)
{
    struct made_bytes out = { .data = malloc(65536) };
    size_t len = 0, at = 0;

    FIXTURE_MUST(out.data);
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    FIXTURE_MUST(len < 65000);
    out.data[at++] = tag;
    if (len >= 128) {
        out.data[at++] = 0x82;
        out.data[at++] = (uint8_t)(len >> 8);
    }
    out.data[at++] = (uint8_t)len;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len)
            memcpy(out.data + at, parts[i].data, parts[i].len);
        at += parts[i].len;
        free(parts[i].data);
    }
    out.len = at;
    return out;
}

#define DER(tag, ...)                                                                              \
    der_make(tag, (const struct made_bytes[]){ __VA_ARGS__ },                                      \
             sizeof((const struct made_bytes[]){ __VA_ARGS__ }) / sizeof(struct made_bytes))

static inline struct made_bytes bytes_copy(const void *data, size_t len)
{
    struct made_bytes out = { .data = malloc(len + 1), .len = len };

    FIXTURE_MUST(out.data);
    if (len)
        memcpy(out.data, data, len);
    return out;
}

static inline struct made_bytes der_oid(const char *dotted)
{
    ASN1_OBJECT *o = OBJ_txt2obj(dotted, 1);
    unsigned char *der = NULL;
    int len = i2d_ASN1_OBJECT(o, &der);

    FIXTURE_MUST(o && len > 0);
    struct made_bytes out = bytes_copy(der, (size_t)len);
    OPENSSL_free(der);
    ASN1_OBJECT_free(o);
    return out;
}

/* --- certificates ----------------------------------------------------------------------------- */

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

struct identity_spec {
    const char *name; /* common name; also has O="A, B" */
    bool is_ca;
    const char *uses;         /* extended key usage, or NULL */
    int64_t from, to;         /* 0: yesterday, tomorrow */
    bool weak;                /* RSA of 1024 bits */
};

static inline void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    FIXTURE_MUST(ext && X509_add_ext(cert, ext, -1));
    X509_EXTENSION_free(ext);
}

/* ISSUER NULL: signed by itself. */
static inline struct identity make_identity(const struct identity_spec *spec,
                                            const struct identity *issuer)
{
    static long serial = 1000;
    int64_t now = time(NULL);
    struct identity id = { .key = spec->weak ? EVP_RSA_gen(1024) : EVP_EC_gen("P-256"),
                           .cert = X509_new() };
    FIXTURE_MUST(id.key && id.cert);
    X509_NAME *name = X509_get_subject_name(id.cert);

    FIXTURE_MUST(X509_set_version(id.cert, 2) &&
                 ASN1_INTEGER_set(X509_get_serialNumber(id.cert), ++serial) &&
                 X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"A, B", -1, -1,
                                            0) &&
                 X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)spec->name, -1,
                                            -1, 0) &&
                 X509_set_issuer_name(id.cert, X509_get_subject_name(issuer ? issuer->cert : id.cert)) &&
                 X509_set_pubkey(id.cert, id.key) &&
                 ASN1_TIME_set(X509_getm_notBefore(id.cert), spec->from ? spec->from : now - 86400) &&
                 ASN1_TIME_set(X509_getm_notAfter(id.cert), spec->to ? spec->to : now + 86400));
    if (spec->is_ca)
        add_extension(id.cert, NID_basic_constraints, "critical,CA:TRUE");
    if (spec->uses)
        add_extension(id.cert, NID_ext_key_usage, spec->uses);
    FIXTURE_MUST(X509_sign(id.cert, issuer ? issuer->key : id.key, EVP_sha256()));
    return id;
}

static inline void identity_free(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
}

/* --- SignedData ------------------------------------------------------------------------------- */

struct signature_spec {
    const struct identity *signer, *also; /* ALSO: a certificate more, or NULL */
    const EVP_MD *md;                     /* of the signature; NULL: SHA-256 */
    const char *digest_oid;               /* of the parts; NULL: SHA-256 */
    size_t digest_len;                    /* 0: 32 */
    const char *tags;                     /* of the records; NULL: those that must be there */
    const char *content_type;             /* what is signed says that it is; NULL: the right one */
    const char *said_type;                /* what the signed attribute says; NULL: the right one */
    bool no_attributes, wrong_digest, two_signers;
    const struct identity *stamper; /* a time stamp by that one, or NULL */
    int64_t stamped;                /* its time */
    bool counter;                   /* a countersignature of PKCS #9 */
    bool stamp_of_another;          /* signature */
    const EVP_MD *stamp_md;         /* NULL: SHA-256 */
    const char *stamp_said_type;    /* of a token, as said_type */
};

static inline void add_attribute(PKCS7_SIGNER_INFO *si, int nid, int type, void *value)
{
    FIXTURE_MUST(PKCS7_add_signed_attribute(si, nid, type, value));
}

/* An unsigned attribute with the SEQUENCE in DER (freed). */
static inline void add_unsigned(PKCS7_SIGNER_INFO *si, const char *dotted, uint8_t *der, int len)
{
    X509_ATTRIBUTE *a = X509_ATTRIBUTE_new();
    ASN1_OBJECT *type = OBJ_txt2obj(dotted, 1);

    FIXTURE_MUST(a && type && len > 0 && X509_ATTRIBUTE_set1_object(a, type) &&
                 X509_ATTRIBUTE_set1_data(a, V_ASN1_SEQUENCE, der, len));
    if (!si->unauth_attr)
        si->unauth_attr = sk_X509_ATTRIBUTE_new_null();
    FIXTURE_MUST(si->unauth_attr && sk_X509_ATTRIBUTE_push(si->unauth_attr, a));
    ASN1_OBJECT_free(type);
    OPENSSL_free(der);
}

/* Fills attributes that say what CONTENT is, and signs them. */
static inline void sign_attributes(PKCS7_SIGNER_INFO *si, const EVP_MD *md, const char *type,
                                   const void *content, size_t len, int64_t at)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_len;

    FIXTURE_MUST(EVP_Digest(content, len, digest, &digest_len, md, NULL));
    add_attribute(si, NID_pkcs9_contentType, V_ASN1_OBJECT, OBJ_txt2obj(type, 1));
    if (at)
        add_attribute(si, NID_pkcs9_signingTime, V_ASN1_UTCTIME, ASN1_UTCTIME_set(NULL, at));
    FIXTURE_MUST(PKCS7_add1_attrib_digest(si, digest, (int)digest_len) &&
                 PKCS7_SIGNER_INFO_sign(si));
}

/* VALUE (taken) in SignedData. */
static inline PKCS7 *signed_with(const char *type, ASN1_TYPE *value, const struct identity *who)
{
    PKCS7 *p7 = PKCS7_new(), *inner = PKCS7_new();

    FIXTURE_MUST(p7 && inner && value && PKCS7_set_type(p7, NID_pkcs7_signed));
    inner->type = OBJ_txt2obj(type, 1);
    inner->d.other = value;
    FIXTURE_MUST(inner->type && PKCS7_set_content(p7, inner) &&
                 PKCS7_add_certificate(p7, who->cert));
    return p7;
}

static inline ASN1_TYPE *typed(int type, const void *data, size_t len)
{
    ASN1_TYPE *t = ASN1_TYPE_new();
    ASN1_STRING *s = ASN1_STRING_type_new(type);

    FIXTURE_MUST(t && s && ASN1_STRING_set(s, data, (int)len));
    ASN1_TYPE_set(t, type, s);
    return t;
}

static inline TS_TST_INFO *make_tst_info(const struct signature_spec *spec, const uint8_t *signature,
                                         size_t len)
{
    const EVP_MD *md = spec->stamp_md ? spec->stamp_md : EVP_sha256();
    TS_TST_INFO *info = TS_TST_INFO_new();
    TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
    X509_ALGOR *algorithm = X509_ALGOR_new();
    ASN1_OBJECT *policy = OBJ_txt2obj("1.2.3", 1);
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    ASN1_GENERALIZEDTIME *at = ASN1_GENERALIZEDTIME_set(NULL, spec->stamped);
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_len;

    FIXTURE_MUST(info && imprint && algorithm && policy && serial && at &&
                 EVP_Digest(signature, len, digest, &digest_len, md, NULL));
    digest[0] ^= spec->stamp_of_another;
    X509_ALGOR_set_md(algorithm, md);
    FIXTURE_MUST(TS_MSG_IMPRINT_set_algo(imprint, algorithm) &&
                 TS_MSG_IMPRINT_set_msg(imprint, digest, (int)digest_len) &&
                 ASN1_INTEGER_set(serial, 7) && TS_TST_INFO_set_version(info, 1) &&
                 TS_TST_INFO_set_policy_id(info, policy) &&
                 TS_TST_INFO_set_msg_imprint(info, imprint) &&
                 TS_TST_INFO_set_serial(info, serial) && TS_TST_INFO_set_time(info, at));
    ASN1_GENERALIZEDTIME_free(at);
    ASN1_INTEGER_free(serial);
    ASN1_OBJECT_free(policy);
    X509_ALGOR_free(algorithm);
    TS_MSG_IMPRINT_free(imprint);
    return info;
}

static inline void add_token(PKCS7_SIGNER_INFO *si, const struct signature_spec *spec)
{
    TS_TST_INFO *info = make_tst_info(spec, si->enc_digest->data, (size_t)si->enc_digest->length);
    unsigned char *der = NULL, *token = NULL;
    int len = i2d_TS_TST_INFO(info, &der);

    FIXTURE_MUST(len > 0);
    PKCS7 *p7 = signed_with(FIXTURE_TST_INFO, typed(V_ASN1_OCTET_STRING, der, (size_t)len),
                            spec->stamper);
    PKCS7_SIGNER_INFO *by =
        PKCS7_add_signature(p7, spec->stamper->cert, spec->stamper->key, EVP_sha256());
    FIXTURE_MUST(by);
    sign_attributes(by, EVP_sha256(),
                    spec->stamp_said_type ? spec->stamp_said_type : FIXTURE_TST_INFO, der,
                    (size_t)len, 0);
    len = i2d_PKCS7(p7, &token);
    add_unsigned(si, "1.3.6.1.4.1.311.3.3.1", token, len);
    OPENSSL_free(der);
    PKCS7_free(p7);
    TS_TST_INFO_free(info);
}

static inline void add_counter(PKCS7 *p7, PKCS7_SIGNER_INFO *si, const struct signature_spec *spec)
{
    const EVP_MD *md = spec->stamp_md ? spec->stamp_md : EVP_sha256();
    PKCS7_SIGNER_INFO *by = PKCS7_SIGNER_INFO_new();
    unsigned char *der = NULL;

    FIXTURE_MUST(by && PKCS7_add_certificate(p7, spec->stamper->cert) &&
                 PKCS7_SIGNER_INFO_set(by, spec->stamper->cert, spec->stamper->key, md));
    sign_attributes(by, md, "1.2.840.113549.1.7.1", si->enc_digest->data,
                    (size_t)si->enc_digest->length - spec->stamp_of_another, spec->stamped);
    int len = i2d_PKCS7_SIGNER_INFO(by, &der);
    add_unsigned(si, "1.2.840.113549.1.9.6", der, len);
    PKCS7_SIGNER_INFO_free(by);
}

/* The record of part I is filled with I + 1. */
static inline struct made_bytes make_records(const struct signature_spec *spec)
{
    const char *tags = spec->tags ? spec->tags : "AXPCAXCDAXCTAXBM";
    size_t len = spec->digest_len ? spec->digest_len : 32, count = strlen(tags) / 4;
    struct made_bytes out = bytes_copy("APPX", 4);

    out.data = realloc(out.data, 4 + count * (4 + len));
    FIXTURE_MUST(out.data);
    for (size_t i = 0; i < count; i++) {
        memcpy(out.data + out.len, tags + 4 * i, 4);
        memset(out.data + out.len + 4, (int)i + 1, len);
        out.len += 4 + len;
    }
    return out;
}

/* SpcIndirectDataContent. */
static inline struct made_bytes make_content(const struct signature_spec *spec)
{
    static const char sip[] = "\x02\x04\x01\x01\x00\x00";
    struct made_bytes records = make_records(spec);

    return DER(0x30, DER(0x30, der_oid("1.3.6.1.4.1.311.2.1.30"), DER(0x30, bytes_copy(sip, 6))),
               DER(0x30,
                   DER(0x30, der_oid(spec->digest_oid ? spec->digest_oid : "2.16.840.1.101.3.4.2.1"),
                       bytes_copy("\5", 2)),
                   DER(0x04, records)));
}

static inline void add_signer(PKCS7 *p7, const struct signature_spec *spec,
                              const struct made_bytes *content)
{
    const EVP_MD *md = spec->md ? spec->md : EVP_sha256();
    size_t head = content->data[1] & 0x80 ? 2 + (content->data[1] & 0x7f) : 2;
    PKCS7_SIGNER_INFO *si = PKCS7_add_signature(p7, spec->signer->cert, spec->signer->key, md);

    FIXTURE_MUST(si);
    if (spec->no_attributes) {
        FIXTURE_MUST(ASN1_STRING_set(si->enc_digest, "no signature", 12));
        return;
    }
    sign_attributes(si, md, spec->said_type ? spec->said_type : FIXTURE_INDIRECT,
                    content->data + head, content->len - head - spec->wrong_digest, 0);
    if (spec->stamper && spec->counter)
        add_counter(p7, si, spec);
    else if (spec->stamper)
        add_token(si, spec);
}

static inline struct made_bytes make_signature(const struct signature_spec *spec)
{
    struct made_bytes content = make_content(spec), out = bytes_copy("PKCX", 4);
    PKCS7 *p7 = signed_with(spec->content_type ? spec->content_type : FIXTURE_INDIRECT,
                            typed(V_ASN1_SEQUENCE, content.data, content.len), spec->signer);
    unsigned char *der = NULL;

    add_signer(p7, spec, &content);
    if (spec->two_signers)
        add_signer(p7, spec, &content);
    if (spec->also)
        FIXTURE_MUST(PKCS7_add_certificate(p7, spec->also->cert));
    int len = i2d_PKCS7(p7, &der);
    FIXTURE_MUST(len > 0 && (out.data = realloc(out.data, 4 + (size_t)len)));
    memcpy(out.data + 4, der, (size_t)len);
    out.len += (size_t)len;
    OPENSSL_free(der);
    PKCS7_free(p7);
    free(content.data);
    return out;
}

#endif
