/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When a package was signed, as another one attests: a time stamp of RFC 3161 (in the unsigned attribute
 * 1.3.6.1.4.1.311.3.3.1), or the older countersignature of PKCS #9. Both are over the value of the
 * signature. Pure, over OpenSSL; single-threaded.
 */
#ifndef SRC_APPX_TIMESTAMP_H
#define SRC_APPX_TIMESTAMP_H

#include <stdint.h>

#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "src/compiler.h"
#include "src/err.h"

enum appx_timestamp {
    APPX_TIMESTAMP_NONE,
    APPX_TIMESTAMP_RFC3161,
    APPX_TIMESTAMP_COUNTERSIGNATURE,
};

/* What SIGNER has, and the time that it says (seconds since 1970), of which nothing has been verified.
 * One that cannot be understood is none. */
enum appx_timestamp appx_timestamp_find(const PKCS7_SIGNER_INFO *signer, int64_t *at);

/*
 * 1 if the time stamp of SIGNER, the signer of P7, is over its signature and was made by one whom STORE
 * trusts, then, for signing times; 0 and WHY. NOW: later ones do not count. -ENOMEM.
 */
int appx_timestamp_holds(PKCS7 *p7, const PKCS7_SIGNER_INFO *signer, X509_STORE *store,
                         int64_t now, char *why, size_t why_size, struct err *e) must_check;

#endif
