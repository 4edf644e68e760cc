/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PKCS #7 SignedData as signatures of packages use it: one signer, signed attributes, SHA-2. Says whether
 * the signature is one over the content, and nothing of whose it is (cert_chain.h). Over OpenSSL, whose
 * structures may come from hostile input: counts are bounded before anything costs time. Pure; the
 * thread's error queue of OpenSSL is the caller's to clear.
 */
#ifndef SRC_SIGNED_DATA_H
#define SRC_SIGNED_DATA_H

#include <stdint.h>

#include <openssl/asn1.h>
#include <openssl/pkcs7.h>

#include "src/codec.h"
#include "src/compiler.h"

/* Whether OBJECT is the identifier DOTTED ("1.3.6.1"). */
bool asn1_oid_is(const ASN1_OBJECT *object, const char *dotted);

/* Seconds since 1970; false for what is no time. */
bool asn1_seconds(const ASN1_TIME *time, int64_t *out);

/* False for what is not of SHA-2. */
bool asn1_digest(const X509_ALGOR *algorithm, enum digest *out);

/* PKCS #7 of exactly LEN bytes; NULL for what is none. Free with PKCS7_free(). */
PKCS7 *signed_data_parse(const uint8_t *der, size_t len);

/* Its only signer, or NULL and why: not SignedData, not one signer, too many parts, weak digest, or no
 * signed attribute that says that the content is of CONTENT_TYPE (dotted), as the structure itself must. */
PKCS7_SIGNER_INFO *signed_data_signer(const PKCS7 *p7, const char *content_type, const char **why);

/* The signer's certificate, borrowed from P7; or NULL. */
X509 *signed_data_certificate(PKCS7 *p7);

/* Whether SIGNER's attributes are of CONTENT, and signed with CERT's key. SIGNER may also be one who signed
 * a signature in P7; it must have signed attributes. */
bool signed_data_holds(PKCS7 *p7, PKCS7_SIGNER_INFO *signer, X509 *cert, const uint8_t *content,
                       size_t len);

#endif
