/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trust in certificates, over OpenSSL. See cert_chain.h. */
#include "config.h"

#include "src/cert_chain.h"

#include <stdio.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "src/signed_data.h"

#define OID_LIFETIME_SIGNING "1.3.6.1.4.1.311.10.3.13"
#define SECURITY_LEVEL       2 /* 112 bits, as Debian wants it of TLS */

int cert_store_open(const char *file, const char *dir, X509_STORE **out, struct err *e)
{
    X509_STORE *store = X509_STORE_new();
    struct stat st;
    int rc = 0;

    if (!store)
        return err_nomem(e);
    if (file && access(file, R_OK))
        rc = err_sys(e, "%s", file);
    else if (file && X509_STORE_load_file(store, file) != 1)
        rc = err_set(e, ERR_INVALID, "%s: no certificates (PEM) are in it", file);
    /* A directory is read when something is looked for in it, and then in silence. */
    else if (dir && (stat(dir, &st) || access(dir, R_OK | X_OK)))
        rc = err_sys(e, "%s", dir);
    else if (dir && (!S_ISDIR(st.st_mode) || X509_STORE_load_path(store, dir) != 1))
        rc = err_set(e, ERR_INVALID, "%s: not a directory of certificates", dir);
    if (rc)
        X509_STORE_free(store);
    else
        *out = store;
    ERR_clear_error();
    return rc;
}

/* --- uses ------------------------------------------------------------------------------------- */

static bool is_allowed(X509 *cert, enum cert_use use, bool must_say)
{
    uint32_t usage = X509_get_extended_key_usage(cert); /* all bits when it does not say */
    uint32_t wanted = use == CERT_SIGNS_CODE ? XKU_CODE_SIGN : XKU_TIMESTAMP;

    if (usage == UINT32_MAX)
        return !must_say;
    return usage & (must_say ? wanted : wanted | XKU_ANYEKU);
}

/* The trusted certificate at the end is what the caller says it is. */
static bool uses_hold(const STACK_OF(X509) *chain, enum cert_use use)
{
    X509 *leaf = sk_X509_value(chain, 0);

    if (!is_allowed(leaf, use, use == CERT_SIGNS_TIME) ||
        !(X509_get_key_usage(leaf) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)))
        return false;
    for (int i = 1; i + 1 < sk_X509_num(chain); i++)
        if (!is_allowed(sk_X509_value(chain, i), use, false))
            return false;
    return true;
}

bool cert_is_lifetime_signing(const X509 *cert)
{
    EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
    bool is = false;

    for (int i = 0; i < sk_ASN1_OBJECT_num(usage) && !is; i++)
        is = asn1_oid_is(sk_ASN1_OBJECT_value(usage, i), OID_LIFETIME_SIGNING);
    EXTENDED_KEY_USAGE_free(usage);
    return is;
}

/* --- the chain -------------------------------------------------------------------------------- */

int cert_chain_holds(X509_STORE *store, X509 *cert, STACK_OF(X509) *others, enum cert_use use,
                     int64_t at, char *why, size_t why_size, struct err *e)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int holds = 0;

    if (!ctx || !X509_STORE_CTX_init(ctx, store, cert, others)) {
        X509_STORE_CTX_free(ctx);
        return err_nomem(e);
    }
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)at);
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    (void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    (void)X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY); /* OpenSSL 3.0 has none for code */
    if (X509_verify_cert(ctx) != 1)
        (void)snprintf(why, why_size, "%s",
                       X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    else if (!uses_hold(X509_STORE_CTX_get0_chain(ctx), use))
        (void)snprintf(why, why_size, "the certificate is not for signing %s",
                       use == CERT_SIGNS_CODE ? "code" : "times");
    else
        holds = 1;
    X509_STORE_CTX_free(ctx);
    return holds;
}
