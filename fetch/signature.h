/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The signature of a package, checked against the package itself: AppX, MSIX and App-V 5 packages and
 * bundles can have one. Reads all of the object once.
 */
#ifndef FETCH_SIGNATURE_H
#define FETCH_SIGNATURE_H

#include <stdint.h>

#include "fetch/source.h"
#include "src/appx_signature.h"
#include "src/compiler.h"
#include "src/err.h"

enum signature_verdict {
    SIGNATURE_NONE,      /* the format has none */
    SIGNATURE_UNSIGNED,  /* it could have one */
    SIGNATURE_TAMPERED,  /* package or signature are not what was signed */
    SIGNATURE_UNTRUSTED, /* intact, but the signer is not trusted, or not the publisher */
    SIGNATURE_UNCHECKED, /* intact; whom to trust was not said */
    SIGNATURE_GOOD,
};

/* "none", "unsigned", "tampered", "untrusted", "unchecked", "good". */
const char *signature_verdict_name(enum signature_verdict v);

struct signature_report {
    enum signature_verdict verdict;
    char why[400];                    /* for tampered and untrusted */
    struct appx_signature *signature; /* NULL when none or unsigned; owned */
};

/* Called now and then with the bytes read so far; a value other than 0 ends the check. */
typedef int (*signature_step_fn)(void *arg, uint64_t bytes, struct err *e);

/* CA_FILE: PEM, or NULL. A finding is no error: 0 and *out, to be given to signature_clear(), also after an
 * error. Blocks. */
int signature_check(struct source *s, const char *ca_file, signature_step_fn step, void *arg,
                    struct signature_report *out, struct err *e) must_check;
void signature_clear(struct signature_report *r);

#endif
