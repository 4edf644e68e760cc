/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AppxSignature.p7x: what was signed, by whom, and whether that holds. The file is "PKCX" and a PKCS #7
 * SignedData over digests of the package's parts (as Authenticode does it). Pure; single-threaded.
 *
 * The parts, by their tags:
 *   AXPC  everything before the archive's directory but the signature's own entry
 *   AXCD  the directory and the end records as they would be without the signature's entry
 *   AXCT  [Content_Types].xml, decoded     AXBM  AppxBlockMap.xml, decoded
 *   AXCI  AppxMetadata/CodeIntegrity.cat, decoded; only where there is one
 * The byte rules of AXPC and AXCD were found by comparing with packages signed by Microsoft's and by
 * other tools (tests/it-071-appx-signature.sh).
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

enum appx_trust {
    APPX_TRUST_UNCHECKED, /* no store was given */
    APPX_TRUST_GOOD,
    APPX_TRUST_BAD,
};

struct appx_signature {
    enum digest digest;                            /* of the parts */
    bool has[APPX_SIGNED_PARTS];
    uint8_t digests[APPX_SIGNED_PARTS][DIGEST_MAX];
    bool intact;                /* the signature is over these digests: they are the signer's */
    enum appx_trust trust;      /* of the signer's certificate */
    char why[160];              /* when INTACT is false or TRUST is BAD */
    char signer[512], issuer[512]; /* distinguished names, RFC 2253 */
    char not_before[32], not_after[32]; /* of the certificate, UTC */
    void *certificate;          /* X509, owned */
};

/*
 * Reads and checks DATA, the file. CA_FILE: PEM certificates that are trusted, or NULL. A signature that
 * does not hold is no error but a finding. ERR_CORRUPT for what is no signature, ERR_SYSTEM when CA_FILE
 * cannot be read. Free with appx_signature_clear(), also after an error.
 */
int appx_signature_check(const uint8_t *data, size_t len, const char *ca_file,
                         struct appx_signature *out, struct err *e) must_check;
void appx_signature_clear(struct appx_signature *s);

/* Whether PUBLISHER, as manifests write it ("CN=Sample, O=\"A, B\", C=US"), is the signer. */
bool appx_signature_is_by(const struct appx_signature *s, const char *publisher);

#endif
