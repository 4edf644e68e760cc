/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a package's archive is checked for beyond its blocks: the rules of the format (src/appx_rules.h), and the
 * signature, against the package itself. AppX, MSIX and App-V 5 packages and bundles can have one. Reads
 * all of the object once, unless told otherwise.
 */
#ifndef FETCH_ARCHIVE_CHECK_H
#define FETCH_ARCHIVE_CHECK_H

#include <stdint.h>

#include "fetch/source.h"
#include "src/appx_rules.h"
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

struct archive_report {
    bool is_archive;     /* else nothing below says anything */
    bool documents_only; /* as was asked for: not whether files and headers are what was signed */
    enum signature_verdict verdict;
    char why[400];                    /* for tampered and untrusted */
    struct appx_signature *signature; /* NULL when none or unsigned; owned */
    struct appx_findings rules;       /* that are broken */
};

struct archive_check_options {
    const char *ca_file; /* PEM, or NULL */
    bool no_signature;   /* rules only */
    bool documents_only; /* the signature and the documents that it is over, no files and no rules: little is
                          * read */
    /* Called now and then with the bytes read so far; a value other than 0 ends the check. May be NULL. */
    int (*step)(void *arg, uint64_t bytes, struct err *e);
    void *arg;
};

/* A finding is no error: 0 and *out, to be given to archive_report_clear(), also after an error. Blocks. */
int archive_check(struct source *s, const struct archive_check_options *o, struct archive_report *out,
                  struct err *e) must_check;
void archive_report_clear(struct archive_report *r);

#endif
