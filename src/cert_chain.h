/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a certificate is to be trusted for a use at a time. Trusted are the certificates that the
 * caller names, all of them: also ones that are no roots, so that the signer's own certificate will do.
 * Revocation is not looked at: no network here. Over OpenSSL; single-threaded.
 */
#ifndef SRC_CERT_CHAIN_H
#define SRC_CERT_CHAIN_H

#include <stdint.h>

#include <openssl/x509.h>

#include "src/compiler.h"
#include "src/err.h"

enum cert_use { CERT_SIGNS_CODE, CERT_SIGNS_TIME };

/* FILE: PEM certificates; DIR: as `openssl rehash` makes it; either may be NULL. ERR_SYSTEM and the like
 * for what cannot be read. Free with X509_STORE_free(). */
int cert_store_open(const char *file, const char *dir, X509_STORE **out, struct err *e) must_check;

/*
 * 1, or 0 and WHY. OTHERS: certificates between CERT and a trusted one, not trusted themselves; may be
 * NULL. AT: seconds since 1970. Keys and digests weaker than 112 bits are not trusted. CERT must have an
 * extended key usage that allows USE (for code: or none at all), and so those above it if they have one.
 * -ENOMEM.
 */
int cert_chain_holds(X509_STORE *store, X509 *cert, STACK_OF(X509) *others, enum cert_use use,
                     int64_t at, char *why, size_t why_size, struct err *e) must_check;

/* Whether CERT is for signatures that end when it does, time stamp or not (szOID_KP_LIFETIME_SIGNING). */
bool cert_is_lifetime_signing(const X509 *cert);

#endif
