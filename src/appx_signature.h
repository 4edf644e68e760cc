/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AppxSignature.p7x: what was signed, by whom, and whether that holds. The file is "PKCX" and a PKCS #7
 * SignedData over digests of the package's parts (as Authenticode does it). Pure, but for the files of
 * trusted certificates that a caller names; single-threaded.
 *
 * The parts, by their tags:
 *   AXPC  everything before the archive's directory but the signature's own entry
 *   AXCD  the directory and the end records as they would be without the signature's entry
 *   AXCT  [Content_Types].xml, decoded     AXBM  AppxBlockMap.xml, decoded
 *   AXCI  AppxMetadata/CodeIntegrity.cat, decoded; only where there is one
 * appx_digester.h computes them of a package.
 */
#ifndef SRC_APPX_SIGNATURE_H
#define SRC_APPX_SIGNATURE_H

#include <stdint.h>

#include "src/codec.h"
#include "src/compiler.h"
#include "src/err.h"

#define APPX_SIGNATURE_MAX (16u * 1024u * 1024u)

enum appx_signed_part { APPX_AXPC, APPX_AXCD, APPX_AXCT, APPX_AXBM, APPX_AXCI, APPX_SIGNED_PARTS };

const char *appx_signed_part_name(enum appx_signed_part part); /* "AXPC" */

struct appx_digests {
    enum digest digest;
    bool has[APPX_SIGNED_PARTS];
    uint8_t of[APPX_SIGNED_PARTS][DIGEST_MAX]; /* digest_len(digest) bytes of each */
};

/* The parts that A and B do not have in the same form, a bit each (1u << APPX_AXPC …). */
unsigned appx_digests_differ(const struct appx_digests *a, const struct appx_digests *b);

struct appx_signature {
    struct appx_digests signed_parts; /* not the signer's words until verified */
    char signer[512], issuer[512];    /* distinguished names, RFC 2253; cut off if longer */
    char serial[64];                  /* of the certificate, hexadecimal; "" if longer */
    char not_before[32], not_after[32]; /* of the certificate, "2026-01-31T12:00:00Z" */
    char timestamp[32];               /* what a time stamp says, not verified; "" without one */
    struct pkcs7_st *p7;              /* the rest is for this module */
    struct pkcs7_signer_info_st *signer_info; /* in p7 */
    struct x509_st *certificate;      /* in p7 */
    const uint8_t *content;           /* in p7: what the signature is over */
    size_t content_len;
};

/*
 * Reads DATA, the file; nothing is verified. ERR_CORRUPT for what is no signature of a package, ERR_LIMIT,
 * ERR_UNSUPPORTED for digests other than SHA-2. Free *out with appx_signature_free().
 */
int appx_signature_read(const uint8_t *data, size_t len, struct appx_signature **out, struct err *e)
    must_check;
void appx_signature_free(struct appx_signature *s); /* NULL is fine */

/* The digest that a part should have, or NULL when it was not signed. */
const uint8_t *appx_signature_digest(const struct appx_signature *s, enum appx_signed_part part);

enum appx_verdict {
    APPX_VERDICT_BAD,       /* the signature is not one over its content: somebody changed it */
    APPX_VERDICT_UNTRUSTED, /* it is, but the signer is not to be trusted */
    APPX_VERDICT_UNCHECKED, /* it is; whom to trust was not said */
    APPX_VERDICT_GOOD,
};

/* Whom to trust. All zero: nobody is asked about. */
struct appx_trust {
    const char *ca_file; /* certificates in PEM, or NULL */
    const char *ca_dir;  /* as `openssl rehash` makes it, or NULL */
    int64_t at;          /* seconds since 1970. 0: the time stamp's time if that one can be trusted,
                          * else now */
};

struct appx_verification {
    enum appx_verdict verdict;
    char why[400];           /* "" when good or unchecked */
    int64_t at;              /* when the certificate had to be valid; 0 if that was not asked */
    bool timestamp_good;     /* the time stamp can be trusted */
    char timestamp_why[160]; /* why not; "" when it was not asked */
};

/*
 * Whether S is the signer's own and the signer trusted by T (may be NULL): what a signature says is a
 * finding, not an error. Errors: ERR_SYSTEM and the like when certificates cannot be read, ERR_NO_MEMORY;
 * then *out says BAD.
 */
int appx_signature_verify(struct appx_signature *s, const struct appx_trust *t,
                          struct appx_verification *out, struct err *e) must_check;

/* Whether PUBLISHER, as manifests write it ("CN=Sample, O=\"A, B\", C=US"), is the signer. */
bool appx_signature_subject_matches(const struct appx_signature *s, const char *publisher);

#endif
