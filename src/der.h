/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bounded cursor over DER, for the few structures that OpenSSL has no reader for, or that have to be
 * looked at before its reader is let at them. Definite lengths only.
 */
#ifndef SRC_DER_H
#define SRC_DER_H

#include <stdint.h>

#include <openssl/asn1.h>

#include "src/compiler.h"

struct der {
    const uint8_t *p;
    long left;
};

/* Goes into the next element of DER, which must have TAG of CLASS: *inside is its content. */
static inline bool der_enter_class(struct der *d, int tag, int class, struct der *inside)
{
    const uint8_t *p = d->p;
    long len;
    int is_tag, is_class;

    if (d->left <= 0)
        return false;
    int rc = ASN1_get_object(&p, &len, &is_tag, &is_class, d->left);
    if (rc & 0x80 || rc & 1 || is_tag != tag || is_class != class)
        return false; /* an error, or of indefinite length */
    *inside = (struct der){ p, len };
    d->left -= p + len - d->p;
    d->p = p + len;
    return d->left >= 0;
}

/* The same with a universal tag (V_ASN1_SEQUENCE …). */
static inline bool der_enter(struct der *d, int tag, struct der *inside)
{
    return der_enter_class(d, tag, V_ASN1_UNIVERSAL, inside);
}

#endif
