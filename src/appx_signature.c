/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures of AppX packages, over OpenSSL. See appx_signature.h. */
#include "config.h"

#include "src/appx_signature.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define MAGIC "PKCX"

static const char *const part_names[APPX_SIGNED_PARTS] = {
    [APPX_AXPC] = "AXPC", [APPX_AXCD] = "AXCD", [APPX_AXCT] = "AXCT",
    [APPX_AXBM] = "AXBM", [APPX_AXCI] = "AXCI",
};

const char *appx_signed_part_name(enum appx_signed_part part)
{
    return part_names[part];
}

/* --- DER, as far as it is needed -------------------------------------------------------------- */

struct der {
    const uint8_t *p;
    long left;
};

/* Goes into the next element of DER, which must have TAG: *inside is its content. */
static bool der_enter(struct der *d, int tag, struct der *inside)
{
    const uint8_t *p = d->p;
    long len;
    int is_tag, class;

    if (d->left <= 0)
        return false;
    int rc = ASN1_get_object(&p, &len, &is_tag, &class, d->left);
    if (rc & 0x80 || rc & 1 || is_tag != tag || class != V_ASN1_UNIVERSAL)
        return false; /* an error, or of indefinite length */
    *inside = (struct der){ p, len };
    d->left -= p + len - d->p;
    d->p = p + len;
    return d->left >= 0;
}

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

/* --- what was signed -------------------------------------------------------------------------- */

static bool find_algorithm(const struct der *oid, enum digest *out)
{
    static const uint8_t sha2[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02 };

    if (oid->left != sizeof sha2 + 1 || memcmp(oid->p, sha2, sizeof sha2))
        return false;
    switch (oid->p[sizeof sha2]) {
    case 1:
        *out = DIGEST_SHA256;
        return true;
    case 2:
        *out = DIGEST_SHA384;
        return true;
    case 3:
        *out = DIGEST_SHA512;
        return true;
    default:
        return false;
    }
}

/* "APPX", then records of a tag and a digest. */
static bool read_records(const struct der *blob, struct appx_signature *s)
{
    size_t len = digest_len(s->digest), left = (size_t)blob->left;
    const uint8_t *p = blob->p;

    if (left < 4 || memcmp(p, "APPX", 4))
        return false;
    for (p += 4, left -= 4; left >= 4 + len; p += 4 + len, left -= 4 + len)
        for (unsigned part = 0; part < APPX_SIGNED_PARTS; part++)
            if (!memcmp(p, part_names[part], 4)) {
                s->has[part] = true;
                memcpy(s->digests[part], p + 4, len);
            }
    return !left && s->has[APPX_AXPC] && s->has[APPX_AXCD] && s->has[APPX_AXCT] &&
           s->has[APPX_AXBM];
}

static int read_content(PKCS7 *p7, struct appx_signature *s, struct der *content, struct err *e)
{
    struct der oid, blob, outer;
    ASN1_TYPE *other = PKCS7_type_is_signed(p7) && p7->d.sign && p7->d.sign->contents
                           ? p7->d.sign->contents->d.other
                           : NULL;

    if (!other || other->type != V_ASN1_SEQUENCE)
        return err_set(e, ERR_CORRUPT, "signature: not one of a package");
    outer = (struct der){ other->value.sequence->data, other->value.sequence->length };
    if (!der_enter(&outer, V_ASN1_SEQUENCE, content) || !find_digest(*content, &oid, &blob))
        return err_set(e, ERR_CORRUPT, "signature: what was signed cannot be understood");
    if (!find_algorithm(&oid, &s->digest))
        return err_set(e, ERR_UNSUPPORTED, "signature: unknown digest algorithm");
    return read_records(&blob, s)
               ? 0
               : err_set(e, ERR_CORRUPT, "signature: it is not over the parts of a package");
}

/* --- by whom, and whether it holds ------------------------------------------------------------ */

static void name_text(const X509_NAME *name, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int n = 0;

    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
        n = BIO_read(bio, out, (int)size - 1);
    out[n > 0 ? n : 0] = '\0';
    BIO_free(bio);
}

static void time_text(const ASN1_TIME *time, char *out, size_t size)
{
    struct tm tm;

    if (!ASN1_TIME_to_tm(time, &tm) || !strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
        out[0] = '\0';
}

static void describe(const X509 *cert, struct appx_signature *s)
{
    name_text(X509_get_subject_name(cert), s->signer, sizeof s->signer);
    name_text(X509_get_issuer_name(cert), s->issuer, sizeof s->issuer);
    time_text(X509_get0_notBefore(cert), s->not_before, sizeof s->not_before);
    time_text(X509_get0_notAfter(cert), s->not_after, sizeof s->not_after);
}

static void set_why(struct appx_signature *s, const char *why)
{
    strncpy(s->why, why, sizeof s->why - 1);
}

/* Authenticode's digest is over the content without its header. */
static bool is_intact(PKCS7 *p7, const struct der *content)
{
    BIO *bio = BIO_new_mem_buf(content->p, (int)content->left);
    bool good = bio && PKCS7_verify(p7, NULL, NULL, bio, NULL, PKCS7_NOVERIFY) == 1;

    BIO_free(bio);
    return good;
}

static int check_chain(X509_STORE *store, X509 *cert, STACK_OF(X509) *others,
                       struct appx_signature *s, struct err *e)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();

    if (!ctx || !X509_STORE_CTX_init(ctx, store, cert, others)) {
        X509_STORE_CTX_free(ctx);
        return err_nomem(e);
    }
    bool good = X509_verify_cert(ctx) == 1;
    if (!good)
        set_why(s, X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    X509_STORE_CTX_free(ctx);
    if (good && !(X509_get_extended_key_usage(cert) & XKU_CODE_SIGN)) {
        set_why(s, "the certificate is not for signing code");
        good = false;
    }
    s->trust = good ? APPX_TRUST_GOOD : APPX_TRUST_BAD;
    return 0;
}

static int check_trust(PKCS7 *p7, X509 *cert, const char *ca_file, struct appx_signature *s,
                       struct err *e)
{
    X509_STORE *store = X509_STORE_new();
    int rc;

    if (!store)
        return err_nomem(e);
    if (X509_STORE_load_file(store, ca_file) == 1) {
        (void)X509_STORE_set_purpose(store, X509_PURPOSE_ANY); /* the use is looked at afterwards */
        rc = check_chain(store, cert, p7->d.sign->cert, s, e);
    } else {
        rc = err_set(e, ERR_SYSTEM, "%s: no certificates (PEM) can be read there", ca_file);
    }
    X509_STORE_free(store);
    return rc;
}

static int check(PKCS7 *p7, const char *ca_file, struct appx_signature *s, struct err *e)
{
    struct der content;
    int rc = read_content(p7, s, &content, e);

    if (rc)
        return rc;
    STACK_OF(X509) *signers = PKCS7_get0_signers(p7, NULL, 0);
    X509 *cert = signers && sk_X509_num(signers) == 1 ? sk_X509_value(signers, 0) : NULL;
    if (!cert || !X509_up_ref(cert)) {
        sk_X509_free(signers);
        return err_set(e, ERR_CORRUPT, "signature: it has not exactly one signer with a certificate");
    }
    sk_X509_free(signers);
    s->certificate = cert;
    describe(cert, s);
    s->intact = is_intact(p7, &content);
    if (!s->intact)
        set_why(s, "the signature is not one over this content");
    return ca_file && s->intact ? check_trust(p7, cert, ca_file, s, e) : 0;
}

int appx_signature_check(const uint8_t *data, size_t len, const char *ca_file,
                         struct appx_signature *out, struct err *e)
{
    const size_t magic = sizeof MAGIC - 1;

    *out = (struct appx_signature){ .intact = false };
    if (len < magic || memcmp(data, MAGIC, magic))
        return err_set(e, ERR_CORRUPT, "signature: does not begin with " MAGIC);
    if (len > APPX_SIGNATURE_MAX)
        return err_set(e, ERR_LIMIT, "signature: %zu bytes are too many", len);
    const uint8_t *p = data + magic;
    PKCS7 *p7 = d2i_PKCS7(NULL, &p, (long)(len - magic));
    int rc = p7 ? check(p7, ca_file, out, e)
                : err_set(e, ERR_CORRUPT, "signature: no PKCS #7 structure");
    PKCS7_free(p7);
    ERR_clear_error(); /* the thread's queue of OpenSSL is nobody else's business */
    return rc;
}

void appx_signature_clear(struct appx_signature *s)
{
    X509_free(s->certificate);
    s->certificate = NULL;
}

/* --- the publisher ---------------------------------------------------------------------------- */

#define RDNS_MAX 32

struct rdn {
    int nid;
    char value[256];
};

static int nid_of(const char *name)
{
    if (!strcasecmp(name, "S")) /* as Windows writes it */
        return NID_stateOrProvinceName;
    if (!strcasecmp(name, "E"))
        return NID_pkcs9_emailAddress;
    if (!strncasecmp(name, "OID.", 4))
        name += 4;
    return OBJ_txt2nid(name);
}

/* The next value: quoted, with "" for a quote, or up to the comma. Returns what follows. */
static const char *read_value(const char *p, char *out, size_t size)
{
    bool quoted = *p == '"';
    size_t n = 0;

    for (p += quoted; *p && (quoted || *p != ','); p++) {
        if (quoted && *p == '"' && *++p != '"')
            break;
        if (!quoted && *p == '\\' && p[1])
            p++;
        if (n + 1 < size)
            out[n++] = *p;
    }
    while (!quoted && n && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
    return p + strcspn(p, ",");
}

static size_t read_publisher(const char *p, struct rdn *out)
{
    size_t count = 0;

    while (*p && count < RDNS_MAX) {
        char type[64];
        p += strspn(p, " ,;");
        size_t len = strcspn(p, "=");
        if (p[len] != '=' || len >= sizeof type)
            return 0;
        memcpy(type, p, len);
        while (len && type[len - 1] == ' ')
            len--;
        type[len] = '\0';
        p += strcspn(p, "=") + 1;
        p += strspn(p, " ");
        out[count].nid = nid_of(type);
        p = read_value(p, out[count].value, sizeof out[count].value);
        count++;
    }
    return *p ? 0 : count;
}

static bool entry_is(const X509_NAME *name, int index, const struct rdn *rdn)
{
    const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, index);
    unsigned char *text = NULL;
    int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
    bool same = len >= 0 && (size_t)len == strlen(rdn->value) && !memcmp(text, rdn->value, (size_t)len) &&
                OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) == rdn->nid && rdn->nid != NID_undef;

    OPENSSL_free(text);
    return same;
}

bool appx_signature_is_by(const struct appx_signature *s, const char *publisher)
{
    struct rdn rdns[RDNS_MAX];
    const X509_NAME *name = s->certificate ? X509_get_subject_name(s->certificate) : NULL;
    size_t count = read_publisher(publisher, rdns);
    bool forward = true, backward = true;

    if (!name || !count || (size_t)X509_NAME_entry_count(name) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        forward = forward && entry_is(name, (int)i, &rdns[i]);
        backward = backward && entry_is(name, (int)(count - 1 - i), &rdns[i]);
    }
    return forward || backward;
}
